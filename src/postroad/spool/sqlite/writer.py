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

from postroad.spool.sqlite.trouble import closed, trouble_with

A = TypeVar("A")
R = TypeVar("R")
Work = Callable[[sqlite3.Connection, Sequence[A]], Sequence[R]]
"""Does all calls of one kind, given by their arguments, at once: one result each, in order."""

TURN = "writers.lock"
"""Locked by the process that commits. SQLite waits by sleeping, up to 100 ms; this wait ends when the commit does."""

MOST = 500
"""Calls in one commit: what bounds the wait of the first of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One call, and where its result goes. `unwanted` gets the result if nobody waits for it any more."""

    work: Work[Any, Any]
    argument: Any
    future: asyncio.Future[Any]
    unwanted: Callable[[Any], object] | None = None


class Writer:
    """Runs work in transactions on a connection of its own, in a thread of its own."""

    def __init__(self, db: sqlite3.Connection, where: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._db = db
        self._where = where
        self._loop = loop
        self._turn = (where.parent / TURN).open("a")
        self._gathered: SimpleQueue[Job | None] = SimpleQueue()
        self.is_closed = False
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[A, R], argument: A, unwanted: Callable[[R], object] | None = None) -> asyncio.Future[R]:
        """Have it done in the next commit; the future is done when that is on the disk.

        Raises:
            SpoolError: closed.

        """
        if self.is_closed:
            raise closed(self._where)
        future: asyncio.Future[R] = self._loop.create_future()
        self._gathered.put(Job(work, argument, future, unwanted))
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
            results = self._commit(jobs) if jobs else []
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

    def _commit(self, jobs: list[Job]) -> list[Any]:
        """The results: of a batch that cannot be done, an error for each; a fault in one does not spoil the others."""
        try:
            return self._together(jobs)
        except Exception as problem:  # noqa: BLE001  # a fault must reach its caller, and leave the thread alive
            self._roll_back()
            trouble = trouble_with(self._where, problem) if isinstance(problem, sqlite3.Error) else None
            if len(jobs) == 1 or trouble:
                return [trouble or problem for _ in jobs]
        return [self._commit([job])[0] for job in jobs]

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
