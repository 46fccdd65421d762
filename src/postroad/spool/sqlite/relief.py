"""What is done on a full disk, so that mail accepted earlier can be settled, and new mail gets what room is left."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from postroad.spool.sqlite import keeping
from postroad.spool.sqlite.room import Room

A = TypeVar("A")

_FILLER = "reserve"  # arrives for a moment, and is swept up as what never finished arriving if we die meanwhile

READER_MS = 100
"""How long a reader may keep the log from being emptied: a body is read in less."""


def reliefs(db: sqlite3.Connection, log: Path, room: Room) -> Iterator[bool]:
    """Do one thing after the other, the least first: whether it makes another try worth while."""
    yield check_in(db)
    freed = room.give_up_reserve()
    if freed:
        take(db, log, freed)
    yield freed > 0


def make_room(db: sqlite3.Connection, room: Room, octets: int) -> None:
    """Give back what the spool has and does not need, if that is enough for so many octets of new mail."""
    if room.is_in_log(db, octets):
        empty_log(db)
    if room.trouble(db, octets) and room.is_in_pages(db, octets):
        with suppress(sqlite3.Error):
            db.execute("VACUUM")
        empty_log(db)


def take(db: sqlite3.Connection, log: Path, octets: int) -> None:
    """Take room that has just become free, at once: other programs want it too.

    The database first grows as far as the log says, then by pages for records to come; the log gets the most.
    """
    check_in(db)
    with suppress(sqlite3.Error):
        _transact(db, keeping.write, (_FILLER, bytes(octets // 4), ""))
        check_in(db)
        _transact(db, keeping.discard, _FILLER)
    with suppress(OSError):
        fd = os.open(log, os.O_RDWR | os.O_CLOEXEC)
        try:
            # Zeros behind the last frame are no frames: SQLite's log ends before them and grows over them
            os.posix_fallocate(fd, os.fstat(fd).st_size, octets // 2)
        finally:
            os.close(fd)


def check_in(db: sqlite3.Connection) -> bool:
    """Put the log back into the database; whether all of it is there, so that the next commit begins the log anew."""
    try:
        _is_busy, frames, done = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        return False
    return bool(0 < frames == done)


def empty_log(db: sqlite3.Connection) -> None:
    """Put the log back into the database and give its room back, unless a reader is in the way for long."""
    before = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.execute(f"PRAGMA busy_timeout = {READER_MS}")
    with suppress(sqlite3.Error):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.execute(f"PRAGMA busy_timeout = {before}")


def _transact(db: sqlite3.Connection, work: Callable[[sqlite3.Connection, Sequence[A]], object], argument: A) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        work(db, [argument])
        db.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
