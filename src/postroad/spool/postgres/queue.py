"""The queue as people see and change it."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postroad.spool.base import Listed, Record, Selection, State, Stats, Story
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.settling import read_records
from postroad.spool.postgres.texts import plain
from postroad.spool.postgres.transaction import SpoolTransaction
from postroad.spool.rows import MAIL, PARCEL, RELEASE, Damaged, moment, read_listed, read_mail, sound

BUSIEST = 20
"""Destinations that `stats` names."""

_LISTED = f"""
{PARCEL}, CASE WHEN parcel.holder IS NOT NULL THEN coalesce(node.name, '') END, parcel.held, parcel.said
"""
_TABLES = "postroad.parcel LEFT JOIN postroad.message ON message.number = parcel.number >> 20"
_NODE = "LEFT JOIN postroad.node ON node.token = parcel.holder"
_BY_ID = """
parcel.number >> 20 = ANY(ARRAY(SELECT number FROM postroad.message WHERE id = ANY({0}::text[])))
AND parcel.number >= (SELECT min(number) << 20 FROM postroad.message WHERE id = ANY({0}::text[]))
AND parcel.number < (SELECT (max(number) + 1) << 20 FROM postroad.message WHERE id = ANY({0}::text[]))
"""
_STATES = {
    State.WAITING: "parcel.holder IS NULL AND NOT parcel.held",
    State.CLAIMED: "parcel.holder IS NOT NULL",
    State.HELD: "parcel.held",
}
_THESE = """
WHERE number = ANY(ARRAY(
    SELECT number FROM postroad.parcel WHERE number = ANY($1::bigint[]) AND holder IS NULL AND {}
    ORDER BY number FOR UPDATE
)) RETURNING destination, due_at, number
"""
_HOLD = f"UPDATE postroad.parcel SET held = true {_THESE.format('NOT held')}"
_UNHOLD = f"UPDATE postroad.parcel SET held = false {_THESE.format('held')}"
_HURRY = f"UPDATE postroad.parcel SET due_at = least(due_at, $2) {_THESE.format('NOT held')}"
_RECORDS = "SELECT destination, at, text, node FROM postroad.record WHERE message = $1 ORDER BY at, number"
_PAST = f"""
SELECT {MAIL}, message.finished_at, message.records FROM postroad.past AS message
WHERE id = $1 AND finished_at >= (SELECT remembers_from FROM postroad.spool)
"""
_STATS = """
SELECT (SELECT count(*) FROM postroad.message) AS messages,
    (SELECT coalesce(sum(size), 0)::bigint FROM postroad.message) AS octets,
    (SELECT count(*) FROM postroad.parcel WHERE holder IS NULL AND NOT held) AS waiting,
    (SELECT count(*) FROM postroad.parcel WHERE holder IS NULL AND NOT held AND due_at <= $1) AS due,
    (SELECT count(*) FROM postroad.parcel WHERE holder IS NOT NULL) AS claimed,
    (SELECT count(*) FROM postroad.parcel WHERE held) AS held,
    (SELECT count(*) FROM postroad.past WHERE finished_at >= (SELECT remembers_from FROM postroad.spool)) AS finished,
    (SELECT received_at FROM postroad.message ORDER BY number LIMIT 1) AS oldest_at
