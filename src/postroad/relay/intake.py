"""What is received goes into the spool first, and straight to the loop if it has room."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from postroad.receive import Arrival, Kept
from postroad.spool import MessageIds, Parcel, Spool, SpoolError, StoredMail
from postroad.words.mail import domain_of

if TYPE_CHECKING:
    from postroad.relay.delivery import Delivering


class Intake:
    """Keeps what the listeners receive: in the spool first, and in the loop's hands at once if it has room."""

    def __init__(self, spool: Spool, loop: Delivering, ids: MessageIds) -> None:
        self._spool = spool
        self._loop = loop
        self._ids = ids
        self._discards: set[asyncio.Task[None]] = set()

    def begin(self) -> str:
        """A fresh id."""
        return self._ids.id()

    async def write(self, id_: str, piece: bytes) -> None:
        """Put a piece of a big message aside."""
        await self._spool.write(id_, piece)

    def discard(self, id_: str) -> None:
        """Forget a message that will not be whole; nobody waits for that."""
        task = asyncio.get_running_loop().create_task(self._discard(id_))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)

    def keep(self, arrival: Arrival, rest: bytes, kept: Kept) -> None:
        """Keep a message; durable when `kept` is called."""
        id_, envelope, at, size, origin, front = arrival
        release_at = envelope.release_at
        if release_at is not None:  # it is ours to hold it: no other host is asked
            release_at = math.ceil(release_at) if release_at > at else None
            envelope = replace(envelope, release_at=None)
        mail = StoredMail(id_, envelope, at, self._ids.seed(), size, origin, release_at)
        first, *others = envelope.recipients
        destinations = (
            {domain_of(each.mailbox) for each in envelope.recipients} if others else (domain_of(first.mailbox),)
        )
        claims = release_at is None and self._loop.has_room_for(destinations)
        adding = self._spool.add(mail, rest, claim=claims, front=front)
        added = adding if isinstance(adding, asyncio.Future) else asyncio.ensure_future(adding)
        added.add_done_callback(partial(self._added, kept, claims))

    def _added(self, kept: Kept, claims: bool, added: asyncio.Future[tuple[Parcel, ...]]) -> None:  # noqa: FBT001  # a callback's
        """It is in the spool, or not: on with it, and let the client know in step with what is delivered."""
        trouble = turn = None
        try:
            parcels = added.result()
            if claims:
                self._loop.take(parcels)
            else:
                self._loop.look()
            turn = self._loop.pressure.turn()
        except Exception as problem:  # noqa: BLE001  # the client must not wait for ever
            trouble = problem
        if turn is None:
            kept(trouble)
        else:
            turn.add_done_callback(lambda _turn: kept(None))

    async def _discard(self, id_: str) -> None:
        with contextlib.suppress(SpoolError):  # the spool sweeps up what is left over
            await self._spool.discard(id_)
