"""Exact forecasts: what each server gets, what becomes of the mail, and that nothing was left out by counting."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from tests.support.forecasts import ADDRESSES, BACKUP, EQUALS, MODES, cases, snapshot

from postroad.models.model import ENDS, Inside, PreferenceUse
from postroad.routing import PROCEDURES, decide, odds
from postroad.simulation import MIXES, SENDERS, Case, DnsOrder, blend, forecast
from postroad.simulation.enforcing import as_met
from postroad.simulation.limits import counted
from postroad.simulation.paths import every_way
from postroad.simulation.plans import NoWay, exchanges, plans
from postroad.simulation.shares import _add_up, _Sums
from postroad.simulation.steps import Steps
from postroad.words.facts import Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot

HALF = Fraction(1, 2)


def told(sender, facts, order=DnsOrder.FIXED, **down):
    """The forecast of a sender by name; `down` by the last number of an address, as in `_1="refuse"`."""
    modes = {ip_address(f"192.0.2.{key[1:]}"): Mode(mode) for key, mode in down.items()}
    return forecast(Case(facts, sender, order, modes), SENDERS[sender])


def shares(chances):
    """Addresses by their last number, those with nothing left out."""
    return {int(str(address).rpartition(".")[2]): share for address, share in chances.items() if share}


MULTIHOMED = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2", "192.0.2.3", "192.0.2.4"))
THREE = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2"), (10, "c", "192.0.2.3"))


@pytest.mark.parametrize("name", ["rfc974", "rfc1123", "rfc2821", "rfc5321", "postroad"])
@pytest.mark.parametrize("facts", [EQUALS, MULTIHOMED, BACKUP, THREE])
def test_the_procedures_share_as_routing_says(name, facts):
    """A procedure in a simulation and in a delivery are one: the first contacts have the odds of routing."""
    policy = PROCEDURES.get(name, PROCEDURES["rfc5321"])
    expected = odds(decide(facts, policy), policy)
    answer = told(name, facts)
    assert {host: share for host, share in expected.hosts.items() if share} == answer.hosts
    if name != "postroad":  # which turns the addresses of a host by itself
        first = {address: share for (_host, address), share in expected.addresses.items() if share}
        assert first == answer.first


def test_who_chooses_hosts_and_who_chooses_addresses_share_differently():
    """Beside a host of three addresses the other has half the mail of a chooser of hosts, a quarter of Postfix's."""
    assert HALF == told("rfc5321", MULTIHOMED).first[ip_address("192.0.2.1")]
    assert Fraction(1, 4) == told("postfix", MULTIHOMED).first[ip_address("192.0.2.1")]


def test_the_third_equal_is_never_first_for_haraka():
    """One pass of swaps brings only the first two records to the front; rotated answers make it even again."""
    assert {1: HALF, 2: HALF} == shares(told("haraka", THREE).first)
    assert dict.fromkeys((1, 2, 3), Fraction(1, 3)) == shares(told("haraka", THREE, DnsOrder.ROTATE).first)


def test_an_exim_with_ipv6_passes_an_ipv4_only_equal_over():
    """A v6 address changes places with the v4 one before it, so the host without one is never first."""
    facts = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2", "2001:db8::2"))
    assert {ip_address("2001:db8::2"): 1} == told("exim", facts).first


def test_exims_pass_over_three_is_not_complete():
    """One pass carries a v4 address back past v6 ones, but not two: the first of two v4 hosts may stay in front."""
    facts = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2"), (10, "c", "2001:db8::3"))
    assert Fraction(2, 3) == told("exim", facts).first[ip_address("2001:db8::3")]


def test_a_rotated_answer_turns_as_a_whole():
    """A backup between turns gives its neighbour more: the set of records is rotated, not each preference."""
    facts = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2"), (20, "c", "192.0.2.3"))
    assert {1: Fraction(2, 3), 2: Fraction(1, 3)} == shares(told("rfc974", facts, DnsOrder.ROTATE).first)


