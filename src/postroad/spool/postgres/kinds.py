"""The kinds of calls that write: their statements, what they cost, and what follows a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from postroad.spool.base import Parcel
from postroad.spool.calls import CompleteMessage, Release, Settling
from postroad.spool.fresh import Fresh
from postroad.spool.group import SHORT, CallKind
from postroad.spool.postgres import history, keeping, lanes, leases, lessons, queue, settling
from postroad.spool.postgres.transaction import Life


class PostgresCalls:
    """The kinds of calls of one spool. Parcels that nobody waits for any more are given to `give_back`."""

    def __init__(
        self, fresh: Fresh, life: Life, give_back: Callable[[Sequence[Parcel]], object], *, keeps_history: bool
    ) -> None:
        self._fresh = fresh
        self._life = life
        self.write = CallKind(keeping.write, SHORT, enters=True)
        self.discard = CallKind(keeping.discard, SHORT, then=lambda ids, _: life.arriving.difference_update(ids))
        self.add = CallKind(keeping.add, SHORT, enters=True, then=self._added, unwanted=give_back)
        self.settle = CallKind(partial(settling.settle, keeps_history=keeps_history), SHORT, then=self._settled)
        self.learn = CallKind(lessons.learn, SHORT, enters=True)
        self.forget = CallKind(lessons.forget, SHORT)
        self.claim = CallKind(lanes.claim, then=self._claimed, unwanted=give_back)
        self.release = CallKind(lanes.release, then=self._released)
        self.retry_stranded = CallKind(lanes.retry_stranded)
        self.renew = CallKind(leases.renew)
        self.clock_set_back = CallKind(lanes.clock_set_back)
        self.remember_from = CallKind(history.remember_from)
        self.sweep_arrivals = CallKind(history.sweep_arrivals)
        self.hold = CallKind(queue.hold)
        self.unhold = CallKind(queue.unhold)
        self.retry = CallKind(queue.retry)
        self.delete = CallKind(partial(settling.delete, keeps_history=keeps_history))
        self.overrule = CallKind(partial(settling.overrule, keeps_history=keeps_history))

    def _added(self, messages: Sequence[CompleteMessage], added: Sequence[tuple[Parcel, ...]]) -> None:
        self._fresh.remember(messages)
        self._life.arriving.difference_update(whole.mail.id for whole in messages)
        for whole, parcels in zip(messages, added, strict=True):
            if whole.node is not None:
                self._life.take(parcels)

    def _claimed(self, _asked: object, claimed: Sequence[tuple[Parcel, ...]]) -> None:
        for parcels in claimed:
            self._life.take(parcels)

    def _settled(self, calls: Sequence[Settling], _results: object) -> None:
        self._fresh.settled(calls)
        for settlements, _, _ in calls:
            self._life.let_go(one.parcel for one in settlements)

    def _released(self, calls: Sequence[Release], _results: object) -> None:
        self._fresh.released(calls)
        for parcels, _ in calls:
            self._life.let_go(parcels)