"""
_BUSIEST = """
SELECT destination, count(*) FROM postroad.parcel WHERE holder IS NULL AND NOT held
GROUP BY destination ORDER BY 2 DESC, 1 LIMIT $1
"""


# The flags in `about`, which may be damaged: no JSON then, and an error if it were read as some
_FLAGS = r"""substring(message.about from '^\[[0-9]+,"(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*",([0-9]+),')::numeric"""
_IS_RELEASED = f"div(coalesce({_FLAGS}, 0), {RELEASE}) <= {{}}::float8"


async def listed(db: Db, selection: Selection, limit: int) -> tuple[Listed, ...]:
    """Parcels in order of acceptance; limit -1: all of them."""
    condition, values = _where(selection)
    query = f"SELECT {_LISTED} FROM {_TABLES} {_NODE} WHERE {condition} ORDER BY parcel.number"
    rows = await db.fetch(f"{query} LIMIT {int(limit)}" if limit >= 0 else query, *values)
    return tuple(read_listed(tuple(row)) for row in rows)


async def found(db: Db, selection: Selection, after: int, limit: int) -> list[int]:
    """The numbers of parcels, in order, from behind one of them."""
    condition, values = _where(selection)
    query = f"SELECT parcel.number FROM {_TABLES} WHERE {condition} AND parcel.number > {int(after)}"
    return [row[0] for row in await db.fetch(f"{query} ORDER BY parcel.number LIMIT {int(limit)}", *values)]


async def hold(tx: SpoolTransaction, asked: Sequence[tuple[Sequence[int]]]) -> list[int]:
    """Hold those of the parcels that wait; how many."""
    counts = []
    for (parcels,) in asked:
        rows = await tx.db.fetch(_HOLD, parcels)
        tx.changed.update(row[0] for row in rows)
        counts.append(len(rows))
    return counts


async def unhold(tx: SpoolTransaction, asked: Sequence[tuple[Sequence[int]]]) -> list[int]:
    """Let those of the parcels wait that are held; how many."""
    return [tx.wait(await tx.db.fetch(_UNHOLD, parcels)) for (parcels,) in asked]


async def retry(tx: SpoolTransaction, asked: Sequence[tuple[Sequence[int], float]]) -> list[int]:
    """Make those of the parcels due that wait; how many."""
    return [tx.wait(await tx.db.fetch(_HURRY, parcels, now)) for parcels, now in asked]


async def story(db: Db, id_: str) -> Story | None:
    """All about one message."""
    row = await db.fetchrow(f"SELECT {MAIL}, message.number FROM postroad.message WHERE id = $1", id_)
    if row is None:
        return await _past(db, id_)
    records = tuple(_record(tuple(of)) for of in await db.fetch(_RECORDS, row["number"]))
    return Story(read_mail(tuple(row)), await listed(db, Selection(ids=(id_,)), -1), records)


async def stats(db: Db, now: float) -> Stats:
    """Numbers."""
    row = await db.fetchrow(_STATS, now)
    busiest = await db.fetch(_BUSIEST, BUSIEST)
    return Stats(**dict(row), destinations=tuple((to, count) for to, count in busiest))


async def _past(db: Db, id_: str) -> Story | None:
    row = await db.fetchrow(_PAST, id_)
    if row is None:
        return None
    try:
        records = [_record(record) for record in read_records(row["records"])]
    except ValueError as problem:
        raise Damaged(str(problem)) from problem
    return Story(read_mail(tuple(row)), (), tuple(sorted(records, key=lambda one: one.at)), moment(row["finished_at"]))


def _record(row: Sequence[Any]) -> Record:
    destination, at, text, node = row
    return Record(sound(destination, str), moment(at), sound(text, str), sound(node, str))


def _where(selection: Selection) -> tuple[str, list[object]]:
    """The condition, and its values."""
    terms: list[str] = ["true"]
    values: list[object] = []

    def term(text: str, value: object) -> None:
        values.append(value)
        terms.append(text.format(f"${len(values)}"))

    if selection.ids:
        term(_BY_ID, [plain(id_) for id_ in selection.ids])
    if selection.destination:
        term("parcel.destination = {}", plain(selection.destination))
    if selection.sender:
        term("message.sender = {}", plain(selection.sender))
    if selection.state:
        terms.append(_STATES[selection.state])
    if selection.due_before is not None:
        term("parcel.due_at < {}", selection.due_before)
    if selection.due_after is not None:
        term("parcel.due_at > {}", selection.due_after)
    if selection.released_by is not None:
        term(_IS_RELEASED, selection.released_by)
    return " AND ".join(terms), values
