"""Brings the schema of a spool in a database to this version, at a time of somebody's choosing."""

from __future__ import annotations

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.postgres import leases
from postroad.spool.postgres.commits import GroupCommits
from postroad.spool.postgres.connections import DatabaseConnections, Db
from postroad.spool.postgres.transaction import Life
from postroad.spool.postgres.trouble import troubles
from postroad.spool.postgres.versions import SCHEMA, check_serves, migrate, scripts, version_of
from postroad.spool.schema import PendingMigration, steps_of


async def pending_database(url: str) -> PendingMigration:
    """What is to be done.

    Raises:
        SpoolError: gone, missing, newer, read-only.

    """
    connections = DatabaseConnections(url, "migrate")
    try:
        with troubles(connections.where):
            async with connections.lent() as db:  # who asks for this does not wait until there is a server
                return await _pending(db)
    finally:
        await connections.close()


async def migrate_database(url: str) -> None:
    """Do it, all in one transaction.

    Raises:
        SpoolError: gone, newer, read-only, locked.

    """
    connections = DatabaseConnections(url, "migrate")
    try:
        await GroupCommits(connections, Life("")).house(lambda db: migrate(db, is_node=True))
    finally:
        await connections.close()


async def _pending(db: Db) -> PendingMigration:
    version = await version_of(db)
    if not version:
        raise SpoolError(Trouble.MISSING, "the database has no spool: start the relay once")
    await check_serves(db)
    running = tuple(node.name for node in await leases.nodes(db))
    return PendingMigration(version, SCHEMA, steps_of(scripts(), version), running)
