"""Several recipients of one message, whom servers answer differently: who is tried again, who is accepted where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from postroad.models import ENDS, RefusalNews, Sender
from postroad.simulation.case import Case, Example, Step
from postroad.simulation.paths import every_way
from postroad.simulation.shares import forecast
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result

REPLIES: Mapping[int, Mode] = {250: Mode.ACCEPT, 450: Mode.R450, 550: Mode.R550}
"""What may be said to a recipient, as a fault of the server towards this one."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """The question: these servers answer the recipients of a message by these replies, in turn; the others by none."""

    case: Case
    servers: frozenset[Address]
    replies: tuple[int, ...]

    def alone(self, reply: int) -> Case:
        """The case of a message for one recipient only."""
        return replace(self.case, down={**self.case.down, **dict.fromkeys(self.servers, REPLIES[reply])})


@dataclass(frozen=True, slots=True)
class Fare:
    """How one recipient fares in the first attempt: the end, and who took the message for it."""

    reply: int
    outcome: Mapping[Result, Fraction]
    accepted: Mapping[Address, Fraction]


@dataclass(frozen=True, slots=True)
class Fates:
    """One way a message can go: all its contacts, and of each recipient the end and the server that took it."""

    chance: Fraction
    steps: tuple[Step, ...]
    results: tuple[Result, ...]
    taken: tuple[Address | None, ...]


def fares(mixed: Mixed, sender: Sender) -> tuple[Fare, ...]:
    """How each recipient fares, exactly: as if alone, for what is said to the others changes nothing for it.

    When those refused are told so is another matter: `sender.recipients.told`.
    """
    told = {reply: forecast(mixed.alone(reply), sender, examples=0) for reply in set(mixed.replies)}
    return tuple(Fare(reply, told[reply].outcome, told[reply].accepted) for reply in mixed.replies)


def every_fate(mixed: Mixed, sender: Sender) -> Iterator[Fates]:
    """All ways a message with these recipients can go. There are factorially many: for small cases."""
    is_apart = (
        sender.recipients.alone or sender.ours
    )  # what ours does after a reply stands in no data: each walks alone
    ways = _apart(mixed, sender) if is_apart else _together(mixed, sender)
    for fates in ways:
        yield replace(fates, results=_told(fates.results, sender.recipients.told))


def _apart(mixed: Mixed, sender: Sender) -> Iterator[Fates]:
    """Each recipient in an attempt of its own."""
    each = [list(every_way(mixed.alone(reply), sender)) for reply in mixed.replies]
    for ways in product(*each):
        chance = Fraction(1)
        for way in ways:
            chance *= way.chance
        steps = tuple(step for way in ways for step in way.steps)
        yield Fates(chance, steps, tuple(way.result for way in ways), tuple(map(_taker, ways)))


def _together(mixed: Mixed, sender: Sender) -> Iterator[Fates]:
    """In one session after the other: who goes on longest leads the way, the others leave at the first that answers."""
    longest = max(mixed.replies, key=lambda reply: (sender.after(REPLIES[reply]) not in ENDS, reply == 450))
    for way in every_way(mixed.alone(longest), sender):
        met = next((step.address for step in way.steps if step.address in mixed.servers), None)
        ends = [_end(way, met, reply, sender) for reply in mixed.replies]
        yield Fates(way.chance, way.steps, tuple(end for end, _taker in ends), tuple(taker for _end, taker in ends))


def _end(way: Example, met: Address | None, reply: int, sender: Sender) -> tuple[Result, Address | None]:
    end = ENDS.get(sender.after(REPLIES[reply]))
    if met is None or end is None:
        return way.result, _taker(way)
    return end, met if end is Result.DELIVERED else None


def _taker(way: Example) -> Address | None:
    return way.steps[-1].address if way.result is Result.DELIVERED else None


def _told(results: Sequence[Result], told: RefusalNews) -> tuple[Result, ...]:
    """Whoever is not told yet that he was refused waits with the others."""
    waits = Result.DEFERRED in results and (
        told is RefusalNews.AT_THE_END or (told is RefusalNews.IF_ANY_TAKEN and Result.DELIVERED not in results)
    )
    return tuple(Result.DEFERRED if waits and each is Result.FAILED else each for each in results)
