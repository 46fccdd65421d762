"""Advice: the smallest change that reaches the goals, and silence where the zone is sane."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import folders
from tests.support.examples import examples, some
from tests.support.plans import INTERNET, SEVERAL, T1, T2, T3, T4, T5, advised, check_of, only, planned, records

from postroad.examine.troubles import ABOUT_RECORDS, checker
from postroad.planning import Allowed, Records, advise, compare, measure
from postroad.planning.advice import MOST_MX
from postroad.planning.edits import candidates, edited
from postroad.planning.goals import SAFETY, Goal, dns_cost, judged, numbers
from postroad.planning.scorecard import mark
from postroad.rules import RULES, Severity
from postroad.words.names import parse_destination
from postroad.words.phrasebook import counted


def _lines(zone, *allowed):
    found = advised(records(zone), SEVERAL, *allowed)
    return [f"- {line}" for line in found.gone] + [f"+ {line}" for line in found.new]


@pytest.mark.parametrize(
    "zone",
    [T1, T5, "@ MX 0 .\n"],
    ids=["two equals", "primary and backup", "null MX"],
)
def test_a_sane_zone_is_left_alone(zone):
    """Nothing is proposed where no record can do better, and that is said."""
    found = advised(records(zone))
    assert ((), None, True) == (found.edits, found.after, found.is_sane)
    assert "nothing to change" in found.headline


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("@ MX 0 .\n", "example.com takes no mail, and its null MX says so: nothing to change."),
        (
            "@ MX 10 a\n@ MX 20 b\n",
            "example.com: no machine takes its mail; first fix what check finds.",
        ),
        (
            "@ TXT nothing\n",
            "example.com: no machine takes its mail; first fix what check finds.",
        ),
        (
            "@ MX 10 a\n@ MX 20 b\na A 127.0.0.1\nb A 10.0.0.1\n",
            "example.com: no change to propose before what check finds is fixed.",
        ),
        (
            "@ MX 10 a.other.example.\na.other.example. A 192.0.2.11\n",
            "example.com: no better records to propose, but see what check notes.",
        ),
        (
            "@ MX 10 a.other.example.\na.other.example. CNAME b.other.example.\nb.other.example. A 192.0.2.11\n",
            "example.com: no better records to propose, but fix what check finds.",
        ),
    ],
    ids=["null MX", "dead names", "no address", "loopback and private", "one machine of another's", "another's alias"],
)
def test_a_zone_without_a_way_gets_one_clear_sentence(zone, words):
    """Where nothing can be proposed the reason is one sentence, and no figure contradicts it."""
    found = advised(records(zone))
    assert (words, None) == (found.headline, found.after)
    assert found.is_sane or found.troubles
    assert not (found.because or found.remarks) or "error" not in [each.weight for each in found.troubles]


@pytest.mark.parametrize(
    ("literal", "words"),
    [
        ("[192.0.2.1]", "[192.0.2.1]: an address literal has no records to change."),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]: an address literal has no records to change."),
        (
            "[127.0.0.1]",
            "[127.0.0.1]: no machine takes its mail, and an address literal has no records to change.",
        ),
    ],
)
def test_an_address_literal_has_no_records_to_change(literal, words):
    """What has no records gets one sentence; it is as sane as there is a machine that takes its mail."""
    found = advised(records("", parse_destination(literal)))
    assert ((words, ()), "no machine" not in words) == ((found.headline, found.edits), found.is_sane)
    assert ((), (), ()) == (found.because, found.remarks, found.troubles)


def test_backups_become_equals_only_for_a_gain():
    """Two equals and a backup become three: the busiest carries less, and all are as even as the two were."""
    found = advised(records(T1 + "@ MX 20 c\nc A 198.51.100.13\n"), SEVERAL, Allowed.BACKUPS)
    assert [["balance"], []] == [_goals(found.proof.better), _goals(found.proof.worse)]


def test_a_note_is_no_reason_against_mail_that_gets_through():
    """Two equals of one family each: the IPv4 address that all fail over by comes, with what check then notes."""
    found = advised(records("@ MX 10 a\n@ MX 10 b\na AAAA 2001:db8::1\nb A 192.0.2.2\n"))
    assert ["a.example.com. 300 IN A <an IPv4 address>"] == [str(line) for line in found.new]
    assert {"fail-over", "network loss"} == set(_goals(found.proof.better))
    assert "mx-unequal-addresses" in [each.rule for each in found.troubles]


def test_mail_that_has_one_machine_waits_whole():
    """Senders with IPv4 alone reach one of two equals: all that they send waits for it, not some."""
    told = advised(records("@ MX 10 a.x.example.\n@ MX 10 b.y.example.\n" + ELSEWHERE), only("ipv4-only")).remarks
    assert "All mail of every sender waits when one machine is lost: there is no fail-over for it." in told


def test_no_word_of_ours_stands_in_an_answer():
    """Addresses to fill in are in no network, and the records before and after are those of the domain."""
    found = advised(records(T1), only("ipv6-only"))
    assert ["example.com", "example.com after the change"] == [found.before.name, found.after.name]
    assert not any("2001:2::" in each.seen for each in found.troubles)
    many = "".join(f"@ MX 10 m{number}\n" for number in range(101)) + "m0 A 192.0.2.1\nm1 A 192.0.2.2\n"
    known = records(many)
    told = [each for each in advised(known, only("rfc5321")).remarks if "not looked at" in each]
    assert [f"{counted(known.left_out, 'exchanger')} of example.com"] == [each.split(" w")[0] for each in told]


def test_an_address_in_place_of_a_name_gets_one():
    """Most senders ignore such a record: with a name each machine counts; what a name has already only goes."""
    beside = "@ MX 10 192.0.2.7.\n@ MX 20 b\nb A 192.0.2.2\n"
    both = "@ MX 10 192.0.2.7.\n@ MX 10 192.0.2.8.\n"
    assert [
        "- example.com. 300 IN MX 10 192.0.2.7.",
        "+ example.com. 300 IN MX 10 mail.example.com.",
        "+ mail.example.com. 300 IN A 192.0.2.7",
    ] == _lines(beside)
    assert 6 == len(_lines(both))
    known = next(each for each in candidates(records("@ MX 5 192.0.2.11.\n" + T1)) if "IP address" in each.why)
    assert (["5 192.0.2.11."], ()) == ([line.data for line in known.gone], known.new)


@pytest.mark.parametrize("address", ["127.0.0.11", "0.0.0.0", "224.0.0.1", "169.254.0.1"])
@pytest.mark.parametrize("at", [10, 20])
def test_an_address_that_is_no_machines_is_put_right_first(address, at):
    """What was meant is not known: a third machine beside it would be advice on half of the records."""
    found = advised(records(f"@ MX {at} a\n@ MX 10 b\na A {address}\nb A 192.0.2.12\n"))
    assert ((), "example.com: no change to propose before what check finds is fixed.") == (found.edits, found.headline)
    assert any(address in each.seen for each in found.troubles)
    assert ((), False) == (found.remarks, found.is_sane)


def test_an_address_in_place_of_a_name_is_no_exchanger_left_out():
    """Nobody looks it up, but not because there are too many."""
    assert 0 == records("@ MX 10 192.0.2.7.\n@ MX 10 b\nb A 192.0.2.2\n").left_out


def test_mail_that_reaches_no_machine_counts():
    """Senders without IPv6 never reach machines that have nothing else: each machine gets an IPv4 address."""
    found = advised(records("@ MX 10 a\n@ MX 20 b\na AAAA 2001:db8:1::1\nb AAAA 2001:db8:2::1\n"), INTERNET)
    assert [
        "a.example.com. 300 IN A <an IPv4 address>",
        "b.example.com. 300 IN A <an IPv4 address>",
    ] == [str(line) for line in found.new]
    assert "delivery: all mail gets through at once. Before: 60 to 95 % of mail" in found.proof.better[0]


def test_two_addresses_of_one_name_get_a_name_each():
    """The second set-up becomes the first: only between names does every sender draw."""
    assert [
        "- mail.example.com. 300 IN A 192.0.2.12",
        "+ example.com. 300 IN MX 10 mail2.example.com.",
        "+ mail2.example.com. 300 IN A 192.0.2.12",
    ] == _lines(T2, Allowed.SPLIT)


def test_crossed_addresses_are_taken_apart():
    """The third set-up becomes the first by taking out two lines."""
    assert [
        "- mail1.example.com. 300 IN A 192.0.2.12",
        "- mail2.example.com. 300 IN A 192.0.2.11",
    ] == _lines(T3)


def test_backups_that_are_none_go():
    """The fourth set-up becomes the first: c and d are a and b again."""
    assert ["- example.com. 300 IN MX 20 c.example.com.", "- example.com. 300 IN MX 30 d.example.com."] == _lines(T4)


def test_a_backup_stays_one_unless_it_is_to_be_used():
    """A preference is its owner's word; on request the backup becomes an equal, by one line."""
    assert [
        "- example.com. 300 IN MX 20 b.example.com.",
        "+ example.com. 300 IN MX 10 b.example.com.",
    ] == _lines(T5, Allowed.BACKUPS)


