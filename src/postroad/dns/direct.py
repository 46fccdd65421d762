"""One query to one server: its answer, and how that was carried. For checking servers, not names."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from postroad.dns import lean
from postroad.dns.answers import DnsReply, resolve_with
from postroad.dns.line import PendingQueries
from postroad.dns.resolver import RecordType
from postroad.dns.servers import ServerAddress
from postroad.dns.wire import PAYLOAD, decoded, over_tcp, over_udp, reason
from postroad.words.facts import Answer, Bogus, Temporary
from postroad.words.phrasebook import seconds

TIMEOUT_S = 3.0
_AA = 0x04  # of the third octet


@dataclass(frozen=True, slots=True)
class Direct:
    """The answer of one name server that was asked directly.

    `octets` is the size of the whole message, `is_cut` whether UDP could not carry it.
    """

    answer: Answer[Any]
    octets: int = 0
    is_cut: bool = False
    is_authoritative: bool = False
    ttls: tuple[int, ...] = ()  # of each record of the answer


async def ask_server(
    server: ServerAddress,
    name: str,
    kind: RecordType,
    *,
    timeout_s: float = TIMEOUT_S,
    recursion: bool = False,
    line: PendingQueries | None = None,
) -> Direct:
    """Ask by UDP with room for 1232 octets, and by TCP if the answer was cut; never raises for what comes or does not.

    Without `recursion` the server speaks for itself alone. An alias is followed as far as its answer goes. `line`: the
    socket to ask on, beside other questions; else the question has one of its own.
    """
    heard: Direct | dns.message.Message | None = None
    try:
        if query := lean.question(name, kind, PAYLOAD, lean.RECURSION if recursion else 0):
            with suppress(NotImplementedError):  # asyncio's own loop for Windows watches no sockets
                heard = await _over(line or PendingQueries(server.address, server.port, timeout_s), query)
        if isinstance(heard, Direct):
            return heard
        async with asyncio.timeout(timeout_s):
            return await _by_dnspython(server, name, kind, heard, recursion=recursion)
    except TimeoutError:
        return Direct(Temporary(f"{server} did not answer within {seconds(timeout_s)}"))
    except (OSError, EOFError) as problem:
        return Direct(Temporary(f"{server}: {reason(problem)}"))
    except Exception as problem:  # noqa: BLE001  # hostile octets: dnspython promises no closed set of errors
        return Direct(Bogus(f"{server} sent a reply that cannot be used: {problem or type(problem).__name__}"))


async def _over(line: PendingQueries, query: lean.Question) -> Direct | dns.message.Message:
    """The plain reply read here, any other as dnspython has it."""
    return await line.ask(query.octets, lambda octets: _read(octets, query))


def _read(octets: bytes, query: lean.Question) -> Direct | dns.message.Message | None:
    said = lean.read(octets, query)
    if said is None:
        return decoded(octets, query.octets)
    if said.authentic:
        said = replace(said, authentic=False)  # nobody was asked to validate
    is_authoritative = bool(octets[2] & _AA)
    return Direct(said, len(octets), is_cut=False, is_authoritative=is_authoritative, ttls=lean.ttls(octets, query))


async def _by_dnspython(
    server: ServerAddress, name: str, kind: RecordType, first: dns.message.Message | None, *, recursion: bool
) -> Direct:
    heard: list[tuple[dns.message.Message, bool]] = []

    async def ask(owner: dns.name.Name, rdtype: Any) -> DnsReply | Temporary:  # noqa: ANN401  # dnspython's enum
        if heard:
            return Temporary(f"{server} does not say more of {owner}")
        flags = dns.flags.RD if recursion else dns.flags.Flag(0)
        query = dns.message.make_query(owner, rdtype, use_edns=0, payload=PAYLOAD, flags=flags)
        message = first or await over_udp(query, server)
        is_cut = message is None or bool(message.flags & dns.flags.TC)
        told = await over_tcp(query, server) if message is None or is_cut else message
        heard.append((told, is_cut))
        if told.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return Temporary(f"{server} says {dns.rcode.to_text(told.rcode())}")
        return DnsReply(told.rcode(), told.answer, told.authority)

    answer = await resolve_with(ask, name, kind)
    if not heard:
        return Direct(answer)
    told, is_cut = heard[0]
    return Direct(answer, len(told.wire or b""), is_cut, bool(told.flags & dns.flags.AA), _ttls(told, kind))


def _ttls(message: dns.message.Message, kind: RecordType) -> tuple[int, ...]:
    """Record by record: in the message as it was read those of a set are one already, the least of them."""
    apart = dns.message.from_wire(message.wire or b"", one_rr_per_rrset=True)
    return tuple(each.ttl for each in apart.answer if dns.rdatatype.to_text(each.rdtype) == kind)
