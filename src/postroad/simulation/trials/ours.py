"""Attempts of our own sender, many at once: paths drawn from what `routing` may draw and `routing.Walk` then does.

What is known of it is kept in tables, as in `trials.graph`: a node is where an attempt stands, an option is who comes
next, an edge is what an option leads to for each way a server can behave at that time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np

from postroad.routing import Route
from postroad.simulation.own import usual
from postroad.simulation.own.graph import OwnTerms
from postroad.simulation.own.open import (
    DrawnHost,
    HostChoice,
    HostGroup,
    OpenGraph,
    Openings,
    OpenStand,
    Spot,
    by_fate,
    openings,
)
from postroad.simulation.own.planned import PlannedGraph
from postroad.simulation.trials.attempts import EndedAttempts, Meet, Starts
from postroad.simulation.trials.dice import DrawKind, Real, Whole, chance, key
from postroad.simulation.trials.graph import DEFERRED, DELIVERED, RESULTS
from postroad.simulation.trials.places import MODES, NOWHERE, TRIES_BITS, Choices, Moment, Ranks, TrialPlaces
from postroad.simulation.trials.tables import PASSED_OVER, Tables, ranks
from postroad.simulation.trials.trial import Trial

MOST_NODES = 2000
"""Ways to stand that are told apart: where there are more, some plans stand for all."""
PLANS = 12


class OvergrownError(Exception):
    """Attempts can stand in too many ways to know them all."""


class OurAttempts:
    """Draws attempts of our own sender at the places of a domain."""

    def __init__(self, trial: Trial, places: TrialPlaces, seed: int, *, sampled: bool = False) -> None:
        own, route = usual(trial.snapshot)
        assert isinstance(route, Route)  # noqa: S101  # else nobody is contacted, and nothing is played
        terms = own.terms
        ways = openings(route, terms, trial.dns_order)
        self._seed, self._in_step, self._is_one = seed, ways.in_step, trial.workload.sources == 1
        if sampled:
            ways = replace(ways, groups=tuple(by_fate(each, trial.fate) for each in ways.groups))
        self._hosts = _Hosts(ways, places)
        if sampled:
            some = _some_plans(route, ways, terms, Random(seed))
            self._tables = _Ways([graph for graph, _chance in some], self._hosts, math.inf)
            self._upto = np.cumsum([chance for _graph, chance in some])
        else:
            every = [OpenGraph(route, groups, ways.tangled, terms) for groups in ways.groups]
            self._tables = _Ways(every, self._hosts, MOST_NODES)
            self._upto = np.arange(1, len(every) + 1) / len(every)

    def begin(self, moment: Moment) -> Ranks:
        """The node where each attempt begins."""
        roots = self._tables.roots
        drawn = self._turned(moment.each_draw, 0, roots.size)
        begins: Ranks = roots[np.minimum(np.searchsorted(self._upto, drawn, side="right"), roots.size - 1)]
        return begins

    def make(self, starts: Starts, meet: Meet) -> EndedAttempts:
        """Make one attempt for each row."""
        count = starts.at_s.size
        nowhere = np.full(count, NOWHERE)
        ended = EndedAttempts(
            np.full(count, DEFERRED), nowhere, nowhere.copy(), np.zeros(count, np.int64), starts.at_s.copy()
        )
        row, node, turn = np.arange(count), starts.node, 0
        drawn = _Drawn(self._hosts, self._turns(starts), count)
        while row.size:  # every turn is one contact of each, or none where nobody is asked

            def dice(what: DrawKind, row: Ranks = row, turn: int = turn) -> Real:
                return chance(key(self._seed, what, turn), starts.number[row])

            option = self._tables.choose(node, lambda: dice(DrawKind.ORDER))
            drawn.add(row, option, self._tables, dice)
            row, node = self._go(starts, ended, (row, option), drawn, meet)
            turn += 1
        return ended

    def _turns(self, starts: Starts) -> Ranks | None:
        """The turn that all hosts are at in each attempt; None: each is in one of its own."""
        if not self._in_step:
            return None
        return (self._turned(starts.number, 1, self._hosts.turns) * self._hosts.turns).astype(np.int64)

    def _turned(self, number: Whole, place: int, turns: int) -> Real:
        """Which part of all turns each is at: in a relay that is alone one after the other, as the relay turns them."""
        if not self._is_one:
            return chance(key(self._seed, DrawKind.TURN, place), number)
        message, tried = np.divmod(number, np.uint64(2**TRIES_BITS))
        turn: Real = ((message + tried - np.uint64(1)) % np.uint64(turns) + 0.5) / turns
        return turn

    def _go(
        self, starts: Starts, ended: EndedAttempts, going: tuple[Ranks, Ranks], drawn: _Drawn, meet: Meet
    ) -> tuple[Ranks, Ranks]:
        """Contact who comes next, and write down what came of it; the rows that go on are told, with their nodes."""
        tables, (row, option) = self._tables, going
        place = drawn.place(row, tables.spot.rows[option])
        asked = place != NOWHERE
        if starts.barred is not None:
            asked &= ~starts.barred[row, place]
        met = np.full(row.size, PASSED_OVER)
        if asked.any():
            met[asked] = meet(row[asked], place[asked], ended.at_s[row[asked]])
        begun = asked & (ended.first[row] == NOWHERE)
        ended.first[row[begun]], ended.last[row[asked]] = place[begun], place[asked]
        ended.contacts[row] += asked
        node, took_s, taker = tables.follow(option, met)
        ended.at_s[row] += took_s
        over = node < 0
        ended.result[row[over]] = -1 - node[over]
        done = over & (node == -1 - DELIVERED)
        ended.last[row[done]] = drawn.place(row[done], taker[done])  # not always the one contacted last
        return row[~over], node[~over]


class _Hosts:
    """The hosts of all openings, and the orders their addresses come in, as numbers."""

    def __init__(self, ways: Openings, places: TrialPlaces) -> None:
        numbers = {target: place for place, target in enumerate(places.targets)}
        orders: list[list[int]] = []
        first: list[int] = []
        self.group_of: dict[HostGroup, int] = {}
        members: list[list[int]] = []
        for group in (group for groups in ways.groups for level in groups for group in level):
            self.group_of[group] = len(members)
            members.append([])
            for host, each in enumerate(group.hosts):
                members[-1].append(len(first))
                first.append(len(orders))
                orders += ([numbers[to] for to in group.targets(host, order)] for order in range(len(each)))
        self.first = np.array([*first, len(orders)])  # of the orders of each host
        self.members, self.places = _padded(members), _padded(orders)
        self.most = max(sum(len(group.hosts) for level in groups for group in level) for groups in ways.groups)
        self.turns = int(self.first[1])

    @property
    def count(self) -> int:
        """How many there are."""
        return self.first.size - 1


class _Drawn:
    """Who was drawn in each attempt, by the order drawn."""

    def __init__(self, hosts: _Hosts, turns: Ranks | None, rows: int) -> None:
        self._hosts, self._turns = hosts, turns
        self._orders = np.zeros((rows, hosts.most), np.int64)
        self._is_used: Choices = np.zeros((rows, hosts.count), np.bool_)

    def add(self, row: Ranks, option: Ranks, tables: _Ways, dice: Callable[[DrawKind], Real]) -> None:
        """Who is drawn by these options, where anybody is."""
        group, number, order = tables.group.rows[option], tables.number.rows[option], tables.order.rows[option]
        told = order != NOWHERE
        self._orders[row[told], number[told]] = order[told]
        drawn = np.flatnonzero((group != NOWHERE) & ~told)
        if drawn.size:
            row, number = row[drawn], number[drawn]
            host = self._host(row, self._hosts.members[group[drawn]], dice(DrawKind.INNER)[drawn])
            self._orders[row, number] = self._order(row, host, lambda: dice(DrawKind.ANSWER)[drawn])

    def place(self, row: Ranks, spot: Ranks) -> Ranks:
        """The places at these spots."""
        number, address = np.divmod(spot, self._hosts.places.shape[1])
        places: Ranks = np.where(spot == NOWHERE, NOWHERE, self._hosts.places[self._orders[row, number], address])
        return places

    def _host(self, row: Ranks, members: Ranks, drawn: Real) -> Ranks:
        """One of those not drawn yet."""
        if members.shape[1] == 1:
            return members[:, 0]
        fits = (members != NOWHERE) & ~self._is_used[row[:, None], members]
        upto = fits.cumsum(axis=1)
        column = (upto > (drawn * upto[:, -1])[:, None]).argmax(axis=1)
        host: Ranks = members[np.arange(row.size), column]
        self._is_used[row, host] = True
        return host

    def _order(self, row: Ranks, host: Ranks, draw: Callable[[], Real]) -> Ranks:
        first = self._hosts.first[host]
        if self._turns is not None:
            return first + self._turns[row]
        several = self._hosts.first[host + 1] - first
        return first if (several == 1).all() else first + (draw() * several).astype(np.int64)


class _Ways(Tables[tuple[OpenGraph, OpenStand]]):
    """The ways an attempt can stand; of an edge is also told which spot took the message."""

    def __init__(self, graphs: Sequence[OpenGraph], hosts: _Hosts, most: float) -> None:
        super().__init__()
        self._hosts, self._most = hosts, most
        self._choices: list[tuple[OpenGraph, HostChoice]] = []
        # Of an option: the group of which a host is drawn, as which, and the order that it must be, or NOWHERE
        self.group, self.number, self.order, self.spot = (ranks() for _each in range(4))
        self.roots = np.array([self._node(graph, graph.start()) for graph in graphs])

    def _learn(self, option: int, met: int) -> tuple[int, float, int]:
        graph, choice = self._choices[option]
        stand, took_s = graph.follow(choice, None if met == PASSED_OVER else MODES[met])
        if stand.result is None:
            return self._node(graph, stand), took_s, NOWHERE
        return -1 - RESULTS.index(stand.result), took_s, self._spot_of(stand.taken_by)

    def _spot_of(self, spot: Spot | None) -> int:
        return NOWHERE if spot is None else spot[0] * self._hosts.places.shape[1] + spot[1]

    def _node(self, graph: OpenGraph, stand: OpenStand) -> int:
        number = self._number((graph, stand.standing), (graph, stand))
        if number >= self._most:
            raise OvergrownError
        return number

    def _options(self, node: int) -> Iterator[Fraction]:
        graph, stand = self._where[node]
        for choice in graph.choices(stand):
            self._choices.append((graph, choice))
            self.spot.add(self._spot_of(choice.then.spot))
            for column, told in zip((self.group, self.number, self.order), self._drawn(choice.drawn), strict=True):
                column.add(told)
            yield choice.chance

    def _drawn(self, drawn: DrawnHost | None) -> tuple[int, int, int]:
        if drawn is None:
            return NOWHERE, NOWHERE, NOWHERE
        group = self._hosts.group_of[drawn.group]
        host = self._hosts.members[group, 0]
        return group, drawn.number, int(self._hosts.first[host]) + drawn.order if drawn.group.is_told else NOWHERE


def _some_plans(route: Route, ways: Openings, terms: OwnTerms, dice: Random) -> list[tuple[PlannedGraph, float]]:
    """Plans that stand for all, with their chances: each kind of host is first as often as it is in all of them."""
    turns = dice.sample(ways.groups, min(len(ways.groups), PLANS))
    plans = []
    for groups in turns:
        every = [group for group in groups[0] for _host in group.hosts]
        some = [every[number * len(every) // PLANS] for number in range(0, PLANS, len(turns))]
        times = Counter([*some, *({*every} - {*some} if len(groups[0]) <= PLANS else ())])
        known = sum(len(group.hosts) for group in times) * len(turns)
        for first, count in times.items():
            chance = len(first.hosts) / known / count
            plans += [(PlannedGraph(route, groups, ways.tangled, terms, dice, first), chance) for _each in range(count)]
    return plans


def _padded(rows: Sequence[Sequence[int]]) -> Ranks:
    most = max(map(len, rows))
    return np.array([[*row, *[NOWHERE] * (most - len(row))] for row in rows], np.int64)
