"""The octets of one message, whether by DATA or BDAT: counted and checked in one place."""

from __future__ import annotations

from postroad.smtp.wire import ALL_PAIRED, NUL, newline_decoder
from postroad.words.reply import Reply

BARE = Reply(554, ("5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)",))
WITH_NUL = Reply(554, ("5.6.0 a NUL octet in the message (RFC 2045 section 2.8)",))


class ContentCheck:
    """The check that every octet of a message passes, by DATA or BDAT."""

    __slots__ = ("_has_nul", "_is_bare", "_most", "_newlines", "_octets", "_refuses_unsafe")

    def __init__(self, most: int, *, refuses_unsafe: bool) -> None:
        self._most = most
        self._refuses_unsafe = refuses_unsafe
        self._octets = 0
        self._newlines = newline_decoder()
        self._is_bare = self._has_nul = False

    def take(self, piece: bytes, *, is_last: bool = False) -> bool:
        """Some more of it, or the last of it: whether it is taken, for all that can be seen by now."""
        self._octets += len(piece)
        if self._refuses_unsafe:
            self._has_nul = self._has_nul or NUL in piece  # whatever the pieces: it is looked for to the end
            self._newlines.decode(piece.decode("latin-1"), is_last)  # a CR at the very end waits for an LF in vain
            self._is_bare = self._newlines.newlines not in ALL_PAIRED
        return not (self._has_nul or self._is_bare or self._octets > self._most)

    @property
    def refusal(self) -> Reply:
        """Why it is not taken."""
        if self._octets > self._most:
            return too_large(self._most)
        return WITH_NUL if self._has_nul else BARE


def too_large(most: int) -> Reply:
    """The refusal of a message over the limit, announced (RFC 1870 section 6.1) or found."""
    return Reply(552, (f"5.3.4 the message is too large: {most} octets at most",))
