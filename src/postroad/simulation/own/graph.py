"""Everything an attempt of ours can lead to: each order that `routing` may draw, walked by `routing.Walk`.

A plan is drawn while it is walked: where the walk needs the next host, it forks. Hosts that behave alike are drawn as
one with their number, and walks that stand alike go on as one: so a hundred equals have a few thousand ways to stand,
not a hundred factorial orders.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from postroad.routing import EqualsPolicy, Exchanger, Filling, RoutePolicy, Try, Verdict
from postroad.simulation.own.hosts import AddressOrder, Class, DrawnTurn
from postroad.simulation.own.rehearsal import Going, Rehearsal, Undrawn
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Phase, Result
from postroad.words.trail import Contact, Target

T = TypeVar("T")
Left = tuple[tuple[int, ...], ...]
"""How many hosts of each class are still to be drawn, level by level."""

LEG = 10
"""As many contacts take the time that another leg does."""


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """How our own sender is set up, as far as it decides where mail goes."""

    policy: RoutePolicy
    rehearsal: Rehearsal
    recipients: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """An attempt that needs the next host drawn: how it came here first, its plan so far, and the level it is at."""

    number: int  # one for each way to stand
    going: Going
    filling: Filling
    level: int


@dataclass(frozen=True, slots=True)
class Spot:
    """An address of a host of a class: its place in a row."""

    hosts: Class
    row: AddressOrder
    place: int


@dataclass(frozen=True, slots=True)
class DrawnTarget(Target):
    """A target that stands for all of its kind."""

    kind: Hashable = None
    spot: Spot | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """What follows when a host is drawn, until the next one is needed or the attempt ends with `outcomes`."""

    took_s: float
    contacts: int
    then: Stand | None
    outcomes: tuple[Outcome, ...] = ()
    taken_by: Spot | None = None
    trail: tuple[Contact, ...] = ()


class Graph:
    """Ways to stand, and the legs between them, as far as somebody went there.

    `merges`: attempts that stand alike go on as one; then the names in their trails mean nothing.
    """

    def __init__(self, draw: DrawnTurn, tangled: frozenset[Address], terms: OwnTerms, *, merges: bool) -> None:
        self.levels = draw.levels
        self.in_order = terms.policy.equals is EqualsPolicy.GIVEN
        self.is_tangled = bool(tangled)
        self._draw = draw
        self._tangled = tangled
        self._terms = terms
        self._merges = merges
        self._stands: dict[Hashable, Stand] = {}
        self._legs: dict[Hashable, Leg] = {}
        self._drawn = 0
        self._refuses = any(host.demand.missed for level in draw.route.levels for host in level.exchangers)
        self.work = 0
        """What has been gone through: contacts, and as many again for each leg as it takes longer."""

    def start(self) -> Stand:
        """Nobody is drawn."""
        going = self._terms.rehearsal.begin((Undrawn.of(self._draw.route, 0),), self._terms.recipients)
        self._terms.rehearsal.go(going)
        return self._stand(going, Filling(self._draw.route, self._terms.policy), 0)

    def leg(self, stand: Stand, number: int, row: int, left: Left) -> Leg:
        """What follows when a host of this class is drawn, with its addresses in this order; `left` are the others."""
        rest: Hashable = left if self._tangled else any(left[stand.level])
        key = stand.number, stand.level, number, row, rest
        leg = self._legs.get(key)
        if leg is None:
            leg = self._go(stand, self.levels[stand.level][number], row, left)
            if self._merges:
                self._legs[key] = leg
        return leg

    def takes(self, hosts: Class) -> bool:
        """Whether these take the message as soon as they are asked."""
        host = hosts.rows[0].host
        return self._terms.rehearsal.takes(host.addresses[0], host.demand)

    def to_the_end(self, stand: Stand, plan: Iterable[tuple[int, Class, AddressOrder]]) -> Leg:
        """What follows when the hosts left are drawn in this order: the level, class and row of each."""
        filling, targets = stand.filling.fork(), list[Target]()
        for level, hosts, row in plan:
            if self._has_place_for(filling, level, hosts):
                targets += self._targets(filling, level, hosts, row)
        going = stand.going.fork(tuple(targets))
        return self._leg(stand, going, self._terms.rehearsal.go(going))

    def _go(self, stand: Stand, hosts: Class, number: int, left: Left) -> Leg:
        filling = stand.filling.fork()
        targets = self._targets(filling, stand.level, hosts, hosts.rows[number])
        level = next_level(left, self.levels, partial(self._has_place_for, filling), stand.level)
        undrawn = () if level is None else (Undrawn.of(self._draw.route, level),)
        going = stand.going.fork((*targets, *undrawn))
        step = self._terms.rehearsal.go(going)
        return self._leg(stand, going, step, None if level is None else (filling, level))

    def _targets(self, filling: Filling, level: int, hosts: Class, row: AddressOrder) -> tuple[Target, ...]:
        targets: tuple[Target, ...] = filling.add(self._preference(level), self._one_more(row.host))
        return tuple(self._drawn_as(target, hosts, row) for target in targets) if self._merges else targets

    def _leg(self, stand: Stand, going: Going, step: Try | Verdict, further: tuple[Filling, int] | None = None) -> Leg:
        """The way of an attempt until here; `further` is what the next host is drawn with."""
        took_s, trail = going.now - stand.going.now, going.walk.contacts
        made = self._count(trail) - self._count(stand.going.walk.contacts) + 1
        self.work += LEG + made
        if isinstance(step, Verdict) or further is None:
            outcomes = step.outcomes if isinstance(step, Verdict) else ()
            taker = taken_last(trail)
            taken_by = taker.spot if isinstance(taker, DrawnTarget) else None
            return Leg(took_s, made, None, outcomes, taken_by, () if self._merges else trail)
        return Leg(took_s, made - 1, self._stand(going, *further))

    def _count(self, trail: Sequence[Contact]) -> int:
        return len(asked(trail)) if self._refuses else len(trail)

    def _one_more(self, host: Exchanger) -> Exchanger:
        """A host of a class: where one stands for many, it gets a name of its own for each time it is drawn."""
        if not self._merges or host.addresses[0] in self._tangled:
            return host
        self._drawn += 1
        return replace(host, name=str(self._drawn), port=self._drawn)

    def _drawn_as(self, target: Target, hosts: Class, row: AddressOrder) -> DrawnTarget:
        """Also which host it is, where it may still take the message after others were drawn."""
        spot = Spot(hosts, row, row.host.addresses.index(target.address))
        kind = self._terms.rehearsal.kind(target.address, target.demand)
        if not self._terms.rehearsal.is_silent(target.address):
            kind = kind, spot
        return DrawnTarget(
            target.exchange, target.address, target.preference, target.port, target.demand, kind=kind, spot=spot
        )

    def _has_place_for(self, filling: Filling, level: int, hosts: Class) -> bool:
        host = hosts.rows[0].host
        fresh = host if host.addresses[0] in self._tangled else replace(host, port=0)
        return filling.has_place_for(self._preference(level), fresh)

    def _stand(self, going: Going, filling: Filling, level: int) -> Stand:
        key: Hashable = len(self._stands)
        if self._merges:
            key = going.walk.standing(going.now, _kind), filling.standing(self._tangled), level
        return self._stands.setdefault(key, Stand(len(self._stands), going, filling, level))

    def _preference(self, level: int) -> int:
        return self._draw.route.levels[level].preference


def next_level(
    left: Left, levels: Sequence[Sequence[T]], has_place_for: Callable[[int, T], bool], level: int
) -> int | None:
    """The level of which a host may still come into the plan, from this one on."""
    for number in range(level, len(left)):
        if any(has_place_for(number, each) for count, each in zip(left[number], levels[number], strict=True) if count):
            return number
    return None


def asked(trail: Iterable[Contact]) -> tuple[Contact, ...]:
    """The contacts that were made: of those refused for what they cannot prove nobody hears."""
    return tuple(contact for contact in trail if contact.phase is not Phase.POLICY)


def taken_last(trail: Sequence[Contact]) -> Target | None:
    """Who took the message of somebody, of several the last."""
    took = (each.target for each in reversed(trail) if any(map(_is_delivered, each.recipients.values())))
    return next(took, None)


def _is_delivered(outcome: Outcome) -> bool:
    return outcome.result is Result.DELIVERED


def _kind(target: Target) -> Hashable:
    return target.kind if isinstance(target, DrawnTarget) else None
