"""A message with its envelope, whole or in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from postroad.words.light import light
from postroad.words.mail import Envelope

PIECE = 64 * 1024  # octets of the message handed to the connection at a time


class Pieces(Protocol):
    """A content too large to be held in memory: its octets piece by piece."""

    @property
    def size(self) -> int:
        """Octets in all."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, from the beginning each time."""
        ...


class NotOursError(Exception):
    """The message may be another's to send by now."""


def _always() -> bool:
    return True


@light(frozen=True, slots=True)
class Message:
    """A message with its envelope, to be sent.

    `content` has CRLF line ends only; with a bare CR or LF or a NUL it is not sent. It is sent only while `is_ours`.
    """

    envelope: Envelope
    content: bytes | Pieces
    is_ours: Callable[[], bool] = _always

    @property
    def size(self) -> int:
        """Octets of the content."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content in pieces of bounded size."""
        if isinstance(self.content, bytes):
            for start in range(0, len(self.content), PIECE):
                yield self.content[start : start + PIECE]
        else:
            async for piece in self.content:
                yield piece
