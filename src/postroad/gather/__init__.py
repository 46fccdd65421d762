"""A domain -> Snapshot (floor 3): every question routing has, asked once.

Rule 1: it asks and decides nothing: what an answer means for mail is `routing`'s business.
Rule 2: the number of names asked for, and of questions under way, is limited, whatever a domain publishes.
Rule 3: a name server in trouble is a fact of the snapshot, never an exception.

Stops: `gather` (what is needed to route), `gather_more` (what people want to see), `gather_hosts` (named hosts). For
checks: `texts` (SPF, MTA-STS, TLSA), `https` (one document), `servers` (each authoritative server, sizes of answers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from postroad.dns import CachingResolver, RecordType, Resolver, resolve_mx, resolve_ns
from postroad.words.facts import Answer, Found, HostFacts, Mx, NoData, NoName, Snapshot
from postroad.words.names import Address, AddressLiteral, Destination, is_address_like

__all__ = ["GatherSettings", "gather", "gather_hosts", "gather_more"]


@dataclass(frozen=True, slots=True)
class GatherSettings:
    """How far a domain may lead us."""

    max_hosts: int = 100  # names of exchangers asked for, best preference first
    max_addresses: int = 256  # addresses whose names are asked for
    in_flight: int = 32  # questions under way at once


_DEFAULT = GatherSettings()


async def gather(destination: Destination, resolver: Resolver, settings: GatherSettings = _DEFAULT) -> Snapshot:
    """The facts that decide a route: MX, then A and AAAA of every exchanger, or of the domain if it has no MX.

    After a Temporary or Bogus MX nothing more is asked: nothing could be done with it (RFC 5321 section 5.1).
    """
    if isinstance(destination, AddressLiteral):
        return Snapshot(destination, NoData())
    mx = await resolve_mx(resolver, destination)
    return Snapshot(destination, mx, await _Asker(resolver, settings).hosts(_names_to_ask(destination, mx, settings)))


async def gather_more(snapshot: Snapshot, resolver: Resolver, settings: GatherSettings = _DEFAULT) -> Snapshot:
    """The same with name servers, the names of every address, and the addresses of both: for people, not to route.

    Whether an address is forward-confirmed is then seen in `hosts`: one of its names has it among its addresses.
    """
    asker = _Asker(resolver, settings)
    addresses = islice(dict.fromkeys(_addresses(snapshot)), settings.max_addresses)
    reverse = await asker.reverse(addresses)
    servers = None if isinstance(snapshot.domain, AddressLiteral) else await resolve_ns(resolver, snapshot.domain)
    answers = (answer for answer in (servers, *reverse.values()) if isinstance(answer, Found))
    names = dict.fromkeys(name for answer in answers for name in answer.records if name not in snapshot.hosts)
    hosts = await asker.hosts(islice(names, settings.max_hosts))
    return replace(snapshot, servers=servers, reverse=reverse, hosts={**snapshot.hosts, **hosts})


async def gather_hosts(
    names: Iterable[str], resolver: Resolver, settings: GatherSettings = _DEFAULT
) -> Mapping[str, HostFacts]:
    """The addresses of hosts that are named by someone else than DNS: a static route."""
    return await _Asker(resolver, settings).hosts(names)


def _names_to_ask(domain: str, mx: Answer[Mx], settings: GatherSettings) -> Iterable[str]:
    if isinstance(mx, NoData | NoName):
        return [domain]
    if not isinstance(mx, Found):
        return []
    by_preference = sorted(mx.records, key=lambda record: record.preference)
    names = dict.fromkeys(record.exchange for record in by_preference if record.exchange)
    return islice((name for name in names if not is_address_like(name)), settings.max_hosts)


def _addresses(snapshot: Snapshot) -> Iterable[Address]:
    if isinstance(snapshot.domain, AddressLiteral):
        yield snapshot.domain.address
    for facts in snapshot.hosts.values():
        for answer in (facts.a, facts.aaaa):
            if isinstance(answer, Found):
                yield from answer.records


class _Asker:
    """Asks many questions at once, but no more than the settings allow."""

    def __init__(self, resolver: Resolver, settings: GatherSettings) -> None:
        self._resolver = resolver
        self._room = asyncio.Semaphore(settings.in_flight)

    async def hosts(self, names: Iterable[str]) -> Mapping[str, HostFacts]:
        questions = [(name, kind) for name in dict.fromkeys(names) for kind in (RecordType.A, RecordType.AAAA)]
        answers = {question: self._recalled(*question) for question in questions}
        unknown = [question for question in questions if answers[question] is None]
        if unknown:  # a task for each answer that is there would take longer than all else: many domains share hosts
            async with asyncio.TaskGroup() as group:
                tasks = {question: group.create_task(self._ask(*question)) for question in unknown}
            answers |= {question: task.result() for question, task in tasks.items()}
        pairs = zip(questions[::2], questions[1::2], strict=True)
        return {a[0]: HostFacts(answers[a], answers[aaaa]) for a, aaaa in pairs}

    async def reverse(self, addresses: Iterable[Address]) -> Mapping[Address, Answer[str]]:
        async with asyncio.TaskGroup() as group:
            tasks = {
                address: group.create_task(self._ask(address.reverse_pointer, RecordType.PTR)) for address in addresses
            }
        return {address: task.result() for address, task in tasks.items()}

    def _recalled(self, name: str, kind: RecordType) -> Any:  # noqa: ANN401  # as Resolver.resolve
        return self._resolver.recall(name, kind) if isinstance(self._resolver, CachingResolver) else None

    async def _ask(self, name: str, kind: RecordType) -> Any:  # noqa: ANN401  # the answer to any question
        async with self._room:
            return await self._resolver.resolve(name, kind)
