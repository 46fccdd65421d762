"""Sends the reports of each UTC day: spread over the hours after it, tried again for a day, then dropped.

Of relays that share a spool each sends those that fall to it by lot, so that all agree without a word. What a relay has
counted stays until it is sent: if it dies, the lot falls to another one. Who has just come or gone may not be known to
all: then nobody sends until all had the time to see it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random

from postroad.build import opportunistic_tls
from postroad.dns import Resolver
from postroad.gather import HttpsSettings, gather_report_record, post
from postroad.relay.settings import RelaySettings
from postroad.relay.tls_reports.keeping import DueReport, ReportStore
from postroad.relay.tls_reports.mail import ORIGIN, envelope_of, message_of
from postroad.spool import NODE, MessageIds, Selection, Spool, SpoolError, StoredMail, id_of
from postroad.tls import ReportRecord, Submitter, TlsReport, day_begins, day_of, facts_of
from postroad.words.trace import Event, Listener, nobody

DAY_S = 86400.0
LOOK_S = 60.0
SETTLE_S = 300.0
"""After midnight, for the last counts of the day to reach the store."""

SPREAD_S = 4 * 3600.0 - SETTLE_S
"""Reports go out over four hours (RFC 8460 section 4.1)."""

TRY_S = DAY_S
"""A report is tried again for so long (RFC 8460 section 5.5)."""

AGAIN_S = 300.0  # after the first failure; then twice as long each time
LONGEST_S = 4 * 3600.0
MOST_AT_ONCE = 8
MOST_A_LOOK = 200
"""However many are overdue, as after a night that the relay was off: three and a half a second."""

MEDIA_TYPE = "application/tlsrpt+gzip"


@dataclass(frozen=True, slots=True)
class ReportWorld:
    """What reports need of the world. `https` is how they are posted; `sign` puts signatures in front of mail.

    `mailed` is called when there is mail in the spool.
    """

    wall: Callable[[], float]
    ids: MessageIds
    rng: Random
    https: Callable[[int], HttpsSettings]
    sign: Callable[[bytes, float], bytes]
    mailed: Callable[[], None]
    tell: Listener = nobody
    node: str = NODE


def build_reporter(
    settings: RelaySettings,
    spool: Spool,
    resolver: Resolver,
    ids: MessageIds,
    mailed: Callable[[], None],
    tell: Listener,
) -> TlsReporter:
    """The reporter of a relay."""
    https, sign = _https(settings), _signing(settings)
    world = ReportWorld(time.time, ids, Random(ids.seed()), https, sign, mailed, tell, settings.node)
    return TlsReporter(spool, resolver, settings.submitter, world)


def _https(settings: RelaySettings) -> Callable[[int], HttpsSettings]:
    """Whoever has trouble with certificates should hear of it (RFC 8460 sections 3 and 7): any is good."""
    allow_loopback = settings.policy.allow_loopback
    return lambda port: HttpsSettings(opportunistic_tls(), port=port, allow_loopback=allow_loopback)


def _signing(settings: RelaySettings) -> Callable[[bytes, float], bytes]:
    """As other mail of ours: a report without a signature must be ignored (RFC 8460 section 3)."""
    return settings.signing.signed if settings.signing else lambda message, _now: message


@dataclass(slots=True)
class _Failed:
    tries: int
    again_at: float


class TlsReporter:
    """The reporter of a relay: `run` it. Without a submitter nothing is sent."""

    def __init__(self, spool: Spool, resolver: Resolver, submitter: Submitter | None, world: ReportWorld) -> None:
        self._spool = spool
        self._store = ReportStore(spool)
        self._resolver = resolver
        self._submitter = submitter
        self._world = world
        self._failed: dict[DueReport, _Failed] = {}
        self._swept_on = ""
        self._nodes: tuple[str, ...] = ()

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:
        """Go on with other settings."""
        self._submitter, self._resolver = settings.submitter, resolver
        self._world = replace(self._world, sign=_signing(settings), https=_https(settings))

    async def run(self) -> None:
        """Look again and again for what is due. A bug here must not end the relay."""
        while True:
            try:
                await self.look()
            except SpoolError as trouble:
                self._world.tell(Event("relay.spool.failed", {"why": trouble.why}))
            except Exception as bug:  # noqa: BLE001  # reports are not worth the mail
                self._world.tell(Event("relay.bug.caught", {"what": "TLS reports are not sent", "error": repr(bug)}))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Send what is due now, and drop what is too old."""
        submitter, now = self._submitter, self._world.wall()
        if submitter is None:
            return
        await self._sweep(now)
        # What fails on the second day after its own is dropped by then: nothing older can be due
        found = [each for days in (2, 1) for each in await self._store.due(day_of(now - days * DAY_S))]
        before, self._nodes = self._nodes, await self._who_is_there(now) if found else ()
        if self._nodes not in (before, (self._world.node,)):
            return
        ours = [each for each in found if self._is_ours(each)]
        late = [each for each in ours if now >= self.begins_at(each) + TRY_S]
        await self._drop(late, submitter)
        due = sorted((each for each in ours if self._is_due(each, now)), key=self.begins_at)[:MOST_A_LOOK]
        queue = iter(due)
        await asyncio.gather(*(self._send_all(queue, submitter) for _ in range(min(MOST_AT_ONCE, len(due)))))

    def begins_at(self, due: DueReport) -> float:
        """When a report is sent: at a time of its own in the hours after its day, the same after a restart."""
        name = self._submitter.domain if self._submitter else ""
        drawn = int.from_bytes(sha256(f"{name} {due.key}".encode()).digest()[:6])
        return day_begins(due.day) + DAY_S + SETTLE_S + SPREAD_S * drawn / 2**48

    async def _who_is_there(self, now: float) -> tuple[str, ...]:
        return tuple(node.name for node in await self._spool.nodes(now)) or (self._world.node,)

    def _is_ours(self, due: DueReport) -> bool:
        """Whether the lot falls to this relay: it is drawn for each anew, so that all have as much to do."""
        lots = {sha256(f"{name} {due.key}".encode()).digest(): name for name in self._nodes}
        return lots[max(lots)] == self._world.node

    def _is_due(self, due: DueReport, now: float) -> bool:
        begins_at, failed = self.begins_at(due), self._failed.get(due)
        # A clock that was set back leaves times in the future, which nobody waits for
        waits = failed is not None and now < failed.again_at <= now + LONGEST_S
        return begins_at <= now < begins_at + TRY_S and not waits

    async def _sweep(self, now: float) -> None:
        """Once a day: what is too old. And at any time the mail that has been tried for a day."""
        stale = await self._store.mailed_before(now - TRY_S)
        if stale:
            await self._spool.delete(Selection(ids=tuple(lesson.key for lesson in stale)), now)
            # One that was just being tried is still there, and is deleted the next time
            await self._store.forget_mailed(lesson.key for lesson in stale if lesson.at < now - TRY_S - LONGEST_S)
        today = day_of(now)
        if today != self._swept_on:
            self._swept_on = today
            oldest = day_of(now - 2 * DAY_S)
            await self._store.forget(each for each in await self._store.due() if each.day < oldest)

    async def _drop(self, late: list[DueReport], submitter: Submitter) -> None:
        for due in late:
            facts = {"domain": due.reader, "day": due.day, "submitter": submitter.domain}
            self._world.tell(Event("relay.report.failed", {**facts, "why": "it could not be sent within a day"}))
            self._failed.pop(due, None)
        await self._store.forget(late)

    async def _send_all(self, queue: Iterator[DueReport], submitter: Submitter) -> None:
        for due in queue:
            if await self._who_is_there(self._world.wall()) != self._nodes:  # those before it may have taken long
                return
            await self._send(due, submitter)

    async def _send(self, due: DueReport, submitter: Submitter) -> None:
        record = await gather_report_record(due.reader, self._resolver)
        if not isinstance(record, ReportRecord):
            self._put_off(due, f"its TLS reporting record cannot be looked up: {record.why}")
            return
        counted = await self._store.rows(due)
        if counted and not record.why_not:
            report = TlsReport(due.reader, due.day, submitter, facts_of(due.reader, due.day, submitter, counted))
            why_not = await self._hand_over(report, record)
            if why_not is not None:
                self._put_off(due, why_not)
                return
        self._failed.pop(due, None)
        await self._store.forget([due])

    async def _hand_over(self, report: TlsReport, record: ReportRecord) -> str | None:
        """To all who read it; why nobody has taken it, None if somebody has (RFC 8460 section 3)."""
        taken = [str(mailbox) for mailbox in record.mailboxes]
        if record.mailboxes:
            await self._mail(report, record)
        whys = []
        for place in record.places:
            https = self._world.https(place.port)
            why_not = await post(self._resolver, place.host, place.path, report.octets, MEDIA_TYPE, https)
            if why_not:
                whys.append(why_not)
            else:
                taken.append(str(place))
        if not taken:
            return "; ".join(whys)
        met, failed = report.sessions
        facts = {"domain": report.reader, "day": report.day, "report": report.id, "to": taken}
        seen = {"sessions": met + failed, "failures": failed, "not_taken": "; ".join(whys) or None}
        self._world.tell(Event("relay.report.complete", {**facts, **seen}))
        return None

    async def _mail(self, report: TlsReport, record: ReportRecord) -> None:
        now, ids = self._world.wall(), self._world.ids
        octets = self._world.sign(message_of(report, record.mailboxes, now), now)
        envelope = envelope_of(report, record.mailboxes)
        # Made twice, by another relay that took this one for dead or after a kill, it is refused as kept already
        id_ = id_of(f"{ORIGIN}{report.reader} {report.id}", day_begins(report.day) + DAY_S)
        mail = StoredMail(id_, envelope, now, ids.seed(), len(octets), f"{ORIGIN}{report.reader}")
        await self._store.mailed(mail.id, now)
        try:
            await self._spool.add(mail, octets)
        except ValueError:
            if await self._spool.story(mail.id) is None:
                raise
        self._world.mailed()

    def _put_off(self, due: DueReport, why: str) -> None:
        """Try again, each time after a longer while (RFC 8460 section 5.5). It is told the first time."""
        tries = self._failed[due].tries + 1 if due in self._failed else 1
        wait_s = min(AGAIN_S * 2 ** min(tries - 1, 20), LONGEST_S) * self._world.rng.uniform(0.8, 1)
        self._failed[due] = _Failed(tries, self._world.wall() + wait_s)
        if tries == 1:
            facts = {"domain": due.reader, "day": due.day, "why": why, "again_s": round(wait_s)}
            self._world.tell(Event("relay.report.failed", facts))
