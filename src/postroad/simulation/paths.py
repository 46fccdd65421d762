"""Single ways an attempt can go, server by server: a few as examples, or all of a small case."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from heapq import nlargest
from operator import attrgetter
from typing import NamedTuple

from postroad.models import Sender, Then
from postroad.simulation.case import Case, Example, Step
from postroad.simulation.contacts import ModelContact, ModelExchanger
from postroad.simulation.limits import CountedLimits, counted
from postroad.simulation.orders import times
from postroad.simulation.own import every_example
from postroad.simulation.plans import FoundExchangers, NoWay, exchanges, plans
from postroad.simulation.steps import Next, Position, Steps
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.trail import Target

_CHANCE = attrgetter("chance")


class _Way(NamedTuple):
    """A way so far."""

    chance: Fraction
    at_s: float
    place: Position
    steps: tuple[Step, ...] = ()
    result: Result | None = None  # if it has come to its end


class _Taken(NamedTuple):
    """What comes of a contact, or of having none left: the place then, or the result; and its steps, by its time."""

    chance: Fraction
    pause_s: float
    result: Result | None
    place: Position
    to: ModelContact | None
    made: Callable[[float], tuple[Step, ...]]


def every_way(case: Case, sender: Sender, found: FoundExchangers | None = None) -> Iterator[Example]:
    """All ways, each with its chance. There are factorially many: for small cases, to hold the exact shares against.

    The same contacts may come from several orders of an answer: then they are told several times. `found`: what this
    sender finds there, if that is known.
    """
    if sender.ours:
        yield from every_example(case)
        return
    found = exchanges(case.snapshot, sender) if found is None else found
    if isinstance(found, NoWay):
        if not found.unable:
            yield Example(Fraction(1), (), found.result)
        return
    limits = counted(case, sender, found)
    ways = plans(case, sender, found, limits, alike=False)
    for levels in ways:
        steps = Steps(sender, levels, limits)
        # Many ways lead to a place
        nexts = cache(lambda place, steps=steps: _ends_once(_take(steps, option) for option in steps.nexts(place)))
        yield from _all_from(nexts, _Way(Fraction(1, len(ways)), 0.0, steps.start()))


def some_examples(
    case: Case, sender: Sender, found: tuple[ModelExchanger, ...], limits: CountedLimits, number: int
) -> tuple[Example, ...]:
    """A few ways that begin differently, the likeliest beginnings first, each going on by its likeliest step."""
    if number == 0:
        return ()
    ways = Counter(plans(case, sender, found, limits, alike=False))
    begun: dict[Target | None, list[tuple[Steps, _Way, Next]]] = defaultdict(list)
    for levels, count in ways.items():
        steps = Steps(sender, levels, limits)
        start = _Way(Fraction(count, ways.total()), 0.0, steps.start())
        for option in nlargest(number, steps.nexts(start.place), key=_CHANCE):
            begun[option.contact.target if option.contact else None].append((steps, start, option))
    told: dict[tuple[Step, ...], Example] = {}
    for each in sorted(begun.values(), key=lambda each: -sum(way.chance * next_.chance for _, way, next_ in each)):
        for way in each if len(told) < number else ():
            example = _one_from(*way)
            known = told.get(example.steps)
            chance = example.chance + (known.chance if known else 0)
            told[example.steps] = Example(chance, example.steps, example.result)
    return tuple(sorted(told.values(), key=lambda example: -example.chance)[:number])


def _all_from(nexts: Callable[[Position], Sequence[_Taken]], start: _Way) -> Iterator[Example]:
    ahead = [start]
    while ahead:
        way = ahead.pop()
        if way.result is None:
            ahead += [_further(way, taken) for taken in reversed(nexts(way.place))]
        else:
            yield Example(way.chance, way.steps, way.result)


def _one_from(steps: Steps, way: _Way, option: Next) -> Example:
    while True:
        way = _further(way, _take(steps, option))
        if way.result is not None:
            return Example(way.chance, way.steps, way.result)
        option = max(steps.nexts(way.place), key=_CHANCE)


def _take(steps: Steps, option: Next) -> _Taken:
    """What comes of an option, by whichever way it is come to."""
    contact = option.contact
    if contact is None:
        return _Taken(option.chance, option.pause_s, steps.verdict(option.place), option.place, None, _nobody)
    result, _took_s, place = steps.after(option.place, contact)
    waited_s = contact.wait_s if result or not contact.silent else place.tally.pace_s
    to = contact.target
    modes = (contact.met, Mode.ACCEPT) if contact.then is Then.RECONNECT_IN_CLEAR else (contact.met,)

    def made(at_s: float) -> tuple[Step, ...]:
        return tuple([Step(to.exchange, to.address, to.preference, met, at_s, waited_s) for met in modes])

    return _Taken(option.chance, option.pause_s, result, place, contact, cache(made))


def _ends_once(every: Iterable[_Taken]) -> list[_Taken]:
    """Ends that are alike as one: how many were passed over before, and in which order, changes nothing any more."""
    known: dict[tuple[object, ...], _Taken] = {}
    for number, each in enumerate(every):
        key = (each.to, each.result, each.pause_s) if each.result else (number,)
        known[key] = each._replace(chance=known[key].chance + each.chance) if key in known else each
    return list(known.values())


def _nobody(_at_s: float) -> tuple[Step, ...]:
    return ()


def _further(way: _Way, taken: _Taken) -> _Way:
    at_s, chance = way.at_s + taken.pause_s, times(way.chance, taken.chance)
    return _Way(chance, at_s, taken.place, way.steps + taken.made(at_s), taken.result)
