"""What a stream of bytes promises, whatever carries it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol

from postroad.net.sockets import Endpoint, NetError

Ear = Callable[[bytes], None]

BUFFERED = 256 * 1024
"""Octets a stream holds for a slow reader before it stops its peer, and for a slow peer before `drain` waits."""


class Stream(Protocol):
    """A connection: octets both ways, with or without TLS.

    One task reads, one writes. Any method may raise NetError; only `close` and `abort` never do.

    Who does not want to wait for octets in a task listens for them instead.
    """

    @property
    def peer(self) -> Endpoint:
        """The other end."""
        ...

    @property
    def local(self) -> Endpoint:
        """This end."""
        ...

    @property
    def tls(self) -> str | None:
        """Protocol and cipher, as "TLSv1.3 TLS_AES_256_GCM_SHA384"; None in the clear."""
        ...

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """What the peer showed in the TLS handshake, believed or not, its own first, in DER; () in the clear."""
        ...

    @property
    def waiting(self) -> int:
        """Octets that have come and `read` would give at once; 0 is no promise, for more may be on its way."""
        ...

    def is_unheard(self, after_s: float) -> bool:
        """Whether the peer's kernel has not acknowledged what was written `after_s` ago, though it should have by now.

        By the time that ours gives a segment (RFC 6298); False where that cannot be known. A host that is merely slow
        to answer acknowledges in time.
        """
        ...

    @property
    def trouble(self) -> NetError | None:
        """Why nothing more will come, if the peer has not simply ended its side; None before the end."""
        ...

    @property
    def has_said_goodbye(self) -> bool:
        """Whether the peer has ended its side by the close_notify of TLS, which nobody on the way can forge.

        Who cuts a connection makes its octets end, too; never so in the clear.
        """
        ...

    async def read(self) -> bytes:
        """All octets that have come, waiting for at least one; b"" once the peer has ended its side."""
        ...

    def listen(self, ear: Ear | None, *, holds: bool = True) -> None:
        """Hand octets to `ear` as they come, first those that are here already; None: keep them for whoever is next.

        At the end, whatever its reason, b"" and no more. While the peer is slow to take what is written, nothing of
        what it says is handed on, unless the stream is told not to hold it back.
        """
        ...

    def write(self, data: bytes) -> None:
        """Hand octets over for sending. Never waits; a lost connection shows at the next `drain` or `read`."""
        ...

    async def drain(self) -> None:
        """Wait until the peer has taken enough for more to be written; at once if it has."""
        ...

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        """Go on (or, where the port begins with TLS, begin) under TLS, as client or server as the connection has it.

        Octets that came in the clear and were not read yet are an attack (RFC 3207 section 4.2): NetError, kind tls,
        as for a failed handshake; the connection is aborted. A server writes its 220 and calls this with no other
        await between, or is deaf from before the 220, or the client's first TLS octets are taken for such.
        """
        ...

    def be_deaf(self) -> None:
        """Take nothing more of what the peer sends until `start_tls` does."""
        ...

    def close(self) -> None:
        """End it: what was written is still sent, nothing more is read."""
        ...

    def abort(self) -> None:
        """Drop it now, sent or not."""
        ...


class Inbox:
    """The receive buffer of a stream, for one reader or listener."""

    __slots__ = ("_arrival", "_chunks", "ear", "error", "has_ended", "size")

    def __init__(self) -> None:
        self.size = 0
        self.ear: Ear | None = None
        self.has_ended = False  # nothing more will come
        self.error: NetError | None = None
        self._chunks: list[bytes] = []
        self._arrival: asyncio.Future[None] | None = None

    @property
    def has_news(self) -> bool:
        """Whether there is something to hand over: octets, or the end."""
        return self.has_ended or self.size > 0

    def put(self, data: bytes) -> None:
        """Octets have come."""
        self._chunks.append(data)
        self.size += len(data)
        self._wake()

    def end(self, error: NetError | None = None) -> None:
        """Nothing more will come; with an error, not by the peer's will. Only the first ending counts."""
        if not self.has_ended:
            self.has_ended, self.error = True, error
            self._wake()

    def hand_over(self) -> None:
        """Let the ear, if there is one, hear what is here. It may go away at each step; behind the end it does."""
        if self.ear and self.size:
            self.ear(self._emptied())
        if self.ear and self.has_ended:
            ear, self.ear = self.ear, None
            ear(b"")

    async def take(self) -> bytes:
        """Everything there is, waiting for something; then b"", or the error, for ever."""
        while not self._chunks and not self.has_ended:
            if self._arrival is not None:
                raise RuntimeError("two tasks read one stream")
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        if self._chunks:
            return self._emptied()
        if self.error:
            raise NetError(self.error.why, self.error.kind)
        return b""

    def _emptied(self) -> bytes:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self.size = 0
        return data

    def _wake(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)
