"""The figures of a forecast of our own sender, summed over all its paths."""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import accumulate
from math import lcm
from random import Random

from postroad.simulation.case import DeliveryWaits
from postroad.simulation.own.graph import LEG, Graph, Left, Leg, Spot, Stand
from postroad.simulation.own.hosts import AddressOrder, Class
from postroad.words.outcome import Result
from postroad.words.trail import Target

ZERO = Fraction(0)
STEPS = 20
"""So many attempts can be counted in the time of one contact."""
MOST_STEPS = 100_000
"""As many are gone through exactly: a tenth of a second."""
MOST_PLANS, LEAST_PLANS, MOST_CONTACTS = 24, 4, 3000
_RESULTS = list(Result)


@dataclass(slots=True)
class Sums:
    """The sums. Chances are exact; `first` and `accepted` are of spots, each of which is many addresses."""

    first: dict[Spot, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    accepted: dict[Spot, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    outcome: dict[Result, Fraction] = field(default_factory=lambda: dict.fromkeys(Result, ZERO))
    attempts: Fraction = ZERO
    attempts_max: int = 0
    delay_s: float = 0.0
    worst_s: float = 0.0
    taken_s: float = 0.0  # of what is delivered
    taken_worst_s: float = 0.0
    sampled: bool = False  # not all ways were gone: plans drawn by lot stand for some of them

    @property
    def taken(self) -> DeliveryWaits | None:
        """How long mail takes that gets through: where all does, as long as attempts do, of which more is exact."""
        part = self.outcome[Result.DELIVERED]
        if part == 1:
            return DeliveryWaits(self.delay_s, self.worst_s)
        return DeliveryWaits(self.taken_s / float(part), self.taken_worst_s) if part else None

    def take(self, chance: float, mean_s: float, worst_s: float) -> None:
        """Count some that are delivered after so long."""
        self.taken_s += chance * mean_s
        self.taken_worst_s = max(self.taken_worst_s, worst_s)


@dataclass(slots=True)
class _Arrived:
    """In how many orders an attempt stands somewhere; the most contacts, the mean and the longest time until then."""

    orders: int
    contacts: int = 0
    mean_s: float = 0.0
    worst_s: float = 0.0

    def join(self, orders: int, contacts: int, mean_s: float, worst_s: float) -> None:
        """Others arrive at the same place."""
        self.orders += orders
        self.contacts = max(self.contacts, contacts)
        if mean_s != self.mean_s:
            self.mean_s += (mean_s - self.mean_s) * (orders / self.orders)
        self.worst_s = max(self.worst_s, worst_s)


@dataclass(slots=True)
class Effort:
    """How much is gone through before a part must stand for the rest, in each of so many graphs."""

    graphs: int
    dice: Random = field(default_factory=lambda: Random(0))  # the same part every time

    @property
    def steps(self) -> int:
        """How many attempts are counted."""
        return MOST_STEPS // self.graphs

    def plans(self, longest: int) -> int:
        """How many plans stand for the rest, where one has up to so many contacts."""
        fitting = min(MOST_PLANS, max(MOST_CONTACTS // max(longest, 1), LEAST_PLANS))
        return -(-fitting // self.graphs)


Put = Callable[[list[Class]], object]
"""Puts hosts into an order."""

Here = dict[int, dict[int, _Arrived]]
"""Who stands where: by the number of the stand, and by who is left to be drawn, as one number."""


class Adding:
    """Adds up a graph. Chances are counted in orders, and divided by all of them once for each number of hosts drawn.

    How many hosts are left of each class is a digit of one number, those drawn first being the lowest.
    """

    def __init__(self, graph: Graph, chance: Fraction, sums: Sums, effort: Effort) -> None:
        self._graph = graph
        self._chance = chance
        self._sums = sums
        self._effort = effort
        self._steps = 0
        self._ways = lcm(*(each.ways for level in graph.levels for each in level))
        self._orders = [1]  # of the hosts drawn first, by their number
        self._begins = []  # how many hosts are drawn before each level
        self._units: list[list[int]] = []
        self._all_left, unit = 0, 1
        for level in graph.levels:
            self._begins.append(len(self._orders) - 1)
            for left in range(sum(each.count for each in level), 0, -1):
                self._orders.append(self._orders[-1] * left * self._ways)
            self._units.append([])
            for each in level:
                self._units[-1].append(unit)
                self._all_left += each.count * unit
                unit *= each.count + 1
        self._stands: dict[int, Stand] = {}
        self._ahead: dict[int, Here] = defaultdict(lambda: defaultdict(dict))

    def run(self) -> None:
        """Add up all of it, or as much as the effort allows, with some plans for the rest."""
        self._count_first()
        stand = self._graph.start()
        self._stands[stand.number] = stand
        self._ahead[0][stand.number][self._all_left] = _Arrived(1)
        for drawn in range(len(self._orders) - 1):
            here, taken = self._ahead.pop(drawn, {}), Counter[Leg]()
            while here and not self._is_too_much(self._stands[next(iter(here))]):
                number = next(iter(here))
                self._leave(self._stands[number], here.pop(number), drawn, taken)
            self._add(taken, self._orders[drawn + 1])
            if here:
                self._ahead[drawn] = here
                self._draw_some()
                return

    def _count_first(self) -> None:
        """Who comes first can be counted, however many the ways are that begin so."""
        first = _first_asked(self._graph)
        among = sum(each.count for each in first)
        for hosts in first:
            for row in hosts.rows:
                part = Fraction(hosts.count * row.number, among * hosts.ways)
                self._sums.first[Spot(hosts, row, 0)] += self._chance * part

    def _is_too_much(self, stand: Stand) -> bool:
        rows = sum(len(hosts.rows) for hosts in self._graph.levels[stand.level])
        return (self._graph.work + LEG * rows) * STEPS + self._steps > self._effort.steps

    def _leave(self, stand: Stand, places: dict[int, _Arrived], drawn: int, taken: Counter[Leg]) -> None:
        """Draw the next host for all attempts that stand here."""
        groups = [{left: place} for left, place in places.items()] if self._graph.is_tangled else [places]
        for group in groups:
            for each in range(len(self._graph.levels[stand.level])):
                self._draw_one(stand, each, group, drawn, taken)

    def _draw_some(self) -> None:
        """For all that are still under way some go on to their end: each stands for an equal part of their chance."""
        places = [
            (drawn, self._stands[number], left, arrived)
            for drawn, stands in self._ahead.items()
            for number, lefts in stands.items()
            for left, arrived in lefts.items()
        ]
        orders: Counter[int] = Counter()
        for drawn, _stand, _left, arrived in places:
            orders[drawn] += arrived.orders
        under_way = sum((Fraction(each, self._orders[drawn]) for drawn, each in orders.items()), ZERO) * self._chance
        upto = [*accumulate(arrived.orders / self._orders[drawn] for drawn, _stand, _left, arrived in places)]
        self._sums.sampled = True
        plans, dice = self._effort.plans(self._look_for_the_worst()), self._effort.dice
        for number in range(plans):
            at = bisect(upto, (number + dice.random()) / plans * upto[-1], hi=len(places) - 1)
            self._go_on(*places[at][1:], under_way / plans, self._shuffle)

    def _look_for_the_worst(self) -> int:
        """Chance seldom finds the most contacts and the longest time: who takes the message comes last in these."""
        start = self._graph.start()
        orders: tuple[Put, ...] = (lambda _hosts: None, list[Class].reverse, self._shuffle)
        every = [partial(self._takers_last, order) for order in orders]
        return max(self._go_on(start, self._all_left, _Arrived(1), ZERO, order) for order in every)

    def _shuffle(self, hosts: list[Class]) -> None:
        self._effort.dice.shuffle(hosts)

    def _takers_last(self, order: Put, hosts: list[Class]) -> None:
        order(hosts)
        hosts.sort(key=self._graph.takes)

    def _go_on(self, stand: Stand, left: int, arrived: _Arrived, share: Fraction, order: Put) -> int:
        """Go from here to the end, with all others in this order; the contacts that it took are told."""
        plan, sums = list[tuple[int, Class, AddressOrder]](), self._sums
        for level, (classes, counts) in enumerate(zip(self._graph.levels, self._digits(left), strict=True)):
            hosts = [each for each, count in zip(classes, counts, strict=True) for _host in range(count)]
            if not self._graph.in_order:
                order(hosts)
            plan += ((level, each, self._row(each)) for each in hosts)
        leg = self._graph.to_the_end(stand, plan)
        sums.attempts += share * leg.contacts
        sums.delay_s += float(share) * leg.took_s
        sums.attempts_max = max(sums.attempts_max, arrived.contacts + leg.contacts)
        sums.worst_s = max(sums.worst_s, arrived.worst_s + leg.took_s)
        result = _result(leg)
        sums.outcome[result] += share
        if result is Result.DELIVERED:
            sums.take(float(share), arrived.mean_s + leg.took_s, arrived.worst_s + leg.took_s)
        if leg.taken_by:
            sums.accepted[leg.taken_by] += share
        return leg.contacts

    def _row(self, hosts: Class) -> AddressOrder:
        if len(hosts.rows) == 1:
            return hosts.rows[0]
        return self._effort.dice.choices(hosts.rows, [row.number for row in hosts.rows])[0]

    def _draw_one(
        self, stand: Stand, number: int, places: Mapping[int, _Arrived], drawn: int, taken: Counter[Leg]
    ) -> None:
        """Draw a host of this class for all attempts that stand alike and have one left."""
        unit, hosts = self._units[stand.level][number], self._graph.levels[stand.level][number]
        if self._graph.in_order:
            with_one = [(left, place, 1) for left, place in places.items() if _is_next(left, unit, hosts.count)]
        else:
            radix = hosts.count + 1
            with_one = [(left, place, count) for left, place in places.items() if (count := left // unit % radix)]
        if not with_one:
            return
        scale = self._ways // hosts.ways
        if self._graph.in_order:
            scale *= self._orders[drawn + 1] // self._orders[drawn] // self._ways
        rest = self._digits(with_one[0][0] - unit)
        for place, row in enumerate(hosts.rows):
            leg = self._graph.leg(stand, number, place, rest)
            taken[leg] += self._follow(
                leg, [(left - unit, at, count * scale * row.number) for left, at, count in with_one], drawn + 1
            )
        self._steps += len(with_one) * len(hosts.rows)

    def _follow(self, leg: Leg, arriving: Sequence[tuple[int, _Arrived, int]], drawn: int) -> int:
        """Let attempts go on by a leg; who arrives brings in how many orders, of which the sum is told."""
        all_orders, most, took_s, sums = 0, leg.contacts, leg.took_s, self._sums
        is_taken = not leg.then and _result(leg) is Result.DELIVERED
        passed, at, lowest = 1, drawn, 1
        if leg.then:
            self._stands[leg.then.number] = leg.then
            # The rest of a level, or whole levels, may be out of the plan: then all their orders count
            at, lowest = max(drawn, self._begins[leg.then.level]), self._units[leg.then.level][0]
            passed = self._orders[at] // self._orders[drawn]
            ahead = self._ahead[at][leg.then.number]
        for left, before, factor in arriving:
            orders = before.orders * factor
            all_orders += orders
            contacts, mean_s, worst_s = before.contacts + most, before.mean_s + took_s, before.worst_s + took_s
            if not leg.then:
                sums.attempts_max, sums.worst_s = max(sums.attempts_max, contacts), max(sums.worst_s, worst_s)
                if is_taken:
                    sums.take(orders / self._orders[drawn] * float(self._chance), mean_s, worst_s)
                continue
            there = left - left % lowest
            known = ahead.get(there)
            if known is None:
                ahead[there] = _Arrived(orders * passed, contacts, mean_s, worst_s)
            else:
                known.join(orders * passed, contacts, mean_s, worst_s)
        return all_orders

    def _add(self, taken: Mapping[Leg, int], all_orders: int) -> None:
        """Add up the legs of all that have drawn as many hosts, by the orders that took them."""
        contacts, sums = 0, self._sums
        ended: Counter[Result] = Counter()
        accepted: Counter[Spot] = Counter()
        for leg, orders in taken.items():
            contacts += orders * leg.contacts
            sums.delay_s += orders / all_orders * leg.took_s * float(self._chance)
            if not leg.then:
                ended[_result(leg)] += orders
                if leg.taken_by:
                    accepted[leg.taken_by] += orders
        share = self._chance / all_orders
        sums.attempts += share * contacts
        for result, orders in ended.items():
            sums.outcome[result] += share * orders
        for spot, orders in accepted.items():
            sums.accepted[spot] += share * orders

    def _digits(self, left: int) -> Left:
        return tuple(
            tuple(left // unit % (hosts.count + 1) for unit, hosts in zip(units, level, strict=True))
            for units, level in zip(self._units, self._graph.levels, strict=True)
        )


def _first_asked(graph: Graph) -> Sequence[Class]:
    """The hosts of which one is the first to be asked: whoever cannot prove what is demanded is passed over."""
    levels = ([each for each in level if not each.members[0].demand.missed] for level in graph.levels)
    first = next(filter(None, levels), [])
    return first[:1] if graph.in_order else first


def _result(leg: Leg) -> Result:
    return max((each.result for each in leg.outcomes), key=_RESULTS.index)


def _is_next(left: int, unit: int, count: int) -> bool:
    """Whether hosts of a class are left, and none of those before it."""
    return left % unit == 0 and left // unit % (count + 1) > 0


def spread(chances: Mapping[Spot, Fraction]) -> dict[Target, Fraction]:
    """The chances of spots as those of addresses: each host of a class is as likely, and each that may stand there."""
    shares: dict[Target, Fraction] = {}
    for spot, chance in chances.items():
        places = spot.row.places[spot.place]
        counts = Counter((host.name, host.addresses[place]) for host in spot.hosts.members for place in places)
        each = chance / counts.total()
        parts = {count: each * count for count in set(counts.values())}
        for (name, address), count in counts.items():
            target = Target(name, address, 0)
            known = shares.get(target)
            shares[target] = parts[count] if known is None else known + parts[count]
    return shares
