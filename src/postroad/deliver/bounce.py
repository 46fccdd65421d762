"""Who is told what: the notifications (RFC 3464) that a settled attempt calls for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from postroad.deliver.disposition import Disposition, RecipientResult
from postroad.dsn import Action, Report, ReportedAttempt, ReportedRecipient, build, wanted, wants_content
from postroad.routing import Aliases
from postroad.spool import Claims, MessageIds, Parcel, SpoolError, StoredMail, Trouble
from postroad.words.mail import Mailbox, Recipient
from postroad.words.outcome import Outcome
from postroad.words.record import read_record
from postroad.words.trail import Attempt

if TYPE_CHECKING:
    from postroad.sign import SigningPolicy

HEADER = 50 * 1024  # octets of the message read for its header
DOUBLE = "double bounce of "  # how the origin of a report on a report begins

Reports = tuple[tuple[StoredMail, bytes], ...]


class Reporter(Protocol):
    """A maker of delivery status notifications; each is a message of its own, with its body."""

    def has_news(self, parcel: Parcel, verdict: Disposition) -> bool:
        """Whether anybody wants to hear of this attempt."""
        ...

    async def reports(self, parcel: Parcel, verdict: Disposition, now: float) -> Reports:
        """The news of this attempt that its sender wants, as one message; none if there is none."""
        ...

    def plain_reports(self, parcel: Parcel, verdict: Disposition, now: float) -> Reports:
        """The same without whatever a bug may have tripped over: the trail, the replies and the message itself."""
        ...


@dataclass(frozen=True, slots=True)
class Bounces:
    """The reporter of a relay: it decides who gets which notification.

    `ids` gives a report its id and the seed of its own deliveries.

    `postmaster` are told of reports that cannot be delivered: nobody, if it is empty. `aliases` say who gets the
    reports for senders of this machine. `signing`: how reports are signed, if they are.
    """

    spool: Claims
    hostname: str
    expiry_s: float
    ids: MessageIds
    postmaster: tuple[Mailbox, ...] = ()
    aliases: Aliases = field(default_factory=Aliases)
    signing: SigningPolicy | None = None

    def has_news(self, parcel: Parcel, verdict: Disposition) -> bool:
        """See Reporter."""
        if not parcel.mail.envelope.reverse_path:
            return bool(verdict.failed)
        for action, fate in _news(verdict):  # noqa: SIM110  # a generator is a call more for each
            if wanted(action, fate.recipient):
                return True
        return False

    async def reports(self, parcel: Parcel, verdict: Disposition, now: float) -> Reports:
        """See Reporter. Of mail with the null reverse-path no sender can be told (RFC 5321 section 6.1)."""
        mail = parcel.mail
        instead, news = self._wanted(mail, verdict)
        if not news:
            return ()
        earlier = await self._earlier(parcel)
        reported = tuple(
            ReportedRecipient(
                fate.recipient,
                action,
                fate.outcome,
                (*_of(fate.recipient, earlier), ReportedAttempt(now, verdict.attempt, fate.index)),
            )
            for action, fate in news
        )
        report = self._report(mail, now, reported, await self._content(mail), instead)
        return self._built(mail, report, self.signing)

    def plain_reports(self, parcel: Parcel, verdict: Disposition, now: float) -> Reports:
        """See Reporter. It is not signed either."""
        mail = parcel.mail
        instead, news = self._wanted(mail, verdict)
        reported = tuple([ReportedRecipient(fate.recipient, action, _plain(fate.outcome)) for action, fate in news])
        return self._built(mail, self._report(mail, now, reported, b"", instead), None) if news else ()

    def _wanted(
        self, mail: StoredMail, verdict: Disposition
    ) -> tuple[tuple[Mailbox, ...], list[tuple[Action, RecipientResult]]]:
        """Who is told instead of a null sender, and the news that are wanted."""
        if mail.envelope.reverse_path:
            return (), [(action, fate) for action, fate in _news(verdict) if wanted(action, fate.recipient)]
        instead = self._instead(mail, verdict)
        return instead, [(Action.FAILED, fate) for fate in verdict.failed if instead]

    def _built(self, mail: StoredMail, report: Report, signing: SigningPolicy | None) -> Reports:
        built = build(report)
        if built is None:
            return ()
        envelope, octets = built
        if signing:
            octets = signing.signed(octets, report.now)
        origin = f"{DOUBLE if report.instead else 'report on '}{mail.id}"
        # root of this machine reads elsewhere what cron's mail came to
        envelope = self.aliases.expanded(envelope)
        return ((StoredMail(report.id, envelope, report.now, self.ids.seed(), len(octets), origin), octets),)

    def _instead(self, mail: StoredMail, verdict: Disposition) -> tuple[Mailbox, ...]:
        """Who is told of a report that fails. If that is such a one itself nobody is, so that no loop begins."""
        if mail.origin.startswith(DOUBLE):
            return ()
        failed = {fate.recipient.mailbox for fate in verdict.failed}
        return tuple(each for each in self.postmaster if each not in failed)

    def _report(
        self,
        mail: StoredMail,
        now: float,
        reported: tuple[ReportedRecipient, ...],
        content: bytes,
        instead: tuple[Mailbox, ...],
    ) -> Report:
        return Report(
            self.ids.id(),
            self.hostname,
            mail.envelope,
            mail.received_at,
            now,
            reported,
            content.partition(b"\r\n\r\n")[0] + b"\r\n",
            content if content and wants_content(mail.envelope, mail.size) else None,
            (mail.release_at or mail.received_at) + self.expiry_s,
            instead=instead,
        )

    async def _earlier(self, parcel: Parcel) -> list[tuple[list[str], float, Attempt]]:
        """The attempts before this one, each with its recipients; one that cannot be read must not hold up the news."""
        story = await self.spool.story(parcel.mail.id) if parcel.attempts else None
        earlier = []
        for record in story.records if story else ():
            with contextlib.suppress(ValueError):
                if record.destination == parcel.destination:
                    done, recipients = read_record(record.text)
                    earlier.append((recipients, record.at, done))
        return earlier

    async def _content(self, mail: StoredMail) -> bytes:
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


def _news(verdict: Disposition) -> Iterator[tuple[Action, RecipientResult]]:
    for fate in verdict.failed:
        yield Action.FAILED, fate
    for fate in verdict.left if verdict.is_late else ():
        yield Action.DELAYED, fate
    for fate in verdict.delivered:
        if not fate.dsn_over:  # a host that takes DSN over reports by itself; of another one (RFC 3461 section 5.2.2)
            yield Action.RELAYED, fate  # this is the last word


def _plain(outcome: Outcome) -> Outcome:
    """The outcome without the words of strangers."""
    for_sender = outcome.for_sender or "an internal error keeps the details from this report"
    return Outcome(outcome.result, outcome.scope, for_sender, outcome.status, for_sender=for_sender)


def _of(recipient: Recipient, earlier: list[tuple[list[str], float, Attempt]]) -> Iterator[ReportedAttempt]:
    address = str(recipient.mailbox)
    for recipients, at, done in earlier:
        if address in recipients:
            yield ReportedAttempt(at, done, recipients.index(address))
