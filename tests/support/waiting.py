"""Spools with mail that waits, and without."""

import asyncio
import json
import time
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from postroad.spool import Settlement, StoredMail
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trail import Attempt, Contact, Target

NOW = time.time()
BODY = b"Subject: x\r\n\r\nx\r\n"
LATER = Outcome(Result.DEFERRED, Scope.HOST, "450 4.2.0 try later", "4.2.0", Phase.RCPT)


def mail(id_, sender, *recipients):
    """A message that has waited five minutes."""
    boxes = tuple(Recipient(parse_mailbox(each)) for each in recipients)
    reverse_path = parse_mailbox(sender) if sender else None
    return StoredMail(id_, Envelope(reverse_path, boxes), NOW - 300, 7, len(BODY), "127.0.0.1 by ESMTP")


def settlement(parcel):
    """The parcel was tried, and has an hour to wait."""
    target = Target("mail.example.org", ip_address("192.0.2.1"), 10)
    contact = Contact(target, 0.0, 12.0, Phase.RCPT, None, {0: LATER})
    done = Attempt(parcel.destination, (LATER,), (contact,), 7, 12.0)
    left = parcel.mail.envelope.recipients
    record = json.dumps(attempt_record(done) | {"recipients": [str(each.mailbox) for each in left]})
    return Settlement(parcel, left, NOW + 3600, record, said="deferred: mail.example.org: 450 4.2.0 try later")


async def fill(path):
    """A message to two domains, tried at one of them, and a report."""
    queue = await SqliteSpool.open(path, node="relay")
    parcels = await queue.add(mail("ONE", "me@example.net", "a@example.org", "b@example.com"), BODY, claim=True)
    tried = [parcel for parcel in parcels if parcel.destination == "example.org"]
    await queue.release([parcel for parcel in parcels if parcel not in tried])
    await queue.settle([settlement(parcel) for parcel in tried], NOW)
    await queue.add(mail("TWO", "", "me@example.net"), BODY)
    await queue.close()


async def empty(path):
    """A spool without mail."""
    await (await SqliteSpool.open(path, node="relay")).close()


def lay(path, make=fill):
    """A spool as `make` makes one, there: it is made once, and what is there is a copy."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, octets in _files(make).items():
        (path / name).touch(mode=0o600)
        (path / name).write_bytes(octets)
    return path


@cache
def _files(make):
    with TemporaryDirectory() as folder:
        asyncio.run(make(Path(folder)))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
