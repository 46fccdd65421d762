"""The order of hosts for one delivery, from what is known now. Pure."""

from __future__ import annotations

from dataclasses import replace

from postroad.deliver.route_cache import DeliveryRoute
from postroad.pace import Health
from postroad.routing import Dice, Plan, Route, throw
from postroad.spool import Parcel
from postroad.tls import wished
from postroad.words.light import light
from postroad.words.mail import Envelope, TlsWish
from postroad.words.trail import Target

NOBODY = Plan(())


@light(frozen=True, slots=True)
class AttemptOrder:
    """The targets in the order drawn: first those that are healthy, then the unhealthy ones."""

    way: DeliveryRoute
    turn: int = 0
    plan: Plan = NOBODY
    unhealthy: tuple[Target, ...] = ()  # the last ones of the plan
    first: str | None = None  # where the address is that is asked first; None if no host is asked
    seed: int = 0  # of the draw

    @property
    def healthy(self) -> tuple[Target, ...]:
        """Those that are asked first."""
        return self.plan.targets[: len(self.plan.targets) - len(self.unhealthy)]

    @property
    def is_blocked(self) -> bool:
        """Whether all hosts are unhealthy: mail need not find that out once more."""
        return bool(self.unhealthy) and len(self.unhealthy) == len(self.plan.targets)

    def arranged(self, health: Health, now: float) -> AttemptOrder:
        """The same with unhealthy hosts last."""
        if not health.is_any_unhealthy:
            return self
        healthy, unhealthy = health.arrange(self.plan.targets, now)
        first = healthy[0].where if healthy else None
        return replace(self, plan=Plan((*healthy, *unhealthy)), unhealthy=unhealthy, first=first)


def draw_seed(parcel: Parcel) -> int:
    """The seed of this attempt's draw: recorded, and another one for each attempt."""
    return parcel.mail.seed + parcel.attempts


def draw_course(parcel: Parcel, way: DeliveryRoute, route: Route, turn: int) -> AttemptOrder:
    """The order drawn for this attempt, from the message's own seed."""
    seed = draw_seed(parcel)
    plan = way.plan(route, turn, throw(route, way.policy, Dice(seed)))
    if parcel.mail.envelope.tls:
        plan = plan_for(parcel.mail.envelope, plan)
    return AttemptOrder(way, turn, plan, first=plan.targets[0].where if plan.targets else None, seed=seed)


def plan_for(envelope: Envelope, plan: Plan) -> Plan:
    """The same order, with what connections have to be by the wish of the message's sender (RFC 8689).

    Never kept with the route: the next message over it has its own. A bounce goes on as the domain asks, so that it
    arrives (RFC 8689 section 4.2.1 excepts it).
    """
    wish = envelope.tls
    if wish is None or (wish is TlsWish.REQUIRED and not envelope.must_be_protected):
        return plan
    targets = [replace(each, demand=wished(each.demand, wish, each.exchange)) for each in plan.targets]
    return replace(plan, targets=tuple(targets))
