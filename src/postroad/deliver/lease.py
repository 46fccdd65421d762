"""The lease of what this node has claimed, as far as a clock of this machine can tell that it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import inf

steady = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""The time of a clock that all processes here share. It goes on while one stands still, or the machine sleeps."""


class Lease:
    """Until when others leave alone what we have claimed.

    A renewal that was asked for too late begins another term: what was claimed in the one before may be another's.
    """

    def __init__(self, now: Callable[[], float] = steady) -> None:
        self.term = 0
        self._now = now
        self._until = inf

    def renew(self, asked_at: float, until: float) -> None:
        """It was renewed when asked, at this time or later, and runs until then at least."""
        self.term += asked_at >= self._until
        self._until = until

    @property
    def runs(self) -> bool:
        """Whether what is claimed now is ours."""
        return self._now() < self._until

    def holds(self, term: int) -> bool:
        """Whether what was claimed in this term is surely still ours, and may be sent."""
        return term == self.term and self._now() < self._until
