"""The walk: who is tried next, when, and what the answers of several exchangers add up to."""

from dataclasses import replace
from ipaddress import ip_address
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.routing import Connected, Ended, Greeted, Onward, Try, Verdict, Wait, Walk, WalkPolicy
from postroad.routing.walk import combined
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.tls import Demand, TlsLevel
from postroad.words.trail import Target

A = Target("a", ip_address("192.0.2.11"), 10)
A2 = Target("a", ip_address("192.0.2.13"), 10)
B = Target("b", ip_address("192.0.2.12"), 10)
BACKUP = Target("backup", ip_address("192.0.2.20"), 20)

DELIVERED = Outcome(Result.DELIVERED, Scope.RECIPIENT, "250 ok", "2.0.0")
LATER = Outcome(Result.DEFERRED, Scope.RECIPIENT, "450 not now", "4.2.0")
NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, "550 no such user", "5.1.1")
REFUSED = Outcome(Result.DEFERRED, Scope.HOST, "connection refused", "4.4.1")
LOST = Outcome(Result.DEFERRED, Scope.MESSAGE, "no reply to the final dot", "4.4.2", unsettled=True)


def run(targets, script, recipients=1, policy=None):
    """Walk without time passing: `script` has, by address, what a contact meets; returns the addresses and outcomes."""
    walk = Walk(tuple(targets), recipients, policy, now=0.0)
    visited = []
    while not isinstance(step := walk.next(0.0), Verdict):
        assert isinstance(step, Try)
        visited.append(step.target)
        met = script[step.target]
        if met.scope is Scope.HOST:
            walk.tell(Ended(step.number, Phase.CONNECT, host=met), 0.0)
            continue
        walk.tell(Greeted(step.number), 0.0)
        told = dict.fromkeys(walk.recipients(step.number), met)
        walk.tell(Ended(step.number, Phase.RCPT, told), 0.0)
    return visited, step.outcomes


def test_only_refusals_of_all_are_for_good():
    """Whatever the number and the order of the answers: one "not now" keeps the message in the queue."""
    for number in range(5):
        for answers in product([NEVER, LATER, REFUSED], repeat=number):
            is_final = {NEVER} == set(answers)
            assert (Result.FAILED if is_final else Result.DEFERRED) is combined(list(answers)).result


def results(outcomes):
    """The bare results."""
    return [outcome.result for outcome in outcomes]


def test_first_exchanger_takes_it():
    """A delivery ends the walk."""
    assert ([A], (DELIVERED,)) == run([A, B], {A: DELIVERED})


def test_host_error_goes_on_to_the_next_level_too():
    """A refused connection leads to the next address, and in the end to the backup."""
    assert ([A, B, BACKUP], (DELIVERED,)) == run([A, B, BACKUP], {A: REFUSED, B: REFUSED, BACKUP: DELIVERED})


def test_temporary_refusal_is_put_to_an_equal():
    """A 450 at RCPT may be greylisting at one of two equals: the other is asked."""
    assert ([A, B], (DELIVERED,)) == run([A, B, BACKUP], {A: LATER, B: DELIVERED})


def test_greylisting_never_pushes_mail_to_the_backup():
    """A 450 from every equal defers; the backup is not asked to overrule them."""
    visited, outcomes = run([A, B, BACKUP], {A: LATER, B: LATER})
    assert ([A, B], [Result.DEFERRED]) == (visited, results(outcomes))


def test_refusal_is_the_hosts_whatever_its_addresses():
    """The second address of a host that refused is the same host: it is not asked again."""
    assert [A] == run([A, A2], {A: LATER})[0]


def test_permanent_refusal_by_every_equal_fails():
    """550 from all equals is final."""
    assert ([A, B], (NEVER,)) == run([A, B, BACKUP], {A: NEVER, B: NEVER})


def test_first_5xx_does_not_decide_alone():
    """One equal that says 550 does not stop the other from taking the mail."""
    assert ([A, B], (DELIVERED,)) == run([A, B], {A: NEVER, B: DELIVERED})


def test_one_not_now_keeps_it_deferred():
    """With the primary down, a backup's 550 is not the last word: its list of users may be old."""
    visited, (outcome,) = run([A, BACKUP], {A: REFUSED, BACKUP: NEVER})
    assert ([A, BACKUP], Result.DEFERRED) == (visited, outcome.result)
    assert "550 no such user" in outcome.text


def test_all_hosts_unreachable_defers():
    """No exchanger could be asked: deferred, with the last reason."""
    assert (REFUSED,) == run([A, B], {A: REFUSED, B: REFUSED})[1]


def test_what_a_host_said_is_told_before_what_a_silent_one_did_not_say():
    """Whichever was asked first: the reason is the one that somebody gave."""
    scripts = ({A: LATER, B: REFUSED}, {A: REFUSED, B: LATER})
    assert [(LATER,), (LATER,)] == [run([A, B], script)[1] for script in scripts]


