"""A few pages over HTTP, from a thread of their own: answered whatever the event loop is doing."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from postroad.net import bind
from postroad.words.names import Address

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATIENCE_S = 5.0  # for the request of a client: there is one at a time
POLL_S = 0.2  # how soon the thread sees that it is to end
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered to a GET."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    kind: str = TEXT


Pages = Mapping[str, Callable[[], Page]]
"""Each path with what makes its page; called in the thread."""


class PageServer:
    """Serves pages until it is closed. GET only, one client at a time, and no client for long."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._server: _Server | None = None

    def open(self, address: Address, port: int) -> int:
        """Answer from now on; the port.

        Raises:
            NetError: local: the port is taken, or not ours to take.

        """
        self._server = _Server(bind(address, port))
        self._server.set_app(self._answer)
        threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="pages", daemon=True).start()
        return int(self._server.server_port)

    async def close(self) -> None:
        """Answer no more."""
        if self._server:
            await asyncio.to_thread(self._server.shutdown)
            self._server.server_close()

    def _answer(self, asked: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        page = self._page(asked["REQUEST_METHOD"], asked["PATH_INFO"])
        headers = [("Content-Type", page.kind), ("Content-Length", str(len(page.body)))]
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET"))
        start(f"{page.status.value} {page.status.phrase}", headers)
        return [page.body]

    def _page(self, method: str, path: str) -> Page:
        if path not in self._pages:
            return Page(f"There are {' and '.join(self._pages)}.\n".encode(), HTTPStatus.NOT_FOUND)
        if method != "GET":
            return Page(b"These pages can be read only.\n", HTTPStatus.METHOD_NOT_ALLOWED)
        return self._pages[path]()


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE_S

    def log_message(self, *_words: object) -> None:
        """Say nothing: the log is for mail."""


class _Server(WSGIServer):
    def __init__(self, sock: socket.socket) -> None:
        address, port = sock.getsockname()[:2]
        super().__init__((address, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock  # bound already, without the question to DNS that HTTPServer puts
        self.server_name, self.server_port = address, port
        self.setup_environ()
        self.server_activate()

    def handle_error(self, _request: object, _client: object) -> None:
        """Pass over a client that hung up or was too slow."""
