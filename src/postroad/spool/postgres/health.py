"""What `spool check` looks at: it reads in one short transaction, and locks nothing."""

# statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.base import LEASE_S, SpoolError, Trouble
from postroad.spool.health import (
    DatabaseHealth,
    HealthCode,
    HealthFinding,
    NodeHealth,
    SpoolHealth,
    TableHealth,
    XminHealth,
    old_schema,
    unfinished_move,
)
from postroad.spool.moving import MoveRole
from postroad.spool.postgres import cargo
from postroad.spool.postgres.connections import DatabaseConnections, Db
from postroad.spool.postgres.promise import CLOCK_S, AcceptedRisks, broken_promises
from postroad.spool.postgres.settling import DAY_S
from postroad.spool.postgres.trouble import troubles
from postroad.spool.postgres.versions import SCHEMA, check_serves, version_of
from postroad.words.phrasebook import counted, seconds
from postroad.words.visible import defused

HELD_S = 60.0
"""A snapshot as old as this keeps dead rows that a busy queue would have reused a hundred times."""

DEAD = 50_000
MIB = 1024 * 1024
LARGE = 100 * MIB
FEW = 8
QUERY = 100
"""Characters of a foreign query that are shown."""

_BEGIN = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '1s'"
_SERVER = """
SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp())::float8 AS clock,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
    (SELECT sum(numbackends)::int FROM pg_stat_database) AS used,
    current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on' AS has_autovacuum,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
"""
_SETTINGS = """
SELECT name, setting FROM pg_settings WHERE name = ANY(ARRAY[
    'autovacuum', 'fsync', 'idle_in_transaction_session_timeout', 'synchronous_commit', 'synchronous_standby_names'
]) ORDER BY name
"""
_XMIN = """
SELECT holder, pid, application, usename, query, since, age FROM (
    SELECT CASE backend_type WHEN 'walsender' THEN 'a standby' ELSE 'a session' END AS holder, pid,
        application_name AS application, usename, query,
        extract(epoch FROM clock_timestamp() - xact_start)::float8 AS since,
        greatest(age(backend_xmin), age(backend_xid)) AS age
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
        AND backend_type IN ('client backend', 'walsender')
        AND (datname = current_database() OR backend_type = 'walsender')
    UNION ALL
    SELECT 'replication slot ' || slot_name, active_pid, '', '', '', NULL, greatest(age(xmin), age(catalog_xmin))
    FROM pg_replication_slots WHERE xmin IS NOT NULL
    UNION ALL
    SELECT 'prepared transaction ' || gid, NULL, '', owner, '',
        extract(epoch FROM clock_timestamp() - prepared)::float8, age(transaction)
    FROM pg_prepared_xacts WHERE database = current_database()
) AS held ORDER BY age DESC NULLS LAST, since DESC NULLS LAST LIMIT 1
"""
_TABLES = """
SELECT relid, relname, n_live_tup AS live, n_dead_tup AS dead, pg_table_size(relid) AS size,
    extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 AS vacuumed,
    extract(epoch FROM clock_timestamp() - greatest(last_analyze, last_autoanalyze))::float8 AS analyzed
FROM pg_stat_user_tables WHERE schemaname = 'postroad' ORDER BY relname
"""
_INDEXES = """
SELECT relid, indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
WHERE schemaname = 'postroad' ORDER BY indexrelname
"""
_NODES = """
SELECT name, extract(epoch FROM clock_timestamp() - renewed_at)::float8,
    (SELECT count(*) FROM postroad.parcel WHERE holder = token) FROM postroad.node ORDER BY name
"""
_OWNERLESS = """
SELECT count(*) FROM postroad.parcel
WHERE holder IS NOT NULL AND holder <> ALL(ARRAY(SELECT token FROM postroad.node))
"""
_DAYS = "SELECT relid::regclass::text FROM pg_partition_tree('postroad.past') WHERE isleaf AND level = 1 ORDER BY 1"


