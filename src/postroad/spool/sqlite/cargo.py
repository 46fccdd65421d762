"""The statements of a move: what leaves this spool, and what enters it."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from postroad.spool.base import PARCELS, SpoolError, Trouble
from postroad.spool.cargo import (
    ItemKind,
    MovedItem,
    MovedMessage,
    Slice,
    is_lesson,
    lesson_item,
    message_item,
    read_cursor,
    read_lesson,
    read_message,
    write_cursor,
)
from postroad.spool.moving import Contents, MoveHeader, MoveRole, Staged
from postroad.spool.sqlite.lanes import refresh, release_all

_TABLE = """
CREATE TABLE IF NOT EXISTS moving (way TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (way, id)) STRICT
"""
_IS_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'moving'"
_TEXT = "SELECT text FROM moving WHERE way = ? AND id = ?"
_WRITE = "INSERT INTO moving VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text"
_IDS = "SELECT id FROM moving WHERE way = ? AND id <> '' ORDER BY rowid"
_MESSAGES = "SELECT number, pieces, id, received_at, size, about, finished_at FROM message"
_NEXT = f"{_MESSAGES} WHERE number > ? AND (finished_at IS NULL) = ? ORDER BY number LIMIT ?"
_ONE = f"{_MESSAGES} WHERE id = ?"
_OF_MESSAGE = "number >= :message << 20 AND number < (:message + 1) << 20"
_PARCELS = f"""
SELECT number, destination, due_at, held, attempts, warned, waits_for_host, recipients, said, routes FROM parcel
WHERE {_OF_MESSAGE} ORDER BY number
"""
_DELETE_PARCELS = f"DELETE FROM parcel WHERE {_OF_MESSAGE} RETURNING destination"
_IS_CLAIMED = f"SELECT 1 FROM parcel WHERE {_OF_MESSAGE} AND node IS NOT NULL"
_RECORDS = "SELECT destination, at, text, node FROM record WHERE message = ? ORDER BY at, number"
_HAS_REST = "SELECT length(rest) > 0 FROM message WHERE number = ?"
_HAS_FRONT = "SELECT 1 FROM piece WHERE id = ? AND ordinal = -1"
_LESSONS = "SELECT kind, key, text, count, at FROM lesson WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?"
_LESSON = "SELECT kind, key, text, count, at FROM lesson WHERE kind = ? AND key = ?"
_OCTETS = """
SELECT CASE WHEN pieces > :ordinal
    THEN (SELECT octets FROM piece WHERE piece.id = message.id AND ordinal = :ordinal) ELSE rest END
