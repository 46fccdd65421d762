"""One small document by HTTPS, fetched or posted: limited in size and time, no redirects."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from postroad.dns import Resolver, resolve_a, resolve_aaaa
from postroad.gather.response import MAX_HEADER, MAX_OCTETS, HttpResponse, read_response
from postroad.net import NetError, Stream, connect
from postroad.routing import target_fault
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.names import Address
from postroad.words.phrasebook import seconds

TIMEOUT_S = 60.0  # "a suggested timeout is one minute", the same
CONNECT_S = 5.0
MOST_ADDRESSES = 3
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document and its media type, or why there is none; `is_untrusted`: for what the server's certificate is."""

    octets: bytes = b""
    media_type: str = ""
    why_not: str = ""
    is_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class HttpsSettings:
    """Whom to trust, and how a document is asked for. `allow_loopback`: in the lab the Internet is 127.0.0.0/8."""

    context: ssl.SSLContext
    timeout_s: float = TIMEOUT_S
    port: int = HTTPS_PORT
    allow_loopback: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of a host: a document, or to take one."""

    host: str
    path: str
    document: bytes | None = None
    media_type: str = ""
    port: int = HTTPS_PORT

    @property
    def where(self) -> str:
        return f"https://{self.host}{self.path}"

    @property
    def octets(self) -> bytes:
        method = "GET" if self.document is None else "POST"
        host = self.host if self.port == HTTPS_PORT else f"{self.host}:{self.port}"
        head = f"{method} {self.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: postroad\r\nConnection: close\r\n"
        head += "Accept-Encoding: identity\r\n"  # without a word any coding would do
        if self.document is not None:
            head += f"Content-Type: {self.media_type}\r\nContent-Length: {len(self.document)}\r\n"
        return f"{head}\r\n".encode("ascii") + (self.document or b"")


async def fetch(resolver: Resolver, host: str, path: str, settings: HttpsSettings) -> Fetched:
    """Get a document. The certificate must be good for the host, and the answer a 200 (RFC 8461 section 3.3).

    Whatever DNS or a server does ends in the answer, within the time limit.
    """
    return await _ask(resolver, _Request(host, path), settings)


async def post(
    resolver: Resolver, host: str, path: str, document: bytes, media_type: str, settings: HttpsSettings
) -> str:
    """Post a document to a host; why that could not be done, "" if it took it, which any 2xx says."""
    return (await _ask(resolver, _Request(host, path, document, media_type, settings.port), settings)).why_not


async def _ask(resolver: Resolver, request: _Request, settings: HttpsSettings) -> Fetched:
    try:
        async with asyncio.timeout(settings.timeout_s):
            return await _ask_addresses(resolver, request, settings)
    except TimeoutError:
        done = "received" if request.document is None else "answered"
        return Fetched(why_not=f"{request.where}: not {done} within {seconds(settings.timeout_s)}")


async def _ask_addresses(resolver: Resolver, request: _Request, settings: HttpsSettings) -> Fetched:
    host = request.host
    a, aaaa = await asyncio.gather(resolve_a(resolver, host), resolve_aaaa(resolver, host))
    addresses: list[Address] = [
        address for answer in (a, aaaa) if isinstance(answer, Found) for address in answer.records
    ]
    if not addresses:
        trouble = next((each.why for each in (a, aaaa) if isinstance(each, Temporary | Bogus)), "")
        return Fetched(why_not=f"{host} cannot be found: {trouble}" if trouble else f"{host} has no address")
    whys, is_untrusted = [], False
    for address in addresses[:MOST_ADDRESSES]:
        # Nobody may have us ask the services of this machine or its network
        if fault := target_fault(address, allow_loopback=settings.allow_loopback):
            whys.append(f"{address}: {fault[1]}")
            continue
        try:
            return await _answer(address, request, settings)
        except NetError as problem:
            whys.append(problem.why)
            is_untrusted |= isinstance(problem.__cause__, ssl.SSLCertVerificationError)
    return Fetched(why_not=f"{request.where}: {'; '.join(dict.fromkeys(whys))}", is_untrusted=is_untrusted)


async def _answer(address: Address, request: _Request, settings: HttpsSettings) -> Fetched:
    stream = await connect(address, settings.port, timeout_s=CONNECT_S)
    try:
        await stream.start_tls(settings.context, request.host)
        stream.write(request.octets)
        octets = await _received(stream, b"" if request.document is None else b"\r\n\r\n")
        response = read_response(octets, is_ended=stream.has_said_goodbye)
    finally:
        stream.abort()  # as in a conversation: nothing is left to be said
    return (_document if request.document is None else _receipt)(response, request.where)


async def _received(stream: Stream, end: bytes) -> bytes:
    """All that comes, or more than there may be; up to an end, if one is given: not every server hangs up then."""
    octets = bytearray()
    while len(octets) <= MAX_HEADER + MAX_OCTETS and (piece := await stream.read()):
        octets += piece
        if end and end in octets:
            break
    return bytes(octets)


def _document(response: HttpResponse, where: str) -> Fetched:
    """What was asked for. A redirect is none: it must not be followed (RFC 8461 section 3.3)."""
    if response.status not in (0, 200):
        return Fetched(why_not=f"{where} answers {response.status}, and only 200 is valid")
    if response.why_not:
        return Fetched(why_not=f"{where} has no usable answer: {response.why_not}")
    return Fetched(response.body, response.media_type)


def _receipt(response: HttpResponse, where: str) -> Fetched:
    """Whether a host took what was posted: "a 'successful' response" (RFC 8460 section 5.4)."""
    if response.status == 0:
        return Fetched(why_not=f"{where} has no usable answer: {response.why_not}")
    if response.status // 100 == 2:
        return Fetched()
    return Fetched(why_not=f"{where} answers {response.status}, so it has not taken it")
