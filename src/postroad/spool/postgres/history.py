"""What the sweep does in transactions: history that ends, and what never finished arriving."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.spool.postgres.transaction import SpoolTransaction

ARRIVAL_S = 86400.0
"""How long a message may take to arrive."""

_REMEMBER = """
UPDATE postroad.spool SET remembers_from = $1 WHERE remembers_from < $1
"""
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


async def remember_from(tx: SpoolTransaction, befores: Sequence[float]) -> list[None]:
    """What was finished before a time is not shown any more."""
    await tx.db.execute(_REMEMBER, max(befores))
    return [None] * len(befores)


async def sweep_arrivals(tx: SpoolTransaction, nows: Sequence[float]) -> list[int]:
    """Delete one message that never finished arriving: how many."""
    counts = []
    for now in nows:
        # Pieces come without a clock: their time runs from when a sweep first sees them.
        await tx.db.execute(_SEEN, now)
        counts.append(len(await tx.db.fetch(_OLD, now - ARRIVAL_S)))
    return counts
