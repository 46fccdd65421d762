"""Probes unhealthy hosts, so that no mail has to test them: connects, reads the greeting, sends QUIT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from postroad.deliver.settings import DeliverSettings
from postroad.dialogue import HostError, Session
from postroad.net import NetError, connect
from postroad.pace import Health
from postroad.words.names import Address
from postroad.words.trail import Target

# With the 250 ms it had in the race, a host that does not answer is unhealthy within a second; one that is far is not.
SUSPECT_S = 0.6
GREETING_S = 30.0


@dataclass(frozen=True, slots=True)
class _Hop:
    port: int
    settings: DeliverSettings


class Changed(Protocol):
    """A listener for hosts that become unhealthy, and healthy again."""

    def __call__(self, address: Address, *, is_healthy: bool) -> None:
        """An address has changed."""
        ...


class Probes:
    """The probes of unhealthy addresses: one at a time for each, while mail waits for it (`is_awaited`).

    `changed` hears what became known.
    """

    def __init__(
        self, health: Health, now: Callable[[], float], changed: Changed, is_awaited: Callable[[Address], bool]
    ) -> None:
        self._health = health
        self._is_awaited = is_awaited
        self._now = now
        self._changed = changed
        self._wanted: dict[Address, _Hop] = {}
        self._suspects: set[Address] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def failed(self, target: Target, settings: DeliverSettings) -> None:
        """A host was asked and did not greet."""
        self._failed(target.address)
        self.want((target,), settings)

    def suspect(self, target: Target, settings: DeliverSettings) -> None:
        """A host kept silent while its equal, asked later, greeted: find out whether it is slow or dead."""
        if target.address not in self._suspects and self._health.is_healthy(target.address, self._now()):
            self._suspects.add(target.address)
            self._spawn(target.address, _hop(target, settings), SUSPECT_S)

    def want(self, unhealthy: Iterable[Target], settings: DeliverSettings) -> None:
        """Mail would go to these if they were healthy."""
        for target in unhealthy:
            self._wanted[target.address] = _hop(target, settings)
        if unhealthy:
            self._arm()

    def look(self) -> None:
        """A penalty has ended before its time."""
        self._arm()

    def close(self) -> None:
        """Probe no more."""
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _failed(self, address: Address) -> None:
        was_healthy = self._health.is_healthy(address, self._now())
        self._health.failed(address, self._now())
        if was_healthy:
            self._changed(address, is_healthy=False)

    def _arm(self) -> None:
        """Wake up for the next probe: earlier than planned, if a host became unhealthy whose penalty is shorter."""
        at = self._next_at()
        if at is None or (self._timer and self._rings_at <= at):
            return
        if self._timer:
            self._timer.cancel()
        self._rings_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._tick)

    def _next_at(self) -> float | None:
        now = self._now()
        if any(address in self._wanted for address in self._health.due_probes(now)):
            return now
        return self._health.next_probe_at(now)

    def _tick(self) -> None:
        self._timer = None
        for address in self._health.due_probes(self._now()):
            hop = self._wanted.pop(address, None)
            if hop:
                self._health.probing(address)
                self._spawn(address, hop, hop.settings.timeouts.connect_s)
        self._arm()

    def _spawn(self, address: Address, hop: _Hop, limit_s: float) -> None:
        task = asyncio.get_running_loop().create_task(self._probe(address, hop, limit_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, address: Address, hop: _Hop, limit_s: float) -> None:
        greets = await _greets(address, hop, limit_s)
        was_suspect = address in self._suspects
        self._suspects.discard(address)
        if greets:
            if self._health.succeeded(address, self._now()):
                self._changed(address, is_healthy=True)
        else:
            self._failed(address)
            if was_suspect or self._is_awaited(address):
                self._wanted[address] = hop
            self._arm()


async def _greets(address: Address, hop: _Hop, limit_s: float) -> bool:
    limits = replace(hop.settings.timeouts, greeting_s=min(GREETING_S, hop.settings.timeouts.greeting_s))
    try:
        stream = await connect(address, hop.port, timeout_s=limit_s, source=hop.settings.source_for(address))
    except NetError:
        return False
    session = Session(stream, replace(hop.settings, timeouts=limits))
    try:
        await session.greet()
    except HostError:
        return False
    else:
        await session.quit()
        return True
    finally:
        session.close()


def _hop(target: Target, settings: DeliverSettings) -> _Hop:
    return _Hop(target.port or settings.port, settings)
