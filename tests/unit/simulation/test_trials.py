"""What only time shows: caches, memory, kept connections, greylisting, outages and retries."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from ipaddress import ip_address
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.plans import T1, T5, planned

from postroad.models import SCHEDULES
from postroad.simulation import SENDERS, Case, DnsOrder, forecast
from postroad.simulation.trials import Estimate, Greylist, Outage, Trial, Workload, play, run
from postroad.words.faults import Mode
from postroad.words.outcome import Result

FIRST, SECOND = ip_address("192.0.2.11"), ip_address("192.0.2.12")
HOUR_S, DAY_S = 3600.0, 86_400.0
ONE_BY_ONE = Workload(messages=20, over_s=20.0, sources=1)
FOREVER_DOWN = tuple(Outage(address) for address in (FIRST, SECOND))


def trial(zone, sender, load=None, **more):
    """A trial of the planned records."""
    return Trial(planned(zone), SENDERS[sender], load or Workload(10_000), **more)


def contacts(trials, address):
    """How often an address was contacted, over all time."""
    return sum(window.contacts[address] for window in trials.windows)


@pytest.mark.parametrize("sender", ["postroad", "exim", "postfix-reuse", "haraka"])
def test_the_same_seed_gives_the_same_result(sender):
    """Down to the last digit; another seed gives another."""
    load = Workload(1000)
    question = trial(T1, sender, load, outages=(Outage(FIRST, until_s=HOUR_S),), dns_order=DnsOrder.CACHED)
    first, again, other = (run(question, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.first != other.first


@pytest.mark.parametrize("sender", ["postroad", "exim", "postfix", "slimta"])
def test_slices_change_nothing(sender, monkeypatch):
    """A message's fate depends on its number, not on what is simulated beside it."""
    question = trial(
        T1, sender, Workload(100, sources=7), outages=(Outage(FIRST, until_s=HOUR_S),), greylist=Greylist(),
        dns_order=DnsOrder.CACHED,
    )  # fmt: skip
    whole = run(question, 1)
    monkeypatch.setattr(play, "_SLICE", 37)
    monkeypatch.setattr(play, "_CHAINED", 60)
    cut = run(question, 1)
    assert (whole.first, whole.outcome, whole.questions) == (cut.first, cut.outcome, cut.questions)
    assert whole.windows == cut.windows


def test_one_after_the_other_is_as_good_as_all_at_once(monkeypatch):
    """The way of senders that remember, walked by one that does not, leads to the same figures."""
    question = trial(T1, "postfix", outages=(Outage(FIRST, Mode.BLACKHOLE, HOUR_S, 9 * HOUR_S),), greylist=Greylist())
    apart = run(question, 1)
    monkeypatch.setattr(play, "remembers", lambda _trial: True)
    in_turn = run(question, 1)
    assert apart.windows == in_turn.windows
    assert (apart.tries.value, apart.delay.worst_s) == (in_turn.tries.value, in_turn.delay.worst_s)


KEEPERS = [name for name, sender in SENDERS.items() if sender.reuse.messages != 1]


@settings(max_examples=examples(36))
@given(
    st.sampled_from(KEEPERS),
    st.builds(
        Workload,
        st.integers(1, 90),
        st.sampled_from([0.5, 60.0, 3600.0]),
        st.integers(1, 9),
        together=st.integers(1, 3),
        at_once=st.integers(1, 3),
        session_s=st.sampled_from([0.0, 0.1, 5.0]),
    ),
)
@example("opensmtpd", Workload(6, 60.0, 1, together=3, at_once=2, session_s=0.1))
def test_mail_that_comes_after_a_rest_knows_nothing_of_what_was_before(sender, load):
    """Where all is up, a source's mail is played in pieces between its rests: as if it were played in one."""
    question = trial(T1, sender, load)
    in_pieces = run(question, 1)
    with patch.object(play, "pieces", whole_sources):
        whole = run(question, 1)
    assert whole == in_pieces


def whole_sources(_trial, arrival_s, each):
    """All mail of a source in one piece."""
    return np.diff(np.arange(0, arrival_s.size, each), append=arrival_s.size)


def test_opensmtpd_asks_again_in_the_same_attempt():
    """Down until 40 s, it is asked at 0, 16, 36 and 56 s, for beside it another is silent: measured of two faults."""
    outages = (Outage(FIRST, until_s=40.0), Outage(SECOND, Mode.BLACKHOLE))
    zone = "@ MX 10 a\n@ MX 20 b\na A 192.0.2.11\nb A 192.0.2.12\n"
    told = run(trial(zone, "opensmtpd", Workload(1, 1e-6), outages=outages), 1)
    assert (1, 56.0) == (told.tries_max, pytest.approx(told.delay.worst_s, abs=1e-3))
    assert 3 == told.contacts.value  # those at 16 and 36 s said again what they had said: they are not counted


