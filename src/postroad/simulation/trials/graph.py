"""The state graph of one attempt, as `simulation.steps` has it, in tables: who may come next, and where that leads.

A node is a place of `Steps`, with all that the sender remembers there. An option of a node is who may come next, with
its chance; an edge is what an option leads to, for each way a server can behave. So one graph serves whoever is down.
It grows where attempts go: a hundred equals have a hundred factorial orders, and a hundred nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from postroad.senders.model import Sender, Then
from postroad.simulation.arrange import Contact, Exchange, Level, contacts_of, reachable
from postroad.simulation.steps import Place, Steps
from postroad.simulation.trials.dice import Real
from postroad.simulation.trials.nouns import Trial
from postroad.simulation.trials.places import MODES, NOWHERE, Places, Ranks
from postroad.words.outcome import Result

RESULTS = (Result.DELIVERED, Result.DEFERRED, Result.FAILED)
DELIVERED, DEFERRED, FAILED = range(3)
PASSED_OVER = len(MODES)
"""What is met at a place that the sender remembers as unhealthy: it is not contacted."""
NOBODY = -1
"""The kind of an option that ends an attempt, for nobody is left."""

_WAYS = len(MODES) + 1
_UNKNOWN = -(2**62)


@dataclass(frozen=True, slots=True)
class _Option:
    """Who comes next (None: nobody is left), from where, and the place then."""

    steps: Steps
    before: Place
    contact: Contact | None
    after: Place
    pause_s: float
    is_new_host: bool


class Graph:
    """What is known so far: nodes, the options of those that were reached, the edges that were taken.

    A contact stands for a kind of places that are alike: each of those not used yet is as likely.
    """

    def __init__(self, trial: Trial, places: Places, found: Sequence[Exchange]) -> None:
        self._targets = places.targets
        self._limits = reachable(trial.dns_order, trial.sender, tuple(found))
        self._nodes: dict[tuple[Steps, Place], int] = {}
        self._where: list[tuple[Steps, Place]] = []
        self._levels: dict[Steps, tuple[Level, ...]] = {}
        self._opened = 0
        self._rank_of: list[int] = []  # of each node: how many were opened before it, or NOWHERE
        self._first_of: list[int] = []
        self._count_of: list[int] = []
        self._options: list[_Option] = []
        self._kind_of: list[int] = []
        self._upto: list[float] = []  # of each option: the rank of its node, and the chances up to it
        self._kinds: dict[Contact, int] = {}
        self._members: list[list[int]] = []
        self._kept: dict[tuple[int, int], int] = {}
        self._edges: Ranks = np.zeros(0, np.int64)
        self._took_s: Real = np.zeros(0)
        self._contacts: Ranks = np.zeros(0, np.int64)
        self._tabulate()

    def begin(self, sender: Sender, levels: tuple[Level, ...]) -> int:
        """The node where an attempt with this plan begins, by a sender with these reactions."""
        steps = Steps(sender, levels, self._limits)
        self._levels[steps] = levels
        return self._node(steps, steps.start())

    def choose(self, node: Ranks, draw: Callable[[], Real]) -> Ranks:
        """An option of each node; `draw` gives a number from 0 to below 1 for each, if there is a choice."""
        self._open(node)
        first, count = self.first_of[node], self.count_of[node]
        if (count == 1).all():
            return first
        chosen = np.searchsorted(self.upto, self.rank_of[node] + draw(), side="right")
        return np.clip(chosen, first, first + count - 1)  # the sum may have been rounded up

    def resume(self, node: Ranks, place: Ranks) -> Ranks:
        """The options of attempts that begin where a connection is open already."""
        pairs, which = np.unique(node * len(self._targets) + place, return_inverse=True)
        wanted = [divmod(pair, len(self._targets)) for pair in pairs.tolist()]
        fresh = [pair for pair in wanted if pair not in self._kept]
        for one, other in fresh:
            steps, start = self._where[one]
            self._kept[one, other] = len(self._options)
            contact = self._single(self._levels[steps], other)
            self._add(_Option(steps, start, contact, start, 0.0, is_new_host=True), float(self._opened))
        if fresh:
            self._tabulate()
        return np.array([self._kept[pair] for pair in wanted], np.int64)[which]

    def follow(self, option: Ranks, met: Ranks) -> tuple[Ranks, Real, Ranks]:
        """Where what was met leads: a node, or -1 less a result for an end; the seconds an end takes; the contacts."""
        edge = option * _WAYS + met
        to = self._edges[edge]
        if (to == _UNKNOWN).any():
            for unknown in np.unique(edge[to == _UNKNOWN]).tolist():
                self._learn(self._options[unknown // _WAYS], unknown)
            to = self._edges[edge]
        return to, self._took_s[edge], self._contacts[edge]

    def _learn(self, option: _Option, edge: int) -> None:
        """Work out one edge, that was not taken before."""
        met, steps = edge % _WAYS, option.steps
        if option.contact is None:
            self._edges[edge] = -1 - RESULTS.index(steps.verdict(option.after))
        elif met == PASSED_OVER:  # neither counted nor waited for
            self._edges[edge] = self._node(steps, option.after._replace(tally=option.before.tally))
        else:
            contact = option.contact.meeting(MODES[met], steps.sender)
            result, took_s, place = steps.after(option.after, contact)
            self._edges[edge] = self._node(steps, place) if result is None else -1 - RESULTS.index(result)
            self._took_s[edge] = took_s
            self._contacts[edge] = 1 + (contact.then is Then.RECONNECT_IN_CLEAR)

    def _single(self, levels: tuple[Level, ...], place: int) -> Contact:
        """The contact of one place, that stands for no other."""
        target = self._targets[place]
        alike = next(each for level in levels for each in contacts_of(level.hosts) if target in each.members)
        return replace(alike, target=target, members=[target])

    def _node(self, steps: Steps, place: Place) -> int:
        number = self._nodes.setdefault((steps, place), len(self._where))
        if number == len(self._where):
            self._where.append((steps, place))
            self._rank_of.append(NOWHERE)
            self._first_of.append(0)
            self._count_of.append(0)
        return number

    def _open(self, node: Ranks) -> None:
        """Work out the options of nodes that were not reached before."""
        if len(self._where) > self.rank_of.size:
            self._tabulate()
        closed = self.rank_of[node] == NOWHERE
        if closed.any():
            for each in np.unique(node[closed]).tolist():
                self._open_one(each)
            self._tabulate()

    def _open_one(self, node: int) -> None:
        steps, place = self._where[node]
        chances: dict[_Option, Fraction] = defaultdict(Fraction)
        for chance, contact, after, pause_s, entered in steps.nexts(place):
            chances[_Option(steps, place, contact, after, pause_s, bool(entered))] += chance
        self._rank_of[node], self._first_of[node], self._count_of[node] = self._opened, len(self._options), len(chances)
        upto = Fraction(self._opened)
        for option, chance in chances.items():
            upto += chance
            self._add(option, float(upto))
        self._opened += 1

    def _add(self, option: _Option, upto: float) -> None:
        self._options.append(option)
        self._upto.append(upto)
        self._kind_of.append(self._kind(option.contact))

    def _kind(self, contact: Contact | None) -> int:
        if contact is None:
            return NOBODY
        if contact not in self._kinds:
            self._kinds[contact] = len(self._kinds)
            self._members.append([self._targets.index(each) for each in dict.fromkeys(contact.members)])
        return self._kinds[contact]

    def _tabulate(self) -> None:
        self.rank_of, self.first_of, self.count_of = (
            np.array(each, np.int64) for each in (self._rank_of, self._first_of, self._count_of)
        )
        self.upto, self.kind_of = np.array(self._upto), np.array(self._kind_of, np.int64)
        self.pause_s = np.array([option.pause_s for option in self._options])
        self.is_new_host = np.array([option.is_new_host for option in self._options], np.bool_)
        most = max(map(len, self._members), default=1)
        padded = [each + [NOWHERE] * (most - len(each)) for each in self._members or [[]]]  # a limit may keep all back
        self.members = np.array(padded, np.int64)
        self.members_of_kind = (self.members != NOWHERE).sum(axis=1)
        more = len(self._options) * _WAYS - self._edges.size
        self._edges = np.concatenate((self._edges, np.full(more, _UNKNOWN)))
        self._took_s = np.concatenate((self._took_s, np.zeros(more)))
        self._contacts = np.concatenate((self._contacts, np.zeros(more, np.int64)))
