"""The order in which a route's addresses are tried: exact odds, and a seeded draw that follows them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from postroad.routing.dice import Chance
from postroad.routing.policy import EqualsPolicy, RoutePolicy
from postroad.routing.rules import Dropped, DropReason, Exchanger, Route
from postroad.words.names import Address
from postroad.words.tls import Demand
from postroad.words.trail import Target

Throw = tuple[tuple[int, ...], ...]
"""What chance decides of a draw."""


@dataclass(frozen=True, slots=True)
class Odds:
    """The exact chance of each exchanger and address to be contacted first.

    Both sum to one. An address that stands behind several names has a share under each of them.
    """

    hosts: Mapping[str, Fraction]
    addresses: Mapping[tuple[str, Address], Fraction]


@dataclass(frozen=True, slots=True)
class Plan:
    """One drawn order of addresses, each once, frozen for an attempt, and what the draw left out."""

    targets: tuple[Target, ...]
    dropped: tuple[Dropped, ...] = ()


def odds(route: Route, policy: RoutePolicy) -> Odds:
    """Exact chances of the first contact, as fractions (RFC 5321 section 5.1).

    Only the lowest preference can be first; among its exchangers all are equal but for their weight, or the first in
    DNS order takes all. Within one, the address that the resolver gave first is first. Exchangers that cannot prove
    what is demanded are passed over without a contact.
    """
    best = _first_asked(route)
    total = sum(each.weight for each in best)
    chances = {each: Fraction(each.weight, total) for each in best}
    if policy.equals is EqualsPolicy.GIVEN:
        chances = {each: Fraction(1) for each in best[:1]}
    hosts: dict[str, Fraction] = {}
    addresses: dict[tuple[str, Address], Fraction] = {}
    for each in (exchanger for level in route.levels for exchanger in level.exchangers):
        chance = chances.pop(each, Fraction(0))  # once: a worse preference cannot be first
        # added up, not set: a static route may name a host twice, with two ports
        hosts[each.name] = hosts.get(each.name, Fraction(0)) + chance
        for place, address in enumerate(each.addresses):
            share = chance if place == 0 else Fraction(0)
            addresses[each.name, address] = addresses.get((each.name, address), Fraction(0)) + share
    return Odds(hosts, addresses)


def _first_asked(route: Route) -> tuple[Exchanger, ...]:
    """The exchangers of the lowest preference that has any who can prove what is demanded."""
    levels = (tuple(each for each in level.exchangers if not each.demand.missed) for level in route.levels)
    return next(filter(None, levels), ())


def draw(route: Route, policy: RoutePolicy, rng: Chance) -> Plan:
    """Draw one order: levels by preference, equals by the policy, addresses as the resolver gave them.

    The same route, policy and state of `rng` give the same order, on every machine.
    """
    return plan_of(route, policy, throw(route, policy, rng))


def throw(route: Route, policy: RoutePolicy, rng: Chance) -> Throw:
    """The part of a draw that chance decides: for each level the places of its exchangers, taken in order of name."""
    if policy.equals is not EqualsPolicy.RANDOM:
        return tuple(tuple(range(len(level.exchangers))) for level in route.levels)
    thrown = []
    for level in route.levels:
        thrown.append((0,) if len(level.exchangers) == 1 else _thrown(level.exchangers, rng))  # noqa: PERF401  # fewer calls
    return tuple(thrown)


def plan_of(route: Route, policy: RoutePolicy, thrown: Throw) -> Plan:
    """The order that a throw of this route means."""
    filling = Filling(route, policy)
    for level, places in zip(route.levels, thrown, strict=True):
        for each in _placed(level.exchangers, policy, places):
            filling.add(level.preference, each)
    return filling.plan


class Filling:
    """A plan in the making: given hosts in the order drawn, it says which of their addresses are tried.

    Each address once; beyond the limit none, but each preference is reached: a limit spent on one level would make its
    backups useless.
    """

    def __init__(self, route: Route, policy: RoutePolicy) -> None:
        self._limit = policy.limit
        self._seen: dict[tuple[Address, int | None, Demand], Target] = {}
        self._reached: set[int] = set()  # preferences of which an address is in the plan
        self._room = _room(route, policy.limit)  # for more than the first address of each; None: for all
        self._targets: list[Target] = []
        self._duplicates: list[Dropped] = []
        self._cut: list[Dropped] = []

    @property
    def plan(self) -> Plan:
        """The plan of the hosts given so far."""
        return Plan(tuple(self._targets), (*self._duplicates, *self._cut))

    def add(self, preference: int, host: Exchanger) -> tuple[Target, ...]:
        """Put the addresses of a host into the plan, as far as they belong there: which do?"""
        kept = []
        for address in host.addresses:
            target = Target(host.name, address, preference, host.port, host.demand)
            first = self._seen.setdefault((address, host.port, host.demand), target)
            if first is not target:
                text = f"the same address as {first.exchange}, which comes before it in this order"
                self._duplicates.append(_dropped(target, DropReason.DUPLICATE_ADDRESS, text))
            elif host.demand.missed or self._takes(preference):
                kept.append(target)
            else:
                text = f"beyond the limit of {self._limit} addresses in an attempt"
                self._cut.append(_dropped(target, DropReason.LIMIT, text))
        self._targets += kept
        return tuple(kept)

    def has_place_for(self, preference: int, host: Exchanger) -> bool:
        """Whether any address of a host would be tried if it came next."""
        is_full = self._room is not None and self._room <= 0 and preference in self._reached
        is_beyond = is_full and not host.demand.missed
        return not is_beyond and any((address, host.port, host.demand) not in self._seen for address in host.addresses)

    def fork(self) -> Filling:
        """Another plan with the same beginning."""
        other = copy(self)
        other._seen, other._reached = dict(self._seen), set(self._reached)  # noqa: SLF001  # its own class
        other._targets, other._duplicates, other._cut = [], [], []  # noqa: SLF001  # as above; the beginning is known
        return other

    def standing(self, shared: frozenset[Address]) -> Hashable:
        """What decides of the hosts to come, where only `shared` addresses stand behind several names."""
        if self._room is None and not shared:
            return None
        seen = frozenset((address, demand) for address, _port, demand in self._seen if shared and address in shared)
        return self._room and max(self._room, 0), frozenset(self._reached), seen

    def _takes(self, preference: int) -> bool:
        if self._room is None:
            return True
        if preference not in self._reached:
            self._reached.add(preference)
            return True
        self._room -= 1
        return self._room >= 0


def _room(route: Route, limit: int | None) -> int | None:
    """How many addresses a plan takes beyond the first of each preference; None if the limit keeps nothing out.

    Those that cannot prove what is demanded need no place: nobody connects to them.
    """
    if limit is None or sum(len(each.addresses) for level in route.levels for each in level.exchangers) <= limit:
        return None
    seen: set[tuple[Address, int | None, Demand]] = set()
    levels = 0
    for level in route.levels:
        known = len(seen)
        asked = (each for each in level.exchangers if not each.demand.missed)
        seen.update((address, each.port, each.demand) for each in asked for address in each.addresses)
        levels += len(seen) > known
    return limit - levels if len(seen) > limit else None


def _placed(exchangers: Sequence[Exchanger], policy: RoutePolicy, places: Sequence[int]) -> list[Exchanger]:
    ranked = _ranked(exchangers) if policy.equals is EqualsPolicy.RANDOM else exchangers
    return [ranked[place] for place in places]


def _ranked(exchangers: Sequence[Exchanger]) -> list[Exchanger]:
    """The seed alone decides, whatever order DNS had today."""
    return sorted(exchangers, key=lambda exchanger: (exchanger.name, exchanger.port or 0))


def _thrown(exchangers: Sequence[Exchanger], rng: Chance) -> tuple[int, ...]:
    weight = exchangers[0].weight
    for each in exchangers:
        if each.weight != weight:
            return _weighted([one.weight for one in _ranked(exchangers)], rng)
    # Fisher and Yates, spelt out so that a recorded seed replays under any Python version
    places = list(range(len(exchangers)))
    for last in range(len(exchangers) - 1, 0, -1):
        chosen = rng.randrange(last + 1)
        places[last], places[chosen] = places[chosen], places[last]
    return tuple(places)


def _weighted(weights: list[int], rng: Chance) -> tuple[int, ...]:
    """One after the other, each with the chance of its weight among those not yet drawn (RFC 2782 does so for SRV)."""
    left, drawn = list(range(len(weights))), []
    while left:
        point = rng.randrange(sum(weights[place] for place in left))
        reached = accumulate(weights[place] for place in left)
        drawn.append(left.pop(next(at for at, until in enumerate(reached) if point < until)))
    return tuple(drawn)


def _dropped(target: Target, reason: DropReason, text: str) -> Dropped:
    return Dropped(target.exchange, target.address, target.preference, reason, text)
