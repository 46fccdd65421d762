"""How many contacts at once: those that cost work, and, counted separately, those that only wait. Pure.

A contact that waits for a connection or a greeting costs a socket and next to no work, and one with a host that drips
costs little more; counted with the others, a few hundred tar pits would stop all mail. So a contact is busy while it is
young, and again when its host greets; once it is old it counts apart. Hosts that have not proved themselves may not
use all of what there is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum, auto

APART = 4
"""For each contact that may be busy, so many that wait for a greeting, and so many slow sessions."""

KEPT = 5
"""One in so many places is kept for hosts that have proved themselves."""


class Stage(Enum):
    """The stage of a contact, by which it is counted."""

    __hash__ = object.__hash__

    YOUNG = auto()  # begun a moment ago
    WAITING = auto()  # still without a greeting
    BRISK = auto()  # greeted a moment ago
    SLOW = auto()


# How long a contact stays, in seconds, and what it is then. A host near us greets within the first; under load a
# whole session lasts milliseconds.
AGES = {Stage.YOUNG: (0.05, Stage.WAITING), Stage.BRISK: (1.0, Stage.SLOW)}


class Places:
    """The limit on contacts at the same time.

    `concurrency` contacts may be busy at once; where many hosts greet together, a few more.
    """

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._stages: dict[Hashable, Stage] = {}
        self._lines: dict[Stage, OrderedDict[Hashable, float]] = {stage: OrderedDict() for stage in Stage}

    def __len__(self) -> int:
        return len(self._stages)

    def has_room(self, *, proved: bool) -> bool:
        """Whether another contact may begin, with a host that has proved itself or one that has not."""
        most = self.concurrency if proved else max(1, self.concurrency - self.concurrency // KEPT)
        lines = self._lines
        busy = len(lines[Stage.YOUNG]) + len(lines[Stage.BRISK])
        return busy < most and len(lines[Stage.WAITING]) < most * APART

    def begin(self, contact: Hashable, now: float, stage: Stage = Stage.YOUNG) -> None:
        """A contact is begun; over a connection that is there already it is brisk at once."""
        self._stages[contact] = stage
        self._lines[stage][contact] = now

    def greeted(self, contact: Hashable, now: float) -> bool:
        """Its host has greeted. Whether it had kept it so long that it counted apart."""
        stage = self._stages.get(contact)
        if stage is None:
            return False
        del self._lines[stage][contact]
        self._stages[contact] = Stage.BRISK
        self._lines[Stage.BRISK][contact] = now
        return stage is Stage.WAITING or stage is Stage.SLOW

    def end(self, contact: Hashable) -> bool:
        """It is over. Whether its host has kept it so long that it counted apart."""
        stage = self._stages.pop(contact)
        del self._lines[stage][contact]
        return stage is Stage.WAITING or stage is Stage.SLOW

    def age(self, now: float) -> tuple[tuple[Hashable, ...], float | None]:
        """Let contacts grow old; which have, and when to ask again (None: nobody will)."""
        aged: list[Hashable] = []
        again: list[float] = []
        for stage, (lasts_s, after) in AGES.items():
            line, apart = self._lines[stage], self._lines[after]
            while line and len(apart) < self.concurrency * APART:
                contact, since = next(iter(line.items()))
                if now < since + lasts_s:
                    again.append(since + lasts_s)
                    break
                self.end(contact)
                self.begin(contact, since, after)
                aged.append(contact)
        return tuple(aged), min(again, default=None)
