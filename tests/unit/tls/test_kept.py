"""The policies that a sender keeps, over days and years of a clock that people set."""

import json
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.tls import StsCache, StsFailed, StsKept, read_kept
from postroad.tls import kept as room
from postroad.tls.kept import BACKOFF_S, DAY_S, LEAST_S, UNUSED_S
from postroad.tls.sts import MAX_AGE_S
from postroad.words.policies import StsPolicy
from postroad.words.tls import TlsFailure

NOW = 1_800_000_000.0
WEEK_S = 7 * DAY_S
POLICY = StsPolicy("enforce", ("mail.example.org",), int(WEEK_S))
KEPT = StsKept("a1", POLICY, NOW, NOW)


def cache(*loaded, now=NOW):
    """With these kept for domains d0, d1 and so on, as a store had them."""
    it = StsCache(Random(1))
    it.load(((f"d{place}.example", one) for place, one in enumerate(loaded)), now)
    return it


def held(it, now, domain="d0.example"):
    """The mode that holds."""
    kept = it.find(domain, now)
    return kept and kept.policy.mode


def test_a_policy_holds_for_its_max_age_and_no_longer():
    """RFC 8461 section 5.1: until the time since the fetch has exceeded it."""
    it = cache(KEPT)
    assert ["enforce", "enforce", None] == [held(it, NOW + after_s) for after_s in (0, WEEK_S - 1, WEEK_S)]


@pytest.mark.parametrize("age_s", [0, 1, 299])
def test_a_policy_of_less_than_five_minutes_holds_for_five(age_s):
    """It is not asked for more often; without this, mail in between would go as without a policy."""
    it = cache(replace(KEPT, policy=replace(POLICY, max_age_s=age_s)))
    assert ["enforce", None] == [held(it, NOW + after_s) for after_s in (LEAST_S - 1, LEAST_S)]


def test_what_is_written_is_read():
    """Every field of what a store has."""
    for age_s in (0, MAX_AGE_S):
        odd = StsKept("Z9", StsPolicy("testing", ("*.a.example", "b.example"), age_s), NOW - 0.25, NOW + 0.5)
        assert odd == read_kept(odd.text)


GOOD = json.loads(KEPT.text)


NO_POLICIES = [
    "",
    "{",
    "[]",
    "7",
    "[" * 100_000,
    *(json.dumps({key: value for key, value in GOOD.items() if key != left}) for left in GOOD),
    *(
        json.dumps(GOOD | wrong)
        for wrong in (
            {"id": 7},
            {"mode": "maybe"},
            {"mode": ["enforce"]},
            {"mx": "mail.example.org"},
            {"mx": [7]},
            {"mx": None},
            {"max_age": -1},
            {"max_age": MAX_AGE_S + 1},
            {"max_age": 1.5},
            {"max_age": True},
            {"max_age": "1"},
            {"fetched_at": "yesterday"},
            {"fetched_at": float("nan")},
            {"used_at": float("inf")},
        )
    ),
]


def test_what_nobody_wrote_is_no_policy():
    """A row that something else has changed is left out, whatever it has."""
    assert [] == [text for text in NO_POLICIES if read_kept(text) is not None]


