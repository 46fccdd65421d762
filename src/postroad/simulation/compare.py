"""Sets of records side by side: what changes in the zone, what that means for senders, a verdict for each goal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from postroad.senders.model import Equals, Sender, Unit
from postroad.simulation.crowd import View
from postroad.simulation.phrases import listing, named, percent, seconds
from postroad.simulation.records import Line, Server
from postroad.simulation.standing import Standing
from postroad.words.names import Address

MOST_SENTENCES = 40  # of one kind; a zone of hundreds of servers says how many more there are
WORTH = Fraction(1, 200)  # half a point in a hundred: less is not worth a sentence


class Goal(StrEnum):
    """What a set of records may be good at."""

    BALANCE = "balance"
    FAILOVER = "fail-over"
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
    """From one set of records to another: zone lines gone and new, and what changes for senders, in sentences."""

    before: str
    after: str
    gone: tuple[Line, ...]
    new: tuple[Line, ...]
    meaning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about some sets of records: differences are each from the first of them."""

    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[Verdict, ...] = field(default_factory=tuple)


def compare(standings: Sequence[Standing], view: View) -> Comparison:
    """Put sets of records side by side; those of one domain also line by line and server by server."""
    first, *others = standings
    differences = tuple(
        difference(first, other, view) for other in others if other.snapshot.domain == first.snapshot.domain
    )
    return Comparison(tuple(standings), differences, tuple(verdict(goal, standings) for goal in Goal))


def difference(before: Standing, after: Standing, view: View) -> Difference:
    """What changes from one set of records of a domain to another."""
    gone = tuple(line for line in before.lines if line not in after.lines)
    new = tuple(line for line in after.lines if line not in before.lines)
    shares = list(_shares(before, after, view))
    if len(shares) > MOST_SENTENCES:
        shares[MOST_SENTENCES:] = [f"{len(shares) - MOST_SENTENCES} more shares of first contacts change."]
    meaning = (*shares, *_stops(before, after, view), *_numbers(before, after), *_fates(before, after))
    return Difference(before.name, after.name, gone, new, meaning)


def verdict(goal: Goal, standings: Sequence[Standing]) -> Verdict:
    """Who does best at a goal; what differs by less than people would notice is equally good."""
    marks = {each.name: _mark(goal, each) for each in standings}
    best = min(marks.values())
    return Verdict(
        goal,
        tuple(name for name, mark in marks.items() if mark == best),
        {each.name: numbers(goal, each) for each in standings},
    )


def numbers(goal: Goal, standing: Standing) -> str:
    """What a set of records does for a goal, with the numbers."""
    match goal:
        case Goal.BALANCE:
            return _balance(standing)
        case Goal.FAILOVER:
            return _failover(standing)
        case Goal.DNS_COST:
            return (
                f"{float(standing.questions):.1f} questions and {float(standing.octets):.0f} octets a message, "
                f"or at most {standing.most_questions} questions a TTL through one cache"
            )
        case Goal.SIMPLICITY:
            shared = f", {named(standing.shared, 'server')} with several names" if standing.shared else ""
            return f"{named(len(standing.lines), 'record')}{shared}"


def _mark(goal: Goal, standing: Standing) -> tuple[float, ...]:
    """The lower the better, rounded to what is worth telling."""
    match goal:
        case Goal.BALANCE:
            # One server is no balance at all
            return (round(float(standing.tilt), 2) if len(standing.servers) > 1 else float("inf"),)
        case Goal.FAILOVER:
            return (-round(float(standing.kept), 3), round(standing.wait_s, 1))
        case Goal.DNS_COST:
            return (round(float(standing.questions), 2), round(float(standing.octets)))
        case Goal.SIMPLICITY:
            return (standing.shared, len(standing.lines))


def _balance(standing: Standing) -> str:
    if not standing.busiest:
        return "no server"
    if len(standing.servers) == 1:
        return f"one server, {standing.busiest}, takes all"
    even = percent(Fraction(1, len(standing.servers)))
    return f"the busiest server, {standing.busiest}, gets {percent(standing.load)} of first contacts, even is {even}"