def test_what_is_proposed_is_proven():
    """The forecasts after the change are better for the goal, and nothing is lost in survival."""
    found = advised(records(T2), SEVERAL, Allowed.SPLIT)
    assert found.after.load < found.before.load
    assert found.after.marks.kept >= found.before.marks.kept
    assert found.proof.meaning


def test_of_the_candidates_only_what_is_needed_is_proposed():
    """A sender that draws addresses itself needs no names for them."""
    assert candidates(records(T2), frozenset({Allowed.SPLIT}))
    found = advised(records(T2), only("postfix"), Allowed.SPLIT)
    assert () == found.edits
    assert "2 machines stand behind 1 name, and are left there: a name for each would be no gain." in found.remarks


def test_both_families_of_a_machine_move_together():
    """Two dual-stack machines behind one name: the second gets one name with both its addresses."""
    zone = "@ MX 10 mail\nmail A 192.0.2.11\nmail A 192.0.2.12\nmail AAAA 2001:db8::11\nmail AAAA 2001:db8::12\n"
    after = edited(planned(zone), candidates(records(zone), frozenset({Allowed.SPLIT})))
    second = after.hosts["mail2.example.com"]
    assert ["192.0.2.12", "2001:db8::12"] == [str(each.records[0]) for each in (second.a, second.aaaa)]


