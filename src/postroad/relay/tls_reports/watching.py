"""Counts sessions while mail is delivered, for the domains that want reports."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from postroad.dns import Resolver
from postroad.gather import gather_report_record
from postroad.net import source_towards
from postroad.relay.tls_reports.keeping import ReportStore
from postroad.relay.tls_reports.mail import is_report
from postroad.spool import Parcel, SpoolError
from postroad.tls import ReportRecord, SessionTally, Watch, day_of, rows_of
from postroad.words.names import Address
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt

FLUSH_S = 10.0
"""Counts are in memory only for so long: what a relay that is killed loses."""

ASK_AGAIN_S = 3600.0
MOST_ASKING = 100
MOST_WAYS = 10_000  # as many as the delivery remembers routes for
MOST_SOURCES = 1000

Way = str | tuple[str, str]
"""A destination; or one and the name of the route that its mail takes after a refusal."""

Watches = Mapping[str, Watch]
"""How sessions with each exchanger of a way count."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who reads the reports of a domain: nobody, if it wants none; and until when that is believed."""

    readers: frozenset[str]
    until: float


class SessionWatch:
    """The sessions of a relay, counted: `know` what a route is under, `count` an attempt, `close` at the end.

    `by_way` has those whose sessions count. A domain is asked once whether it wants reports, in the background;
    until it has answered its sessions count, for the answer at the end of the day decides.
    """

    def __init__(
        self,
        store: ReportStore,
        resolver: Resolver,
        wall: Callable[[], float],
        tell: Listener = nobody,
        sources: tuple[Address, ...] = (),
    ) -> None:
        self.by_way: OrderedDict[Way, Watches] = OrderedDict()
        self.tally = SessionTally()
        self._store = store
        self._resolver = resolver
        self._wall = wall
        self._tell = tell
        self._sources = {address.version: str(address) for address in sources}
        self._towards: dict[Address, str] = {}
        self._now = asyncio.get_running_loop().time
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._asking: dict[Way, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._is_in_trouble = False
        self._told_lost = 0

    def reload(self, resolver: Resolver, sources: tuple[Address, ...]) -> None:
        """Go on with other settings: what is known of routes is known anew."""
        self._resolver = resolver
        self._sources = {address.version: str(address) for address in sources}
        self.by_way.clear()

    def know(self, way: Way, watches: Watches) -> None:
        """From now on mail on a way is under these policies."""
        self._set(way, watches)
        readers = {reader for watch in watches.values() for reader in watch.readers}
        unknown = [reader for reader in readers if not self._is_known(reader)]
        if unknown and way not in self._asking and len(self._asking) < MOST_ASKING:
            task = self._asking[way] = asyncio.create_task(self._ask(way, watches, unknown))
            task.add_done_callback(lambda _: self._asking.pop(way, None))

    def count(self, parcel: Parcel, attempt: Attempt, watches: Watches) -> None:
        """Count the sessions of an attempt; those that carry reports do not count (RFC 8460 section 3)."""
        if is_report(parcel.mail):
            return
        day = day_of(self._wall())
        for contact in attempt.contacts:
            watch = watches.get(contact.target.exchange)
            if watch and not contact.reused:
                for row in rows_of(contact, watch, self._source):
                    for reader in watch.readers:
                        self.tally.count(day, reader, row)
        self._flush_later()

    async def close(self) -> None:
        """Have the counts kept, and ask no more."""
        for task in self._asking.values():
            task.cancel()
        if self._timer:
            self._timer.cancel()
        await asyncio.gather(*self._writing)
        await self.flush()

    async def flush(self) -> None:
        """Have the store keep what was counted. What it cannot keep now is kept in memory, as long as there is room."""
        counts = self.tally.cut()
        try:
            if counts:
                await self._store.add(counts, self._wall())
        except SpoolError as trouble:
            self.tally.put_back(counts)
            self._flush_later()
            self._hear(trouble.why)
        else:
            self._is_in_trouble = False
        if self.tally.lost > self._told_lost:
            lost, self._told_lost = self.tally.lost - self._told_lost, self.tally.lost
            self._tell(Event("relay.sessions.lost", {"count": lost, "why": "there are too many to keep in memory"}))

    def _flush_later(self) -> None:
        if len(self.tally) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush_now)

    def _flush_now(self) -> None:
        self._timer = None
        task = asyncio.create_task(self.flush())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def _hear(self, why: str) -> None:
        """Say it once, until all is well again."""
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._tell(Event("relay.sessions.failed", {"why": why}))

    async def _ask(self, way: Way, watches: Watches, unknown: list[str]) -> None:
        records = await asyncio.gather(*(gather_report_record(reader, self._resolver) for reader in unknown))
        until = self._now() + ASK_AGAIN_S
        for reader, record in zip(unknown, records, strict=True):
            if isinstance(record, ReportRecord):  # else it is not known, and may be at the end of the day
                self._asked[reader] = _Asked(record.readers, until)
                self._asked.move_to_end(reader)
        while len(self._asked) > 2 * MOST_WAYS:
            self._asked.popitem(last=False)
        if way in self.by_way:
            self._set(way, watches)

    def _is_known(self, reader: str) -> bool:
        asked = self._asked.get(reader)
        return asked is not None and asked.until > self._now()

    def _set(self, way: Way, watches: Watches) -> None:
        """Keep what concerns somebody who wants reports, or may."""
        wanted = {}
        for exchange, watch in watches.items():
            if readers := self._wanting(watch.readers):
                wanted[exchange] = watch if readers == watch.readers else replace(watch, readers=readers)
        self.by_way.pop(way, None)
        if wanted:
            self.by_way[way] = wanted
            if len(self.by_way) > MOST_WAYS:
                self.by_way.popitem(last=False)

    def _wanting(self, readers: tuple[str, ...]) -> tuple[str, ...]:
        """Those that want reports; of two that have them sent to the same place the first."""
        places: list[frozenset[str]] = []
        wanting = []
        for reader in readers:
            asked = self._asked.get(reader)
            if asked is None or (asked.readers and asked.readers not in places):
                wanting.append(reader)
                places += [asked.readers] if asked else []
        return tuple(wanting)

    def _source(self, address: Address) -> str:
        """Our end of a connection: as the settings have it, else as the system chooses."""
        if chosen := self._sources.get(address.version):
            return chosen
        found = self._towards.get(address)
        if found is None:
            if len(self._towards) >= MOST_SOURCES:
                self._towards.clear()
            found = self._towards[address] = str(source_towards(address) or "")
        return found
