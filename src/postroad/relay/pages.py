"""A few pages over HTTP, served by their own thread: they answer whatever the event loop of mail is doing."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from postroad.net import bind
from postroad.words.names import Address, parse_address

PATIENCE_S = 5.0  # for a client, from its first octet to its last
MOST = 32  # clients at once; the one that has been there longest makes room for the next
BACKLOG = 128
HEAD = 8 * 1024  # octets of a request
TEXT = "text/plain; charset=utf-8"
READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a GET."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    kind: str = TEXT


Pages = Mapping[str, Callable[[], Page]]
"""Each path with what makes its page; called in a thread."""


class PageServer:
    """Serves pages until it is closed: GET and HEAD, to who calls us by an address or by one of our `names`."""

    def __init__(self, pages: Pages, names: Callable[[], Collection[str]] = tuple) -> None:
        self._pages = pages
        self._names = names
        self._clients: dict[asyncio.Task[None], None] = {}  # in order of arrival
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closing = asyncio.Event()

    def open(self, address: Address, port: int) -> int:
        """Answer from now on; the port.

        Raises:
            NetError: local: the port is taken, or not ours to take.

        """
        sock = bind(address, port)
        sock.listen(BACKLOG)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop, sock), name="pages", daemon=True)
        self._thread.start()
        return int(sock.getsockname()[1])

    async def close(self) -> None:
        """Answer no more."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._is_closing.set)
            await asyncio.to_thread(self._thread.join)

    def _run(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        loop.run_until_complete(self._serve(sock))
        loop.close()  # a page that is still being made is waited for by nobody

    async def _serve(self, sock: socket.socket) -> None:
        server = await asyncio.start_server(self._attend, sock=sock, limit=HEAD, backlog=BACKLOG)
        await self._is_closing.wait()  # it may have been set by now
        server.close()
        await self._drop_clients()

    async def _drop_clients(self) -> None:
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task  # noqa: S101  # asyncio runs us in one
        if len(self._clients) >= MOST:
            next(iter(self._clients)).cancel()
        self._clients[task] = None
        try:
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(PATIENCE_S):
                    writer.transport.set_write_buffer_limits(0)  # drained: all of it has left
                    writer.write(await self._answer(reader))
                    await writer.drain()
                    writer.write_eof()
                    while await reader.read(HEAD):  # closed with octets unread, the connection would be reset
                        pass
        finally:
            self._clients.pop(task, None)
            writer.transport.abort()  # what it was to have it has, or it was too slow

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            raise ConnectionResetError from None
        except asyncio.LimitOverrunError:
            return _response(Page(b"Too long.\n", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        request = _read(head)
        if request is None:
            return _response(Page(b"This is not an HTTP request.\n", HTTPStatus.BAD_REQUEST))
        return _response(await self._page(request), has_body=request.method != "HEAD")

    async def _page(self, request: Request) -> Page:
        if not self._is_ours(request.host):
            text = f"{request.host} is not a name of this server; use its address.\n"
            return Page(text.encode(), HTTPStatus.MISDIRECTED_REQUEST)
        if request.path not in self._pages:
            return Page(f"There are {' and '.join(self._pages)}.\n".encode(), HTTPStatus.NOT_FOUND)
        if request.method not in READING:
            return Page(b"These pages can be read only.\n", HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return await asyncio.to_thread(self._pages[request.path])
        except Exception as bug:  # noqa: BLE001  # as any server: the next request may do better
            return Page(f"This page cannot be produced: {bug!r}\n".encode(), HTTPStatus.INTERNAL_SERVER_ERROR)

    def _is_ours(self, host: str) -> bool:
        """Whether nobody else can have led a browser here by this name: an address, localhost, a name of ours, none."""
        name = host.rpartition(":")[0] if _has_port(host) else host
        name = name.lower().removesuffix(".")
        if not name or name == "localhost" or name.endswith(".localhost") or name in self._names():
            return True
        return parse_address(name.strip("[]")) is not None


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for; `host` is empty if it does not say, as programs do that speak HTTP/1.0."""

    method: str
    path: str
    host: str


def _read(head: bytes) -> Request | None:
    """A request from its head; None if it is none."""
    line, *fields = head[:-4].decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return None
    hosts = [
        value.strip(" \t") for name, _, value in (field.partition(":") for field in fields) if name.lower() == "host"
    ]
    if len(hosts) > 1 or (not hosts and words[2] == "HTTP/1.1"):  # RFC 9112 section 3.2
        return None
    target, host = words[1], "".join(hosts)
    if target.lower().startswith("http://"):  # the absolute form, whose authority is the host (RFC 9112 section 3.2.2)
        host, slash, path = target[len("http://") :].partition("/")
        target = slash + path
    return Request(words[0], target.partition("?")[0], host)


def _has_port(host: str) -> bool:
    """Whether a host has a port behind it; the colons of an address in brackets are none."""
    return host.rpartition(":")[2].isdigit() and (host.count(":") == 1 or "]:" in host)


def _response(page: Page, *, has_body: bool = True) -> bytes:
    fields = {
        "Date": formatdate(usegmt=True),
        "Content-Type": page.kind,
        "Content-Length": str(len(page.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields["Allow"] = ", ".join(READING)
    lines = [f"HTTP/1.1 {page.status.value} {page.status.phrase}", *(f"{name}: {of}" for name, of in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (page.body if has_body else b"")