def test_an_exchanger_that_is_not_there_goes():
    """A name without an address costs questions and takes no mail."""
    found = advised(records(T1 + "@ MX 20 gone\n"))
    assert ["example.com. 300 IN MX 20 gone.example.com."] == [str(line) for line in found.gone]


def test_names_of_others_are_not_touched():
    """The addresses behind a provider's name are the provider's to change."""
    zone = "@ MX 10 mx.provider.example.\nmx.provider.example. A 192.0.2.11\nmx.provider.example. A 192.0.2.12\n"
    assert () == candidates(records(zone))


def test_the_proposed_lines_make_the_zone_that_was_measured():
    """Taking the lines out and putting them in gives records that measure the same."""
    found = advised(records(T2), SEVERAL, Allowed.SPLIT)
    text = "\n".join(str(line) for line in found.after.records.lines)
    assert mark(records(text + "\n"), SEVERAL) == mark(Records.of(edited(planned(T2), found.edits)), SEVERAL)


def test_a_lone_machine_gets_a_second_one_to_fill_in():
    """The commonest single point of failure: an equal in the same families, whose addresses are yet to be had."""
    assert [
        "+ example.com. 300 IN MX 10 mail2.example.com.",
        "+ mail2.example.com. 300 IN A <an IPv4 address>",
        "+ mail2.example.com. 300 IN AAAA <an IPv6 address>",
    ] == _lines("@ MX 10 mail\nmail A 192.0.2.11\nmail AAAA 2001:db8::11\n")


def test_a_domain_without_mx_records_is_tried_family_by_family():
    """An edit of addresses alone leaves it without MX records: the domain itself goes on taking the mail."""
    assert "+ example.com. 300 IN A <an IPv4 address>" in _lines("@ AAAA 2001:db8::1\n")


