"""When deferred mail is tried again: the timetable of a mail server or of a webmail service, as data."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.models.bounds import MOST_TRIES, Bounded
from postroad.pace import DAY_S, RetrySchedule
from postroad.words.bounds import YEAR_S, OutOfBoundsError
from postroad.words.phrasebook import seconds


@dataclass(frozen=True, slots=True)
class Schedule(Bounded):
    """A retry schedule of a sender, in seconds.

    After the n-th try mail waits the n-th of `intervals_s`, then `then_s` each time; `then_s` None: that was the last
    one. Each interval is up to `spread_s` longer (a queue that is only looked at now and then) and more or less by the
    fraction `jitter`. Mail older than `expiry_s` is given up; with `last_try` it has one more try at that age.
    `machines`: from how many addresses it sends, each try from any of them, which greylisting takes for strangers.
    `queues` False: nobody tries again, the caller is told, and mail stays deferred.
    """

    name: str
    source: str = ""
    intervals_s: tuple[float, ...] = ()
    then_s: float | None = None
    expiry_s: float = 5 * DAY_S
    spread_s: float = 0.0
    jitter: float = 0.0
    last_try: bool = False
    machines: int = 1
    queues: bool = True

    def __post_init__(self) -> None:
        Bounded.__post_init__(self)  # no super(): slots make the class anew
        if self.most_tries > MOST_TRIES:
            raise OutOfBoundsError(
                "then_s" if self.then_s else "intervals_s",
                f"mail would be tried {self.most_tries:,} times within {seconds(self.expiry_s)}; "
                f"{MOST_TRIES:,} is the maximum: write longer times",
            )

    @property
    def most_tries(self) -> int:
        """How many tries fit in at most, before mail expires."""
        return self.tries_within(self.expiry_s)

    def tries_within(self, span_s: float) -> int:
        """How many tries at most are made until mail is so old."""
        at_s, tries = 0.0, 1
        for interval_s in self.intervals_s:
            at_s += interval_s * (1 - self.jitter)
            if at_s > span_s:
                return tries
            tries += 1
        if self.then_s is not None:
            tries += int((span_s - at_s) / (self.then_s * (1 - self.jitter)))
        return tries + self.last_try

    @property
    def run_s(self) -> float:
        """The time from one run over the queue to the next, where it is looked at now and then; 0: it is not."""
        return self.spread_s or (0.0 if self.intervals_s else self.then_s or 0.0)

    @property
    def tries(self) -> int | None:
        """How many tries there are at most, whatever the time; None: only the age ends it."""
        return len(self.intervals_s) + 1 if self.then_s is None else None


def growing(name: str, pace: RetrySchedule, source: str) -> Schedule:
    """The schedule of our own queue: longer each time until the longest, and one last try at the expiry."""
    intervals: list[float] = []
    next_s = pace.first_s
    while next_s < pace.longest_s and sum(intervals) < pace.expiry_s:
        intervals.append(next_s)
        next_s *= pace.factor
    return Schedule(name, source, tuple(intervals), pace.longest_s, pace.expiry_s, jitter=pace.jitter, last_try=True)


def growth(first_s: float, factor: float, times: int) -> tuple[float, ...]:
    """So many waits, each longer than the one before by the factor; none is longer than a year.

    Raises:
        OutOfBoundsError: one is longer than a year.

    """
    waits: list[float] = []
    next_s = first_s
    while len(waits) < times:
        if next_s > YEAR_S:
            waits_are = f"{times:,} waits from {seconds(first_s)} on, each {factor:g} times as long"
            raise OutOfBoundsError("growth", f"{waits_are}: longer than a year, or too many")
        waits.append(next_s)
        next_s *= factor
    return tuple(waits)


OURS = growing("postroad", RetrySchedule(), "pace.RetrySchedule: 5 min, twice as long each time, 4 h, 5 d")
"""Our own queue's; also that of models which are a way to choose and no program."""
