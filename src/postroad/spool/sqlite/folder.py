"""The folder on disk: creates it, closes it to other users, creates its files, and locks the names of nodes."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.trouble import trouble_with_file

FILE = "spool.db"
LOG = f"{FILE}-wal"
RESERVE = "reserve.bin"
TURN = "writers"
"""The lock of the process that commits. SQLite waits by sleeping, up to 100 ms; this wait ends when the commit does."""

_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")  # it names a file
_OURS = re.compile(r"spool\.db(-wal|-shm|-journal)?|reserve\.bin|[A-Za-z0-9_.-]+\.lock|lost\+found")
_PID = 10  # always as many characters: what is written over needs no room, even on a full disk


@dataclass(frozen=True, slots=True)
class Hold:
    """A node's name in a folder, until `lock` is closed or the process ends. `remarks`: what was put right for it."""

    lock: IO[str]
    remarks: tuple[str, ...] = ()


def take_folder(folder: Path, node: str) -> Hold:
    """Make the folder if there is none, close it to other users, and take the node's name in it.

    Raises:
        SpoolError: read-only: not ours to write, or to close; locked: a living process has the name.
        ValueError: no name for a node.

    """
    if not _NODE.match(node) or node == TURN:
        raise ValueError(f"{node!r} is not a name for a node: use letters, digits, dots and hyphens, but not {TURN!r}")
    try:
        _make(folder)
        remarks = _close(folder)
        lock = open_lock(folder, node)
    except OSError as problem:
        raise trouble_with_file(folder, problem) from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        raise _taken(folder, node, lock) from problem
    _sign(lock)
    return Hold(lock, remarks)


def make_folder(folder: Path) -> None:
    """Make the folder if there is none, and close it to other users.

    Raises:
        SpoolError: read-only: not ours to write, or to close.

    """
    try:
        _make(folder)
        _close(folder)
    except OSError as problem:
        raise trouble_with_file(folder, problem) from problem


def names_in(folder: Path) -> frozenset[str]:
    """The names that nodes have had in a folder."""
    return frozenset(file.stem for file in folder.glob("*.lock") if file.stem != TURN and _NODE.match(file.stem))


def running_in(folder: Path) -> frozenset[str]:
    """The names of nodes that run. Each lock is tried for a moment, and only shared: no node that runs notices."""
    return frozenset(name for name in names_in(folder) if _is_taken(folder / f"{name}.lock"))


def take_names(folder: Path, names: Collection[str]) -> list[IO[str]]:
    """Take these names, so that no relay runs nor starts.

    Raises:
        SpoolError: locked: a living process has one; read-only.

    """
    with ExitStack() as undo:
        locks = [undo.enter_context(take_folder(folder, name).lock) for name in sorted(names)]
        undo.pop_all()
    return locks


def open_lock(folder: Path, name: str) -> IO[str]:
    """The file to lock for a name, made if need be."""
    return os.fdopen(open_private(folder / f"{name}.lock"), "r+")


def open_private(where: Path) -> int:
    """A file of the spool, made if need be: for the owner of the folder alone, whoever made it."""
    fd = os.open(where, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with suppress(PermissionError):  # another user's, or a root without the powers of one: it is open, that will do
        os.fchmod(fd, 0o600)
        if os.geteuid() == 0:
            owner = where.parent.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


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


def _is_taken(lock: Path) -> bool:
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # gone, or not ours to read: nobody's business
        return False
    return False


def _close(folder: Path) -> tuple[str, ...]:
    """Close the folder to other users; what was done, in a sentence."""
    info = folder.stat()
    mode = stat.S_IMODE(info.st_mode)
    if not mode & 0o077:
        return ()
    others = f"users other than its owner may enter the spool folder {folder} (mode {mode:04o})"
    if foreign := sorted(each.name for each in folder.iterdir() if not _OURS.fullmatch(each.name)):
        # It may be /tmp, or somebody's home: not ours to close
        why = f"{others}, and it contains more than a spool ({foreign[0]}): set spool.path to a folder of its own"
        raise SpoolError(Trouble.READ_ONLY, why)
    if os.geteuid() not in (0, info.st_uid):
        raise SpoolError(Trouble.READ_ONLY, f"{others}: run `chmod 0700 {folder}` as its owner or as root")
    folder.chmod(0o700)
    return (f"{others}: its mode is 0700 now",)


def _sign(lock: IO[str]) -> None:
    """Say whose it is, for people: a disk that has no room for it stops nobody."""
    try:
        os.pwrite(lock.fileno(), f"{os.getpid():<{_PID}}\n".encode(), 0)  # not kept for later: closing it would fail
    except OSError:
        os.ftruncate(lock.fileno(), 0)


def _taken(folder: Path, node: str, lock: IO[str]) -> SpoolError:
    pid = lock.read().strip() or "unknown"
    lock.close()
    why = f"the spool {folder} is in use: process {pid} is its node {node!r}; end it, or give this one another name"
    return SpoolError(Trouble.LOCKED, why)