def test_progress_is_told():
    """Up to the whole."""
    told = []
    run(trial(T1, "rfc5321", Workload(100_000)), 1, told.append)
    assert len(told) > 1
    assert sorted(told) == told
    assert 1.0 == told[-1]


def test_memory_is_bounded():
    """A quarter of a million messages take no more than one slice of them, eight megabytes; all at once took 57."""
    question = trial(T1, "rfc5321", Workload(250_000))
    tracemalloc.start()
    run(question, 1)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 2**20


def test_numpy_waits_until_a_trial_runs():
    """`import postroad.simulation.trials` is as fast as the rest of the program."""
    code = "import sys, postroad.simulation.trials; sys.exit('numpy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_cache_pins_the_order_within_a_ttl():
    """One sender in DNS order: in each TTL one server takes all, over many TTLs each takes half."""
    question = trial(T1, "dns-order", Workload(20_000, sources=1), dns_order=DnsOrder.CACHED)
    found = run(question, 1)
    assert {FIRST: (0.0, 1.0), SECOND: (0.0, 1.0)} == found.single
    assert 0.5 in found.first[FIRST]
    alone = run(replace(question, ttl_s=10 * DAY_S), 1)
    assert {0.0, 1.0} == {share.value for share in alone.first.values()}
    assert Estimate(1.0, 0.0, 1.0) in alone.first.values()  # one sender's luck tells nothing of others


def test_an_interval_knows_that_a_cache_gives_whole_runs():
    """A hundred thousand messages in 288 TTLs are as good as 288 draws, not as a hundred thousand."""
    loads = Workload(100_000, sources=1)
    cached, rotated = (
        run(trial(T1, "dns-order", loads, dns_order=order), 1).first[FIRST]
        for order in (DnsOrder.CACHED, DnsOrder.ROTATE)
    )
    assert 0.10 < cached.high - cached.low < 0.13
    assert rotated.high - rotated.low < 0.007


def test_a_cache_asks_once_in_a_ttl():
    """One resolver, an hour, a TTL of 300 s: 12 or 13 questions of each kind, however much mail there is."""
    found = run(trial(T5, "rfc5321", Workload(3600, over_s=HOUR_S, sources=1)), 1).questions
    assert (found.mx * 3600, found.a, found.aaaa) in [(n, 2 * found.mx, 2 * found.mx) for n in (12, 13)]


def test_who_asks_late_asks_less():
    """Who asks for the addresses of exchangers it contacts asks for one, with a primary that answers: sendmail."""
    found = run(trial(T5, "sendmail", Workload(360, over_s=HOUR_S, sources=1)), 1).questions
    assert found.mx * 2 == found.a  # of the exchanger, and of the domain itself


def test_domains_that_are_new_are_asked_for_each_time():
    """Many domains with the same records: one MX question a message, the exchangers' addresses from the cache."""
    load = Workload(3600, over_s=HOUR_S, sources=1, one_domain=False)
    found = run(trial(T5, "rfc5321", load), 1).questions
    assert 1.0 == found.mx
    assert found.a < 0.01


@pytest.mark.parametrize("zone", [T1, T5])
@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.G421])
def test_exim_remembers(zone, mode):
    """Measured: one message of twenty met the fault, the others passed the address over, even when it was well."""
    found = run(trial(zone, "exim", ONE_BY_ONE, outages=(Outage(FIRST, mode, 0, 15),)), 3)
    assert 1 == contacts(found, FIRST)
    assert 20 == contacts(found, SECOND)


def test_exim_does_not_remember_a_greylisting():
    """Measured: fifteen of fifteen met it, and the next five were delivered there."""
    found = run(trial(T5, "exim", ONE_BY_ONE, outages=(Outage(FIRST, Mode.R450, 0, 15),)), 3)
    assert (20, 15) == (contacts(found, FIRST), contacts(found, SECOND))


@pytest.mark.parametrize("sender", ["postfix", "dma", "chasquid", "sendmail", "haraka"])
def test_others_choose_anew(sender):
    """Measured: each of fifteen messages met the refusal, and the next five were delivered to the primary."""
    found = run(trial(T5, sender, ONE_BY_ONE, outages=(Outage(FIRST, until_s=15),)), 3)
    assert (20, 15) == (contacts(found, FIRST), contacts(found, SECOND))


