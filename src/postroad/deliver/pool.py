"""Idle connections between two messages. Reuse is limited by time, so that it never decides where mail goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from postroad.deliver.settings import DeliverSettings, ReusePolicy
from postroad.dialogue import Session
from postroad.words.tls import OPPORTUNISTIC, Demand
from postroad.words.trail import Target

SWEEP_S = 1.0


Door = tuple[str, int, int]
"""What makes two connections alike: the address as text, the port, and the settings of the route."""


def door_of(target: Target, settings: DeliverSettings) -> Door:
    """The door of a target under these settings."""
    return target.where, target.port or settings.port, settings.serial


class Pool:
    """The idle connections that are kept for a next message. `now` is the clock of the event loop."""

    def __init__(self, policy: ReusePolicy, now: Callable[[], float]) -> None:
        self.policy = policy
        self._now = now
        self._resting: dict[Door, deque[tuple[Session, float]]] = {}
        self._size = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def take(self, door: Door, demand: Demand = OPPORTUNISTIC) -> Session | None:
        """A connection that may be used again, and is what is demanded; the youngest, so that the others can end."""
        shelf = self._resting.get(door)
        if not shelf:
            return None
        ends = self._now() - self.policy.idle_s
        if not shelf[-1][0].proof.meets(demand):
            return self._search(shelf, demand, ends)
        session, since = shelf.pop()
        self._size -= 1
        if since >= ends:
            return session
        self._leave(session)
        return None

    def _search(self, shelf: deque[tuple[Session, float]], demand: Demand, ends: float) -> Session | None:
        """Behind connections that prove too little: those stay, for mail that asks less of them."""
        for place in range(len(shelf) - 1, -1, -1):
            session, since = shelf[place]
            if since >= ends and session.proof.meets(demand):
                del shelf[place]
                self._size -= 1
                return session
        return None

    def give(self, door: Door, session: Session) -> None:
        """Let a connection rest, or end it if it has served long enough."""
        has_served = session.messages >= self.policy.messages or self._now() - session.opened_at >= self.policy.age_s
        if has_served or not session.is_reusable or self._size >= self.policy.most:
            self._leave(session)
            return
        session.rest()
        self._resting.setdefault(door, deque()).append((session, self._now()))
        self._size += 1
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    @property
    def resting(self) -> int:
        """How many there are."""
        return self._size

    def drop(self, where: str) -> None:
        """Hang up on all that rests at an address: the host there has just failed."""
        for door in [door for door in self._resting if door[0] == where]:
            for session, _since in self._resting.pop(door):
                session.close()
                self._size -= 1

    async def close(self) -> None:
        """Say goodbye on all of them."""
        for shelf in self._resting.values():
            for session, _since in shelf:
                self._leave(session)
        self._resting.clear()
        self._size = 0
        if self._sweeping:
            self._sweeping.cancel()
        await asyncio.gather(*self._leaving)

    def _sweep(self) -> None:
        self._sweeping = None
        ends = self._now() - self.policy.idle_s
        for door, shelf in list(self._resting.items()):
            while shelf and shelf[0][1] < ends:
                self._leave(shelf.popleft()[0])
                self._size -= 1
            if not shelf:
                del self._resting[door]
        if self._resting:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _leave(self, session: Session) -> None:
        task = asyncio.get_running_loop().create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