def test_no_failover_after_the_final_dot():
    """If the reply to the final dot is lost the message may be there: no other exchanger gets it in this attempt."""
    assert ([A], (LOST,)) == run([A, B, BACKUP], {A: LOST})


def test_onward_is_a_setting():
    """A policy may stop at the first refusal, or put it to the backup as Postfix does."""
    stop, on = WalkPolicy(on_4xx=Onward.NEVER), WalkPolicy(on_4xx=Onward.ANY)
    script = {A: LATER, B: LATER, BACKUP: DELIVERED}
    assert [[A], [A, B, BACKUP]] == [run([A, B, BACKUP], script, policy=policy)[0] for policy in (stop, on)]


def test_outcomes_are_there_when_all_are_settled():
    """Not before, though some are."""
    walk, seen = Walk((A, B), 2, now=0.0), []
    for told in ({0: DELIVERED, 1: LATER}, {1: DELIVERED}):
        number = walk.next(0.0).number
        walk.tell(Greeted(number), 0.0)
        seen.append(walk.outcomes)
        walk.tell(Ended(number, Phase.DOT, told), 0.0)
    assert ([None, None], (DELIVERED, DELIVERED)) == (seen, walk.outcomes)


def test_recipients_go_separate_ways():
    """What one recipient got is settled; only the other is taken to the next exchanger."""
    walk = Walk((A, B), 2, now=0.0)
    first = walk.next(0.0)
    walk.tell(Greeted(first.number), 0.0)
    walk.tell(Ended(first.number, Phase.DOT, {0: DELIVERED, 1: LATER}), 0.0)
    second = walk.next(0.0)
    assert (B, (1,)) == (second.target, walk.recipients(second.number))
    walk.tell(Greeted(second.number), 0.0)
    walk.tell(Ended(second.number, Phase.RCPT, {1: NEVER}), 0.0)
    assert [Result.DELIVERED, Result.DEFERRED] == results(walk.next(0.0).outcomes)


def test_equal_starts_after_the_stagger():
    """An equal is tried 250 ms after the first if that has not connected."""
    walk = Walk((A, B), 1, now=5.0)
    assert [Try(0, A), Wait(5.25), Wait(5.25), Try(1, B)] == [walk.next(now) for now in (5.0, 5.0, 5.2, 5.25)]


def test_backup_waits_longer_than_an_equal():
    """A distant primary is not passed over for being 250 ms away: the next level has its own patience."""
    walk = Walk((A, BACKUP), 1, now=0.0)
    assert [Try(0, A), Wait(1.0), Try(1, BACKUP)] == [walk.next(now) for now in (0.0, 0.5, 1.0)]


def test_slow_greeting_is_no_dead_host():
    """A connected exchanger that makes us wait for its greeting keeps its turn for 30 s."""
    walk = Walk((A, B), 1, now=0.0)
    walk.next(0.0)
    walk.tell(Connected(0), 0.1)
    assert [Wait(30.0), Try(1, B)] == [walk.next(0.3), walk.next(30.0)]


def test_first_to_greet_wins_and_the_loser_is_unused():
    """The contact that lost the race ends without an outcome, and its address may be tried again."""
    walk = Walk((A, B), 1, now=0.0)
    walk.next(0.0)
    walk.next(0.25)
    walk.tell(Greeted(1), 0.3)
    assert (1, Wait(None), "unused") == (walk.holder, walk.next(0.3), walk.contacts[0].word)
    walk.tell(Ended(0, Phase.CONNECT, host=REFUSED), 0.4)
    walk.tell(Ended(1, Phase.EHLO, host=REFUSED), 0.5)
    assert Try(2, A) == walk.next(0.5)


def test_broken_tls_is_tried_again_in_the_clear():
    """After a failed handshake the same address is contacted once more without TLS."""
    walk = Walk((A,), 1, now=0.0)
    walk.next(0.0)
    walk.tell(Greeted(0), 0.0)
    walk.tell(Ended(0, Phase.STARTTLS, host=REFUSED), 0.0)
    assert Try(1, A, clear=True) == walk.next(0.0)
    walk.tell(Greeted(1), 0.0)
    walk.tell(Ended(1, Phase.RCPT, {0: NEVER}), 0.0)
    assert [Result.FAILED] == results(walk.next(0.0).outcomes)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("level", TlsLevel)
def test_only_where_nobody_minds_is_broken_tls_tried_again_in_the_clear(allowed, level):
    """Neither against the demand of an exchanger nor against the policy."""
    target = replace(A, demand=Demand(level))
    walk = Walk((target,), 1, WalkPolicy(clear_after_tls_failure=allowed), now=0.0)
    walk.next(0.0)
    walk.tell(Ended(0, Phase.STARTTLS, host=REFUSED), 0.0)
    again = Try(1, target, clear=True) if allowed and level is TlsLevel.CLEAR else Verdict((REFUSED,))
    assert again == walk.next(0.0)


