"""The state graph of one attempt, as `simulation.steps` has it, in tables: who may come next, and where that leads.

A node is a place of `Steps`, with all that the sender remembers there. One graph serves whoever is down:
a hundred equals have a hundred factorial orders, and a hundred nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from postroad.models import Sender, Then
from postroad.simulation.arrange import ArrangedLevel
from postroad.simulation.case import Case
from postroad.simulation.contacts import ModelContact, ModelExchanger, contacts_of
from postroad.simulation.limits import counted
from postroad.simulation.steps import Position, Steps
from postroad.simulation.trials.places import MODES, NOWHERE, Ranks, TrialPlaces
from postroad.simulation.trials.tables import PASSED_OVER, Tables, ranks, reals
from postroad.simulation.trials.trial import Trial
from postroad.words.outcome import Result

RESULTS = (Result.DELIVERED, Result.DEFERRED, Result.FAILED)
DELIVERED, DEFERRED, FAILED = range(3)
NOBODY = -1
"""The kind of an option that ends an attempt, for nobody is left."""


_NO_KINDS = np.zeros((0, 1), np.int64), np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class _Option:
    """Who comes next (None: nobody is left), from where, and the place then."""

    steps: Steps
    before: Position
    contact: ModelContact | None
    after: Position
    pause_s: float
    is_new_host: bool


class TrialGraph(Tables[tuple[Steps, Position]]):
    """What is known so far; of an edge is also told how many contacts it is.

    A contact stands for a kind of places that are alike: each of those not used yet is as likely.
    """

    def __init__(self, trial: Trial, places: TrialPlaces, found: Sequence[ModelExchanger]) -> None:
        super().__init__()
        self._targets = places.targets
        asked = Case(trial.snapshot, trial.sender.name, trial.dns_order)
        self._limits = counted(asked, trial.sender, tuple(found), is_open=True)
        self._levels: dict[Steps, tuple[ArrangedLevel, ...]] = {}
        self._choices: list[_Option] = []
        self._kinds: dict[ModelContact, int] = {}
        self._members: list[list[int]] = []
        self._padded: tuple[Ranks, Ranks] = _NO_KINDS
        self._kept: dict[tuple[int, int], int] = {}
        self.kind_of, self.pause_s, self.is_new_host = ranks(), reals(), ranks()

    def begin(self, sender: Sender, levels: tuple[ArrangedLevel, ...]) -> int:
        """The node where an attempt with this plan begins, by a sender with these reactions."""
        steps = Steps(sender, levels, self._limits)
        self._levels[steps] = levels
        start = steps, steps.start()
        return self._number(start, start)

    @property
    def kinds(self) -> tuple[Ranks, Ranks]:
        """The places of each kind, filled up with NOWHERE, and how many they are."""
        if len(self._members) > self._padded[1].size or not self._padded[1].size:
            every = self._members or [[]]  # a limit may keep all back
            most = max(1, *map(len, every))
            padded = np.array([each + [NOWHERE] * (most - len(each)) for each in every], np.int64)
            self._padded = padded, (padded != NOWHERE).sum(axis=1)
        return self._padded

    def resume(self, node: Ranks, place: Ranks) -> Ranks:
        """The options of attempts that begin where a connection is open already."""
        pairs, which = np.unique(node * len(self._targets) + place, return_inverse=True)
        wanted = [divmod(pair, len(self._targets)) for pair in pairs.tolist()]
        for one, other in wanted:
            if (one, other) not in self._kept:
                steps, start = self._where[one]
                contact = self._single(self._levels[steps], other)
                self._note(_Option(steps, start, contact, start, 0.0, is_new_host=True))
                self._kept[one, other] = self._add_option(float(self._opened))
        return np.array([self._kept[pair] for pair in wanted], np.int64)[which]

    def _learn(self, option: int, met: int) -> tuple[int, float, int]:
        choice = self._choices[option]
        steps = choice.steps
        if choice.contact is None:
            return -1 - RESULTS.index(steps.verdict(choice.after)), 0.0, 0
        if met == PASSED_OVER:  # neither counted nor waited for
            passed = steps, choice.after._replace(tally=choice.before.tally)
            return self._number(passed, passed), 0.0, 0
        contact = choice.contact.meeting(MODES[met], steps.sender)
        result, took_s, place = steps.after(choice.after, contact)
        to = self._number((steps, place), (steps, place)) if result is None else -1 - RESULTS.index(result)
        return to, took_s, 1 + (contact.then is Then.RECONNECT_IN_CLEAR)

    def _single(self, levels: tuple[ArrangedLevel, ...], place: int) -> ModelContact:
        """The contact of one place, that stands for no other."""
        target = self._targets[place]
        alike = next(each for level in levels for each in contacts_of(level.hosts) if target in each.members)
        return replace(alike, target=target, members=[target])

    def _options(self, node: int) -> Iterator[Fraction]:
        steps, place = self._where[node]
        chances: dict[_Option, Fraction] = defaultdict(Fraction)
        for chance, contact, after, pause_s, entered in steps.nexts(place):
            chances[_Option(steps, place, contact, after, pause_s, bool(entered))] += chance
        for option, chance in chances.items():
            self._note(option)
            yield chance

    def _note(self, option: _Option) -> None:
        self._choices.append(option)
        self.kind_of.add(self._kind(option.contact))
        self.pause_s.add(option.pause_s)
        self.is_new_host.add(option.is_new_host)

    def _kind(self, contact: ModelContact | None) -> int:
        if contact is None:
            return NOBODY
        if contact not in self._kinds:
            self._kinds[contact] = len(self._kinds)
            self._members.append([self._targets.index(each) for each in dict.fromkeys(contact.members)])
        return self._kinds[contact]
