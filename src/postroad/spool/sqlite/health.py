"""What `spool check` looks at: it reads, and locks nothing."""

from __future__ import annotations

import contextlib
import os
import pwd
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from postroad.spool.health import (
    FolderHealth,
    HealthCode,
    HealthFinding,
    NodeHealth,
    SpoolHealth,
    old_schema,
    unfinished_move,
)
from postroad.spool.moving import MoveRole
from postroad.spool.sqlite import cargo, file
from postroad.spool.sqlite.folder import FILE, LOG, RESERVE, running_in
from postroad.spool.sqlite.trouble import troubles

TICK = 100_000
"""Steps of SQLite between two signs of life."""

MIB = 1024 * 1024
LITTLE = 64 * MIB
FREE_MOST = 256 * MIB

_NODES = """
SELECT name, renewed_at, (SELECT count(*) FROM parcel WHERE parcel.node = node.name) FROM node
UNION SELECT node, NULL, count(*) FROM parcel WHERE node IS NOT NULL AND node NOT IN (SELECT name FROM node)
GROUP BY node
"""


def check_folder(folder: Path, now: float, tick: Callable[[], None]) -> SpoolHealth:
    """The health of the spool in a folder.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    where = folder / FILE
    with closing(file.open_to_read(where)) as db, troubles(where):
        running = running_in(folder)
        db.set_progress_handler(tick, TICK)
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        nodes = tuple(_nodes(db, running, now))
        disk = _disk(db, folder)
        findings = (
            *_of_schema(db, str(folder), version),
            *_of_damage(db, str(where)),
            *_of_nodes(nodes, str(folder)),
            *_of_disk(disk, folder),
        )
    return SpoolHealth(str(folder), version, file.SCHEMA, nodes, findings, folder=disk)


def _nodes(db: sqlite3.Connection, running: frozenset[str], now: float) -> Iterator[NodeHealth]:
    found = {name: (at, claimed) for name, at, claimed in db.execute(_NODES)}
    for name in sorted({*found, *running}):
        at, claimed = found.get(name, (None, 0))
        yield NodeHealth(name, None if at is None else max(0.0, now - at), claimed, alive=name in running)


def _disk(db: sqlite3.Connection, folder: Path) -> FolderHealth:
    page, free = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_size", "freelist_count"))
    info, disk = folder.stat(), os.statvfs(folder)
    return FolderHealth(
        size=_size(folder / FILE),
        free_pages=page * free,
        log=_size(folder / LOG),
        reserve=_size(folder / RESERVE),
        free_disk=disk.f_bavail * disk.f_frsize,
        owner=_user(info.st_uid),
        mode=f"{stat.S_IMODE(info.st_mode):04o}",
    )


def _of_schema(db: sqlite3.Connection, where: str, version: int) -> Iterator[HealthFinding]:
    if version < file.SCHEMA:
        yield old_schema(where, version, file.SCHEMA)
    for way in MoveRole:
        if header := cargo.header(db, way):
            yield unfinished_move(where, header.other, enters=way is MoveRole.IN)


def _of_damage(db: sqlite3.Connection, where: str) -> Iterator[HealthFinding]:
    try:
        texts = [text for (text,) in db.execute("PRAGMA quick_check(10)").fetchall()]
    except sqlite3.DatabaseError as problem:
        texts = [str(problem)]
    fix = f"stop the relay, run `sqlite3 {where} .recover | sqlite3 recovered.db`, and put that in its place"
    for text in texts:
        if text != "ok":
            yield HealthFinding(HealthCode.DAMAGED, f"SQLite says: {text}", where, fix)


def _of_nodes(nodes: tuple[NodeHealth, ...], where: str) -> Iterator[HealthFinding]:
    """A node that does not run has claims only until the next one that runs has waited for its lease."""
    if any(node.alive for node in nodes):
        for node in nodes:
            if node.claimed and not node.alive and (node.renewed_s or 0.0) > 2 * file.BUSY_S + 60.0:
                what = f"node {node.name} does not run, and {node.claimed} parcels are still claimed by it"
                yield HealthFinding(HealthCode.DEAD_NODE, what, where, "restart the relay")


def _of_disk(disk: FolderHealth, folder: Path) -> Iterator[HealthFinding]:
    where = str(folder)
    if int(disk.mode, 8) & 0o077:
        what = f"users other than its owner may enter the folder (mode {disk.mode})"
        yield HealthFinding(HealthCode.OPEN_TO_OTHERS, what, where, f"run `chmod 0700 {folder}`")
    for name in (FILE, LOG):
        with contextlib.suppress(FileNotFoundError):
            if (owner := _user((folder / name).stat().st_uid)) != disk.owner:
                what = f"{name} belongs to {owner}, the folder to {disk.owner}"
                fix = f"run `chown {disk.owner} {folder / name}`"
                yield HealthFinding(HealthCode.OPEN_TO_OTHERS, what, where, fix)
    if disk.free_disk < LITTLE:
        what = f"{disk.free_disk // MIB} MiB of the disk are free: new mail is refused below spool.reserve"
        yield HealthFinding(HealthCode.LITTLE_ROOM, what, where, "free space on its file system")
    if disk.log > 2 * file.LOG:
        what = f"the log has {disk.log // MIB} MiB: a program that reads keeps it from being written back"
        yield HealthFinding(HealthCode.LARGE_LOG, what, where, "end what keeps the database open, or restart the relay")
    if disk.free_pages > FREE_MOST and disk.free_pages > disk.size // 2:
        what = f"{disk.free_pages // MIB} of {disk.size // MIB} MiB are free pages"
        fix = f"to give them back, stop the relay and run `sqlite3 {folder / FILE} VACUUM`"
        yield HealthFinding(HealthCode.FREE_PAGES, what, where, fix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
