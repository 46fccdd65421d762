"""What findings count for: ignored, accepted for a time, and the exit status."""

from datetime import date

import pytest

from postroad.examine import CheckTerms, Tolerated, exit_status, weigh
from postroad.routing import PROCEDURES, decide
from postroad.rules import Accepted, Checked, Evidence, Finding, Place, Severity
from postroad.words.facts import NoData
from postroad.words.snapshot import Snapshot

NOW = 1_800_000_000.0  # 2027-01-15
SNAPSHOT = Snapshot("example.com", NoData())
EVIDENCE = Evidence(SNAPSHOT, decide(SNAPSHOT, PROCEDURES["rfc5321"]), NOW)
ONE = Finding("one", Severity.ERROR, Place("example.com", 10, "mail.example.com"), "seen")
TWO = Finding("two", Severity.WARNING, Place("example.com"), "seen")
UNSURE = Finding("three", Severity.ERROR, Place("example.com"), "not seen", inconclusive=True)


def test_ignored_findings_are_left_out():
    """A rule that is ignored says nothing at all."""
    assert (TWO,) == weigh(EVIDENCE, [ONE, TWO], CheckTerms(ignore=frozenset({"one"}))).findings


@pytest.mark.parametrize(
    ("known", "accepted"),
    [
        (Tolerated("one", "why", date(2027, 1, 15)), True),
        (Tolerated("one", "why", date(2027, 1, 14)), False),
        (Tolerated("one", "why", date(2028, 1, 1), "example.com", "mail.example.com"), True),
        (Tolerated("one", "why", date(2028, 1, 1), "example.net"), False),
        (Tolerated("one", "why", date(2028, 1, 1), None, "other.example.com"), False),
        (Tolerated("two", "why", date(2028, 1, 1)), False),
    ],
)
def test_accepted_findings_are_shown_and_not_counted(known, accepted):
    """To the last day, for the rule, domain and exchanger that are named."""
    result = weigh(EVIDENCE, [ONE], CheckTerms(tolerated=(known,)))
    assert ((Accepted(ONE, "why", known.until),) if accepted else ()) == result.accepted
    assert (() if accepted else (ONE,)) == result.findings


def test_what_has_expired_is_named():
    """The owner hears of what counts again."""
    old, new = Tolerated("one", "why", date(2027, 1, 1)), Tolerated("one", "why", date(2027, 3, 1))
    assert (old,) == CheckTerms(tolerated=(old, new)).expired(date(2027, 2, 1))


@pytest.mark.parametrize(
    ("findings", "fail_on", "status"),
    [
        ((), Severity.ERROR, 0),
        ((TWO,), Severity.ERROR, 0),
        ((TWO,), Severity.WARNING, 1),
        ((ONE, TWO), Severity.ERROR, 1),
        ((ONE,), None, 0),
        ((UNSURE,), Severity.ERROR, 3),
        ((UNSURE, TWO), Severity.ERROR, 3),
        ((UNSURE, ONE), Severity.ERROR, 1),
    ],
)
def test_exit_status(findings, fail_on, status):
    """1 for what was seen, 3 for what could not be, 0 for the rest; what is accepted counts for nothing."""
    assert status == exit_status([Checked("example.com", NOW, findings=findings)], fail_on)
