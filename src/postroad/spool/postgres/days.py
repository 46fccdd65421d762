"""The partitions of finished messages: one a day, made before it is needed, dropped when nothing in it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.base import SpoolError
from postroad.spool.postgres.connections import DatabaseConnections, Db
from postroad.spool.postgres.settling import DAY_S
from postroad.spool.postgres.versions import has_table

_DAYS = "SELECT relid::regclass::text FROM pg_partition_tree('postroad.past') WHERE isleaf AND level = 1"


class Days:
    """The days that have a partition. `do` does a transaction of the house."""

    def __init__(
        self, connections: DatabaseConnections, do: Callable[[Callable[[Db], Awaitable[object]]], Awaitable[None]]
    ) -> None:
        self._connections = connections
        self._do = do
        self._made = -1

    async def turn(self, now: float, before: float) -> None:
        """Make tomorrow's, and drop those in which nothing is shown that was finished before a time."""
        tomorrow = int(now // DAY_S) + 1
        if tomorrow != self._made:
            await self._do(partial(make_day, day=tomorrow))
            self._made = tomorrow
        for name in await self._connections.ask(old_days, before):
            with suppress(SpoolError):  # somebody reads it: the next sweep tries
                await self._do(partial(drop_day, name=name))


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


def _day(name: str) -> int:
    return int(name.rpartition("_")[2].replace("m", "-"))
