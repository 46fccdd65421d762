"""Finished messages: a partition for each day, made before it is needed and dropped when nothing in it is shown."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.settling import DAY_S
from postroad.spool.postgres.transaction import Transaction
from postroad.spool.postgres.versions import has_table

ARRIVAL_S = 86400.0
"""How long a message may take to arrive."""

_REMEMBER = """
UPDATE postroad.spool SET remembers_from = $1 WHERE remembers_from < $1
"""
_DAYS = "SELECT relid::regclass::text FROM pg_partition_tree('postroad.past') WHERE isleaf AND level = 1"
_SEEN = "UPDATE postroad.arrival SET seen_at = $1 WHERE seen_at IS NULL"
_OLD = """
WITH old AS (
    DELETE FROM postroad.arrival WHERE id = ANY(ARRAY(
        SELECT id FROM postroad.arrival WHERE seen_at < $1 LIMIT 1 FOR UPDATE SKIP LOCKED
    )) RETURNING id
), octets AS (
    DELETE FROM postroad.piece WHERE id = ANY(ARRAY(SELECT id FROM old))
)
SELECT id FROM old
"""


def is_missing_day(problem: BaseException) -> bool:
    """Whether a transaction failed for want of a partition."""
    return isinstance(problem, asyncpg.CheckViolationError) and problem.table_name == "past"


async def make_day(db: Db, day: int) -> None:
    """Make the partition of a day, in the transaction that is open. Attaching one stops neither readers nor writers."""
    name = f"past_{day}".replace("-", "m")
    await db.execute("SET LOCAL lock_timeout = '5s'")
    await db.execute("SELECT pg_advisory_xact_lock($1, $2)", 0x506F7374, -2)
    if not await has_table(db, name):
        await db.execute(f"CREATE TABLE postroad.{name} (LIKE postroad.past INCLUDING ALL)")
        bounds = f"FROM ({day * DAY_S}) TO ({(day + 1) * DAY_S})"
        await db.execute(f"ALTER TABLE postroad.past ATTACH PARTITION postroad.{name} FOR VALUES {bounds}")


async def old_days(db: Db, before: float) -> list[str]:
    """The partitions in which nothing is shown that was finished before a time."""
    names = [row[0] for row in await db.fetch(_DAYS)]
    return [name for name in names if (_day(name) + 1) * DAY_S <= before]


async def drop_day(db: Db, name: str) -> None:
    """Drop a partition, unless somebody reads it: writers would have to wait behind us."""
    await db.execute("SET LOCAL lock_timeout = '50ms'")
    await db.execute(f"DROP TABLE IF EXISTS {name}")


async def remember_from(tx: Transaction, befores: Sequence[float]) -> list[None]:
    """What was finished before a time is not shown any more."""
    await tx.db.execute(_REMEMBER, max(befores))
    return [None] * len(befores)


async def sweep_arrivals(tx: Transaction, nows: Sequence[float]) -> list[int]:
    """Delete one message that never finished arriving: how many."""
    counts = []
    for now in nows:
        # Pieces come without a clock: their time runs from when a sweep first sees them.
        await tx.db.execute(_SEEN, now)
        counts.append(len(await tx.db.fetch(_OLD, now - ARRIVAL_S)))
    return counts


def _day(name: str) -> int:
    return int(name.rpartition("_")[2].replace("m", "-"))
