"""Open ports: connections are accepted, and each is given to a task of its own or to a plain call."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from postroad.net.sockets import NetError, NetErrorKind, bind
from postroad.net.stream import Stream
from postroad.net.tcp import begin_held, kind_of, stream_of_server
from postroad.words.names import Address

Handler = Callable[[Stream], Awaitable[None]]
Accepted = Callable[[Stream], None]

BACKLOG = 512  # connections the kernel may accept ahead of us; it cuts this to its own maximum
ACCEPT_AGAIN_S = 1.0  # after an accept that failed for want of something, as asyncio's own servers


async def listen(
    address: Address, port: int, handler: Handler, *, backlog: int = BACKLOG, begins_with_tls: bool = False
) -> Listener:
    """Accept connections and give each to `handler`, in a task of its own; port 0 is any free one.

    Where a connection `begins_with_tls`, nothing of it is read before the handler calls `start_tls`.

    Raises:
        NetError: local: the port is taken, or not ours to take.

    """
    return await serve(bind(address, port), handler, backlog=backlog, begins_with_tls=begins_with_tls)


async def serve(
    sock: socket.socket, handler: Handler, *, backlog: int = BACKLOG, begins_with_tls: bool = False
) -> Listener:
    """As `listen`, on a socket already bound; the listener owns it from here."""
    return await _opened(_Attended(sock, handler), backlog, begins_with_tls=begins_with_tls)


async def accept(
    sock: socket.socket, accepted: Accepted, *, backlog: int = BACKLOG, begins_with_tls: bool = False
) -> Listener:
    """As `serve`, with a plain call for each connection: whoever is called owns the stream, and ends it."""
    return await _opened(Listener(sock, accepted), backlog, begins_with_tls=begins_with_tls)


class Listener:
    """An open port that hands on each connection. Each connection is given away."""

    def __init__(self, sock: socket.socket, accepted: Accepted) -> None:
        name = sock.getsockname()
        self.address: Address = ip_address(name[0])
        self.port: int = name[1]
        self._sock = sock
        self._accepted = accepted
        self._server: asyncio.Server | None = None
        self._paused: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def start(self, backlog: int) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: stream_of_server(self._begin), sock=self._sock, backlog=backlog)

    def start_held(self, backlog: int) -> None:
        """As `start`, with streams that read nothing before `start_tls`.

        The accepting is ours: a server of the loop reads as soon as it has accepted, so that the first octets of the
        handshake are often there before the handshake is; and a handshake that it does itself fails without a word.
        """
        self._sock.setblocking(False)  # noqa: FBT003  # the name says it
        self._sock.listen(backlog)
        self._go_on()

    def close(self) -> None:
        """Accept no more; connections that are open go on, and so do those that are accepted but not begun."""
        if self._is_closed:
            return
        self._is_closed = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        if self._paused:
            self._paused.cancel()
        # A turn later: what the loop has accepted and not begun, a server of asyncio that is closed neither serves nor
        # closes, so that the client waits for ever.
        loop.call_soon(self._server.close if self._server else self._sock.close)

    async def stop(self) -> None:
        """Accept no more, and wait until the port is free."""
        self.close()
        await asyncio.sleep(0)  # what is accepted has a transport
        await asyncio.sleep(0)  # and has begun

    def _go_on(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            sock, _ = self._sock.accept()
        except BlockingIOError:
            pass  # it has gone again
        except OSError as problem:
            if kind_of(problem) is NetErrorKind.LOCAL:  # out of file descriptors, say: what waits in the queue may wait
                loop.remove_reader(self._sock)
                self._paused = loop.call_later(ACCEPT_AGAIN_S, self._go_on)
        else:
            sock.setblocking(False)  # noqa: FBT003  # the name says it
            begin_held(sock, self._begin)

    def _begin(self, stream: Stream) -> None:
        try:
            self._accepted(stream)
        except Exception as bug:  # noqa: BLE001  # one connection must not end the port
            _fail(stream, bug)


class _Attended(Listener):
    """A port with a task for each connection. A stream is closed when its handler returns; a NetError is as good."""

    def __init__(self, sock: socket.socket, handler: Handler) -> None:
        super().__init__(sock, self._attend)
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Accept no more, drop the open connections and wait for their handlers to end."""
        await super().stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _attend(self, stream: Stream) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(stream))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._end(task, stream))

    async def _handle(self, stream: Stream) -> None:
        with contextlib.suppress(NetError):
            await self._handler(stream)

    def _end(self, task: asyncio.Task[None], stream: Stream) -> None:
        # Here and not in `_handle`, which never runs if it is cancelled before its first step.
        self._tasks.discard(task)
        problem = None if task.cancelled() else task.exception()
        if problem:
            _fail(stream, problem, task)
        elif task.cancelled():
            stream.abort()
        stream.close()


async def _opened(listener: Listener, backlog: int, *, begins_with_tls: bool) -> Listener:
    if begins_with_tls:
        listener.start_held(backlog)
    else:
        await listener.start(backlog)
    return listener


def _fail(stream: Stream, bug: BaseException, task: asyncio.Task[None] | None = None) -> None:
    """Drop the connection, and report what must not have happened."""
    stream.abort()
    context = {"message": f"the handler of {stream.peer} failed", "exception": bug, "task": task}
    asyncio.get_running_loop().call_exception_handler(context)
