"""Who is told what: the notifications (RFC 3464) that a settled attempt calls for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from postroad.deliver.settling import Fate, Verdict
from postroad.dsn import Action, Report, Reported, Tried, build, wanted, wants_content
from postroad.routing import Aliases
from postroad.spool import Mail, Parcel, Spool, SpoolError, Trouble
from postroad.words.mail import Mailbox, Recipient
from postroad.words.record import read_record
from postroad.words.trail import Attempt

HEADER = 50 * 1024  # octets of the message read for its header

Reports = tuple[tuple[Mail, bytes], ...]


class Reporter(Protocol):
    """Makes the notifications; each is a message of its own, with its body."""

    async def reports(self, parcel: Parcel, verdict: Verdict, done: Attempt, now: float) -> Reports:
        """The news of this attempt that its sender wants, as one message; none if there is none."""
        ...


class Births(Protocol):
    """Ids and seeds for new messages."""

    def id(self) -> str:
        """A fresh id."""
        ...

    def seed(self) -> int:
        """A fresh seed."""
        ...


@dataclass(frozen=True, slots=True)
class Bounces:
    """The reporter of a relay. `births` gives a report its id and the seed of its own deliveries.

    `postmaster` reads reports that fail; `aliases` say who gets those for senders of this machine.
    """

    spool: Spool
    hostname: str
    expiry_s: float
    births: Births
    postmaster: tuple[Mailbox, ...] = ()
    aliases: Aliases = field(default_factory=Aliases)

    async def reports(self, parcel: Parcel, verdict: Verdict, done: Attempt, now: float) -> Reports:
        """See Reporter. Whoever sent with the null reverse-path is told nothing (RFC 5321 section 6.1)."""
        news = [(action, fate) for action, fate in _news(verdict) if wanted(action, fate.recipient)]
        if not news or parcel.mail.envelope.reverse_path is None:
            return ()
        earlier = await self._earlier(parcel)
        recipients = parcel.mail.envelope.recipients
        reported = tuple(
            Reported(
                fate.recipient,
                action,
                fate.outcome,
                (*_of(fate.recipient, earlier), Tried(now, done, recipients.index(fate.recipient))),
            )
            for action, fate in news
        )
        content = await self._content(parcel.mail)
        id_, seed = self.births.id(), self.births.seed()
        original = parcel.mail.envelope
        report = Report(
            id_,
            self.hostname,
            original,
            parcel.mail.received_at,
            now,
            reported,
            content.partition(b"\r\n\r\n")[0] + b"\r\n",
            content if wants_content(original, parcel.mail.size) else None,
            parcel.mail.received_at + self.expiry_s,
        )
        built = build(report)
        if built is None:
            return ()
        envelope, octets = built
        envelope = self.aliases.expanded(envelope)  # root of this machine reads elsewhere what cron's mail came to
        return ((Mail(id_, envelope, now, seed, len(octets), f"report on {parcel.mail.id}"), octets),)

    async def _earlier(self, parcel: Parcel) -> list[tuple[list[str], Tried]]:
        """The attempts before this one, each with its recipients."""
        story = await self.spool.story(parcel.mail.id) if parcel.attempts else None
        records = [record for record in story.records if record.destination == parcel.destination] if story else []
        return [
            (recipients, Tried(record.at, done))
            for record in records
            for done, recipients in [read_record(record.text)]
        ]

    async def _content(self, mail: Mail) -> bytes:
        """The whole message if it is to be returned, else enough for its header."""
        limit = mail.size if wants_content(mail.envelope, mail.size) else HEADER
        content = b""
        try:
            async for piece in self.spool.body(mail):
                content += piece
                if len(content) >= limit:
                    break
        except SpoolError as trouble:
            if trouble.kind not in (Trouble.MISSING, Trouble.CORRUPT):
                raise
        return content  # of a body that is damaged, what could be read: the news count more


def _news(verdict: Verdict) -> Iterator[tuple[Action, Fate]]:
    yield from ((Action.FAILED, fate) for fate in verdict.failed)
    if verdict.is_late:
        yield from ((Action.DELAYED, fate) for fate in verdict.left)
    # A host that takes DSN over reports by itself; of another one this is the last word (RFC 3461 section 5.2.2)
    yield from ((Action.RELAYED, fate) for fate in verdict.delivered if not fate.dsn_over)


def _of(recipient: Recipient, earlier: list[tuple[list[str], Tried]]) -> Iterator[Tried]:
    address = str(recipient.mailbox)
    for recipients, tried in earlier:
        if address in recipients:
            yield replace(tried, index=recipients.index(address))