def test_one_name_server_turns_all_its_sets_in_step():
    """Every second message gets both sets the other way round: half the addresses are never first. Apart, all are."""
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2"), (10, "b", "192.0.2.3", "192.0.2.4"))
    assert {1: HALF, 4: HALF} == shares(told("dns-order", facts, DnsOrder.ROTATE).first)
    assert dict.fromkeys((1, 2, 3, 4), Fraction(1, 4)) == shares(told("dns-order", facts, DnsOrder.ROTATE_APART).first)


def test_turns_in_step_are_those_of_each_message_in_a_row():
    """The forecast of rotated answers is the mean over the answers of as many messages as it takes to come round.

    For every fifth sender; for all in a whole run.
    """
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2"), (20, "b", "192.0.2.3"), (10, "c", "192.0.2.4", "192.0.2.5"))
    down = {"_1": "refuse", "_4": "blackhole"}
    for name in some(sorted(SENDERS.keys() - {"slimta", "postroad"}), 5):  # which keep an order of their own
        messages = [told(name, _turned(facts, turn), **down) for turn in range(6)]
        rotated = told(name, facts, DnsOrder.ROTATE, **down)
        for address in facts_addresses(facts):
            assert sum(each.accepted.get(address, 0) for each in messages) == 6 * rotated.accepted.get(address, 0)
        assert sum(each.attempts_mean for each in messages) == 6 * rotated.attempts_mean


def _turned(facts, turn):
    """What DNS gives out for a message: each set begins so many records further."""
    at = turn % len(facts.mx.records)
    hosts = {
        name: replace(host, a=Found((kept := host.a.records)[turn % len(kept) :] + kept[: turn % len(kept)]))
        for name, host in facts.hosts.items()
    }
    return replace(facts, mx=Found(facts.mx.records[at:] + facts.mx.records[:at]), hosts=hosts)


def facts_addresses(facts):
    """All of them."""
    return [address for host in facts.hosts.values() for address in host.a.records]


DEAD_FIRST = replace(
    snapshot((10, "nx"), (10, "a", "192.0.2.1"), (10, "b", "192.0.2.2")),
    hosts={
        **THREE.hosts,
        "nx": HostFacts(NoName(), NoName()),
        "b": HostFacts(Found((ip_address("192.0.2.2"),)), NoData()),
    },
)


@pytest.mark.parametrize("name", ["slimta", "twisted"])
def test_a_dead_name_in_front_costs_some_senders_the_attempt(name):
    """Measured: slimta and twisted defer every message while the first record leads nowhere."""
    facts = replace(DEAD_FIRST, mx=Found((Mx(10, "nx"), Mx(20, "a"))))
    answer = told(name, facts)
    assert ({}, 1) == (answer.first, answer.outcome[Result.DEFERRED])
    assert 1 == answer.questions.a
    assert 1 == told(name, replace(facts, mx=Found((Mx(10, "a"), Mx(20, "nx"))))).outcome[Result.DELIVERED]


def test_a_dead_name_takes_part_in_harakas_shuffle():
    """Measured on nx, .11, .12: 113 and 37 of 150, where three to one is 112.5 and 37.5."""
    assert {1: Fraction(3, 4), 2: Fraction(1, 4)} == shares(told("haraka", DEAD_FIRST).first)


def test_dead_names_are_asked_for():
    """Who asks for all exchangers first asks for the dead one too; who asks on the way does if it comes by."""
    assert {3} == {told(name, DEAD_FIRST).questions.a for name in ("postroad", "rfc5321", "postfix", "exim", "haraka")}
    assert Fraction(4, 3) == told("chasquid", DEAD_FIRST).questions.a


@pytest.mark.parametrize("name", ["postroad", "rfc5321", "postfix", "exim", "sendmail", "chasquid", "dns-order"])
def test_who_passes_a_dead_name_over_does_as_if_it_were_not_there(name):
    """Shares and outcomes are those of the other records alone."""
    without = replace(DEAD_FIRST, mx=Found(DEAD_FIRST.mx.records[1:]))
    for down in ({}, {"_1": "refuse"}, {"_1": "blackhole", "_2": "r450"}):
        with_it, alone = told(name, DEAD_FIRST, **down), told(name, without, **down)
        assert (alone.first, alone.accepted, alone.outcome) == (with_it.first, with_it.accepted, with_it.outcome)
        assert (alone.attempts_mean, alone.delay_mean_s) == (with_it.attempts_mean, with_it.delay_mean_s)


