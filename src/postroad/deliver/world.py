"""The environment of delivery: time, randomness, listeners, and background tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from postroad.deliver.lease import Lease
from postroad.spool import NODE, SpoolError
from postroad.words.trace import Event, Listener, nobody


@dataclass(frozen=True, slots=True)
class World:
    """The environment of the delivery loop: the time of mail (epoch seconds), dice for jitter, and listeners.

    `node` is our name among the relays that share the spool, `lease` that of what we have claimed.
    """

    wall: Callable[[], float]
    rng: Random
    listener: Listener = nobody
    node: str = NODE
    lease: Lease = field(default_factory=Lease)

    def tell(self, name: str, **fields: object) -> None:
        """Tell who listens."""
        if self.listener is not nobody:
            self.listener(Event(name, fields))

    def tell_trouble(self, trouble: Exception) -> None:
        """The spool cannot do what it was asked for."""
        self.tell("deliver.spool.failed", why=trouble.why if isinstance(trouble, SpoolError) else repr(trouble))


class Tasks:
    """The background tasks. `changed` is set whenever one has ended, or something else that the drain waits for."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether any is running."""
        return bool(self._running)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it run."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def cancel(self) -> None:
        """Cancel all, and wait for their end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.changed.set()
