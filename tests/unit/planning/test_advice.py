"""Advice: the smallest change that reaches the goals, and silence where the zone is sane."""

import pytest
from plans import INTERNET, T1, T2, T3, T4, T5, only, planned, records

from postroad.planning import Allowed, Records, advise
from postroad.planning.edits import candidates, edited
from postroad.planning.scorecard import mark


def _lines(zone, *allowed):
    found = advise(records(zone), INTERNET, frozenset(allowed))
    return [f"- {line}" for line in found.gone] + [f"+ {line}" for line in found.new]


@pytest.mark.parametrize(
    "zone",
    [T1, T5, "@ MX 10 a.other.example.\na.other.example. A 192.0.2.11\n", "@ MX 0 .\n"],
    ids=["two equals", "primary and backup", "one machine of another's", "null MX"],
)
def test_a_sane_zone_is_left_alone(zone):
    """Nothing is proposed where no record can do better, and that is said with a reason."""
    found = advise(records(zone), INTERNET)
    assert ((), None) == (found.edits, found.after)
    assert found.because


def test_two_addresses_of_one_name_get_a_name_each():
    """The second set-up becomes the first: only between names does every sender draw."""
    assert [
        "- mail.example.com. 300 IN A 192.0.2.12",
        "+ example.com. 300 IN MX 10 mail2.example.com.",
        "+ mail2.example.com. 300 IN A 192.0.2.12",
    ] == _lines(T2)


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
    found = advise(records(T2), INTERNET)
    assert found.after.load < found.before.load
    assert found.after.marks.kept >= found.before.marks.kept
    assert found.proof.meaning


def test_of_the_candidates_only_what_is_needed_is_proposed():
    """A sender that draws addresses itself needs no names for them."""
    assert candidates(records(T2))
    assert () == advise(records(T2), only("postfix")).edits


def test_both_families_of_a_machine_move_together():
    """Two dual-stack machines behind one name: the second gets one name with both its addresses."""
    zone = "@ MX 10 mail\nmail A 192.0.2.11\nmail A 192.0.2.12\nmail AAAA 2001:db8::11\nmail AAAA 2001:db8::12\n"
    after = edited(planned(zone), candidates(records(zone)))
    second = after.hosts["mail2.example.com"]
    assert ["192.0.2.12", "2001:db8::12"] == [str(each.records[0]) for each in (second.a, second.aaaa)]


def test_an_exchanger_that_is_not_there_goes():
    """A name without an address costs questions and takes no mail."""
    found = advise(records(T1 + "@ MX 20 gone\n"), INTERNET)
    assert ["example.com. 300 IN MX 20 gone.example.com."] == [str(line) for line in found.gone]


def test_names_of_others_are_not_touched():
    """The addresses behind a provider's name are the provider's to change."""
    zone = "@ MX 10 mx.provider.example.\nmx.provider.example. A 192.0.2.11\nmx.provider.example. A 192.0.2.12\n"
    assert () == candidates(records(zone))


def test_the_proposed_lines_make_the_zone_that_was_measured():
    """Taking the lines out and putting them in gives records that measure the same."""
    found = advise(records(T2), INTERNET)
    text = "\n".join(str(line) for line in found.after.records.lines)
    assert mark(records(text + "\n"), INTERNET) == mark(Records.of(edited(planned(T2), found.edits)), INTERNET)
