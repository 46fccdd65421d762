"""Sets of records side by side: what changes, what that means for senders, who does best at what."""

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.plans import INTERNET, SEVERAL, T1, T2, T3, T4, T5, at, only, records

from postroad.build import zone_of
from postroad.planning import Goal, compare, measure
from postroad.planning.goals import COSTS, judged, numbers, silence
from postroad.planning.setups import SETUPS
from postroad.simulation import DnsOrder
from postroad.words.faults import Mode
from postroad.words.phrasebook import percent


def _compared(view, **zones):
    return compare([measure(name, records(zone), view) for name, zone in zones.items()])


def test_the_shares_that_change_are_told_with_those_for_whom():
    """From two equals to a primary and a backup: who draws gives all to the primary; who does not did so already."""
    found = _compared(only("rfc5321", "dns-order"), t1=T1.replace("mail1", "a").replace("mail2", "b"), t5=T5)
    assert [
        "First contacts of senders that draw a host (rfc5321; 50 % of mail): a.example.com [192.0.2.11] rises from "
        "50 % to 100 %; b.example.com [192.0.2.12] falls from 50 % to 0 %.",
    ] == list(found.differences[0].meaning[:1])
    assert [
        "a.example.com [192.0.2.11] gets 100 % of first contacts, before 75 %.",
        "b.example.com [192.0.2.12] gets 0 % of first contacts, before 25 %.",
    ] == list(found.differences[0].summary)


def test_a_large_change_is_told_in_a_few_lines():
    """From two machines to nine: the largest changes, how many more there are, and what it takes to stop mail."""
    names = {name: zone_of(name).read_text().split("ns2 ")[1].split("\n", 1)[1] for name in ("t1", "t6")}
    found = _compared(INTERNET, **names).differences[0]
    assert (True, 5) == (len(found.summary) <= 8, len(found.meaning))
    assert "; 7 machines such as a.example.com [192.0.2.13] each rise from 0 % to 11.1 %" in " ".join(found.meaning)
    assert [
        "a.example.com [192.0.2.11] gets 15 to 48 % of first contacts, before 50 to 63 %.",
        "The shares of 5 more machines change by less.",
    ] == [found.summary[0], found.summary[4]]


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([10, 20])), min_size=1, max_size=6), st.integers(1, 12))
@settings(max_examples=examples(30))
def test_every_summary_is_short(hosts, other):
    """At most nine sentences, whatever changes: five of shares, two of what stops mail, two of fate."""
    zone = "".join(f"@ MX {level} m{n}\nm{n} A 192.0.2.{last}\n" for n, (last, level) in enumerate(hosts))
    found = _compared(only("rfc5321", "postfix"), now=zone, planned=f"@ MX 10 z\nz A 192.0.2.{other}\n")
    assert len(found.differences[0].summary) <= 9


def test_lines_that_go_and_come_are_told():
    """The record difference has whole zone lines."""
    found = _compared(only("rfc5321"), t1=T1, t3=T3).differences[0]
    assert ((), ["mail1.example.com. 300 IN A 192.0.2.12", "mail2.example.com. 300 IN A 192.0.2.11"]) == (
        found.gone,
        [str(line) for line in found.new],
    )


def test_the_same_records_change_nothing():
    """Nothing is told where nothing changes, and no set is better at anything."""
    found = _compared(SEVERAL, now=T1, planned=T1)
    assert ((), (), ()) == (found.differences[0].gone, found.differences[0].new, found.differences[0].meaning)
    assert {("now", "planned")} == {each.best for each in found.verdicts}


def test_two_domains_are_measured_but_not_held_line_against_line():
    """Records of two domains have no line in common; their numbers do compare."""
    zone = T1.replace("@", "other.example.").replace("192.0.2.", "198.51.100.")
    cards = [measure("one", records(T1), SEVERAL), measure("other", records(zone, "other.example"), SEVERAL)]
    found = compare(cards)
    assert ((), len(Goal)) == (found.differences, len(found.verdicts))


def test_verdicts_on_the_reference_set_ups():
    """Names balance, addresses of one name do not; repeated names cost DNS; a primary with a backup is no balance."""
    found = _compared(SEVERAL, t1=T1, t2=T2, t3=T3, t4=T4, t5=T5)
    best = {each.goal: each.best for each in found.verdicts}
    assert ("t1", "t3", "t4") == best[Goal.BALANCE]
    assert ("t2",) == best[Goal.DNS_COST]
    assert ("t2",) == best[Goal.SIMPLICITY]


def test_the_third_set_up_does_not_cost_twice_the_first():
    """The same five questions; each further address is 16 octets in an answer."""
    first, third = (measure("x", records(zone), only("postfix")) for zone in (T1, T3))
    assert (5, 5, 32) == (first.marks.questions, third.marks.questions, third.marks.octets - first.marks.octets)