def test_a_domain_of_dead_names_is_asked_for_and_refused():
    """No contact is made, and the questions are those for every name."""
    facts = replace(DEAD_FIRST, mx=Found((Mx(10, "nx"), Mx(20, "ny"))))
    facts = replace(facts, hosts={name: HostFacts(NoName(), NoName()) for name in ("nx", "ny")})
    assert (1, 2) == ((answer := told("postfix", facts)).outcome[Result.FAILED], answer.questions.a)
    assert 2 == told("postroad", facts).questions.a


def test_two_names_with_one_address_are_one_server():
    """Shares are of servers: what comes under either name comes to the same machine."""
    facts = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.1"), (10, "c", "192.0.2.2"))
    answer = told("rfc5321", facts)
    assert {1: Fraction(2, 3), 2: Fraction(1, 3)} == shares(answer.first)
    assert dict.fromkeys("abc", Fraction(1, 3)) == answer.hosts


def test_a_dead_equal_costs_a_wait_where_connections_do_not_race():
    """Half the mail meets the dead server first: Postfix waits 30 s for it, Postroad a quarter of a second."""
    assert (15.0, 30.0) == (
        told("postfix", EQUALS, _1="blackhole").delay_mean_s,
        told("postfix", EQUALS, _1="blackhole").delay_worst_s,
    )
    assert 0.25 == told("postroad", EQUALS, _1="blackhole").delay_worst_s
    assert 1.0 == told("postroad", BACKUP, _1="blackhole").delay_worst_s


def test_greylisting_drives_some_senders_to_the_backup():
    """After a 450 Postfix asks the backup at once; Postroad, OpenSMTPD and Haraka come back later."""
    assert {2: 1} == shares(told("postfix", BACKUP, _1="r450").accepted)
    for name in ("postroad", "opensmtpd", "haraka"):
        assert 1 == told(name, BACKUP, _1="r450").outcome[Result.DEFERRED]


def test_the_last_word_decides_for_some_and_all_words_for_others():
    """With 554 for every greeting Exim and sendmail bounce, Haraka and dma at the first; the others come back."""
    failed = {name for name in SENDERS if told(name, BACKUP, _1="g554", _2="g554").outcome.get(Result.FAILED)}
    at_once = {"haraka", "dma", "dma-tls", "slimta", "courier", "first-mx-only"}
    assert {"exim", "exim-light", "sendmail", *at_once} == failed - {"ipv6-only"}


def test_what_is_asked_of_dns_depends_on_who_asks():
    """Most ask for the addresses of all exchangers first, chasquid only for those it tries."""
    assert (1, 2, 2) == tuple(getattr(told("postfix", EQUALS).questions, kind) for kind in ("mx", "a", "aaaa"))
    assert 3 == told("chasquid", EQUALS).questions.mean
    assert Fraction(3, 2) == told("chasquid", EQUALS, _1="refuse").questions.a


def test_a_sender_that_cannot_use_the_records_says_so():
    """Two records of one preference break twisted.mail: nothing is contacted, and the mail counts as failed."""
    answer = told("twisted", EQUALS)
    assert answer.unable
    assert ({}, {}) == (answer.first, answer.outcome)
    mixed = blend({"twisted": answer, "rfc5321": told("rfc5321", EQUALS)}, {"twisted": HALF, "rfc5321": HALF})
    assert (HALF, HALF) == (mixed.outcome[Result.FAILED], mixed.outcome[Result.DELIVERED])


def test_a_null_mx_fails_at_once_or_is_tried_for_days():
    """Senders that know RFC 7505 bounce; chasquid, OpenSMTPD, slimta and dma keep the mail."""
    facts = Snapshot("example.com", Found((Mx(0, ""),)))
    deferring = {name for name in SENDERS if told(name, facts).outcome[Result.DEFERRED]}
    libraries = {"mx-connect", "node-sendmail", "nodemailer-direct", "directmail", "twisted"}
    assert {"chasquid", "opensmtpd", "slimta", "dma", "dma-tls"} | libraries == deferring


