"""One commit for many calls: short work is done in the loop's thread, and a thread beside it waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from postroad.spool.group import LONG, MOST, CallKind, Calls, CommitGroup
from postroad.spool.sqlite.commits import Commits
from postroad.spool.sqlite.trouble import closed

A = TypeVar("A")
R = TypeVar("R")


class Writer:
    """The queue of calls that write, done group by group, each in a transaction.

    One group is under way at a time, so the connection is used by one thread at a time: by the loop's, if the group is
    short and nothing is in its way, up to COMMIT; then by the other, which waits for the disk and for other processes.
    What gathers meanwhile is the next group.
    """

    def __init__(self, commits: Commits, where: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._commits = commits
        self._where = where
        self._loop = loop
        self._gathered = deque([CommitGroup()])  # the last one takes calls
        self._is_busy = False  # a group is under way, or about to be
        self._handed_over: SimpleQueue[CommitGroup | None] = SimpleQueue()
        self.is_closed = False
        self._thread: threading.Thread | None = None  # until there is work: a tool that only looks has none

    @property
    def commits(self) -> int:
        """Transactions committed so far."""
        return self._commits.count

    def submit(self, kind: CallKind[A, R], argument: A, octets: int = 0) -> asyncio.Future[R]:
        """Have it done in the next commit, the future when that is on the disk. `octets`: what it brings or frees.

        The future has SpoolError if it could not be done, or this is closed.
        """
        if self.is_closed:
            return self.refuse(closed(self._where))
        if self._gathered[-1].count == MOST:
            self._gathered.append(CommitGroup())
        future: asyncio.Future[R] = self._loop.create_future()
        self._gathered[-1].take(kind, argument, octets, future)
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._begin)  # not at once: others of this turn of the loop come along
        return future

    def refuse(self, problem: Exception) -> asyncio.Future[Any]:
        """Have nothing done: a future with what is wrong."""
        future = self._loop.create_future()
        future.set_exception(problem)
        return future

    async def close(self) -> None:
        """Do what was asked for, then end."""
        if not self.is_closed:
            self.is_closed = True
            while self._gathered:
                self._hand_over(self._gathered.popleft())
            if self._thread is None:
                await asyncio.to_thread(self._commits.close)
            else:
                self._handed_over.put(None)
        if self._thread:
            await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        """Begin the next group, if the loop brings it nothing more: here, if it is short; the rest is the thread's."""
        if not self._gathered:  # closed meanwhile
            return
        if self._gathered[0].grows(self._loop.time()):
            self._loop.call_soon(self._begin)
            return
        group = self._gathered.popleft()
        if not self._gathered:
            self._gathered.append(CommitGroup())
        if group.cost < LONG:
            group.is_begun = self._commits.begin(group)
        self._hand_over(group)

    def _hand_over(self, group: CommitGroup) -> None:
        if not group.count:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
            self._thread.start()
        self._handed_over.put(group)

    def _tell(self, done: list[Calls[Any, Any]]) -> None:
        for calls in done:
            calls.tell()
        if self._gathered and self._gathered[0].count:
            self._loop.call_soon(self._begin)  # behind those who were just told: what they ask for comes along
        else:
            self._is_busy = False

    def _run(self) -> None:
        while group := self._handed_over.get():
            done = self._commits.end(group)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._tell, done)
        self._commits.close()
