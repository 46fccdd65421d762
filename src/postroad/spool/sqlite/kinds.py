"""The kinds of calls that write: their statements, what they cost, and what follows a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from postroad.spool.base import Parcel
from postroad.spool.fresh import Fresh
from postroad.spool.group import SHORT, CallKind
from postroad.spool.sqlite import keeping, lanes, lessons, queue, settling


class Kinds:
    """The kinds of calls of one spool. Parcels that nobody waits for any more are given to `give_back`."""

    def __init__(self, fresh: Fresh, give_back: Callable[[Sequence[Parcel]], object], *, keeps_history: bool) -> None:
        self.write = CallKind(keeping.write, SHORT, enters=True)
        self.discard = CallKind(keeping.discard)
        self.add = CallKind(
            keeping.add, SHORT, enters=True, then=lambda messages, _: fresh.remember(messages), unwanted=give_back
        )
        self.settle = CallKind(
            partial(settling.settle, keeps_history=keeps_history), SHORT, then=lambda calls, _: fresh.settled(calls)
        )
        self.claim = CallKind(lanes.claim, unwanted=give_back)
        self.release = CallKind(lanes.release, then=lambda calls, _: fresh.released(calls))
        self.retry_stranded = CallKind(lanes.retry_stranded)
        self.renew = CallKind(lanes.renew)
        self.clock_set_back = CallKind(lanes.clock_set_back)
        self.sweep_history = CallKind(settling.sweep_history)
        self.sweep_arrivals = CallKind(settling.sweep_arrivals)
        # Refused where new mail is: the room that is left is for settling
        self.learn = CallKind(lessons.learn, SHORT, enters=True)
        self.forget = CallKind(lessons.forget)
        self.hold = CallKind(queue.hold)
        self.unhold = CallKind(queue.unhold)
        self.retry = CallKind(queue.retry)
        self.delete = CallKind(partial(settling.delete, keeps_history=keeps_history))
        self.overrule = CallKind(partial(settling.overrule, keeps_history=keeps_history))
