"""What the spool has its writer do: the statements, what they cost, and what else follows from a commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from postroad.spool.base import Parcel
from postroad.spool.sqlite import keeping, lanes, queue, settling
from postroad.spool.sqlite.fresh import Fresh
from postroad.spool.sqlite.group import SHORT, Kind


class Kinds:
    """The kinds of calls of one spool. Parcels that nobody waits for any more are given to `give_back`."""

    def __init__(self, fresh: Fresh, give_back: Callable[[Sequence[Parcel]], object], *, keeps_history: bool) -> None:
        self.write = Kind(keeping.write, SHORT, enters=True)
        self.discard = Kind(keeping.discard)
        self.add = Kind(
            keeping.add, SHORT, enters=True, then=lambda messages, _: fresh.remember(messages), unwanted=give_back
        )
        self.settle = Kind(
            partial(settling.settle, keeps_history=keeps_history), SHORT, then=lambda calls, _: fresh.settled(calls)
        )
        self.claim = Kind(lanes.claim, unwanted=give_back)
        self.release = Kind(lanes.release, then=lambda calls, _: fresh.released(calls))
        self.hasten = Kind(lanes.hasten)
        self.renew = Kind(lanes.renew)
        self.set_back = Kind(lanes.set_back)
        self.sweep_history = Kind(settling.sweep_history)
        self.sweep_arrivals = Kind(settling.sweep_arrivals)
        self.hold = Kind(queue.hold)
        self.unhold = Kind(queue.unhold)
        self.hurry = Kind(queue.hurry)
        self.delete = Kind(partial(settling.delete, keeps_history=keeps_history))
