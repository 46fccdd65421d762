"""What is removed: settled parcels, finished messages, expired history."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence

from postroad.spool.base import PARCELS, Parcel, Settlement, rerouted
from postroad.spool.calls import SLICE, CompleteMessage, Overruling, Settling
from postroad.spool.rows import Row, text_of, write_recipients
from postroad.spool.sqlite.keeping import add, discard
from postroad.spool.sqlite.lanes import refresh
from postroad.spool.sqlite.rows import insert, numbers

ARRIVAL_S = 86400.0
"""How long a message may take to arrive."""

_CLAIMED = """
SELECT json_group_array(number) FROM parcel WHERE number IN (SELECT value FROM json_each(?)) AND +node = ?
"""
_GONE = "DELETE FROM parcel WHERE number IN (SELECT value FROM json_each(?))"
_DEFERRED = """
UPDATE parcel SET node = NULL, due_at = ?, attempts = attempts + ?, warned = ?, waits_for_host = ?, said = ?,
    recipients = coalesce(?, recipients) WHERE number = ?
"""
_RECORDS = """
SELECT message, count(*) FROM record WHERE message IN (SELECT value FROM json_each(?)) GROUP BY message
"""
_ADDED = """
INSERT INTO parcel (number, destination, due_at, attempts, warned, recipients, said, routes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_DELETE = """
DELETE FROM parcel WHERE number IN (SELECT value FROM json_each(?)) AND node IS NULL RETURNING number, destination
"""
# As it was when a person read of it: not under way, nor tried since. Nobody's name has it for this one transaction.
_TAKE = """
UPDATE parcel SET node = '', held = 0 WHERE number = :number AND node IS NULL AND attempts = :attempts
    AND coalesce(recipients, :recipients) = :recipients
RETURNING destination
"""
_RECORD = "INSERT INTO record (message, destination, at, text, node)"
_ENDING = """
number IN (SELECT value FROM json_each(?)) AND finished_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM parcel WHERE parcel.number >= message.number << 20 AND parcel.number < (message.number + 1) << 20
)
"""
_ENDS = f"SELECT count(*), total(size), total(pieces) FROM message WHERE {_ENDING}"
_FINISH = f"UPDATE message SET finished_at = ?, rest = NULL WHERE {_ENDING}"
_COUNT = "UPDATE tally SET messages = messages - :count, octets = octets - :octets, finished = finished + :count"
# No trigger does this: SQLite would keep the old pages, all 50 MiB of them, to undo the statement.
_UNBODY = """
DELETE FROM piece WHERE id IN (
    SELECT id FROM message WHERE number IN (SELECT value FROM json_each(?)) AND pieces > 0 AND finished_at IS NOT NULL
)
"""
_FORGET = """
DELETE FROM message WHERE number IN (SELECT value FROM json_each(?)) AND finished_at IS NOT NULL
"""
_PAST = """
DELETE FROM message WHERE number IN (
    SELECT number FROM message WHERE finished_at IS NOT NULL AND finished_at < ? ORDER BY finished_at LIMIT ?
)
"""


def settle(db: sqlite3.Connection, calls: Sequence[Settling], *, keeps_history: bool) -> list[None]:
    """Commit what became of claimed parcels."""
    kept = _still_claimed(db, calls)
    done = [one.parcel.number for one, _ in kept if not one.left]
    _defer(db, [one for one, _ in kept if one.left])
    _reroute(db, kept)
    db.execute(_GONE, (numbers(done),))
    insert(db, _RECORD, [_record(one, now, calls[0][2]) for one, now in kept if one.record])
    finish(db, {number // PARCELS for number in done}, calls[-1][1], keeps_history=keeps_history)
    if reports := [CompleteMessage(mail, body) for one, _ in kept for mail, body in one.reports]:
        add(db, reports)
    return [None] * len(calls)


def finish(db: sqlite3.Connection, messages: Collection[int], now: float, *, keeps_history: bool) -> None:
    """Those of these messages that have no parcel left are finished."""
    which = numbers(messages)
    count, octets, pieces = db.execute(_ENDS, (which,)).fetchone()
    if not count:
        return
    db.execute(_FINISH, (now, which))
    db.execute(_COUNT, {"count": count, "octets": int(octets)})
    if pieces:
        db.execute(_UNBODY, (which,))
    if not keeps_history:
        db.execute(_FORGET, (which,))


def sweep_history(db: sqlite3.Connection, befores: Sequence[float]) -> list[int]:
    """Delete messages that were finished before a time: how many, SLICE at most."""
    return [db.execute(_PAST, (before, SLICE)).rowcount for before in befores]


def sweep_arrivals(db: sqlite3.Connection, nows: Sequence[float]) -> list[int]:
    """Delete one message that never finished arriving: how many."""
    return [_sweep_arrival(db, now) for now in nows]


def delete(db: sqlite3.Connection, calls: Sequence[tuple[Sequence[int], float]], *, keeps_history: bool) -> list[int]:
    """Delete parcels (numbers, now) that are not claimed: how many."""
    return [_delete(db, parcels, now, keeps_history=keeps_history) for parcels, now in calls]


def overrule(db: sqlite3.Connection, calls: Sequence[Overruling], *, keeps_history: bool) -> list[int]:
    """Settle parcels that nobody has, as people decided: how many."""
    return [_overrule(db, settlements, now, keeps_history=keeps_history) for settlements, now in calls]


def _overrule(db: sqlite3.Connection, settlements: Sequence[Settlement], now: float, *, keeps_history: bool) -> int:
    taken = [one for one in settlements if _take(db, one.parcel)]
    settle(db, [(taken, now, "")], keeps_history=keeps_history)
    refresh(db, {one.parcel.destination for one in taken})
    return len(taken)


def _take(db: sqlite3.Connection, parcel: Parcel) -> bool:
    recipients = write_recipients(parcel.mail.envelope.recipients)
    known = {"number": parcel.number, "attempts": parcel.attempts, "recipients": recipients}
    return bool(db.execute(_TAKE, known).fetchall())


def _delete(db: sqlite3.Connection, parcels: Sequence[int], now: float, *, keeps_history: bool) -> int:
    gone = db.execute(_DELETE, (numbers(parcels),)).fetchall()
    refresh(db, {destination for _, destination in gone})
    finish(db, {number // PARCELS for number, _ in gone}, now, keeps_history=keeps_history)
    return len(gone)


def _still_claimed(db: sqlite3.Connection, calls: Sequence[Settling]) -> list[tuple[Settlement, float]]:
    """The settlements of parcels this node has, each parcel once, with the time of the call."""
    asked = [(one, now) for settlements, now, _ in calls for one in settlements]
    which = numbers([one.parcel.number for one, _ in asked])
    ours = set(json.loads(db.execute(_CLAIMED, (which, calls[0][2])).fetchone()[0]))
    if len(ours) == len(asked):
        return asked
    first: dict[int, tuple[Settlement, float]] = {}
    for one, now in asked:
        first.setdefault(one.parcel.number, (one, now))
    return [pair for number, pair in first.items() if number in ours]


def _defer(db: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    if settlements:
        db.executemany(_DEFERRED, [_deferred_row(one) for one in settlements])
        refresh(db, {one.parcel.destination for one in settlements})


def _deferred_row(one: Settlement) -> Row:
    left = None if one.left == one.parcel.mail.envelope.recipients else write_recipients(one.left)
    return one.due_at, one.counts, one.warned, one.waits_for_host, text_of(one.said), left, one.parcel.number


def _reroute(db: sqlite3.Connection, settlements: Sequence[tuple[Settlement, float]]) -> None:
    """Add the parcels of those who take another route: before the old ones go, for their messages are not finished."""
    said = [one.reroute.said for one, _ in settlements if one.reroute]
    if not said:
        return
    messages = {one.parcel.number // PARCELS for one, _ in settlements if one.reroute}
    parcels = list(rerouted(settlements, dict(db.execute(_RECORDS, (numbers(messages),)))))
    db.executemany(_ADDED, list(map(_rerouted_row, parcels, said)))
    refresh(db, {parcel.destination for parcel in parcels})


def _rerouted_row(it: Parcel, said: str) -> Row:
    recipients, routes = write_recipients(it.mail.envelope.recipients), " ".join(it.routes)
    return it.number, it.destination, it.due_at, it.attempts, it.warned, recipients, text_of(said), routes


def _record(one: Settlement, now: float, node: str) -> Row:
    return (
        one.parcel.number // PARCELS,
        one.parcel.destination,
        now,
        one.record if one.record.isascii() else text_of(one.record),
        node,
    )


def _sweep_arrival(db: sqlite3.Connection, now: float) -> int:
    # Pieces come without a clock: their time runs from when a sweep first sees them.
    db.execute("UPDATE arrival SET seen_at = ? WHERE seen_at IS NULL", (now,))
    old = db.execute("SELECT id FROM arrival WHERE seen_at < ? LIMIT 1", (now - ARRIVAL_S,)).fetchall()
    discard(db, [id_ for (id_,) in old])
    return len(old)
