"""Signs what came whole, for a while in each turn of the loop, on several cores: cryptography needs no interpreter."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue

HELPERS = min(4, os.cpu_count() or 1) - 1
"""Threads beside the loop's: each more waits longer for the interpreter, which a signature needs for a tenth of it."""

TURN_S = 0.02
"""How long a turn of the loop signs: what is left then waits for the next one, for other clients wait meanwhile.

A signature that has begun is made: with RSA of 8192 bits it takes twice that alone.
"""

Sign = Callable[[], bytes]
Signed = Callable[[bytes | Exception], None]
"""Hears the signatures, or why there are none."""


class _Group:
    """Messages that are signed in one turn: whoever is free takes the next, until `end`, of the clock."""

    __slots__ = ("_clock", "_end", "_left", "done")

    def __init__(self, asked: Iterable[tuple[Sign, Signed]], clock: Callable[[], float], end: float) -> None:
        self._left = deque(asked)
        self._clock = clock
        self._end = end
        self.done: SimpleQueue[tuple[Signed, bytes | Exception]] = SimpleQueue()

    def work(self) -> None:
        """Sign until the turn is over, or none is left."""
        while self._left:
            try:
                sign, signed = self._left.popleft()
            except IndexError:  # another thread was faster
                return
            self.done.put((signed, _result(sign)))
            if self._clock() >= self._end:
                return

    def give_up(self) -> list[tuple[Sign, Signed]]:
        """Those that nobody has begun to sign: from now on nobody does."""
        left = []
        with suppress(IndexError):
            while True:
                left.append(self._left.popleft())
        return left


class Signatures:
    """Signs for all connections, in the order they ask. The loop signs too, and waits for what is begun in its turn.

    A thread that signs while the loop goes on asks for the interpreter just when the loop has it: the relay is slower.
    """

    def __init__(self, helpers: int = HELPERS, clock: Callable[[], float] = time.perf_counter) -> None:
        self._helpers = helpers
        self._clock = clock
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
        asked = self._asked
        group = _Group(asked, self._clock, self._clock() + TURN_S)
        for _ in range(self._threads_for(len(asked) - 1)):
            self._groups.put(group)
        group.work()
        self._asked = group.give_up()
        call_soon = asyncio.get_running_loop().call_soon  # a fault of one is no other's
        for _ in range(len(asked) - len(self._asked)):
            signed, result = group.done.get()
            call_soon(signed, result)
        if self._asked:
            call_soon(self._sign)

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
