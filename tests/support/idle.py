"""A loop whose clock stands still as long as anybody has something to do: for stories that end by a timeout."""

import asyncio
import selectors

GRACE_S = 0.005  # in which the kernel has handed on what was sent on loopback


class _Waitless(selectors.DefaultSelector):
    """What is ready, and where nothing is for the time of grace: nothing, and the clock of the loop has moved on."""

    ahead_s = 0.0

    def select(self, timeout=None):
        if timeout is None:
            return super().select()
        ready = super().select(min(timeout, GRACE_S))
        self.ahead_s += 0.0 if ready else timeout
        return ready


class IdleLoop(asyncio.SelectorEventLoop):
    """A wait costs no time, and a busy machine none of it: a timer is due once nothing is left to be read or called."""

    def __init__(self):
        super().__init__(_Waitless())

    def time(self):
        return self._selector.ahead_s


def run_idle(story):
    """As `asyncio.run`, for a story all of whose parts are in this process, and none in a thread."""
    with asyncio.Runner(loop_factory=IdleLoop) as runner:
        return runner.run(story)
