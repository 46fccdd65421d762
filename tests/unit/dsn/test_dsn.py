"""Reports to the sender: whole, readable by people and programs, and impossible to forge from outside."""

import json
import re
from dataclasses import replace
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.dsn import MAX_WHOLE, Action, Report, ReportedAttempt, ReportedRecipient, build, wanted, wants_content
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply
from postroad.words.trail import Attempt, Contact, Target

GOLDEN = Path(__file__).parent / "undelivered.eml"
NOON = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 +0000

SENDER = Mailbox("alice", "sender.example")
BOB = Mailbox("bob", "example.org")
UNICODE = Mailbox("jürgen", "xn--mnchen-3ya.example")

ONE = Target("mx1.example.org", ip_address("192.0.2.1"), 10)
TWO = Target("mx2.example.org", ip_address("2001:db8::2"), 10)
REFUSED = Outcome(Result.DEFERRED, Scope.HOST, "connection refused", "4.4.1", Phase.CONNECT)
NO_USER = Reply(550, ("5.1.1 <bob@example.org>: no such user here,", "5.1.1 see https://example.org/help"))
NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, str(NO_USER), "5.1.1", Phase.RCPT, NO_USER)
TAKEN = Outcome(Result.DELIVERED, Scope.MESSAGE, "250 2.0.0 Ok", "2.0.0", Phase.DOT, Reply(250, ("2.0.0 Ok",)))

GIVEN_UP = replace(REFUSED, result=Result.FAILED, text="connection refused; given up after 5 days", status="4.4.7")

GIVEN_UP_LATER = replace(GIVEN_UP, text="connection refused")

HEADER = b"From: alice@sender.example\r\nSubject: Hello\r\nMessage-ID: <hello@sender.example>\r\n"
CONTENT = HEADER + b"\r\nGood day.\r\n"


def attempt(outcome, *contacts):
    """One attempt for one recipient of example.org."""
    return Attempt("example.org", (outcome,), contacts, seed=7, elapsed_ms=300.0)


DOWN = attempt(REFUSED, Contact(ONE, 0.0, 0.6, Phase.CONNECT, REFUSED, {0: REFUSED}))
ASKED = attempt(
    NEVER,
    Contact(ONE, 0.0, 250.4, Phase.CONNECT, None, {}),
    Contact(TWO, 250.0, 300.2, Phase.RCPT, None, {0: NEVER}, tls="TLSv1.3 TLS_AES_256_GCM_SHA384"),
)
TRAIL = (ReportedAttempt(NOON - 300, DOWN, 0), ReportedAttempt(NOON - 1, ASKED, 0))
FAILED = ReportedRecipient(Recipient(BOB), Action.FAILED, NEVER, TRAIL)
DELAYED = ReportedRecipient(Recipient(BOB), Action.DELAYED, REFUSED, TRAIL[:1])


def report(*reported, header=HEADER, content=CONTENT, envelope=None, **other):
    """A report of mail from alice that arrived five minutes ago."""
    original = envelope or Envelope(SENDER, tuple(each.recipient for each in reported))
    return Report("q1", "relay.example.net", original, NOON - 301, NOON, reported, header, content, **other)


def read(made):
    """What Python's email parser makes of it: the message and its three parts."""
    message = message_from_bytes(made[1], policy=policy.default)
    return message, *message.iter_parts()


def told(made):
    """The blocks of fields: of the message, then of each recipient."""
    return [dict(block.items()) for block in read(made)[2].get_payload()]


def people(made):
    """The sentences, on one line."""
    return " ".join(read(made)[1].get_content().split())


def test_report_as_people_see_it():
    """The whole report of a failure after two attempts, kept in a file."""
    _, content = build(report(FAILED))
    assert GOLDEN.read_text() == content.decode("ascii").replace("\r\n", "\n")


def test_report_has_three_parts():
    """A multipart/report of text, status and header (RFC 6522), from us to the reverse-path, under the null one."""
    envelope, content = build(report(FAILED))
    message, *parts = read((envelope, content))
    assert Envelope(None, (Recipient(SENDER),)) == envelope
    assert "multipart/report" == message.get_content_type()
    assert "delivery-status" == message.get_param("report-type")
    assert ["text/plain", "message/delivery-status", "text/rfc822-headers"] == [
        each.get_content_type() for each in parts
    ]
    assert [] == [defect for each in (message, *parts) for defect in each.defects]


