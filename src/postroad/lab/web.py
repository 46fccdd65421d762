"""A web server on loopback that has MTA-STS policies, as `mta-sts.DOMAIN` does (RFC 8461 section 3.2)."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Mapping
from functools import cached_property
from http import HTTPStatus

from postroad.lab.certificate import CertificateKind, lab_context
from postroad.net import Listener, NetError, Stream, bind, serve
from postroad.words import trace
from postroad.words.names import Address
from postroad.words.trace import Event

HOST = "mta-sts."
PATH = "/.well-known/mta-sts.txt"
MOST = 16 * 1024  # octets of a request


class PolicyServer:
    """The policies of domains by HTTPS, at the addresses of their hosts, all on one port.

    `policies` may be changed at any time: a domain that is not in it gets a 404. Each request is told as
    `lab.web.asked` with host, path and status.
    """

    def __init__(
        self,
        policies: Mapping[str, str],
        addresses: Iterable[Address],
        kind: CertificateKind = CertificateKind.GOOD,
        listener: trace.Listener = trace.nobody,
    ) -> None:
        self.policies = dict(policies)
        self.port = 0
        self._addresses = tuple(addresses)
        self._shown = kind, [HOST + domain for domain in policies]
        self._tell = listener
        self._held: list[socket.socket] = []
        self._open: list[Listener] = []

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return lab_context(*self._shown)

    def hold(self, port: int) -> None:
        """Take a port at all addresses; 0 takes one that is free at the first.

        Raises:
            NetError: local: it is taken at one of them.

        """
        self.port = port
        for address in self._addresses:
            self._held.append(bind(address, self.port))
            self.port = self._held[-1].getsockname()[1]

    async def start(self) -> None:
        """Answer."""
        while self._held:
            self._open.append(await serve(self._held.pop(), self._converse))

    def release(self) -> None:
        """Let go of a port that is held, and not open yet."""
        for sock in self._held:
            sock.close()
        self._held.clear()

    async def stop(self) -> None:
        """Free the port."""
        self.release()
        while self._open:
            await self._open.pop().stop()

    async def _converse(self, stream: Stream) -> None:
        with contextlib.suppress(NetError):  # whoever asked has hung up, or does not trust us
            await stream.start_tls(self._context, None)
            request = b""
            while b"\r\n\r\n" not in request and len(request) < MOST and (data := await stream.read()):
                request += data
            stream.write(self._answer(request.decode("latin-1")))
            await stream.drain()

    def _answer(self, request: str) -> bytes:
        first, *fields = request.split("\r\n")
        words = first.split(" ")
        path = words[1] if len(words) == 3 and words[0] == "GET" else ""
        hosts = (field.partition(":")[2].strip() for field in fields if field.lower().startswith("host:"))
        host = next(hosts, "").lower()
        policy = self.policies.get(host.removeprefix(HOST)) if path == PATH and host.startswith(HOST) else None
        status = HTTPStatus.NOT_FOUND if policy is None else HTTPStatus.OK
        self._tell(Event("lab.web.asked", {"host": host, "path": path, "status": int(status)}))
        head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
        return (head + (policy or "")).encode()
