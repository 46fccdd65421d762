"""The octets of one message, by whichever command they come: counted and looked through in one place."""

from __future__ import annotations

from postroad.smtp.wire import NUL, NewlineCheck
from postroad.words.reply import Reply

BARE = Reply(554, ("5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)",))
WITH_NUL = Reply(554, ("5.6.0 a NUL octet in the message (RFC 2045 section 2.8)",))


class Content:
    """What comes by DATA or BDAT passes here and nowhere else, so that no way in forgets a check."""

    def __init__(self, most: int, *, refuses_unsafe: bool) -> None:
        self._most = most
        self._refuses_unsafe = refuses_unsafe
        self._octets = 0
        self._newlines = NewlineCheck()
        self._is_bare = self._has_nul = False

    def take(self, piece: bytes) -> bytes:
        """Some more of it: what is to be handed on, nothing once the message is sure to be refused."""
        self._octets += len(piece)
        if self._refuses_unsafe:
            self._has_nul = self._has_nul or NUL in piece  # whatever the pieces: it is looked for to the end
            self._is_bare = self._newlines.is_bare(piece)
        return b"" if self._has_nul or self._is_bare or self._octets > self._most else piece

    def refusal(self) -> Reply | None:
        """That was all: why it cannot be taken, if it cannot."""
        if self._octets > self._most:
            return too_large(self._most)
        if self._has_nul:
            return WITH_NUL
        # A CR at the very end waits for an LF in vain
        return BARE if self._is_bare or self._newlines.ends_bare else None


def too_large(most: int) -> Reply:
    """The refusal of a message over the limit, announced (RFC 1870 section 6.1) or found."""
    return Reply(552, (f"5.3.4 the message is too large: {most} octets at most",))
