"""What a host offers, read from its reply to EHLO, and what may be said to it therefore."""

from dataclasses import replace

import pytest

from postroad.smtp import Capabilities, Mail, Rcpt
from postroad.smtp.client import read_capabilities
from postroad.smtp.envelope import mail_to, rcpt_to, why_unable
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Phase, Result, Scope
from postroad.words.reply import Reply

ANN = Mailbox("ann", "example.com")
KEYWORDS = {
    "pipelining": "PIPELINING",
    "eight_bit_mime": "8BITMIME",
    "smtputf8": "SMTPUTF8",
    "chunking": "CHUNKING",
    "starttls": "STARTTLS",
    "dsn": "DSN",
    "requiretls": "REQUIRETLS",
    "enhanced_status_codes": "ENHANCEDSTATUSCODES",
}


@pytest.mark.parametrize(("name", "keyword"), KEYWORDS.items())
def test_an_extension_is_offered_by_its_keyword_and_by_no_other(name, keyword):
    """Whoever does not say it does not have it."""
    alone = read_capabilities(Reply(250, ("mx.example at your service", keyword)), is_tls=True)
    nothing = read_capabilities(Reply(250, ("mx.example",)), is_tls=True)
    assert (replace(nothing, **{name: True}), Capabilities("mx.example")) == (alone, nothing)
    assert dict.fromkeys(KEYWORDS, False) == {each: getattr(Capabilities(), each) for each in KEYWORDS}


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE", 0),
        ("SIZE 0", 0),
        ("size 1000", 1000),
        ("SIZE 1000 2000", 1000),
        ("SIZE " + "9" * 20, int("9" * 20)),
        ("SIZE " + "9" * 21, 0),
        ("SIZE many", 0),
        ("SIZE -1", 0),
        ("SIZE \u0661\u0662", 0),
        ("SIZES 5", None),
    ],
)
def test_size_is_a_limit_or_none(line, size):
    """Without a number, or with one that is none, there is no fixed limit (RFC 1870 section 3)."""
    assert size == read_capabilities(Reply(250, ("mx.example", line))).size


def test_requiretls_is_not_believed_unless_under_tls():
    """Anyone on the way could have written it (RFC 8689 section 2)."""
    said = Reply(250, ("mx.example", "REQUIRETLS"))
    assert [False, False, True] == [
        read_capabilities(said, **how).requiretls for how in ({}, {"is_tls": False}, {"is_tls": True})
    ]


def test_mechanisms_are_those_of_the_line():
    """In any case; none, if AUTH is not offered."""
    lines = [("mx.example", "auth plain Login"), ("mx.example", "AUTH"), ("mx.example",)]
    assert [{"PLAIN", "LOGIN"}, set(), set()] == [read_capabilities(Reply(250, each)).auth for each in lines]


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (Capabilities(size=9), ("5.3.4", "the message has 10 octets, the host accepts 9 (RFC 1870)")),
        (Capabilities(size=10), None),
        (Capabilities(size=0), None),
        (Capabilities(), None),
    ],
)
def test_a_message_of_the_size_that_is_taken_is_sent(offered, expected):
    """A greater one is not; another host may take it."""
    unable = why_unable(offered, Envelope(ANN, ()), 10, smtputf8=False)
    assert expected == (unable and (unable.status, unable.text))
    assert unable is None or (Result.FAILED, Scope.MESSAGE, Phase.MAIL) == (unable.result, unable.scope, unable.phase)


@pytest.mark.parametrize("is_offered", [True, False])
@pytest.mark.parametrize("is_needed", [True, False])
def test_mail_beyond_ascii_is_sent_where_it_is_taken(is_offered, is_needed):
    """A host that does not offer SMTPUTF8 is not even asked (RFC 6531 section 3.5)."""
    unable = why_unable(Capabilities(smtputf8=is_offered), Envelope(ANN, ()), 10, smtputf8=is_needed)
    assert (is_needed and not is_offered) == (unable is not None)
    assert unable is None or ("5.6.7", Result.FAILED, Scope.MESSAGE) == (unable.status, unable.result, unable.scope)


@pytest.mark.parametrize("is_offered", [True, False])
@pytest.mark.parametrize("notify", [frozenset(), frozenset({"NEVER"})])
@pytest.mark.parametrize("orcpt", [None, "rfc822;a@example.com"])
def test_wishes_for_reports_are_said_where_they_are_understood(is_offered, notify, orcpt):
    """Elsewhere they would be parameters that are not offered."""
    envelope = Envelope(ANN, (Recipient(ANN, notify, orcpt),), ret="HDRS", envid="x")
    mail = mail_to(Capabilities(dsn=is_offered), envelope, 10, smtputf8=False)
    rcpt = rcpt_to(Capabilities(dsn=is_offered), envelope.recipients[0])
    assert (Mail(ANN, ret="HDRS", envid="x") if is_offered else Mail(ANN)) == mail
    assert Rcpt(Recipient(ANN, notify, orcpt) if is_offered else Recipient(ANN)) == rcpt


@pytest.mark.parametrize(("limit", "said"), [(None, None), (0, 10), (99, 10)])
def test_size_is_said_where_it_is_offered(limit, said):
    """With a limit or without."""
    assert said == mail_to(Capabilities(size=limit), Envelope(ANN, ()), 10, smtputf8=False).size
