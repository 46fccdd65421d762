"""The authoritative servers of a zone, asked one by one: do they say the same, and does their answer fit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from postroad.dns import (
    DNS_PORT,
    PacedServers,
    RecordType,
    Resolver,
    ServerAddress,
    Soa,
    resolve_a,
    resolve_aaaa,
    resolve_ns,
)
from postroad.words.facts import Bogus, Found, HostFacts, NoData, Said, Temporary, Wire
from postroad.words.names import Address, AddressLiteral
from postroad.words.snapshot import Snapshot

MAX_SERVERS = 26  # addresses of name servers asked for one zone: thirteen names, two families
NOTHING: Mapping[str, HostFacts] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NameServer:
    """One address of one name server of the zone."""

    name: str
    address: Address


async def gather_servers(snapshot: Snapshot, resolver: Resolver) -> Sequence[NameServer]:
    """The name servers of the zone a domain is in, by address: those of the domain, else of the names above it."""
    if isinstance(snapshot.domain, AddressLiteral):
        return ()
    names, zone = snapshot.servers, snapshot.domain
    while isinstance(names, NoData) and "." in (zone := zone.partition(".")[2]):
        names = await resolve_ns(resolver, zone)
    if not isinstance(names, Found):
        return ()
    return await server_addresses(names.records, resolver, snapshot.hosts)


async def server_addresses(
    names: Sequence[str], resolver: Resolver, known: Mapping[str, HostFacts] = NOTHING
) -> tuple[NameServer, ...]:
    """Every address of these name servers, as many as are asked for one zone."""
    found = await asyncio.gather(*(_addresses(name, known.get(name), resolver) for name in names))
    return tuple(islice((each for server in found for each in server), MAX_SERVERS))


async def gather_drift(
    domain: str, servers: Sequence[NameServer], asker: PacedServers, port: int = DNS_PORT
) -> tuple[Said, ...]:
    """What each of them says of the zone's serial and of the MX set, no cache between."""
    return tuple(await asyncio.gather(*(_said(domain, server, asker, port) for server in servers)))


async def gather_wire(
    domain: str, exchangers: Sequence[str], server: ServerAddress, asker: PacedServers
) -> tuple[Wire, ...]:
    """The sizes of the answers a sender needs, as a resolver gives them: MX, and the addresses of each exchanger."""
    asked = [(domain, RecordType.MX)]
    asked += [(name, kind) for name in exchangers for kind in (RecordType.A, RecordType.AAAA)]
    answers = await asyncio.gather(*(asker.ask(server, name, kind, recursion=True) for name, kind in asked))
    return tuple(
        Wire(name, kind.value, answer.octets, answer.is_cut, answer.ttls)
        for (name, kind), answer in zip(asked, answers, strict=True)
        if answer.octets
    )


async def _said(domain: str, server: NameServer, asker: PacedServers, port: int) -> Said:
    where = ServerAddress(server.address, port)
    mx, soa = await asyncio.gather(asker.ask(where, domain, RecordType.MX), _soa(where, domain, asker))
    why = mx.answer.why if isinstance(mx.answer, Temporary | Bogus) else ""
    return Said(server.name, server.address, soa, None if why else mx.answer, mx.is_authoritative, why)


async def _soa(server: ServerAddress, domain: str, asker: PacedServers) -> int | None:
    """The serial of the zone: of the domain, else of the name above it whose zone this is."""
    name = domain
    while "." in name:
        told = await asker.ask(server, name, RecordType.SOA)
        if isinstance(told.answer, Found):
            soa = told.answer.records[0]
            return soa.serial if isinstance(soa, Soa) else None
        if not isinstance(told.answer, NoData):
            return None
        name = name.partition(".")[2]
    return None


async def _addresses(name: str, facts: HostFacts | None, resolver: Resolver) -> list[NameServer]:
    known = (
        (facts.a, facts.aaaa)
        if facts
        else await asyncio.gather(resolve_a(resolver, name), resolve_aaaa(resolver, name))
    )
    return [NameServer(name, each) for answer in known if isinstance(answer, Found) for each in answer.records]