@pytest.mark.parametrize("label", ["xn--bcher-kva", "x" * 63], ids=["an A-label", "a label of 63 octets"])
def test_a_new_name_is_one_that_can_be_written(label):
    """Where a number cannot stand behind the old label, the new machine is called mail2."""
    found = advised(records(f"@ MX 10 {label}\n{label} A 192.0.2.1\n"))
    assert "mail2.example.com" in {line.owner for line in found.new}


def test_what_cannot_be_looked_up_is_no_ground_for_advice():
    """An exchanger whose addresses nobody can tell may be a machine or none: nothing is proposed, nor called sane."""
    found = advised(records("@ MX 10 mx.other.test.\n@ MX 20 b\nb A 192.0.2.3\n"))
    assert ((), False) == (found.edits, found.is_sane)
    assert "example.com: no advice before the addresses of mx.other.test can be looked up." == found.headline


def test_a_domain_without_mx_records_keeps_the_machine_it_has():
    """The first MX record ends the use of the domain's own address: so that gets one too."""
    assert [
        "+ example.com. 300 IN MX 10 example.com.",
        "+ example.com. 300 IN MX 10 mail2.example.com.",
        "+ mail2.example.com. 300 IN A <an IPv4 address>",
    ] == _lines("@ A 192.0.2.11\n")


def test_what_gets_worse_is_told_too():
    """A second name costs DNS questions and records, and nobody is left to find that out."""
    proof = advised(records(T2), SEVERAL, Allowed.SPLIT).proof
    assert [["balance"], ["DNS cost", "simplicity"]] == [_goals(proof.better), _goals(proof.worse)]


def _goals(sentences):
    return [each.split(":")[0] for each in sentences]


FOUR = "@ MX 10 a\n@ MX 10 b\n" + "".join(f"{name} A 192.0.2.{n}\n" for name, n in zip("aabb", range(4), strict=True))


@pytest.mark.parametrize("zone", [T2, FOUR], ids=["one name", "two names"])
def test_names_with_several_machines_are_left_alone_unless_asked(zone):
    """They may be a choice, be it of one name or of many: what stays is said, and what asking for more would bring."""
    found, split = advised(records(zone), FEW), advised(records(zone), FEW, Allowed.SPLIT)
    told = next(remark for remark in found.remarks if "--allow split" in remark)
    assert [(), True] == [found.edits, bool(split.edits)]
    assert numbers(Goal.BALANCE, split.after) in told
    assert f"for {dns_cost(split.after)} instead of {dns_cost(found.before)}." in told


def test_the_budget_that_a_split_exceeds_is_named():
    """Three names for one cost more than twice the questions, eleven more than ten records: each says its own."""
    three = "@ MX 10 mail\nmail A 192.0.2.1\nmail A 198.51.100.1\nmail A 203.0.113.1\n"
    eleven = "@ MX 10 mail\n" + "".join(f"mail A 192.0.2.{last}\n" for last in range(1, 12))
    why = [next(each for each in advised(records(zone)).remarks if "behind 1 name" in each) for zone in (three, eleven)]
    assert [
        "3 machines stand behind 1 name, and are left there: a name for each takes more than twice the DNS questions.",
        "11 machines stand behind 1 name, and are left there: a name for each takes more than 10 MX records.",
    ] == why


def test_of_an_alias_and_its_name_the_name_is_kept():
    """Where the backup is the name that the primary is an alias of, it takes its place, and the alias is gone."""
    found = advised(records("@ MX 10 a\n@ MX 20 b\na CNAME b\nb A 192.0.2.11\n"))
    assert "10 b.example.com." in [line.data for line in found.new]
    assert "mx-target-alias" not in [each.rule for each in found.troubles]


