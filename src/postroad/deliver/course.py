"""The order of hosts for one delivery, from what is known now. Pure."""

from __future__ import annotations

from dataclasses import replace

from postroad.deliver.route_cache import DeliveryRoute
from postroad.pace import Health
from postroad.routing import Dice, Plan, Route, throw
from postroad.spool import Parcel
from postroad.words.light import light
from postroad.words.trail import Target

NOBODY = Plan(())


@light(frozen=True, slots=True)
class AttemptOrder:
    """The targets in the order drawn: first those that are healthy, then the unhealthy ones."""

    way: DeliveryRoute
    turn: int = 0
    plan: Plan = NOBODY
    ill: tuple[Target, ...] = ()  # the last ones of the plan
    first: str | None = None  # where the address is that is asked first; None if no host is asked
    seed: int = 0  # of the draw

    @property
    def well(self) -> tuple[Target, ...]:
        """Those that are asked first."""
        return self.plan.targets[: len(self.plan.targets) - len(self.ill)]

    @property
    def is_blocked(self) -> bool:
        """Whether all hosts are unhealthy: mail need not find that out once more."""
        return bool(self.ill) and len(self.ill) == len(self.plan.targets)

    def arranged(self, health: Health, now: float) -> AttemptOrder:
        """The same with unhealthy hosts last."""
        if not health.is_any_ill:
            return self
        well, ill = health.arrange(self.plan.targets, now)
        return replace(self, plan=Plan((*well, *ill)), ill=ill, first=well[0].where if well else None)


def draw_seed(parcel: Parcel) -> int:
    """The seed of this attempt's draw: recorded, and another one for each attempt."""
    return parcel.mail.seed + parcel.attempts


def draw_course(parcel: Parcel, way: DeliveryRoute, route: Route, turn: int) -> AttemptOrder:
    """The order drawn for this attempt, from the message's own seed."""
    seed = draw_seed(parcel)
    plan = way.plan(route, turn, throw(route, way.policy, Dice(seed)))
    return AttemptOrder(way, turn, plan, first=plan.targets[0].where if plan.targets else None, seed=seed)
