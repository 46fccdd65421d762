"""A domain -> Evidence: everything that the rules may look at, as far as the sources provide it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from postroad.dns import DNS_PORT, PacedServers, Resolver, ServerAddress, resolve_ns
from postroad.examine.policies import gather_text
from postroad.examine.servers import gather_drift, gather_servers, gather_wire
from postroad.examine.shares import shares_of
from postroad.examine.survey import Survey
from postroad.examine.visit import ProbeTarget
from postroad.gather import Fetch, gather, gather_hosts, gather_more
from postroad.routing import PROCEDURES, Own, Refusal, Route, RoutePolicy, decide
from postroad.rules import Evidence, FileLine
from postroad.words.facts import Bogus, Found, HostFacts, Said, Temporary, Wire
from postroad.words.names import Address, AddressLiteral, Destination, Unreadable, parse_domain
from postroad.words.policies import Texts
from postroad.words.sessions import Probe, Reach
from postroad.words.snapshot import Snapshot

SURE = "com"  # a zone that is always there: the control question to the resolver


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources that may be asked about every domain. Without a resolver there are saved look-ups only.

    `server` is asked for sizes of answers, `dns_port` is where authoritative servers listen. `is_thorough` goes beyond
    MX, addresses and reverse names: policies, sizes, every authoritative server, shares. `lines` makes it offline.
    Without `fetch_by` no document is fetched.
    """

    resolver: Resolver | None
    now: Callable[[], float]
    server: ServerAddress | None = None
    dns_port: int = DNS_PORT
    asker: PacedServers = field(default_factory=PacedServers)
    lines: tuple[FileLine, ...] = ()
    saved: Mapping[Destination, Snapshot] = field(default_factory=dict)
    survey: Survey | None = None
    fetch_by: Fetch | None = None
    policy: RoutePolicy = PROCEDURES["rfc5321"]
    own: Own = field(default_factory=Own)
    is_thorough: bool = True


async def examine(destination: Destination, sources: Sources) -> Evidence:
    """The evidence about a domain. Raises nothing for what DNS or a host does."""
    snapshot = await _snapshot(destination, sources)
    answer = decide(snapshot, sources.policy, sources.own)
    resolver = sources.resolver if sources.is_thorough and destination not in sources.saved else None
    texts, wire, said, probes = await asyncio.gather(
        _texts(snapshot, resolver, sources),
        _wire(snapshot, answer, resolver, sources),
        _said(snapshot, resolver, sources),
        _probes(snapshot, answer, sources),
    )
    return Evidence(
        snapshot,
        answer,
        sources.now(),
        lines=sources.lines,
        texts=texts,
        wire=wire,
        said=said,
        probes=probes,
        names=await _names(probes or {}, snapshot, sources),
        shares=shares_of(snapshot, answer) if sources.is_thorough else None,
        reach=await _reach(snapshot, sources),
    )


async def _snapshot(destination: Destination, sources: Sources) -> Snapshot:
    snapshot = sources.saved.get(destination)
    if snapshot is None:
        assert sources.resolver  # noqa: S101  # a domain that is not saved is asked for
        snapshot = await gather_more(await gather(destination, sources.resolver), sources.resolver)
    return replace(snapshot, in_lab=sources.policy.allow_loopback)


async def _texts(snapshot: Snapshot, resolver: Resolver | None, sources: Sources) -> Texts | None:
    names = (line.owner for line in sources.lines if line.kind in ("TXT", "CNAME"))
    return await gather_text(snapshot, resolver, sources.fetch_by, names) if resolver else None


async def _wire(
    snapshot: Snapshot, answer: Route | Refusal, resolver: Resolver | None, sources: Sources
) -> tuple[Wire, ...] | None:
    if not resolver or not sources.server or isinstance(snapshot.domain, AddressLiteral):
        return None
    exchangers = [exchanger for exchanger, _ in _targets(answer)]
    return await gather_wire(snapshot.domain, list(dict.fromkeys(exchangers)), sources.server, sources.asker)


async def _said(snapshot: Snapshot, resolver: Resolver | None, sources: Sources) -> tuple[Said, ...] | None:
    if not resolver or not sources.server or isinstance(snapshot.domain, AddressLiteral):
        return None
    return await gather_drift(
        snapshot.domain, await gather_servers(snapshot, resolver), sources.asker, sources.dns_port
    )


async def _probes(snapshot: Snapshot, answer: Route | Refusal, sources: Sources) -> Mapping[Address, Probe] | None:
    if not sources.survey:
        return None
    domain = snapshot.domain
    mailed = f"[{domain.address}]" if isinstance(domain, AddressLiteral) else domain
    return await sources.survey.probe_all(ProbeTarget(address, name, mailed) for name, address in _targets(answer))


async def _names(probes: Mapping[Address, Probe], snapshot: Snapshot, sources: Sources) -> Mapping[str, HostFacts]:
    """The addresses of the names exchangers call themselves by."""
    hellos = {probe.hello for probe in probes.values() if "." in probe.hello}
    names = [name for name in (parse_domain(hello) for hello in sorted(hellos)) if not isinstance(name, Unreadable)]
    unknown = [name for name in names if name not in snapshot.hosts]
    return await gather_hosts(unknown, sources.resolver) if unknown and sources.resolver else {}


async def _reach(snapshot: Snapshot, sources: Sources) -> Reach:
    """What works from here. After trouble at MX a question with a sure answer tells whose trouble it is."""
    reach = sources.survey.reach if sources.survey else Reach()
    if sources.server and sources.resolver and isinstance(snapshot.mx, Temporary | Bogus):
        reach = replace(reach, resolver=isinstance(await resolve_ns(sources.resolver, SURE), Found))
    return reach


def _targets(answer: Route | Refusal) -> list[tuple[str, Address]]:
    if isinstance(answer, Refusal):
        return []
    return [
        (exchanger.name, address)
        for level in answer.levels
        for exchanger in level.exchangers
        for address in exchanger.addresses
    ]
