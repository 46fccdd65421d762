"""Whether the paths of the database and its log still lead to the files that are open: else their mail is lost."""

from __future__ import annotations

from pathlib import Path

from postroad.spool.base import SpoolError, Trouble


class SpoolFile:
    """The database file at its path, with its log and the log's index once they are open.

    SQLite makes these two as it opens the log, and removes them with the last connection: not while one is open.
    """

    def __init__(self, where: Path) -> None:
        self._where = where
        self._file = _identity(where)
        self._logs: dict[Path, tuple[int, int]] = {}

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
        """What has become of it, if it is not there any more."""
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
