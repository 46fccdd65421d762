"""A spool in a database as one end of a move: each call is a transaction, and may be done twice."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from postroad.spool.base import PARCELS, SpoolError, Trouble
from postroad.spool.cargo import ItemKind, MovedItem, MovedMessage, Slice, is_lesson, read_lesson, read_message
from postroad.spool.moving import Contents, MoveHeader, MoveRole, Staged
from postroad.spool.postgres import cargo, lanes, leases
from postroad.spool.postgres.beginning import Beginning
from postroad.spool.postgres.commits import TRIES, GroupCommits
from postroad.spool.postgres.connections import DatabaseConnections, Db
from postroad.spool.postgres.days import is_missing_day, make_day
from postroad.spool.postgres.promise import AcceptedRisks
from postroad.spool.postgres.settling import DAY_S
from postroad.spool.postgres.texts import encode, plain
from postroad.spool.postgres.transaction import Life, SpoolTransaction
from postroad.spool.postgres.trouble import is_worth_another_try
from postroad.spool.postgres.versions import has_table

R = TypeVar("R")

# No part of the schema: it is there while a move is unfinished. `place` is the order in which mail was accepted.
_TABLE = """
CREATE TABLE IF NOT EXISTS postroad.moving (
    way text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    text text COLLATE "C" NOT NULL,
    place bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (way, id)
)
"""
_WRITE = """
INSERT INTO postroad.moving (way, id, text) SELECT $1, * FROM unnest($2::text[], $3::text[])
ON CONFLICT (way, id) DO UPDATE SET text = excluded.text
"""
_LOCKED = "SELECT text FROM postroad.moving WHERE way = $1 AND id = '' FOR UPDATE"
_PIECES = """
INSERT INTO postroad.piece (id, ordinal, octets) SELECT * FROM unnest($1::text[], $2::integer[], $3::bytea[])
ON CONFLICT (id, ordinal) DO UPDATE SET octets = excluded.octets
"""
_FORGET = "DELETE FROM postroad.moving WHERE way = $1 AND id = ANY($2::text[])"
_UNSTAGE = f"""
WITH gone AS ({_FORGET} RETURNING id)
DELETE FROM postroad.piece WHERE id = ANY(ARRAY(SELECT id FROM gone))
"""  # noqa: S608  # a constant
_STAGED = "SELECT id, text FROM postroad.moving WHERE way = $1 AND id = ANY($2::text[]) ORDER BY place"
_NO_NOTES = "DELETE FROM postroad.moving WHERE way = $1 AND id <> ''"
_GONE = """
WITH parcel AS (
    DELETE FROM postroad.parcel WHERE number >= $2 AND number < $3 AND number >> 20 = ANY($1::bigint[])
    RETURNING destination
), record AS (
    DELETE FROM postroad.record WHERE message = ANY($1::bigint[])
), message AS (
    DELETE FROM postroad.message WHERE number = ANY($1::bigint[]) RETURNING id
), piece AS (
    DELETE FROM postroad.piece WHERE id = ANY($4::text[])
)
SELECT NULL AS id, destination FROM parcel UNION ALL SELECT id, NULL FROM message
"""
_GONE_PAST = "DELETE FROM postroad.past WHERE id = ANY($1::text[]) AND number = ANY($2::bigint[]) RETURNING id"
_NUMBERS = "SELECT nextval('postroad.message_number') FROM generate_series(1, $1::integer)"
_MESSAGE = """
INSERT INTO postroad.message (number, id, received_at, size, parcels, sender, about) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_PARCEL = """
INSERT INTO postroad.parcel (
    number, destination, due_at, held, attempts, warned, waits_for_host, recipients, said, routes
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_RECORD = "INSERT INTO postroad.record (message, destination, at, text, node) VALUES ($1, $2, $3, $4, $5)"
_PAST = """
INSERT INTO postroad.past (number, id, received_at, size, about, finished_at, records)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LESSON = """
INSERT INTO postroad.lesson AS lesson (kind, key, text, count, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, key) DO UPDATE SET count = lesson.count + excluded.count, at = greatest(lesson.at, excluded.at),
    text = CASE WHEN excluded.at >= lesson.at THEN excluded.text ELSE lesson.text END
"""


