"""One UDP socket to one name server, shared by the questions under way at the same time.

What makes a forged reply fail stays: it must come from the server's address and port (the socket is connected), to a
source port the kernel drew, with an id drawn for the question alone, and repeat the question. What is shared is the
port; therefore a line takes few questions, and ends as soon as none is under way. See docs/decisions/0011-lean-dns.md.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from postroad.words.names import Address

T = TypeVar("T")

MAX_QUESTIONS = 64  # a port found out is worth no more than these; a socket for each costs a third of a question's time
_MAX_DATAGRAM = 65535
_MAX_IN_A_ROW = 64  # datagrams taken before others have their turn


class Line:
    """Questions by their ids, and who waits for them. It belongs to the running loop."""

    def __init__(self, address: Address, port: int) -> None:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self._waiting: dict[int, tuple[asyncio.Future[Any], Callable[[bytes], Any]]] = {}
        self._taken = 0
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)  # noqa: FBT003  # the name says it
            # Connected, so that a closed port is told at once and a third machine's datagrams are the kernel's to drop.
            self._socket.connect((str(address), port))
            self._loop.add_reader(self._socket, self._hear)
        except BaseException:
            self._socket.close()
            raise

    @property
    def takes_more(self) -> bool:
        """Whether another question may be asked on it, here and now."""
        return 0 < self._taken < MAX_QUESTIONS and bool(self._waiting) and self._loop is asyncio.get_running_loop()

    async def ask(self, query: bytes, hear: Callable[[bytes], T | None], timeout_s: float) -> T:
        """Send a query, given without its id, and wait for what `hear` takes for its reply: anything but None.

        Raises:
            OSError: nothing can be sent, or nobody listens there.
            TimeoutError: nothing was heard in time.

        """
        number = self._draw()
        heard: asyncio.Future[T] = self._loop.create_future()
        self._waiting[number] = heard, hear
        self._taken += 1
        timer = self._loop.call_later(timeout_s, _late, heard)  # a third of the cost of asyncio.timeout
        try:
            await self._send(number.to_bytes(2) + query)
            return await heard
        finally:
            timer.cancel()
            del self._waiting[number]
            if not self._waiting:
                self._close()

    def _draw(self) -> int:
        while (number := int.from_bytes(secrets.token_bytes(2))) in self._waiting:
            pass
        return number

    async def _send(self, octets: bytes) -> None:
        try:
            self._socket.send(octets)
        except BlockingIOError:  # more than the kernel holds
            await self._loop.sock_sendall(self._socket, octets)

    def _hear(self) -> None:
        for _ in range(_MAX_IN_A_ROW):
            try:
                octets = self._socket.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as problem:
                self._fail(problem)
                return
            self._take(octets)

    def _take(self, octets: bytes) -> None:
        heard, hear = self._waiting.get(int.from_bytes(octets[:2]), (None, None))
        if heard is None or hear is None or heard.done() or len(octets) < 2:
            return
        said = hear(octets)
        if said is not None:
            heard.set_result(said)

    def _fail(self, problem: OSError) -> None:
        """A closed port is closed for all who wait."""
        for heard, _ in self._waiting.values():
            if not heard.done():
                heard.set_exception(problem)

    def _close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()


def _late(heard: asyncio.Future[Any]) -> None:
    if not heard.done():
        heard.set_exception(TimeoutError())
