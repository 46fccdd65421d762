"""Brings the schema of a spool in a folder to this version, at a time of somebody's choosing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from postroad.spool.schema import PendingMigration, steps_of
from postroad.spool.sqlite import file
from postroad.spool.sqlite.folder import FILE, running_in
from postroad.spool.sqlite.trouble import troubles


def pending_folder(folder: Path) -> PendingMigration:
    """What is to be done.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    where = folder / FILE
    with closing(file.open_to_read(where)) as db, troubles(where):
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
    running = tuple(sorted(running_in(folder)))
    return PendingMigration(version, file.SCHEMA, steps_of(file.scripts(), version), running)


def migrate_folder(folder: Path) -> None:
    """Do it.

    Raises:
        SpoolError: missing, newer, corrupt, locked, read-only, full.

    """
    where = folder / FILE
    with troubles(where):
        file.prepare(where, make=False)
        file.open_database(where).close()
