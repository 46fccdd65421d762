"""What a model says of one message in a window of time: its attempts, contact by contact, as the rows write them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from tests.support.rounds import ended_s, with_rounds
from tests.truth.chances import could_be
from tests.truth.rows import Row, case_of, name_of, sender_of

from postroad.models import Sender
from postroad.simulation import Case, Example, Step
from postroad.simulation.paths import every_way
from postroad.words.outcome import Result

_ENDINGS = {Result.FAILED: "bounced", Result.DEFERRED: "deferred"}
_SLACK_S = 2.0  # a contact so near the end of the window may be in it or not
_MOST_ATTEMPTS = 6


class Told(NamedTuple):
    """One way the attempts of a message can go inside the window.

    `begins` is its first attempt: the class in which messages are counted, for what comes later comes by the clock.
    """

    text: str
    begins: str
    chance: Fraction
    seconds: float  # until the last contact, or the delivery


@dataclass
class Window:
    """The model of a row's sender, seen for as long as the row was."""

    case: Case
    sender: Sender
    seconds: float
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        for way in self._ways:
            first = with_rounds(way, self.sender, self.seconds)
            self.told.extend(self._from(first, (), 0.0, way.chance, "", 1))

    @cached_property
    def _ways(self) -> list[Example]:
        """Every way one attempt can go: all of a message have the same."""
        return _merged(every_way(self.case, self.sender))

    def _from(
        self, way: Example, before: tuple[str, ...], at_s: float, chance: Fraction, begins: str, number: int
    ) -> Iterator[Told]:
        seen = [name_of(step.address) for step in way.steps if at_s + step.at_s <= self.seconds]
        begins = begins or f"{'>'.join(seen)} => {_ENDINGS.get(way.result, 'delivered')}"
        names = (*before, *seen)
        last_s = at_s + (way.steps[len(seen) - 1].at_s if seen else 0.0)
        if len(seen) < len(way.steps) or way.result is not Result.DEFERRED:
            yield self._told(way, names, len(seen), last_s, chance, begins)
            return
        for seconds in (-_SLACK_S, _SLACK_S):  # whether the very last contact is still seen
            shorter = [step for step in way.steps if at_s + step.at_s <= self.seconds + seconds]
            if len(shorter) != len(seen):
                cut = (*before, *(name_of(step.address) for step in shorter))
                yield Told(f"{'>'.join(cut)} => deferred", begins, Fraction(0), last_s)
        again_s = at_s + self._ends_s(way) + self._pause_s(number)
        may_be_later = self.sender.retry.spread_s > 0 or again_s > self.seconds - _SLACK_S
        if may_be_later or number == _MOST_ATTEMPTS:
            yield Told(f"{'>'.join(names)} => deferred", begins, chance, last_s)
            chance = Fraction(0)
        if again_s <= self.seconds + _SLACK_S and number < _MOST_ATTEMPTS:
            for another in self._ways:
                yield from self._from(
                    with_rounds(another, self.sender, self.seconds - again_s),
                    names,
                    again_s,
                    chance * another.chance,
                    begins,
                    number + 1,
                )

    def _told(
        self, way: Example, names: tuple[str, ...], seen: int, last_s: float, chance: Fraction, begins: str
    ) -> Told:
        if seen < len(way.steps):
            return Told(f"{'>'.join(names)} => deferred", begins, chance, last_s)
        last = way.steps[-1] if way.steps else None
        outcome = _ENDINGS.get(way.result) or f"delivered@{name_of(last.address)}"
        took_s = last.waited_s if last and way.result is Result.DELIVERED else 0.0
        return Told(f"{'>'.join(names)} => {outcome}", begins, chance, last_s + took_s)

    def _pause_s(self, number: int) -> float:
        retry = self.sender.retry
        if not retry.queues:
            return float("inf")
        waits = (*retry.intervals_s[: number + 1], retry.then_s or float("inf"))
        return waits[min(number - 1, len(waits) - 1)]

    def _ends_s(self, way: Example) -> float:
        return ended_s(way.steps, self.sender) if way.steps else 0.0

    @cached_property
    def by_text(self) -> dict[str, list[Told]]:
        """All ways of one text."""
        by_text: dict[str, list[Told]] = defaultdict(list)
        for each in self.told:
            by_text[each.text].append(each)
        return by_text

    def explains(self, row: Row) -> str:
        """Nothing if the sequences and times of a row could have come from here, else why not."""
        seen = row.data["sequences"]
        impossible = [text for text in seen if text not in self.by_text]
        if impossible:
            return f"not possible in the model: {impossible[0]}"
        counts, chances = self._classes(seen)
        firsts = _by_first(counts), _by_first(chances)
        races = "" if self.sender.races else could_be(counts, chances) or could_be(*firsts)
        return races or self._wait(row)

    def _classes(self, seen: Mapping[str, int]) -> tuple[dict[str, int], dict[str, Fraction]]:
        counts: dict[str, int] = defaultdict(int)
        chances: dict[str, Fraction] = defaultdict(Fraction)
        for text, count in seen.items():
            counts[self.by_text[text][0].begins] += count
        for each in self.told:
            chances[each.begins] += each.chance
        return counts, chances

    def _wait(self, row: Row) -> str:
        measured, seen = row.data["time_first_syn_to_end"], row.data["sequences"]
        if not measured or any(text.endswith("bounced") for text in seen):
            return ""  # a bounce ends when it is sent, which takes its own time
        possible = [each.seconds for text in seen for each in self.by_text[text]]
        most = measured["max"]
        if any(abs(each - most) <= max(0.1 * each, 1.1) for each in possible):
            return ""
        return f"waits {most} s instead of {max(possible):.1f} s"


def window_of(row: Row, case: Case | None = None) -> Window:
    """What the model of a row's sender says of it."""
    return Window(case or case_of(row), sender_of(row), row.data["window_s"])


def _merged(ways: Iterable[Example]) -> list[Example]:
    """Several orders of an answer may give the same contacts."""
    chances: dict[tuple[tuple[Step, ...], Result], list[Fraction]] = {}
    for way in ways:
        chances.setdefault((way.steps, way.result), []).append(way.chance)
    return [Example(sum(parts[1:], parts[0]), *what) for what, parts in chances.items()]


def _by_first(sequences: Mapping[str, Fraction | int]) -> dict[str, Fraction]:
    firsts: dict[str, Fraction] = defaultdict(Fraction)
    for text, number in sequences.items():
        firsts[text.split(" => ")[0].split(">")[0]] += number
    return firsts
