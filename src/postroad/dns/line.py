"""One UDP socket to one name server, shared by concurrent queries.

What makes a forged reply fail stays: it must come from the server's address and port (the socket is connected), to a
source port the kernel drew, with an id drawn for the question alone, and repeat the question. What is shared is the
port; therefore a line takes few questions, and ends as soon as none is under way. See docs/decisions/0011-lean-dns.md.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from postroad.words.names import Address

T = TypeVar("T")

MAX_QUESTIONS = 64  # a port found out is worth no more than these; a socket for each costs a third of a question's time
_MAX_DATAGRAM = 65535
_MAX_IN_A_ROW = 64  # datagrams taken before others have their turn
_IDS = struct.Struct(f"!{MAX_QUESTIONS}H")


class UnreadableError(Exception):
    """The error that a reply with the id of the question is not a DNS message; the text says why."""


class ReplyListener(Protocol):
    """A listener for one DNS reply. It is called back once the loop turns again, never while it asks."""

    def hear(self, octets: bytes) -> bool:
        """A datagram with the id of the question; whether it is the reply. What is none is waited out.

        Raises:
            UnreadableError: nobody can tell. It is waited out, too: a forger must not end the wait with octets at
                random (CVE-2023-29483). If nothing better comes, `fail` is given this error.

        """

    def fail(self, problem: Exception) -> None:
        """There will be no reply: TimeoutError, UnreadableError, or the OSError of the socket."""


_Wait = tuple[ReplyListener, float, UnreadableError | None]
"""Who waits, until when, and what has come in place of a reply."""


class PendingQueries:
    """The pending DNS queries by their ids, and who waits for them. It belongs to the running loop."""

    def __init__(self, address: Address, port: int, timeout_s: float) -> None:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        self._timeout_s = timeout_s
        self._waiting: dict[int, _Wait] = {}  # the oldest first, all wait as long
        self._ids: list[int] = list(_IDS.unpack(secrets.token_bytes(_IDS.size)))
        self._taken = 0
        self._unsent: list[bytes] = []
        self._is_blocked = False  # and sends the rest as soon as the kernel has room
        self._sweeper: asyncio.TimerHandle | None = None
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

    def put(self, query: bytes, ear: ReplyListener) -> int:
        """Send a query, given without its id, in this turn of the loop, and call the ear back; the id is for `drop`."""
        number = self._draw()
        until = self._loop.time() + self._timeout_s
        self._waiting[number] = ear, until, None
        self._taken += 1
        if not self._unsent:  # one after the other, those of a turn wake the server once, not once each
            self._loop.call_soon(self._send)
        self._unsent.append(number.to_bytes(2) + query)
        if self._sweeper is None:  # one timer for all: most questions are answered long before
            self._sweeper = self._loop.call_at(until, self._sweep)
        return number

    def drop(self, number: int) -> None:
        """Nobody waits for this question any more."""
        if self._waiting.pop(number, None) and not self._waiting:
            self._close()

    async def ask(self, query: bytes, hear: Callable[[bytes], T | None]) -> T:
        """Put a query and wait for what `hear` takes for its reply: anything but None.

        Raises:
            OSError: nothing can be sent, or nobody listens there.
            TimeoutError: nothing was heard in time.
            UnreadableError: nothing was heard in time that can be read.

        """
        heard: asyncio.Future[T] = self._loop.create_future()
        number = self.put(query, _Waiting(heard, hear))
        try:
            return await heard
        except asyncio.CancelledError:
            self.drop(number)
            raise

    def _draw(self) -> int:
        number = self._ids.pop()
        while number in self._waiting:
            number = int.from_bytes(secrets.token_bytes(2))
        return number

    def _send(self) -> None:
        """Send what is not sent yet; what the kernel does not hold, when it holds it."""
        sent = 0
        try:
            for octets in self._unsent:
                self._socket.send(octets)
                sent += 1
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._send)
            self._is_blocked = True
        except OSError as problem:
            self._fail(problem)
            return
        del self._unsent[:sent]
        if self._is_blocked and not self._unsent:
            self._loop.remove_writer(self._socket)
            self._is_blocked = False

    def _hear(self) -> None:
        for _ in range(_MAX_IN_A_ROW):
            try:
                octets = self._socket.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as problem:
                self._fail(problem)
                return
            if len(octets) > 1 and self._is_reply(octets):
                del self._waiting[int.from_bytes(octets[:2])]
                if not self._waiting:
                    self._close()
                    return

    def _is_reply(self, octets: bytes) -> bool:
        number = int.from_bytes(octets[:2])
        wait = self._waiting.get(number)
        try:
            return wait is not None and wait[0].hear(octets)
        except UnreadableError as problem:
            ear, until, _ = self._waiting[number]
            self._waiting[number] = ear, until, problem
            return False

    def _sweep(self) -> None:
        """Tell those whose time is over, and look again when the next one's is."""
        now = self._loop.time()
        late = [(number, ear, came) for number, (ear, until, came) in self._waiting.items() if until <= now]
        for number, ear, came in late:
            del self._waiting[number]
            ear.fail(came or TimeoutError())
        if self._waiting:
            _, until, _ = next(iter(self._waiting.values()))
            self._sweeper = self._loop.call_at(until, self._sweep)
        else:
            self._close()

    def _fail(self, problem: OSError) -> None:
        """A closed port is closed for all who wait."""
        ears = [ear for ear, *_ in self._waiting.values()]
        self._waiting.clear()
        self._close()
        for ear in ears:
            ear.fail(problem)

    def _close(self) -> None:
        if self._sweeper:
            self._sweeper.cancel()
        self._loop.remove_reader(self._socket)
        if self._is_blocked:
            self._loop.remove_writer(self._socket)
        self._unsent.clear()
        self._socket.close()


class _Waiting:
    """A future as an ear."""

    __slots__ = ("_hear", "_heard")

    def __init__(self, heard: asyncio.Future[Any], hear: Callable[[bytes], Any]) -> None:
        self._heard = heard
        self._hear = hear

    def hear(self, octets: bytes) -> bool:
        said = self._hear(octets)
        if said is not None and not self._heard.done():
            self._heard.set_result(said)
        return said is not None

    def fail(self, problem: Exception) -> None:
        if not self._heard.done():
            self._heard.set_exception(problem)
