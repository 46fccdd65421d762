"""What is added: pieces that arrive, and complete messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.base import PARCELS, PIECE, Parcel, SpoolError, StoredMail, Trouble, split
from postroad.spool.calls import CompleteMessage
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.texts import plain, sender_of
from postroad.spool.postgres.transaction import Life, SpoolTransaction
from postroad.spool.rows import write_about, write_recipients

_FRONT = -1
_ARRIVAL = """
INSERT INTO postroad.arrival AS arrival (id, node, pieces, octets) VALUES ($1, $2, 1, $3)
ON CONFLICT (id) DO UPDATE SET pieces = arrival.pieces + 1, octets = arrival.octets + excluded.octets
RETURNING pieces
"""
_PIECE = "INSERT INTO postroad.piece (id, ordinal, octets) VALUES ($1, $2, $3)"
_DISCARD = """
WITH gone AS (DELETE FROM postroad.arrival WHERE id = ANY($1::text[]) RETURNING id)
DELETE FROM postroad.piece WHERE id = ANY(ARRAY(SELECT id FROM gone))
"""
_ARRIVED = "DELETE FROM postroad.arrival WHERE id = $1 RETURNING pieces, octets"
_NUMBERS = "SELECT nextval('postroad.message_number') FROM generate_series(1, $1::integer)"
_KEEP = """
WITH message AS (
    INSERT INTO postroad.message (number, id, received_at, size, parcels, sender, about)
    SELECT * FROM unnest(
        $1::bigint[], $2::text[], $3::double precision[], $4::bigint[], $5::integer[], $6::text[], $7::text[]
    )
), piece AS (
    INSERT INTO postroad.piece (id, ordinal, octets) SELECT * FROM unnest($8::text[], $9::integer[], $10::bytea[])
)
INSERT INTO postroad.parcel (number, destination, due_at, holder, recipients)
SELECT * FROM unnest($11::bigint[], $12::text[], $13::double precision[], $14::bigint[], $15::text[])
"""
_BODY = """
SELECT octets, EXISTS (SELECT FROM postroad.piece AS next WHERE next.id = $1 AND next.ordinal = $2 + 1) AS goes_on,
    (SELECT octets FROM postroad.piece AS front WHERE front.id = $1 AND front.ordinal = -1 AND $2 = 0) AS front
FROM postroad.piece WHERE id = $1 AND ordinal = $2
    AND EXISTS (SELECT FROM postroad.message WHERE message.id = $1)
"""
_IS_OURS = """
SELECT EXISTS (
    SELECT FROM postroad.message JOIN postroad.parcel
        ON parcel.number >= message.number << 20 AND parcel.number < (message.number + 1) << 20
    WHERE message.id = $1 AND parcel.holder + 0 = $2
)
"""


async def write(tx: SpoolTransaction, pieces: Sequence[tuple[str, bytes]]) -> list[None]:
    """Add pieces (id, octets) to messages that are arriving."""
    for id_, octets in pieces:
        await _write(tx, id_, octets)
    return [None] * len(pieces)


async def discard(tx: SpoolTransaction, ids: Sequence[str]) -> list[None]:
    """Forget messages that were arriving."""
    await tx.db.fetch(_DISCARD, ids)
    return [None] * len(ids)


async def add(tx: SpoolTransaction, messages: Sequence[CompleteMessage]) -> list[tuple[Parcel, ...]]:
    """Keep messages; the parcels of each."""
    numbers = [row[0] for row in await tx.db.fetch(_NUMBERS, len(messages))]
    added = [_parcels(number, whole.mail) for number, whole in zip(numbers, messages, strict=True)]
    mail = [_message_row(number, whole, len(it)) for number, whole, it in zip(numbers, messages, added, strict=True)]
    bodies = [row for whole in messages for row in await _body_rows(tx, whole)]
    pairs = [(whole, parcel) for whole, of_it in zip(messages, added, strict=True) for parcel in of_it]
    parcels = [_parcel_row(whole, parcel, tx.token) for whole, parcel in pairs]
    try:
        await tx.db.fetch(_KEEP, *_columns(mail, 7), *_columns(bodies, 3), *_columns(parcels, 5))
    except asyncpg.UniqueViolationError as problem:
        raise ValueError("there is already a message with this id") from problem
    tx.claims |= any(whole.node is not None for whole in messages)
    tx.wait([(parcel.destination, parcel.due_at, parcel.number) for whole, parcel in pairs if whole.node is None])
    return added


async def piece(db: Db, id_: str, ordinal: int, life: Life) -> tuple[bytes, bool]:
    """A piece of a body, the first with what stands in front of it, and whether more follow."""
    if life.has_lost(id_) and not await db.fetchval(_IS_OURS, id_, life.token):
        raise SpoolError(Trouble.MISSING, f"{id_} is claimed by another node, for this one's lease had run out")
    row = await db.fetchrow(_BODY, id_, ordinal)
    if row is None:
        raise SpoolError(Trouble.MISSING, f"the spool has no body of {id_}: the message is delivered or deleted")
    return (row["front"] or b"") + row["octets"], row["goes_on"]


async def _write(tx: SpoolTransaction, id_: str, octets: bytes) -> None:
    ordinal = await tx.db.fetchval(_ARRIVAL, id_, tx.life.name, len(octets)) - 1
    await tx.db.execute(_PIECE, id_, ordinal, octets)


def _parcels(number: int, mail: StoredMail) -> tuple[Parcel, ...]:
    parts = enumerate(split(mail), number * PARCELS)
    due_at = mail.release_at or mail.received_at
    return tuple([Parcel(place, destination, part, due_at) for place, (destination, part) in parts])


def _message_row(number: int, whole: CompleteMessage, parcels: int) -> tuple[Any, ...]:
    mail = whole.mail
    return number, mail.id, mail.received_at, mail.size, parcels, sender_of(mail.envelope), plain(write_about(mail))


async def _body_rows(tx: SpoolTransaction, whole: CompleteMessage) -> list[tuple[str, int, bytes]]:
    """What is still to be stored of a body: mostly all of it, in one piece."""
    mail, rest = whole.mail, whole.rest
    if mail.id not in tx.life.arriving and len(rest) == mail.size <= PIECE and not whole.front:
        return [(mail.id, 0, rest)]
    arrived = await tx.db.fetchrow(_ARRIVED, mail.id)
    ordinal, octets = arrived or (0, 0)
    length = len(whole.front) + octets + len(rest)
    if length != mail.size:
        raise ValueError(f"the body of {mail.id} has {length} octets, not {mail.size}")
    rows = [(mail.id, _FRONT, whole.front)] if whole.front else []
    starts = range(0, len(rest), PIECE) if rest or ordinal else [0]
    return rows + [(mail.id, n, rest[start : start + PIECE]) for n, start in enumerate(starts, ordinal)]


def _parcel_row(whole: CompleteMessage, parcel: Parcel, token: int) -> tuple[Any, ...]:
    recipients = None if parcel.mail is whole.mail else write_recipients(parcel.mail.envelope.recipients)
    return parcel.number, parcel.destination, parcel.due_at, None if whole.node is None else token, recipients


def _columns(rows: Sequence[tuple[Any, ...]], many: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(many)]