def test_who_asks_only_for_whom_it_contacts_pays_half():
    """A lazy sender asks for one of two names: its octets are those of the MX and of one name."""
    eager, lazy = (measure("x", records(T1), only(name)) for name in ("postfix", "chasquid"))
    assert (5, 3) == (eager.marks.questions, lazy.marks.questions)
    assert eager.marks.octets / 2 < lazy.marks.octets < eager.marks.octets


def test_one_cache_asks_each_question_once():
    """However many senders stand behind a cache, the zone sees each name and type once a TTL."""
    assert 5 == measure("x", records(T1), only("postfix", "exim", "chasquid")).most_questions


def test_what_is_down_already_is_no_loss():
    """With one server down only the other can still be lost."""
    view = only("postfix", down=dict.fromkeys(at(11), Mode.REFUSE))
    found = measure("x", records(T1), view)
    assert [at(12), at(12)] == [
        frozenset(address for machine in lost for address in machine.addresses)
        for lost in (found.lost, found.survivals[0].stops)
    ]


def test_rotation_restores_the_balance_of_one_name_only_where_dns_turns():
    """One name with two addresses: all on the first in a fixed order, half where answers rotate."""
    loads = [measure("x", records(T2), only("rfc5321", dns_order=order)).load for order in DnsOrder]
    assert [1, *[Fraction(1, 2)] * 4] == loads


def test_every_named_set_up_has_its_zone():
    """The reference set-ups are there, with addresses kept for documentation."""
    for setup in SETUPS.values():
        text = zone_of(setup.name).read_text()
        assert "127." not in text
        assert text.startswith("; ")


def test_a_domain_without_a_machine_is_measured_too():
    """A null MX has no share, no survival and no cost but the question."""
    found = measure("null", records("@ MX 0 .\n"), SEVERAL)
    assert ((), 0, None) == (found.records.machines, found.marks.kept, found.busiest)
    assert len(Goal) == len(compare([found, found]).verdicts)


DUAL = "@ MX 10 a\na A 192.0.2.11\na AAAA 2001:db8:1::11\n"
BACKUP = "@ MX 20 b\nb A 198.51.100.12\nb AAAA 2001:db8:2::12\n"


def test_a_backup_elsewhere_is_better_at_what_a_backup_is_for():
    """A second machine in another network: fail-over and the loss of a network get better, DNS and simplicity worse."""
    found = _compared(SEVERAL, now=DUAL, planned=DUAL + BACKUP).differences[0]
    told = [[each.split(":")[0] for each in side] for side in (found.better, found.worse)]
    assert [["fail-over", "network loss"], ["DNS cost", "simplicity"]] == told


def test_an_address_that_some_senders_cannot_use_is_no_delivery():
    """Mail that reaches no machine in plain weather is counted: with IPv6 alone that of senders without."""
    zone = "@ MX 10 a\na AAAA 2001:db8::1\n"
    found = _compared(INTERNET, now=zone, planned=zone + "a A 192.0.2.1\n").differences[0]
    assert "delivery" == found.better[0].split(":")[0]
    assert "not that of ipv4-only (15 % of mail)" in found.better[0]


def test_what_takes_no_mail_is_best_at_nothing():
    """A null MX costs no DNS and keeps nobody waiting, and wins nothing by that; two of them are alike."""
    found = _compared(SEVERAL, null="@ MX 0 .\n", now=T1)
    assert {("now",)} == {each.best for each in found.verdicts}
    assert all(each.is_even for each in _compared(SEVERAL, null="@ MX 0 .\n", dead="@ MX 10 gone\n").verdicts)


def test_a_set_beside_itself_makes_no_difference():
    """The same name twice is one set."""
    card = measure("t1", records(T1), SEVERAL)
    assert all(each.is_even for each in compare([card, card]).verdicts)


def test_what_could_not_be_looked_up_is_left_out_and_said():
    """An exchanger of a zone that is not there may take mail: the figures are of the others alone."""
    card = measure("x", records("@ MX 10 mx.other.test.\n@ MX 20 b\nb A 192.0.2.3\n"), SEVERAL)
    assert ("Left out because the addresses cannot be looked up: mx.other.test.",) == card.caveats


