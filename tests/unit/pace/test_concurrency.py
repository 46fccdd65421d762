"""The window of a set of exchangers, and the fair round."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.examples import examples, stride

from postroad.pace import FairRound, Window, WindowPolicy


def after(*ends, policy=None):
    """A window whose deliveries ended like this, one after the other."""
    window = Window(policy)
    for end in ends:
        window.begin()
        getattr(window, end)()
    return window


def test_window_starts_at_five_and_fills():
    """Five deliveries at once to a set nobody knows; no room for a sixth."""
    window = Window()
    for _ in range(5):
        assert window.has_room
        window.begin()
    assert (5, 5, False) == (window.size, window.in_flight, window.has_room)
    window.abandoned()
    assert window.has_room


def test_as_many_successes_as_it_is_wide_open_it_by_one():
    """Five successes make six, six more make seven."""
    assert 5 == after(*["succeeded"] * 4).size
    assert 6 == after(*["succeeded"] * 5).size
    assert 7 == after(*["succeeded"] * 11).size


def test_it_opens_to_twenty():
    """The limit of one set holds whatever its success."""
    assert 20 == after(*["succeeded"] * 1000).size


def test_first_failure_is_felt_at_once():
    """One failure closes it by one; it never closes below one."""
    assert 4 == after("failed").size
    assert 1 == after(*["failed"] * 100).size


def test_failures_alone_make_a_set_dead():
    """About as many failures in a row as deliveries at once, and the set is left alone."""
    assert (True, False) == (after(*["failed"] * 4).has_room, after(*["failed"] * 5).has_room)


@pytest.mark.parametrize("failures", range(1, 10))
def test_a_window_of_one_is_dead_after_as_many_failures_as_its_policy_says(failures):
    """Each failure of one delivery at once is a whole pseudo-cohort: there is room for that many, and no more."""
    window, had_room = Window(WindowPolicy(1, 1, dead_after=failures)), []
    for _ in range(failures + 1):
        had_room.append(window.has_room)
        window.begin()
        window.failed()
    assert [True] * failures + [False] == had_room


def test_one_success_keeps_a_set_alive():
    """A set that fails now and then is narrow, not dead."""
    window = after(*(["failed"] * 3 + ["succeeded"]) * 20)
    assert window.has_room
    assert window.size <= 2


def test_a_success_revives_a_dead_set():
    """That of a delivery which was still under way."""
    assert after(*["failed"] * 6, "succeeded").has_room


@pytest.mark.parametrize("figures", [{"initial": 0}, {"initial": 21}, {"dead_after": 0}])
def test_figures_that_make_no_window_are_refused(figures):
    """A window that starts outside its bounds is a mistake of the caller."""
    with pytest.raises(ValueError, match="initial size"):
        WindowPolicy(**figures)


@given(
    policy=st.builds(lambda one, two: WindowPolicy(*sorted((one, two))), st.integers(1, 99), st.integers(1, 99)),
    nodes=st.integers(1, 50),
)
def test_the_parts_of_relays_are_together_no_wider_than_the_window_of_one(policy, nodes):
    """Each gets the widest part with which that holds, and never less than one delivery at once."""
    part = policy.shared_by(nodes)
    for mine, whole in ((part.initial, policy.initial), (part.most, policy.most)):
        assert mine == 1 or mine * nodes <= whole
        assert mine >= 1
        assert (mine + 1) * nodes > whole
    assert policy.dead_after == part.dead_after


@given(
    policy=st.integers(1, 20).flatmap(lambda most: st.builds(WindowPolicy, st.integers(1, most), st.just(most))),
    ends=st.lists(st.sampled_from(["succeeded", "failed", "abandoned"]), max_size=200),
)
def test_window_stays_within_its_bounds(policy, ends):
    """Whatever happens the size is from 1 to the most, and nothing stays in flight."""
    window = Window(policy)
    for end in ends:
        window.begin()
        before = window.size
        getattr(window, end)()
        assert 1 <= window.size <= policy.most
        assert abs(window.size - before) <= 1
    assert 0 == window.in_flight


@pytest.mark.parametrize(("most", "size"), [(20, 5), (6, 5), (5, 5), (4, 4)])
def test_another_policy_only_closes_a_window_that_is_too_wide_for_it(most, size):
    """It opens no further by being told how far it may."""
    window = Window(WindowPolicy(5, 20))
    window.limit(WindowPolicy(1, most))
    assert size == window.size


def test_keys_take_turns():
    """One after the other, again and again; a late one waits behind all others."""
    turns = FairRound()
    for key in "abc":
        turns.add(key)
    assert list("abca") == [turns.next() for _ in range(4)]
    turns.add("d")
    turns.add("b")
    assert list("bcad") == [turns.next() for _ in range(4)]


def test_key_without_work_has_no_turn():
    """A discarded key is passed over; an empty round has nobody."""
    turns = FairRound()
    assert turns.next() is None
    turns.add("a")
    turns.add("b")
    turns.discard("a")
    turns.discard("a")
    assert ["b", "b"] == [turns.next(), turns.next()]
    assert (1, True, False) == (len(turns), "b" in turns, "a" in turns)


class Fairness(RuleBasedStateMachine):
    """Keys come and go in any order: between two turns of one, all that waited all the while have had theirs."""

    def __init__(self):
        super().__init__()
        self.turns = FairRound()
        self.owed = {}  # key -> the keys that must have a turn before it has another

    keys = st.integers(0, 5)

    @rule(key=keys)
    def add(self, key):
        """A key has work."""
        if key not in self.owed:
            self.owed[key] = set(self.owed)
        self.turns.add(key)

    @rule(key=keys)
    def discard(self, key):
        """A key has no more work."""
        self.turns.discard(key)
        self.owed.pop(key, None)
        for others in self.owed.values():
            others.discard(key)

    @precondition(lambda self: self.owed)
    @rule()
    def turn(self):
        """Whoever has its turn was owed it: everybody it had to wait for was first."""
        key = self.turns.next()
        assert set() == self.owed[key]
        for others in self.owed.values():
            others.discard(key)
        self.owed[key] = set(self.owed) - {key}

    @invariant()
    def nobody_is_lost(self):
        """The round has exactly those that were added and not discarded."""
        assert len(self.owed) == len(self.turns)
        assert all(key in self.turns for key in self.owed)


TestFairness = Fairness.TestCase
TestFairness.settings = settings(max_examples=examples(100) // stride(2))


def test_a_dead_set_has_no_room():
    """Whatever fractions its failures add up to: it has room for the first of them, and after the last none again."""
    for initial in range(1, 21):
        window, had_room = Window(WindowPolicy(initial=initial, most=initial)), []
        for _ in range(200):
            had_room.append(window.has_room)
            window.begin()
            window.failed()
        assert (True, False, sorted(had_room, reverse=True)) == (had_room[0], had_room[-1], had_room), initial
