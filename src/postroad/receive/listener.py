"""The open ports: which clients are accepted, how many, for how long, and how they stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from postroad.net import Endpoint, Listener, Stream, accept, bind
from postroad.receive.judge import LEAVING
from postroad.receive.keeper import Keeper
from postroad.receive.limits import ConnectionCount, Failures, Ledger
from postroad.receive.policy import Peer, newcomer
from postroad.receive.session import ServerSession
from postroad.receive.settings import ListenSettings, ReceiveSettings, Tls
from postroad.receive.shared import Shared
from postroad.smtp import format_reply
from postroad.words import trace
from postroad.words.reply import Reply

TICK_S = (
    1.0  # how often late sessions are looked for: one timer for all, for a timer each read costs more than the read
)

CROWDED = Reply(421, ("4.3.2 too many connections",))
TOO_MANY = Reply(421, ("4.7.0 too many connections from your address",))


class Receiver:
    """All ports of a relay, under one set of limits.

    `settings` may be replaced: sessions that begin from then on have the new.
    """

    def __init__(
        self,
        settings: ReceiveSettings,
        keeper: Keeper,
        *,
        listener: trace.Listener = trace.nobody,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shared = Shared(settings, keeper, Ledger(settings.limits.octets), listener, clock)
        self._doors: list[Listener] = []
        self._sessions: set[ServerSession] = set()
        self._tally = ConnectionCount()
        self._is_leaving = False
        self._is_empty = asyncio.Event()
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def settings(self) -> ReceiveSettings:
        """What sessions that begin now have."""
        return self._shared.settings

    @settings.setter
    def settings(self, settings: ReceiveSettings) -> None:
        self._shared = replace(self._shared, settings=settings)
        self._shared.ledger.most = settings.limits.octets

    @property
    def auth_failures(self) -> Failures:
        """Wrong passwords by client."""
        return self._shared.auth_failures

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._tally.total

    async def open(self, listen: ListenSettings, sock: socket.socket | None = None) -> Endpoint:
        """Take mail on a port, or on a socket already bound (by systemd, say); where it is.

        Raises:
            NetError: local: the port is taken, or not ours to take.

        """
        sock = sock or bind(listen.address, listen.port)
        door = await accept(
            sock, lambda stream: self._receive(stream, listen.tls), begins_with_tls=listen.tls is Tls.IMPLICIT
        )
        self._doors.append(door)
        if self._ticker is None:
            self._tick()
        return Endpoint(door.address, door.port)

    def close(self, where: Endpoint) -> None:
        """Take no more on a port; the connections it has go on."""
        for door in self._doors:
            if Endpoint(door.address, door.port) == where:
                door.close()

    async def drain(self, limit_s: float) -> None:
        """Take no more; 421 to who is idle, time to finish for messages under way, then drop what is left."""
        self._is_leaving = True
        for door in self._doors:
            door.close()
        for session in list(self._sessions):
            session.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._emptied()
        await self.stop()

    async def stop(self) -> None:
        """Take no more, and drop all connections now."""
        self._is_leaving = True
        doors, self._doors = self._doors, []
        for door in doors:
            door.close()
        for session in list(self._sessions):
            session.connection.drop()
        await self._emptied()
        for door in doors:
            await door.stop()
        self._shared.signatures.close()
        if self._ticker:
            self._ticker.cancel()

    def expire(self, now: float) -> None:
        """Send away who is late at this moment of the loop's clock."""
        for session in list(self._sessions):
            if session.deadline <= now:
                session.connection.expire()
        self._shared.messages.sweep(now)
        self._shared.auth_failures.sweep(now)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.expire(loop.time())
        self._ticker = loop.call_later(TICK_S, self._tick)

    async def _emptied(self) -> None:
        while self._tally.total:
            self._is_empty.clear()
            await self._is_empty.wait()

    def _receive(self, stream: Stream, tls: Tls) -> None:
        client = newcomer(stream.peer.address)
        refusal = self._refusal(client)
        if refusal:
            self._turn_away(stream, refusal, tls)
            return
        session = ServerSession(self._shared, stream, client, tls, self._left)
        self._tally.enter(client.party)
        self._sessions.add(session)
        session.start()

    def _left(self, session: ServerSession) -> None:
        self._sessions.discard(session)
        self._tally.leave(session.client.party)
        self._is_empty.set()

    def _refusal(self, client: Peer) -> Reply | None:
        limits = self.settings.limits
        if self._is_leaving:
            return LEAVING
        if self._tally.total >= limits.connections:
            return CROWDED
        return TOO_MANY if self._tally.of(client.party) >= limits.connections_each else None

    def _turn_away(self, stream: Stream, refusal: Reply, tls: Tls) -> None:
        if tls is not Tls.IMPLICIT:  # a handshake is dearer than the answer is worth
            stream.write(format_reply(refusal))
        stream.close()
        self._shared.tell("receive.session.failed", peer=str(stream.peer), why=str(refusal))
