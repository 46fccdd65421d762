"""Has the spool commit the results of parcels: all of one turn of the loop together, until it succeeds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from postroad.deliver.world import World
from postroad.spool import Claims, Settlement, SpoolError, Trouble

AGAIN_S = 1.0  # between two tries on a spool in trouble

Committed = Callable[[BaseException | None], None]
"""Hears that it is on the disk, or of the bug that keeps it from there: then it stays claimed until the next start."""


class Settler:
    """The part of delivery that commits settlements, and retries those that fail.

    What became of mail must not be forgotten, so it insists, however long the spool is in trouble.
    """

    def __init__(self, spool: Claims, world: World) -> None:
        self._spool = spool
        self._world = world
        self._gathered: list[tuple[Settlement, Committed]] = []
        self._answers: set[asyncio.Future[None]] = set()
        self.pending = 0  # settlements not yet committed

    def add(self, settlement: Settlement, committed: Committed) -> None:
        """Settle a parcel with the next commit; `committed` is called when that is on the disk."""
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)
        self._gathered.append((settlement, committed))
        self.pending += 1

    def _flush(self) -> None:
        batch, self._gathered = self._gathered, []
        self._commit(batch)

    def _commit(self, batch: list[tuple[Settlement, Committed]]) -> None:
        answer = self._spool.settle([settlement for settlement, _ in batch], self._world.wall())
        done = asyncio.ensure_future(answer)
        self._answers.add(done)
        done.add_done_callback(partial(self._heard, batch))

    def _heard(self, batch: list[tuple[Settlement, Committed]], done: asyncio.Future[None]) -> None:
        self._answers.discard(done)
        trouble = None if done.cancelled() else done.exception()
        if trouble and len(batch) > 1 and _may_be_of_one(trouble):
            for each in batch:
                self._commit([each])
        elif isinstance(trouble, SpoolError):
            self._world.tell_trouble(trouble)
            asyncio.get_running_loop().call_later(AGAIN_S, self._commit, batch)
        else:
            self.pending -= len(batch)
            for _, committed in batch:
                committed(trouble)


def _may_be_of_one(trouble: BaseException) -> bool:
    """Whether one settlement may be what is wrong, so that the others should not wait for it."""
    return not isinstance(trouble, SpoolError) or trouble.kind in (Trouble.CORRUPT, Trouble.FAILING, Trouble.MISSING)
