"""What SQLite complains of, as a SpoolError that says what, where, and how to mend it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble

_WRITES = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}
"""Input/output errors that are a want of room: SQLite says FULL for ENOSPC alone, not for a quota (EDQUOT, EFBIG)."""

_KINDS = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.READ_ONLY,
    sqlite3.SQLITE_AUTH: Trouble.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Trouble.READ_ONLY,
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Trouble.LOCKED,
    sqlite3.SQLITE_CORRUPT: Trouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: Trouble.CORRUPT,
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
}

_SENTENCES = {
    Trouble.FULL: "no room left for the spool {where}: make room on its file system, or raise the quota",
    Trouble.READ_ONLY: "the spool {where} cannot be written: give the user who runs postroad the folder and its files",
    Trouble.LOCKED: "the spool {where} is locked by another program: end the one that has it open for long",
    Trouble.CORRUPT: "the spool {where} is no database or a damaged one: put it aside, and save what is left of it "
    "with `sqlite3 spool.db .recover`",
    Trouble.FAILING: "the disk under the spool {where} fails to read or write: see the kernel's log",
}


def trouble_with(where: Path, problem: sqlite3.Error) -> SpoolError | None:
    """The error for callers; None if it is no trouble with the disk but a fault in the program."""
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        return None
    kind = Trouble.FULL if code in _WRITES else _KINDS.get(code & 0xFF)
    if kind is None:
        return None
    return SpoolError(kind, f"{_SENTENCES[kind].format(where=where)} ({problem})")


def closed(where: Path) -> SpoolError:
    """What a call after the end gets."""
    return SpoolError(Trouble.CLOSED, f"the spool {where} is closed")
