"""What the relay has learned that is no mail, in rows of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from postroad.spool.base import Lesson
from postroad.spool.rows import Damaged, Row, moment, sound

_LEARN = """
INSERT INTO lesson (kind, key, text, count, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET text = excluded.text, count = count + excluded.count, at = excluded.at
"""
# A range of the key, for LIKE folds case; no text of UTF-8 stands behind this character
_RECALL = """
SELECT kind, key, text, count, at FROM lesson WHERE kind = :kind AND key >= :begin AND key < :begin || char(1114111)
ORDER BY key
"""
_FORGET = "DELETE FROM lesson WHERE kind = ? AND key = ?"  # by json_each a key would end at its first NUL


def learn(db: sqlite3.Connection, asked: Sequence[Sequence[Lesson]]) -> list[None]:
    """Keep lessons."""
    rows = [(one.kind, one.key, one.text, one.count, one.at) for lessons in asked for one in lessons]
    db.executemany(_LEARN, rows)
    return [None] * len(asked)


def recall(db: sqlite3.Connection, kind: str, begin: str) -> tuple[Lesson, ...]:
    """The lessons of a kind whose keys begin so."""
    return tuple(_read(db.execute(_RECALL, {"kind": kind, "begin": begin})))


def forget(db: sqlite3.Connection, asked: Sequence[tuple[str, Collection[str]]]) -> list[int]:
    """Delete lessons of a kind by their keys; how many there were."""
    return [db.executemany(_FORGET, [(kind, key) for key in keys]).rowcount if keys else 0 for kind, keys in asked]


def _read(rows: Iterator[Row]) -> Iterator[Lesson]:
    for kind, key, text, count, at in rows:
        with suppress(Damaged):
            yield Lesson(sound(kind, str), sound(key, str), sound(text, str), sound(count, int), moment(at))
