"""Keeps receiving in step with delivering when processor time is short: the clients wait, not the mail.

Only then: mail that waits for a slow host or for an outage to end is no reason to take in less. Postfix has
`in_flow_delay` for the same, whatever the reason.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

SAMPLE_S = 0.25
SATURATED = 0.9  # share of the time that the thread of the loop was computing
MOST = 200  # messages taken and not begun, before whoever sends more must wait
LONGEST_S = 1.0  # that a client waits for its reply because of this, as with Postfix


class Waiting(Protocol):
    """A queue of messages that were accepted and not begun."""

    @property
    def waiting(self) -> int:
        """How many."""
        ...


class Pressure:
    """The back-pressure on senders: where a sender waits for its reply.

    `now` is a clock, `used` the processor time of the thread, in seconds.
    """

    def __init__(self, queue: Waiting, now: Callable[[], float], used: Callable[[], float]) -> None:
        self._queue = queue
        self._now = now
        self._used = used
        self._sampled = (now(), used())
        self._is_saturated = False
        self.line: deque[asyncio.Future[None]] = deque()  # who waits

    def turn(self) -> asyncio.Future[None] | None:
        """What a sender has to wait for: None, or that some of what was taken before has been delivered."""
        if self._queue.waiting < MOST or not self._looks_saturated():
            return None
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self.line.append(turn)
        limit = loop.call_later(LONGEST_S, _begin, turn)
        turn.add_done_callback(lambda _turn: limit.cancel())
        return turn

    def go_on(self) -> None:
        """A delivery has ended: one who waits may go on."""
        while self.line:
            turn = self.line.popleft()
            if not turn.done():
                _begin(turn)
                return

    def _looks_saturated(self) -> bool:
        now, (at, used) = self._now(), self._sampled
        if now - at >= SAMPLE_S:
            self._sampled = now, self._used()
            self._is_saturated = self._sampled[1] - used >= SATURATED * (now - at)
        return self._is_saturated


def _begin(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
