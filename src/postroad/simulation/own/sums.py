"""The figures of a forecast of our own sender, added up over all its ways."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from math import lcm

from postroad.simulation.own.graph import Graph, Left, Leg, Spot, Stand
from postroad.words.outcome import Result
from postroad.words.trail import Target

ZERO = Fraction(0)


@dataclass(slots=True)
class Sums:
    """What is added up. Chances are exact; `first` and `accepted` are of spots, each of which is many addresses."""

    first: dict[Spot, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    accepted: dict[Spot, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    outcome: dict[Result, Fraction] = field(default_factory=lambda: dict.fromkeys(Result, ZERO))
    attempts: Fraction = ZERO
    attempts_max: int = 0
    delay_s: float = 0.0
    worst_s: float = 0.0


@dataclass(slots=True)
class _Arrived:
    """In how many orders an attempt stands here; the most contacts and the longest time until then."""

    orders: int = 0
    contacts: int = 0
    worst_s: float = 0.0


Here = dict[tuple[int, Left], _Arrived]
"""Who stands where: by the number of the stand, and who is left to be drawn."""


class Adding:
    """Adds up a graph. Chances are counted in orders, and divided by all of them once for each number of hosts drawn.

    A host that cannot come into the plan any more is passed over: then all its orders count.
    """

    def __init__(self, graph: Graph, chance: Fraction, sums: Sums) -> None:
        self._graph = graph
        self._chance = chance
        self._sums = sums
        hosts = list(chain.from_iterable(graph.levels))
        self._ways = lcm(*(each.ways for each in hosts))
        self._orders = [1]  # of the first hosts drawn, by their number
        self._begins = []  # how many hosts are drawn before each level
        for level in graph.levels:
            self._begins.append(len(self._orders) - 1)
            for left in range(sum(each.count for each in level), 0, -1):
                self._orders.append(self._orders[-1] * left * self._ways)
        self._stands: dict[int, Stand] = {}
        self._ahead: dict[int, Here] = defaultdict(lambda: defaultdict(_Arrived))

    def run(self) -> None:
        """Add up all of it."""
        stand, left = self._graph.start()
        self._stands[stand.number] = stand
        self._ahead[0][stand.number, left].orders = 1
        for drawn in range(len(self._orders) - 1):
            if drawn in self._ahead:
                self._draw_one(drawn, self._ahead.pop(drawn))

    def _draw_one(self, drawn: int, here: Here) -> None:
        """One more host for all attempts that have drawn so many."""
        ended: Counter[Spot | Result | None] = Counter()
        first: Counter[Spot] = Counter()
        contacts, sums, all_orders = 0, self._sums, self._orders[drawn + 1]
        for (number, left), arrived in here.items():
            for orders, leg, spot, rest in self._legs(self._stands[number], left, arrived.orders):
                contacts += orders * leg.contacts
                sums.delay_s += orders / all_orders * leg.took_s * float(self._chance)
                if drawn == 0:
                    first[spot] += orders
                most, worst_s = arrived.contacts + leg.contacts, arrived.worst_s + leg.took_s
                if leg.then:
                    self._arrive(leg.then, rest, drawn + 1, _Arrived(orders, most, worst_s))
                    continue
                ended[max((each.result for each in leg.outcomes), key=list(Result).index)] += orders
                ended[leg.taken_by] += orders
                sums.attempts_max, sums.worst_s = max(sums.attempts_max, most), max(sums.worst_s, worst_s)
        share = self._chance / all_orders
        sums.attempts += share * contacts
        for spot, orders in first.items():
            sums.first[spot] += share * orders
        for what, orders in ended.items():
            if isinstance(what, Result):
                sums.outcome[what] += share * orders
            elif what:
                sums.accepted[what] += share * orders

    def _legs(self, stand: Stand, left: Left, orders: int) -> Iterator[tuple[int, Leg, Spot, Left]]:
        for number, count, rest in self._graph.options(stand, left):
            hosts = self._graph.levels[stand.level][number]
            each = orders * count * (self._ways // hosts.ways)
            for place, row in enumerate(hosts.rows):
                yield each * row.number, self._graph.leg(stand, number, place, rest), Spot(hosts, row, 0), rest

    def _arrive(self, stand: Stand, left: Left, drawn: int, arrived: _Arrived) -> None:
        at = self._begins[stand.level] + 0
        passed = at - drawn
        if passed > 0:  # the rest of a level, or whole levels
            arrived.orders = arrived.orders * self._orders[at] // self._orders[drawn]
            left = (*(tuple(0 for _each in level) for level in left[: stand.level]), *left[stand.level :])
            drawn = at
        self._stands[stand.number] = stand
        place = self._ahead[drawn][stand.number, left]
        place.orders += arrived.orders
        place.contacts = max(place.contacts, arrived.contacts)
        place.worst_s = max(place.worst_s, arrived.worst_s)


def spread(chances: Mapping[Spot, Fraction]) -> dict[Target, Fraction]:
    """The chances of spots as those of addresses: each host of a class is as likely, and each that may stand there."""
    shares: dict[Target, Fraction] = defaultdict(Fraction)
    for spot, chance in chances.items():
        places = spot.row.places[spot.place]
        counts = Counter((host.name, host.addresses[place]) for host in spot.hosts.members for place in places)
        each = chance / counts.total()
        for (name, address), count in counts.items():
            shares[Target(name, address, 0)] += each * count
    return dict(shares)