def test_header_of_the_report():
    """It says who writes, what about, to which message, and that a machine wrote it."""
    message = read(build(report(FAILED)))[0]
    del message["Content-Type"]
    assert {
        "From": "Mail Delivery System <MAILER-DAEMON@relay.example.net>",
        "To": "alice@sender.example",
        "Subject": "Undelivered: bob@example.org",
        "Date": "Thu, 01 Jan 2026 12:00:00 +0000",
        "Message-ID": "<q1.1767268800.report@relay.example.net>",
        "In-Reply-To": "<hello@sender.example>",
        "References": "<hello@sender.example>",
        "Auto-Submitted": "auto-replied",
        "MIME-Version": "1.0",
        "Content-Transfer-Encoding": "7bit",
    } == dict(message.items())


def test_postmaster_may_have_an_address_of_its_own():
    """Whoever minds the relay is who writes."""
    message = read(build(report(FAILED, postmaster=Mailbox("postmaster", "example.net"))))[0]
    assert "Mail Delivery System <postmaster@example.net>" == message["From"]


def test_fields_of_a_failure():
    """Every field of RFC 3464 that is known, under the name and type it has there."""
    recipient = Recipient(BOB, orcpt="rfc822;Bob@old.example")
    envelope = Envelope(SENDER, (recipient,), envid="QQ+314159")
    message, fields = told(build(report(replace(FAILED, recipient=recipient), envelope=envelope)))
    assert {
        "Original-Envelope-Id": "QQ+314159",
        "Reporting-MTA": "dns; relay.example.net",
        "Arrival-Date": "Thu, 01 Jan 2026 11:54:59 +0000",
    } == message
    assert {
        "Original-Recipient": "rfc822; Bob@old.example",
        "Final-Recipient": "rfc822; bob@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx2.example.org",
        "Diagnostic-Code": "smtp; 550 5.1.1 <bob@example.org>: no such user here, 5.1.1 see https://example.org/help",
        "Last-Attempt-Date": "Thu, 01 Jan 2026 11:59:59 +0000",
    } == {name: value for name, value in fields.items() if name != "X-Postroad-Contact"}


def test_trail_is_there_for_programs():
    """Each contact of each attempt is one field of JSON."""
    block = read(build(report(FAILED)))[2].get_payload()[1]
    first, second, third = (json.loads(value) for value in block.get_all("X-Postroad-Contact"))
    assert {
        "attempt": 1,
        "at": NOON - 300,
        "started_ms": 0.0,
        "ended_ms": 0.6,
        "exchange": "mx1.example.org",
        "address": "192.0.2.1",
        "preference": 10,
        "phase": "connect",
        "result": "deferred",
        "status": "4.4.1",
        "text": "connection refused",
    } == first
    assert (2, "unused", False) == (second["attempt"], second["result"], "text" in second)
    assert ("failed", str(NO_USER), "TLSv1.3 TLS_AES_256_GCM_SHA384") == (
        third["result"],
        third["text"],
        third["tls"],
    )


def test_only_the_last_attempts_are_told():
    """Of forty attempts the last ten are, with their numbers."""
    many = tuple(ReportedAttempt(NOON - 1000 + number, DOWN, 0) for number in range(40))
    made = build(report(replace(FAILED, outcome=REFUSED, trail=many)))
    block = read(made)[2].get_payload()[1]
    numbers = [json.loads(value)["attempt"] for value in block.get_all("X-Postroad-Contact")]
    assert list(range(31, 41)) == numbers
    assert "Attempt 31 for example.org" in people(made)
    assert "Attempt 30 " not in people(made)