def test_what_is_remembered_is_forgotten():
    """Exim asks again after 15 minutes: five times in an hour, not once a message."""
    load = Workload(240, over_s=HOUR_S, sources=1)
    found = run(trial(T5, "exim", load, outages=(Outage(FIRST),)), 1)
    assert 4 == contacts(found, FIRST)


def test_a_burst_over_kept_connections_wanders():
    """Measured: 300 messages in a second gave 25, 61, 69 and 15 % to one of two equals; over many bursts it is half."""
    load = Workload(300 * 60, over_s=1.0, sources=60, session_s=0.015)
    found = run(trial(T1, "postfix-reuse", load), 2)
    low, high = found.single[FIRST]
    assert low < 0.25
    assert high > 0.69
    assert 0.5 in found.first[FIRST]
    plain = run(trial(T1, "postfix", load), 1)
    assert found.first[FIRST].high - found.first[FIRST].low > 5 * (plain.first[FIRST].high - plain.first[FIRST].low)


def test_slow_mail_finds_no_connection():
    """Measured: a message a second, 42 to 58, each over a connection of its own."""
    load = Workload(100 * 200, over_s=100.0, sources=200, session_s=0.015)
    low, high = run(trial(T1, "postfix-reuse", load), 1).single[FIRST]
    assert 0.38 < low < 0.5 < high < 0.62


def test_our_relay_stays_even_in_a_burst():
    """Kept connections are used where the draw leads to one, so they attract nothing."""
    load = Workload(300 * 200, over_s=1.0, sources=200, session_s=0.015)
    found = run(trial(T1, "postroad", load), 1)
    assert {} == found.single
    assert found.first[FIRST].high - found.first[FIRST].low < 0.01


def test_deliveries_at_once_are_limited():
    """A mailing of 100 over two connections of a second each: the last one waits for 49 s."""
    load = Workload(100, over_s=1.0, sources=1, together=100, at_once=2, session_s=1.0)
    assert 49.0 == pytest.approx(run(trial(T1, "postfix-reuse", load), 1).delay.worst_s)


def test_greylisting_costs_one_retry():
    """Told to wait for five minutes, Postfix comes back after that, and all mail gets through."""
    found = run(trial(T1, "postfix", greylist=Greylist(delay_s=300)), 1)
    assert 1.0 == found.outcome[Result.DELIVERED].value
    assert (2.0, 2) == (found.tries.value, found.tries_max)
    assert 300 <= found.delay.p50.low <= found.delay.worst_s <= 600


def test_greylisting_apart_costs_a_retry_for_each_server():
    """Haraka meets one server at each try: where they do not tell each other, the other may ask it to wait again."""
    shared, apart = (run(trial(T1, "haraka", greylist=Greylist(120, shared=told)), 1) for told in (True, False))
    assert (shared.tries.value, shared.tries_max) == (3.0, 3)  # after 64 s it is too soon
    assert apart.tries_max > 3


def test_many_machines_are_strangers_each():
    """A sender with seven addresses is greylisted until one of them comes twice."""
    one, seven = (
        run(trial(T1, "rfc5321", greylist=Greylist(300), schedule=replace(SCHEDULES["gmail"], machines=count)), 1)
        for count in (1, 7)
    )
    assert 2.0 == one.tries.value
    assert 3 < seven.tries.value < 5
    assert seven.tries_max <= 8  # of eight tries two are from the same of seven


def test_an_outage_ends_with_a_rush():
    """Both servers down for the first two hours: mail waits, and is delivered after, with that of the day."""
    outages = tuple(Outage(address, until_s=2 * HOUR_S) for address in (FIRST, SECOND))
    found = run(trial(T1, "postfix", outages=outages), 1)
    taken = [sum(window.accepted.values()) for window in found.windows]
    assert [0, 0] == taken[:2]
    assert max(taken) in taken[2:4]
    assert taken[2] > 1.5 * taken[-2]
    assert 10_000 == sum(taken)
    assert 2 * HOUR_S < found.delay.worst_s < 2 * HOUR_S + 4300


def test_the_later_of_two_outages_counts():
    """A server that refuses all day and greylists for an hour of it greylists in that hour."""
    outages = (Outage(FIRST), Outage(FIRST, Mode.R550, HOUR_S, 2 * HOUR_S))
    found = run(trial(T5, "rfc5321", Workload(24_000), outages=outages), 1)
    assert found.outcome[Result.FAILED].value == pytest.approx(1 / 24, abs=2e-3)


