"""No more questions at once, nor in a second, than a name server should be asked by one machine."""

from __future__ import annotations

import asyncio
from typing import Any

from postroad.dns.direct import Direct, ask_server
from postroad.dns.resolver import RecordType, Resolver
from postroad.dns.wire import Server
from postroad.words.facts import Answer, Temporary


class PacedResolver:
    """Asks `inner`, `at_once` questions at a time, evenly `per_second` (0: no such limit)."""

    def __init__(self, inner: Resolver, *, at_once: int = 128, per_second: float = 0.0) -> None:
        self._inner = inner
        self._room = asyncio.Semaphore(at_once)
        self._gap_s = 1 / per_second if per_second else 0.0
        self._next_at = 0.0  # on the loop's clock

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer, once it is our turn to ask."""
        async with self._room:
            if self._gap_s:
                await self._turn()
            return await self._inner.resolve(name, kind)

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next_at = max(now, self._next_at) + self._gap_s
        await asyncio.sleep(self._next_at - self._gap_s - now)


class PacedServers:
    """Questions put to servers directly: a few at a time for each server, and the same question only once.

    The last `most` answers are remembered. `tries`: a datagram may get lost.
    """

    def __init__(self, *, each: int = 16, tries: int = 2, most: int = 20_000) -> None:
        self._each = each
        self._tries = tries
        self._most = most
        self._rooms: dict[Server, asyncio.Semaphore] = {}
        self._asked: dict[tuple[Server, str, RecordType, bool], asyncio.Task[Direct]] = {}  # oldest first

    async def ask(self, server: Server, name: str, kind: RecordType, *, recursion: bool = False) -> Direct:
        """What `ask_server` says."""
        key = (server, name, kind, recursion)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(*key))
            if len(self._asked) > self._most:
                del self._asked[next(iter(self._asked))]
        return await asyncio.shield(task)

    async def _ask(self, server: Server, name: str, kind: RecordType, recursion: bool) -> Direct:  # noqa: FBT001  # a private step of `ask`
        room = self._rooms.setdefault(server, asyncio.Semaphore(self._each))
        async with room:
            told = await ask_server(server, name, kind, recursion=recursion)
            for _ in range(self._tries - 1):
                if not isinstance(told.answer, Temporary):
                    break
                told = await ask_server(server, name, kind, recursion=recursion)
        return told
