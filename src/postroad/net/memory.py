"""Two streams joined in memory, with the same contract as TCP: what tests and simulations talk over."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import IPv4Address

from postroad.net.sockets import Endpoint, NetError, NetErrorKind
from postroad.net.stream import BUFFERED, Ear, Inbox, Stream

_CLIENT = Endpoint(IPv4Address("127.0.0.1"), 40000)
_SERVER = Endpoint(IPv4Address("127.0.0.1"), 25)


def pair() -> tuple[Stream, Stream]:
    """A client's and a server's end of one connection. There is no TLS over it."""
    client, server = _MemoryStream(_CLIENT, _SERVER), _MemoryStream(_SERVER, _CLIENT)
    client.joined, server.joined = server, client
    return client, server


class _MemoryStream:
    """One end; what is written goes straight into the other's inbox."""

    joined: _MemoryStream
    tls: str | None = None
    certificates: tuple[bytes, ...] = ()
    has_said_goodbye = False  # there is no TLS

    def __init__(self, local: Endpoint, peer: Endpoint) -> None:
        self.local = local
        self.peer = peer
        self._inbox = Inbox()
        self._room: asyncio.Future[None] | None = None
        self._holds = True
        self._lost: NetError | None = None

    async def read(self) -> bytes:
        data = await self._inbox.take()
        self.joined.make_room()
        return data

    @property
    def trouble(self) -> NetError | None:
        return self._inbox.error

    def listen(self, ear: Ear | None, *, holds: bool = True) -> None:
        self._inbox.ear, self._holds = ear, holds
        self._hand_over()

    def is_unheard(self, after_s: float) -> bool:  # noqa: ARG002  # nothing is lost on the way
        return False

    def write(self, data: bytes) -> None:
        if data and self._lost is None:
            self.joined.arrive(data)

    async def drain(self) -> None:
        while self._lost is None and self.joined.waiting > BUFFERED:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self._lost:
            raise NetError(self._lost.why, self._lost.kind)

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str | None) -> None:  # noqa: ARG002  # the contract's
        waiting = self._inbox.size
        self.abort()
        why = "unencrypted data before the TLS handshake" if waiting else "no TLS over a stream in memory"
        raise NetError(why, NetErrorKind.TLS)

    def be_deaf(self) -> None:
        """There is no TLS to wait for."""

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(NetError("connection reset by peer", NetErrorKind.RESET))

    @property
    def waiting(self) -> int:
        return self._inbox.size

    def arrive(self, data: bytes) -> None:
        """The other end has written."""
        self._inbox.put(data)
        self._hand_over_soon()

    def make_room(self) -> None:
        """The other end has read."""
        if self._room and not self._room.done():
            self._room.set_result(None)
        self._hand_over_soon()

    def lose(self, error: NetError | None) -> None:
        """The other end is gone: by its will, or with an error."""
        self._inbox.end(error)
        self._lost = self._lost or error or NetError("connection closed", NetErrorKind.RESET)
        self.make_room()

    def _hand_over_soon(self) -> None:
        """Not at once: whoever writes must not be interrupted by the answer."""
        if self._inbox.ear and self._inbox.has_news:
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        if self._holds and self._lost is None and self.joined.waiting > BUFFERED:
            return
        size = self._inbox.size
        self._inbox.hand_over()
        if size > self._inbox.size:
            self.joined.make_room()

    def _end(self, error: NetError | None) -> None:
        if self._lost is None or not self._inbox.has_ended:
            self.lose(None)
            self.joined.lose(error)
