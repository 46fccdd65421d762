"""Opens the database with the settings that the guarantees need, and migrates its schema."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Collection
from functools import cache
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.folder import open_private, running_in
from postroad.spool.sqlite.trouble import no_place, troubles

MARK = 0x506F7374
"""`PRAGMA application_id` of a spool: no other database is taken for one."""

SCHEMA = 6
"""The version of the schema this Postroad writes: how many scripts there are."""

BUSY_S = 10.0
"""How long a commit waits for another program's."""

CHECKPOINT_PAGES = 4000
"""16 MB of log go back into the database at a time: a page that was freed and filled again meanwhile goes once."""

CACHE_KIB = 8192
"""Memory of a connection: enough for the upper floors of the indexes of a million parcels."""

LOG = 64 * 1024 * 1024
"""What is left of the log's file once a burst, or a long reader, is over."""


def prepare(where: Path, *, make: bool) -> None:
    """See that there is a file to open, or make it, empty.

    Raises:
        SpoolError: missing, or of no use.
        OSError: it cannot be seen, or made.

    """
    found = _found(where)
    if not make and not (found and found.st_size):
        raise SpoolError(Trouble.MISSING, f"there is no spool at {where}: give its folder, or start the relay once")
    if found is None:
        os.close(open_private(where))  # its log and the log's index take its mode and its owner


def open_database(where: Path, ours: Collection[str] = ()) -> sqlite3.Connection:
    """Open the database to write, its schema made or brought up to date if need be.

    Args:
        where: the file.
        ours: the names of nodes that this process has taken.

    Raises:
        SpoolError: newer, corrupt; locked: older nodes run that would not survive a step of the schema.
        sqlite3.Error: as it says.

    """
    db = connect(where)
    try:
        _check(db, where)
        _turn_to_log(db, where)
        _migrate(db, where, ours)
        _probe(db)
    except BaseException:
        db.close()
        raise
    return db


def open_to_read(where: Path) -> sqlite3.Connection:
    """Open the database to read alone: nothing of it is made, changed or brought up to date.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    with troubles(where, is_ours=False):
        prepare(where, make=False)
        # Without a log nobody has it open, and SQLite would make one that it may not take away
        how = "mode=ro" if where.with_name(f"{where.name}-wal").exists() else "immutable=1"
        db = sqlite3.connect(f"{where.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_S, isolation_level=None)
        try:
            db.text_factory = _text
            _check(db, where)
        except BaseException:
            db.close()
            raise
    return db


def connect(where: Path) -> sqlite3.Connection:
    """A connection, to be used by one thread at a time."""
    db = sqlite3.connect(where, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        _set(db)
    except BaseException:
        db.close()
        raise
    return db


def _set(db: sqlite3.Connection) -> None:
    db.text_factory = _text
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS: without it a sync ends in the drive's memory
    db.execute("PRAGMA checkpoint_fullfsync = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("PRAGMA secure_delete = OFF").fetchall()  # else each page of a body is written once more, as zeros
    db.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
    db.execute(f"PRAGMA journal_size_limit = {LOG}").fetchall()


def connect_reader(where: Path) -> sqlite3.Connection:
    """A connection that cannot write. It opens the log now: by its path, which may lead elsewhere later."""
    db = connect(where)
    db.execute("PRAGMA query_only = ON")
    db.execute("SELECT 1 FROM tally").fetchall()
    return db


def put_log_back(where: Path) -> None:
    """Put a log that was left behind into the database, on a disk that has no room for the log's index.

    Alone with the database, SQLite has that index in memory. If others have it open, there is an index already.
    """
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(where, timeout=0, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()  # first: the other settings open the log
        _set(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _found(where: Path) -> os.stat_result | None:
    try:
        found = where.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise no_place(where, "it is not a file")
    return found


def _text(octets: bytes) -> str:
    """A text, also if it is damaged: by itself SQLite would give up the whole answer."""
    return octets.decode("utf-8", "replace")


def _turn_to_log(db: sqlite3.Connection, where: Path) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":  # SQLite says no more than that
        why = f"the file system of {where} cannot hold a write-ahead log ({mode}): use a folder on a local disk"
        raise SpoolError(Trouble.FAILING, why)


def _check(db: sqlite3.Connection, where: Path) -> None:
    """Whether it is ours to open."""
    version, mark = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and mark != MARK:
        raise SpoolError(Trouble.CORRUPT, f"{where} is a database, but not a spool: choose another folder")
    if version > SCHEMA:
        why = f"{where} was made by a newer Postroad (schema {version}, this one knows {SCHEMA}): upgrade"
        raise SpoolError(Trouble.NEWER, why)


def _migrate(db: sqlite3.Connection, where: Path, ours: Collection[str]) -> None:
    """Run the scripts not run yet, all in one transaction: a spool is of the old version, or of this one."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA:
        return
    if version:
        from postroad.spool.schema import PendingMigration, steps_of  # noqa: PLC0415  # rarely needed

        running = tuple(sorted(running_in(where.parent).difference(ours)))
        PendingMigration(version, SCHEMA, steps_of(scripts(), version), running).check(str(where))
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have done it
        if version < SCHEMA:
            for script in scripts()[version:]:
                for statement in _statements(script):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA}")
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


@cache
def scripts() -> tuple[str, ...]:
    """Those of all versions, in order."""
    from importlib import resources  # noqa: PLC0415  # rarely needed, and large

    folder = resources.files("postroad.spool") / "sql"
    return tuple([file.read_text("utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)])


@cache
def _statements(script: str) -> tuple[str, ...]:
    """The statements of a script: a trigger has semicolons inside."""
    statements, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return tuple(statements)