async def check_database(url: str, clock: Callable[[], float], accepted: AcceptedRisks) -> SpoolHealth:
    """The health of the spool in a database. `clock` is of this machine.

    Raises:
        SpoolError: gone, missing, newer, read-only.

    """
    connections = DatabaseConnections(url, "check")
    try:
        with troubles(connections.where):
            async with connections.lent() as db:
                await db.execute(_BEGIN)
                try:
                    return await _check(db, connections, clock, accepted)
                finally:
                    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                        await db.execute("ROLLBACK")
    finally:
        await connections.close()


async def concerns(db: Db) -> tuple[str, ...]:
    """Who keeps the dead rows of a queue that goes on: it becomes slower with each of them."""
    xmin = _xmin(await db.fetchrow(_XMIN))
    if xmin and xmin.held_s is not None and xmin.held_s >= HELD_S:
        xmin = replace(xmin, held_s=HELD_S)
    return tuple(f"{found.what}: {found.fix}" for found in _of_xmin(xmin, ""))


async def _check(
    db: Db, connections: DatabaseConnections, clock: Callable[[], float], accepted: AcceptedRisks
) -> SpoolHealth:
    version = await version_of(db)
    if not version:
        raise SpoolError(Trouble.MISSING, "the database has no spool: start the relay once")
    await check_serves(db)
    before = clock()
    server = await db.fetchrow(_SERVER)
    ahead = _ahead(before, server["clock"], clock())
    nodes = tuple(NodeHealth(name, ago, claimed, ago <= LEASE_S) for name, ago, claimed in await db.fetch(_NODES))
    database = DatabaseHealth(
        server=server["version"],
        settings=tuple((name, value) for name, value in await db.fetch(_SETTINGS)),
        clock_s=ahead,
        is_pooled=connections.is_pooled,
        connections=server["used"],
        most_connections=server["most"],
        xmin=_xmin(await db.fetchrow(_XMIN)),
        tables=_tables(await db.fetch(_TABLES), await db.fetch(_INDEXES)),
        days=tuple(row[0].rpartition(".")[2] for row in await db.fetch(_DAYS)),
    )
    where = connections.where
    headers = [(way, await cargo.header(db, way)) for way in MoveRole]
    findings = (
        *([old_schema(where, version, SCHEMA)] if version < SCHEMA else []),
        *[_of_promise(fault, where) for fault in await broken_promises(db, accepted)],
        *_of_server(server, database, where),
        *_of_xmin(database.xmin, where),
        *_of_tables(database.tables, where),
        *_of_nodes(nodes, await db.fetchval(_OWNERLESS), where),
        *_of_days(database.days, server["clock"], where, is_used=any(node.alive for node in nodes)),
        *[unfinished_move(where, header.other, enters=way is MoveRole.IN) for way, header in headers if header],
    )
    return SpoolHealth(where, version, SCHEMA, nodes, findings, database=database)


def _ahead(before: float, theirs: float, after: float) -> float:
    """How far our clock is ahead, at least: it was asked before and after, and how long the answer took is unknown."""
    return max(0.0, before - theirs) + min(0.0, after - theirs)


def _xmin(row: Any) -> XminHealth | None:  # noqa: ANN401  # a row
    if row is None or row["age"] is None:
        return None
    return XminHealth(
        row["holder"],
        row["pid"],
        _clean(row["application"]),
        _clean(row["usename"]),
        _clean(row["query"]),
        row["since"],
        row["age"],
    )


def _clean(text: str | None) -> str:
    """What others wrote: on one line, cut, nothing unseen in it."""
    line = " ".join((text or "").split())
    return defused(line if len(line) <= QUERY else f"{line[: QUERY - 3]}...")


def _tables(rows: Sequence[Any], indexes: Sequence[Any]) -> tuple[TableHealth, ...]:
    return tuple(
        TableHealth(
            row["relname"],
            row["live"],
            row["dead"],
            row["size"],
            tuple((name, size) for table, name, size in indexes if table == row["relid"]),
            row["vacuumed"],
            row["analyzed"],
        )
        for row in rows
    )


def _of_promise(fault: str, where: str) -> HealthFinding:
    """Of a sentence that ends with what to do."""
    what, _, fix = fault.rpartition(": ")
    return HealthFinding(HealthCode.UNSAFE, what, where, fix)


