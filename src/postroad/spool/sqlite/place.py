"""Whether the paths of the database and its log still lead to the files that are open: else their mail is lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

from postroad.spool.base import SpoolError, Trouble

SETTLED_NS = 1_000_000_000
"""How old the last change of a folder has to be: two within one tick of the file system's clock look alike."""


class SpoolFile:
    """The database file at its path, with its log and the log's index once they are open.

    SQLite makes these two as it opens the log, and removes them with the last connection: not while one is open.
    """

    def __init__(self, where: Path) -> None:
        self._where = where
        self._file = _identity(where)
        self._logs: dict[Path, tuple[int, int]] = {}
        self._folder = str(where.parent)
        self._calm: tuple[int, int, int] | None = None  # the folder while all was in its place, and long after

    def watch_log(self) -> None:
        """The log is open now, so it has to stay.

        Raises:
            SpoolError: gone, already.

        """
        for ending in ("-wal", "-shm"):
            log = self._where.with_name(self._where.name + ending)
            try:
                self._logs[log] = _identity(log)
            except OSError as problem:
                raise _lost(log, problem.strerror) from problem

    def trouble(self) -> SpoolError | None:
        """What has become of it, if it is not there any more.

        Nothing comes, goes or is replaced in a folder without changing its time, so mostly one look is enough: each
        is a moment at which the loop's thread lets go of the interpreter.
        """
        folder = self._look()
        if folder is not None and folder == self._calm:
            return None
        trouble = self._trouble()
        is_calm = trouble is None and folder is not None and folder[2] < time.time_ns() - SETTLED_NS
        self._calm = folder if is_calm else None
        return trouble

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._folder)  # noqa: PTH116  # quick
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns

    def _trouble(self) -> SpoolError | None:
        try:
            if _identity(self._where) == self._file:
                return self._trouble_with_log()
            fate = "was replaced"
        except OSError as problem:
            fate = f"was removed or moved ({problem.strerror})"
        return SpoolError(
            Trouble.GONE,
            f"the spool {self._where} {fate} while it was open: it takes no new mail, and delivers what it accepted "
            "before; put the same file back, or restart the relay once postroad_spool_messages is 0",
        )

    def check(self) -> None:
        """Find it there.

        Raises:
            SpoolError: gone.

        """
        if trouble := self.trouble():
            raise trouble

    def _trouble_with_log(self) -> SpoolError | None:
        for log, file in self._logs.items():
            try:
                if _identity(log) != file:
                    return _lost(log, "another file is there")
            except OSError as problem:
                return _lost(log, problem.strerror)
        return None


def _lost(log: Path, why: str | None) -> SpoolError:
    return SpoolError(
        Trouble.GONE,
        f"the spool's log {log} was removed or replaced while it was open ({why}): the spool takes no new mail; "
        "stop the relay, without kill -9, so that it writes what the log holds into the database, and start it again",
    )


def _identity(where: Path) -> tuple[int, int]:
    # By its path, never opened: SQLite's locks end when any descriptor of the file is closed (fcntl(2))
    found = where.stat()
    return found.st_dev, found.st_ino
