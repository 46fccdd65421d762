"""Whether the path of the database still leads to the file that is open: else nobody would find its mail again."""

from __future__ import annotations

from pathlib import Path

from postroad.spool.base import SpoolError, Trouble


class Place:
    """The file at a path, as it is now."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._file = _identity(where)

    def trouble(self) -> SpoolError | None:
        """What has become of it, if it is not there any more."""
        try:
            if _identity(self._where) == self._file:
                return None
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


def _identity(where: Path) -> tuple[int, int]:
    # By its path, never opened: SQLite's locks end when any descriptor of the file is closed (fcntl(2))
    found = where.stat()
    return found.st_dev, found.st_ino
