"""What a relay has learned, read by a program that changes nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from postroad.spool.base import Lesson
from postroad.spool.sqlite import file, lessons
from postroad.spool.sqlite.folder import FILE
from postroad.spool.sqlite.trouble import troubles


def read_lessons(folder: Path, kind: str) -> tuple[Lesson, ...]:
    """The lessons of a kind in the spool of a folder; none, if an older Postroad has made it that kept none.

    Raises:
        SpoolError: missing, newer, corrupt, locked, not ours to read.

    """
    where = folder / FILE
    with closing(file.open_to_read(where)) as db, troubles(where):
        is_there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'lesson'").fetchone()
        return lessons.recall(db, kind, "") if is_there else ()
