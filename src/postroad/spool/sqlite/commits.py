"""Commits a group of calls as one transaction, and handles what may go wrong: disk, other processes, a faulty call."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.group import Calls, CommitGroup, failed
from postroad.spool.sqlite.folder import LOG, TURN, open_lock
from postroad.spool.sqlite.place import SpoolFile
from postroad.spool.sqlite.relief import empty_log, make_room, reliefs
from postroad.spool.sqlite.room import Room
from postroad.spool.sqlite.trouble import trouble_with, trouble_with_file

BUSY_MS = 10_000
"""How long a program that is none of ours may hold the lock. The loop does not wait for it, the thread does."""

_OF_ONE = {None, Trouble.CORRUPT}
"""Troubles of one call, which spoil no other: a fault, a damaged page or row. The others are the disk's."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The storage under the database: whether it is still in its place, and what room there is."""

    place: SpoolFile
    room: Room

    def trouble(self, db: sqlite3.Connection, octets: int) -> SpoolError | None:
        """Why so much new mail should not go onto it."""
        return self.place.trouble() or self.room.trouble(db, octets)


class Commits:
    """The committer of groups of calls on a connection, in the turn of this process.

    `begin` never waits; `end` does, for the disk and for other processes. One thread at a time uses this.
    """

    def __init__(self, db: sqlite3.Connection, where: Path, disk: Disk) -> None:
        self._db = db
        self._where = where
        self._log = where.with_name(LOG)
        self._disk = disk
        try:
            self._turn = open_lock(where.parent, TURN)
        except OSError as problem:
            raise trouble_with_file(where.parent, problem) from problem
        self._wait_for_strangers(0)
        self.count = 0

    def begin(self, group: CommitGroup) -> bool:
        """Do its statements, all but COMMIT, if it is our turn and nothing is in the way; whether that is done."""
        return self._is_our_turn() and self._has_begun(group)

    def end(self, group: CommitGroup) -> list[Calls[Any, Any]]:
        """Commit a group that is begun, or do all of it: its calls have their results then, or what is wrong."""
        try:
            return self._end(group)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the log empty, if nobody is in the way: else the next start does it."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()
        self._turn.close()

    def _is_our_turn(self) -> bool:
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _has_begun(self, group: CommitGroup) -> bool:
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

    def _end(self, group: CommitGroup) -> list[Calls[Any, Any]]:
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
        if kind in _OF_ONE and sum(len(each.arguments) for each in calls) > 1:
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
            each.results = each.kind.work(self._db, each.arguments)  # type: ignore[assignment]  # SQLite awaits nothing

    def _commit(self) -> None:
        self._db.execute("COMMIT")
        self.count += 1

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # SQLite rolls back by itself on some errors
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _wait_for_strangers(self, milliseconds: int) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {milliseconds}")
