"""TCP streams on asyncio's transports: a protocol class of our own, for speed (StreamReader costs a third more)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import ssl
import struct
import sys
import termios
from collections.abc import Callable
from functools import cached_property, lru_cache
from ipaddress import ip_address
from typing import cast

from postroad.net.sockets import Endpoint, NetError, NetErrorKind
from postroad.net.stream import BUFFERED, Ear, Inbox, Stream
from postroad.words.names import Address

# struct tcp_info of linux/tcp.h: tcpi_rto and tcpi_unacked. tcpi_retransmits would come too late: what is alone on its
# way is sent again by a probe first (RFC 8985), which is not counted there.
_WAITING = struct.Struct("=8xI12xI")

TLS_GOODBYE_S = 1.0  # how long a closing TLS stream waits for the peer's close_notify, which mail servers often omit

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
_RESET = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN}
_SENTENCES = {
    NetErrorKind.REFUSED: "connection refused",
    NetErrorKind.TIMEOUT: "connection timed out",
    NetErrorKind.UNREACHABLE: "no route to host",
    NetErrorKind.RESET: "connection reset by peer",
}


async def connect(address: Address, port: int, *, timeout_s: float, source: Address | None = None) -> Stream:
    """Open a connection to an address, from `source` if this machine has several.

    Raises:
        NetError: refused, timeout, unreachable, reset, or local: this machine could not (no such source address,
            out of file descriptors).

    """
    try:
        async with asyncio.timeout(timeout_s):
            _, stream = await asyncio.get_running_loop().create_connection(
                _TcpStream, str(address), port, local_addr=(str(source), 0) if source else None
            )
    except TimeoutError as problem:
        # The kernel's own ETIMEDOUT is a TimeoutError too: it gave up before we did.
        raise NetError(_SENTENCES[NetErrorKind.TIMEOUT], NetErrorKind.TIMEOUT) from problem
    except OSError as problem:
        raise _explained(problem) from problem
    return stream


def stream_of_server(accepted: Callable[[Stream], None]) -> asyncio.Protocol:
    """A stream as a server of the loop wants it; `accepted` is called with it when it is connected."""
    return _TcpStream(accepted)


def begin_held(sock: socket.socket, accepted: Callable[[Stream], None]) -> None:
    """Call `accepted` with a stream on a connection of which nothing is read before `start_tls`."""
    stream = _TcpStream(accepted)
    stream.connection_made(_Unread(sock, stream))


def kind_of(problem: OSError) -> NetErrorKind:
    """Which of the kinds of trouble it is."""
    if isinstance(problem, ConnectionRefusedError):
        return NetErrorKind.REFUSED
    if isinstance(problem, TimeoutError):
        return NetErrorKind.TIMEOUT
    if isinstance(problem, ssl.SSLError):
        return NetErrorKind.TLS
    if problem.errno in _UNREACHABLE:
        return NetErrorKind.UNREACHABLE
    return NetErrorKind.RESET if problem.errno in _RESET else NetErrorKind.LOCAL


class _TcpStream(asyncio.Protocol):
    """Both a protocol, called by the loop, and the stream, called by us."""

    def __init__(self, accepted: Callable[[Stream], None] | None = None) -> None:
        self._accepted = accepted
        self._is_server = accepted is not None
        self._transport: asyncio.Transport
        self._inbox = Inbox()
        self._is_reading_paused = False
        self._lost: NetError | None = None
        self._room: asyncio.Future[None] | None = None  # resolved when there is room to write again
        self._upgrading: asyncio.Task[object] | None = None  # who waits for the TLS handshake
        self._is_full = False
        self._holds = True  # what comes while it is full
        self.tls: str | None = None
        self.has_said_goodbye = False

    @cached_property
    def peer(self) -> Endpoint:
        """The other end."""
        return _endpoint(self._transport, "peername")

    @property
    def local(self) -> Endpoint:
        """This end."""
        return _endpoint(self._transport, "sockname")

    @property
    def certificates(self) -> tuple[bytes, ...]:
        tls = self._transport.get_extra_info("ssl_object")
        return _shown(tls) if tls else ()

    @property
    def trouble(self) -> NetError | None:
        return self._inbox.error

    async def read(self) -> bytes:
        data = await self._inbox.take()
        if self._is_reading_paused:
            self._go_on_reading()
        return data

    def listen(self, ear: Ear | None, *, holds: bool = True) -> None:
        self._inbox.ear, self._holds = ear, holds
        if ear is not None and (self._inbox.size or self._inbox.has_ended) and not self._is_held:
            self._hand_over()

    def write(self, data: bytes) -> None:
        if self._lost is None:
            self._transport.write(data)

    async def drain(self) -> None:
        while self._is_full and self._lost is None:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self._lost:
            raise NetError(self._lost.why, self._lost.kind)

    def is_unheard(self, after_s: float) -> bool:
        with contextlib.suppress(OSError, AttributeError, struct.error), _same(self._transport) as sock:
            rto_us, segments = _WAITING.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28))
            return bool(segments and after_s * 1e6 >= rto_us)
        return False

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        if self._inbox.size:
            self.abort()
            raise NetError("unencrypted data before the TLS handshake", NetErrorKind.TLS)
        # In this task and at once: a task of its own would begin a turn later, and the turn would read the client's
        # first TLS octets as clear ones.
        self._upgrading = task = asyncio.current_task()
        try:
            await self._upgrade(context, server_hostname)
        except OSError as problem:  # SSLError, ConnectionError and TimeoutError are all of this family
            raise self._tls_failed(problem) from problem
        except asyncio.CancelledError:
            is_given_up, self._upgrading = self._upgrading is None, None
            self.abort()
            if is_given_up and task and task.uncancel() == 0:
                raise self._tls_failed(ConnectionAbortedError(errno.ECONNABORTED, "given up")) from None
            raise
        finally:
            self._upgrading = None

    def be_deaf(self) -> None:
        self._transport.pause_reading()

    @property
    def waiting(self) -> int:
        if self._inbox.size or self.tls:
            return self._inbox.size
        return _waiting(self._transport)

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()
        if self._upgrading:  # uvloop leaves who waits for a handshake waiting when its connection is aborted
            task, self._upgrading = self._upgrading, None
            task.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=BUFFERED)
        self.tls = _described(transport.get_extra_info("ssl_object"))
        accepted, self._accepted = self._accepted, None  # once: the transport under TLS is another one
        if accepted and self._has_peer():
            accepted(self)

    def data_received(self, data: bytes) -> None:
        ear = self._inbox.ear
        if ear is not None and not (self._is_full and self._holds):
            ear(data)
            return
        self._inbox.put(data)
        if self._inbox.size > BUFFERED and not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self.has_said_goodbye = _has_goodbye(self._transport.get_extra_info("ssl_object"))
        self._inbox.end()
        if not self._is_held:
            self._inbox.hand_over()
        return self.tls is None  # the other direction stays open; TLS of asyncio cannot do that

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(_explained(exc) if isinstance(exc, OSError) else None)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._make_room()
        self._hand_over()

    @property
    def _is_held(self) -> bool:
        return self._is_full and self._holds

    def _has_peer(self) -> bool:
        """Whether the peer is still there: one that has reset the connection before we came to it is not told of."""
        try:
            return bool(self.peer)
        except NetError:
            self._transport.abort()
            return False

    async def _upgrade(self, context: ssl.SSLContext, server_hostname: str | None) -> None:
        if isinstance(self._transport, _Unread):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self, self._transport.hand_over(), ssl=context, ssl_shutdown_timeout=TLS_GOODBYE_S
            )
            return
        transport = await asyncio.get_running_loop().start_tls(
            self._transport,
            self,
            context,
            server_side=self._is_server,
            server_hostname=None if self._is_server else server_hostname,
            ssl_shutdown_timeout=TLS_GOODBYE_S,
        )
        if transport is None:
            raise ConnectionResetError(errno.ECONNRESET, "connection lost in the TLS handshake")
        self._transport = transport
        transport.set_write_buffer_limits(high=BUFFERED)
        self.tls = _described(transport.get_extra_info("ssl_object"))

    def _tls_failed(self, problem: OSError) -> NetError:
        error = NetError(f"TLS handshake failed: {_reason(problem)}", NetErrorKind.TLS)
        self._transport.abort()
        self._lose(error)  # asyncio does not tell a protocol whose handshake failed
        return error

    def _lose(self, error: NetError | None) -> None:
        self._is_full = False
        self._inbox.end(error)
        self._lost = self._lost or error or NetError("connection closed", NetErrorKind.RESET)
        self._make_room()
        self._inbox.hand_over()

    def _hand_over(self) -> None:
        """To the ear, if there is one, what came while there was none."""
        if self._is_reading_paused and self._inbox.ear:
            self._go_on_reading()
        self._inbox.hand_over()

    def _go_on_reading(self) -> None:
        self._is_reading_paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _make_room(self) -> None:
        if self._room and not self._room.done():
            self._room.set_result(None)


class _Unread(asyncio.Transport):
    """An accepted connection that nobody reads or writes yet: what stands in for a transport before TLS."""

    def __init__(self, sock: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": _name(sock.getpeername), "sockname": _name(sock.getsockname)})
        self._sock: socket.socket | None = sock
        self._protocol = protocol

    def hand_over(self) -> socket.socket:
        """The socket, which is no longer ours."""
        sock, self._sock = self._sock, None
        if sock is None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "connection closed before the TLS handshake")
        return sock

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is written."""

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._sock is None

    def close(self) -> None:
        """Hang up."""
        sock, self._sock = self._sock, None
        if sock:
            sock.close()
            self._protocol.connection_lost(None)

    def abort(self) -> None:
        """The same: nothing is buffered."""
        self.close()