def test_delay_tells_until_when_it_is_tried():
    """A delayed report has Will-Retry-Until, no Remote-MTA for a host that said nothing, and calms its reader."""
    made = build(report(DELAYED, will_retry_until=NOON + 432_000))
    fields = told(made)[1]
    assert ("delayed", "4.4.1", "Tue, 06 Jan 2026 12:00:00 +0000") == (
        fields["Action"],
        fields["Status"],
        fields["Will-Retry-Until"],
    )
    assert "X-Postroad; mx1.example.org [192.0.2.1]: connection refused" == fields["Diagnostic-Code"]
    assert "Remote-MTA" not in fields
    assert "will be retried until Tue, 06 Jan 2026 12:00:00 +0000. You do not need to do anything" in people(made)
    assert "Delayed: bob@example.org" == read(made)[0]["Subject"]


def test_mail_given_up_after_days_says_so():
    """How long it was tried, and what it met last, from whom."""
    made = build(report(replace(FAILED, outcome=GIVEN_UP, trail=TRAIL[:1])))
    assert ("failed", "4.4.7") == (told(made)[1]["Action"], told(made)[1]["Status"])
    assert (
        "within 5 minutes, in 1 attempt. The last server tried was mx1.example.org [192.0.2.1],"
        " on Thu, 01 Jan 2026 11:55:00 +0000: connection refused."
    ) in people(made)
    assert "Send it again later" in people(made)


def test_mail_given_up_names_the_last_server_that_answered():
    """Though the last attempts had no contact at all, all servers being unhealthy: who said what, and when."""
    busy = Reply(450, ("4.3.2 come back tomorrow",))
    later = Outcome(Result.DEFERRED, Scope.MESSAGE, str(busy), "4.3.2", Phase.MAIL, busy)
    asked = ReportedAttempt(NOON - 9000, attempt(later, Contact(TWO, 0, 9, Phase.MAIL, None, {0: later})), 0)
    nobody = replace(REFUSED, text="every exchanger failed a moment ago")
    trail = (
        ReportedAttempt(NOON - 9900, DOWN, 0),
        asked,
        ReportedAttempt(NOON - 5000, attempt(nobody), 0),
        ReportedAttempt(NOON, attempt(nobody), 0),
    )
    made = build(report(replace(FAILED, outcome=replace(nobody, status="4.4.7"), trail=trail)))
    fields = told(made)[1]
    assert (
        "in 4 attempts, of which 2 got as far as a server. The last server to answer was mx2.example.org [2001:db8::2],"
        " on Thu, 01 Jan 2026 09:30:00 +0000: 450 4.3.2 come back tomorrow"
    ) in people(made)
    assert ("dns; mx2.example.org", "smtp; 450 4.3.2 come back tomorrow", "Thu, 01 Jan 2026 09:30:00 +0000") == tuple(
        fields[name] for name in ("Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date")
    )


def test_refusal_by_dns_is_not_laid_on_a_server_of_an_earlier_attempt():
    """The domain is gone: what a host of it said yesterday is in the table, and is not why the mail failed."""
    gone = Outcome(Result.FAILED, Scope.DOMAIN, "the domain does not exist", "5.1.2")
    made = build(report(replace(FAILED, outcome=gone, trail=(*TRAIL[:1], ReportedAttempt(NOON, attempt(gone), 0)))))
    assert "X-Postroad; the domain does not exist" == told(made)[1]["Diagnostic-Code"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.1.1", "typing error"),
        ("5.1.10", "accepts no mail at all"),
        ("5.2.2", "mailbox is full"),
        ("5.3.4", "too large"),
        ("5.7.26", "rule of the receiving server"),
        ("5.0.0", "postmaster of the receiving server"),
        ("4.4.7", "again later"),
    ],
)
def test_sender_reads_what_to_do(status, words):
    """Each kind of failure has its own advice."""
    assert words in people(build(report(replace(FAILED, outcome=replace(NEVER, status=status)))))


@pytest.mark.parametrize("action", [Action.FAILED, Action.DELAYED])
def test_what_keeps_us_from_a_host_is_not_laid_in_its_mouth(action):
    """Nobody connected to it: the words are ours, and stand in a sentence of ours."""
    why = "the sender requires TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS vouches for mx1.example.org"
    missed = Outcome(Result.FAILED, Scope.HOST, why, "5.7.30", Phase.POLICY)
    tried = ReportedAttempt(NOON, attempt(missed, Contact(ONE, 0, 0, Phase.POLICY, missed, {0: missed})), 0)
    made = build(report(ReportedRecipient(Recipient(BOB), action, missed, (tried,))))
    assert f"mx1.example.org [192.0.2.1] was not contacted: {why}." in people(made)


