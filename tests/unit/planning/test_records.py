"""What a snapshot's records are: machines, networks, lines, and what they cost in DNS."""

from dataclasses import replace
from itertools import product

import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from tests.support.plans import SEVERAL, T1, T3, T4, only, planned, records

from postroad.models import SENDERS
from postroad.planning import Records, measure, part_delivered
from postroad.planning.goals import Goal, verdict
from postroad.planning.traffic import Tariff
from postroad.routing import decide
from postroad.simulation import Case, DnsOrder, forecast
from postroad.words.faults import Mode


def _machines(zone):
    return [" ".join(map(str, machine.addresses)) for machine in records(zone).machines]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("@ MX 10 a\na A 192.0.2.1\na AAAA 2001:db8::1\n", 1),
        ("@ MX 10 a\n@ MX 20 b\na A 192.0.2.1\nb A 192.0.2.1\n", 1),
        ("@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\na AAAA 2001:db8::1\nb A 192.0.2.1\n", 1),
        ("@ MX 10 a\na A 192.0.2.1\na A 192.0.2.2\na AAAA 2001:db8::2\na AAAA 2001:db8::1\n", 2),
        ("@ MX 10 a\na A 192.0.2.1\na A 192.0.2.2\na AAAA 2001:db8::1\n", 2),
        ("@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb AAAA 2001:db8::2\n", 2),
        (T1, 2),
        (T3, 2),
        (T4, 2),
        ("@ MX 0 .\n", 0),
    ],
)
def test_what_is_lost_at_once_is_one_machine(zone, expected):
    """Both families of a host are one machine, and so is one address under several names; two of a family are two."""
    assert expected == len(_machines(zone))


def test_a_forecast_that_is_kept_is_that_of_its_case():
    """Whoever sends, whatever order DNS has, whatever is down and how, and with as many examples as are asked for.

    Every seventh of these; all in a whole run.
    """
    known, (first, _) = Records.of(planned(T1)), records(T1).machines
    downs = [dict.fromkeys(first.addresses, mode) for mode in (Mode.REFUSE, Mode.BLACKHOLE)]
    for name, order, down, shown in some(product(("haraka", "dns-order"), DnsOrder, ({}, *downs), (0, 1)), 7):
        case = Case(known.snapshot, name, order, down)
        fresh, kept = forecast(case, SENDERS[name], examples=shown), known.forecast(case, SENDERS[name], shown)
        assert (case, fresh.examples, fresh.delay_worst_s) == (kept.case, kept.examples, kept.delay_worst_s)
        assert (fresh.first, fresh.outcome) == (kept.first, kept.outcome)
        assert kept is known.forecast(case, SENDERS[name], shown)


ADDRESSES = ["192.0.2.1", "192.0.2.2", "10.0.0.1", "127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1"]


@given(st.lists(st.tuples(st.sampled_from([10, 20]), st.sets(st.sampled_from(ADDRESSES), max_size=2)), max_size=3))
def test_the_forecast_agrees_with_the_route(hosts):
    """Mail of ours is delivered where there is a route, and nowhere else: loopback and the like are no machines."""
    zone = [f"@ MX {preference} m{number}" for number, (preference, _) in enumerate(hosts)]
    zone += [f"m{number} A {address}" for number, (_, addresses) in enumerate(hosts) for address in addresses]
    known = records("\n".join(["@ TXT any", *zone, ""]))
    route = decide(known.snapshot)
    used = {
        address for level in getattr(route, "levels", ()) for each in level.exchangers for address in each.addresses
    }
    assert used == {address for machine in known.machines for address in machine.addresses}
    assert bool(used) == only("postroad").look(known).delivered


def test_loopback_counts_where_it_is_asked_for():
    """In the lab the Internet is 127.0.0.0/8."""
    snapshot = planned("@ MX 10 a\na A 127.0.0.1\n")
    looks = [
        only("postroad", "exim").look(Records.of(replace(snapshot, in_lab=lab))).delivered for lab in (False, True)
    ]
    assert [0, 1] == looks


def test_private_addresses_carry_a_caveat_and_win_nothing():
    """Nobody on the Internet reaches 10.0.0.1: the figures say so, and a set without it is better at everything."""
    zone = "@ MX 10 a\na A {}\n"
    private, public = (
        measure(name, records(zone.format(address)), SEVERAL)
        for name, address in (("private", "10.0.0.1"), ("public", "192.0.2.1"))
    )
    assert "No sender on the Internet reaches 10.0.0.1" in " ".join(private.caveats)
    assert [("public",)] * len(Goal) == [verdict(goal, [private, public]).best for goal in Goal]


