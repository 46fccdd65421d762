"""Sets of records side by side: what changes, what that means for senders, who does best at what."""

from fractions import Fraction

from plans import INTERNET, T1, T2, T3, T4, T5, at, only, planned

from postroad.simulation import DnsOrder
from postroad.simulation.compare import Goal, compare
from postroad.simulation.setups import SETUPS
from postroad.simulation.standing import measure
from postroad.words.faults import Mode


def _compared(view, **zones):
    return compare([measure(name, planned(zone), view) for name, zone in zones.items()], view)


def test_the_shares_that_change_are_told_with_those_for_whom():
    """From two equals to a primary and a backup: who draws gives all to the primary; who does not did so already."""
    found = _compared(only("rfc5321", "dns-order"), t1=T1.replace("mail1", "a").replace("mail2", "b"), t5=T5)
    assert [
        "a.example.com [192.0.2.11] rises from 50 % to 100 % of first contacts for senders that draw a host "
        "(rfc5321; 50 % of mail).",
        "b.example.com [192.0.2.12] falls from 50 % to 0 % of first contacts for senders that draw a host "
        "(rfc5321; 50 % of mail).",
    ] == list(found.differences[0].meaning[:2])


def test_lines_that_go_and_come_are_told():
    """The record difference has whole zone lines."""
    found = _compared(only("rfc5321"), t1=T1, t3=T3).differences[0]
    assert ((), ["mail1.example.com. 300 IN A 192.0.2.12", "mail2.example.com. 300 IN A 192.0.2.11"]) == (
        found.gone,
        [str(line) for line in found.new],
    )


def test_the_same_records_change_nothing():
    """Nothing is told where nothing changes, and no set is better at anything."""
    found = _compared(INTERNET, now=T1, planned=T1)
    assert ((), (), ()) == (found.differences[0].gone, found.differences[0].new, found.differences[0].meaning)
    assert {("now", "planned")} == {each.best for each in found.verdicts}


def test_two_domains_are_measured_but_not_held_line_against_line():
    """Records of two domains have no line in common; their numbers do compare."""
    zone = T1.replace("@", "other.example.").replace("192.0.2.", "198.51.100.")
    standings = [measure("one", planned(T1), INTERNET), measure("other", planned(zone, "other.example"), INTERNET)]
    found = compare(standings, INTERNET)
    assert ((), 4) == (found.differences, len(found.verdicts))


def test_verdicts_on_the_set_ups_of_the_documents():
    """Names balance, addresses of one name do not; repeated names cost DNS; a primary with a backup is no balance."""
    found = _compared(INTERNET, t1=T1, t2=T2, t3=T3, t4=T4, t5=T5)
    best = {each.goal: each.best for each in found.verdicts}
    assert ("t1", "t3", "t4") == best[Goal.BALANCE]
    assert ("t2",) == best[Goal.DNS_COST]
    assert ("t2",) == best[Goal.SIMPLICITY]


def test_the_third_set_up_does_not_cost_twice_the_first():
    """The same five questions; each further address is 16 octets in an answer."""
    first, third = (measure("x", planned(zone), only("postfix")) for zone in (T1, T3))
    assert (5, 5, 32) == (first.questions, third.questions, third.octets - first.octets)


def test_who_asks_only_for_whom_it_contacts_pays_half():
    """A lazy sender asks for one of two names: its octets are those of the MX and of one name."""
    eager, lazy = (measure("x", planned(T1), only(name)) for name in ("postfix", "chasquid"))
    assert (5, 3) == (eager.questions, lazy.questions)
    assert eager.octets / 2 < lazy.octets < eager.octets


def test_one_cache_asks_each_question_once():
    """However many senders stand behind a cache, the zone sees each name and type once a TTL."""
    assert 5 == measure("x", planned(T1), only("postfix", "exim", "chasquid")).most_questions


def test_what_is_down_already_is_no_loss():
    """With one server down only the other can still be lost."""
    view = only("postfix", down=dict.fromkeys(at(11), Mode.REFUSE))
    found = measure("x", planned(T1), view)
    assert (at(12), at(12)) == (frozenset(found.lost), found.survivals[0].stops)


def test_rotation_mends_the_balance_of_one_name_only_where_dns_turns():
    """One name with two addresses: all on the first in a fixed order, half where answers rotate."""
    loads = [measure("x", planned(T2), only("rfc5321", dns_order=order)).load for order in DnsOrder]
    assert [1, *[Fraction(1, 2)] * 4] == loads


def test_every_named_set_up_has_its_zone():
    """The set-ups of the documents are there, with addresses kept for documentation."""
    for setup in SETUPS.values():
        text = setup.zone.read_text()
        assert "127." not in text
        assert text.startswith("; ")


def test_a_domain_without_a_server_is_measured_too():
    """A null MX has no share, no survival and no cost but the question."""
    found = measure("null", planned("@ MX 0 .\n"), INTERNET)
    assert ((), 0, None) == (found.servers, found.kept, found.busiest)
    assert 4 == len(compare([found, found], INTERNET).verdicts)