def _of_server(server: Any, found: DatabaseHealth, where: str) -> Iterator[HealthFinding]:  # noqa: ANN401  # a row
    if abs(found.clock_s) > CLOCK_S:
        side = "ahead of" if found.clock_s > 0 else "behind"
        what = (
            f"the clock of this machine is {seconds(abs(found.clock_s))} {side} the database's; relays refuse to start"
        )
        yield HealthFinding(HealthCode.CLOCK, what, where, "set both by NTP")
    if not server["has_autovacuum"]:
        what = "autovacuum or track_counts is off: dead rows are never removed"
        yield HealthFinding(HealthCode.NO_AUTOVACUUM, what, where, "set both to on")
    if found.most_connections - found.connections < FEW:
        what = f"{found.connections} of {found.most_connections} connections are taken; each relay needs 4"
        fix = "raise max_connections, or put a pooler in front of the other programs"
        yield HealthFinding(HealthCode.FEW_CONNECTIONS, what, where, fix)
    if not server["sees_all"]:
        what = "this user sees no sessions but its own, so a long transaction of another one is not found"
        fix = "GRANT pg_read_all_stats to the user of the spool"
        yield HealthFinding(HealthCode.HIDDEN_SESSIONS, what, where, fix)


def _of_xmin(xmin: XminHealth | None, where: str) -> Iterator[HealthFinding]:
    if xmin is None or (xmin.held_s is not None and xmin.held_s < HELD_S) or (xmin.held_s is None and xmin.age < DEAD):
        return
    names = [f"process {xmin.pid}" if xmin.pid else "", xmin.application, f"user {xmin.user}" if xmin.user else ""]
    who = ", ".join(name for name in names if name)
    since = f" for {seconds(xmin.held_s)}" if xmin.held_s is not None else ""
    said = f": {xmin.query}" if xmin.query else ""
    what = f"{xmin.holder}{f' ({who})' if who else ''} has kept all dead rows{since}{said}"
    fix = "end it, and set idle_in_transaction_session_timeout; dump and analyse another copy"
    if xmin.pid:
        fix = f"SELECT pg_terminate_backend({xmin.pid}), and set idle_in_transaction_session_timeout"
    yield HealthFinding(HealthCode.HELD_XMIN, what, where, fix)


def _of_tables(tables: Sequence[TableHealth], where: str) -> Iterator[HealthFinding]:
    for table in tables:
        name = f"postroad.{table.name}"
        if table.dead > DEAD and table.dead > 10 * table.live:
            what = f"{name} has {table.dead} dead rows beside {table.live}"
            fix = f"see what holds them (held-xmin), then VACUUM {name}"
            yield HealthFinding(HealthCode.DEAD_ROWS, what, where, fix)
        for index, size in table.indexes:
            if size > LARGE and size > 10 * 64 * (table.live + table.dead):
                what = f"index postroad.{index} has {size // MIB} MiB for {table.live} rows"
                fix = f"REINDEX INDEX CONCURRENTLY postroad.{index}"
                yield HealthFinding(HealthCode.LARGE_INDEX, what, where, fix)


def _of_nodes(nodes: Sequence[NodeHealth], ownerless: int, where: str) -> Iterator[HealthFinding]:
    """Dead nodes are buried by those that live, so that one is to be seen means that none does."""
    fix = "start a relay: it takes back what is claimed"
    for node in nodes:
        if not node.alive and node.claimed:
            what = f"node {node.name} has not renewed its lease for {seconds(node.renewed_s or 0)} "
            what += f"and holds {counted(node.claimed, 'parcel')}"
            yield HealthFinding(HealthCode.DEAD_NODE, what, where, fix)
    if ownerless and not any(node.alive for node in nodes):
        what = f"{counted(ownerless, 'parcel')} still claimed by nodes that are gone"
        yield HealthFinding(HealthCode.DEAD_NODE, what, where, fix)


def _of_days(days: Sequence[str], now: float, where: str, *, is_used: bool) -> Iterator[HealthFinding]:
    if is_used and f"past_{int(now // DAY_S) + 1}" not in days:
        what = "history has no partition for tomorrow: the first message that is finished then has to make it"
        fix = "see in the relay's log why its sweep fails; the user of the spool must be the owner of postroad.past"
        yield HealthFinding(HealthCode.NO_PARTITION, what, where, fix)
