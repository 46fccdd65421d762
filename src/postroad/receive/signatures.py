"""Signs what came whole in one turn of the loop, on several cores: cryptography releases the interpreter meanwhile."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

HELPERS = min(4, os.cpu_count() or 1) - 1
"""Threads beside the loop's: each more waits longer for the interpreter, which a signature needs for a tenth of it."""

Sign = Callable[[], bytes]
Signed = Callable[[bytes | Exception], None]
"""Hears the signatures, or why there are none."""


class _Group:
    """Messages that are signed together: whoever is free takes the next."""

    __slots__ = ("_left", "done")

    def __init__(self, asked: list[tuple[Sign, Signed]]) -> None:
        self._left = deque(asked)
        self.done: SimpleQueue[tuple[Signed, bytes | Exception]] = SimpleQueue()

    def work(self) -> None:
        """Sign until none is left."""
        while self._left:
            try:
                sign, signed = self._left.popleft()
            except IndexError:  # another thread was faster
                return
            self.done.put((signed, _result(sign)))


class Signatures:
    """Signs for all connections. The loop signs too and ends when all is signed, so that nothing can come in between.

    A thread that signs while the loop goes on asks for the interpreter just when the loop has it: the relay is slower.
    """

    def __init__(self, helpers: int = HELPERS) -> None:
        self._helpers = helpers
        self._threads: list[threading.Thread] = []
        self._asked: list[tuple[Sign, Signed]] = []
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()

    def ask(self, sign: Sign, signed: Signed) -> None:
        """Have something signed once this turn of the loop is over; `signed` is called after that."""
        self._asked.append((sign, signed))
        if len(self._asked) == 1:
            asyncio.get_running_loop().call_soon(self._sign)

    def close(self) -> None:
        """End the threads; what is asked for from now on is signed by the loop alone."""
        self._helpers = 0
        for _ in self._threads:
            self._groups.put(None)
        self._threads.clear()

    def _sign(self) -> None:
        asked, self._asked = self._asked, []
        group = _Group(asked)
        for _ in range(self._threads_for(len(asked) - 1)):
            self._groups.put(group)
        group.work()
        call_soon = asyncio.get_running_loop().call_soon  # a fault of one is no other's
        for _ in asked:
            signed, result = group.done.get()
            call_soon(signed, result)

    def _threads_for(self, most: int) -> int:
        """How many help, no more than that; if one cannot be started, those that are there."""
        most = min(most, self._helpers)
        with suppress(RuntimeError):
            while len(self._threads) < most:
                thread = threading.Thread(target=self._help, name=f"signer-{len(self._threads)}", daemon=True)
                thread.start()
                self._threads.append(thread)
        return min(most, len(self._threads))

    def _help(self) -> None:
        while group := self._groups.get():
            group.work()


def _result(sign: Sign) -> bytes | Exception:
    """Whatever happens there is one, for the loop waits for it: a panic of Rust is no Exception."""
    try:
        return sign()
    except BaseException as problem:  # noqa: BLE001  # told to who asked
        return problem if isinstance(problem, Exception) else RuntimeError(repr(problem))