def test_records_that_name_addresses_are_measured():
    """A common mistake: some senders use such an address as it stands, so it is a machine, of which ours makes none."""
    card = measure("wrong", records("@ MX 10 192.0.2.3.\n@ MX 10 192.0.2.4.\n"), SEVERAL)
    machines = [str(machine) for machine in card.records.machines]
    assert ["192.0.2.3", "192.0.2.4"] == machines
    delivered = {name: part_delivered(card.whole.by[name]) for name in ("postfix", "rfc5321")}
    assert {"postfix": 1, "rfc5321": 0} == delivered


@pytest.mark.parametrize(
    ("zone", "count"),
    [
        ("@ MX 10 192.0.2.7.\n@ MX 20 b\nb A 192.0.2.2\n", 3),
        ("@ MX 10 gone\n@ MX 20 b\nb A 192.0.2.2\n", 5),
        ("@ MX 10 a\n@ MX 20 a\na A 192.0.2.2\n", 3),
        ("@ A 192.0.2.2\n", 3),
        ("@ MX 10 gone\n", 3),
    ],
)
def test_whoever_asks_each_question_once_asks_as_often_without_a_cache(zone, count):
    """Nobody asks for an address that the MX names; a name without any is asked for as well."""
    for name in ("postfix", "haraka", "mx-connect"):
        card = measure("x", records(zone), only(name))
        assert (name, count, count) == (name, card.marks.questions, card.most_questions)


@pytest.mark.parametrize("zone", ["@ MX 10 192.0.2.7.\n@ MX 20 b\nb A 192.0.2.2\n", "@ A 192.0.2.2\n", T1, T3])
def test_octets_are_those_of_as_many_questions(zone):
    """Whatever a sender asks, each question has its octets: none is under a header, its name and its answer.

    Each zone is asked about by every fifth sender; by all in a whole run.
    """
    known = records(zone)
    marks = {name: measure("x", known, only(name)).marks for name in some(SENDERS, 5, len(zone))}
    assert {} == {name: each for name, each in marks.items() if each.octets < 2 * 30 * each.questions}


def test_a_name_with_one_of_each_family_tells_what_belongs_together():
    """Behind a name with several of each the rest is paired by number; what is known from another name stays."""
    zone = "@ MX 10 all\n@ MX 20 one\nall A 192.0.2.1\nall A 192.0.2.2\nall AAAA 2001:db8::8\nall AAAA 2001:db8::9\n"
    zone += "one A 192.0.2.2\none AAAA 2001:db8::8\n"
    assert {"192.0.2.2 2001:db8::8", "192.0.2.1 2001:db8::9"} == set(_machines(zone))


@settings(max_examples=examples(60))
@given(st.lists(st.sets(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_second_family_makes_no_more_machines(hosts):
    """A zone has as many machines with IPv6 on every host as without."""
    bare = "".join(
        f"@ MX 10 m{n}\n" + "".join(f"m{n} A 192.0.2.{each}\n" for each in sorted(host)) for n, host in enumerate(hosts)
    )
    dual = bare + "".join(f"m{n} AAAA 2001:db8::{each}\n" for n, host in enumerate(hosts) for each in sorted(host))
    assert len(_machines(bare)) == len(_machines(dual))


def test_networks_are_what_is_routed_alone():
    """A /24 or a /48 in common makes machines neighbours, by way of a third as well."""
    zone = "@ MX 10 a\n@ MX 10 b\n@ MX 10 c\n@ MX 10 d\na A 192.0.2.1\nb A 198.51.100.1\nb AAAA 2001:db8::1\n"
    zone += "c A 192.0.2.2\nc AAAA 2001:db8::2\nd A 203.0.113.1\n"
    assert [{"a", "b", "c"}, {"d"}] == [
        {name[0] for machine in group for name in machine.exchangers} for group in records(zone).networks
    ]


LABEL = st.text("abc", min_size=1, max_size=3)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(LABEL, st.integers(1, 3)), min_size=1, max_size=5, unique_by=lambda each: each[0]))
def test_octets_are_those_of_real_messages(hosts):
    """What is counted is what dnspython writes, with its name compression."""
    zone = "".join(
        f"@ MX 10 {name}.x\n" + "".join(f"{name}.x A 192.0.2.{n}\n" for n in range(count)) for name, count in hosts
    )
    known = records(zone)
    tariff = Tariff.of(known)
    mx = [line.data for line in known.lines if line.kind == "MX"]
    name = f"{hosts[0][0]}.x.example.com"
    a = [line.data for line in known.lines if line.kind == "A" and line.owner == name]
    assert [_octets("example.com", "MX", mx), _octets(name, "A", a), _octets(name, "AAAA", [])] == [
        tariff.octets["example.com", "MX"],
        tariff.octets[name, "A"],
        tariff.octets[name, "AAAA"],
    ]


def _octets(name, kind, data):
    query = dns.message.make_query(name, kind, use_edns=0)
    reply = dns.message.make_response(query, our_payload=1232)
    if data:
        reply.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, *data))
    return len(query.to_wire()) + len(reply.to_wire())
