"""Who is alive: tokens, leases by node, and what the dead leave."""

# ruff: noqa: S608  # statements are put together from constants of this room; values are parameters

from __future__ import annotations

from collections.abc import Sequence

from postroad.spool.base import LEASE_S, Node, SpoolError, Trouble
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.lanes import adopt_old
from postroad.spool.postgres.transaction import Life, SpoolTransaction
from postroad.spool.postgres.versions import check_serves
from postroad.words.phrasebook import seconds

_TAKE_NAME = """
INSERT INTO postroad.node AS node (name, renewed_at, process, draws) VALUES ($1, clock_timestamp(), $2, $2)
ON CONFLICT (name) DO UPDATE
SET token = DEFAULT, renewed_at = excluded.renewed_at, process = excluded.process, draws = excluded.draws
RETURNING token
"""
_REVIVE = """
INSERT INTO postroad.node AS node (name, renewed_at, process, draws) VALUES ($1, clock_timestamp(), $2, $2)
ON CONFLICT (name) DO UPDATE
SET token = DEFAULT, renewed_at = excluded.renewed_at WHERE node.process = excluded.process RETURNING token
"""
_OTHER = "SELECT process FROM postroad.node WHERE name = $1"
_LOST_ARRIVALS = "UPDATE postroad.arrival SET seen_at = '-infinity' WHERE node = $1"
_GAP = f"""
SELECT renewed_at < clock_timestamp() - interval '{LEASE_S / 2} s' FROM postroad.node WHERE token = $1 FOR UPDATE
"""
_RENEW = """
UPDATE postroad.node SET renewed_at = clock_timestamp()
WHERE token = ANY(ARRAY(
    SELECT token FROM postroad.node WHERE token = $1 OR $2 OR renewed_at > clock_timestamp() ORDER BY name FOR UPDATE
))
"""
_NODES = f"""
SELECT name, extract(epoch FROM renewed_at)::float8
FROM postroad.node WHERE renewed_at >= clock_timestamp() - interval '{LEASE_S} s' ORDER BY name COLLATE "C"
"""
_BURY = f"DELETE FROM postroad.node WHERE renewed_at < clock_timestamp() - interval '{LEASE_S} s'"
# Looked for between the tokens of the living, whose claims, present and past, are passed over
_FREE = """
UPDATE postroad.parcel SET holder = NULL WHERE number = ANY(ARRAY(
    SELECT number FROM (
        SELECT token AS above, lead(token, 1, 9223372036854775807) OVER (ORDER BY token) AS below
        FROM (SELECT token FROM postroad.node UNION ALL SELECT -1) AS known
    ) AS gap CROSS JOIN LATERAL (
        SELECT number FROM postroad.parcel WHERE holder > gap.above AND holder < gap.below OFFSET 0
    ) AS lost
)) AND holder IS NOT NULL AND holder + 0 <> ALL(ARRAY(SELECT token FROM postroad.node))
RETURNING destination, due_at, number
"""
_LEAVE = "DELETE FROM postroad.node WHERE token = $1"


class LostToken(Exception):  # noqa: N818  # what happened to it
    """The error that the node's token is not valid any more: its lease ran out, or another process has its name."""


async def take_name(tx: SpoolTransaction) -> None:
    """Begin a life: what the one before it of this name had claimed is free, what was arriving is lost."""
    tx.life.token = await tx.db.fetchval(_TAKE_NAME, tx.life.name, tx.life.process)
    tx.wait(await tx.db.fetch(_FREE))
    await tx.db.execute(_LOST_ARRIVALS, tx.life.name)


async def revive(db: Db, life: Life) -> None:
    """Begin the next life of a node whose lease ran out.

    Raises:
        SpoolError: locked, by another process with this name.

    """
    token = await db.fetchval(_REVIVE, life.name, life.process)
    if token is None:
        other = await db.fetchval(_OTHER, life.name)
        why = f"another relay has taken the name {life.name} in the spool ({other}): give each relay a name of its own"
        raise SpoolError(Trouble.LOCKED, why)
    life.begin_anew(token)


async def renew(tx: SpoolTransaction, asked: Sequence[None]) -> list[int]:
    """Renew the lease, and bury the dead; how many parcels that freed.

    We renew three times in a lease: a longer gap means that the database was away, its clock was set forward, or this
    machine slept. It says nothing about the others, so all leases start again.
    """
    has_jumped = await tx.db.fetchval(_GAP, tx.token)
    if has_jumped is None:
        raise LostToken
    await check_serves(tx.db)
    await tx.db.execute(_RENEW, tx.token, has_jumped)
    await tx.db.execute(_BURY)
    freed = tx.wait(await tx.db.fetch(_FREE))
    await adopt_old(tx)
    tx.life.round.look_back()
    return [freed] * len(asked)


async def leave(db: Db, life: Life) -> None:
    """Give the lease back: what is still claimed is free at another node's next renewal."""
    await db.execute(_LEAVE, life.token)


async def nodes(db: Db) -> tuple[Node, ...]:
    """The nodes whose lease runs, by the clock that they renew it by."""
    return tuple([Node(*row) for row in await db.fetch(_NODES)])


async def free_claims(tx: SpoolTransaction) -> None:
    """Release what dead nodes had claimed, where no node may live.

    Raises:
        SpoolError: locked, by one that does.

    """
    if living := await nodes(tx.db):
        names = ", ".join(node.name for node in living)
        why = (
            f"a relay runs on this spool ({names}): stop it, and wait until its lease of {seconds(LEASE_S)} has run out"
        )
        raise SpoolError(Trouble.LOCKED, why)
    await tx.db.execute(_BURY)
    tx.wait(await tx.db.fetch(_FREE))
