"""Single ways an attempt of ours can go, contact by contact: all of them, a few, or the one that a draw takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from postroad.routing import Plan
from postroad.simulation.own.graph import Graph, Left, Stand
from postroad.words.outcome import Outcome
from postroad.words.trail import Contact


@dataclass(frozen=True, slots=True)
class Way:
    """One way: its chance, its contacts in order of start, the outcomes, and the seconds until its end."""

    chance: Fraction
    contacts: tuple[Contact, ...]
    outcomes: tuple[Outcome, ...]
    took_s: float


class Option(NamedTuple):
    """A host that may be drawn next: its chance and name, its class and row, and who is left then."""

    chance: Fraction
    name: str
    number: int
    row: int
    left: Left


Choose = Callable[[int, Sequence[Option]], Sequence[Option]]
"""Which options to follow, given how many hosts are drawn, and all there are."""


def everything(_drawn: int, options: Sequence[Option]) -> Sequence[Option]:
    """All of them."""
    return options


def first_of_each(drawn: int, options: Sequence[Option]) -> Sequence[Option]:
    """All beginnings, and one way on from each."""
    return options[:1] if drawn else options


def as_planned(plan: Plan) -> Choose:
    """The hosts in the order of a plan; those that are not in it have nothing to add to it."""
    place = {target.exchange: at for at, target in reversed([*enumerate(plan.targets)])}
    return lambda _drawn, options: [min(options, key=lambda option: place.get(option.name, len(plan.targets)))]


def ways(graph: Graph, chance: Fraction, choose: Choose = everything) -> Iterator[Way]:
    """The ways of a graph that does not merge: each with its chance, also if others have the same contacts."""
    left = tuple(tuple(each.count for each in level) for level in graph.levels)
    yield from _from(graph, graph.start(), left, Way(chance, (), (), 0.0), choose, 0)


def _from(graph: Graph, stand: Stand, left: Left, way: Way, choose: Choose, drawn: int) -> Iterator[Way]:
    for chance, _name, number, row, rest in choose(drawn, list(_options(graph, stand, left))):
        leg = graph.leg(stand, number, row, rest)
        so_far = Way(way.chance * chance, leg.trail, leg.outcomes, way.took_s + leg.took_s)
        if leg.then:
            yield from _from(graph, leg.then, rest, so_far, choose, drawn + 1)
        else:
            yield so_far


def _options(graph: Graph, stand: Stand, left: Left) -> Iterator[Option]:
    level = stand.level
    for number, count in enumerate(left[level]):
        if not count:
            continue
        hosts, part = graph.levels[level][number], 1 if graph.in_order else Fraction(count, sum(left[level]))
        fewer = (*left[level][:number], count - 1, *left[level][number + 1 :])
        rest = (*left[:level], fewer, *left[level + 1 :])
        for place, row in enumerate(hosts.rows):
            chance = part * Fraction(row.number, hosts.ways)
            yield Option(chance, row.host.name, number, place, rest)
        if graph.in_order:
            return
