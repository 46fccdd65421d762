"""The versions of the schema: scripts that only add, so that older relays go on while a newer one migrates."""

from __future__ import annotations

from importlib import resources

from postroad.spool.base import LEASE_S, SpoolError, Trouble
from postroad.spool.postgres.connections import Db
from postroad.spool.schema import PendingMigration, serves, steps_of

SCHEMA = 2
"""The version of the schema that this Postroad writes: how many scripts there are."""

_LOCK = "SELECT pg_advisory_xact_lock($1, $2)"
_LOCKS = 0x506F7374, -1  # no part of the destinations has this number
_IS_THERE = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'postroad' AND relname = $1
)
"""
_STATE = "SELECT version, serves FROM postroad.spool"
_RUNNING = "SELECT name FROM postroad.node WHERE renewed_at >= clock_timestamp() - $1 * interval '1 s' ORDER BY name"


async def migrate(db: Db, where: str = "", *, is_node: bool) -> None:
    """Run the scripts not run yet, in the transaction that is open.

    Nodes notice what does not serve them; for a tool, which comes and goes, none of them has to stop.

    Raises:
        SpoolError: missing, newer; locked: this is a tool, and nodes run that would not survive a step.

    """
    version = await version_of(db)
    if not version and not is_node:
        raise SpoolError(Trouble.MISSING, "the database has no spool: start the relay once")
    if version < SCHEMA:
        await db.execute(_LOCK, *_LOCKS)
        version = await version_of(db)  # another node may have done it
    if version < SCHEMA and not is_node:
        running = tuple([row["name"] for row in await db.fetch(_RUNNING, LEASE_S)])
        PendingMigration(version, SCHEMA, steps_of(scripts(), version), running).check(where)
    for number, script in enumerate(scripts()[version:], start=version + 1) if version < SCHEMA else ():
        if number == 1:
            await db.execute("CREATE SCHEMA IF NOT EXISTS postroad")
        await db.execute(script)
        await db.execute("UPDATE postroad.spool SET version = $1, serves = $2", number, serves(script))
    await check_serves(db)


async def has_table(db: Db, name: str) -> bool:
    """Whether there is such a table, even one that another node has just made: to_regclass remembers that none was."""
    return bool(await db.fetchval(_IS_THERE, name))


async def check_serves(db: Db) -> None:
    """See that this Postroad may still use the spool.

    Raises:
        SpoolError: newer.

    """
    version, oldest = await db.fetchrow(_STATE)
    if oldest > SCHEMA:
        why = f"the spool was made by a newer Postroad (schema {version}, this one knows {SCHEMA}): upgrade"
        raise SpoolError(Trouble.NEWER, why)


async def version_of(db: Db) -> int:
    """The version of the schema, 0 if there is none."""
    if not await has_table(db, "spool"):
        return 0
    return int((await db.fetchrow(_STATE))["version"])


def scripts() -> list[str]:
    """Those of all versions, in order."""
    folder = resources.files("postroad.spool.postgres") / "sql"
    return [file.read_text("utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)]
