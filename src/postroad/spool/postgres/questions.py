"""What is asked of the database outside transactions that write."""

from __future__ import annotations

from collections.abc import Collection

from postroad.spool.base import Lesson, Listed, Node, Selection, Stats, Story
from postroad.spool.postgres import health, lanes, leases, lessons, queue
from postroad.spool.postgres.connections import DatabaseConnections
from postroad.spool.postgres.transaction import Life


class SpoolQueries:
    """The part of the spool that only reads."""

    def __init__(self, connections: DatabaseConnections, life: Life) -> None:
        self._connections = connections
        self._life = life

    async def stranded(self, after: str, limit: int) -> tuple[str, ...]:
        """See Spool."""
        return await self._connections.ask(lanes.stranded, after, limit)

    async def next_due(self, skip: Collection[str] = ()) -> float | None:
        """See Spool."""
        return await self._connections.ask(lanes.next_due, list(skip), self._life.round)

    async def nodes(self, now: float) -> tuple[Node, ...]:  # noqa: ARG002  # leases are on the database's clock
        """See Spool."""
        return await self._connections.ask(leases.nodes)

    async def listed(self, selection: Selection, limit: int = 100) -> tuple[Listed, ...]:
        """See Spool."""
        return await self._connections.ask(queue.listed, selection, limit)

    async def story(self, id_: str) -> Story | None:
        """See Spool."""
        return await self._connections.ask(queue.story, id_)

    async def recall(self, kind: str, begin: str = "") -> tuple[Lesson, ...]:
        """See Spool."""
        return await self._connections.ask(lessons.recall, kind, begin)

    async def concerns(self) -> tuple[str, ...]:
        """See Spool."""
        return await self._connections.ask(health.concerns)

    async def stats(self, now: float) -> Stats:
        """See Spool."""
        return await self._connections.ask(queue.stats, now)
