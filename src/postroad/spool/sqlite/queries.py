"""What a spool on SQLite is asked: it is read by connections of its own, in the way of no commit."""

from __future__ import annotations

from collections.abc import Collection

from postroad.spool.base import Lesson, Listed, Node, Selection, Stats, Story, Unshared
from postroad.spool.sqlite import lanes, lessons, queue
from postroad.spool.sqlite.reader import Reader


class SqliteQueries(Unshared):
    """The part of the spool that only reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def stranded(self, after: str, limit: int) -> tuple[str, ...]:
        """See Spool."""
        return await self._reader.ask(lanes.stranded, after, limit)

    async def next_due(self, skip: Collection[str] = ()) -> float | None:
        """See Spool."""
        return await self._reader.ask(lanes.next_due, frozenset(skip))

    async def nodes(self, now: float) -> tuple[Node, ...]:
        """See Spool."""
        return await self._reader.ask(lanes.nodes, now)

    async def listed(self, selection: Selection, limit: int = 100) -> tuple[Listed, ...]:
        """See Spool."""
        return await self._reader.ask(queue.listed, selection, limit)

    async def story(self, id_: str) -> Story | None:
        """See Spool."""
        return await self._reader.ask(queue.story, id_)

    async def recall(self, kind: str, begin: str = "") -> tuple[Lesson, ...]:
        """See Spool."""
        return await self._reader.ask(lessons.recall, kind, begin)

    async def stats(self, now: float) -> Stats:
        """See Spool."""
        return await self._reader.ask(queue.stats, now)
