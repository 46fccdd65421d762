"""One small document by HTTPS: verified, limited in size and time, no redirects."""

from __future__ import annotations

import asyncio
import io
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast

from postroad.dns import Resolver, resolve_a, resolve_aaaa
from postroad.net import NetError, Stream, connect
from postroad.routing import target_fault
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.names import Address
from postroad.words.phrasebook import seconds
from postroad.words.visible import visible

MAX_OCTETS = 64 * 1024  # "a suggested maximum policy size is 64 kilobytes", RFC 8461 section 3.3
MAX_HEADER = 16 * 1024  # in front of it
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


async def fetch(resolver: Resolver, host: str, path: str, settings: HttpsSettings) -> Fetched:
    """Get a document. The certificate must be good for the host, and the answer a 200 (RFC 8461 section 3.3).

    Whatever DNS or a server does ends in the answer, within the time limit.
    """
    try:
        async with asyncio.timeout(settings.timeout_s):
            return await _fetch(resolver, host, path, settings)
    except TimeoutError:
        return Fetched(why_not=f"https://{host}{path}: not received within {seconds(settings.timeout_s)}")


async def _fetch(resolver: Resolver, host: str, path: str, settings: HttpsSettings) -> Fetched:
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
            return await _get(address, host, path, settings)
        except NetError as problem:
            whys.append(problem.why)
            is_untrusted |= isinstance(problem.__cause__, ssl.SSLCertVerificationError)
    return Fetched(why_not=f"https://{host}{path}: {'; '.join(dict.fromkeys(whys))}", is_untrusted=is_untrusted)


async def _get(address: Address, host: str, path: str, settings: HttpsSettings) -> Fetched:
    stream = await connect(address, settings.port, timeout_s=CONNECT_S)
    try:
        await stream.start_tls(settings.context, host)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: postroad\r\nConnection: close\r\n\r\n"
        stream.write(request.encode("ascii"))
        return read_response(await _received(stream), f"https://{host}{path}")
    finally:
        stream.abort()  # as in a conversation: nothing is left to be said


async def _received(stream: Stream) -> bytes:
    """All that comes, or more than there may be."""
    octets = bytearray()
    while len(octets) <= MAX_HEADER + MAX_OCTETS and (piece := await stream.read()):
        octets += piece
    return bytes(octets)


def read_response(octets: bytes, where: str) -> Fetched:
    """What an HTTP response says. A redirect is none: it must not be followed (RFC 8461 section 3.3)."""
    too_long = f"{where} is longer than {MAX_OCTETS} octets"
    response = HTTPResponse(cast("ssl.SSLSocket", _Octets(octets)))
    try:
        response.begin()
        if response.status != 200:
            return Fetched(why_not=f"{where} answers {response.status}, and only 200 is valid")
        if len(octets) > MAX_HEADER + MAX_OCTETS:
            return Fetched(why_not=too_long)
        body = response.read()
    except (HTTPException, ValueError, OSError) as problem:
        return Fetched(why_not=f"{where} has no usable answer: {visible(str(problem)) or type(problem).__name__}")
    if len(body) > MAX_OCTETS:
        return Fetched(why_not=too_long)
    media_type = response.getheader("Content-Type") or ""
    return Fetched(body, visible(media_type.partition(";")[0].strip().lower()))


class _Octets:
    """What http.client takes for a socket: octets that have come already."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._octets)
