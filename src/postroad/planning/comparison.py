"""Sets of records side by side: what changes in the zone, what that means for senders, a verdict for each goal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from postroad.planning import goals
from postroad.planning.goals import Goal, Ranking, judged, numbers, verdict
from postroad.planning.mix import share
from postroad.planning.records import Line, Machine
from postroad.planning.scorecard import Scorecard
from postroad.planning.survival import Survival
from postroad.routing import Refusal, decide
from postroad.words.names import Address
from postroad.words.phrasebook import counted, listing, percent

WORTH = Fraction(1, 200)  # half a point in a hundred: less is not worth a sentence
MOST_SHARES, MOST_OF_A_KIND = 4, 2  # sentences of the summary

Shift = tuple[Machine, Fraction, Fraction]
"""A machine, and its part of first contacts before and after."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The change from one set of records to another: zone lines gone and new, and what changes for senders.

    `better` and `worse` are the goals it comes nearer to, and those it moves away from, each with its numbers.
    `summary` is what changes for the mix, in a few sentences; `meaning` is all of it, sender by sender.
    """

    before: str
    after: str
    gone: tuple[Line, ...]
    new: tuple[Line, ...]
    better: tuple[str, ...]
    worse: tuple[str, ...]
    summary: tuple[str, ...]
    meaning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of sets of records: each difference is from the first of them."""

    cards: tuple[Scorecard, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[Ranking, ...]

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the figures do not cover, or rest on, and why a set wins nothing, in sentences."""
        return tuple(text for card in self.cards for text in (*card.caveats, *_without_mail(card)))


def compare(cards: Sequence[Scorecard]) -> Comparison:
    """Put sets of records side by side; those of one domain also line by line and machine by machine."""
    first, *others = cards
    domain = first.records.snapshot.domain
    differences = tuple(difference(first, other) for other in others if other.records.snapshot.domain == domain)
    return Comparison(tuple(cards), differences, tuple(verdict(goal, cards) for goal in Goal))


def _without_mail(card: Scorecard) -> Iterator[str]:
    """A name that is mistyped has figures too: that they count for nothing must be said."""
    answer = decide(card.records.snapshot)
    if isinstance(answer, Refusal) and not card.records.machines:
        yield f"No mail reaches {card.name}, so it is best at nothing, however cheap: {answer.text}."


def difference(before: Scorecard, after: Scorecard) -> Difference:
    """What changes from one set of records of a domain to another."""
    old, new = (dict.fromkeys(card.records.lines) for card in (before, after))
    sides: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for goal in Goal:
        told = f"{goal}: {numbers(goal, after)}. Before: {goals.before(goal, before)}."
        sides[judged(goal, before.marks, after.marks)].append(told)
    shifts, stops, news = _shifts(before, after), list(_stops(before, after)), list(_fates(before, after))
    return Difference(
        before.name,
        after.name,
        tuple(line for line in old if line not in new),
        tuple(line for line in new if line not in old),
        tuple(sides[1]),
        tuple(sides[-1]),
        (*_summed(shifts, before, after), *_first(stops), *_first(news)),
        (*_by_sender(shifts, after), *stops, *news),
    )


def _shifts(before: Scorecard, after: Scorecard) -> Mapping[str, tuple[Shift, ...]]:
    """For each sender the machines whose part of its first contacts changes, from what to what."""
    joint = list(_joint(before, after))
    firsts = {name: (before.whole.by[name].first, after.whole.by[name].first) for name in after.mix.senders}
    every = {
        name: [(each, share(was, each), share(now, each)) for each in joint] for name, (was, now) in firsts.items()
    }
    return {name: tuple(shift for shift in all_ if abs(shift[1] - shift[2]) >= WORTH) for name, all_ in every.items()}


def _by_sender(shifts: Mapping[str, tuple[Shift, ...]], card: Scorecard) -> Iterator[str]:
    """One sentence for all senders to whom the same happens, those of most mail first."""
    kinds: dict[tuple[Shift, ...], list[str]] = {}
    for name, changed in shifts.items():
        if changed:
            kinds.setdefault(changed, []).append(name)
    for changed, names in sorted(kinds.items(), key=lambda kind: -card.mix.weight(kind[1])):
        alike: dict[tuple[Fraction, Fraction], list[Machine]] = {}
        for machine, old, new in changed:
            alike.setdefault((old, new), []).append(machine)
        told = (
            f"{_several(machines)} {_moves(old, new, len(machines))} from {percent(old)} to {percent(new)}"
            for (old, new), machines in alike.items()
        )
        yield f"First contacts of {card.mix.whom(names)}: {'; '.join(told)}."


def _moves(old: Fraction, new: Fraction, count: int) -> str:
    verb = "rise" if new > old else "fall"
    return f"{verb}s" if count == 1 else f"each {verb}"


def _summed(shifts: Mapping[str, tuple[Shift, ...]], before: Scorecard, after: Scorecard) -> Iterator[str]:
    """What the machines get of the whole mix: those that change most, and those that fare alike in one sentence."""
    moved = {machine for changed in shifts.values() for machine, _old, _new in changed}
    alike: dict[tuple[str, str], list[Machine]] = {}
    for machine in (each for each in _joint(before, after) if each in moved):
        alike.setdefault((before.told_first(machine), after.told_first(machine)), []).append(machine)

    def change(group: tuple[tuple[str, str], list[Machine]]) -> Fraction:
        return -sum((abs(after.whole.first(each) - before.whole.first(each)) for each in group[1]), Fraction(0))

    told = sorted(alike.items(), key=change)[:MOST_SHARES]
    for (was, now), machines in (group for group in alike.items() if group in told):
        verb = "gets" if len(machines) == 1 else "each get"
        rest = ", as before, but from other senders" if was == now else f", before {'none' if was == '0 %' else was}"
        yield f"{_several(machines)} {verb} {now} of first contacts{rest}."
    left = sum(len(machines) for machines in alike.values()) - sum(len(machines) for _, machines in told)
    if left:
        yield f"The shares of {counted(left, 'more machine')} change by less."


def _several(machines: Sequence[Machine]) -> str:
    if len(machines) <= 2:
        return listing(map(str, machines))
    return f"{len(machines):,} machines such as {machines[0]}"


def _joint(before: Scorecard, after: Scorecard) -> Iterator[Machine]:
    """Each machine of either set once: it is the same if they have an address in common."""
    later = {address: machine for machine in after.records.machines for address in machine.addresses}
    met: set[Address] = set()
    for machine in (*before.records.machines, *after.records.machines):
        if met.isdisjoint(machine.addresses):
            same = next((later[address] for address in machine.addresses if address in later), machine)
            yield replace(same, addresses=tuple(dict.fromkeys((*machine.addresses, *same.addresses))))
            met.update(machine.addresses, same.addresses)


def _stops(before: Scorecard, after: Scorecard) -> Iterator[str]:
    """What it takes to stop mail, before and after."""
    changes: dict[tuple[str, str], list[str]] = {}
    for old, new in zip(before.survivals, after.survivals, strict=False):
        was, now = _loss(before, old), _loss(after, new)
        if {each.addresses for each in old.stops} != {each.addresses for each in new.stops}:
            changes.setdefault((was, now), []).append(old.sender)
    for (was, now), names in sorted(changes.items(), key=lambda each: -after.mix.weight(each[1])):
        yield f"What stops all mail of {after.mix.whom(names)}: {now}; before, {was}."


def _loss(card: Scorecard, known: Survival) -> str:
    lost = known.stops
    if known.unstoppable:
        return "nothing, because it counts mail as delivered that no machine took"
    if not lost:
        return "nothing, because none of it gets through anyway"
    if len(lost) > 4:
        return f"the loss of {len(lost):,} machines"
    return f"the loss of {listing(str(each) for each in card.records.machines if each in lost)}"


def _fates(before: Scorecard, after: Scorecard) -> Iterator[str]:
    yield from (f"No longer: {fate.text}" for fate in before.fates if fate not in after.fates)
    yield from (f"New: {fate.text}" for fate in after.fates if fate not in before.fates)


def _first(sentences: Sequence[str]) -> Iterator[str]:
    """Some sentences of a kind, and how many more there are."""
    fits = len(sentences) <= MOST_OF_A_KIND
    yield from sentences if fits else sentences[:1]
    if not fits:
        yield f"There are {len(sentences) - 1} more changes of this kind."
