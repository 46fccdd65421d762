"""The questions of a move: what there is to go to another spool."""

# statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.cargo import ItemKind, MovedItem, Slice, lesson_item, message_item, read_cursor, write_cursor
from postroad.spool.moving import Contents, MoveHeader, MoveRole
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.settling import read_records
from postroad.spool.postgres.versions import has_table

_TEXT = "SELECT text FROM postroad.moving WHERE way = $1 AND id = ''"
_IDS = "SELECT id FROM postroad.moving WHERE way = $1 AND id <> '' ORDER BY place"
_MESSAGE = "SELECT number, id, received_at, size, about, NULL::float8 FROM postroad.message"
_MAIL = f"{_MESSAGE} WHERE number > $1 ORDER BY number LIMIT $2"
_THIS_MAIL = f"{_MESSAGE} WHERE id = ANY($1::text[]) ORDER BY number"
_PARCELS = """
SELECT number, destination, due_at, held, attempts, warned, waits_for_host, recipients, said, routes, holder
FROM postroad.parcel WHERE number >= $1 AND number < $2 ORDER BY number
"""
_RECORDS = """
SELECT message, destination, at, text, node FROM postroad.record WHERE message = ANY($1::bigint[])
ORDER BY message, at, number
"""
_ORDINALS = "SELECT id, ordinal FROM postroad.piece WHERE id = ANY($1::text[]) ORDER BY id, ordinal"
_FINISHED = """
SELECT number, id, received_at, size, about, finished_at, records FROM postroad.past
WHERE finished_at >= (SELECT remembers_from FROM postroad.spool) AND
"""
_PAST = f"{_FINISHED} id > $1 ORDER BY id LIMIT $2"
_THIS_PAST = f"{_FINISHED} id = ANY($1::text[])"
_LESSON = "SELECT kind, key, text, count, at FROM postroad.lesson"
_LESSONS = f"{_LESSON} WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3"
_THIS_LESSON = f"{_LESSON} WHERE kind = $1 AND key = $2 FOR UPDATE"
_KNOWN = """
SELECT id FROM postroad.message WHERE id = ANY($1::text[])
UNION SELECT id FROM postroad.arrival WHERE id = ANY($1::text[])
UNION SELECT id FROM postroad.past WHERE id = ANY($1::text[])
    AND finished_at >= (SELECT remembers_from FROM postroad.spool)
"""
_CONTENTS = """
SELECT (SELECT count(*) FROM postroad.message), (SELECT coalesce(sum(size), 0)::bigint FROM postroad.message),
    (SELECT count(*) FROM postroad.past WHERE finished_at >= (SELECT remembers_from FROM postroad.spool)),
    (SELECT count(*) FROM postroad.lesson)
"""


async def header(db: Db, way: MoveRole) -> MoveHeader | None:
    """What it knows of an unfinished move."""
    text = await db.fetchval(_TEXT, way.value) if await has_table(db, "moving") else None
    return MoveHeader.read(text) if text else None


async def ids(db: Db, way: MoveRole) -> tuple[str, ...]:
    """What is staged, or noted."""
    rows = await db.fetch(_IDS, way.value) if await has_table(db, "moving") else ()
    return tuple(row[0] for row in rows)


async def contents(db: Db) -> Contents:
    """Numbers."""
    return Contents(*await db.fetchrow(_CONTENTS))


async def known(db: Db, which: Collection[str]) -> frozenset[str]:
    """Those that have a message here."""
    return frozenset(row[0] for row in await db.fetch(_KNOWN, list(which)))


async def octets(db: Db, id_: str, ordinal: int) -> bytes:
    """A piece of a body."""
    found = await db.fetchval("SELECT octets FROM postroad.piece WHERE id = $1 AND ordinal = $2", id_, ordinal)
    if found is None:
        raise SpoolError(Trouble.LOCKED, f"{id_} has left the spool in the meantime: run this again")
    return bytes(found)


async def next_slice(db: Db, kind: ItemKind, after: str, most: int) -> Slice:
    """Items of a kind."""
    if kind is ItemKind.MAIL:
        rows = await db.fetch(_MAIL, *read_cursor(after, -1), most)
        items = [item for _, item in await _mail(db, rows)]
        end = [rows[-1]["number"]] if rows else []
    elif kind is ItemKind.PAST:
        rows = await db.fetch(_PAST, *read_cursor(after, ""), most)
        items, end = [_past(row) for row in rows], [rows[-1]["id"]] if rows else []
    else:
        begin = read_cursor(after, "", "")
        rows = await db.fetch(_LESSONS, begin[0], begin[1].encode(), most)
        items = [_lesson(row) for row in rows]
        end = [rows[-1]["kind"], rows[-1]["key"].decode("utf-8", "replace")] if rows else []
    return Slice(tuple(items), write_cursor(*end) if len(rows) == most else "", len(rows) - len(items))


async def same_mail(db: Db, items: Sequence[MovedItem]) -> list[int]:
    """The numbers of messages that are exactly so, and not claimed; nobody claims or changes them until COMMIT."""
    rows = await db.fetch(f"{_THIS_MAIL} FOR UPDATE", [item.id for item in items])
    return [number for number, now in await _mail(db, rows, lock="FOR UPDATE") if now in set(items)]


async def same_past(db: Db, items: Sequence[MovedItem]) -> list[int]:
    """The same for finished messages, which nobody changes."""
    rows = await db.fetch(_THIS_PAST, [item.id for item in items])
    return [row["number"] for row in rows if _past(row) in set(items)]


async def same_lesson(db: Db, item: MovedItem, kind: str, key: str) -> bool:
    """The same for a lesson."""
    row = await db.fetchrow(_THIS_LESSON, kind, key.encode())
    return row is not None and _lesson(row) == item


async def _mail(db: Db, rows: Sequence[Any], lock: str = "") -> list[tuple[int, MovedItem]]:
    """Messages by number, without those that are claimed."""
    if not rows:
        return []
    numbers = [row["number"] for row in rows]
    found = await db.fetch(f"{_PARCELS} {lock}", numbers[0] << 20, (numbers[-1] + 1) << 20)
    parcels = _by_first([(of["number"] >> 20, tuple(of)) for of in found])
    records = _by_first([(of[0], tuple(of)[1:]) for of in await db.fetch(_RECORDS, numbers)])
    ordinals = _by_first([tuple(of) for of in await db.fetch(_ORDINALS, [row["id"] for row in rows])])
    return [
        (
            row["number"],
            message_item(
                tuple(row)[1:], [of[:-1] for of in parcels[row["number"]]], records[row["number"]], ordinals[row["id"]]
            ),
        )
        for row in rows
        if all(of[-1] is None for of in parcels[row["number"]])
    ]


def _past(row: Any) -> MovedItem:  # noqa: ANN401  # a row
    return message_item(tuple(row)[1:6], (), read_records(row["records"]), ())


def _lesson(row: Any) -> MovedItem:  # noqa: ANN401  # a row
    key, text = (row[name].decode("utf-8", "replace") for name in ("key", "text"))
    return lesson_item(row["kind"], key, text, row["count"], row["at"])


def _by_first(pairs: Iterable[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for first, second in pairs:
        found[first].append(second)
    return found
