"""No line of a report is longer than mail allows, whatever a host said or was called."""

import json
from ipaddress import ip_address

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.dsn.lines import field
from postroad.dsn.programs import fields
from postroad.dsn.report import Action, Report, ReportedAttempt, ReportedRecipient
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trail import Attempt, Contact, Target

LONGEST = 998  # RFC 5322 section 2.1.1, without its CRLF
LONG = st.text(max_size=20).flatmap(lambda text: st.integers(1, 400).map(lambda times: text * times))
BINARY = ".".join([r"\255" * 62] * 4)  # a name of 252 octets as DNS writes it


def _lines(said, exchange, tls):
    outcome = Outcome(Result.FAILED, Scope.HOST, said, "5.0.0", Phase.RCPT)
    contact = Contact(Target(exchange, ip_address("192.0.2.1"), 10), 0.0, 1.0, Phase.RCPT, outcome, {0: outcome}, tls)
    to = Recipient(Mailbox("a", "example.org"))
    tried = ReportedAttempt(1.0, Attempt("example.org", (outcome,), (contact,), 7, 1.0), 0)
    reported = ReportedRecipient(to, Action.FAILED, outcome, (tried,))
    report = Report("ID", "mx.example.net", Envelope(Mailbox("me", "example.net"), (to,)), 1.0, 2.0, (reported,), b"")
    return fields(report, unicode=True).split("\r\n")


@settings(max_examples=examples(100 // stride(2)))
@given(LONG, LONG, LONG)
@example("\U0001f600" * 500, BINARY, "T" * 2000)
@example('"' * 500, '"' * 500, "\\" * 500)
@example("\u00a0" * 500, "\u3000" * 500, "\u00a0" * 1100)
def test_no_line_is_longer_than_mail_allows(said, exchange, tls):
    """A reply, a name of binary octets, a cipher: each is cut into words, and what programs read is JSON still."""
    lines = _lines(said, exchange, tls)
    assert max(len(line.encode()) for line in lines) <= LONGEST
    text = "\r\n".join(lines).replace("\r\n ", " ")
    (contact,) = [line for line in text.split("\r\n") if line.startswith("X-Postroad-Contact:")]
    assert "192.0.2.1" == json.loads(contact.partition(":")[2])["address"]


@given(LONG)
def test_any_value_fits_its_lines(value):
    """The last resort: a word that fits no line is broken."""
    assert max(len(line.encode()) for line in field("X-Field", value).split("\r\n")) <= LONGEST