@pytest.mark.parametrize(
    ("asked", "unasked", "words"),
    [(1, 0, ", in 1 attempt. The"), (2, 0, ", in 2 attempts. The"), (1, 4, ", in 5 attempts, of which 1 got as far"),
     (0, 3, " 5 minutes. No server could be contacted")],
)  # fmt: skip
def test_attempts_that_are_counted_are_those_that_are_listed(asked, unasked, words):
    """Some ended before a server could be asked, as where no route was known; the list has them, too."""
    nobody = ReportedAttempt(NOON, attempt(REFUSED), 0)
    made = build(report(replace(FAILED, outcome=GIVEN_UP_LATER, trail=(*TRAIL[:1] * asked, *[nobody] * unasked))))
    assert words in people(made)
    assert asked + unasked == people(made).count("Attempt ")


def test_failure_without_any_contact():
    """A domain that does not exist has no trail; the report says why all the same."""
    outcome = Outcome(Result.FAILED, Scope.DOMAIN, "the domain does not exist", "5.1.2")
    made = build(
        report(ReportedRecipient(Recipient(BOB), Action.FAILED, outcome, (ReportedAttempt(NOON, attempt(outcome), 0),)))
    )
    assert "No server was contacted: the domain does not exist." in people(made)
    assert "X-Postroad; the domain does not exist" == told(made)[1]["Diagnostic-Code"]


def test_recipients_of_a_domain_share_one_table():
    """Two recipients, two blocks of fields, one table of attempts; the gravest comes first and makes the subject."""
    asked = Contact(TWO, 0, 9, Phase.DOT, None, {0: NEVER, 1: TAKEN})
    refused = Contact(ONE, 0, 1, Phase.CONNECT, REFUSED, dict.fromkeys((0, 1), REFUSED))
    both = replace(ASKED, outcomes=(NEVER, TAKEN), contacts=(asked,))
    down = replace(DOWN, outcomes=(REFUSED, REFUSED), contacts=(refused,))
    first, second = (
        (ReportedAttempt(NOON - 300, down, index), ReportedAttempt(NOON - 1, both, index)) for index in (0, 1)
    )
    carol = ReportedRecipient(
        Recipient(Mailbox("carol", "example.org"), frozenset({"SUCCESS"})), Action.RELAYED, TAKEN, second
    )
    made = build(report(carol, replace(FAILED, trail=first)))
    assert ["failed", "relayed"] == [block["Action"] for block in told(made)[1:]]
    assert "Undelivered: bob@example.org and 1 more" == read(made)[0]["Subject"]
    assert 1 == people(made).count("Attempt 2 for example.org")
    assert "was passed on to the next mail server for the address below" in people(made)
    assert f"failed: {NO_USER} (bob@example.org)" in people(made)
    assert "delivered: 250 2.0.0 Ok (carol@example.org)" in people(made)
    assert 1 == people(made).count("deferred: connection refused")


def test_each_recipient_has_its_own_answer_in_the_fields():
    """Where one contact told two recipients different things, each block has its own."""
    full = Outcome(Result.FAILED, Scope.RECIPIENT, "552 full", "5.2.2", Phase.RCPT, Reply(552, ("full",)))
    both = Attempt("example.org", (NEVER, full), (Contact(TWO, 0, 9, Phase.RCPT, None, {0: NEVER, 1: full}),), 1, 9)
    carol = ReportedRecipient(
        Recipient(Mailbox("carol", "example.org")), Action.FAILED, full, (ReportedAttempt(NOON, both, 1),)
    )
    block = read(build(report(replace(FAILED, trail=(ReportedAttempt(NOON, both, 0),)), carol)))[2].get_payload()[2]
    assert ("dns; mx2.example.org", "552 full") == (
        block["Remote-MTA"],
        json.loads(block["X-Postroad-Contact"])["text"],
    )


