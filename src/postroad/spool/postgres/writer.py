"""One commit for many calls: they gather while the group before them is committed."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, TypeVar

from postroad.spool.group import MOST, CallKind, CommitGroup, failed
from postroad.spool.postgres.commits import GroupCommits
from postroad.spool.postgres.trouble import closed

A = TypeVar("A")
R = TypeVar("R")

HEAVY = 16 * 1024 * 1024
"""What a group may cost, in octets moved: what bounds memory, and how long its locks are held."""


class GroupWriter:
    """The queue of calls that write, done group by group, each in a transaction."""

    def __init__(self, commits: GroupCommits, where: str) -> None:
        self.commits = commits
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._gathered = deque([CommitGroup()])  # the last one takes calls
        self._running: asyncio.Task[None] | None = None
        self.is_closed = False

    def submit(self, kind: CallKind[A, R], argument: A, octets: int = 0) -> asyncio.Future[R]:
        """Have it done in the next commit, the future when that is durable. `octets`: what it brings or frees.

        The future has SpoolError if it could not be done, or this is closed.
        """
        if self.is_closed:
            return self.refuse(closed(self._where))
        last = self._gathered[-1]
        if last.count == MOST or (last.count and last.cost + octets > HEAVY):
            self._gathered.append(CommitGroup())
        future: asyncio.Future[R] = self._loop.create_future()
        self._gathered[-1].take(kind, argument, octets, future)
        if self._running is None:
            self._running = self._loop.create_task(self._run())
        return future

    def refuse(self, problem: Exception) -> asyncio.Future[Any]:
        """Have nothing done: a future with what is wrong."""
        future = self._loop.create_future()
        future.set_exception(problem)
        return future

    async def close(self) -> None:
        """Do what was asked for, then end."""
        self.is_closed = True
        if self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        """Do groups until nobody asks for anything."""
        while self._gathered[0].count:
            group = self._gathered[0]
            while len(self._gathered) == 1 and group.grows(self._loop.time()):  # noqa: ASYNC110  # a turn of the loop
                await asyncio.sleep(0)  # others of this turn of the loop come along
            self._gathered.popleft()
            if not self._gathered:
                self._gathered.append(CommitGroup())
            await self._do(group)
        self._running = None

    async def _do(self, group: CommitGroup) -> None:
        calls = list(group.calls.values())
        try:
            done = await self.commits.do(calls)
        except Exception as bug:  # noqa: BLE001  # whoever waits must hear of it
            done = failed(calls, bug)
        for each in done:
            each.tell()