HOSTS = st.lists(st.sets(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=examples(40))
@given(HOSTS, HOSTS, st.sampled_from([only("rfc5321", "exim"), only("postfix", "dns-order")]))
def test_what_is_called_a_better_balance_is_one_in_print(before, after, view):
    """The figure of the verdict is the printed one: of as many machines, better ones have no higher figure."""
    zones = (
        "".join(f"@ MX 10 m{n}\n" + "".join(f"m{n} A 192.0.2.{k}\n" for k in host) for n, host in enumerate(hosts))
        for hosts in (before, after)
    )
    old, new = (measure("x", records(zone), view) for zone in zones)
    printed = [float(re.findall("[0-9.]+", card.load_in_short)[-1]) for card in (old, new)]
    assert printed == pytest.approx([float(card.marks.load * 100) for card in (old, new)], abs=1)
    if len(old.records.machines) == len(new.records.machines) and judged(Goal.BALANCE, old.marks, new.marks) > 0:
        assert printed[1] <= printed[0]


def test_balance_is_judged_alike_for_two_machines_and_for_nine():
    """What is beyond an even share counts: three equals are as even as two, and their busiest carries less."""
    three = T1 + "@ MX 10 mail3\nmail3 A 192.0.2.13\n"
    found = _compared(SEVERAL, two=T1, three=three, backup=T1 + "@ MX 20 mail3\nmail3 A 192.0.2.13\n")
    assert [["balance"], []] == [
        [each for each in _goals(one.better) if each == "balance"] for one in found.differences
    ]


def _goals(sentences):
    return [each.split(":")[0] for each in sentences]


def test_the_second_address_of_a_machine_is_no_second_machine():
    """IPv6 beside IPv4 makes neither fail-over nor balance better."""
    zone = "@ MX 10 a\na A 192.0.2.11\n"
    found = _compared(SEVERAL, now=zone, planned=zone + "a AAAA 2001:db8:1::11\n").differences[0]
    assert () == found.better


def test_nine_machines_do_not_fail_over_better_than_two():
    """What counts is the mail of the machine that is lost: others take it all, whether they are one or eight."""
    nine = "".join(f"@ MX 10 m{n}\nm{n} A 192.0.2.{n}\n" for n in range(11, 20))
    best = {each.goal: each.best for each in _compared(SEVERAL, two=T1, nine=nine).verdicts}
    assert ("two", "nine") == best[Goal.FAILOVER]


def test_figures_of_an_assumed_mix_are_ranges_and_say_what_they_rest_on():
    """Where weights are assumed, 54.8 % says too much: it is a range, and one sentence says what that is."""
    rough, exact = (measure("x", records(T1), view).load_told() for view in (INTERNET, only("postfix", "dns-order")))
    assert ["50 to 63 % of first contacts", "75 % of first contacts"] == [rough, exact]
    assert (
        "Ranges cover all plausible mixes of senders; other figures are rounded. In the mix internet 43 % of mail "
        "comes from senders that were measured, 57 % from assumed ones (exchange-online 20 %, rfc5321 15 %, ipv4-only "
        "15 %, dns-order 5 %, first-mx-only 2 %)"
    ) == INTERNET.mix.basis


def test_too_many_machines_are_sampled_and_that_is_said():
    """Of hundreds of machines one is lost, not each; whoever reads the figures is told."""
    zone = "".join(f"@ MX 10 m{n}\n" + "".join(f"m{n} A 203.0.{n}.{k}\n" for k in range(1, 23)) for n in range(10))
    found = measure("big", records(zone), only("rfc5321"))
    assert 1 == len(found.lost)
    assert ("Sampled: of the 220 machines of big only the busiest was lost, and the busiest network.",) == found.caveats


def test_what_differs_by_machine_is_told_as_a_range():
    """Of two equals of one family each, one is covered whole and one in half: neither is said of both."""
    mixed = records("@ MX 10 a\n@ MX 10 b\na AAAA 2001:db8::1\nb A 192.0.2.2\n")
    card = measure("mixed", mixed, only("rfc5321", "ipv4-only"))
    least = percent(min(card.caught))
    assert [True, 1] == [min(card.caught) < 1, max(card.caught)]
    assert (
        f"with either machine refusing, the other takes {least} to all of its mail at once",
        "with either of 2 networks gone, 50 % to all of mail gets through at once",
    ) == (numbers(Goal.FAILOVER, card), numbers(Goal.NETWORK, card))


def test_between_mail_and_none_the_difference_is_delivery():
    """What takes no mail of a sender has no fail-over, no delay and no cost that could be better or worse."""
    bare = "@ MX 10 a\n@ MX 10 b\na A 192.0.2.1\nb A 192.0.2.2\n"
    found = _compared(only("ipv6-only"), bare=bare, dual=bare + "a AAAA 2001:db8:1::1\nb AAAA 2001:db8:2::2\n")
    told = "delivery: all mail gets through at once. Before: no mail gets through."
    assert ((told,), ()) == (found.differences[0].better, found.differences[0].worse)
    assert {"no mail gets through"} == {numbers(goal, found.cards[0]) for goal in Goal if goal not in COSTS}
    assert ("no mail gets through", "-", 0) == (
        numbers(Goal.DELAY, found.cards[0]),
        silence(found.cards[0]),
        found.cards[0].marks.caught,
    )
