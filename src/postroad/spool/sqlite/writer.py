"""One commit for many calls: short work is done in the loop's thread, and a thread beside it waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.folder import LOG, open_lock
from postroad.spool.sqlite.group import LONG, MOST, Calls, Group, Kind, failed
from postroad.spool.sqlite.place import Place
from postroad.spool.sqlite.relief import empty_log, make_room, reliefs
from postroad.spool.sqlite.room import Room
from postroad.spool.sqlite.trouble import closed, trouble_with, trouble_with_file

A = TypeVar("A")
R = TypeVar("R")

TURN = "writers"
"""The lock of the process that commits. SQLite waits by sleeping, up to 100 ms; this wait ends when the commit does."""

BUSY_MS = 10_000
"""How long a program that is none of ours may hold the lock. The loop does not wait for it, the thread does."""

_OF_ONE = {None, Trouble.CORRUPT}
"""Troubles of one call, which spoil no other: a fault, a damaged page or row. The others are the disk's."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What the database lies on: whether it is still in its place, and what room there is."""

    place: Place
    room: Room

    def trouble(self, db: sqlite3.Connection, octets: int) -> SpoolError | None:
        """Why so much new mail should not go onto it."""
        return self.place.trouble() or self.room.trouble(db, octets)


class Writer:
    """Gathers calls, and does them group by group, each in a transaction.

    One group is under way at a time, so the connection is used by one thread at a time: by the loop's, if the group is
    short and nothing is in its way, up to COMMIT; then by the other, which waits for the disk and for other processes.
    What gathers meanwhile is the next group.
    """

    def __init__(self, db: sqlite3.Connection, where: Path, disk: Disk, loop: asyncio.AbstractEventLoop) -> None:
        self._db = db
        self._where = where
        self._log = where.with_name(LOG)
        self._disk = disk
        self._loop = loop
        try:
            self._turn = open_lock(where.parent, TURN)
        except OSError as problem:
            raise trouble_with_file(where.parent, problem) from problem
        self._wait_for_strangers(0)
        self._gathered = deque([Group()])  # the last one takes calls
        self._is_busy = False  # a group is under way, or about to be
        self._handed_over: SimpleQueue[Group | None] = SimpleQueue()
        self.is_closed = False
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def submit(self, kind: Kind[A, R], argument: A, octets: int = 0) -> asyncio.Future[R]:
        """Have it done in the next commit, the future when that is on the disk. `octets`: what it brings or frees.

        The future has SpoolError if it could not be done, or this is closed.
        """
        if self.is_closed:
            return self.refuse(closed(self._where))
        if self._gathered[-1].count == MOST:
            self._gathered.append(Group())
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
                self._handed_over.put(self._gathered.popleft())
            self._handed_over.put(None)
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
            self._gathered.append(Group())
        if group.cost < LONG:
            group.is_begun = self._is_our_turn() and self._has_begun(group)
        self._handed_over.put(group)

    def _is_our_turn(self) -> bool:
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _has_begun(self, group: Group) -> bool:
        """Do its statements, or none: whatever is in the way is for the thread to find out."""
        calls = list(group.calls.values())
        if self._trouble_for(calls):
            return False
        try:
            self._execute(calls)
        except Exception:  # noqa: BLE001  # met again in the thread, which tells who asked
            self._roll_back()
            return False
        return True

    def _tell(self, done: list[Calls[Any, Any]]) -> None:
        for calls in done:
            calls.tell()
        if self._gathered and self._gathered[0].count:
            self._loop.call_soon(self._begin)  # behind those who were just told: what they ask for comes along
        else:
            self._is_busy = False

    def _run(self) -> None:
        while group := self._handed_over.get():
            done = self._end(group)
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._tell, done)
        with contextlib.suppress(sqlite3.Error):  # a reader may be in the way; the next start does it
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()
        self._turn.close()

    def _end(self, group: Group) -> list[Calls[Any, Any]]:
        """Commit a group, or do all of it."""
        calls = list(group.calls.values())
        if group.is_begun:
            return self._judge(calls, self._try(self._commit))
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        self._wait_for_strangers(BUSY_MS)
        try:
            trouble = self._trouble_left_for(calls)
            return self._refuse(calls, trouble) if trouble else self._do(calls)
        finally:
            self._wait_for_strangers(0)

    def _trouble_for(self, calls: list[Calls[Any, Any]]) -> SpoolError | None:
        """Mail goes into no file that nobody would find again, and onto no disk that is nearly full."""
        octets = sum([each.octets for each in calls if each.kind.enters])
        return self._disk.trouble(self._db, octets) if octets else None

    def _trouble_left_for(self, calls: list[Calls[Any, Any]]) -> SpoolError | None:
        """The same once the spool has given back what it can spare."""
        trouble = self._trouble_for(calls)
        if trouble is None or trouble.kind is not Trouble.FULL:
            return trouble
        make_room(self._db, self._disk.room, sum([each.octets for each in calls if each.kind.enters]))
        return self._trouble_for(calls)

    def _refuse(self, calls: list[Calls[Any, Any]], trouble: SpoolError) -> list[Calls[Any, Any]]:
        """Do all but those that bring mail."""
        others = [each for each in calls if not each.kind.enters]
        return failed([each for each in calls if each.kind.enters], trouble) + self._do(others)

    def _do(self, calls: list[Calls[Any, Any]]) -> list[Calls[Any, Any]]:
        """Do them in one transaction, or as many as that takes."""
        return self._judge(calls, self._try(lambda: self._transact(calls))) if calls else []

    def _judge(self, calls: list[Calls[Any, Any]], problem: Exception | None) -> list[Calls[Any, Any]]:
        """What a problem means: for a batch that cannot be done, an error for each; one's fault spoils no other."""
        if problem is None:
            return calls
        kind = problem.kind if isinstance(problem, SpoolError) else None
        if kind in _OF_ONE and sum(len(each.futures) for each in calls) > 1:
            return [done for each in calls for one in each.apart() for done in self._do([one])]
        if isinstance(problem, SpoolError) and kind is Trouble.FULL:
            if any(each.kind.enters for each in calls):
                if self._disk.place.trouble() is None:
                    empty_log(self._db)  # else what it has of the refused mail stays taken, by octets that are none
                return self._refuse(calls, problem)
            problem = self._squeeze(calls, problem)
        return failed(calls, problem) if problem else calls

    def _squeeze(self, calls: list[Calls[Any, Any]], problem: Exception) -> Exception | None:
        """Do them though the disk is full: what was accepted before has room set aside for it."""
        left: Exception | None = problem
        if self._disk.place.trouble() is None:
            for is_worth_it in reliefs(self._db, self._log, self._disk.room):
                if is_worth_it:
                    left = self._try(lambda: self._transact(calls))
                if left is None:
                    break
        return left

    def _try(self, step: Callable[[], None]) -> Exception | None:
        """What is wrong, if anything is; nothing of the transaction is done then."""
        try:
            step()
        except Exception as problem:  # noqa: BLE001  # a fault must reach its caller, and leave the thread alive
            self._roll_back()
            return trouble_with(self._where, problem) or problem
        return None

    def _transact(self, calls: list[Calls[Any, Any]]) -> None:
        self._execute(calls)
        self._commit()

    def _execute(self, calls: list[Calls[Any, Any]]) -> None:
        """Their statements. Calls of one kind go together: none of them waits for another's result."""
        self._db.execute("BEGIN IMMEDIATE")
        for each in calls:
            each.results = each.kind.work(self._db, each.arguments)

    def _commit(self) -> None:
        self._db.execute("COMMIT")
        self.commits += 1

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # SQLite rolls back by itself on some errors
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _wait_for_strangers(self, milliseconds: int) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {milliseconds}")
