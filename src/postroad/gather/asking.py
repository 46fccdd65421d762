"""Sends the queries for a domain: each once, and not too many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any

from postroad.dns import CachingResolver, RecordType, Resolver, resolve_ns
from postroad.words.facts import Answer, Found, HostFacts, Mx, NoData, NoName
from postroad.words.names import Address, AddressLiteral, Destination, is_address_like
from postroad.words.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class GatherSettings:
    """The limits on what one domain may make us ask."""

    max_hosts: int = 100  # names of exchangers asked for, best preference first
    max_addresses: int = 256  # addresses whose names are asked for
    in_flight: int = 32  # questions under way at once


_DEFAULT = GatherSettings()
_PREFERENCE = attrgetter("preference")


async def gather(destination: Destination, resolver: Resolver, settings: GatherSettings = _DEFAULT) -> Snapshot:
    """The facts that decide a route: MX, then A and AAAA of every exchanger, or of the domain if it has no MX.

    After a Temporary or Bogus MX nothing more is asked: nothing could be done with it (RFC 5321 section 5.1).
    """
    if isinstance(destination, AddressLiteral):
        return Snapshot(destination, NoData())
    mx: Answer[Mx] = await resolver.resolve(destination, RecordType.MX)
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
    by_preference = sorted(mx.records, key=_PREFERENCE)
    names = dict.fromkeys([record.exchange for record in by_preference if record.exchange])
    return [name for name in names if not is_address_like(name)][: settings.max_hosts]


def _addresses(snapshot: Snapshot) -> Iterable[Address]:
    if isinstance(snapshot.domain, AddressLiteral):
        yield snapshot.domain.address
    for facts in snapshot.hosts.values():
        for answer in (facts.a, facts.aaaa):
            if isinstance(answer, Found):
                yield from answer.records


class _Asker:
    """Asks many questions at once, but no more than the settings allow; what is known already is not asked."""

    def __init__(self, resolver: Resolver, settings: GatherSettings) -> None:
        self._resolver = resolver
        self._in_flight = settings.in_flight
        self._recall = resolver.recall if isinstance(resolver, CachingResolver) else _unknown

    async def hosts(self, names: Iterable[str]) -> Mapping[str, HostFacts]:
        recall = self._recall
        known = {name: (recall(name, RecordType.A), recall(name, RecordType.AAAA)) for name in names}
        unknown = [name for name, (a, aaaa) in known.items() if a is None or aaaa is None]
        asked = await self._ask_all([(name, kind) for name in unknown for kind in _missing(*known[name])])
        return {
            name: HostFacts(a or asked[name, RecordType.A], aaaa or asked[name, RecordType.AAAA])
            for name, (a, aaaa) in known.items()
        }

    async def reverse(self, addresses: Iterable[Address]) -> Mapping[Address, Answer[str]]:
        pointers = {address: address.reverse_pointer for address in addresses}
        known = {address: self._recall(pointer, RecordType.PTR) for address, pointer in pointers.items()}
        unknown = [(pointers[address], RecordType.PTR) for address, answer in known.items() if answer is None]
        asked = await self._ask_all(unknown)
        return {address: answer or asked[pointers[address], RecordType.PTR] for address, answer in known.items()}

    async def _ask_all(self, questions: Sequence[_Question]) -> Mapping[_Question, Any]:
        if not questions:  # many domains share hosts, and a task for each would take longer than all else
            return {}
        room = asyncio.Semaphore(self._in_flight)

        async def ask(name: str, kind: RecordType) -> Any:  # noqa: ANN401  # the answer to any question
            async with room:
                return await self._resolver.resolve(name, kind)

        async with asyncio.TaskGroup() as group:
            tasks = {question: group.create_task(ask(*question)) for question in questions}
        return {question: task.result() for question, task in tasks.items()}


_Question = tuple[str, RecordType]


def _missing(a: object, aaaa: object) -> Iterable[RecordType]:
    if a is None:
        yield RecordType.A
    if aaaa is None:
        yield RecordType.AAAA


def _unknown(_name: str, _kind: RecordType) -> None:
    """Of a resolver without memory."""
