"""One relay process, from its open ports to the last delivery."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from postroad.deliver import Bounces, Loop, World
from postroad.dns import Resolver
from postroad.receive import Receiver
from postroad.relay.finder import Finder
from postroad.relay.intake import Births, Intake
from postroad.relay.settings import RelaySettings
from postroad.spool import LEASE_S, Spool, SpoolError
from postroad.words.trace import Event, Listener, nobody

SWEEP_S = 60.0


class Relay:
    """One relay process. `open` it, wait, then `close` it; between them `reload` gives new sessions new settings."""

    def __init__(self, settings: RelaySettings, spool: Spool, resolver: Resolver, listener: Listener = nobody) -> None:
        self.settings = settings
        self.spool = spool
        self._listener = listener
        self._births = Births()
        world = World(time.time, Random(self._births.seed()), listener)
        self.loop = Loop(spool, Finder(settings, resolver), self._bounces(), settings.loop, world)
        self.receiver = Receiver(settings.receive, Intake(spool, self.loop, self._births), listener=listener)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, sockets: Sequence[socket.socket] = (), *, shares_ports: bool = False) -> None:
        """Open the ports and begin to deliver. Sockets already bound are taken for the first ports, in their order.

        Raises:
            NetError: a port is taken, or not ours to take.

        """
        for place, listen in enumerate(self.settings.listen):
            sock = sockets[place] if place < len(sockets) else None
            where = await self.receiver.open(replace(listen, reuse_port=shares_ports), sock)
            self._listener(Event("relay.port.open", {"where": where, "tls": listen.tls}))
        self._tasks = [asyncio.create_task(work) for work in (self.loop.run(), self._keep_house())]

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait until it is to stop; raises what ended the work before, which is a bug: a new process may do better."""
        asked = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait((asked, *self._tasks), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in done - {asked}:
            task.result()

    def reload(self, settings: RelaySettings, resolver: Resolver) -> None:
        """Go on with other settings: sessions and deliveries that begin from now on have them. Ports stay."""
        self.settings = replace(settings, listen=self.settings.listen)
        self.receiver.settings = settings.receive
        self.loop.reload(settings.loop, Finder(settings, resolver), self._bounces())

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

    def _bounces(self) -> Bounces:
        it = self.settings
        expiry_s = it.loop.schedule.expiry_s
        return Bounces(self.spool, it.hostname, expiry_s, self._births, it.postmaster, it.aliases)

    async def _keep_house(self) -> None:
        """Renew the lease, and sweep what has been done long ago."""
        while True:
            try:
                if await self.spool.renew(time.time()):
                    self.loop.look()
                await self.spool.sweep(time.time())
            except SpoolError as trouble:
                self._listener(Event("relay.spool.failed", {"why": trouble.why}))
            await asyncio.sleep(min(LEASE_S / 3, SWEEP_S))
