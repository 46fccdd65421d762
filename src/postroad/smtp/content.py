"""The octets of one message, by whichever command they come: counted and looked through in one place."""

from __future__ import annotations

from postroad.smtp.wire import NewlineCheck
from postroad.words.reply import Reply

BARE = Reply(554, ("5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)",))


class Content:
    """What comes by DATA or BDAT passes here and nowhere else, so that no way in forgets a check."""

    def __init__(self, most: int, *, refuses_bare: bool) -> None:
        self._most = most
        self._refuses_bare = refuses_bare
        self._octets = 0
        self._newlines = NewlineCheck()
        self._is_bare = False

    def take(self, piece: bytes) -> bytes:
        """Some more of it: what is to be handed on, nothing once the message is sure to be refused."""
        self._octets += len(piece)
        self._is_bare = self._refuses_bare and self._newlines.is_bare(piece)
        return b"" if self._is_bare or self._octets > self._most else piece

    def refusal(self) -> Reply | None:
        """That was all: why it cannot be taken, if it cannot."""
        if self._octets > self._most:
            return too_large(self._most)
        # A CR at the very end waits for an LF in vain
        return BARE if self._is_bare or self._newlines.ends_bare else None


def too_large(most: int) -> Reply:
    """The refusal of a message over the limit, announced (RFC 1870 section 6.1) or found."""
    return Reply(552, (f"5.3.4 the message is too large: {most} octets at most",))
