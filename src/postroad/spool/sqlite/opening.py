"""Opens a spool's folder and its database, and says what prevents that."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite import file, lanes
from postroad.spool.sqlite.commits import Commits, Disk
from postroad.spool.sqlite.folder import FILE, LOG, Hold, take_folder
from postroad.spool.sqlite.place import SpoolFile
from postroad.spool.sqlite.relief import take
from postroad.spool.sqlite.room import Room
from postroad.spool.sqlite.trouble import troubles


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that is ready: who commits to it, connections that only read, and a node's hold on the folder."""

    where: Path
    commits: Commits
    disk: Disk
    readers: Sequence[sqlite3.Connection]
    hold: Hold | None


def open_folder(folder: Path, name: str, reserve: int, readers: int) -> Opened:
    """Open the spool in a folder, for the node of this name or, with "", for a tool. See SqliteSpool.open.

    Raises:
        SpoolError: locked, missing, newer, corrupt, read-only, full.

    """
    where, room = folder / FILE, Room(folder, reserve)
    with troubles(where, is_ours=bool(name)), contextlib.ExitStack() as undo:
        hold = take_folder(folder, name) if name else None
        if hold:
            undo.callback(hold.lock.close)
        if room.is_used_up() and where.exists():
            file.put_log_back(where)
        try:
            commits, disk, connections = _open_database(where, name, room, readers)
        except SpoolError as trouble:
            freed = room.give_up_reserve() if trouble.kind is Trouble.FULL else 0
            if not freed:
                raise
            commits, disk, connections = _open_database(where, name, room, readers, freed)
        undo.pop_all()
    return Opened(where, commits, disk, connections, hold)


def _open_database(
    where: Path, name: str, room: Room, readers: int, freed: int = 0
) -> tuple[Commits, Disk, list[sqlite3.Connection]]:
    with troubles(where, is_ours=bool(name)), contextlib.ExitStack() as undo:
        file.prepare(where, make=bool(name))
        place = SpoolFile(where)
        db = file.open_database(where, {name})
        undo.callback(db.close)
        if name:
            lanes.take_back(db, name)
            room.make_reserve()
        if freed:
            take(db, where.with_name(LOG), freed)
        connections = [undo.enter_context(contextlib.closing(file.connect_reader(where))) for _ in range(readers)]
        place.check()
        place.watch_log()
        disk = Disk(place, room)
        commits = Commits(db, where, disk)
        undo.pop_all()
    return commits, disk, connections
