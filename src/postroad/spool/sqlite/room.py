"""Room on the disk: new mail is refused while it is short, so that what was taken can always be settled."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.sqlite.folder import RESERVE, open_private

LOOK_S = 1.0  # between two looks: a relay at full speed writes some 20 MB in it
RESERVE_MOST = 32 * 1024 * 1024


class Room:
    """Whether `reserve` octets are free where the spool is, and a file of it to give up when nothing is.

    `now` is any clock that goes forward.
    """

    def __init__(self, folder: Path, reserve: int, now: Callable[[], float]) -> None:
        self._folder = folder
        self._reserve = reserve
        self._size = min(reserve // 2, RESERVE_MOST)
        self._now = now
        self._holds_until = 0.0
        self._free = 0

    def trouble(self) -> SpoolError | None:
        """Why new mail is not let in: less than the reserve is free."""
        if not self._reserve:
            return None
        if self._now() >= self._holds_until:
            try:
                self._free = free_in(self._folder)
            except OSError:  # it is gone: its place says so
                return None
            self._holds_until = self._now() + LOOK_S
        if self._free >= self._reserve:
            return None
        free, kept = self._free >> 20, self._reserve >> 20
        why = f"{self._folder} has {free} MiB free, and {kept} MiB are kept for settling: make room"
        return SpoolError(Trouble.FULL, why)

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
