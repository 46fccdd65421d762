"""The log: one line for each event, for people or for programs, of what is worth it."""

import io
import json
from ipaddress import ip_address
from random import Random

import pytest

from postroad.deliver.settling import judge
from postroad.pace import RetrySchedule
from postroad.relay.journal import LEVELS, Journal
from postroad.spool import Mail, Parcel
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trace import Event
from postroad.words.trail import Attempt, Contact, Target

NOON = 1_700_000_000.0
TARGET = Target("mail.example.com", ip_address("192.0.2.1"), 10)
OK = Outcome(Result.DELIVERED, Scope.MESSAGE, "250 2.0.0 taken", "2.0.0", Phase.DOT)
NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, "550 no", "5.1.1", Phase.RCPT)
LATER = Outcome(Result.DEFERRED, Scope.RECIPIENT, "450 later\r\nforged line", "4.2.0", Phase.RCPT)


def attempted(*outcomes, contacts=None):
    """The event of an attempt that ended so."""
    who = tuple(Recipient(parse_mailbox(f"{name}@example.com")) for name in ("ann", "bob")[: len(outcomes)])
    envelope = Envelope(parse_mailbox("me@example.net"), who)
    parcel = Parcel(1, "example.com", Mail("M1", envelope, NOON, 7, 10), NOON)
    contact = Contact(TARGET, 0, 5, outcomes[0].phase, None, {0: outcomes[0]}, tls="TLSv1.3 X")
    done = Attempt("example.com", outcomes, (contact,) if contacts is None else contacts, 7, 12.34)
    verdict = judge(parcel, done, RetrySchedule(jitter=0), NOON, Random(1))
    return Event("deliver.parcel.complete", {"parcel": parcel, "attempt": done, "verdict": verdict})


def lines(*events, form="console", level="info"):
    """What is written of these events."""
    out = io.StringIO()
    journal = Journal(out, form, lambda: NOON, level)
    for event in events:
        journal(event)
    return out.getvalue().splitlines()


def test_attempt_is_one_line_of_json():
    """Who, where to, by whom, and what became of it: flat, so that any tool can ask for it."""
    (line,) = lines(attempted(OK), form="json")
    assert json.loads(line) == {
        "at": "2023-11-14T22:13:20.000Z",
        "event": "deliver.attempt.complete",
        "id": "M1",
        "from": "me@example.net",
        "to": ["ann@example.com"],
        "destination": "example.com",
        "attempt": 1,
        "ms": 12.3,
        "result": "delivered",
        "exchange": "mail.example.com",
        "address": "192.0.2.1",
        "contacts": 1,
        "tls": "TLSv1.3 X",
        "status": "2.0.0",
        "text": "250 2.0.0 taken",
    }


def test_deferred_attempt_says_when_it_is_tried_again():
    """With the status and the words of the host."""
    (line,) = lines(attempted(LATER), form="json")
    shape = json.loads(line)
    assert ("deferred", "4.2.0", "2023-11-14T22:18:20.000Z") == (shape["result"], shape["status"], shape["due"])


def test_attempt_without_contacts_names_none():
    """All hosts were ill, or there is no route."""
    (line,) = lines(attempted(LATER, contacts=()), form="json")
    assert "exchange" not in json.loads(line)


@pytest.mark.parametrize("form", ["console", "json"])
def test_nobody_forges_a_line(form):
    """What others say, line ends and all, stays within the line that quotes it."""
    forged = Event("receive.message.failed", {"why": "x\n2023-11-14T22:13:20.000Z relay.drained", "user": None})
    assert [1, 1] == [len(lines(attempted(LATER), form=form)), len(lines(forged, form=form))]


def test_line_for_people_quotes_what_has_spaces():
    """Each word has its name; nothing is told of what is not there."""
    (line,) = lines(Event("relay.reload.failed", {"why": 'a "bad" file', "where": None, "count": 3}))
    assert '2023-11-14T22:13:20.000Z relay.reload.failed why="a \\"bad\\" file" count=3' == line


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Event("receive.session.started", {}), "debug"),
        (Event("receive.message.complete", {}), "info"),
        (attempted(OK), "info"),
        (attempted(LATER), "warning"),
        (Event("receive.message.failed", {}), "warning"),
        (Event("deliver.host.failed", {}), "warning"),
        (Event("deliver.host.recovered", {}), "info"),
        (Event("deliver.report.failed", {}), "warning"),
        (Event("deliver.spool.failed", {}), "error"),
        (Event("relay.spool.failed", {}), "error"),
    ],
)
def test_each_event_has_its_level(event, level):
    """It is written at its level and at every lower one."""
    written = [each for each in LEVELS if lines(event, level=each)]
    assert LEVELS[: LEVELS.index(level) + 1] == tuple(written)


def test_bug_is_told_with_its_parcel():
    """The message it befell, and the error."""
    parcel = attempted(OK).fields["parcel"]
    (line,) = lines(Event("deliver.parcel.broken", {"parcel": parcel, "error": ValueError("a bug")}))
    assert """deliver.parcel.broken id=M1 error="ValueError('a bug')\"""" in line


def test_report_that_fails_is_a_line_of_its_own():
    """A double bounce: which, to whom and why."""
    lost = {"id": "B1", "recipients": ["me@example.net"], "why": "failed: 550 no", "origin": None}
    assert [
        '2023-11-14T22:13:20.000Z deliver.report.failed id=B1 recipients=me@example.net why="failed: 550 no"'
    ] == lines(Event("deliver.report.failed", lost))


def test_line_names_the_host_whose_words_it_quotes():
    """Not the one that was contacted last, for somebody else."""
    other = Target("other.example.com", ip_address("192.0.2.2"), 20)
    contacts = (Contact(TARGET, 0, 5, Phase.RCPT, None, {0: NEVER}), Contact(other, 5, 9, Phase.RCPT, None, {1: LATER}))
    (line,) = lines(attempted(NEVER, LATER, contacts=contacts), form="json")
    assert ("mail.example.com", "550 no") == (json.loads(line)["exchange"], json.loads(line)["text"])