def test_an_address_without_mx_is_used_by_most():
    """NODATA leads to the domain's own address; NXDOMAIN for MX does so only for some."""
    host = {"example.com": HostFacts(Found((ip_address("192.0.2.1"),)), NoData())}
    assert {1: 1} == shares(told("exim", Snapshot("example.com", NoData(), host)).first)
    assert 1 == told("exim", Snapshot("example.com", NoName(), host)).outcome[Result.FAILED]
    assert {1: 1} == shares(told("postfix", Snapshot("example.com", NoName(), host)).first)
    assert {} == told("node-sendmail", Snapshot("example.com", NoData(), host)).first


def test_nobody_takes_a_failing_name_server_for_a_domain_without_mx():
    """SERVFAIL for MX defers the mail, whoever sends it."""
    host = {"example.com": HostFacts(Found((ip_address("192.0.2.1"),)), NoData())}
    facts = Snapshot("example.com", Temporary("SERVFAIL"), host)
    assert {1} == {told(name, facts).outcome[Result.DEFERRED] for name in SENDERS}


def test_one_null_record_beside_others_voids_the_domain_for_postfix():
    """The others leave it out."""
    facts = replace(EQUALS, mx=Found((*EQUALS.mx.records, Mx(0, ""))))
    assert 1 == told("postfix", facts).outcome[Result.FAILED]
    assert 1 == told("exim", facts).outcome[Result.DELIVERED]


def test_an_address_for_a_name_is_taken_by_some():
    """`MX 10 192.0.2.9` names no host; Postfix connects all the same, the procedures of the RFCs go to the next."""
    facts = replace(EQUALS, mx=Found((Mx(5, "192.0.2.9"), *EQUALS.mx.records)))
    assert {9: 1} == shares(told("postfix", facts).first)
    assert {1: HALF, 2: HALF} == shares(told("rfc5321", facts).first)


def test_examples_show_different_beginnings():
    """Each with its chance, and the waits on the way."""
    answer = told("postfix", EQUALS, _1="blackhole")
    assert [HALF, HALF] == [example.chance for example in answer.examples]
    slow = next(example for example in answer.examples if len(example.steps) == 2)
    assert [(0.0, 30.0), (30.0, 0.0)] == [(step.at_s, step.waited_s) for step in slow.steps]


def test_forty_equals_have_a_fortieth_each():
    """Exact by counting: nobody lists the orders of forty servers."""
    facts = snapshot(*((10, f"mx{n}", f"192.0.2.{n}") for n in range(1, 41)))
    modes = ["refuse", "blackhole", "g421", "g554", "close", "r450", "d451", "e451"]
    down = {f"_{n}": modes[n % len(modes)] for n in range(1, 21)}
    for name in ("postroad", "postfix", "exim", "sendmail", "chasquid", "rfc5321"):
        answer = told(name, facts, **down)
        assert {Fraction(1, 40)} == set(answer.first.values())
        assert 1 == sum(answer.outcome.values())


@pytest.mark.parametrize("mix", MIXES)
def test_a_mix_weighs_its_senders(mix):
    """Its weights sum to one, and so do the shares of all together."""
    forecasts = {name: told(name, EQUALS) for name in MIXES[mix]}
    assert 1 == sum(MIXES[mix].values())
    assert 1 == sum(blend(forecasts, MIXES[mix]).first.values())


@settings(max_examples=examples(70))
@given(cases(), st.sampled_from(sorted(SENDERS)))
def test_chances_sum_to_one(case, name):
    """Whatever is down: first contacts, outcomes, and what was accepted of what was delivered."""
    answer = forecast(case, SENDERS[name])
    if answer.unable:
        return
    assert 1 == sum(answer.outcome.values())
    assert sum(answer.first.values()) in (0, 1)
    assert answer.outcome[Result.DELIVERED] == sum(answer.accepted.values())


