"""Sets of records side by side: what changes in the zone, what that means for senders, a verdict for each goal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from postroad.planning.mix import share
from postroad.planning.phrases import listing, named, percent, rough_seconds, seconds
from postroad.planning.records import Line, Machine
from postroad.planning.scorecard import Scorecard
from postroad.words.names import Address

MOST_SENTENCES = 40  # of one kind; a zone of hundreds of machines says how many more there are
WORTH = Fraction(1, 200)  # half a point in a hundred: less is not worth a sentence


class Goal(StrEnum):
    """What a set of records may be good at."""

    BALANCE = "balance"
    FAILOVER = "fail-over"
    NETWORK = "network loss"
    DNS_COST = "DNS cost"
    SIMPLICITY = "simplicity"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who does best at a goal, and what each does, in words with numbers."""

    goal: Goal
    best: tuple[str, ...]
    numbers: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """Who does best, and how."""
        if len(self.best) == len(self.numbers):
            return f"{self.goal}: no difference: {self.numbers[self.best[0]]}."
        return f"{self.goal}: {listing(self.best)} best: {self.numbers[self.best[0]]}."


@dataclass(frozen=True, slots=True)
class Difference:
    """From one set of records to another: zone lines gone and new, and what changes for senders, in sentences.

    `better` and `worse` are the goals it comes nearer to, and those it moves away from, each with its numbers.
    """

    before: str
    after: str
    gone: tuple[Line, ...]
    new: tuple[Line, ...]
    better: tuple[str, ...]
    worse: tuple[str, ...]
    meaning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about some sets of records: differences are each from the first of them."""

    cards: tuple[Scorecard, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[Verdict, ...]


def compare(cards: Sequence[Scorecard]) -> Comparison:
    """Put sets of records side by side; those of one domain also line by line and machine by machine."""
    first, *others = cards
    domain = first.records.snapshot.domain
    differences = tuple(difference(first, other) for other in others if other.records.snapshot.domain == domain)
    return Comparison(tuple(cards), differences, tuple(verdict(goal, cards) for goal in Goal))


def difference(before: Scorecard, after: Scorecard) -> Difference:
    """What changes from one set of records of a domain to another."""
    lines = [dict.fromkeys(card.records.lines) for card in (before, after)]
    gone = tuple(line for line in lines[0] if line not in lines[1])
    new = tuple(line for line in lines[1] if line not in lines[0])
    shares = list(_shares(before, after))
    if len(shares) > MOST_SENTENCES:
        shares[MOST_SENTENCES:] = [f"{len(shares) - MOST_SENTENCES} more shares of first contacts change."]
    sides: dict[str, list[str]] = {before.name: [], after.name: []}
    for goal in Goal:
        best = _best(goal, [before, after])
        if len(best) == 1:
            now, was = (dns_cost(card) if goal is Goal.DNS_COST else numbers(goal, card) for card in (after, before))
            sides[best[0]].append(f"{goal}: {now}; before, {was}.")
    meaning = (*shares, *_stops(before, after), *_fates(before, after))
    return Difference(before.name, after.name, gone, new, tuple(sides[after.name]), tuple(sides[before.name]), meaning)


def verdict(goal: Goal, cards: Sequence[Scorecard]) -> Verdict:
    """Who does best at a goal."""
    return Verdict(goal, tuple(_best(goal, cards)), {each.name: numbers(goal, each) for each in cards})


def numbers(goal: Goal, card: Scorecard) -> str:
    """What a set of records does for a goal, with the numbers."""
    match goal:
        case Goal.BALANCE:
            return balance(card)
        case Goal.FAILOVER:
            return _failover(card)
        case Goal.NETWORK:
            return _network(card)
        case Goal.DNS_COST:
            return f"{dns_cost(card)}, or at most {card.most_questions} questions a TTL through one cache"
        case Goal.SIMPLICITY:
            shared = f", {named(_shared(card), 'machine')} with several names" if _shared(card) else ""
            return f"{named(len(card.records.lines), 'record')}{shared}"


def balance(card: Scorecard) -> str:
    """How first contacts are spread."""
    front, busiest = card.records.front, card.busiest
    if busiest is None:
        return "no machine"
    if len(front) == 1 and card.load == 1:
        rest = len(card.records.backups)
        resting = f" while it is up; {named(rest, 'backup')} {'stands' if rest == 1 else 'stand'} by" if rest else ""
        return f"one machine, {busiest}, takes all{resting}"
    return f"the busiest machine, {busiest}, gets {card.load_told()}; an even share is {percent(card.even)}"


def silence(card: Scorecard) -> str:
    """How long a message takes that meets the busiest machine silent."""
    return (rough_seconds if card.mix.is_rough else seconds)(card.silence_s)


def dns_cost(card: Scorecard) -> str:
    """Questions and octets of one message, as exact as the mix."""
    questions, octets = dns_figures(card)
    return f"{'about ' if card.mix.is_rough else ''}{questions} questions and {octets} octets a message"


def dns_figures(card: Scorecard) -> tuple[str, str]:
    """The same as two numbers."""
    questions, octets = float(card.marks.questions), float(card.marks.octets)
    return (
        (f"{questions:.0f}", f"{round(octets, -1):.0f}") if card.mix.is_rough else (f"{questions:.1f}", f"{octets:.0f}")
    )


def _failover(card: Scorecard) -> str:
    if not card.lost:
        return "no machine"
    if len(card.records.machines) == 1:
        return "with its one machine lost, all mail waits"
    caught = "all" if card.marks.caught == 1 else f"{card.mix.percent(card.marks.caught)} of"
    is_pair = len(card.records.machines) == 2
    which = "its busiest machine" if card.is_sampled else "either machine" if is_pair else "any one machine"
    rest = "the other takes" if is_pair else "the others take"
    return (
        f"with {which} refusing, {rest} {caught} its mail at once; a message that finds the busiest one "
        f"silent takes {silence(card)} on average"
    )


def _network(card: Scorecard) -> str:
    if not card.lost:
        return "no machine"
    if len(card.records.networks) == 1:
        return "all is in one network"
    kept = "all" if card.marks.kept_network == 1 else f"{card.mix.percent(card.marks.kept_network)} of"
    count = len(card.records.networks)
    which = "the busiest" if card.is_sampled else "either" if count == 2 else "any one"
    return f"with {which} of {count} networks gone, {kept} mail gets through at once"


def _best(goal: Goal, cards: Sequence[Scorecard]) -> list[str]:
    """Who does best: mark by mark; what differs by less than people would notice is equally good."""
    left = {each.name: list(_marks(goal, each)) for each in cards}
    while any(left.values()):
        marks = {name: marks.pop(0) for name, marks in left.items()}
        best = min(value for value, _ in marks.values())
        left = {name: left[name] for name, (value, notice) in marks.items() if value <= best + notice}
    return list(left)


def _marks(goal: Goal, card: Scorecard) -> Iterable[tuple[float, float]]:
    """The lower the better, the most telling first, each with the difference that nobody would notice."""
    marks = card.marks
    match goal:
        case Goal.BALANCE:  # one machine that takes all is no balance
            yield float(marks.load) * len(card.records.front) if len(card.records.front) > 1 else 1e9, 0.05
        case Goal.FAILOVER:
            yield -float(marks.caught), 0.01
            yield card.silence_s, max(1.0, 0.1 * card.silence_s)
        case Goal.NETWORK:
            yield -float(marks.kept_network), 0.01
        case Goal.DNS_COST:
            yield float(marks.questions), 0.1
            yield float(marks.octets), 0.5
        case Goal.SIMPLICITY:
            yield _shared(card), 0
            yield len(card.records.lines), 0


def _shared(card: Scorecard) -> int:
    """Machines that stand behind more than one name: each name needs a reverse name of its own."""
    return sum(1 for machine in card.records.machines if len(machine.exchangers) > 1)


def _shares(before: Scorecard, after: Scorecard) -> Iterator[str]:
    """One sentence for each machine and change of its share, with everyone for whom it is so."""
    for machine in _joint(before, after):
        changes: dict[tuple[Fraction, Fraction], list[str]] = {}
        for name in after.mix.senders:
            old, new = (share(card.whole.by[name].first, machine) for card in (before, after))
            if abs(old - new) >= WORTH:
                changes.setdefault((old, new), []).append(name)
        for (old, new), names in changes.items():
            moves = "falls" if new < old else "rises"
            whom = after.mix.whom(names)
            yield f"{machine} {moves} from {percent(old)} to {percent(new)} of first contacts for {whom}."


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
    for old, new in zip(before.survivals, after.survivals, strict=True):
        if {each.addresses for each in old.stops} != {each.addresses for each in new.stops}:
            changes.setdefault((_loss(before, old.stops), _loss(after, new.stops)), []).append(old.sender)
    for (was, now), names in changes.items():
        yield f"What stops all mail of {after.mix.whom(names)}: before, {was}; now, {now}."


def _loss(card: Scorecard, lost: frozenset[Machine]) -> str:
    if not lost:
        return "nothing, for nothing gets through at all"
    if len(lost) > 4:
        return f"the loss of {len(lost)} machines"
    return f"the loss of {listing(str(each) for each in card.records.machines if each in lost)}"


def _fates(before: Scorecard, after: Scorecard) -> Iterator[str]:
    yield from (f"No longer: {fate.text}" for fate in before.fates if fate not in after.fates)
    yield from (f"New: {fate.text}" for fate in after.fates if fate not in before.fates)
