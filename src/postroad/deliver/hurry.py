"""Somebody asks that mail be retried now: hosts that did not answer are asked again at once, not when their time comes.

They leave word in the spool (`retry_now`), and a relay looks for it when mail is due whose hosts are all unhealthy.
"""

from __future__ import annotations

from collections.abc import Callable

from postroad.deliver.hosts import Hosts
from postroad.deliver.world import Tasks, World
from postroad.spool import RETRY, Learned, SpoolError

LOOK_S = 0.2  # between two looks; those who ask watch
FRESH_S = 60.0  # word from before this relay started is about the relay before it


class Hurry:
    """The look for such word."""

    def __init__(self, spool: Learned, hosts: Hosts, tasks: Tasks, world: World, now: Callable[[], float]) -> None:
        self._spool = spool
        self._hosts = hosts
        self._tasks = tasks
        self._world = world
        self._now = now
        self._looked_at = float("-inf")
        self._heard_at = world.wall() - FRESH_S

    def look(self) -> None:
        """Mail waits for hosts: somebody may know better."""
        if self._now() >= self._looked_at + LOOK_S:
            self._looked_at = self._now()
            self._tasks.spawn(self._listen())

    async def _listen(self) -> None:
        try:
            words = await self._spool.recall(RETRY)
        except SpoolError:
            return
        asked_at = max((word.at for word in words), default=self._heard_at)
        if asked_at > self._heard_at:
            self._heard_at = asked_at
            self._hosts.hasten()
