"""The hosts of a route as the draw knows them: those that a walk cannot tell apart are one class with a count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import factorial, prod
from random import Random

from postroad.routing import Exchanger, Route, turned, turns_of
from postroad.simulation.case import DnsOrder
from postroad.simulation.own.rehearsal import Rehearsal
from postroad.words.names import Address
from postroad.words.tls import Demand

MOST_TURNS = 720  # of a route: beyond, so many of them stand for all
MOST_ROWS = 720  # orders of the addresses of one host, likewise, and of all hosts of one preference together
LEAST_ROWS = 12

Kind = Callable[[Address, Demand], Hashable]
Places = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class AddressOrder:
    """One order of a host's addresses, as far as it can be told from others, and in how many ways it comes about.

    `host` is a host with it. `places` are, for each of its addresses, the ones that may stand there, each as likely:
    numbers of addresses in `Class.members`.
    """

    host: Exchanger
    number: int
    places: Places


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """Hosts of one preference that are alike, and the orders their addresses come in.

    `members` are as many times all of them as turns of the route are taken together: `count` says how many there are.
    """

    members: tuple[Exchanger, ...]
    rows: tuple[AddressOrder, ...]
    count: int
    ways: int = 1  # in which the addresses of one of them come


Levels = tuple[tuple[Class, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnTurn:
    """A turn of a route, or several that differ in names alone: its classes by level, and its chance."""

    route: Route
    levels: Levels
    chance: Fraction


@dataclass(frozen=True, slots=True)
class Draws:
    """All turns of a route. `tangled` are the addresses of hosts that share one with another.

    `sampled`: a part of too many stands for all.
    """

    draws: tuple[DrawnTurn, ...]
    tangled: frozenset[Address]
    sampled: bool = False


def draws_of(
    route: Route, rehearsal: Rehearsal, order: DnsOrder, *, limit: int | None, turns: bool, alike: bool
) -> Draws:
    """What chance decides of before hosts are drawn: the turn of the route, or whose addresses come in which order.

    The sets of a route turn in step (`routing.turned`), unless they came to us each in an order of its own. Without
    `alike` each host is a class of its own.
    """
    tangled = _tangled(route)
    if order in (DnsOrder.ROTATE_APART, DnsOrder.RANDOM) and turns:
        rows = _Rows(rehearsal.kind, tangled, order, alike=alike)
        levels = tuple(rows.level(level.exchangers) for level in route.levels)
        return Draws((DrawnTurn(route, levels, Fraction(1)),), tangled, rows.sampled)
    count = turns_of(route) if turns else 1
    used = range(count) if count <= MOST_TURNS else [step * count // MOST_TURNS for step in range(MOST_TURNS)]
    kinds = _Kinds(route, rehearsal, tangled, limit, alike=alike)
    merged: dict[Hashable, list[_Turn]] = defaultdict(list)
    for turn in used:
        found = _Turn.of(turned(route, turn), kinds)
        merged[found.sign if alike else turn].append(found)
    return Draws(tuple(_together(each, len(used)) for each in merged.values()), tangled, len(used) < count)


def _tangled(route: Route) -> frozenset[Address]:
    hosts = [each for level in route.levels for each in level.exchangers]
    counts = Counter(address for each in hosts for address in each.addresses)
    if len(counts) == counts.total():
        return frozenset()
    tangled = (each for each in hosts if any(counts[address] > 1 for address in each.addresses))
    return frozenset(address for each in tangled for address in each.addresses)


class _Kinds:
    """Which hosts of a route are alike: addresses are known by who they are, for to compare them takes too long."""

    def __init__(
        self, route: Route, rehearsal: Rehearsal, tangled: frozenset[Address], limit: int | None, *, alike: bool
    ) -> None:
        hosts = [host for level in route.levels for host in level.exchangers]
        every = [(each, host.demand) for host in hosts for each in host.addresses]
        self._kind = {id(each): rehearsal.kind(each, demand) for each, demand in every}
        self._calm = {id(each): rehearsal.kind_where_another_takes_it(each, demand) for each, demand in every}
        self._takes = {id(each) for each, demand in every if rehearsal.takes(each, demand)}
        self._tangled = tangled
        self._is_limited = limit is not None and len(every) > limit
        self._alike = alike

    def of(self, hosts: Sequence[Exchanger]) -> Iterator[tuple[Hashable, Exchanger]]:
        """The hosts of one preference, each with its kind."""
        is_taken = any(self._is_alone(host) and id(host.addresses[0]) in self._takes for host in hosts)
        for host in hosts:
            if not self._alike or (self._tangled and host.addresses[0] in self._tangled):
                yield host, host
            elif is_taken and self._is_alone(host):
                yield self._calm[id(host.addresses[0])], host
            else:
                yield tuple([self._kind[id(address)] for address in host.addresses]), host

    def _is_alone(self, host: Exchanger) -> bool:
        """Whether it has one address, that surely has its turn."""
        return len(host.addresses) == 1 and not self._is_limited and host.addresses[0] not in self._tangled


@dataclass(frozen=True, slots=True)
class _Turn:
    route: Route
    levels: tuple[Mapping[Hashable, list[Exchanger]], ...]

    @classmethod
    def of(cls, route: Route, kinds: _Kinds) -> _Turn:
        levels = []
        for level in route.levels:
            classes: dict[Hashable, list[Exchanger]] = defaultdict(list)
            for kind, host in kinds.of(level.exchangers):
                classes[kind].append(host)
            levels.append(classes)
        return cls(route, tuple(levels))

    @property
    def sign(self) -> Hashable:
        """Turns with the same sign differ in names alone."""
        return tuple(frozenset((key, len(hosts)) for key, hosts in level.items()) for level in self.levels)


def _together(turns: Sequence[_Turn], of: int) -> DrawnTurn:
    levels = []
    for level, classes in enumerate(turns[0].levels):
        found = []
        for key, hosts in classes.items():
            row = AddressOrder(hosts[0], 1, tuple((place,) for place in range(len(hosts[0].addresses))))
            members = tuple(host for turn in turns for host in turn.levels[level][key])
            found.append(Class(members, (row,), len(hosts)))
        levels.append(tuple(found))
    return DrawnTurn(turns[0].route, tuple(levels), Fraction(len(turns), of))


class _Rows:
    """Classes of hosts whose addresses come in orders of their own, each family by itself."""

    def __init__(self, kind: Kind, tangled: frozenset[Address], order: DnsOrder, *, alike: bool) -> None:
        self._kind = kind
        self._tangled = tangled
        self._order = order
        self._alike = alike
        self._part = MOST_ROWS
        self.sampled = False

    def level(self, hosts: Sequence[Exchanger]) -> tuple[Class, ...]:
        """The classes of one preference."""
        classes: dict[Hashable, list[Exchanger]] = defaultdict(list)
        for host in hosts:
            if not self._alike or host.addresses[0] in self._tangled:
                classes[host.name].append(host)
                continue
            canonical = self._canonical(host)
            kinds = (self._full_kind(address, host.demand) for address in canonical.addresses)
            classes[tuple(kinds)].append(canonical)
        self._part = max(MOST_ROWS // len(classes), LEAST_ROWS)
        return tuple(self._class(found) for found in classes.values())

    def _class(self, hosts: list[Exchanger]) -> Class:
        rows = self._rows(hosts[0])
        return Class(tuple(hosts), rows, len(hosts), sum(row.number for row in rows))

    def _full_kind(self, address: Address, demand: Demand) -> Hashable:
        plain = None if self._alike and address not in self._tangled else address
        return address.version, self._kind(address, demand), plain

    def _canonical(self, host: Exchanger) -> Exchanger:
        """Any order is as good as another: one that hosts alike have in common."""
        families = {}
        for version in (4, 6):
            own = [address for address in host.addresses if address.version == version]
            if self._order is DnsOrder.RANDOM:
                families[version] = sorted(own, key=lambda address: repr(self._full_kind(address, host.demand)))
            else:
                starts = (own[start:] + own[:start] for start in range(max(len(own), 1)))
                families[version] = min(
                    starts, key=lambda each: repr([self._full_kind(address, host.demand) for address in each])
                )
        left = {version: iter(family) for version, family in families.items()}
        return replace(host, addresses=tuple(next(left[address.version]) for address in host.addresses))

    def _rows(self, host: Exchanger) -> tuple[AddressOrder, ...]:
        found: dict[Hashable, list[tuple[int, ...]]] = defaultdict(list)
        for order in self._orders(host):
            found[tuple(self._full_kind(host.addresses[place], host.demand) for place in order)].append(order)
        alike = self._of_one_kind(host) if self._order is DnsOrder.RANDOM else None
        rows = []
        for orders in found.values():
            ordered = replace(host, addresses=tuple(host.addresses[place] for place in orders[0]))
            places = tuple(alike[place] for place in orders[0]) if alike else tuple(zip(*orders, strict=True))
            rows.append(AddressOrder(ordered, len(orders), places))
        return tuple(rows)

    def _of_one_kind(self, host: Exchanger) -> tuple[tuple[int, ...], ...]:
        kinds = [self._full_kind(address, host.demand) for address in host.addresses]
        return tuple(tuple(place for place, other in enumerate(kinds) if other == kind) for kind in kinds)

    def _orders(self, host: Exchanger) -> Iterator[tuple[int, ...]]:
        """Orders of the addresses, by their numbers, each as likely."""
        versions = [address.version for address in host.addresses]
        families = {version: [place for place, one in enumerate(versions) if one == version] for version in (4, 6)}
        for v4, v6 in self._of_families(host, families[4], families[6]):
            left = {4: iter(v4), 6: iter(v6)}
            yield tuple(next(left[version]) for version in versions)

    def _of_families(self, host: Exchanger, v4: list[int], v6: list[int]) -> Iterator[tuple[list[int], list[int]]]:
        many = prod(self._count(host, family) for family in (v4, v6))
        if many > MOST_ROWS:
            self.sampled = True
            dice = Random(0)  # the same part of them every time
            yield from ((dice.sample(v4, len(v4)), dice.sample(v6, len(v6))) for _each in range(self._part))
            return
        yield from product(self._of_family(host, v4), self._of_family(host, v6))

    def _count(self, host: Exchanger, family: list[int]) -> int:
        if self._order is not DnsOrder.RANDOM:
            return max(len(family), 1)
        kinds = Counter(self._full_kind(host.addresses[place], host.demand) for place in family)
        return factorial(len(family)) // prod(map(factorial, kinds.values()))

    def _of_family(self, host: Exchanger, family: list[int]) -> Iterator[list[int]]:
        if self._order is DnsOrder.RANDOM:
            kinds: dict[Hashable, list[int]] = defaultdict(list)
            for place in family:
                kinds[self._full_kind(host.addresses[place], host.demand)].append(place)
            yield from _arrangements([list(places) for places in kinds.values()])
        else:
            yield from (family[start:] + family[:start] for start in range(max(len(family), 1)))


def _arrangements(kinds: list[list[int]]) -> Iterator[list[int]]:
    """Every order of these, those of one kind always in their own."""
    if not any(kinds):
        yield []
    for place, kind in enumerate(kinds):
        if kind:
            rest = [*kinds[:place], kind[1:], *kinds[place + 1 :]]
            yield from ([kind[0], *more] for more in _arrangements(rest))
