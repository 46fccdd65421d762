"""The order in which a route's addresses are tried: exact odds, and a seeded draw that follows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, chain, repeat

from postroad.routing.dice import Chance
from postroad.routing.policy import Equals, RoutePolicy
from postroad.routing.rules import Dropped, DropReason, Exchanger, Route
from postroad.words.names import Address
from postroad.words.trail import Target

Throw = tuple[tuple[int, ...], ...]
"""What chance decides of a draw."""


@dataclass(frozen=True, slots=True)
class Odds:
    """The chance of being the first contact: of each exchanger, and of each address of each exchanger.

    Both sum to one. An address that stands behind several names has a share under each of them.
    """

    hosts: Mapping[str, Fraction]
    addresses: Mapping[tuple[str, Address], Fraction]


@dataclass(frozen=True, slots=True)
class Plan:
    """One drawn order: the addresses an attempt tries, each once, and what the draw left out. Frozen from then on."""

    targets: tuple[Target, ...]
    dropped: tuple[Dropped, ...] = ()


def odds(route: Route, policy: RoutePolicy) -> Odds:
    """Exact chances of the first contact, as fractions (RFC 5321 section 5.1).

    Only the lowest preference can be first; among its exchangers all are equal but for their weight, or the first in
    DNS order takes all. Within one, the address that the resolver gave first is first.
    """
    best = route.levels[0].exchangers
    total = sum(each.weight for each in best)
    chances = [Fraction(each.weight, total) for each in best]
    if policy.equals is Equals.GIVEN:
        chances = [Fraction(1)] + [Fraction(0)] * (len(best) - 1)
    hosts: dict[str, Fraction] = {}
    addresses: dict[tuple[str, Address], Fraction] = {}
    exchangers = (exchanger for level in route.levels for exchanger in level.exchangers)
    for each, chance in zip(exchangers, chain(chances, repeat(Fraction(0))), strict=False):
        # added up, not set: a static route may name a host twice, with two ports
        hosts[each.name] = hosts.get(each.name, Fraction(0)) + chance
        for place, address in enumerate(each.addresses):
            share = chance if place == 0 else Fraction(0)
            addresses[each.name, address] = addresses.get((each.name, address), Fraction(0)) + share
    return Odds(hosts, addresses)


def draw(route: Route, policy: RoutePolicy, rng: Chance) -> Plan:
    """Draw one order: levels by preference, equals by the policy, addresses as the resolver gave them.

    The same route, policy and state of `rng` give the same order, on every machine.
    """
    return plan_of(route, policy, throw(route, policy, rng))


def throw(route: Route, policy: RoutePolicy, rng: Chance) -> Throw:
    """The part of a draw that chance decides: for each level the places of its exchangers, taken in order of name."""
    if policy.equals is not Equals.RANDOM:
        return tuple(tuple(range(len(level.exchangers))) for level in route.levels)
    thrown = []
    for level in route.levels:
        thrown.append((0,) if len(level.exchangers) == 1 else _thrown(level.exchangers, rng))  # noqa: PERF401  # fewer calls
    return tuple(thrown)


def plan_of(route: Route, policy: RoutePolicy, thrown: Throw) -> Plan:
    """The order that a throw of this route means."""
    drawn = [
        Target(each.name, address, level.preference, each.port)
        for level, places in zip(route.levels, thrown, strict=True)
        for each in _placed(level.exchangers, policy, places)
        for address in each.addresses
    ]
    targets, duplicates = _once_each(drawn)
    kept, cut = _limit(targets, policy.limit)
    return Plan(kept, (*duplicates, *cut))


def _placed(exchangers: Sequence[Exchanger], policy: RoutePolicy, places: Sequence[int]) -> list[Exchanger]:
    ranked = _ranked(exchangers) if policy.equals is Equals.RANDOM else exchangers
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


def _once_each(drawn: list[Target]) -> tuple[list[Target], list[Dropped]]:
    seen: dict[tuple[Address, int | None], Target] = {}
    duplicates = []
    for target in drawn:
        first = seen.setdefault((target.address, target.port), target)
        if first is not target:
            text = f"the same address as {first.exchange}, which comes before it in this order"
            duplicates.append(_dropped(target, DropReason.DUPLICATE_ADDRESS, text))
    return list(seen.values()), duplicates


def _limit(targets: list[Target], limit: int | None) -> tuple[tuple[Target, ...], list[Dropped]]:
    """Cut to the limit, but reach each preference once: a limit spent on one level would make its backups useless."""
    if limit is None or len(targets) <= limit:
        return tuple(targets), []
    firsts = {target.preference: target for target in reversed(targets)}
    room = limit - len(firsts)
    kept, cut = [], []
    for target in targets:
        is_first = firsts[target.preference] is target
        if is_first or room > 0:
            kept.append(target)
            room -= not is_first
        else:
            cut.append(_dropped(target, DropReason.LIMIT, f"beyond the limit of {limit} addresses in an attempt"))
    return tuple(kept), cut


def _dropped(target: Target, reason: DropReason, text: str) -> Dropped:
    return Dropped(target.exchange, target.address, target.preference, reason, text)
