"""Room on the disk: new mail is refused while it is short, so that accepted mail can always be settled."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.folder import FILE, LOG, RESERVE, open_private

RESERVE_MOST = 32 * 1024 * 1024

LOG_SHARE = 4
"""The part of the reserve, a fourth, that free pages cannot stand for: the log is written on the disk itself."""

START = 1024 * 1024
"""What a start may write: the log's index, its own claims taken back."""

COPIED_MOST = 32 * 1024 * 1024
"""What the database may hold to be written anew while mail waits: through memory, in less than a second."""


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """The free space that a look finds, in octets.

    `left` is free on the disk, without what the database still grows by when the log goes back into it; `pages` is free
    in the database; `kept` is in the other pages; `log` is the size of the log's file.
    """

    left: int
    pages: int
    kept: int
    log: int

    def fits(self, octets: int, reserve: int) -> bool:
        """Whether new mail leaves the reserve, free pages counted, and of that a quarter for the log to grow into.

        It is written twice: to the log, which is on the disk, and later to free pages, or else behind the last one. As
        SQLite takes free pages first, the database grows only while all of the reserve is free on the disk.
        """
        return self.left + self.pages - 2 * octets >= reserve and self.left - octets >= reserve // LOG_SHARE


class Room:
    """The reserve of disk space: whether `reserve` octets are free, and a file to give up when nothing is."""

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._size = min(reserve // 2, RESERVE_MOST)
        self._log = str(folder / LOG)

    def trouble(self, db: sqlite3.Connection, octets: int) -> SpoolError | None:
        """Why new mail of so many octets is not let in: it would leave less than the reserve.

        It looks each time, in some microseconds: what was found a moment ago, faster clients have filled since.
        """
        if self._is_ample(octets):
            return None
        found = self._look(db)
        if found is None or found.fits(octets, self._reserve):
            return None
        left, pages, kept = max(0, found.left) >> 20, found.pages >> 20, self._reserve >> 20
        why = (
            f"{self._folder} has {left} MiB free, its database {pages} MiB, and {kept} MiB are kept for settling: "
            "make room"
        )
        return SpoolError(Trouble.FULL, why)

    def is_in_log(self, db: sqlite3.Connection, octets: int) -> bool:
        """Whether the log's file has the room that so many octets want.

        Not counting a quarter of the reserve, which it may have been given to settle with on a disk that others fill.
        """
        found = self._look(db)
        if found is None:
            return False
        spare = max(0, found.log - self._reserve // LOG_SHARE)
        return FreeSpace(found.left + spare, found.pages, found.kept, 0).fits(octets, self._reserve)

    def is_in_pages(self, db: sqlite3.Connection, octets: int) -> bool:
        """Whether it is in free pages that the database could give back, in a moment and with the room that is left."""
        found = self._look(db)
        if found is None or found.kept > min(found.left // 2, COPIED_MOST):
            return False
        return FreeSpace(found.left + found.pages, 0, found.kept, found.log).fits(octets, self._reserve)

    def _is_ample(self, octets: int) -> bool:
        """Whether it fits in any case: the database grows by no more than the log has."""
        try:
            return free_in(self._folder) - os.stat(self._log).st_size - 2 * octets >= self._reserve  # noqa: PTH116  # quick
        except OSError:
            return False

    def _look(self, db: sqlite3.Connection) -> FreeSpace | None:
        """None: nothing is asked for, or it is gone, as its place says, or damaged, as its statements say."""
        if not self._reserve:
            return None
        with suppress(OSError, sqlite3.Error):
            count, unused, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
            # By their paths, never opened: SQLite's locks end when any descriptor of a file is closed (fcntl(2))
            grown = (self._folder / FILE).stat().st_size
            log = (self._folder / LOG).stat().st_size
            left = free_in(self._folder) - max(0, count * size - grown)
            return FreeSpace(left, unused * size, (count - unused) * size, log)
        return None

    def is_used_up(self) -> bool:
        """Whether a start has neither the room it takes nor a reserve to give up for it."""
        try:
            return free_in(self._folder) < START and not (self._folder / RESERVE).exists()
        except OSError:
            return False

    def make_reserve(self) -> None:
        """Make the file, if there is none and room for it. A disk that has no room for it does without."""
        where = self._folder / RESERVE
        with suppress(OSError):
            if self._size and where.exists() and where.stat().st_size == self._size:
                return
            where.unlink(missing_ok=True)
            if self._size and free_in(self._folder) >= self._reserve + self._size:
                self._fill(where)

    def give_up_reserve(self) -> int:
        """Remove the file; how many octets that freed."""
        where = self._folder / RESERVE
        try:
            size = where.stat().st_size
            where.unlink()
        except OSError:
            return 0
        return size

    def _fill(self, where: Path) -> None:
        fd = open_private(where)
        try:
            os.posix_fallocate(fd, 0, self._size)
        except OSError:
            where.unlink()
        finally:
            os.close(fd)


def free_in(folder: Path) -> int:
    """Octets that are free there for users."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
