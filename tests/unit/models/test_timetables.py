"""The timetables of retries, as their sources give them."""

from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest

from postroad.models import SCHEDULES, SENDERS, Schedule
from postroad.models.schedule import growing
from postroad.pace import RetrySchedule, next_at
from postroad.pace.schedule import DAY_S


def ages(name, count):
    """How old mail is at its first retries, if each try takes no time and no chance is added."""
    schedule = SCHEDULES[name]
    intervals = [*schedule.intervals_s, *[schedule.then_s or 0] * count]
    return list(accumulate(intervals[:count]))


def test_our_schedule_is_that_of_the_queue():
    """What trials take for our retries is what the relay does, but for its jitter."""
    pace = replace(RetrySchedule(), jitter=0.0)
    intervals = [*SCHEDULES["postroad"].intervals_s, SCHEDULES["postroad"].then_s]
    ours = [next_at(pace, received_at=0, attempts=n, now=0, rng=Random(1)) for n in range(1, len(intervals) + 1)]
    assert ours == intervals


def test_a_schedule_that_never_grows_has_one_interval():
    """With a factor of one all waits are alike, and the list stays short."""
    constant = RetrySchedule(first_s=60, factor=1, longest_s=60)
    assert ((), 60) == (growing("x", constant, "").intervals_s, growing("x", constant, "").then_s)


def test_postfix_waits_as_long_as_the_mail_is_old():
    """From 300 s to 4000 s."""
    assert [300, 600, 1200, 2400, 4800, 8800, 12800] == ages("postfix", 7)


def test_exim_has_three_rules():
    """Every 15 minutes for 2 hours, then half as long again each time up to the age of 16 hours, then every 6 hours."""
    assert [900 * n for n in range(1, 9)] == ages("exim", 8)
    assert [3600, 5400, 8100, 12150, 18225, 27337.5] == list(SCHEDULES["exim"].intervals_s[8:])[:6]


def test_opensmtpd_waits_by_the_square():
    """At 400 s times the square of the try."""
    assert [400, 1600, 3600, 6400] == ages("opensmtpd", 4)


def test_haraka_gives_up_after_twelve_retries():
    """They take three days together."""
    haraka = SCHEDULES["haraka"]
    assert 13 == haraka.tries
    assert 3 == sum(haraka.intervals_s) // DAY_S


@pytest.mark.parametrize(
    ("name", "retries"),
    [
        ("gmail", [362, 1742, 3396, 5924, 9723, 13784, 18545, 26086]),
        ("yahoo", [127, 339, 778, 1636, 3313, 6575, 13007, 25836]),
        ("hotmail", [61, 123, 184, 306, 487, 728, 968, 1208]),
        ("aol", [332, 692, 1292, 1892]),
    ],
)
def test_webmail_keeps_the_timetable_that_was_watched(name, retries):
    """The ages of mail at its retries, in seconds, are those of the study."""
    assert retries == ages(name, len(retries))


def test_gmail_comes_from_seven_addresses():
    """Each try may come from another one, which greylisting takes for a stranger."""
    assert 7 == SCHEDULES["gmail"].machines


def test_every_preset_says_where_it_is_from():
    """And is found under its own name."""
    assert [] == [name for name, each in SCHEDULES.items() if not each.source]
    assert list(SCHEDULES) == [each.name for each in SCHEDULES.values()]


def test_every_sender_has_a_schedule():
    """Programs have their own, libraries none, and ways to choose are given ours."""
    found = {name: sender.retry.name for name, sender in SENDERS.items()}
    assert ("exim", "postfix", "none", "none") == tuple(
        found[name] for name in ("exim", "postfix-reuse", "mx-connect", "slimta")
    )
    assert "postroad" == found["rfc5321"]


@pytest.mark.parametrize(
    "wrong", [{"intervals_s": (0.0,)}, {"then_s": -1.0}, {"expiry_s": 0.0}, {"jitter": 1.0}, {"machines": 0}]
)
def test_nonsense_is_refused(wrong):
    """A schedule that goes back in time is a mistake of whoever wrote it."""
    with pytest.raises(ValueError, match=min(wrong)):
        Schedule("x", "", **wrong)
