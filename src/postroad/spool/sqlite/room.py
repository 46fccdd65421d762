"""Room on the disk: new mail is refused while it is short, so that what was taken can always be settled."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble

LOOK_S = 1.0  # between two looks: a relay at full speed writes some 20 MB in it


class Room:
    """Whether `reserve` octets are free where the spool is. `now` is any clock that goes forward."""

    def __init__(self, folder: Path, reserve: int, now: Callable[[], float]) -> None:
        self._folder = folder
        self._reserve = reserve
        self._now = now
        self._holds_until = 0.0
        self._free = 0

    def check(self) -> None:
        """Let new mail in, or not.

        Raises:
            SpoolError: full: less than the reserve is free.

        """
        if not self._reserve:
            return
        if self._now() >= self._holds_until:
            found = os.statvfs(self._folder)
            self._free = found.f_bavail * found.f_frsize
            self._holds_until = self._now() + LOOK_S
        if self._free < self._reserve:
            free, kept = self._free >> 20, self._reserve >> 20
            why = f"{self._folder} has {free} MiB free, and {kept} MiB are kept for settling: make room"
            raise SpoolError(Trouble.FULL, why)
