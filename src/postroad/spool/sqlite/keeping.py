"""What is added: pieces that arrive, and complete messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from postroad.spool.base import PARCELS, PIECE, Parcel, SpoolError, StoredMail, Trouble, split
from postroad.spool.calls import CompleteMessage
from postroad.spool.rows import Row, write_about, write_recipients
from postroad.spool.sqlite.lanes import refresh
from postroad.spool.sqlite.rows import insert

_COUNT = """
UPDATE tally SET next_message = next_message + :count, messages = messages + :count, octets = octets + :octets
RETURNING next_message - :count
"""
_MESSAGE = "INSERT INTO message (number, id, received_at, size, pieces, about, rest)"
_PARCEL = "INSERT INTO parcel (number, destination, due_at, node, recipients)"
_ARRIVAL = """
INSERT INTO arrival (id, node, pieces, octets) VALUES (?, ?, 1, ?)
ON CONFLICT DO UPDATE SET pieces = pieces + 1, octets = octets + excluded.octets
RETURNING pieces
"""
_BODY = """
SELECT pieces, CASE WHEN pieces > :ordinal
    THEN (SELECT octets FROM piece WHERE piece.id = message.id AND ordinal = :ordinal)
    ELSE rest END, CASE WHEN :ordinal = 0 AND pieces > 0 THEN
    (SELECT octets FROM piece WHERE piece.id = message.id AND ordinal = -1) END FROM message WHERE id = :id
"""
_FRONT = -1
_PIECE = "INSERT INTO piece (id, ordinal, octets) VALUES (?, ?, ?)"


def write(db: sqlite3.Connection, pieces: Sequence[tuple[str, bytes, str]]) -> list[None]:
    """Add pieces (id, octets, node) to messages that are arriving."""
    for id_, octets, node in pieces:
        _write(db, id_, octets, node)
    return [None] * len(pieces)


def discard(db: sqlite3.Connection, ids: Sequence[str]) -> list[None]:
    """Forget messages that were arriving."""
    for id_ in ids:
        if db.execute("DELETE FROM arrival WHERE id = ?", (id_,)).rowcount:
            db.execute("DELETE FROM piece WHERE id = ?", (id_,))
    return [None] * len(ids)


def add(db: sqlite3.Connection, messages: Sequence[CompleteMessage]) -> list[tuple[Parcel, ...]]:
    """Keep messages; the parcels of each."""
    added = {"count": len(messages), "octets": sum([whole.mail.size for whole in messages])}
    first = db.execute(_COUNT, added).fetchone()[0]
    numbered = list(enumerate(messages, int(first)))
    try:
        insert(db, _MESSAGE, [_message_row(db, number, whole) for number, whole in numbered])
    except sqlite3.IntegrityError as problem:
        raise ValueError("there is already a message with this id") from problem
    parcels = [_parcels(number, whole.mail) for number, whole in numbered]
    pairs = [(whole, parcel) for whole, of_it in zip(messages, parcels, strict=True) for parcel in of_it]
    insert(db, _PARCEL, [_parcel_row(whole, parcel) for whole, parcel in pairs])
    refresh(db, {parcel.destination for whole, parcel in pairs if whole.node is None})
    return parcels


def piece(db: sqlite3.Connection, id_: str, ordinal: int) -> tuple[bytes, bool]:
    """A piece of a body, the first with what stands in front of it, and whether more follow."""
    row = db.execute(_BODY, {"ordinal": ordinal, "id": id_}).fetchone()
    if row is None or row[1] is None:
        raise SpoolError(Trouble.MISSING, f"the spool has no body of {id_}: the message is delivered or deleted")
    return bytes(row[1]) if row[2] is None else bytes(row[2]) + bytes(row[1]), ordinal < row[0]


def _write(db: sqlite3.Connection, id_: str, octets: bytes, node: str) -> None:
    ordinal = db.execute(_ARRIVAL, (id_, node, len(octets))).fetchone()[0] - 1
    db.execute(_PIECE, (id_, ordinal, octets))


def _parcels(number: int, mail: StoredMail) -> tuple[Parcel, ...]:
    parts = enumerate(split(mail), number * PARCELS)
    due_at = mail.release_at or mail.received_at
    return tuple([Parcel(place, destination, part, due_at) for place, (destination, part) in parts])


def _message_row(db: sqlite3.Connection, number: int, whole: CompleteMessage) -> Row:
    mail, rest, pieces = whole.mail, whole.rest, 0
    if len(rest) != mail.size or mail.size > PIECE or whole.front:
        pieces, rest = _assemble(db, mail, rest, whole.front)
    return number, mail.id, mail.received_at, mail.size, pieces, write_about(mail), rest


def _assemble(db: sqlite3.Connection, mail: StoredMail, rest: bytes, front: bytes) -> tuple[int, bytes]:
    """Make what stands in front, what was written and the rest one body: pieces of it, and its end."""
    while len(rest) > PIECE:
        _write(db, mail.id, rest[:PIECE], "")
        rest = rest[PIECE:]
    pieces, octets = db.execute("SELECT total(pieces), total(octets) FROM arrival WHERE id = ?", (mail.id,)).fetchone()
    length = len(front) + octets + len(rest)
    if length != mail.size:
        raise ValueError(f"the body of {mail.id} has {length:.0f} octets, not {mail.size}")
    if front:
        db.execute(_PIECE, (mail.id, _FRONT, front))
    db.execute("DELETE FROM arrival WHERE id = ?", (mail.id,))
    return int(pieces), rest


def _parcel_row(whole: CompleteMessage, parcel: Parcel) -> Row:
    recipients = None if parcel.mail is whole.mail else write_recipients(parcel.mail.envelope.recipients)
    return parcel.number, parcel.destination, parcel.due_at, whole.node, recipients
