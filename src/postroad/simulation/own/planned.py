"""Attempts of ours along one plan drawn beforehand, for cases with too many plans to follow each."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import cast

from postroad.routing import Filling, Route, Try, Verdict
from postroad.simulation.own.graph import OwnTerms
from postroad.simulation.own.open import DrawnHost, Groups, HostChoice, HostGroup, OpenGraph, OpenStand
from postroad.simulation.own.rehearsal import Going
from postroad.words.faults import Fault, Mode
from postroad.words.names import Address
from postroad.words.trail import Target


@dataclass(frozen=True, slots=True, eq=False)
class _Stand(OpenStand):
    """Where an attempt along a plan is: after which stand, what it met there, and how many hosts it has come to."""

    before: _Stand | None = None
    met: Mode | None = None
    known: int = 0

    @property
    def standing(self) -> Hashable:
        """Each is one of its own: of one plan no two attempts meet again."""
        return self


class PlannedGraph(OpenGraph):
    """Attempts with one plan, step by step.

    Of each that goes on the last stand is at hand; who leaves its way before is walked from the beginning again, which
    is seldom, and takes less than a copy for each step.
    """

    def __init__(
        self, route: Route, groups: Groups, tangled: frozenset[Address], terms: OwnTerms, dice: Random, first: HostGroup
    ) -> None:
        super().__init__(route, groups, tangled, terms)
        self._hosts: list[DrawnHost] = []
        self._filling = Filling(route, terms.policy)
        targets: list[Target] = []
        for level in groups:
            every = [group for group in level for _host in group.hosts]
            dice.shuffle(every)
            if level is groups[0]:
                every.remove(first)
                every.insert(0, first)
            for group in every:
                order = dice.randrange(len(group.hosts[0])) if group.is_told else 0
                drawn = DrawnHost(group, len(self._hosts), order)
                targets += self._targets(self._filling, drawn, len(self._hosts))
                self._hosts.append(drawn)
        self._plan = tuple(targets)
        self._at_hand: dict[OpenStand, Going] = {}

    def start(self) -> OpenStand:
        """Nobody is contacted."""
        going, step = self._begin()
        return self._stand(going, step, None, None)

    def choices(self, stand: OpenStand) -> Iterator[HostChoice]:
        """Who comes next: there is one."""
        number = stand.spot[0] if stand.spot else -1
        is_new = number >= cast("_Stand", stand).known
        yield HostChoice(Fraction(1), self._hosts[number] if is_new else None, stand)

    def follow(self, choice: HostChoice, mode: Mode | None) -> tuple[OpenStand, float]:
        """The next stand if this is met, and the seconds until then; None: the contact is not made at all."""
        before = cast("_Stand", choice.then)
        going = self._at_hand.pop(before, None) or self._again(before)
        began_s = going.now
        going, step = self._meet(going, before.step, mode)
        return self._stand(going, step, before, mode), going.now - began_s

    def _begin(self) -> tuple[Going, Try | Verdict]:
        going = self._rehearsal.begin(self._plan, self._terms.recipients)
        return going, self._rehearsal.onward(going)

    def _again(self, stand: _Stand) -> Going:
        met = []
        while stand.before:
            met.append(stand.met)
            stand = stand.before
        going, step = self._begin()
        for mode in reversed(met):
            going, step = self._meet(going, step, mode)
        return going

    def _meet(self, going: Going, step: Try | Verdict, mode: Mode | None) -> tuple[Going, Try | Verdict]:
        if mode is None:
            going = going.fork(())
        elif isinstance(step, Try):
            self._rehearsal.meet(going, step, Fault(mode))
        return going, self._rehearsal.onward(going)

    def _stand(self, going: Going, step: Try | Verdict, before: _Stand | None, met: Mode | None) -> OpenStand:
        known = max(before.known, before.spot[0] + 1) if before and before.spot else 0
        stand = _Stand(going, self._filling, 0, (), self._tangled, step, before, met, known)
        if stand.result is None:
            self._at_hand[stand] = going
        return stand
