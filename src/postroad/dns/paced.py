"""Limits how many queries one machine sends to a name server, at once and per second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postroad.dns.direct import TIMEOUT_S, Direct, ask_server
from postroad.dns.line import PendingQueries
from postroad.dns.resolver import AnswerListener, RecordType, Resolver
from postroad.dns.servers import ServerAddress
from postroad.words.facts import Answer, Temporary


class PacedResolver:
    """A resolver that asks `inner` at most `at_once` questions at a time, evenly `per_second` (0: no limit)."""

    def __init__(self, inner: Resolver, *, at_once: int = 128, per_second: float = 0.0) -> None:
        self._inner = inner
        self._start = getattr(inner, "start", None)
        self._room = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()  # for room, the first first
        self._gap_s = 1 / per_second if per_second else 0.0
        self._next_at = 0.0  # on the loop's clock

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer, once it is our turn to ask."""
        await self._enter()
        try:
            if self._gap_s:
                await self._turn()
            return await self._inner.resolve(name, kind)
        finally:
            self._leave()

    def start(self, name: str, kind: RecordType, ear: AnswerListener) -> Callable[[], None] | None:
        """Ask at once, where there is room now; see Starter."""
        if self._start is None or not self._room or self._gap_s:
            return None
        started = _Started(ear, self._leave)
        stop: Callable[[], None] | None = self._start(name, kind, started)
        if stop is None:
            return None
        self._room -= 1
        started.stop_inner = stop
        return started.stop

    async def _enter(self) -> None:
        if self._room:
            self._room -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:
                self._leave()  # the room was given to us already
            raise

    def _leave(self) -> None:
        """Give the room to who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._room += 1

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next_at = max(now, self._next_at) + self._gap_s
        await asyncio.sleep(self._next_at - self._gap_s - now)


class _Started:
    """A question under way without a task: it leaves the room when it ends."""

    __slots__ = ("_ear", "_leave", "stop_inner")
    stop_inner: Callable[[], None]

    def __init__(self, ear: AnswerListener, leave: Callable[[], None]) -> None:
        self._ear = ear
        self._leave = leave

    def hear(self, answer: Answer[Any]) -> None:
        self._leave()
        self._ear.hear(answer)

    def fail(self, problem: BaseException) -> None:
        self._leave()
        self._ear.fail(problem)

    def stop(self) -> None:
        self._leave()
        self.stop_inner()


class PacedServers:
    """A queue of questions for name servers: a few at a time for each, and the same question only once.

    The last `most` answers are remembered. `tries`: a datagram may get lost.
    """

    def __init__(self, *, each: int = 16, tries: int = 2, most: int = 20_000) -> None:
        self._each = each
        self._tries = tries
        self._most = most
        self._rooms: dict[ServerAddress, _Room] = {}
        self._asked: dict[tuple[ServerAddress, str, RecordType, bool], asyncio.Task[Direct]] = {}  # oldest first

    async def ask(self, server: ServerAddress, name: str, kind: RecordType, *, recursion: bool = False) -> Direct:
        """What `ask_server` says."""
        key = (server, name, kind, recursion)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(*key))
            if len(self._asked) > self._most:
                del self._asked[next(iter(self._asked))]
        return task.result() if task.done() and not task.cancelled() else await asyncio.shield(task)

    async def _ask(self, server: ServerAddress, name: str, kind: RecordType, recursion: bool) -> Direct:  # noqa: FBT001  # a private step of `ask`
        room = self._rooms.setdefault(server, _Room(server, asyncio.Semaphore(self._each)))
        room.asking += 1
        try:
            async with room.places:
                told = await ask_server(server, name, kind, recursion=recursion, line=room.line())
                for _ in range(self._tries - 1):
                    if not isinstance(told.answer, Temporary):
                        break
                    told = await ask_server(server, name, kind, recursion=recursion, line=room.line())
        finally:
            room.asking -= 1
            if not room.asking:  # a list of a hundred thousand domains meets as many servers
                del self._rooms[server]
        return told


@dataclass(slots=True)
class _Room:
    """The questions under way to one server, and the socket they share."""

    server: ServerAddress
    places: asyncio.Semaphore
    asking: int = 0
    newest: PendingQueries | None = None

    def line(self) -> PendingQueries | None:
        """Where to ask; None: each question on a socket of its own."""
        if self.newest is None or not self.newest.takes_more:
            try:
                self.newest = PendingQueries(self.server.address, self.server.port, TIMEOUT_S)
            except (NotImplementedError, OSError):
                return None
        return self.newest
