"""A relay, from its open ports to the last delivery."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from postroad.deliver import steady
from postroad.dns import Resolver
from postroad.net import Endpoint, bind
from postroad.receive import ListenSettings, Receiver
from postroad.relay.delivery import Delivering, LocalDelivery
from postroad.relay.guesses import SharedGuesses
from postroad.relay.intake import Intake
from postroad.relay.settings import RelaySettings
from postroad.relay.tls_reports import build_reporter
from postroad.spool import LEASE_S, MessageIds, Spool, SpoolError
from postroad.words.names import Address
from postroad.words.trace import Event, Listener, nobody

SWEEP_S = 60.0


class Relay:
    """One relay process: `open` it, wait, then `close` it; `reload` takes other settings.

    `open` it, wait, then `close` it; between them `reload` takes other settings.

    It delivers in this process, or has it done `elsewhere`.
    """

    def __init__(
        self,
        settings: RelaySettings,
        spool: Spool,
        resolver: Resolver,
        listener: Listener = nobody,
        elsewhere: Delivering | None = None,
    ) -> None:
        self.settings = settings
        self.spool = spool
        self._listener = listener
        ids = MessageIds()
        self.delivery = elsewhere or LocalDelivery(settings, spool, resolver, ids, listener)
        self.receiver = Receiver(settings.receive, Intake(spool, self.delivery, ids), listener=listener)
        now = asyncio.get_running_loop().time
        self._guesses = SharedGuesses(spool, self.receiver, settings.node, now, time.time)
        self.reporter = build_reporter(settings, spool, resolver, ids, self.delivery.look, listener)
        self._ports: dict[tuple[Address, int], Endpoint] = {}
        self._was_given_ports = False
        self._tasks: list[asyncio.Task[None]] = []
        self._concerns: tuple[str, ...] = ()
        self.nodes = 1  # relays that work from the spool, this one included

    async def open(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Open the ports and begin to deliver. Sockets already bound are taken for the first ports, in their order.

        Raises:
            NetError: a port is taken, or not ours to take.
            InputError: nothing can be delivered.

        """
        await self.delivery.start()
        self._was_given_ports = bool(sockets)
        for place, listen in enumerate(self.settings.listen):
            await self._open_port(listen, sockets[place] if place < len(sockets) else None)
        working = (self.delivery.run(), self._keep_house(), self.reporter.run())
        self._tasks = [asyncio.create_task(work) for work in working]

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait until it is to stop; raises what ended the work before, which is a bug: a new process may do better."""
        asked = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait((asked, *self._tasks), return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in done - {asked}:
            task.result()

    async def reload(self, settings: RelaySettings, resolver: Resolver) -> None:
        """Go on with other settings: sessions and deliveries that begin from now on have them.

        Ports that are new are opened, those that are gone closed; one that stays is as it was. Ports that another
        opened for us, such as systemd, all stay.

        Raises:
            NetError: local: a new port is taken, or not ours to take; then nothing has changed.

        """
        wanted = self.settings.listen if self._was_given_ports else settings.listen
        fresh = self._bound([listen for listen in wanted if listen.place not in self._ports])
        kept = {listen.place: listen for listen in self.settings.listen}
        self.settings = replace(settings, listen=tuple(kept.get(listen.place, listen) for listen in wanted))
        self.receiver.settings = settings.receive
        self.delivery.reload(self.settings, resolver)
        self.reporter.reload(settings, resolver)
        for listen, sock in fresh:
            await self._open_port(listen, sock)
        for place in self._ports.keys() - {listen.place for listen in wanted}:
            where = self._ports.pop(place)
            self.receiver.close(where)
            self._listener(Event("relay.port.closed", {"where": where}))

    async def close(self) -> None:
        """End in order: no new mail, then no new deliveries; what is not done in time is done after the next start."""
        ends_at = time.monotonic() + self.settings.drain_s
        await self.receiver.drain(self.settings.drain_s / 2)
        given_up = await self.delivery.drain(ends_at - time.monotonic())
        self._listener(Event("relay.drained", {"given_up": given_up}))
        self._guesses.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.spool.close()

    def _bound(self, listens: Sequence[ListenSettings]) -> list[tuple[ListenSettings, socket.socket]]:
        """A socket for each of these ports, or for none."""
        with contextlib.ExitStack() as undo:
            bound = [(each, undo.enter_context(bind(each.address, each.port))) for each in listens]
            undo.pop_all()
        return bound

    async def _open_port(self, listen: ListenSettings, sock: socket.socket | None) -> None:
        where = await self.receiver.open(listen, sock)
        self._ports[listen.place] = where
        self._listener(Event("relay.port.open", {"where": where, "tls": listen.tls}))

    async def _keep_house(self) -> None:
        """Renew the lease, and sweep what has been done long ago."""
        while True:
            try:
                asked_at = steady()
                freed = await self.spool.renew(time.time())
                self.delivery.lease(asked_at, asked_at + LEASE_S)
                if freed:
                    self.delivery.look()
                await self._count_nodes()
                await self.spool.sweep(time.time())
                await self._look_around()
            except SpoolError as trouble:
                self._listener(Event("relay.spool.failed", {"why": trouble.why}))
            await asyncio.sleep(min(LEASE_S / 3, SWEEP_S))

    async def _look_around(self) -> None:
        """What others do to our spool is worth a line in the log, once."""
        concerns = await self.spool.concerns()
        for why in concerns:
            if why not in self._concerns:
                self._listener(Event("relay.spool.burdened", {"why": why}))
        self._concerns = concerns

    async def _count_nodes(self) -> None:
        """Share with as many relays as live; a name that is gone or new is worth a line in the log."""
        names = [node.name for node in await self.spool.nodes(time.time())]
        count = max(1, len(names))
        if count != self.nodes:
            self.nodes = count
            self._listener(Event("relay.nodes.changed", {"nodes": names}))
            self.delivery.share(count)
            self._guesses.share(count)