def _tell_the_same(told, taken):
    """How long mail takes that gets through, beside each way by which it does."""
    part = sum(chance for chance, _ in taken)
    assert bool(part) == bool(told)
    if told:
        mean = sum(float(chance) * ended_s for chance, ended_s in taken) / float(part)
        assert (pytest.approx(mean), pytest.approx(max(ended_s for _, ended_s in taken))) == (told.mean_s, told.worst_s)


@settings(max_examples=examples(90))
@given(cases(), st.sampled_from(sorted(SENDERS)))
def test_counting_alike_servers_changes_nothing(case, name):
    """The exact answer is that of all orders, listed one by one."""
    sender = SENDERS[name]
    answer = forecast(case, sender)
    first, accepted, outcome = defaultdict(Fraction), defaultdict(Fraction), defaultdict(Fraction)
    attempts, taken = Fraction(0), []
    for way in every_way(case, sender):
        outcome[way.result] += way.chance
        attempts += way.chance * len(way.steps)
        if way.steps:
            first[way.steps[0].address] += way.chance
        if way.result is Result.DELIVERED:
            accepted[way.steps[-1].address] += way.chance
            taken.append((way.chance, way.steps[-1].at_s + way.steps[-1].waited_s))
    _tell_the_same(answer.taken, taken)
    assert {key: share for key, share in answer.outcome.items() if share} == outcome
    assert first == {key: share for key, share in answer.first.items() if share}
    assert accepted == {key: share for key, share in answer.accepted.items() if share}
    assert attempts == answer.attempts_mean


@settings(max_examples=examples(90))
@given(cases(), st.sampled_from(sorted(SENDERS.keys() - {"postroad"})))
def test_counting_alike_servers_keeps_the_clock(case, name):
    """The mean and the worst delay are those of all orders told apart."""
    sender = SENDERS[name]
    found = exchanges(case.snapshot, sender)
    if isinstance(found, NoWay):
        return
    sums = _Sums()
    limits = counted(case, sender, found)
    ways = plans(case, sender, found, limits, alike=False)
    for levels in ways:
        _add_up(Steps(sender, levels, limits), Fraction(1, len(ways)), sums)
    answer = forecast(case, sender)
    assert sums.worst_s == pytest.approx(answer.delay_worst_s)
    assert sums.delay_s == pytest.approx(answer.delay_mean_s)
    assert sums.attempts == answer.attempts_mean


@settings(max_examples=examples(50))
@given(st.lists(MODES, min_size=1, max_size=5))
def test_equal_servers_are_as_their_permutations(modes):
    """For a chooser among equals with one address each, a plain loop over all orders gives the same shares."""
    addresses = [ip_address(f"192.0.2.{place + 1}") for place in range(len(modes))]
    facts = snapshot(*((10, f"mx{place}", str(address)) for place, address in enumerate(addresses)))
    down = dict(zip(addresses, modes, strict=True))
    orders = list(permutations(addresses))
    accepted = defaultdict(Fraction)
    for order in orders:
        for address in order:
            then = SENDERS["sendmail"].after(as_met(frozenset(), down[address]))
            if ENDS.get(then) is Result.DELIVERED:
                accepted[address] += Fraction(1, len(orders))
            if then in ENDS:
                break
    answer = forecast(Case(facts, "sendmail", down=down), SENDERS["sendmail"])
    assert accepted == {address: share for address, share in answer.accepted.items() if share}


RANDOM = sorted(name for name, sender in SENDERS.items() if sender.equals == "random" and name != "ipv6-only")


@settings(max_examples=examples(50))
@given(cases(), st.sampled_from(RANDOM), st.sampled_from(ADDRESSES), st.sampled_from([Mode.REFUSE, Mode.BLACKHOLE]))
def test_losing_a_server_that_took_all_never_helps(case, name, lost, mode):
    """With the others well, one more server that does not answer never raises the chance of delivery."""
    well = {address: found for address, found in case.down.items() if found in (Mode.REFUSE, Mode.ACCEPT)}
    before = forecast(replace(case, down=well | {lost: Mode.ACCEPT}), SENDERS[name])
    after = forecast(replace(case, down=well | {lost: mode}), SENDERS[name])
    assert after.outcome[Result.DELIVERED] <= before.outcome[Result.DELIVERED]


