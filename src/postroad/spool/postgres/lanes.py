"""The round of the destinations: lower bounds for when each has its turn, and claims.

`lane.turn_at` may be too early, never too late: docs/design/spool.md says who may raise it, and why nobody waits.
"""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from postroad.spool.base import Parcel
from postroad.spool.calls import HASTENED, Claim, Release
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.transaction import SpoolTransaction
from postroad.spool.rows import DAMAGED, PARCEL, Damaged, read_parcel

_PARTS = 1024
_LOCKS = 0x506F7374  # the first key of our advisory locks
_FEW, _MANY = 8, 256  # lanes looked at in one statement

# Integers of our own, so that it can go without a parameter in one trip with nothing to prepare
_SHARE = "SELECT pg_advisory_xact_lock_shared({locks}, part) FROM unnest('{{{parts}}}'::integer[]) AS part"
_TRY = "SELECT part FROM unnest($2::integer[]) AS part WHERE pg_try_advisory_xact_lock($1, part)"
_GROW = """
INSERT INTO postroad.lane AS lane (destination, turn_at)
SELECT destination, due_at FROM unnest($1::text[], $2::double precision[]) AS waiting (destination, due_at)
WHERE NOT EXISTS (
    SELECT FROM postroad.lane
    WHERE lane.destination = waiting.destination AND lane.turn_at <= greatest(waiting.due_at, lane.served_at)
)
ON CONFLICT (destination) DO UPDATE
SET turn_at = least(lane.turn_at, greatest(excluded.turn_at, lane.served_at))
"""
_NEXT_IN_LANE = """
SELECT due_at FROM postroad.parcel
WHERE parcel.destination = lane.destination AND holder IS NULL AND NOT held ORDER BY due_at, number LIMIT 1
"""
_REFRESH = f"""
WITH seen AS MATERIALIZED (
    SELECT destination, served_at, ({_NEXT_IN_LANE}) AS due_at FROM postroad.lane
    WHERE destination = ANY($1::text[]) FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM postroad.lane WHERE destination = ANY(ARRAY(SELECT destination FROM seen WHERE due_at IS NULL))
)
UPDATE postroad.lane SET turn_at = greatest(seen.due_at, seen.served_at) FROM seen
WHERE lane.destination = seen.destination AND lane.turn_at <> greatest(seen.due_at, seen.served_at)
    AND seen.due_at IS NOT NULL
"""
_CLAIM = f"""
WITH turn AS MATERIALIZED (
    SELECT destination, turn_at, turn FROM postroad.lane
    WHERE turn_at <= $1 AND destination <> ALL($2::text[])
    ORDER BY turn_at, turn, destination LIMIT $3 FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT found.number, turn.turn_at, turn.turn, turn.destination, found.due_at
    FROM turn CROSS JOIN LATERAL (
        SELECT number, due_at FROM postroad.parcel
        WHERE parcel.destination = turn.destination AND holder IS NULL AND NOT held AND due_at <= $1
            AND number <> ALL($7::bigint[])
        ORDER BY due_at, number LIMIT $4 FOR UPDATE SKIP LOCKED
    ) AS found
), taken AS (
    UPDATE postroad.parcel SET holder = $6 WHERE number = ANY(ARRAY(
        SELECT number FROM due ORDER BY turn_at, turn, destination, due_at, number LIMIT $5
    )) RETURNING *
)
SELECT {PARCEL}, turn.turn_at, turn.turn, turn.destination
FROM turn LEFT JOIN (taken AS parcel LEFT JOIN postroad.message ON message.number = parcel.number >> 20)
    ON parcel.destination = turn.destination
"""
_SERVED = """
UPDATE postroad.lane SET served_at = $2, turn_at = greatest(turn_at, $2), turn = served.turn
FROM (
    SELECT destination, nextval('postroad.turn') AS turn
    FROM (SELECT * FROM unnest($1::text[]) WITH ORDINALITY AS one (destination, place) ORDER BY place) AS ordered
) AS served WHERE lane.destination = served.destination
"""
_HOLD_DAMAGED = "UPDATE postroad.parcel SET held = true, holder = NULL, said = $2 WHERE number = $1"
_RELEASE = """
UPDATE postroad.parcel SET holder = NULL WHERE number = ANY($1::bigint[]) AND holder + 0 = $2
RETURNING destination, due_at
"""
_HASTEN = """
UPDATE postroad.parcel SET due_at = $2 WHERE number = ANY(ARRAY(
    SELECT number FROM postroad.parcel
    WHERE destination = $1 AND holder IS NULL AND NOT held AND waits_for_host AND due_at > $2
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)) RETURNING destination, due_at
"""
_NOT_AHEAD = """
UPDATE postroad.lane SET served_at = $1, turn_at = $1 WHERE turn_at > $1 AND served_at > $1 RETURNING destination
"""
# Each step of the recursion seeks the next name in the index: DISTINCT would read every parcel
_NAMES = """
WITH RECURSIVE name (destination) AS (
    (SELECT destination FROM postroad.parcel WHERE holder IS NULL AND NOT held {more} AND destination > $1
     ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (SELECT destination FROM postroad.parcel WHERE holder IS NULL AND NOT held {more}
            AND destination > name.destination ORDER BY destination LIMIT 1)
    FROM name WHERE name.destination IS NOT NULL
)
"""
_STRANDED = (
    _NAMES.format(more="AND waits_for_host") + "SELECT destination FROM name WHERE destination IS NOT NULL LIMIT $2"
)
_MISSING = f"""
{_NAMES.format(more="")}
INSERT INTO postroad.lane (destination, turn_at)
SELECT destination, '-infinity' FROM name WHERE destination IS NOT NULL ON CONFLICT DO NOTHING RETURNING destination
"""
_BOUNDS = f"""
SELECT destination, turn_at, greatest(({_NEXT_IN_LANE}), served_at) AS exact, ({_NEXT_IN_LANE}) IS NULL AS is_empty
FROM postroad.lane WHERE destination <> ALL($1::text[]) ORDER BY turn_at, turn, destination LIMIT $2
"""


