"""Delivery in this process: the loop with all it needs; and the protocol of whatever may replace it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from postroad.build import build_policies, policy_fetch
from postroad.deliver import Bounces, Loop, Pressure, World
from postroad.dns import Resolver
from postroad.gather import Fetch
from postroad.relay.finder import Finder
from postroad.relay.settings import RelaySettings
from postroad.relay.tally import Tally
from postroad.relay.tls_reports import ReportStore, SessionWatch
from postroad.spool import Claims, MessageIds, Parcel
from postroad.words.trace import Event, Listener


@dataclass(frozen=True, slots=True)
class Numbers:
    """The state of delivery: deliveries in progress, parcels in memory, idle connections, hosts that failed."""

    in_flight: int = 0
    parcels: int = 0
    resting: int = 0
    unhealthy: int = 0


class Delivering(Protocol):
    """Whatever delivers what a relay has accepted: a loop in this process, or another process."""

    @property
    def pressure(self) -> Pressure:
        """Where a sender waits for its reply."""
        ...

    @property
    def numbers(self) -> Numbers:
        """How it stands."""
        ...

    @property
    def tally(self) -> Tally:
        """What was counted of it in another process."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing is delivered now, for people; "" if all is well."""
        ...

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """Whether a fresh message may be claimed at once, rather than rest in the spool first."""
        ...

    def take(self, parcels: Collection[Parcel]) -> None:
        """Deliver parcels that this node has claimed."""
        ...

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        ...

    async def start(self) -> None:
        """Get ready. Raises InputError if that cannot be."""
        ...

    async def run(self) -> None:
        """Deliver until drained."""
        ...

    def lease(self, asked_at: float, until: float) -> None:
        """The lease was renewed, after it was asked for at this time of `deliver.steady`, and runs until then."""
        ...

    def share(self, nodes: int) -> None:
        """So many relays deliver from the spool now, this one included."""
        ...

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:
        """Deliveries that begin from now on have other settings."""
        ...

    async def drain(self, limit_s: float) -> int:
        """Begin nothing new, let deliveries under way end, then give up the rest; how many were given up."""
        ...

    async def refresh(self) -> None:
        """Have the tally as it is now."""
        ...


class LocalDelivery:
    """A delivery loop in this process."""

    def __init__(
        self, settings: RelaySettings, spool: Claims, resolver: Resolver, ids: MessageIds, listener: Listener
    ) -> None:
        self._spool = spool
        self._ids = ids
        self._listener = listener
        world = World(time.time, Random(ids.seed()), self._hear, settings.node)
        self.policies = build_policies(resolver, _fetch_by(settings), spool, settings.sts, listener)
        self._sessions: SessionWatch | None = None
        finder = self._finder(settings, resolver)
        self.loop = Loop(spool, finder, self._bounces(settings), settings.loop, world)
        self.pressure = self.loop.pressure
        self.has_room_for, self.take, self.look = self.loop.has_room_for, self.loop.take, self.loop.look
        self.lease = self.loop.lease
        self.tally = Tally()
        self.trouble = ""

    @property
    def numbers(self) -> Numbers:
        """See Delivering."""
        it = self.loop
        return Numbers(it.in_flight, it.queue.size, it.resting, len(it.hosts.health))

    async def start(self) -> None:
        """See Delivering: it is ready."""

    async def run(self) -> None:
        """See Delivering. Policies are refreshed meanwhile."""
        working = {asyncio.create_task(work) for work in (self.loop.run(), self.policies.run())}
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in working:
                task.cancel()

    def share(self, nodes: int) -> None:
        """See Delivering."""
        self.loop.share(nodes)
        self.policies.share(is_alone=nodes == 1)

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:
        """See Delivering. Policies and the health of hosts are kept."""
        self.policies.reload(resolver, _fetch_by(settings), settings.sts)
        self.loop.reload(settings.loop, self._finder(settings, resolver), self._bounces(settings))

    async def drain(self, limit_s: float) -> int:
        """See Delivering."""
        given_up = await self.loop.drain(limit_s)
        await self.policies.close()
        if self._sessions:
            await self._sessions.close()
        return given_up

    async def refresh(self) -> None:
        """See Delivering: nothing is counted elsewhere."""

    def _finder(self, settings: RelaySettings, resolver: Resolver) -> Finder:
        if settings.submitter is None:
            self._sessions = None
        elif self._sessions is None:
            store, sources = ReportStore(self._spool), settings.deliver.source
            self._sessions = SessionWatch(store, resolver, time.time, self._listener, sources)
        else:
            self._sessions.reload(resolver, settings.deliver.source)
        return Finder(settings, resolver, policies=self.policies, sessions=self._sessions)

    def _hear(self, event: Event) -> None:
        """What the loop tells is passed on; of what it claims, only what nobody has heard of."""
        if event.name != "deliver.claim.complete":
            if self._sessions and event.name == "deliver.parcel.complete":
                parcel = event.fields["parcel"]
                way = (parcel.destination, parcel.routes[-1]) if parcel.routes else parcel.destination
                watches = self._sessions.by_way.get(way)
                if watches:
                    self._sessions.count(parcel, event.fields["attempt"], watches)
            self._listener(event)
            return
        for news in _picked_up(event.fields["parcels"]):
            self._listener(news)

    def _bounces(self, it: RelaySettings) -> Bounces:
        expiry_s = it.loop.schedule.expiry_s
        return Bounces(self._spool, it.hostname, expiry_s, self._ids, it.postmaster, it.aliases, it.signing)


def _fetch_by(settings: RelaySettings) -> Fetch:
    return policy_fetch(allow_loopback=settings.policy.allow_loopback)


def _picked_up(parcels: Iterable[Parcel]) -> Iterator[Event]:
    """What is told of mail by `postroad sendmail` among parcels just claimed: nothing else of us saw it come.

    Once for each message, whichever of its parcels is claimed first and by whichever process; once more only if a relay
    ends before it has tried to deliver it.
    """
    for parcel in parcels:
        mail = parcel.mail
        if parcel.is_fresh and mail.origin.startswith("user ") and " by sendmail" in mail.origin:
            sender = str(mail.envelope.reverse_path or "<>")
            facts = {"id": mail.id, "sender": sender, "size": mail.size, "origin": mail.origin, "protocol": "sendmail"}
            yield Event("relay.pickup.complete", facts)
