"""A limited number of places, given out client by client, so that nobody waits behind another client's crowd."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class CrowdedError(Exception):
    """The error that too many requests of this client wait already."""


class Turns:
    """A limit on how many do something at once; a free place goes to the next client, not to the next request.

    A free place goes to the next client, not the next one.

    With a guesser's fifty in the queue, the one of a user elsewhere is served after one of them.
    """

    def __init__(self, at_once: int, waiting_each: int) -> None:
        self._free = at_once
        self._waiting_each = waiting_each
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of their turns

    @asynccontextmanager
    async def place(self, party: str) -> AsyncIterator[None]:
        """A place for as long as this lasts.

        Raises:
            CrowdedError: too many of this client wait.

        """
        await self._enter(party)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, party: str) -> None:
        if self._free:
            self._free -= 1
            return
        queue = self._queues.setdefault(party, deque())
        if len(queue) >= self._waiting_each:
            raise CrowdedError
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given a place in the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        """The place goes to the first of the next client that waits; a client with more goes to the end."""
        while self._queues:
            party = next(iter(self._queues))
            queue = self._queues.pop(party)
            turn = next((turn for turn in (queue.popleft() for _ in range(len(queue))) if not turn.done()), None)
            if queue:
                self._queues[party] = queue
            if turn:
                turn.set_result(None)
                return
        self._free += 1
