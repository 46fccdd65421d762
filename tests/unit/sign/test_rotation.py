"""The change of keys: whatever is in the files, some key is active in every state between two steps."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.signing import ed25519_pem, key, rsa_pem

from postroad.sign import KeyState, next_selector, plan_rotation, read_key, removable_at, switch, with_lines
from postroad.words.names import Unreadable

NOW = 1_800_000_000.0
DAY_S = 86400.0
EXPIRY_S = 5 * DAY_S
RSA, ED = key("2026a"), key("2026b", octets=ed25519_pem())
NEXT = key("2027a", octets=ed25519_pem(1))

TIMES = st.sampled_from([-inf, NOW - 40 * DAY_S, NOW - 1, NOW, NOW + 1, NOW + 30, NOW + 40 * DAY_S, inf])


@st.composite
def folders(draw):
    """The keys of a domain, as anybody may have written them."""
    found = []
    for place in range(draw(st.integers(1, 4))):
        octets = draw(st.sampled_from([rsa_pem(), ed25519_pem(), ed25519_pem(1)]))
        begin, end = draw(TIMES), draw(TIMES)
        if begin < end or end == inf:
            others = tuple(f"s{each}" for each in draw(st.lists(st.integers(0, 3), max_size=2)))
            found.append(replace(key(f"s{place}", octets=octets), not_before=begin, not_after=end, replaces=others))
    return found


def written(keys, edit):
    """The keys after a line of a file was written, and read again."""
    pem = {True: rsa_pem(), False: ed25519_pem()}[bool(edit.key.bits)]
    read = read_key(with_lines(pem, edit.lines), edit.key.domain, edit.key.selector)
    assert not isinstance(read, Unreadable), read
    changed = replace(
        edit.key,
        not_before=read.not_before if "Not-Before" in edit.lines else edit.key.not_before,
        not_after=read.not_after if "Not-After" in edit.lines else edit.key.not_after,
        replaces=read.replaces if "Replaces" in edit.lines else edit.key.replaces,
    )
    assert changed.not_before < changed.not_after or changed.not_after == inf, "a file that the relay would refuse"
    return [changed if each.name == edit.key.name else each for each in keys]


def signs(keys, at):
    """The types of key that are active at a time."""
    return {bool(each.bits) for each in keys if each.state(at) is KeyState.ACTIVE}


def moments(keys):
    """Every time at which something changes, and a bit before and after it."""
    edges = {NOW, *(at for each in keys for at in (each.not_before, each.not_after) if abs(at) != inf)}
    return [at + bit for at in sorted(edges) for bit in (-0.5, 0, 0.5, 3600) if at + bit >= NOW]


@settings(max_examples=examples(400 // stride(3)), deadline=None)
@given(folders())
def test_no_step_leaves_a_moment_without_a_key(keys):
    """Step by step, from any set of files: at each time a type that would have signed signs still."""
    plan = plan_rotation(keys, NOW, EXPIRY_S)
    before = {at: signs(keys, at) for at in moments(keys)}
    steps = [*plan.left, *switch(keys, plan.successors, NOW)]
    done = keys
    for edit in steps:
        fresh = next(each for each in done if each.name == edit.key.name)
        done = written(done, replace_key(edit, fresh))
        for at in moments(done):
            at_least = before.get(at, signs(keys, at))
            assert at_least <= signs(done, at)


def replace_key(edit, fresh):
    """The same lines for the key as it is by now."""
    return replace(edit, key=fresh)


@settings(max_examples=examples(300 // stride(3)), deadline=None)
@given(folders())
def test_whoever_calls_again_does_nothing_twice(keys):
    """After all steps nothing is left, no key is made, and nobody waits; what people wrote may need a second call."""
    plan = plan_rotation(keys, NOW, EXPIRY_S)
    done = called(called(keys))
    after = plan_rotation(done, NOW, EXPIRY_S)
    assert () == after.left
    assert () == after.successors
    assert not (plan.successors and after.making)


def called(keys):
    """The keys after a call that nothing interrupts."""
    plan = plan_rotation(keys, NOW, EXPIRY_S)
    for edit in [*plan.left, *switch(keys, plan.successors, NOW)]:
        keys = written(keys, replace_key(edit, next(each for each in keys if each.name == edit.key.name)))
    return keys


def test_one_moment_for_all():
    """Both successors begin when both old keys end, a minute from now, so that a relay can be told."""
    news = [replace(key("2027a"), not_before=inf), replace(key("2027b", octets=ed25519_pem()), not_before=inf)]
    edits = switch([RSA, ED, *news], news, NOW)
    assert ["2027a", "2027b", "2026a", "2026b"] == [edit.key.selector for edit in edits]
    at = "2027-01-15T08:01:00Z"
    assert [{"Not-Before": at, "Replaces": "2026a"}, {"Not-Before": at, "Replaces": "2026b"}] == [
        edit.lines for edit in edits[:2]
    ]
    assert [{"Not-After": at}] * 2 == [edit.lines for edit in edits[2:]]


def test_a_first_key_begins_at_once():
    """Nobody signs, so nobody waits."""
    [edit] = switch([new := replace(RSA, not_before=inf)], [new], NOW)
    assert {"Not-Before": "2027-01-15T08:00:00Z"} == edit.lines


def test_a_key_that_ends_is_succeeded_when_it_ends():
    """Its end is nearer than a minute."""
    old, new = replace(ED, not_after=NOW + 20), replace(NEXT, not_before=inf)
    assert [{"Not-Before": "2027-01-15T08:00:20Z", "Replaces": "2026b"}] == [
        edit.lines for edit in switch([old, new], [new], NOW)
    ]


def test_the_next_key_is_made_where_none_waits():
    """One of each type that signs; and a week long nobody makes another, unless told to."""
    assert (RSA, ED) == plan_rotation([RSA, ED], NOW, EXPIRY_S).making
    assert (ED,) == plan_rotation([RSA, ED], NOW, EXPIRY_S, ["ed25519"]).making
    assert () == plan_rotation([replace(RSA, not_before=NOW - 6 * DAY_S)], NOW, EXPIRY_S).making
    gone = replace(key("2025a"), not_after=NOW - DAY_S)
    assert () == plan_rotation([gone, RSA], NOW, EXPIRY_S).making
    assert (RSA,) == plan_rotation([gone, RSA], NOW, EXPIRY_S, again=True).making
    assert (RSA,) == plan_rotation([gone, RSA], NOW + 7 * DAY_S, EXPIRY_S).making


def test_what_a_kill_left_is_done_first():
    """The successor has begun, and the old key has no end: it gets one, in time for the relay to be told."""
    new = replace(NEXT, not_before=NOW - DAY_S, replaces=("2026b",))
    plan = plan_rotation([ED, new], NOW, EXPIRY_S)
    assert [("2026b", {"Not-After": "2027-01-15T08:01:00Z"})] == [(each.key.selector, each.lines) for each in plan.left]
    assert () == plan.making


@pytest.mark.parametrize(
    "waiting",
    [
        [replace(NEXT, not_before=inf)],
        [replace(NEXT, not_before=NOW + 1)],
        [replace(NEXT, not_before=NOW - DAY_S, replaces=("2026b",))],
    ],
)
def test_no_key_is_made_while_a_step_is_left(waiting):
    """One waits for its record, or for its time, or has not ended the key before it: not even who insists has more."""
    assert () == plan_rotation([ED, *waiting], NOW, EXPIRY_S, again=True).making


@pytest.mark.parametrize(
    "other",
    [
        replace(NEXT, not_before=NOW - DAY_S),  # it replaces nothing
        replace(NEXT, not_before=NOW - DAY_S, replaces=("2026a",)),  # nor this one
        replace(NEXT, not_before=NOW - 3 * DAY_S, replaces=("2026b",)),  # it began before it
        replace(NEXT, not_before=inf, replaces=("2026b",)),  # it has not begun
    ],
)
def test_no_key_is_ended_but_by_its_successor(other):
    """Two may sign side by side for years, if somebody wants that."""
    old = replace(ED, not_before=NOW - 2 * DAY_S)
    assert () == plan_rotation([old, other], NOW, EXPIRY_S).left


def test_what_is_made_is_made_after_a_key_that_signs():
    """Not after one that is over, or is still to begin, however late that is."""
    over = replace(NEXT, not_before=NOW - 20 * DAY_S, not_after=NOW - 10 * DAY_S)
    active = replace(ED, not_before=NOW - 30 * DAY_S)
    assert (active,) == plan_rotation([active, over], NOW, EXPIRY_S).making


def test_a_record_is_needed_until_its_mail_has_arrived():
    """As long as mail is retried, and two days for the hosts behind ours."""
    assert NOW + 7 * DAY_S == removable_at(replace(ED, not_after=NOW), EXPIRY_S)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "2027a"),
        (["2026c", "default", "2027"], "2027a"),
        (["2027a", "2027b"], "2027c"),
        (["2027b", "2027A"], "2027c"),
        (["2027z"], "2027aa"),
        (["2027az"], "2027ba"),
        (["2027a-old", "2027é"], "2027a"),
        (["2027zzz"], "2027aaaa"),
        (["2027aaaa", "2027sales"], "2027a"),
        (["2027a1", "2027b"], "2027c"),
    ],
)
def test_the_next_selector(taken, expected):
    """Later than each that was used: a selector that comes again would meet signatures of the old key."""
    assert expected == next_selector(taken, NOW)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.sampled_from([b"\n", b"Replaces: 2026a\r\n", b"Not-Before: never\n"]), max_size=4))
def test_what_else_is_in_front_of_a_key_stays(lines):
    """Other lines are kept as they are; our lines are there once, however often they are written."""
    front = b"".join(lines)
    octets = front + ed25519_pem()
    once = with_lines(octets, {"Not-After": "2027-01-15T08:00:00Z"})
    twice = with_lines(once, {"Not-After": "2027-01-15T08:01:00Z"})
    assert twice == front + b"Not-After: 2027-01-15T08:01:00Z\n" + ed25519_pem()
