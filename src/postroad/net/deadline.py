"""A time limit that can be extended: one timer for all the waits of a connection, instead of one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """A timer that calls `missed` when the time last allowed is over, unless that gives more seconds.

    Moving it further away costs next to nothing. No wait goes on after `until`, a time of the event loop.
    """

    def __init__(self, missed: Callable[[], float | None]) -> None:
        self.is_missed = False
        self.until = NEVER
        self._loop = asyncio.get_running_loop()
        self._missed = missed
        self._at = NEVER
        self._rings_at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def allow(self, limit_s: float) -> None:
        """So many seconds from now on."""
        at = self._loop.time() + limit_s
        self._at = min(self.until, at)
        if self._at < self._rings_at:
            self._arm()

    @property
    def is_over(self) -> bool:
        """Whether no time is left for anything."""
        return self._loop.time() >= self.until

    def lift(self) -> None:
        """No limit until the next one is set."""
        self._at = NEVER

    def close(self) -> None:
        """No limit any more."""
        self._at = NEVER
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._rings_at = NEVER

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._at, self._ring)
        self._rings_at = self._at

    def _ring(self) -> None:
        self._timer, self._rings_at = None, NEVER
        if self._at <= self._loop.time():
            self.is_missed = True
            more_s = self._missed()
            if more_s is not None:
                self.is_missed = False
                self.allow(more_s)
        elif self._at < NEVER:
            self._arm()
