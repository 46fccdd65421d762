"""What is done once a second while several relays share a spool, and never by a relay alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from postroad.spool import SpoolError

EXCHANGE_S = 1.0


class Talk:
    """The repetition of an exchange with other relays: `share` says how many there are, `look` that it is due now.

    Trouble with the spool is told by whoever cannot do without it; here what is not heard now is heard later.
    """

    def __init__(self, exchange: Callable[[], Awaitable[None]]) -> None:
        self._exchange = exchange
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there is anybody to talk with."""
        return self._task is not None

    def share(self, nodes: int) -> None:
        """So many relays share the spool, this one included."""
        if nodes > 1 and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        elif nodes == 1:
            self.close()

    def look(self) -> None:
        """There is something to tell."""
        self._news.set()

    def close(self) -> None:
        """Talk no more."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._exchange()
            except SpoolError:
                pass
            except Exception as bug:  # noqa: BLE001  # mail goes on without what others say
                about = {"message": "what other relays say is not heard", "exception": bug}
                asyncio.get_running_loop().call_exception_handler(about)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXCHANGE_S):
                    await self._news.wait()