@pytest.mark.parametrize(
    ("notify", "told_of"),
    [
        ((), {"failed", "delayed"}),
        (("NEVER",), set()),
        (("SUCCESS",), {"delivered", "relayed"}),
        (("FAILURE",), {"failed"}),
        (("DELAY",), {"delayed"}),
        (("SUCCESS", "FAILURE", "DELAY"), {"failed", "delayed", "delivered", "relayed"}),
    ],
)
def test_notify_decides_what_is_told(notify, told_of):
    """NOTIFY names what the sender wants; who names nothing wants failure and delay (RFC 3461 section 4.1)."""
    recipient = Recipient(BOB, frozenset(notify))
    reported = {each: build(report(replace(FAILED, recipient=recipient, action=each))) is not None for each in Action}
    assert {each: each.value in told_of for each in Action} == {each: wanted(each, recipient) for each in Action}
    assert {each: each.value in told_of for each in Action} == reported


def test_mail_from_nobody_is_never_reported():
    """A report that fails makes no report: loops end here."""
    assert build(report(FAILED, envelope=Envelope(None, (FAILED.recipient,)))) is None


def test_report_that_fails_goes_to_the_postmaster():
    """Under the null reverse-path again, whole, with whom it was for and why that one did not get it."""
    boss, deputy = Mailbox("boss", "example.net"), Mailbox("deputy", "example.net")
    recipient = replace(FAILED.recipient, notify=frozenset({"NEVER"}))
    envelope = Envelope(None, (recipient,))
    made = build(report(replace(FAILED, recipient=recipient), envelope=envelope, instead=(boss, deputy)))
    assert Envelope(None, (Recipient(boss), Recipient(deputy))) == made[0]
    message, _, status, returned = read(made)
    assert ("Undelivered report: bob@example.org", "boss@example.net, deputy@example.net") == (
        message["Subject"],
        message["To"],
    )
    assert "A report, sent under the null reverse-path <>, could not be delivered to the address below" in people(made)
    assert f"{TWO} replied: 550 5.1.1 <bob@example.org>: no such user here," in people(made)
    assert ("rfc822; bob@example.org", "failed") == tuple(
        status.get_payload()[1][name] for name in ("Final-Recipient", "Action")
    )
    assert "Good day.\n" == returned.get_payload()[0].get_payload().replace("\r\n", "\n")


def test_who_wants_nothing_is_left_out():
    """Of two recipients only the one with a wish is in the report."""
    silent = replace(FAILED, recipient=Recipient(Mailbox("carol", "example.org"), frozenset({"NEVER"})))
    assert b"carol" not in build(report(silent, FAILED))[1]


def returned(made):
    """The third part as type and octets."""
    part = read(made)[3]
    return part.get_content_type(), made[1].split(b"\r\n--" + read(made)[0].get_boundary().encode())[3]


@pytest.mark.parametrize(
    ("action", "ret", "kind"),
    [
        (Action.FAILED, "FULL", "message/rfc822"),
        (Action.FAILED, "HDRS", "text/rfc822-headers"),
        (Action.FAILED, None, "text/rfc822-headers"),
        (Action.DELAYED, "FULL", "text/rfc822-headers"),
    ],
)
def test_ret_decides_what_comes_back(action, ret, kind):
    """The whole message returns only with a failure, and only if it was asked for (RFC 3461 section 4.3)."""
    made = build(report(replace(FAILED, action=action), envelope=Envelope(SENDER, (FAILED.recipient,), ret=ret)))
    found, octets = returned(made)
    assert kind == found
    assert octets.endswith(CONTENT if kind == "message/rfc822" else HEADER)


def test_large_message_returns_its_header_only():
    """RET=FULL holds up to a mebibyte; the relay need not even read what is larger."""
    envelope = Envelope(SENDER, (FAILED.recipient,), ret="FULL")
    assert wants_content(envelope, MAX_WHOLE)
    assert not wants_content(envelope, MAX_WHOLE + 1)
    assert not wants_content(replace(envelope, ret="HDRS"), 1)
    made = build(report(FAILED, envelope=envelope, content=HEADER + b"\r\n" + b"x" * MAX_WHOLE))
    assert "text/rfc822-headers" == returned(made)[0]


