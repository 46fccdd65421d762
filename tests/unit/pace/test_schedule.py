"""The retry schedule: patient, never all at once, and over in the end."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.pace import RetrySchedule, is_expired, is_warning_due, next_at

HOUR = 3600.0
DAY = 24 * HOUR
STEADY = RetrySchedule(jitter=0.0)

schedules = st.builds(
    lambda first_s, times, factor, jitter, expiry_s: RetrySchedule(first_s, factor, first_s * times, jitter, expiry_s),
    st.floats(1, 3600),
    st.floats(1, 1000),
    st.floats(1, 10),
    st.floats(0, 0.9),
    st.floats(60, 30 * DAY),
)


def story(schedule, received_at=0.0, seed=0):
    """The times of all attempts at mail that is always deferred, the first of them at its arrival."""
    rng, times = Random(seed), [received_at]
    while not is_expired(schedule, received_at, times[-1]):
        times.append(next_at(schedule, received_at=received_at, attempts=len(times), now=times[-1], rng=rng))
    return times


def test_first_retries_double_from_five_minutes_to_four_hours():
    """Greylisting is over after five minutes; a host that is down for a day is asked every four hours."""
    times = story(STEADY)
    assert [300, 600, 1200, 2400, 4800, 9600, 4 * HOUR, 4 * HOUR] == [b - a for a, b in pairwise(times)][:8]


def test_last_attempt_is_at_the_expiry():
    """Five days after its arrival mail is tried a last time, and is expired if it is deferred then."""
    times = story(STEADY)
    assert 5 * DAY == times[-1]
    assert is_expired(STEADY, 0.0, times[-1])
    assert not is_expired(STEADY, 0.0, times[-2])


@given(schedule=schedules, attempts=st.integers(1, 5000), seed=st.integers(0, 99), age=st.floats(-DAY, 40 * DAY))
@example(schedule=STEADY, attempts=41, seed=0, age=5 * DAY)
def test_next_attempt_is_later_than_now_and_within_its_interval(schedule, attempts, seed, age):
    """After any number of attempts, with any clock, mail is tried again: later than now, no later than the longest."""
    now = 1_800_000_000.0
    due = next_at(schedule, received_at=now - age, attempts=attempts, now=now, rng=Random(seed))
    assert now < due
    assert due - now <= schedule.longest_s * (1 + schedule.jitter) + 1e-6
    assert due <= now - age + schedule.expiry_s or is_expired(schedule, now - age, now)


@given(schedule=schedules, attempts=st.integers(1, 5000), seed=st.integers(0, 99))
def test_intervals_grow_within_the_jitter(schedule, attempts, seed):
    """One interval is never shorter than the one before it by more than the jitter of both."""
    rng, far = Random(seed), 1e12
    one, next_one = (
        next_at(schedule, received_at=far, attempts=count, now=0.0, rng=rng) for count in (attempts, attempts + 1)
    )
    assert next_one * (1 + schedule.jitter) >= one * (1 - schedule.jitter) - 1e-6


@given(seed=st.integers(0, 9999))
def test_mail_always_ends_after_few_attempts(seed):
    """The default schedule asks some forty times in five days, whatever the dice say."""
    times = story(RetrySchedule(), 1_800_000_000.0, seed)
    assert 5 * DAY == times[-1] - times[0]
    assert 30 <= len(times) <= 50


def test_what_was_deferred_together_does_not_come_back_together():
    """A thousand mails deferred at once are due over a minute, not in one second."""
    rng = Random(1)
    due = [next_at(RetrySchedule(), received_at=0.0, attempts=1, now=0.0, rng=rng) for _ in range(1000)]
    assert (270, 330) == (round(min(due)), round(max(due)))


def test_clock_that_was_set_back_delays_nothing():
    """Mail received next year, by a clock that was wrong then, is tried after its usual interval and not given up."""
    future = 365 * DAY
    assert 300.0 == next_at(STEADY, received_at=future, attempts=1, now=0.0, rng=Random(0))
    assert not is_expired(STEADY, future, 0.0)
    assert not is_warning_due(STEADY, future, 0.0, warned=False)


def test_warning_is_due_once():
    """After four hours the sender is told, once; not when the mail is given up at the same time."""
    assert not is_warning_due(STEADY, 0.0, 4 * HOUR - 1, warned=False)
    assert is_warning_due(STEADY, 0.0, 4 * HOUR, warned=False)
    assert not is_warning_due(STEADY, 0.0, 4 * HOUR, warned=True)
    assert not is_warning_due(STEADY, 0.0, 5 * DAY, warned=False)


def test_warning_may_be_switched_off():
    """Without a time to warn after there is no warning."""
    assert not is_warning_due(RetrySchedule(warn_after_s=None), 0.0, 4 * DAY, warned=False)


@pytest.mark.parametrize(
    "figures",
    [{"first_s": 0}, {"longest_s": 299}, {"factor": 0.5}, {"jitter": 1}, {"jitter": -0.1}, {"expiry_s": 0}],
)
def test_figures_that_make_no_schedule_are_refused(figures):
    """Intervals that shrink or stand still, and jitter that could go back in time, are mistakes of the caller."""
    with pytest.raises(ValueError, match=r"first retry|factor"):
        RetrySchedule(**figures)


def test_first_retry_may_come_within_a_second():
    """Intervals below a second grow as others do, up to the longest."""
    quick = RetrySchedule(first_s=0.25, longest_s=1.0, jitter=0.0, expiry_s=2000)  # two to the 2000th is no float
    assert [0.25, 0.5, 1.0, 1.0] == [b - a for a, b in pairwise(story(quick))][:4]


def test_mail_may_be_given_up_within_a_second():
    """A schedule that is over at once tries once more, at its expiry."""
    assert [0.0, 0.25, 0.5] == story(RetrySchedule(first_s=0.25, longest_s=0.25, jitter=0.0, expiry_s=0.5))
