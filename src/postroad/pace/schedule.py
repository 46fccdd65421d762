"""When deferred mail is tried again, when its sender is warned, and when it is given up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

MINUTE_S = 60.0
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The times at which deferred mail is retried, in seconds.

    The first retry comes after `first_s`, each further one after `factor` times as long, `longest_s` at most, each of
    them more or less by the fraction `jitter`, so that what was deferred together does not come back together.
    RFC 5321 section 4.5.4.1 asks for 30 minutes or more between tries, and welcomes "more sophisticated and variable
    strategies": the first ones are shorter, because greylisting lets mail in after five minutes.

    Raises:
        ValueError: the figures contradict each other.
    """

    first_s: float = 5 * MINUTE_S
    factor: float = 2.0
    longest_s: float = 4 * HOUR_S
    jitter: float = 0.1
    expiry_s: float = 5 * DAY_S  # at least 4-5 days, RFC 5321 section 4.5.4.1
    warn_after_s: float | None = 4 * HOUR_S  # None: the sender is never warned

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError("the first retry comes after more than 0 s and no later than the longest interval")
        if not (self.factor >= 1 and 0 <= self.jitter < 1 and self.expiry_s > 0):
            raise ValueError("the factor is 1 or more, the jitter from 0 to below 1, the expiry above 0 s")


def next_at(schedule: RetrySchedule, *, received_at: float, attempts: int, now: float, rng: Random) -> float:
    """Wall time of the next attempt, after `attempts` of them (one or more); always later than `now`.

    Never later than the expiry, so that a last attempt is made there. Counted from `now` alone, so a clock that was
    set back, which leaves mail received in the future, neither hastens nor delays it.
    """
    interval_s = _interval_s(schedule, attempts) * rng.uniform(1 - schedule.jitter, 1 + schedule.jitter)
    expires_at = received_at + schedule.expiry_s
    return min(now + interval_s, expires_at) if expires_at > now else now + interval_s


def is_expired(schedule: RetrySchedule, received_at: float, now: float) -> bool:
    """Whether mail deferred now is given up. Ask after an attempt, not before: the last one is at the expiry."""
    return now >= received_at + schedule.expiry_s


def is_warning_due(schedule: RetrySchedule, received_at: float, now: float, *, warned: bool) -> bool:
    """Whether the sender is to be told now that mail is late: once, and not when it is given up anyway."""
    if schedule.warn_after_s is None or warned or is_expired(schedule, received_at, now):
        return False
    return now >= received_at + schedule.warn_after_s


def _interval_s(schedule: RetrySchedule, attempts: int) -> float:
    steps = max(attempts - 1, 0)
    if schedule.factor > 1 and steps >= math.log(schedule.longest_s / schedule.first_s) / math.log(schedule.factor):
        return schedule.longest_s  # decided by logarithms: the power overflows after a thousand attempts
    return min(schedule.first_s * schedule.factor**steps, schedule.longest_s)
