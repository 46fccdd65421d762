"""Attempts of ours whose contacts are not known in advance: what each one meets is looked up when it begins.

Hosts between which a plan makes no difference are drawn as one with their number, and each is known by when it was
drawn: who it is, must be known to the one who draws it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import NamedTuple

from postroad.routing import Exchanger, Filling, Route, Try, Verdict
from postroad.simulation.case import DnsOrder
from postroad.simulation.enforcing import unmet
from postroad.simulation.own.graph import Left, OwnTerms, next_level, taken_last
from postroad.simulation.own.hosts import Class, draws_of
from postroad.simulation.own.rehearsal import Going, Undrawn
from postroad.words.faults import Fault, Mode
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.tls import Demand
from postroad.words.trail import Target

Spot = tuple[int, int]
"""Which of the hosts drawn that may still be asked, by its number, and which of its addresses."""


@dataclass(frozen=True, slots=True, eq=False)
class HostGroup:
    """Hosts of one preference between which an attempt makes no difference: of each the orders of its addresses.

    `is_told`: who draws a host must say in which order its addresses come, for the attempt depends on it.
    """

    preference: int
    hosts: tuple[tuple[Exchanger, ...], ...]
    is_told: bool

    def targets(self, host: int, order: int) -> tuple[Target, ...]:
        """The addresses of a host in one of their orders."""
        one = self.hosts[host][order]
        return tuple(Target(one.name, address, self.preference) for address in one.addresses)


Groups = tuple[tuple[HostGroup, ...], ...]
"""Those of each level."""


@dataclass(frozen=True, slots=True)
class Openings:
    """How attempts may begin, each as likely. `in_step`: all hosts have their addresses in the order of one number."""

    groups: tuple[Groups, ...]
    tangled: frozenset[Address]
    in_step: bool


def openings(route: Route, terms: OwnTerms, order: DnsOrder) -> Openings:
    """The hosts of a route, in every turn that the sender may be at, or with their addresses in orders of their own.

    Only where names share an address does it matter to an attempt who they are.
    """
    draws = draws_of(route, terms.rehearsal, order, limit=terms.policy.limit, turns=True, alike=False)
    levels = [[_orders(draw.levels[at]) for draw in draws.draws] for at in range(len(route.levels))]
    preferences = [level.preference for level in route.levels]
    if draws.tangled:
        groups = tuple(tuple(map(_apart, preferences, turn)) for turn in zip(*levels, strict=True))
        return Openings(groups, draws.tangled, in_step=False)
    joined = [[sum(turns, ()) for turns in zip(*level, strict=True)] for level in levels]
    return Openings((tuple(map(_alike, preferences, joined)),), draws.tangled, in_step=len(draws.draws) > 1)


def by_fate(groups: Groups, fate: Callable[[Address], Hashable]) -> Groups:
    """The groups with only those hosts together that meet the same at the same time."""
    return tuple(tuple(chain.from_iterable(_by_fate(group, fate) for group in level)) for level in groups)


def _by_fate(group: HostGroup, fate: Callable[[Address], Hashable]) -> Iterator[HostGroup]:
    alike: dict[Hashable, list[tuple[Exchanger, ...]]] = defaultdict(list)
    for host in group.hosts:
        alike[tuple(tuple(map(fate, one.addresses)) for one in host)].append(host)
    return (replace(group, hosts=tuple(hosts)) for hosts in alike.values())


def _orders(classes: Iterable[Class]) -> list[tuple[Exchanger, ...]]:
    return [tuple(row.host for row in each.rows for _ in range(row.number)) for each in classes]


def _apart(preference: int, hosts: Sequence[tuple[Exchanger, ...]]) -> tuple[HostGroup, ...]:
    return tuple(HostGroup(preference, (host,), is_told=True) for host in hosts)


def _alike(preference: int, hosts: Sequence[tuple[Exchanger, ...]]) -> tuple[HostGroup, ...]:
    alike: dict[Hashable, list[tuple[Exchanger, ...]]] = defaultdict(list)
    for host in hosts:
        alike[len(host[0].addresses), _asks(host[0].demand)].append(host)
    return tuple(HostGroup(preference, tuple(each), is_told=False) for each in alike.values())


def _asks(demand: Demand) -> Hashable:
    """What a walk can tell of a demand."""
    return demand.missed is None, unmet(demand)


@dataclass(frozen=True, slots=True)
class _At(Target):
    """A target of which only the spot counts."""

    spot: Spot = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class OpenStand:
    """An attempt that is about to draw a host, or to contact one, or is over; `left` are the hosts of each group."""

    going: Going
    filling: Filling
    level: int
    left: Left
    tangled: frozenset[Address]
    step: Try | Verdict

    @property
    def spot(self) -> Spot | None:
        """Where it is about to make a contact."""
        return self.step.target.spot if isinstance(self.step, Try) and isinstance(self.step.target, _At) else None

    @property
    def free(self) -> int:
        """The lowest number that no host has: one that will not be asked again needs none."""
        used = {spot[0] for spot in map(_spot, self.going.walk.may_be_asked) if spot is not None}
        return next(number for number in range(len(used) + 1) if number not in used)

    @property
    def result(self) -> Result | None:
        """How it ended."""
        return self.step.outcomes[0].result if isinstance(self.step, Verdict) else None

    @property
    def taken_by(self) -> Spot | None:
        """Who took the message."""
        taker = taken_last(self.going.walk.contacts)
        return _spot(taker) if taker else None

    @property
    def standing(self) -> Hashable:
        """All that its future depends on, with times from now."""
        going, left_over = self.going, self.filling.standing(self.tangled)
        agenda = []
        for at, _order, what in sorted(going.agenda, key=lambda event: event[:2]):
            tried, fault = going.tries[what if isinstance(what, int) else what.number]
            agenda.append((round(at - going.now, 6), type(what), _spot(tried.target), fault.mode))
        asks = (_spot(self.step.target), self.step.clear) if isinstance(self.step, Try) else None
        return going.walk.standing(going.now, _told), tuple(agenda), left_over, self.level, self.left, asks


class DrawnHost(NamedTuple):
    """A host of a group, with the number it has from now on; the order of its addresses counts if it is told."""

    group: HostGroup
    number: int
    order: int


@dataclass(frozen=True, slots=True, eq=False)
class HostChoice:
    """What comes next, with its chance: the host that is drawn for it, and the stand then."""

    chance: Fraction
    drawn: DrawnHost | None
    then: OpenStand


class OpenGraph:
    """Attempts that begin in one way, step by step."""

    def __init__(self, route: Route, groups: Groups, tangled: frozenset[Address], terms: OwnTerms) -> None:
        self._route, self._groups, self._tangled, self._terms = route, groups, tangled, terms
        self._rehearsal = terms.rehearsal
        self._most = sum(len(group.hosts) for level in groups for group in level)

    def start(self) -> OpenStand:
        """Nobody is drawn."""
        going = self._rehearsal.begin((Undrawn.of(self._route, 0),), self._terms.recipients)
        left = tuple(tuple(len(group.hosts) for group in level) for level in self._groups)
        filling = Filling(self._route, self._terms.policy)
        return OpenStand(going, filling, 0, left, self._tangled, self._rehearsal.onward(going))

    def choices(self, stand: OpenStand) -> Iterator[HostChoice]:
        """Who may come next."""
        if stand.spot is not None:
            yield HostChoice(Fraction(1), None, stand)
            return
        left = stand.left[stand.level]
        for number, (group, count) in enumerate(zip(self._groups[stand.level], left, strict=True)):
            orders = group.hosts[0] if group.is_told else group.hosts[0][:1]
            for order in range(len(orders)) if count else ():
                chance = Fraction(count, sum(left) * len(orders))
                drawn = DrawnHost(group, stand.free, order)
                yield HostChoice(chance, drawn, self._draw(stand, number, drawn))

    def follow(self, choice: HostChoice, mode: Mode | None) -> tuple[OpenStand, float]:
        """The next stand if this is met, and the seconds until then; None: the contact is not made at all."""
        before = choice.then
        if before.spot is None or not isinstance(before.step, Try):
            return before, 0.0
        if mode is None:
            going = before.going.fork(())
        else:
            going = before.going.copy()
            self._rehearsal.meet(going, before.step, Fault(mode))
        step = self._rehearsal.onward(going)
        return replace(before, going=going, step=step), going.now - before.going.now

    def _draw(self, stand: OpenStand, number: int, drawn: DrawnHost) -> OpenStand:
        filling = stand.filling.fork()
        targets = self._targets(filling, drawn, self._most - sum(map(sum, stand.left)))
        level = stand.left[stand.level]
        fewer = (*level[:number], level[number] - 1, *level[number + 1 :])
        left = (*stand.left[: stand.level], fewer, *stand.left[stand.level + 1 :])
        further = next_level(left, self._groups, partial(_has_place_for, filling), stand.level)
        undrawn = () if further is None else (Undrawn.of(self._route, further),)
        going = stand.going.fork((*targets, *undrawn))
        step = self._rehearsal.onward(going)
        return OpenStand(going, filling, stand.level if further is None else further, left, self._tangled, step)

    @staticmethod
    def _targets(filling: Filling, drawn: DrawnHost, before: int) -> tuple[Target, ...]:
        """The addresses of a host in a plan that has so many hosts already."""
        group, host = drawn.group, drawn.group.hosts[0][drawn.order]
        # One that stands for many has a name of its own each time it is drawn
        named = host if group.is_told else replace(host, name=str(before), port=before + 1)
        return tuple(
            _At(
                to.exchange,
                to.address,
                to.preference,
                to.port,
                to.demand,
                spot=(drawn.number, host.addresses.index(to.address)),
            )
            for to in filling.add(group.preference, named)
        )


def _has_place_for(filling: Filling, _level: int, group: HostGroup) -> bool:
    host = group.hosts[0][0]
    return filling.has_place_for(group.preference, host if group.is_told else replace(host, port=0))


def _told(target: Target) -> Hashable:
    return _spot(target), _asks(target.demand)


def _spot(target: Target) -> Spot | None:
    return target.spot if isinstance(target, _At) else None