@pytest.mark.parametrize(
    ("sender", "result", "tries"),
    [("postroad", Result.FAILED, 36), ("haraka", Result.FAILED, 13), ("mx-connect", Result.DEFERRED, 1)],
)
def test_mail_to_nowhere_is_given_up(sender, result, tries):
    """After the schedule of its sender; a library tells its caller at once, who has it still."""
    found = run(trial(T1, sender, Workload(200, sources=200), outages=FOREVER_DOWN), 1)
    assert 1.0 == found.outcome[result].value
    assert found.tries_max == pytest.approx(tries, abs=1)
    assert found.delay is None


def test_our_last_try_is_at_the_expiry():
    """The relay tries once more at the very end: mail for servers that come back in time is not lost."""
    almost = tuple(Outage(address, until_s=5 * DAY_S - 1) for address in (FIRST, SECOND))
    load = Workload(100, over_s=0.5, sources=100)
    found = run(trial(T1, "rfc5321", load, outages=almost), 1)
    assert 1.0 == found.outcome[Result.DELIVERED].value
    assert 5 * DAY_S == pytest.approx(found.delay.worst_s)


def test_who_cannot_use_the_records_says_so():
    """Twisted breaks on equals; a null MX takes no mail."""
    found = run(trial(T1, "twisted"), 1)
    assert found.unable
    assert {Result.FAILED: Estimate(1.0, 1.0, 1.0)} == run(trial("@ MX 0 .\n", "exim"), 1).outcome


@pytest.mark.parametrize("wrong", [{"messages": 0}, {"sources": 0}, {"over_s": 0.0}, {"session_s": -1.0}])
def test_a_workload_without_mail_is_refused(wrong):
    """It is a mistake of whoever wrote it."""
    with pytest.raises(ValueError, match=r"0 s|at least one"):
        Workload(**wrong)


def test_a_hundred_exchangers_are_no_burden():
    """Each takes its hundredth."""
    zone = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(1, 101))
    found = run(trial(zone, "rfc5321", Workload(20_000)), 1)
    assert 100 == len(found.first)
    assert sum(0.01 in share for share in found.first.values()) >= 88


@pytest.mark.parametrize(("sender", "at_one"), [("exim", True), ("sendmail", True), ("rfc5321", False)])
def test_one_run_over_the_queue_is_one_draw(sender, at_one):
    """Measured: all messages of a queue run of exim or sendmail went to one of two equals, now this, now that."""
    load, away = Workload(10, 600.0, sources=1), tuple(Outage(each, until_s=HOUR_S) for each in (FIRST, SECOND))
    shares = [run(trial(T1, sender, load, outages=away), seed).accepted[FIRST].value for seed in (6, 7)]
    assert at_one is ({0.0, 1.0} == set(shares))


def test_a_timetable_of_ones_own_has_no_queue_runs():
    """Who says when mail is tried again has it tried then."""
    load, away = Workload(10, 600.0, sources=1), tuple(Outage(each, until_s=HOUR_S) for each in (FIRST, SECOND))
    tried = run(trial(T1, "exim", load, outages=away, schedule=SCHEDULES["postfix"]), 1)
    assert 0 < tried.accepted[FIRST].value < 1


def test_routes_take_turns_while_mail_is_under_way():
    """Measured of 300 messages of OpenSMTPD: 172 and 128, by connections of a hundred; and all on one if it is idle."""
    paced = run(trial(T1, "opensmtpd", Workload(300, 60.0, sources=1)), 1)
    assert 1 / 3 <= paced.first[FIRST].value <= 2 / 3
    assert 1.0 == run(trial(T1, "opensmtpd", Workload(30, 30 * HOUR_S, sources=1)), 1).first[FIRST].value


def test_a_route_that_has_rested_is_taken_again_before_one_never_used():
    """One connection of a hundred messages after the other: the first, the next of the list, and the first again."""
    zone = "@ MX 10 a\n@ MX 10 b\n@ MX 10 c\na A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\n"
    told = run(trial(zone, "opensmtpd", Workload(300, 60.0, sources=1, at_once=1, session_s=0.01)), 1)
    taken = {str(address): round(300 * share.value) for address, share in told.first.items() if share.value}
    assert {"192.0.2.1": 200, "192.0.2.3": 100} == taken


@pytest.mark.parametrize("sender", ["postfix", "exim", "postroad", "haraka"])
def test_dead_names_are_asked_for_in_trials_too(sender):
    """By those who ask for every exchanger before the first contact."""
    zone = "@ MX 10 nx\n" + T1
    question = trial(zone, sender, Workload(100, one_domain=False), ttl_s=0.0)
    exact = forecast(Case(planned(zone), sender), SENDERS[sender]).questions
    assert 3 == exact.a
    assert float(exact.a) == run(question, 1).questions.a
