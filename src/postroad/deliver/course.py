"""Where one delivery is to go, from what is known now. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from postroad.deliver.ways import Way
from postroad.pace import Health
from postroad.routing import Plan, Route, throw
from postroad.spool import Parcel
from postroad.words.names import Address
from postroad.words.trail import Target

_DICE = Random()  # seeded before each throw: making one anew takes as long as all the rest of it


@dataclass(frozen=True, slots=True)
class Course:
    """The targets in the order drawn: first those that are well, then the unhealthy ones."""

    way: Way
    turn: int = 0
    well: tuple[Target, ...] = ()
    ill: tuple[Target, ...] = ()

    @property
    def first(self) -> Address | None:
        """The address that is asked first; None if no host is asked."""
        return self.well[0].address if self.well else None

    @property
    def is_blocked(self) -> bool:
        """Whether all hosts are unhealthy: mail need not find that out once more."""
        return not self.well and bool(self.ill)

    def arranged(self, health: Health, now: float) -> Course:
        """The same with unhealthy hosts last."""
        if not health:
            return self
        well, ill = health.arrange((*self.well, *self.ill), now)
        return replace(self, well=well, ill=ill)

    @property
    def plan(self) -> Plan:
        """All of them."""
        return Plan((*self.well, *self.ill))


def draw_seed(parcel: Parcel) -> int:
    """The seed of this attempt's draw: recorded, and another one for each attempt."""
    return parcel.mail.seed + parcel.attempts


def draw_course(parcel: Parcel, way: Way, route: Route, turn: int) -> Course:
    """The order drawn for this attempt, from the message's own seed."""
    _DICE.seed(draw_seed(parcel))
    return Course(way, turn, way.plan(route, turn, throw(route, way.policy, _DICE)).targets)