@settings(max_examples=examples(50))
@given(st.text(max_size=50) | st.recursive(st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_policy_or_none(text):
    """Nothing in a store raises."""
    assert read_kept(text) is None


def test_what_is_in_use_is_refreshed_within_a_day_at_no_fixed_time():
    """RFC 8461 section 3.3 suggests once a day, section 10.2 at times that nobody can foretell."""
    times = set()
    for seed in range(20):
        it = StsCache(Random(seed))
        it.keep("d0.example", KEPT, NOW)
        assert [] == it.due(NOW + DAY_S / 2 - 1)
        assert [("d0.example", KEPT)] == it.due(NOW + DAY_S)
        times.add(next(after for after in range(43_000, 86_401, 100) if it.due(NOW + after)))
    assert len(times) > 10


def test_what_ends_sooner_is_refreshed_sooner():
    """Twice in its life, so that one failure does not end it."""
    it = StsCache(Random(1))
    it.keep("d0.example", short := replace(KEPT, policy=replace(POLICY, max_age_s=7200)), NOW)
    assert [[], [("d0.example", short)]] == [it.due(NOW + after_s) for after_s in (1799, 3600)]


def test_after_a_failed_refresh_the_next_is_within_a_day():
    """Not at once, which would ask for what has just failed, and long before the policy ends."""
    it = cache(KEPT)
    it.fail("d0.example", StsFailed("a1", NOW + DAY_S, "answers 404", TlsFailure.STS_FETCH, NOW + DAY_S))
    assert [False, True] == [bool(it.due(NOW + after_s)) for after_s in (1.5 * DAY_S - 1, 2 * DAY_S)]


def test_however_often_a_refresh_fails_the_next_is_hours_away():
    """Nobody's web server is asked again and again because it does not answer."""
    it = cache(*[KEPT] * 50)
    for place in range(50):
        it.fail(f"d{place}.example", StsFailed("a1", NOW + DAY_S, "answers 404", TlsFailure.STS_FETCH, NOW + DAY_S))
    assert ([], 50) == (it.due(NOW + 1.5 * DAY_S - 1), len(it.due(NOW + 2 * DAY_S)))


def test_what_a_store_had_is_refreshed_over_a_day():
    """A start does not fetch everything at once."""
    it = cache(*[KEPT] * 100)
    due = [len(it.due(NOW + part * DAY_S)) for part in (0, 0.25, 0.5, 0.75, 1)]
    assert ([0, 100], True) == ([due[0], due[-1]], all(0 < later - sooner < 50 for sooner, later in pairwise(due)))


@pytest.mark.parametrize(
    ("kept", "is_due"),
    [
        (KEPT, True),
        (replace(KEPT, policy=replace(POLICY, mode="testing")), True),
        (replace(KEPT, policy=replace(POLICY, mode="none")), False),
        (replace(KEPT, fetched_at=NOW - WEEK_S), False),
        (replace(KEPT, used_at=NOW - UNUSED_S), False),
    ],
)
def test_only_what_is_in_use_is_refreshed(kept, is_due):
    """Neither what is withdrawn, nor what no mail has needed for a month, nor what is over."""
    long = replace(kept, policy=replace(kept.policy, max_age_s=int(WEEK_S)))
    assert is_due == bool(cache(long).due(NOW + DAY_S))


def test_a_store_hears_of_a_use_once_a_day():
    """Not at each message: that a policy is in use matters by the month."""
    it = cache(KEPT)
    assert [None, None, NOW + DAY_S, None] == [
        used and used.used_at for used in (it.use("d0.example", NOW + after) for after in (0, 1, DAY_S, DAY_S + 1))
    ]
    assert None is it.use("other.example", NOW)


def test_a_failed_fetch_is_not_repeated_for_five_minutes_of_its_id():
    """RFC 8461 section 3.3; another id is another policy, and may be fetched at once."""
    it = cache()
    assert it.fail("d.example", failed := StsFailed("a1", NOW, "answers 404", TlsFailure.STS_FETCH, NOW))
    assert [failed, failed, None] == [it.failed("d.example", "a1", NOW + s) for s in (0, BACKOFF_S - 1, BACKOFF_S)]
    assert (None, None) == (it.failed("d.example", "a2", NOW), it.failed("other.example", "a1", NOW))
    it.keep("d.example", KEPT, NOW)
    assert None is it.failed("d.example", "a1", NOW)


def test_people_hear_of_a_failure_once_a_day():
    """The same id fails every five minutes; another id is news."""
    it = cache()

    def fails(id_, after_s):
        return it.fail("d.example", StsFailed(id_, NOW + after_s, "answers 404", TlsFailure.STS_FETCH, NOW + after_s))

    told = [fails("a1", 0), fails("a1", 300), fails("a1", DAY_S - 1), fails("a1", DAY_S), fails("a2", DAY_S)]
    assert [True, False, False, True, True] == told
    assert [False, False, True] == [fails("a2", DAY_S + after_s) for after_s in (300, DAY_S - 1, DAY_S)]


def test_memory_is_bounded_and_the_policy_unused_for_longest_goes(monkeypatch):
    """Whoever has us send to many domains with large policies does not fill it; what is in use stays."""
    monkeypatch.setattr(room, "MOST_OCTETS", 10 * KEPT.octets)
    it = StsCache(Random(1))
    gone = []
    for place in range(30):
        it.use("d0.example", NOW + place)
        gone += it.keep(f"d{place}.example", KEPT, NOW)
    assert (10, "enforce", 20) == (len(it), held(it, NOW), len(set(gone)))
    assert "d0.example" not in gone
    assert [] == [each for _ in range(30) for each in it.keep("d0.example", KEPT, NOW)]
    huge = replace(KEPT, policy=replace(POLICY, mx=("a" * 600,) * 10))
    it.keep("huge.example", huge, NOW)
    assert ("enforce", 1) == (held(it, NOW, "huge.example"), len(it))


def test_failures_are_bounded(monkeypatch):
    """The same for what fails: the oldest is forgotten."""
    monkeypatch.setattr(room, "MOST_FAILURES", 3)
    it = cache()
    for place in range(5):
        it.fail(f"d{place}.example", StsFailed("a", NOW, "", None, NOW))
    assert [False, False, True, True, True] == [bool(it.failed(f"d{place}.example", "a", NOW)) for place in range(5)]


YEAR_S = 365 * DAY_S
jumps = st.lists(st.tuples(st.floats(0, 2 * DAY_S), st.floats(-10 * YEAR_S, 10 * YEAR_S)), max_size=6)


@settings(max_examples=examples(100))
@given(jumps, st.integers(0, int(WEEK_S)))
def test_setting_the_clock_neither_ends_a_policy_early_nor_keeps_it_longer(jumps, max_age_s):
    """However often it is set while we run: a policy holds for exactly so long as has really passed."""
    it = StsCache(Random(1))
    wall, passed = NOW, 0.0
    it.keep("d0.example", replace(KEPT, policy=replace(POLICY, max_age_s=max_age_s)), wall)
    life_s = max(max_age_s, LEAST_S)
    for after_s, by_s in jumps:
        wall, passed = wall + after_s, passed + after_s
        if passed >= life_s:
            break
        wall += by_s
        it.clock_set(by_s, wall)
        assert "enforce" == held(it, wall + max(life_s - passed - 1, 0) * 0.999)
        assert None is held(it, wall + life_s - passed + 1)


@pytest.mark.parametrize("by_s", [-YEAR_S, YEAR_S])
def test_setting_the_clock_changes_neither_refreshes_nor_uses(by_s):
    """What was due in an hour is due in an hour, and a store hears of a use a day after the last."""
    it = StsCache(Random(1))
    it.keep("d0.example", KEPT, NOW)
    first = next(after for after in range(43_000, 86_401, 100) if it.due(NOW + after))
    it.clock_set(by_s, NOW + by_s)
    assert [False, True] == [bool(it.due(NOW + by_s + after)) for after in (first - 200, first)]
    assert [False, True] == [bool(it.use("d0.example", NOW + by_s + after)) for after in (DAY_S - 1, DAY_S)]


def test_a_policy_from_the_future_is_new():
    """The clock was ahead when it was fetched, or is behind at this start: its age is unknown, and counts from now."""
    it = cache(replace(KEPT, fetched_at=NOW + 10 * YEAR_S, used_at=NOW + 10 * YEAR_S))
    assert ["enforce", None] == [held(it, NOW + after_s) for after_s in (WEEK_S - 1, WEEK_S)]


def test_a_clock_that_was_ahead_at_the_start_ends_nothing_for_good():
    """What seems over is not applied, and is not forgotten for a day: once the clock is right, it holds again."""
    ahead = NOW + YEAR_S
    it = cache(KEPT, now=ahead)
    assert (None, []) == (held(it, ahead), it.forget_over(ahead))
    it.clock_set(-YEAR_S + 60, NOW + 60)
    assert ["enforce", None] == [held(it, NOW + after_s) for after_s in (60, WEEK_S)]


def test_what_is_over_is_forgotten_after_a_day_of_our_own():
    """Counted from when we saw it, not by its own time, which may be of a wrong clock."""
    it = cache(KEPT, KEPT)
    it.keep("new.example", replace(KEPT, fetched_at=NOW + YEAR_S), NOW + YEAR_S)
    told = [it.forget_over(NOW + YEAR_S + after_s) for after_s in (0, DAY_S - 1, DAY_S)]
    assert [[], [], ["d0.example", "d1.example"]] == told
    assert 1 == len(it)
