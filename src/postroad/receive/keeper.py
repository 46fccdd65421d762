"""The protocol of a keeper, which stores what is received, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from postroad.spool import SpoolError, Trouble
from postroad.words.mail import Envelope
from postroad.words.reply import Reply

_NO_ROOM = {Trouble.FULL, Trouble.READ_ONLY}


Kept = Callable[[Exception | None], None]
"""Hears that a message is durable, or what is wrong."""


class Arrival(NamedTuple):
    """A message that has arrived whole. `size` counts the octets of its body as kept, with the fields put in front.

    `front` are those known at its end only: its signatures. They go before all that was written.
    """

    id: str
    envelope: Envelope
    at: float  # seconds since the epoch, as in its Received field
    size: int
    origin: str  # for people: "192.0.2.7 (client.example) by ESMTPS as user"
    front: bytes = b""


class Keeper(Protocol):
    """Whatever keeps accepted mail.

    `write` may raise SpoolError, and `keep` may tell of one; nothing of that call was done then.
    """

    def begin(self) -> str:
        """A fresh id for a message: unique, and safe in a header and a file name."""
        ...

    async def write(self, id_: str, piece: bytes) -> None:
        """Put a piece of a big message aside; it has spool.PIECE octets at most."""
        ...

    def discard(self, id_: str) -> None:
        """Forget what was written of a message that will not be whole, sooner or later."""
        ...

    def keep(self, arrival: Arrival, rest: bytes, kept: Kept) -> None:
        """Keep a message: its front, what was written, and `rest` behind it.

        `kept` is called once, when the message is durable or cannot be kept; never before this call has returned.
        """
        ...


def reply_to(trouble: SpoolError) -> Reply:
    """What the client is told: not now, and whether it is for want of room (RFC 5321 section 4.2.2, 452 and 451)."""
    if trouble.kind in _NO_ROOM:
        return Reply(452, ("4.3.1 insufficient disk space, try again later",))
    return Reply(451, ("4.3.0 the queue is not available, try again later",))
