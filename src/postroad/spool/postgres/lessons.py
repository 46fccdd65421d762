"""What the relay has learned that is no mail, in rows of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from postroad.spool.base import Lesson
from postroad.spool.postgres.connections import Db
from postroad.spool.postgres.transaction import SpoolTransaction
from postroad.spool.rows import Damaged, moment

_LEARN = """
INSERT INTO postroad.lesson AS lesson (kind, key, text, count, at)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[], $5::double precision[])
ON CONFLICT (kind, key) DO UPDATE SET text = excluded.text, count = lesson.count + excluded.count, at = excluded.at
"""
# No text of UTF-8 begins with this octet
_RECALL = """
SELECT key, text, count, at FROM postroad.lesson
WHERE kind = $1 AND key >= $2 AND key < $2 || decode('ff', 'hex') ORDER BY key
"""
_FORGET = "DELETE FROM postroad.lesson WHERE kind = $1 AND key = ANY($2::bytea[]) RETURNING 1"


async def learn(tx: SpoolTransaction, asked: Sequence[Sequence[Lesson]]) -> list[None]:
    """Keep lessons: of each only once in the statement, in one order, for other nodes count the same."""
    whole: dict[tuple[str, bytes], Lesson] = {}
    counts: dict[tuple[str, bytes], int] = {}
    for one in (one for lessons in asked for one in lessons):
        key = one.kind, one.key.encode()
        whole[key] = one
        counts[key] = counts.get(key, 0) + one.count
    keys = sorted(whole)
    if keys:
        columns = [kind for kind, _ in keys], [key for _, key in keys], [whole[key].text.encode() for key in keys]
        await tx.db.fetch(_LEARN, *columns, [counts[key] for key in keys], [whole[key].at for key in keys])
    return [None] * len(asked)


async def recall(db: Db, kind: str, begin: str) -> tuple[Lesson, ...]:
    """The lessons of a kind whose keys begin so."""
    found = []
    for key, text, count, at in await db.fetch(_RECALL, kind, begin.encode()):
        try:
            found.append(Lesson(kind, key.decode(), text.decode(), count, moment(at)))
        except (UnicodeDecodeError, Damaged):
            continue
    return tuple(found)


async def forget(tx: SpoolTransaction, asked: Sequence[tuple[str, Collection[str]]]) -> list[int]:
    """Delete lessons of a kind by their keys; how many there were."""
    return [len(await tx.db.fetch(_FORGET, kind, sorted({key.encode() for key in keys}))) for kind, keys in asked]