class PostgresMoveEnd:
    """A spool in a database, as FROM or TO."""

    def __init__(self, connections: DatabaseConnections, way: MoveRole) -> None:
        self.where = connections.where
        self._connections = connections
        self._life = Life("")
        self._house = GroupCommits(connections, self._life).house
        self._way = way
        self._header: MoveHeader | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        way: MoveRole,
        *,
        accepted: AcceptedRisks = AcceptedRisks(),  # noqa: B008  # frozen
        clock: Callable[[], float] | None = None,
    ) -> Self:
        """Open the spool in a database; that of TO is made if there is none.

        Raises:
            SpoolError: gone, missing, newer, read-only, failing, locked.

        """
        connections = DatabaseConnections(url, "move")
        end = cls(connections, way)
        try:
            await end._house(Beginning(end._life, accepted, clock, makes=way is MoveRole.IN))  # its own
        except BaseException:
            await connections.close()
            raise
        return end

    async def header(self, way: MoveRole) -> MoveHeader | None:
        """See MoveEnd."""
        return await self._connections.ask(cargo.header, way)

    async def begin(self, way: MoveRole, header: MoveHeader) -> None:
        """See MoveEnd."""

        async def begin(db: Db) -> None:
            if not await has_table(db, "moving"):
                await db.execute(_TABLE)
            await db.execute(_WRITE, way.value, [""], [header.text()])

        await self._house(begin)
        self._header = header

    async def free_claims(self) -> None:
        """See MoveEnd."""
        await self._do(leases.free_claims)

    async def contents(self) -> Contents:
        """See MoveEnd."""
        return await self._connections.ask(cargo.contents)

    async def slice(self, kind: ItemKind, after: str, most: int) -> Slice:
        """See MoveEnd."""
        return await self._connections.ask(cargo.next_slice, kind, after, most)

    async def octets(self, id_: str, ordinal: int) -> bytes:
        """See MoveEnd."""
        return await self._connections.ask(cargo.octets, id_, ordinal)

    async def known(self, ids: Collection[str]) -> frozenset[str]:
        """See MoveEnd."""
        return await self._connections.ask(cargo.known, ids)

    async def stage(self, staged: Sequence[Staged]) -> None:
        """See MoveEnd."""
        await self._do(_stage, staged)

    async def staged(self) -> tuple[str, ...]:
        """See MoveEnd."""
        return await self._connections.ask(cargo.ids, MoveRole.IN)

    async def unstage(self, ids: Collection[str]) -> None:
        """See MoveEnd."""
        await self._do(lambda tx: tx.db.execute(_UNSTAGE, MoveRole.IN.value, list(ids)))

    async def adopt(self, ids: Collection[str]) -> None:
        """See MoveEnd: with partitions for the days of what is finished."""
        for tries in range(TRIES + 1):
            days: set[int] = set()
            try:
                await self._do(partial(_adopt, ids=list(ids), days=days))
            except Exception as problem:
                cause = problem.__cause__ or problem
                if tries == TRIES or not (is_missing_day(cause) or is_worth_another_try(cause)):
                    raise
                for day in days:
                    await self._house(partial(make_day, day=day))
            else:
                return

    async def remove(self, items: Sequence[MovedItem]) -> frozenset[str]:
        """See MoveEnd."""
        await self._do(partial(_remove, items=items))
        return await self.notes()

    async def notes(self) -> frozenset[str]:
        """See MoveEnd."""
        return frozenset(await self._connections.ask(cargo.ids, MoveRole.OUT))

    async def forget_notes(self) -> None:
        """See MoveEnd."""
        await self._do(lambda tx: tx.db.execute(_NO_NOTES, MoveRole.OUT.value))

    async def end(self, way: MoveRole) -> None:
        """See MoveEnd."""

        async def end(db: Db) -> None:
            if await cargo.header(db, way) is None:
                return  # done before, though nobody heard of it
            await self._check(db)
            await db.execute("DROP TABLE postroad.moving")

        await self._house(end)

    async def close(self) -> None:
        """See MoveEnd."""
        await self._connections.close()

    async def _do(self, work: Callable[..., Awaitable[object]], *args: object) -> None:
        """Do this in a transaction, unless another run has taken over."""

        async def do(db: Db) -> None:
            await self._check(db)
            tx = SpoolTransaction(db, self._life)
            await work(tx, *args)
            await lanes.settle_lanes(tx)

        await self._house(do)

    async def _check(self, db: Db) -> None:
        text = await db.fetchval(_LOCKED, self._way.value) if await has_table(db, "moving") else None
        if self._header is None or text != self._header.text():
            raise SpoolError(Trouble.LOCKED, "another `postroad spool move` has taken over from this one")


