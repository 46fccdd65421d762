"""The folder on disk: made, locked, opened, brought up to date."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import IO

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.trouble import trouble_with

FILE = "spool.db"
MARK = 0x506F7374
"""`PRAGMA application_id` of a spool: no other database is taken for one."""

BUSY_S = 10.0
"""How long a commit waits for another program's."""

CHECKPOINT_PAGES = 4000
"""16 MB of log go back into the database at a time: a page that was freed and filled again meanwhile goes once."""

CACHE_KIB = 8192
"""Memory of a connection: enough for the upper floors of the indexes of a million parcels."""

LOG = 64 * 1024 * 1024
"""What is left of the log's file once a burst, or a long reader, is over."""

_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")  # it names a file


def take_folder(folder: Path, node: str) -> IO[str]:
    """Make the folder if there is none, and take the node's name in it: until the file is closed or the process ends.

    Raises:
        SpoolError: read-only: not ours to write; locked: a living process has the name.
        ValueError: no name for a node.

    """
    if not _NODE.match(node):
        raise ValueError(f"{node!r} is no name for a node: letters, digits, dots, hyphens")
    try:
        _make(folder)
        file = (folder / f"{node}.lock").open("a+")
    except OSError as problem:
        why = f"the spool {folder} cannot be made or written: {problem.strerror}; give it to the user of postroad"
        raise SpoolError(Trouble.READ_ONLY, why) from problem
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        raise _taken(folder, node, file) from problem
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def open_database(where: Path, *, make: bool) -> sqlite3.Connection:
    """Open the database to write, made or brought up to date if need be.

    Raises:
        SpoolError: missing, newer, corrupt, locked, read-only, full.

    """
    if not make and not _is_there(where):
        raise SpoolError(Trouble.MISSING, f"there is no spool {where}: name its folder, or start the relay once")
    if make:
        # Whatever the umask and the mode of the folder: its files take the mode of the database
        os.close(os.open(where, os.O_CREAT | os.O_WRONLY, 0o600))
    with troubles(where):
        db = connect(where)
        try:
            _check(db, where)
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            _migrate(db)
            _probe(db)
        except BaseException:
            db.close()
            raise
    return db


def connect(where: Path) -> sqlite3.Connection:
    """A connection, to be used by one thread at a time."""
    db = sqlite3.connect(where, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("PRAGMA secure_delete = OFF").fetchall()  # else each page of a body is written once more, as zeros
    db.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
    db.execute(f"PRAGMA journal_size_limit = {LOG}").fetchall()
    return db


def connect_reader(where: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    db = connect(where)
    db.execute("PRAGMA query_only = ON")
    return db


def newest_version() -> int:
    """The version of the schema this Postroad writes."""
    return len(_scripts())


def _is_there(where: Path) -> bool:
    try:
        return where.stat().st_size > 0
    except FileNotFoundError:
        return False
    except PermissionError as problem:
        why = f"the spool {where} is not for this user: ask as the user of the relay, or as root"
        raise SpoolError(Trouble.READ_ONLY, why) from problem


def _make(folder: Path) -> None:
    """For its owner alone: it holds other people's mail. A power cut must not lose the folder with the mail in it."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _check(db: sqlite3.Connection, where: Path) -> None:
    """Whether it is ours to open."""
    version, mark = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and mark != MARK:
        raise SpoolError(Trouble.CORRUPT, f"{where} is a database, but no spool: name another folder")
    if version > newest_version():
        why = f"{where} was made by a newer Postroad (schema {version}, this one knows {newest_version()}): upgrade"
        raise SpoolError(Trouble.NEWER, why)


def _migrate(db: sqlite3.Connection) -> None:
    """Run the scripts not run yet, each in a transaction of its own."""
    for number, script in enumerate(_scripts(), start=1):
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] < number:
                for statement in _statements(script):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
                db.execute(f"PRAGMA application_id = {MARK}")
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


def _probe(db: sqlite3.Connection) -> None:
    """Walk down both edges of every table: cheap, however many rows, and finds a file cut short."""
    for table in ("message", "parcel", "piece", "record"):
        for edge in ("min", "max"):  # in one statement the two would read the whole table
            db.execute(f"SELECT {edge}(rowid) FROM {table}").fetchone()  # noqa: S608  # named above


def _scripts() -> list[str]:
    folder = resources.files("postroad.spool") / "sql"
    return [file.read_text("utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)]


def _statements(script: str) -> Iterator[str]:
    """The statements of a script: a trigger has semicolons inside."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _taken(folder: Path, node: str, file: IO[str]) -> SpoolError:
    file.seek(0)
    pid = file.read().strip() or "unknown"
    file.close()
    why = f"the spool {folder} is in use: process {pid} is its node {node!r}; end it, or give this one another name"
    return SpoolError(Trouble.LOCKED, why)


@contextlib.contextmanager
def troubles(where: Path) -> Iterator[None]:
    """What SQLite complains of inside becomes a SpoolError."""
    try:
        yield
    except sqlite3.Error as problem:
        trouble = trouble_with(where, problem)
        if trouble is None:
            raise
        raise trouble from problem