ELSEWHERE = "a.x.example. AAAA 2001:db8::1\nb.y.example. A 192.0.2.2\n"
HOST = st.tuples(
    st.sampled_from([10, 20]), st.sets(st.integers(1, 5), max_size=3), st.sets(st.integers(1, 5), max_size=2)
)
FEW = only("rfc5321", "postfix")
ONE = only("rfc5321")
BARE = only("rfc5321", "ipv4-only", "sendmail", "first-mx-only")
ALLOWED = st.sets(st.sampled_from(list(Allowed))).map(frozenset)


@settings(max_examples=examples(24))
@given(st.lists(HOST, min_size=1, max_size=3), ALLOWED, st.sampled_from([FEW, BARE]))
def test_advice_is_a_gain_within_its_budget_that_makes_no_trouble(hosts, allowed, view):
    """Safer, else more even, else cheaper by its comparison; at most ten MX, twice the questions, no new finding."""
    before = records(_zone(hosts))
    found = advised(before, view, *allowed)
    if found.after:
        safety = [judged(goal, found.before.marks, found.after.marks) for goal in SAFETY]
        even = judged(Goal.BALANCE, found.before.marks, found.after.marks)
        zone = "".join(f"{line}\n" for line in found.after.records.lines)
        after = records(zone.replace("<an IPv4 address>", "192.0.2.99").replace("<an IPv6 address>", "2001:db8::99"))
        was, now = found.before.marks, found.after.marks
        assert (0, True) == (min(0, *safety, even if not any(safety) else 0), bool(found.proof.better))
        assert _goals(found.proof.worse) == [goal for goal in Goal if judged(goal, was, now) < 0]
        assert len(after.snapshot.mx.records) <= max(MOST_MX, len(hosts))
        assert now.questions <= 2 * was.questions
        new = {each.weight for each in set(found.troubles) - set(check_of(before)(before.snapshot))}
        assert new <= ({"note"} if any(safety) else set())


@settings(max_examples=examples(18))
@given(st.lists(HOST, min_size=1, max_size=3), ALLOWED)
def test_advice_never_says_nothing_while_check_finds_something(hosts, allowed):
    """Where `check` has found anything that zone lines fix, advice proposes a change or names what was found."""
    before = records(_zone(hosts))
    found, seen = advised(before, FEW, *allowed), check_of(before)(before.snapshot)
    assert found.edits or set(seen) == set(found.troubles)
    assert found.is_sane == (not found.edits and {each.weight for each in seen} <= {"note"})
    assert ("nothing to change" in found.headline) == (found.is_sane and not any(each.fixable for each in seen))


def test_advice_knows_what_check_warns_of_or_notes():
    """In the zones that a rule is tried on: what it finds in the records is named, or gone after the change.

    In every ninth of them; in all in a whole run.
    """
    known = [each for each in RULES.values() if each.needs <= ABOUT_RECORDS]
    for rule, path in some([(each, path) for each in known for path in folders.variants(each, "finds")], 9):
        evidence = folders.load_with_policies(path).evidence
        found = [each for each in rule.check(evidence) if each.severity is not Severity.INFO]
        advice = advise(Records.of(evidence.snapshot), ONE, checker(evidence))
        named = {each.seen for each in advice.troubles if each.rule == rule.id}
        assert advice.edits or {each.seen for each in found} == named, path
        assert advice.edits or not any(each.fix for each in found) or "nothing to change" not in advice.headline


@settings(max_examples=examples(16))
@given(st.lists(HOST, min_size=1, max_size=3), ALLOWED)
def test_what_is_proven_is_what_compare_says(hosts, allowed):
    """The proof is the comparison of both zones, not a second opinion."""
    found = advised(records(_zone(hosts)), FEW, *allowed)
    if found.after:
        cards = [measure(each.name, each.records, FEW) for each in (found.before, found.after)]
        assert (found.proof,) == compare(cards).differences


def _zone(hosts):
    zone = [f"@ MX {preference} m{number}" for number, (preference, _, _) in enumerate(hosts)]
    zone += [f"m{number} A 192.0.2.{each}" for number, (_, four, _) in enumerate(hosts) for each in four]
    zone += [f"m{number} AAAA 2001:db8::{each}" for number, (_, _, six) in enumerate(hosts) for each in six]
    return "\n".join(zone) + "\n"