async def _stage(tx: SpoolTransaction, staged: Sequence[Staged]) -> None:
    await tx.db.execute(_WRITE, MoveRole.IN.value, [one[0] for one in staged], [one[1] for one in staged])
    pieces = [(id_, ordinal, octets) for id_, _, some in staged for ordinal, octets in some]
    await tx.db.execute(_PIECES, *([piece[column] for piece in pieces] for column in range(3)))


async def _remove(tx: SpoolTransaction, items: Sequence[MovedItem]) -> None:
    noted = set(await cargo.ids(tx.db, MoveRole.OUT))
    gone: list[str] = []
    some = {kind: [item for item in items if item.kind is kind and item.id not in noted] for kind in ItemKind}
    if numbers := await cargo.same_mail(tx.db, some[ItemKind.MAIL]):
        parcels = min(numbers) * PARCELS, (max(numbers) + 1) * PARCELS
        gone += await _remove_mail(tx, numbers, parcels)
    if numbers := await cargo.same_past(tx.db, some[ItemKind.PAST]):
        rows = await tx.db.fetch(_GONE_PAST, [item.id for item in some[ItemKind.PAST]], numbers)
        gone += [row[0] for row in rows]
    for item in some[ItemKind.LESSON]:
        kind, key, *_ = read_lesson(item.text)
        if await cargo.same_lesson(tx.db, item, kind, key):
            await tx.db.execute("DELETE FROM postroad.lesson WHERE kind = $1 AND key = $2", kind, key.encode())
            gone.append(item.id)
    await tx.db.execute(_WRITE, MoveRole.OUT.value, gone, [""] * len(gone))


async def _remove_mail(tx: SpoolTransaction, numbers: Sequence[int], parcels: tuple[int, int]) -> list[str]:
    ids = [row[0] for row in await tx.db.fetch(_IDS_OF, numbers)]
    rows = await tx.db.fetch(_GONE, numbers, *parcels, ids)
    tx.changed.update(row["destination"] for row in rows if row["destination"] is not None)
    return [row["id"] for row in rows if row["id"] is not None]


_IDS_OF = "SELECT id FROM postroad.message WHERE number = ANY($1::bigint[])"


async def _adopt(tx: SpoolTransaction, ids: Sequence[str], days: set[int]) -> None:
    rows = await tx.db.fetch(_STAGED, MoveRole.IN.value, ids)
    messages = [read_message(row["text"]) for row in rows if not is_lesson(row["id"])]
    days.update(int(one.finished_at // DAY_S) for one in messages if one.finished_at is not None)
    numbers = await tx.db.fetch(_NUMBERS, len(messages))
    for (number,), message in zip(numbers, messages, strict=True):
        await (_adopt_open if message.finished_at is None else _adopt_past)(tx, number, message)
    for row in rows:
        if is_lesson(row["id"]):
            kind, key, text, count, at = read_lesson(row["text"])
            await tx.db.execute(_LESSON, plain(kind), _octets(key), _octets(text), count, at)
    await tx.db.execute(_FORGET, MoveRole.IN.value, ids)


async def _adopt_open(tx: SpoolTransaction, number: int, one: MovedMessage) -> None:
    row = one.id, one.received_at, one.size, len(one.parcels), _sender(one.about), plain(one.about)
    await tx.db.execute(_MESSAGE, number, *row)
    await tx.db.executemany(_PARCEL, [_parcel(number, *parcel) for parcel in one.parcels])
    await tx.db.executemany(_RECORD, [(number, *_record(*of)) for of in one.records])
    tx.wait([(plain(to), due_at, number * PARCELS + place) for place, to, due_at, held, *_ in one.parcels if not held])


async def _adopt_past(tx: SpoolTransaction, number: int, one: MovedMessage) -> None:
    row = one.id, one.received_at, one.size, plain(one.about), one.finished_at, encode(one.records)
    await tx.db.execute(_PAST, number, *row)


def _parcel(number: int, place: int, to: str, due_at: float, *rest: Any) -> tuple[object, ...]:  # noqa: ANN401  # columns
    held, attempts, warned, waits, recipients, said, routes = rest
    open_ = recipients if recipients is None else plain(recipients)
    flags = bool(held), attempts, bool(warned), bool(waits)
    return number * PARCELS + place, plain(to), due_at, *flags, open_, plain(said), plain(routes)


def _record(to: str, at: float, text: str, node: str) -> tuple[object, ...]:
    return plain(to), at, plain(text), plain(node)


def _sender(about: str) -> str:
    """The reverse-path, as a selection has it; of damaged mail none."""
    try:
        return plain(str(json.loads(about)[2]))
    except (ValueError, LookupError, TypeError):
        return ""


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
