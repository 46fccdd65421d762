"""The queue as people see and change it."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from postroad.spool.base import Listed, Record, Selection, State, Stats, Story
from postroad.spool.rows import MAIL, RELEASE, Damaged, Row, moment, read_listed, read_mail, sound, text_of
from postroad.spool.sqlite.lanes import refresh
from postroad.spool.sqlite.rows import LISTED, numbers

BUSIEST = 20
"""Destinations that `stats` names."""

# In this order, or a search for two messages would read a million parcels (and the other way round).
_BY_PARCEL = "parcel LEFT JOIN message ON message.number = parcel.number >> 20"
_BY_MESSAGE = """
message CROSS JOIN parcel ON parcel.number >= message.number << 20 AND parcel.number < (message.number + 1) << 20
"""
# Of damaged JSON there is no sender; unguarded it would be an error of the whole search.
_SENDER = "CASE WHEN json_valid(message.about) THEN json_extract(message.about, '$[2]') END = ?"
_IS_RELEASED = (
    f"CASE WHEN json_valid(message.about) THEN json_extract(message.about, '$[3]') / {RELEASE} ELSE 0 END <= ?"
)
_STATES = {
    State.WAITING: "parcel.node IS NULL AND parcel.held = 0",
    State.CLAIMED: "parcel.node IS NOT NULL",
    State.HELD: "parcel.held = 1",
}
_THESE = "number IN (SELECT value FROM json_each(?)) AND node IS NULL AND held = ? RETURNING destination"
_HOLD = f"UPDATE parcel SET held = 1 - held WHERE {_THESE}"
_HURRY = f"UPDATE parcel SET due_at = min(due_at, ?) WHERE {_THESE}"
_RECORDS = "SELECT destination, at, text, node FROM record WHERE message = ? ORDER BY at, number"
_WAITING = "SELECT count(*), total(due_at <= ?) FROM parcel WHERE node IS NULL AND held = 0"
_CLAIMED = "SELECT count(*) FROM parcel WHERE node IS NOT NULL"
_HELD = "SELECT count(*) FROM parcel WHERE held = 1"
_OLDEST = "SELECT received_at FROM message WHERE number = (SELECT min(number) >> 20 FROM parcel)"
_BUSIEST = """
SELECT destination, count(*) FROM parcel WHERE node IS NULL AND held = 0 GROUP BY destination ORDER BY 2 DESC, 1 LIMIT ?
"""


def listed(db: sqlite3.Connection, selection: Selection, limit: int) -> tuple[Listed, ...]:
    """Parcels in order of acceptance."""
    tables, condition, values = _where(selection)
    query = f"SELECT {LISTED} FROM {tables} WHERE {condition} ORDER BY parcel.number LIMIT ?"
    return tuple(map(read_listed, db.execute(query, (*values, limit))))


def found(db: sqlite3.Connection, selection: Selection, after: int, limit: int) -> list[int]:
    """The numbers of parcels, in order, from behind one of them."""
    tables, condition, values = _where(selection)
    query = f"SELECT parcel.number FROM {tables} WHERE {condition} AND parcel.number > ? ORDER BY parcel.number LIMIT ?"
    return [number for (number,) in db.execute(query, (*values, after, limit))]


def hold(db: sqlite3.Connection, asked: Sequence[tuple[Sequence[int]]]) -> list[int]:
    """Hold those of the parcels that wait; how many."""
    return [_change(db, _HOLD, numbers(parcels), 0) for (parcels,) in asked]


def unhold(db: sqlite3.Connection, asked: Sequence[tuple[Sequence[int]]]) -> list[int]:
    """Let those of the parcels wait that are held; how many."""
    return [_change(db, _HOLD, numbers(parcels), 1) for (parcels,) in asked]


def retry(db: sqlite3.Connection, asked: Sequence[tuple[Sequence[int], float]]) -> list[int]:
    """Make those of the parcels due that wait; how many."""
    return [_change(db, _HURRY, now, numbers(parcels), 0) for parcels, now in asked]


def story(db: sqlite3.Connection, id_: str) -> Story | None:
    """All about one message."""
    query = f"SELECT {MAIL}, message.number, message.finished_at FROM message WHERE id = ?"
    row = db.execute(query, (id_,)).fetchone()
    if row is None:
        return None
    number, finished_at = row[-2:]
    records = tuple(_record(of) for of in db.execute(_RECORDS, (number,)))
    finished_at = finished_at if finished_at is None else moment(finished_at)
    return Story(read_mail(row), listed(db, Selection(ids=(id_,)), -1), records, finished_at)


def stats(db: sqlite3.Connection, now: float) -> Stats:
    """Numbers."""
    tally = db.execute("SELECT messages, octets, finished FROM tally").fetchone() or ()
    if not tally:
        raise Damaged("no counters")
    messages, octets, finished = (sound(count, int) for count in tally)
    waiting, due = db.execute(_WAITING, (now,)).fetchone()
    oldest = db.execute(_OLDEST).fetchone()
    return Stats(
        messages=messages,
        octets=octets,
        waiting=waiting,
        due=int(due),
        claimed=db.execute(_CLAIMED).fetchone()[0],
        held=db.execute(_HELD).fetchone()[0],
        finished=finished,
        oldest_at=moment(oldest[0]) if oldest else None,
        destinations=tuple((sound(to, str), count) for to, count in db.execute(_BUSIEST, (BUSIEST,))),
    )


def _record(row: Row) -> Record:
    destination, at, text, node = row
    return Record(sound(destination, str), moment(at), sound(text, str), sound(node, str))


def _change(db: sqlite3.Connection, statement: str, *values: object) -> int:
    changed = db.execute(statement, values).fetchall()
    refresh(db, {destination for (destination,) in changed})
    return len(changed)


def _where(selection: Selection) -> tuple[str, str, list[object]]:
    """The tables to read in which order, the condition, and its values."""
    terms: list[tuple[str, tuple[object, ...]]] = [("1", ())]
    if selection.ids:
        marks = ", ".join("?" * len(selection.ids))
        terms.append((f"message.id IN ({marks})", selection.ids))
    if selection.destination:
        terms.append(("parcel.destination = ?", (selection.destination,)))
    if selection.sender:
        terms.append((_SENDER, (text_of(selection.sender),)))
    if selection.state:
        terms.append((_STATES[selection.state], ()))
    if selection.due_before is not None:
        terms.append(("parcel.due_at < ?", (selection.due_before,)))
    if selection.due_after is not None:
        terms.append(("parcel.due_at > ?", (selection.due_after,)))
    if selection.released_by is not None:
        terms.append((_IS_RELEASED, (selection.released_by,)))
    values = [value for _, some in terms for value in some]
    return _BY_MESSAGE if selection.ids else _BY_PARCEL, " AND ".join(term for term, _ in terms), values