def _explained(problem: OSError) -> NetError:
    kind = kind_of(problem)
    return NetError(_SENTENCES.get(kind) or (problem.strerror or str(problem)).lower(), kind)


def _reason(problem: OSError) -> str:
    """What OpenSSL says, without its file names and line numbers."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return str(problem.verify_message)
    if isinstance(problem, ssl.SSLError) and problem.reason:
        return problem.reason.replace("_", " ").lower()
    return (problem.strerror or str(problem) or "connection closed").lower()


def _shown(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates of the peer. Before Python 3.13 only a private name has more than the first."""
    if hasattr(tls, "get_unverified_chain"):
        return tuple(tls.get_unverified_chain())
    chain = tls._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]  # noqa: SLF001  # see above
    return tuple(ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain)


def _described(tls: ssl.SSLObject | None) -> str | None:
    if tls is None:
        return None
    cipher = tls.cipher()
    return f"{tls.version()} {cipher[0]}" if cipher else tls.version()


def _has_goodbye(tls: ssl.SSLObject | None) -> bool:
    """Whether close_notify has come: behind it OpenSSL reads an end, where else it still wants octets."""
    try:
        return tls is not None and tls.read(1) == b""
    except ssl.SSLError:
        return False


def _name(ask: Callable[[], tuple[str, int]]) -> tuple[str, int] | None:
    try:
        return ask()
    except OSError:  # gone again, as a port scan is
        return None


def _waiting(transport: asyncio.Transport) -> int:
    """Octets in the kernel, which the loop has not read yet."""
    sock = transport.get_extra_info("socket")
    count = bytearray(4)
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, count)
    except (OSError, ValueError, AttributeError):  # gone, or no socket at all
        return 0
    return int.from_bytes(count, sys.byteorder)


def _endpoint(transport: asyncio.Transport, which: str) -> Endpoint:
    try:
        name = transport.get_extra_info(which)
    except (OSError, ValueError):  # uvloop asks a socket that is gone
        name = None
    if name is None:
        raise NetError(_SENTENCES[NetErrorKind.RESET], NetErrorKind.RESET)
    return Endpoint(_address(name[0]), name[1])


_address = lru_cache(maxsize=1024)(ip_address)  # who has connected once often does again


def _same(transport: asyncio.BaseTransport) -> socket.socket:
    """The socket of a transport as a second handle on it: uvloop's own does not let itself be asked."""
    return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
