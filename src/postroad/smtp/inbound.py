"""The body of a message on its way in: counted and looked through in one place, by whichever command it comes."""

from __future__ import annotations

from postroad.smtp.events import BodyComplete, BodyPiece, BodyRefused
from postroad.smtp.grammar import Bdat
from postroad.smtp.wire import ALL_PAIRED, NUL, DotReader, LineBuffer, newline_decoder
from postroad.words.reply import Reply

BARE = Reply(554, ("5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)",))
WITH_NUL = Reply(554, ("5.6.0 a NUL octet in the message (RFC 2045 section 2.8)",))

BodyEvent = BodyPiece | BodyComplete | BodyRefused


class InboundBody:
    """The body of one message on its way in: what has come of it, by DATA or BDAT, is checked and handed on."""

    __slots__ = ("_dots", "_has_nul", "_is_bare", "_most", "_newlines", "_octets", "_refuses_unsafe")

    def __init__(self, most: int, *, refuses_unsafe: bool) -> None:
        self._most = most
        self._refuses_unsafe = refuses_unsafe
        self._dots: DotReader | None = None  # by DATA
        self._octets = 0
        self._newlines = newline_decoder()
        self._is_bare = self._has_nul = False

    def by_data(self, lines: LineBuffer) -> BodyEvent | None:
        """What the lines behind DATA bring, up to the final dot."""
        dots = self._dots = self._dots or DotReader()
        octets, behind = dots.read(lines.clear())
        if behind:
            lines.feed(behind)
        return self.take(octets, is_last=dots.has_ended)

    def take(self, octets: bytes, *, is_last: bool) -> BodyEvent | None:
        """Some more of it, or the last of it. What is not taken, for all that can be seen by now, is not handed on."""
        self._octets += len(octets)
        if self._refuses_unsafe:
            self._has_nul = self._has_nul or NUL in octets  # whatever the pieces: it is looked for to the end
            self._newlines.decode(octets.decode("latin-1"), is_last)  # a CR at the very end waits for an LF in vain
            self._is_bare = self._newlines.newlines not in ALL_PAIRED
        is_taken = not (self._has_nul or self._is_bare or self._octets > self._most)
        if is_last:
            return BodyComplete(octets) if is_taken else BodyRefused(self._refusal())
        return BodyPiece(octets) if octets and is_taken else None

    def _refusal(self) -> Reply:
        if self._octets > self._most:
            return too_large(self._most)
        return WITH_NUL if self._has_nul else BARE


class Chunk:
    """A BDAT chunk on its way in: into a body, or with a refusal, and then it is passed over."""

    __slots__ = ("into", "is_last", "left")

    def __init__(self, bdat: Bdat, into: InboundBody | Reply) -> None:
        self.left = bdat.size
        self.is_last = bdat.last
        self.into = into

    def read(self, lines: LineBuffer) -> BodyEvent | None:
        """What has come of it."""
        octets = lines.take_octets(self.left)
        self.left -= len(octets)
        if isinstance(self.into, Reply):
            return None
        return self.into.take(octets, is_last=self.is_last and self.left == 0)


def too_large(most: int) -> Reply:
    """The refusal of a message over the limit, announced (RFC 1870 section 6.1) or found."""
    return Reply(552, (f"5.3.4 the message is too large: {most} octets at most",))
