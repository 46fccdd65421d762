"""A message without our signatures behind the first, for hosts that cannot take several."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postroad.dialogue import Pieces
from postroad.sign import surplus


def trimmed(content: bytes) -> bytes:
    """A content that is here whole."""
    start, end = surplus(content)
    return content[:start] + content[end:] if end else content


async def trimmed_pieces(content: Pieces) -> Pieces:
    """A large one: its first piece, which has the signatures, says how long it is without them."""
    async for first in content:
        start, end = surplus(first)
        return TrimmedPieces(content, start, end) if end else content
    return content


class TrimmedPieces:
    """A content too large to be held in memory, without some octets of its first piece."""

    def __init__(self, content: Pieces, start: int, end: int) -> None:
        self._content = content
        self._start, self._end = start, end

    @property
    def size(self) -> int:
        """Octets in all."""
        return self._content.size - (self._end - self._start)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, from the beginning each time."""
        start, end = self._start, self._end
        async for piece in self._content:
            yield piece[:start] + piece[end:]
            start = end = 0