def test_endless_header_is_cut_at_a_line():
    """Of a header of a megabyte 50 KiB return, whole lines."""
    header = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 90) for number in range(10_000))
    octets = returned(build(report(FAILED, header=header)))[1].partition(b"\r\n\r\n")[2]
    assert len(octets) <= 50 * 1024
    assert header.startswith(octets)
    assert octets.endswith(b"y\r\n")


def test_one_endless_line_of_header_is_left_out():
    """A header without line ends is no header."""
    assert len(build(report(FAILED, header=b"X: " + b"y" * 100_000))[1]) < 10_000


def test_eight_bit_content_makes_an_eight_bit_report():
    """A message returned whole is not changed: octets beyond ASCII need 8BITMIME, and the envelope says so."""
    content = HEADER + "\r\nGrüße\r\n".encode()
    original = Envelope(SENDER, (FAILED.recipient,), eight_bit=True, ret="FULL")
    made = build(report(FAILED, content=content, envelope=original))
    assert (True, False) == (made[0].eight_bit, made[0].smtputf8)
    assert content in made[1]
    assert "8bit" == read(made)[3]["Content-Transfer-Encoding"]


@pytest.mark.parametrize("smtputf8", [True, False])
@pytest.mark.parametrize("ret", ["FULL", None])
def test_header_beyond_ascii_asks_nothing_of_the_senders_host(smtputf8, ret):
    """A header in UTF-8 returns in seven bits to a sender in ASCII: neither SMTPUTF8 nor 8BITMIME is needed."""
    header = "Subject: Grüße = gut\r\nX: y\r\n".encode()
    original = Envelope(SENDER, (Recipient(UNICODE),), smtputf8=smtputf8, ret=ret)
    made = build(report(replace(FAILED, recipient=Recipient(UNICODE)), header=header, content=None, envelope=original))
    assert (False, False, True) == (made[0].smtputf8, made[0].eight_bit, made[1].isascii())
    assert ("message/delivery-status", "text/rfc822-headers") == (
        read(made)[2].get_content_type(),
        read(made)[3].get_content_type(),
    )
    assert header == read(made)[3].get_payload(decode=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_whole_message_beyond_ascii_returns_as_its_header():
    """A message that needs SMTPUTF8 is no message/rfc822, and its sender may read no other (RFC 6532 section 3.7)."""
    header = "Subject: Grüße\r\n".encode()
    original = Envelope(SENDER, (Recipient(UNICODE),), smtputf8=True, ret="FULL")
    made = build(report(FAILED, header=header, content=header + b"\r\nbody\r\n", envelope=original))
    assert (False, "text/rfc822-headers") == (made[0].smtputf8, read(made)[3].get_content_type())


def test_reply_beyond_ascii_leaves_the_report_in_seven_bits():
    """People read it as it was said, in quoted-printable; programs have it escaped."""
    reply = Reply(550, ("5.1.1 Empfänger unbekannt",))
    outcome = replace(NEVER, reply=reply, text=str(reply))
    trail = (ReportedAttempt(NOON, attempt(outcome, Contact(TWO, 0, 9, Phase.RCPT, None, {0: outcome})), 0),)
    envelope, content = build(report(replace(FAILED, outcome=outcome, trail=trail)))
    assert not envelope.eight_bit
    assert content.isascii()
    assert "550 5.1.1 Empfänger unbekannt" in people((envelope, content))
    assert "smtp; 550 5.1.1 Empf\\x{E4}nger unbekannt" == told((envelope, content))[1]["Diagnostic-Code"]


def test_recipient_beyond_ascii_is_of_type_utf_8():
    """A sender without SMTPUTF8 reads the address in seven bits (RFC 6533 section 3)."""
    made = build(report(replace(FAILED, recipient=Recipient(UNICODE))))
    assert "utf-8; j\\x{FC}rgen@xn--mnchen-3ya.example" == told(made)[1]["Final-Recipient"]
    assert made[1].isascii()
    assert "jürgen@" in people(made)


EMBEDDED = re.compile(r"\\x\{([0-9A-F]+)\}")
XTEXT = re.compile(  # utf-8-addr-xtext, RFC 6533 section 3
    r"(?:[!-*,-<>-\[\]-~]|\\x\{(?:[01][1-9]|10|20|2B|3D|7F|5C|[89A-F][0-9A-F]|[1-9A-F][0-9A-F]{2}"
    r"|(?:[1-9A-CE-F][0-9A-F]|D[0-7])[0-9A-F]{2}|[1-9A-F][0-9A-F]{4}|10[0-9A-F]{4})\})+\Z"
)
any_local = st.text(st.characters(min_codepoint=0x21, exclude_categories=["C", "Z"]), min_size=1, max_size=15)


@settings(max_examples=examples(100 // stride(2)))
@given(local=any_local.filter(lambda text: not text.isascii()), smtputf8=st.booleans())
def test_address_beyond_ascii_is_read_back_from_seven_bits(local, smtputf8):
    """By the grammar of RFC 6533 section 3, decoded as it says: the address itself, whatever it holds."""
    recipient = Recipient(Mailbox(local, "example.org"))
    made = build(
        report(replace(FAILED, recipient=recipient), envelope=Envelope(SENDER, (recipient,), smtputf8=smtputf8))
    )
    kind, _, written = told(made)[1]["Final-Recipient"].partition("; ")
    assert "utf-8" == kind
    assert XTEXT.match(written)
    assert f"{local}@example.org" == EMBEDDED.sub(lambda found: chr(int(found[1], 16)), written)
    assert (False, False) == (made[0].smtputf8, made[0].eight_bit)


@pytest.mark.parametrize("given_as", ["j\u00fcrgen@old.example", "j\\x{FC}rgen@old.example"])
def test_original_recipient_is_not_coded_twice(given_as):
    """ORCPT of type utf-8 comes as it is or coded, and goes out coded once."""
    recipient = Recipient(UNICODE, orcpt=f"utf-8;{given_as}")
    fields = told(build(report(replace(FAILED, recipient=recipient))))[1]
    assert "utf-8; j\\x{FC}rgen@old.example" == fields["Original-Recipient"]


def test_sender_beyond_ascii_has_an_internationalised_report():
    """A reverse-path that needs SMTPUTF8 needs it for the report too: types and addresses of RFC 6533."""
    recipient = Recipient(UNICODE, orcpt="utf-8;jürgen@old.example")
    envelope = Envelope(UNICODE, (recipient,), smtputf8=True, ret="FULL")
    made = build(report(replace(FAILED, recipient=recipient), envelope=envelope))
    assert (True, True) == (made[0].smtputf8, made[0].eight_bit)
    _, text, status, message = read(made)
    assert ["text/plain", "message/global-delivery-status", "message/global"] == [
        each.get_content_type() for each in (text, status, message)
    ]
    assert "To: <jürgen@xn--mnchen-3ya.example>\r\n" in made[1].decode()
    assert "Final-Recipient: utf-8; jürgen@xn--mnchen-3ya.example\r\n" in made[1].decode()
    assert "Original-Recipient: utf-8; jürgen@old.example\r\n" in made[1].decode()


def test_same_report_is_the_same_octets():
    """Nothing in it is drawn or asked of a clock."""
    assert build(report(FAILED)) == build(report(FAILED))


def test_boundary_cannot_be_guessed():
    """A message that contains the boundary of its report has a report with another one."""
    first = read(build(report(FAILED)))[0].get_boundary()
    second = build(report(FAILED, header=HEADER + f"X: a\r\n--{first}--\r\n".encode()))
    assert first != read(second)[0].get_boundary()
    assert 3 == len(read(second)[1:])


def test_unusable_original_recipient_is_left_out():
    """ORCPT without a type, or longer than a line, is not passed on."""
    for orcpt in ("bob@example.org", ";bob", "rfc822;", "rfc822;" + "b" * 1000):
        recipient = Recipient(BOB, orcpt=orcpt)
        assert "Original-Recipient" not in told(build(report(replace(FAILED, recipient=recipient))))[1]


hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["\r\nBcc: x@y.example\r\n\r\nbody", "a\nX-Evil: 1", "\x00\x1b[2J", "\u2028x", "\u202egnp.exe", "\ud800"]
    ),
    st.integers(1, 5000).map(lambda count: "x" * count),
    st.integers(1, 2000).map(lambda count: "\U0001f600" * count),
)
local_parts = st.sampled_from(["bob", '"a b"', '"<>,;:@"', "jürgen", "\u0627\u0644", "x" * 64])

FIELDS = [
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "X-Postroad-Contact",
]


@settings(max_examples=examples(100 // stride(2)))
@given(lines=st.lists(hostile, min_size=1, max_size=3), orcpt=hostile, envid=hostile, local=local_parts, key=hostile)
def test_nothing_from_outside_breaks_a_report(lines, orcpt, envid, local, key):
    """Whatever a host says and an address holds: three parts, the known fields only, lines of 998 octets, JSON."""
    reply = Reply(550, tuple(lines))
    outcome = replace(NEVER, reply=reply, text=str(reply))
    recipient = Recipient(Mailbox(local, "x" * 63 + ".example"), orcpt=f"rfc822;{orcpt}")
    tried = ReportedAttempt(NOON, attempt(outcome, Contact(TWO, 0, 1, Phase.RCPT, None, {0: outcome}, tls=key[:20])), 0)
    each = ReportedRecipient(recipient, Action.FAILED, outcome, (tried,))
    made = build(report(each, envelope=Envelope(SENDER, (recipient,), envid=envid)))
    message, *parts = read(made)
    assert made[1].isascii()
    assert ["text/plain", "message/delivery-status", "text/rfc822-headers"] == [
        part.get_content_type() for part in parts
    ]
    assert 11 == len(message.keys())
    assert max(map(len, made[1].split(b"\r\n"))) <= 998
    assert re.search(rb"\r(?!\n)|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f]", made[1]) is None
    first, second = parts[1].get_payload()
    assert set(first.keys()) <= {"Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"}
    assert [name for name in FIELDS if name in second] == second.keys()
    assert "failed" == json.loads(second["X-Postroad-Contact"])["result"]


def test_report_of_a_message_with_nul_octets_can_be_sent():
    """They do not come back: no host would take the report (RFC 2045 section 2.8)."""
    header, content = b"Subject: a\0b\r\n", b"Subject: a\0b\r\n\r\none\r\n\0.\r\n"
    full = Envelope(SENDER, (FAILED.recipient,), ret="FULL")
    made = [build(report(FAILED, header=header)), build(report(FAILED, header=header, content=content, envelope=full))]
    assert [(False, True)] * 2 == [(b"\0" in octets, b"Subject: ab\r\n" in octets) for _, octets in made]


@settings(max_examples=examples(100 // stride(2)))
@given(header=st.binary(max_size=300))
def test_any_header_comes_back_within_its_part(header):
    """What the message's header holds stays in the third part."""
    message, *parts = read(build(report(FAILED, header=header)))
    assert 3 == len(parts)
    assert set(message.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    }


def test_each_answer_has_its_own_phase():
    """One recipient refused at RCPT, another at the final dot: each is shown where it was."""
    early = Outcome(Result.FAILED, Scope.RECIPIENT, "550 5.1.1 no", "5.1.1", Phase.RCPT)
    late = Outcome(Result.FAILED, Scope.MESSAGE, "554 5.7.1 spam", "5.7.1", Phase.DOT)
    contact = Contact(
        Target("mx.example.org", ip_address("192.0.2.1"), 10), 0.0, 1.0, Phase.DOT, None, {0: early, 1: late}
    )
    trail = Attempt("example.org", (early, late), (contact,), None, 1.0)
    told_of = []
    for at, outcome in enumerate((early, late)):
        tried = (ReportedAttempt(NOON, trail, at),)
        who = Recipient(Mailbox(f"r{at}", "example.org"))
        told_of.append(ReportedRecipient(who, Action.FAILED, outcome, tried))
    made = build(report(*told_of))
    fields = [value for block in read(made)[2].get_payload()[1:] for value in block.get_all("X-Postroad-Contact")]
    phases = [json.loads(value)["phase"] for value in fields]
    assert (["rcpt", "dot"], ["rcpt", "dot"]) == (phases, re.findall(r"(rcpt|dot) +failed: 55", people(made)))