MEETINGS = st.sampled_from([DELIVERED, LATER, NEVER, REFUSED, LOST])
ONWARD = st.sampled_from(Onward)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), MEETINGS), max_size=8), ONWARD, ONWARD)
def test_walk_ends_and_never_asks_an_address_twice(hosts, on_4xx, on_5xx):
    """Whatever is met, the walk ends, each address is tried at most once, preferences never go down."""
    targets = [Target(f"h{name}", ip_address(f"192.0.2.{n}"), level) for n, (name, level, _) in enumerate(hosts)]
    targets.sort(key=lambda target: target.preference)
    script = {target: met for target, (_, _, met) in zip(targets, sorted(hosts, key=lambda h: h[1]), strict=True)}
    visited, outcomes = run(targets, script, policy=WalkPolicy(on_4xx=on_4xx, on_5xx=on_5xx))
    met = [script[target] for target in visited]
    assert len(set(visited)) == len(visited)
    assert sorted(target.preference for target in visited) == [target.preference for target in visited]
    assert (DELIVERED in met) == (outcomes[0].result is Result.DELIVERED)
    assert outcomes[0].result is not Result.FAILED or set(met) == {NEVER}


STEPS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["connect", "greet", "fail", "settle"])), max_size=40)


@given(STEPS, st.integers(1, 4), st.integers(1, 3))
def test_any_order_of_news_keeps_the_walk_sound(steps, targets, recipients):
    """News in any order, also of contacts long closed: one holder at most, and every recipient has an outcome."""
    plan = tuple(Target(f"h{n}", ip_address(f"192.0.2.{n}"), n // 2) for n in range(targets))
    walk, now, tries = Walk(plan, recipients, now=0.0), 0.0, []
    for number, what in steps:
        now += 0.1
        step = walk.next(now)
        tries += [step.target] if isinstance(step, Try) else []
        assert tries == [contact.target for contact in walk.contacts]
        if isinstance(step, Verdict):
            assert recipients == len(step.outcomes)
            return
        if number >= len(walk.contacts):
            continue
        if what == "settle" and walk.holder == number:
            walk.tell(Ended(number, Phase.DOT, dict.fromkeys(walk.recipients(number), DELIVERED)), now)
        else:
            news = {"connect": Connected(number), "greet": Greeted(number)}
            walk.tell(news.get(what, Ended(number, Phase.CONNECT, host=REFUSED)), now)


@given(
    st.lists(st.sampled_from([A, A2, B, BACKUP]), min_size=1, unique=True),
    st.sampled_from([DELIVERED, LATER, NEVER, REFUSED, LOST]),
)
def test_resumed_walk_is_the_walk(targets, met):
    """Begun from a contact that needed no race, a walk goes on as if it had made that contact itself."""
    host, told = (met, {}) if met.scope is Scope.HOST else (None, {0: met})
    news = Ended(0, Phase.DOT, told, host, reused=True)
    stepped = Walk(tuple(targets), 1, WalkPolicy(), now=0.0)
    stepped.next(0.0)
    stepped.tell(Connected(0), 0.0)
    stepped.tell(Greeted(0), 0.0)
    stepped.tell(news, 1.0)
    resumed = Walk.resumed(tuple(targets), 1, WalkPolicy(), news, began=0.0, ended=1.0)
    assert (stepped.contacts, stepped.next(1.0)) == (resumed.contacts, resumed.next(1.0))


def test_host_gone_from_a_resting_connection_is_asked_last():
    """It says nothing, and the others are there at once; alone, it is connected to anew."""
    gone = Ended(0, Phase.CONNECT, reused=True)
    walk = Walk.resumed((A, B), 1, WalkPolicy(), gone, began=0.0, ended=0.25)
    assert [B, A] == [walk.next(now).target for now in (0.25, 1.0)]
    assert [True, "unused"] == [walk.contacts[0].reused, walk.contacts[0].word]
    assert A == Walk.resumed((A,), 1, WalkPolicy(), gone, began=0.0, ended=0.25).next(0.25).target


def test_times_are_counted_from_the_beginning():
    """Milliseconds since the attempt began, whatever the clock says."""
    walk = Walk((A, B), 1, now=5.0)
    walk.next(5.0)
    walk.next(5.25)
    walk.tell(Ended(0, Phase.CONNECT, host=REFUSED), 5.375)
    assert [{0: REFUSED}, {}] == [each.recipients for each in walk.contacts]
    walk.tell(Greeted(1), 5.5)
    walk.tell(Ended(1, Phase.DOT, {0: DELIVERED}), 6.0)
    assert [(0.0, 375.0), (250.0, 1000.0)] == [(each.started_ms, each.ended_ms) for each in walk.contacts]
    assert not any(each.reused or each.dsn_over for each in walk.contacts)
    raced = Walk((A, B), 1, now=5.0)
    raced.next(5.0)
    raced.next(5.25)
    raced.tell(Greeted(1), 5.5)
    assert [(0.0, 500.0), (250.0, 250.0)] == [(each.started_ms, each.ended_ms) for each in raced.contacts]
