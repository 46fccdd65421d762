"""Signs messages in threads: RSA takes as long as all else that is done for a message, and needs no interpreter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from postroad.sign import MessageSigner

THREADS = 2

Signed = Callable[[bytes | Exception], None]
"""Hears of the fields that go in front of a message, or of the bug that there are none."""


class SigningThreads:
    """The threads that sign. They begin with the first message that is to be signed."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def sign(self, signer: MessageSigner, now: float, signed: Signed) -> None:
        """Have a message signed that has passed whole; `signed` hears of it in the loop, never before this returns."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "signing")
        loop = asyncio.get_running_loop()

        def tell(done: Future[bytes | Exception]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                loop.call_soon_threadsafe(signed, done.result())

        self._pool.submit(_sign, signer, now).add_done_callback(tell)


def _sign(signer: MessageSigner, now: float) -> bytes | Exception:
    try:
        return signer.fields(now)
    except Exception as bug:  # noqa: BLE001  # the client must not wait for ever
        return bug