@settings(max_examples=examples(50))
@given(cases(), st.sampled_from(sorted(SENDERS)))
def test_healthy_servers_always_take_the_mail(case, name):
    """If all is well nothing is deferred, and one contact is enough."""
    answer = forecast(replace(case, down={}), SENDERS[name])
    if answer.first:
        assert (1, 1, 0.0) == (answer.outcome[Result.DELIVERED], answer.attempts_mean, answer.delay_worst_s)


def test_higher_preferences_first_is_what_the_name_says():
    """A sender that begins with the backup gives it everything."""
    assert SENDERS["highest-first"].preference is PreferenceUse.DESCENDING
    assert {2: 1} == shares(told("highest-first", BACKUP).first)


def test_postfix_keeps_room_for_both_families():
    """Of three and three addresses five are tried: three of the family that comes first, two of the other."""
    names = [f"192.0.2.{n}" for n in (1, 2, 3)] + [f"2001:db8::{n}" for n in (1, 2, 3)]
    facts = snapshot((10, "a", *names))
    case = Case(facts, "postfix", down=dict.fromkeys(map(ip_address, names), Mode.REFUSE))
    for way in every_way(case, SENDERS["postfix"]):
        families = [step.address.version for step in way.steps]
        assert (5, 3) == (len(families), families.count(families[0]))


def test_postfix_tries_all_of_a_family_with_few_addresses():
    """One IPv4 address among six others is always tried: the others cannot crowd it out."""
    names = ["192.0.2.1", *(f"2001:db8::{n}" for n in range(1, 7))]
    case = Case(snapshot((10, "a", *names)), "postfix", down=dict.fromkeys(map(ip_address, names[1:]), Mode.REFUSE))
    assert 1 == forecast(case, SENDERS["postfix"]).outcome[Result.DELIVERED]


def test_many_addresses_of_both_families_that_are_dead_are_counted():
    """Where both halves of Postfix's limit are used up, the rest is not passed over in every order."""
    records = [(10, f"m{n}", f"192.0.2.{n}", f"2001:db8::{n}") for n in range(1, 21)]
    down = {ip_address(text): Mode.REFUSE for _preference, _name, *texts in records for text in texts}
    answer = forecast(Case(snapshot(*records), "postfix", down=down), SENDERS["postfix"], examples=0)
    assert (1, 5) == (answer.outcome[Result.DEFERRED], answer.attempts_mean)


@pytest.mark.parametrize("order", DnsOrder)
def test_addresses_in_any_order_are_alike_in_every_order_of_their_hosts(order):
    """A sender of one's own that takes hosts as DNS gives them, and their addresses at random."""
    sender = replace(SENDERS["dns-order"], inside=Inside.RANDOM)
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2", "192.0.2.3"), (10, "b", "192.0.2.4"))
    first = shares(forecast(Case(facts, "own", order), sender).first)
    assert {Fraction(1)} == {first[n] / first[1] for n in (2, 3)}


@pytest.mark.parametrize("name", ["rfc5321", "sendmail", "courier", "chasquid", "opensmtpd", "mx-connect"])
def test_who_costs_nothing_but_time_is_one_kind(name):
    """Beside one that takes the mail, the figures are those of all orders told one by one, however long each waits."""
    modes = (Mode.REFUSE, Mode.BLACKHOLE, Mode.MUTE, Mode.G421, Mode.ACCEPT)
    facts = snapshot(*((10, f"mx{n}", f"192.0.2.{n}") for n in range(len(modes))))
    case = Case(facts, name, down={ip_address(f"192.0.2.{n}"): mode for n, mode in enumerate(modes)})
    told, ways = forecast(case, SENDERS[name]), list(every_way(case, SENDERS[name]))
    assert told.attempts_mean == sum(way.chance * len(way.steps) for way in ways)
    lasts = [(way.chance, way.steps[-1].at_s + way.steps[-1].waited_s) for way in ways]
    assert told.delay_mean_s == pytest.approx(float(sum(chance * Fraction(took_s) for chance, took_s in lasts)))
    assert told.delay_worst_s == pytest.approx(max(took_s for _chance, took_s in lasts))
