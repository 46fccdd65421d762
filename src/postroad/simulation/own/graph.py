"""All that can become of an attempt of ours: each order that `routing` may draw, walked by `routing.Walk`.

A plan is drawn while it is walked: where the walk needs the next host, it forks. Hosts that behave alike are drawn as
one with their number, and walks that stand alike go on as one: so a hundred equals have a few thousand ways to stand,
not a hundred factorial orders.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from postroad.routing import Exchanger, Filling, RoutePolicy, Verdict
from postroad.routing.policy import Equals
from postroad.simulation.own.hosts import Class, Draw, Row
from postroad.simulation.own.rehearsal import Going, Rehearsal, Undrawn
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Result
from postroad.words.trail import Contact, Target

Left = tuple[tuple[int, ...], ...]
"""How many hosts of each class are still to be drawn, level by level."""

_NOBODY = IPv4Address(0)


@dataclass(frozen=True, slots=True)
class Terms:
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
    row: Row
    place: int


@dataclass(frozen=True, slots=True)
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

    def __init__(self, draw: Draw, tangled: frozenset[Address], terms: Terms, *, merges: bool) -> None:
        self.levels = draw.levels
        self._draw = draw
        self._tangled = tangled
        self._terms = terms
        self._merges = merges
        self._in_order = terms.policy.equals is Equals.GIVEN
        self._spots: dict[tuple[str, Address], Spot] = {}
        self._stands: dict[Hashable, Stand] = {}
        self._legs: dict[Hashable, Leg] = {}
        self._drawn = 0

    def start(self) -> tuple[Stand, Left]:
        """Nobody is drawn."""
        going = self._terms.rehearsal.begin((self._undrawn(0),), self._terms.recipients)
        self._terms.rehearsal.go(going)
        left = tuple(tuple(each.count for each in level) for level in self.levels)
        return self._stand(going, Filling(self._draw.route, self._terms.policy), 0), left

    def options(self, stand: Stand, left: Left) -> Iterator[tuple[int, int, Left]]:
        """Who may be drawn next: the number of the class, its part of all that are left, and what is left then."""
        level = stand.level
        for number, count in enumerate(left[level]):
            if count:
                fewer = (*left[level][:number], count - 1, *left[level][number + 1 :])
                part = sum(left[level]) if self._in_order else count
                yield number, part, (*left[:level], fewer, *left[level + 1 :])
                if self._in_order:
                    return

    def leg(self, stand: Stand, number: int, row: int, left: Left) -> Leg:
        """What follows when a host of this class is drawn, with its addresses in this order; `left` are the others."""
        rest = left if self._tangled else tuple([any(level) for level in left[stand.level :]])
        key = stand.number, stand.level, number, row, rest
        leg = self._legs.get(key) if self._merges else None
        if leg is None:
            leg = self._legs[key] = self._go(stand, self.levels[stand.level][number], row, left)
        return leg

    def _go(self, stand: Stand, hosts: Class, number: int, left: Left) -> Leg:
        row, filling, rehearsal = hosts.rows[number], stand.filling.fork(), self._terms.rehearsal
        targets = filling.add(self._preference(stand.level), self._one_more(hosts, row))
        level = self._next_level(filling, stand.level, left)
        going = stand.going.fork(targets if level is None else (*targets, self._undrawn(level)))
        step = rehearsal.go(going)
        took_s, trail = going.now - stand.going.now, going.walk.contacts
        made = len(trail) - len(stand.going.walk.contacts) + 1
        if isinstance(step, Verdict):
            return Leg(took_s, made, None, step.outcomes, self._taken_by(trail), () if self._merges else trail)
        return Leg(took_s, made - 1, self._stand(going, filling, level or 0))

    def _one_more(self, hosts: Class, row: Row) -> Exchanger:
        """A host of this class: where one stands for many, it gets a name of its own for each time it is drawn."""
        host = row.host
        if self._merges and host.addresses[0] not in self._tangled:
            self._drawn += 1
            host = replace(host, name=str(self._drawn), port=self._drawn)
        for address in host.addresses:
            self._spots[host.name, address] = Spot(hosts, row, row.host.addresses.index(address))
        return host

    def _next_level(self, filling: Filling, level: int, left: Left) -> int | None:
        """The level of which a host may still come into the plan, from here on."""
        for number in range(level, len(left)):
            for count, hosts in zip(left[number], self.levels[number], strict=True):
                host = hosts.rows[0].host
                fresh = host if host.addresses[0] in self._tangled else replace(host, port=0)
                if count and filling.has_place_for(self._preference(number), fresh):
                    return number
        return None

    def _stand(self, going: Going, filling: Filling, level: int) -> Stand:
        standing = going.walk.standing(going.now, self._kind), filling.standing(self._tangled), level
        key = standing if self._merges else len(self._stands)
        return self._stands.setdefault(key, Stand(len(self._stands), going, filling, level))

    def _kind(self, target: Target) -> Hashable:
        """What stands at a target: also which host it is, where it may still take the message."""
        if isinstance(target, Undrawn):
            return None
        kind = self._terms.rehearsal.kind(target.address)
        if self._terms.rehearsal.is_silent(target.address):
            return kind
        spot = self._spots[target.exchange, target.address]
        return kind, id(spot.hosts), id(spot.row), spot.place

    def _taken_by(self, trail: tuple[Contact, ...]) -> Spot | None:
        for contact in reversed(trail):
            if any(outcome.result is Result.DELIVERED for outcome in contact.recipients.values()):
                return self._spots[contact.target.exchange, contact.target.address]
        return None

    def _undrawn(self, level: int) -> Undrawn:
        return Undrawn("", _NOBODY, self._preference(level))

    def _preference(self, level: int) -> int:
        return self._draw.route.levels[level].preference
