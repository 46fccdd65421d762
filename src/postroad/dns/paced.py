"""No more questions at once, nor in a second, than a name server should be asked by one machine."""

from __future__ import annotations

import asyncio
from typing import Any

from postroad.dns.resolver import RecordType, Resolver
from postroad.words.facts import Answer


class PacedResolver:
    """Asks `inner`, `at_once` questions at a time, evenly `per_second` (0: no such limit)."""

    def __init__(self, inner: Resolver, *, at_once: int = 256, per_second: float = 0.0) -> None:
        self._inner = inner
        self._room = asyncio.Semaphore(at_once)
        self._gap_s = 1 / per_second if per_second else 0.0
        self._next_at = 0.0  # on the loop's clock

    async def resolve(self, name: str, kind: RecordType) -> Answer[Any]:
        """The answer, once it is our turn to ask."""
        async with self._room:
            if self._gap_s:
                await self._turn()
            return await self._inner.resolve(name, kind)

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next_at = max(now, self._next_at) + self._gap_s
        await asyncio.sleep(self._next_at - self._gap_s - now)
