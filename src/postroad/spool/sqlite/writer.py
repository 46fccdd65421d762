"""The one thread that writes: what gathers while it commits goes into its next commit."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.folder import LOG, open_lock
from postroad.spool.sqlite.place import Place
from postroad.spool.sqlite.relief import reliefs
from postroad.spool.sqlite.room import Room
from postroad.spool.sqlite.trouble import closed, trouble_with, trouble_with_file

A = TypeVar("A")
R = TypeVar("R")
Work = Callable[[sqlite3.Connection, Sequence[A]], Sequence[R]]
"""Does all calls of one kind, given by their arguments, at once: one result each, in order."""

TURN = "writers"
"""The lock of the process that commits. SQLite waits by sleeping, up to 100 ms; this wait ends when the commit does."""

MOST = 500
"""Calls in one commit: what bounds the wait of the first of them."""

_OF_ONE = {None, Trouble.CORRUPT}
"""Troubles of one call, which spoil no other: a fault, a damaged page or row. The others are the disk's."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One call, and where its result goes. `unwanted` gets the result if nobody waits for it any more.

    `enters`: it brings mail, which is refused where it could be lost, or what was accepted before needs the room.
    """

    work: Work[Any, Any]
    argument: Any
    future: asyncio.Future[Any]
    unwanted: Callable[[Any], object] | None = None
    enters: bool = False


@dataclass(frozen=True, slots=True)
class Disk:
    """What the database lies on: whether it is still in its place, and what room there is."""

    place: Place
    room: Room


class Writer:
    """Runs work in transactions on a connection of its own, in a thread of its own."""

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
        self._gathered: SimpleQueue[Job | None] = SimpleQueue()
        self.is_closed = False
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Work[A, R],
        argument: A,
        unwanted: Callable[[R], object] | None = None,
        *,
        enters: bool = False,
    ) -> asyncio.Future[R]:
        """Have it done in the next commit; the future is done when that is on the disk.

        Raises:
            SpoolError: closed.

        """
        if self.is_closed:
            raise closed(self._where)
        future: asyncio.Future[R] = self._loop.create_future()
        self._gathered.put(Job(work, argument, future, unwanted, enters))
        return future

    async def close(self) -> None:
        """Do what was asked for, then end."""
        if not self.is_closed:
            self.is_closed = True
            self._gathered.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            first = self._gathered.get()
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            jobs, goes_on = self._gather(first)
            results = self._do(jobs)
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            self._hand_over(jobs, results)
        with contextlib.suppress(sqlite3.Error):  # a reader may be in the way; the next start does it
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()
        self._turn.close()

    def _gather(self, job: Job | None) -> tuple[list[Job], bool]:
        """Take the calls that came with this one; False if that was the end."""
        jobs: list[Job] = []
        with contextlib.suppress(Empty):
            while job is not None:
                jobs.append(job)
                if len(jobs) == MOST:
                    return jobs, True
                job = self._gathered.get_nowait()
            return jobs, False
        return jobs, True

    def _do(self, jobs: list[Job]) -> list[Any]:
        """The results. Mail goes into no file that nobody would find again."""
        trouble = self._disk.place.trouble() if any(job.enters for job in jobs) else None
        return self._refuse(jobs, trouble) if trouble else self._commit(jobs)

    def _refuse(self, jobs: list[Job], trouble: SpoolError) -> list[Any]:
        """Do all but those that bring mail."""
        others = iter(self._commit([job for job in jobs if not job.enters]))
        return [trouble if job.enters else next(others) for job in jobs]

    def _commit(self, jobs: list[Job]) -> list[Any]:
        """The results: of a batch that cannot be done, an error for each; a fault in one does not spoil the others."""
        if not jobs:
            return []
        done, problem = self._try(jobs)
        if problem is None:
            return done
        kind = problem.kind if isinstance(problem, SpoolError) else None
        if kind in _OF_ONE and len(jobs) > 1:
            return [self._commit([job])[0] for job in jobs]
        if isinstance(problem, SpoolError) and kind is Trouble.FULL:
            if any(job.enters for job in jobs):
                return self._refuse(jobs, problem)
            return self._squeeze(jobs, problem)
        return [problem for _ in jobs]

    def _squeeze(self, jobs: list[Job], problem: Exception | None) -> list[Any]:
        """Do them though the disk is full: what was accepted before has room set aside for it."""
        done: list[Any] = []
        if self._disk.place.trouble() is None:
            for is_worth_it in reliefs(self._db, self._log, self._disk.room):
                if is_worth_it and problem:
                    done, problem = self._try(jobs)
                if problem is None:
                    return done
        return [problem for _ in jobs]

    def _try(self, jobs: list[Job]) -> tuple[list[Any], Exception | None]:
        """The results, or what is wrong; nothing of it is done then."""
        try:
            return self._together(jobs), None
        except Exception as problem:  # noqa: BLE001  # a fault must reach its caller, and leave the thread alive
            self._roll_back()
            return [], trouble_with(self._where, problem) or problem

    def _together(self, jobs: list[Job]) -> list[Any]:
        """Run them in one transaction. Calls of one kind go together: none of them waits for another's result."""
        kinds: dict[Work[Any, Any], list[int]] = {}
        for place, job in enumerate(jobs):
            kinds.setdefault(job.work, []).append(place)
        results: list[Any] = [None] * len(jobs)
        self._db.execute("BEGIN IMMEDIATE")
        for work, places in kinds.items():
            for place, result in zip(places, work(self._db, [jobs[place].argument for place in places]), strict=True):
                results[place] = result
        self._db.execute("COMMIT")
        self.commits += 1
        return results

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # SQLite rolls back by itself on some errors
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _hand_over(self, jobs: list[Job], results: list[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(_tell, jobs, results)


def _tell(jobs: list[Job], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if not job.future.done():
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        elif job.unwanted and not isinstance(result, Exception):
            job.unwanted(result)
