"""Who is told what: reports on what became of mail, made of the whole trail."""

import asyncio
import email
import email.policy
import json
from dataclasses import replace
from random import Random

import pytest
from tests.support.delivering import NOON, FixedIds, recipients
from tests.support.settlings import AWAY, LATER, NEVER, OK, SCHEDULE, TARGET

from postroad.deliver import Bounces
from postroad.deliver.disposition import judge
from postroad.spool import Settlement, SpoolError, StoredMail, Trouble
from postroad.spool.memory import MemorySpool
from postroad.words.mail import Envelope, TlsWish, parse_mailbox
from postroad.words.outcome import Phase
from postroad.words.record import attempt_record
from postroad.words.trail import Attempt, Contact

CONTENT = b"Message-ID: <1@example.net>\r\nSubject: hello\r\n\r\n" + b"All of the text.\r\n" * 10


def attempt(*outcomes, dsn_over=False):
    """An attempt with these outcomes, all by one contact."""
    said = dict(enumerate(outcomes))
    contact = Contact(TARGET, 0, 5, Phase.DOT, None, said, dsn_over=dsn_over)
    return Attempt("example.com", outcomes, (contact,), 7, 5.0)


def reported(done, *, who=None, sender="me@example.net", at=NOON, earlier=None, spool=None, **envelope):
    """The reports on an attempt at a parcel; `earlier` is an attempt before it."""

    async def main():
        it = spool or MemorySpool()
        to = who or recipients(*(f"{name}@example.com" for name in ("ann", "bob")[: len(done.outcomes)]))
        path = parse_mailbox(sender) if sender else None
        mail = StoredMail("m1", Envelope(path, to, **envelope), NOON, 7, len(CONTENT))
        (parcel,) = await it.add(mail, CONTENT, claim=True)
        if earlier:
            record = json.dumps(attempt_record(earlier) | {"recipients": ["ann@example.com"]})
            await it.settle([Settlement(parcel, to, NOON, record)], NOON)
            (parcel,) = await it.claim(NOON, 1, each=1)
        verdict = judge(parcel, done, SCHEDULE, at, Random(1))
        bounces = Bounces(it, "relay.example", SCHEDULE.expiry_s, FixedIds())
        return await bounces.reports(parcel, verdict, at)

    return asyncio.run(main())


def read(reports):
    """The one report, as people read it."""
    ((_, octets),) = reports
    return email.message_from_bytes(octets, policy=email.policy.default)


def fields(report):
    """The fields about each recipient."""
    (part,) = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    return part.get_payload()[1:]


def test_report_goes_to_the_sender_under_the_null_reverse_path():
    """It is a message of its own, with an id and a seed."""
    ((mail, octets),) = reported(attempt(NEVER))
    (to,) = mail.envelope.recipients
    assert (None, "me@example.net", "report on m1") == (mail.envelope.reverse_path, str(to.mailbox), mail.origin)
    assert ("B000001", 2, len(octets)) == (mail.id, mail.seed, mail.size)


def test_news_of_one_attempt_are_one_report():
    """Several recipients have a block of fields each; who was delivered and did not ask is not named."""
    blocks = fields(read(reported(attempt(NEVER, replace(NEVER, status="5.2.2")))))
    assert ["5.1.1", "5.2.2"] == [block["Status"] for block in blocks]
    assert 1 == len(fields(read(reported(attempt(OK, NEVER)))))


@pytest.mark.parametrize(
    ("outcome", "notify", "actions"),
    [
        (NEVER, "", ["failed"]),
        (NEVER, "FAILURE", ["failed"]),
        (NEVER, "SUCCESS", []),
        (NEVER, "NEVER", []),
        (OK, "", []),
        (OK, "SUCCESS", ["relayed"]),
        (OK, "FAILURE", []),
        (LATER, "", []),
    ],
)
def test_senders_wishes_are_heeded(outcome, notify, actions):
    """RFC 3461 section 4.1: failures are told unless unwanted, success only if wanted."""
    who = recipients("ann@example.com", notify=frozenset({notify} - {""}))
    reports = reported(attempt(outcome), who=who)
    assert actions == ([block["Action"] for block in fields(read(reports))] if reports else [])


@pytest.mark.parametrize(("notify", "count"), [("", 1), ("DELAY", 1), ("FAILURE", 0), ("NEVER", 0)])
def test_delay_is_told_unless_it_is_unwanted(notify, count):
    """After the hours of the schedule."""
    who = recipients("ann@example.com", notify=frozenset({notify} - {""}))
    assert count == len(reported(attempt(LATER), who=who, at=NOON + 5 * 3600))


def test_host_that_takes_notifications_over_is_left_to_do_it():
    """No "relayed" of a message that goes on under the sender's wishes."""
    who = recipients("ann@example.com", notify=frozenset({"SUCCESS"}))
    assert () == reported(attempt(OK, dsn_over=True), who=who)


def test_null_reverse_path_is_told_nothing():
    """A report is never answered by another."""
    assert () == reported(attempt(NEVER), sender="")


def test_earlier_attempts_are_in_the_report():
    """The trail begins with the first attempt."""
    text = read(reported(attempt(NEVER), earlier=attempt(AWAY))).get_body(("plain",)).get_content()
    assert text.index("connection refused") < text.rindex("550 no")


@pytest.mark.parametrize(("ret", "is_whole"), [("FULL", True), ("HDRS", False)])
def test_message_is_returned_as_the_sender_wishes(ret, is_whole):
    """RET=FULL brings all of it back, RET=HDRS its header."""
    ((_, octets),) = reported(attempt(NEVER), ret=ret)
    assert (True, is_whole) == (b"Subject: hello" in octets, b"All of the text." in octets)


class Failing(MemorySpool):
    """One whose bodies cannot be read."""

    kind = Trouble.CORRUPT

    async def body(self, _mail):
        """Trouble."""
        raise SpoolError(self.kind, "trouble")
        yield b""


def test_report_is_made_even_if_the_message_cannot_be_read():
    """A damaged body must not keep its sender from hearing what became of it."""
    assert ["failed"] == [block["Action"] for block in fields(read(reported(attempt(NEVER), spool=Failing())))]


def test_trouble_that_may_pass_is_waited_out():
    """A locked spool is asked again later, rather than have the report without its message."""
    spool = Failing()
    spool.kind = Trouble.LOCKED
    with pytest.raises(SpoolError):
        reported(attempt(NEVER), spool=spool)


@pytest.mark.parametrize("wish", [None, *TlsWish])
def test_report_is_protected_as_its_message_was(wish):
    """Or as little (RFC 8689 sections 5 and 6); of mail that requires TLS no content returns, whatever RET says."""
    ((mail, octets),) = reported(attempt(NEVER), ret="FULL", tls=wish)
    assert (wish, wish is TlsWish.OPTIONAL) == (mail.envelope.tls, b"\r\nTLS-Required: No\r\n" in octets)
    assert (wish is not TlsWish.REQUIRED) == (b"All of the text." in octets)
