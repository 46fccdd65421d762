"""A TLS report as a message: its fields, its parts, its lines."""

import gzip
import json
from email import message_from_bytes, policy

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.relay.tls_reports.mail import envelope_of, message_of
from postroad.tls import PolicyType, ReportedPolicy, SessionRow, Submitter, TlsReport, facts_of
from postroad.words.mail import parse_mailbox
from postroad.words.tls import TlsFailure

SENDER = parse_mailbox("tls@relay.example")
TO = (parse_mailbox("a@example.org"), parse_mailbox('"b c"@example.net'))
NOW = 1_795_400_000.0


def report(reader="example.org", reason="it expired", organization="Relay Inc."):
    """A report of a session that failed."""
    row = SessionRow(ReportedPolicy(PolicyType.STS, reader), TlsFailure.EXPIRED, "mx", "", "", reason)
    submitter = Submitter(organization, SENDER, SENDER)
    return TlsReport(reader, "2026-11-22", submitter, facts_of(reader, "2026-11-22", submitter, [(row, 1)]))


def read(octets):
    """A message as Python reads it."""
    return message_from_bytes(octets, policy=policy.default)


def test_a_report_is_a_message_as_the_standard_has_it():
    """RFC 8460 section 5.3, field by field; nothing answers it, and TLS does not keep it from arriving."""
    it = report()
    message = read(message_of(it, TO, NOW))
    subject = f"Report Domain: example.org Submitter: relay.example Report-ID: <{it.id}>"
    assert {
        "From": "tls@relay.example",
        "To": 'a@example.org, "b c"@example.net',
        "Subject": subject,
        "TLS-Report-Domain": "example.org",
        "TLS-Report-Submitter": "relay.example",
        "TLS-Required": "No",
        "Auto-Submitted": "auto-generated",
    }.items() <= {name: str(value).replace("<", "<") for name, value in message.items()}.items() | {
        ("From", message["From"].addresses[0].addr_spec),
        ("To", ", ".join(each.addr_spec for each in message["To"].addresses)),
    }
    assert ("multipart/report", "tlsrpt") == (message.get_content_type(), message.get_param("report-type"))
    people, programs = message.iter_parts()
    assert ("text/plain", "application/tlsrpt+gzip") == (people.get_content_type(), programs.get_content_type())
    assert it.filename == programs.get_filename()
    assert it.facts == json.loads(gzip.decompress(programs.get_content()))


def test_the_same_report_is_the_same_octets_and_another_has_another_id():
    """Who gets one twice can tell (RFC 8460 section 5.3)."""
    assert message_of(report(), TO, NOW) == message_of(report(), TO, NOW)
    assert report().id != report(reason="other").id


def test_nobody_hears_of_a_report_that_fails():
    """NOTIFY=NEVER for each reader (RFC 3461): no loop begins."""
    envelope = envelope_of(report(), TO)
    assert (SENDER, {"NEVER"}) == (
        envelope.reverse_path,
        set.union(*(set(each.notify) for each in envelope.recipients)),
    )


LABELS = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", fullmatch=True)


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(LABELS, min_size=1, max_size=3).map(".".join), st.text(), st.text())
def test_whatever_strangers_write_breaks_no_line(reader, reason, organization):
    """Every line ends with CRLF, is ASCII and has no more than 998 octets; the fields are those that we wrote."""
    octets = message_of(report(reader, reason, organization), TO, NOW)
    lines = octets.split(b"\r\n")
    assert octets.isascii()
    assert not any(b"\r" in line or b"\n" in line or len(line) > 998 for line in lines)
    message = read(octets)
    assert 11 == len(message.keys())
    assert (reader, f"Report Domain: {reader} Sub") == (
        message["TLS-Report-Domain"],
        message["Subject"][: 19 + len(reader)],
    )
