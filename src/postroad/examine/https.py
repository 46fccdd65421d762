"""One small document by HTTPS: verified, limited in size and time, no redirects."""

from __future__ import annotations

import asyncio
import io
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast

from postroad.build import verified_tls
from postroad.dns import Resolver, resolve_a, resolve_aaaa
from postroad.net import NetError, Stream, connect
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.names import Address
from postroad.words.phrasebook import seconds

MAX_OCTETS = 64 * 1024  # "suggested limit: 64 kilobytes", RFC 8461 section 3.3
TIMEOUT_S = 20.0  # RFC 8461 section 3.3 suggests one minute; a checker is waited for
CONNECT_S = 5.0
MOST_ADDRESSES = 3
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Fetched:
    """The text of a document, or why there is none."""

    text: str = ""
    why_not: str = ""


async def fetch(
    resolver: Resolver, host: str, path: str, *, port: int = HTTPS_PORT, context: ssl.SSLContext | None = None
) -> Fetched:
    """Get a document. The certificate must be good for the host, and the answer a 200 (RFC 8461 section 3.3)."""
    a, aaaa = await asyncio.gather(resolve_a(resolver, host), resolve_aaaa(resolver, host))
    addresses: list[Address] = [
        address for answer in (a, aaaa) if isinstance(answer, Found) for address in answer.records
    ]
    if not addresses:
        return Fetched(why_not=a.why if isinstance(a, Temporary | Bogus) else f"{host} has no address")
    whys = []
    for address in addresses[:MOST_ADDRESSES]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await _get(await connect(address, port, timeout_s=CONNECT_S), host, path, context)
        except NetError as problem:
            whys.append(problem.why)
        except TimeoutError:
            whys.append(f"no answer within {seconds(TIMEOUT_S)}")
    return Fetched(why_not=f"https://{host}{path}: {'; '.join(dict.fromkeys(whys))}")


async def _get(stream: Stream, host: str, path: str, context: ssl.SSLContext | None) -> Fetched:
    try:
        await stream.start_tls(context or verified_tls(), host)
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: postroad\r\nConnection: close\r\n\r\n"
        stream.write(request.encode("ascii"))
        octets = b""
        while len(octets) <= MAX_OCTETS and (piece := await stream.read()):
            octets += piece
    finally:
        stream.close()
    return read_response(octets, f"https://{host}{path}")


def read_response(octets: bytes, where: str) -> Fetched:
    """What an HTTP response says. A redirect is none: it must not be followed (RFC 8461 section 3.3)."""
    if len(octets) > MAX_OCTETS:
        return Fetched(why_not=f"{where} is longer than {MAX_OCTETS} octets")
    response = HTTPResponse(cast("ssl.SSLSocket", _Octets(octets)))
    try:
        response.begin()
        if response.status != 200:
            return Fetched(why_not=f"{where} answers {response.status}, and only 200 is valid")
        body = response.read()
    except (HTTPException, ValueError, OSError) as problem:
        return Fetched(why_not=f"{where} has no usable answer: {problem or type(problem).__name__}")
    return Fetched(body.decode("utf-8", "replace"))


class _Octets:
    """What http.client takes for a socket: octets that have come already."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._octets)
