"""The order in which a route's addresses are tried: exact odds, and a seeded draw that follows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, chain, repeat
from random import Random

from postroad.routing.policy import Equals, RoutePolicy
from postroad.routing.rules import Dropped, DropReason, Exchanger, Level, Route
from postroad.words.names import Address
from postroad.words.trail import Target


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


def draw(route: Route, policy: RoutePolicy, rng: Random) -> Plan:
    """Draw one order: levels by preference, equals by the policy, addresses as the resolver gave them.

    The same route, policy and state of `rng` give the same order, on every machine.
    """
    drawn = [target for level in route.levels for target in _targets(level, policy, rng)]
    targets, duplicates = _once_each(drawn)
    kept, cut = _limit(targets, policy.limit)
    return Plan(kept, (*duplicates, *cut))


def _targets(level: Level, policy: RoutePolicy, rng: Random) -> list[Target]:
    exchangers = list(level.exchangers)
    if policy.equals is Equals.RANDOM:
        # The seed alone decides, whatever order DNS had today
        exchangers.sort(key=lambda exchanger: (exchanger.name, exchanger.port or 0))
        if len({exchanger.weight for exchanger in exchangers}) == 1:
            _shuffle(exchangers, rng)
        else:
            exchangers = _weighted(exchangers, rng)
    return [
        Target(each.name, address, level.preference, each.port) for each in exchangers for address in each.addresses
    ]


def _shuffle(exchangers: list[Exchanger], rng: Random) -> None:
    """Fisher and Yates by `randrange`, spelt out so that a recorded seed replays under any Python version."""
    for last in range(len(exchangers) - 1, 0, -1):
        chosen = rng.randrange(last + 1)
        exchangers[last], exchangers[chosen] = exchangers[chosen], exchangers[last]


def _weighted(exchangers: list[Exchanger], rng: Random) -> list[Exchanger]:
    """One after the other, each with the chance of its weight among those not yet drawn (RFC 2782 does so for SRV)."""
    left, drawn = list(exchangers), []
    while left:
        point = rng.randrange(sum(each.weight for each in left))
        reached = accumulate(each.weight for each in left)
        drawn.append(left.pop(next(place for place, until in enumerate(reached) if point < until)))
    return drawn


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