FROM message WHERE id = :id
"""
_KNOWN = "SELECT 1 FROM message WHERE id = :id UNION ALL SELECT 1 FROM arrival WHERE id = :id"
_PIECE = "INSERT INTO piece (id, ordinal, octets) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET octets = excluded.octets"
_NUMBER = "UPDATE tally SET next_message = next_message + 1 RETURNING next_message - 1"
_COUNT = "UPDATE tally SET messages = messages + ?, octets = octets + ?, finished = finished + ?"
_LAST = "DELETE FROM piece WHERE id = :id AND ordinal = (SELECT max(ordinal) FROM piece WHERE id = :id) RETURNING *"
_ADD_MESSAGE = """
INSERT INTO message (number, id, received_at, size, pieces, about, finished_at, rest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_PARCEL = """
INSERT INTO parcel (number, destination, due_at, held, attempts, warned, waits_for_host, recipients, said, routes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_RECORD = "INSERT INTO record (message, destination, at, text, node) VALUES (?, ?, ?, ?, ?)"
_ADD_LESSON = """
INSERT INTO lesson (kind, key, text, count, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count, at = max(at, excluded.at),
    text = CASE WHEN excluded.at >= at THEN excluded.text ELSE text END
"""
_CONTENTS = "SELECT messages, octets, finished, (SELECT count(*) FROM lesson) FROM tally"


def header(db: sqlite3.Connection, way: MoveRole) -> MoveHeader | None:
    """What it knows of an unfinished move."""
    row = db.execute(_TEXT, (way, "")).fetchone() if db.execute(_IS_THERE).fetchone() else None
    return MoveHeader.read(row[0]) if row else None


def begin(db: sqlite3.Connection, way: MoveRole, ours: MoveHeader) -> None:
    """From here on, this run is at it."""
    db.execute(_TABLE)
    db.execute(_WRITE, (way, "", ours.text()))


def check(db: sqlite3.Connection, way: MoveRole, ours: MoveHeader) -> None:
    """See that no other run has taken over.

    Raises:
        SpoolError: locked.

    """
    if header(db, way) != ours:
        raise SpoolError(Trouble.LOCKED, "another `postroad spool move` has taken over from this one")


def end(db: sqlite3.Connection) -> None:
    """The move is finished."""
    db.execute("DROP TABLE moving")


def free_claims(db: sqlite3.Connection) -> None:
    """Release what dead nodes had claimed: all are dead."""
    names = db.execute("SELECT DISTINCT node FROM parcel WHERE node IS NOT NULL").fetchall()
    release_all(db, [name for (name,) in names])


def contents(db: sqlite3.Connection) -> Contents:
    """Numbers."""
    return Contents(*map(int, db.execute(_CONTENTS).fetchone()))


def next_slice(db: sqlite3.Connection, kind: ItemKind, after: str, most: int) -> Slice:
    """Items of a kind."""
    if kind is ItemKind.LESSON:
        rows = db.execute(_LESSONS, (*read_cursor(after, "", ""), most)).fetchall()
        end_ = write_cursor(*rows[-1][:2]) if len(rows) == most else ""
        return Slice(tuple(lesson_item(*row) for row in rows), end_)
    rows = db.execute(_NEXT, (*read_cursor(after, -1), kind is ItemKind.MAIL, most)).fetchall()
    items = tuple(item for row in rows for item in _item(db, row))
    end_ = write_cursor(rows[-1][0]) if len(rows) == most else ""
    return Slice(items, end_, len(rows) - len(items))


def octets(db: sqlite3.Connection, id_: str, ordinal: int) -> bytes:
    """A piece of a body."""
    row = db.execute(_OCTETS, {"id": id_, "ordinal": ordinal}).fetchone()
    if row is None or row[0] is None:
        raise SpoolError(Trouble.LOCKED, f"{id_} has left the spool in the meantime: run this again")
    return bytes(row[0])


def known(db: sqlite3.Connection, ids: Sequence[str]) -> frozenset[str]:
    """Those that have a message here."""
    return frozenset(id_ for id_ in ids if db.execute(_KNOWN, {"id": id_}).fetchone())


def stage(db: sqlite3.Connection, staged: Sequence[Staged]) -> None:
    """Keep these where nobody sees them."""
    db.executemany(_WRITE, [(MoveRole.IN, id_, text) for id_, text, _ in staged])
    db.executemany(_PIECE, [(id_, ordinal, piece) for id_, _, pieces in staged for ordinal, piece in pieces])


def ids(db: sqlite3.Connection, way: MoveRole) -> tuple[str, ...]:
    """What is staged, or noted."""
    return tuple(id_ for (id_,) in db.execute(_IDS, (way,))) if db.execute(_IS_THERE).fetchone() else ()


def unstage(db: sqlite3.Connection, which: Sequence[str]) -> None:
    """Forget what is staged."""
    for id_ in which:
        if db.execute("DELETE FROM moving WHERE way = ? AND id = ?", (MoveRole.IN, id_)).rowcount:
            db.execute("DELETE FROM piece WHERE id = ?", (id_,))


def adopt(db: sqlite3.Connection, which: Sequence[str]) -> None:
    """Make messages and lessons of what is staged."""
    changed: set[str] = set()
    for id_ in which:
        row = db.execute(_TEXT, (MoveRole.IN, id_)).fetchone()
        if row is None:
            continue
        if is_lesson(id_):
            db.execute(_ADD_LESSON, read_lesson(row[0]))
        else:
            changed.update(_adopt(db, read_message(row[0])))
        db.execute("DELETE FROM moving WHERE way = ? AND id = ?", (MoveRole.IN, id_))
    refresh(db, changed)


def remove(db: sqlite3.Connection, items: Sequence[MovedItem]) -> frozenset[str]:
    """Delete what is exactly so and not claimed, and note its id."""
    noted, changed = set(ids(db, MoveRole.OUT)), set[str]()
    for item in items:
        if item.id not in noted and (item.kind is ItemKind.LESSON or list(_same(db, item))):
            changed.update(_remove(db, item))
    refresh(db, changed)
    return frozenset(ids(db, MoveRole.OUT))


def forget_notes(db: sqlite3.Connection) -> None:
    """All that is noted has been adopted."""
    db.execute("DELETE FROM moving WHERE way = ? AND id <> ''", (MoveRole.OUT,))


def _item(db: sqlite3.Connection, row: Sequence[object]) -> Iterator[MovedItem]:
    """The item of a row of _MESSAGES; none if it is claimed."""
    number, pieces, *message = row
    if db.execute(_IS_CLAIMED, {"message": number}).fetchone():
        return
    ordinals: list[int] = []
    if message[-1] is None:
        has_rest = db.execute(_HAS_REST, (number,)).fetchone()[0] or not pieces
        front = [-1] if db.execute(_HAS_FRONT, (message[0],)).fetchone() else []
        ordinals = [*front, *range(int(pieces) + bool(has_rest))]  # type: ignore[call-overload]  # a number, as stored
    parcels = db.execute(_PARCELS, {"message": number})
    yield message_item(tuple(message), parcels, db.execute(_RECORDS, (number,)), ordinals)


def _same(db: sqlite3.Connection, item: MovedItem) -> Iterator[MovedItem]:
    rows = db.execute(_ONE, (item.id,)).fetchall()
    return (now for row in rows for now in _item(db, row) if now == item)


def _remove(db: sqlite3.Connection, item: MovedItem) -> list[str]:
    """Delete it and note it: the destinations whose parcels are gone."""
    gone: list[str] = []
    if item.kind is ItemKind.LESSON:
        kind, key, *_ = read_lesson(item.text)
        row = db.execute(_LESSON, (kind, key)).fetchone()
        if row is None or lesson_item(*row) != item:
            return gone
        db.execute("DELETE FROM lesson WHERE kind = ? AND key = ?", (kind, key))
    else:
        number, _, _, _, size, *_ = db.execute(_ONE, (item.id,)).fetchone()
        destinations = db.execute(_DELETE_PARCELS, {"message": number}).fetchall()
        gone = [destination for (destination,) in destinations]
        if item.kind is ItemKind.MAIL:
            db.execute(_COUNT, (-1, -size, 1))  # the trigger takes it for a finished one
        db.execute("DELETE FROM message WHERE number = ?", (number,))
        db.execute("DELETE FROM piece WHERE id = ?", (item.id,))
    db.execute(_WRITE, (MoveRole.OUT, item.id, ""))
    return gone


def _adopt(db: sqlite3.Connection, message: MovedMessage) -> list[str]:
    """Make a message: the destinations of its parcels."""
    number = db.execute(_NUMBER).fetchone()[0]
    pieces, rest = 0, None
    if message.finished_at is None:
        _, pieces, rest = db.execute(_LAST, {"id": message.id}).fetchone()
    counts = (1, message.size, 0) if message.finished_at is None else (0, 0, 1)
    row = message.id, message.received_at, message.size, pieces, message.about, message.finished_at, rest
    db.execute(_COUNT, counts)
    db.execute(_ADD_MESSAGE, (number, *row))
    db.executemany(_ADD_PARCEL, [(number * PARCELS + place, *rest_) for place, *rest_ in message.parcels])
    db.executemany(_ADD_RECORD, [(number, *record) for record in message.records])
    return [parcel[1] for parcel in message.parcels]