async def settle_lanes(tx: SpoolTransaction) -> None:
    """Write into the lanes what the calls of a transaction have changed: once, in the end, in one order."""
    if tx.waiting:
        await _grow(tx.db, tx.waiting)
    if tx.changed:
        await _refresh(tx.db, tx.changed)


async def _grow(db: Db, waiting: Mapping[str, float]) -> None:
    """These destinations have parcels that wait, the first until then: each has a lane that says so."""
    names = sorted(waiting)  # in one order, for who waits for a row here
    parts = ",".join(map(str, sorted({_part(name) for name in names})))
    await db.execute(_SHARE.format(locks=_LOCKS, parts=parts))
    await db.fetch(_GROW, names, [waiting[name] for name in names])


async def _refresh(db: Db, destinations: Iterable[str]) -> None:
    """Make the lanes of these destinations exact, as far as nobody relies on what they say."""
    names = sorted(destinations)
    free = {row[0] for row in await db.fetch(_TRY, _LOCKS, sorted({_part(name) for name in names}))}
    if exact := [name for name in names if _part(name) in free]:
        await db.fetch(_REFRESH, exact)


async def claim(tx: SpoolTransaction, asked: Sequence[Claim]) -> list[tuple[Parcel, ...]]:
    """Take parcels that are due."""
    return [tuple(await _claim(tx, one)) if one.most > 0 else () for one in asked]


async def release(tx: SpoolTransaction, asked: Sequence[Release]) -> list[None]:
    """Give parcels back untouched."""
    which = sorted({parcel.number for parcels, _ in asked for parcel in parcels})
    tx.wait(await tx.db.fetch(_RELEASE, which, tx.token))
    return [None] * len(asked)


async def retry_stranded(tx: SpoolTransaction, asked: Sequence[tuple[str, float]]) -> list[int]:
    """Make parcels of a destination due that wait for a host; how many."""
    return [tx.wait(await tx.db.fetch(_HASTEN, destination, now, HASTENED)) for destination, now in asked]


async def clock_set_back(tx: SpoolTransaction, nows: Sequence[float]) -> list[None]:
    """No lane was served later than now, and none is missing."""
    for now in nows:
        ahead, missing = await tx.db.fetch(_NOT_AHEAD, now), await tx.db.fetch(_MISSING, "")
        tx.changed.update(row[0] for row in (*ahead, *missing))
    return [None] * len(nows)


async def stranded(db: Db, after: str, limit: int) -> tuple[str, ...]:
    """Destinations behind this name whose parcels wait for a host."""
    return tuple(row[0] for row in await db.fetch(_STRANDED, after, limit))


async def next_due(db: Db, skip: Sequence[str]) -> float | None:
    """When a claim that skips these next finds something: the exact time of the lane whose bound is lowest."""
    limit = _FEW
    while True:
        rows = await db.fetch(_BOUNDS, skip, limit)
        first = min((row["exact"] for row in rows if not row["is_empty"]), default=None)
        if len(rows) < limit or (first is not None and first <= rows[-1]["turn_at"]):
            return first
        limit *= 8


async def _claim(tx: SpoolTransaction, asked: Claim) -> list[Parcel]:
    """Lanes in their turn, a few at first: mostly these have enough."""
    taken: list[Parcel] = []
    served: list[str] = []
    seen, lanes = list(asked.skip), _FEW
    while len(taken) < asked.most:
        left = asked.most - len(taken)
        each = min(asked.each, left)
        rows = await tx.db.fetch(_CLAIM, asked.now, seen, lanes, each, left, tx.token, tx.life.numbers_stale)
        rows = sorted(rows, key=_place)
        taken += [parcel async for parcel in _readable(tx, rows)]
        served += dict.fromkeys(row[13] for row in rows if row[5] is not None)
        seen += (names := list(dict.fromkeys(row[13] for row in rows)))
        tx.changed.update(names)
        if len(names) < lanes:
            break
        lanes = min(lanes * 2, _MANY)
    if served:
        await tx.db.fetch(_SERVED, served, asked.now)
    tx.claims |= bool(taken)
    return taken


async def _readable(tx: SpoolTransaction, rows: Iterable[Any]) -> Any:  # noqa: ANN401  # an iterator of parcels
    """Those that can be read; the others are held, so that none comes again and again and stops its lane."""
    for row in rows:
        if row[5] is None:
            continue  # a lane with nothing due
        try:
            parcel = read_parcel(tuple(row)[:11])
        except Damaged as problem:
            await tx.db.execute(_HOLD_DAMAGED, row[5], f"{DAMAGED} ({problem})")
        else:
            yield parcel


def _place(row: Any) -> Any:  # noqa: ANN401  # a row of _CLAIM, and what orders it
    return row[11], row[12], row[13], row[7] or 0.0, row[5] or 0


def _part(destination: str) -> int:
    """The part of all destinations that this one is locked with: the same for every node."""
    return crc32(destination.encode("utf-8", "replace")) % _PARTS
