"""The relay (floor 5): one process from its open ports to the last delivery, built from settings of all its rooms."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from postroad.deliver import Bounces, DeliverSettings, Loop, LoopSettings, Way, World
from postroad.dns import Resolver
from postroad.gather import gather, gather_hosts
from postroad.receive import Arrival, ListenSettings, Receiver, ReceiveSettings
from postroad.routing import (
    PROCEDURES,
    Own,
    RoutePolicy,
    StaticHost,
    by_domain,
    decide,
    decide_static,
    on_behalf,
    pick,
)
from postroad.spool import LEASE_S, Mail, Spool, SpoolError
from postroad.words.facts import Found, NoData, NoName, Snapshot
from postroad.words.mail import domain_of
from postroad.words.names import AddressLiteral, Destination, parse_destination
from postroad.words.trace import Event, Listener, nobody

SEED_BITS = 48
SWEEP_S = 60.0
LONGEST_LIFE_S = 300.0
"""A way is asked for anew after this time at the latest; the resolver's cache keeps to the TTL besides."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread


@dataclass(frozen=True, slots=True)
class NextHop:
    """A static route: named hosts, or the exchangers of another domain, and how to talk to them."""

    domains: tuple[str, ...]
    settings: DeliverSettings
    hosts: tuple[StaticHost, ...] = ()
    mx_of: str = ""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """All a relay needs to know besides its spool."""

    hostname: str
    listen: tuple[ListenSettings, ...]
    receive: ReceiveSettings
    deliver: DeliverSettings
    loop: LoopSettings = field(default_factory=LoopSettings)
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    own: Own = field(default_factory=Own)
    next_hops: tuple[NextHop, ...] = ()
    drain_s: float = 30.0


class Finder:
    """The way to a destination: by a static route if one names it, else by DNS."""

    def __init__(self, settings: RelaySettings, resolver: Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._table: Mapping[str, NextHop] = by_domain(settings.next_hops)

    async def __call__(self, destination_text: str) -> Way:
        """Ask; whatever DNS does ends in the answer."""
        destination = parse_destination(destination_text)
        assert isinstance(destination, str | AddressLiteral), destination  # noqa: S101  # it was read when it was accepted
        hop = pick(self._table, destination)
        if hop is None:
            snapshot = await gather(destination, self._resolver)
            answer = decide(snapshot, self._settings.policy, self._settings.own)
            return Way.of(answer, self._settings.policy, self._settings.deliver, _life_s(snapshot))
        return await self._by_hop(hop, destination)

    async def _by_hop(self, hop: NextHop, destination: Destination) -> Way:
        policy = self._settings.policy
        if hop.mx_of:
            snapshot = await gather(hop.mx_of, self._resolver)
            answer = on_behalf(decide(snapshot, policy, self._settings.own), destination)
        else:
            names = [each.host for each in hop.hosts if isinstance(each.host, str)]
            hosts = await gather_hosts(names, self._resolver)
            snapshot = Snapshot(destination, NoData(int(LONGEST_LIFE_S)), hosts)
            answer = decide_static(hop.hosts, destination, hosts, policy)
        return Way.of(answer, policy, hop.settings, _life_s(snapshot))


class Intake:
    """Keeps what the listeners receive: in the spool first, and in the loop's hands at once if it has room."""

    def __init__(self, spool: Spool, loop: Loop, wall: Callable[[], float] = time.time) -> None:
        self._spool = spool
        self._loop = loop
        self._wall = wall

    def begin(self) -> str:
        """A fresh id."""
        return new_id(self._wall())

    async def write(self, id_: str, piece: bytes) -> None:
        """Put a piece of a big message aside."""
        await self._spool.write(id_, piece)

    async def discard(self, id_: str) -> None:
        """Forget a message that will not be whole."""
        await self._spool.discard(id_)

    async def keep(self, arrival: Arrival, rest: bytes) -> None:
        """Keep a message; durable on return."""
        seed = secrets.randbits(SEED_BITS)
        mail = Mail(arrival.id, arrival.envelope, arrival.at, seed, arrival.size, arrival.origin)
        claims = self._loop.has_room_for({domain_of(each.mailbox) for each in arrival.envelope.recipients})
        parcels = await self._spool.add(mail, rest, claim=claims)
        if claims:
            self._loop.take(parcels, rest if len(rest) == arrival.size else None)
        else:
            self._loop.look()


class Relay:
    """One relay process. `open` it, wait, then `close` it; between them `reload` gives new sessions new settings."""

    def __init__(self, settings: RelaySettings, spool: Spool, resolver: Resolver, listener: Listener = nobody) -> None:
        self.settings = settings
        self.spool = spool
        self._listener = listener
        bounces = Bounces(spool, settings.hostname, settings.loop.schedule.expiry_s, _born)
        world = World(time.time, Random(secrets.randbits(64)), listener)
        self.loop = Loop(spool, Finder(settings, resolver), bounces, settings.loop, world)
        self.receiver = Receiver(settings.receive, Intake(spool, self.loop), listener=listener)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Open the ports and begin to deliver.

        Raises:
            NetError: a port is taken, or not ours to take.

        """
        for listen in self.settings.listen:
            where = await self.receiver.open(listen)
            self._listener(Event("relay.port.open", {"where": where, "tls": listen.tls}))
        self._tasks = [asyncio.create_task(work) for work in (self.loop.run(), self._keep_house())]

    async def close(self) -> None:
        """End in order: no new mail, then no new deliveries; what is not done in time is done after the next start."""
        half_s = self.settings.drain_s / 2
        await self.receiver.drain(half_s)
        given_up = await self.loop.drain(half_s)
        self._listener(Event("relay.drained", {"given_up": given_up}))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.spool.close()

    async def _keep_house(self) -> None:
        """Renew the lease, and sweep what has been done long ago."""
        while True:
            with contextlib.suppress(SpoolError):
                if await self.spool.renew(time.time()):
                    self.loop.look()
                await self.spool.sweep(time.time())
            await asyncio.sleep(min(LEASE_S / 3, SWEEP_S))


def new_id(at: float) -> str:
    """An id for a message: 50 bits of milliseconds, so that ids sort by time, and 30 bits of chance."""
    number = int(at * 1000) << 30 | secrets.randbits(30)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))


def _born() -> tuple[str, int]:
    return new_id(time.time()), secrets.randbits(SEED_BITS)


def _life_s(snapshot: Snapshot) -> float:
    """How long what was decided on a snapshot holds: as long as the shortest of its answers. Trouble is no answer."""
    answers = [snapshot.mx, *(answer for facts in snapshot.hosts.values() for answer in (facts.a, facts.aaaa))]
    lives = [answer.ttl_s if isinstance(answer, Found | NoData | NoName) else 5 for answer in answers]
    return float(min(max(min(lives, default=1), 1), LONGEST_LIFE_S))
