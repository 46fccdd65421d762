"""Turns SQLite's errors into a SpoolError that says what is wrong, where, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.rows import Damaged

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
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
}
"""All else is damage: the statements are tested, so a schema or a row that they do not fit is none that we wrote."""

_SENTENCES = {
    Trouble.FULL: "no space left for the spool {where}: free space on its file system, or raise the quota",
    Trouble.READ_ONLY: "the spool {where} cannot be written: give its folder and files to the user of postroad",
    Trouble.LOCKED: "the spool {where} is locked by another program: stop the program that keeps it open",
    Trouble.CORRUPT: "the spool {where} is not a database, or is damaged: stop the relay, save what can be read "
    "with `sqlite3 {where} .recover | sqlite3 recovered.db`, and put that in its place",
    Trouble.FAILING: "the disk under the spool {where} fails to read or write: see the kernel's log",
}


def trouble_with(where: Path, problem: Exception) -> SpoolError | None:
    """The error for callers; None if it is no trouble with the disk but a fault in the program."""
    if isinstance(problem, SpoolError):
        return problem
    if isinstance(problem, sqlite3.ProgrammingError) or not isinstance(problem, _SAID):
        return None
    if isinstance(problem, sqlite3.IntegrityError):
        return SpoolError(Trouble.CORRUPT, f"{_CONTRADICTION.format(where=where)} ({problem})")
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:
        kind = Trouble.CORRUPT
    else:
        kind = Trouble.FULL if code in _WRITES else _KINDS.get(code & 0xFF, Trouble.CORRUPT)
    return SpoolError(kind, f"{_SENTENCES[kind].format(where=where)} ({problem})")


def trouble_with_file(where: Path, problem: OSError) -> SpoolError:
    """The same for a file that the system does not let us have."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpoolError(Trouble.FULL, _SENTENCES[Trouble.FULL].format(where=where))
    if problem.errno in _NO_PLACE:
        return no_place(where, str(problem.strerror))
    why = f"the spool {where} cannot be created or written: {problem.strerror}; make the user of postroad its owner"
    return SpoolError(Trouble.READ_ONLY, why)


def no_place(where: Path, why: str) -> SpoolError:
    """Who owns it is not the point: there can be no spool at this path."""
    return SpoolError(Trouble.READ_ONLY, f"{where} cannot be a spool: {why}; set spool.path or --spool to a folder")


_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}


_CONTRADICTION = (
    "the spool {where} has a row that contradicts what is to be written: it is damaged, or this is an error of "
    "postroad; `sqlite3 {where} 'PRAGMA integrity_check'` tells which: please report it if that says ok"
)

_SAID = (sqlite3.DatabaseError, Damaged, UnicodeDecodeError)
"""What comes of a database. The last one when SQLite quotes damaged octets in what it complains of."""


@contextlib.contextmanager
def troubles(where: Path, *, is_ours: bool = True) -> Iterator[None]:
    """What the system or SQLite complains of inside becomes a SpoolError, and so does what we never wrote.

    A tool may look at the spool of another user, whom it stays with: then it is not `is_ours`.
    """
    try:
        yield
    except Exception as problem:
        trouble = trouble_with_file(where, problem) if isinstance(problem, OSError) else trouble_with(where, problem)
        if trouble and trouble is not problem and trouble.kind is Trouble.READ_ONLY and not is_ours:
            trouble = _not_for_us(where, problem)
        if trouble is None or trouble is problem:
            raise
        raise trouble from problem


def _not_for_us(where: Path, problem: Exception) -> SpoolError:
    if isinstance(problem, OSError) and problem.errno in _NO_PLACE:
        return trouble_with_file(where, problem)
    why = f"the spool {where} cannot be opened by this user: run this as the user of the relay, or as root"
    return SpoolError(Trouble.READ_ONLY, why)


def closed(where: Path) -> SpoolError:
    """What a call after the end gets."""
    return SpoolError(Trouble.CLOSED, f"the spool {where} is closed")