def _failover(standing: Standing) -> str:
    if not standing.lost:
        return "no server"
    return (
        f"{percent(standing.kept)} of mail gets through at once with any one server refusing; "
        f"an attempt takes {seconds(standing.wait_s)} on average with the busiest silent"
    )


def _shares(before: Standing, after: Standing, view: View) -> Iterator[str]:
    """One sentence for each server and change of its share, with everyone for whom it is so."""
    known = {server.address: server for server in (*before.servers, *after.servers)}
    for server in known.values():
        changes: dict[tuple[Fraction, Fraction], list[str]] = {}
        for name in view.crowd.senders:
            shares = _first(before, name, server.address), _first(after, name, server.address)
            if abs(shares[0] - shares[1]) >= WORTH:
                changes.setdefault(shares, []).append(name)
        for (old, new), names in changes.items():
            moves = "falls" if new < old else "rises"
            yield f"{server} {moves} from {percent(old)} to {percent(new)} of first contacts for {whom(names, view)}."


def _first(standing: Standing, name: str, address: Address) -> Fraction:
    return standing.whole.by[name].first.get(address, Fraction(0))


def _stops(before: Standing, after: Standing, view: View) -> Iterator[str]:
    """What it takes to stop mail, before and after."""
    servers = {server.address: server for server in (*before.servers, *after.servers)}
    changes: dict[tuple[frozenset[Address], frozenset[Address]], list[str]] = {}
    for old, new in zip(before.survivals, after.survivals, strict=True):
        if old.stops != new.stops:
            changes.setdefault((old.stops, new.stops), []).append(old.sender)
    for (was, now), names in changes.items():
        yield f"What stops all mail of {whom(names, view)}: before, {_loss(was, servers)}; now, {_loss(now, servers)}."


def _loss(lost: frozenset[Address], servers: Mapping[Address, Server]) -> str:
    if not lost:
        return "nothing gets through at all"
    if len(lost) > 4:
        return f"the loss of {len(lost)} servers"
    return f"the loss of {listing(str(servers[address]) for address in servers if address in lost)}"


def _numbers(before: Standing, after: Standing) -> Iterator[str]:
    if abs(before.kept - after.kept) >= WORTH:
        yield (
            f"With any one server refusing, {percent(after.kept)} of mail gets through at once, before "
            f"{percent(before.kept)}."
        )
    if abs(before.wait_s - after.wait_s) >= 1:
        yield (
            f"With the busiest server silent an attempt takes {seconds(after.wait_s)} on average, before "
            f"{seconds(before.wait_s)}."
        )
    if abs(before.octets - after.octets) >= 1:
        yield (
            f"A message costs {float(after.questions):.1f} DNS questions and {float(after.octets):.0f} octets, before "
            f"{float(before.questions):.1f} and {float(before.octets):.0f}."
        )


def _fates(before: Standing, after: Standing) -> Iterator[str]:
    yield from (f"No longer: {fate.text}" for fate in before.fates if fate not in after.fates)
    yield from (f"New: {fate.text}" for fate in after.fates if fate not in before.fates)


def whom(names: Sequence[str], view: View) -> str:
    """Some senders in words: by what they have in common where it is all who have it, and their part of mail."""
    senders = view.crowd.senders
    if len(names) == len(senders):
        return "every sender"
    weight = sum((view.crowd.weights.get(name, Fraction(0)) for name in names), Fraction(0))
    part = f"; {percent(weight)} of mail" if weight else ""
    traits = {_trait(senders[name]) for name in names}
    alike = {name for name, sender in senders.items() if _trait(sender) in traits}
    if len(traits) == 1 and alike == set(names):
        return f"senders {min(traits)} ({listing(names)}{part})"
    return f"{listing(names)}{f' ({part[2:]})' if part else ''}"


def _trait(sender: Sender) -> str:
    match sender.equals:
        case Equals.GIVEN:
            return "in DNS order"
        case Equals.RANDOM:
            return "that draw an address" if sender.unit is Unit.ADDRESS else "that draw a host"
        case _:
            return "with an order of their own"
