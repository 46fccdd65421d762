"""The records of our keys as they are published: at each authoritative server, and as the resolver has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf

from postroad.dns import DNS_PORT, Direct, PacedServers, RecordType, Resolver, ServerAddress, resolve_ns, resolve_txt
from postroad.examine.servers import NameServer, server_addresses
from postroad.sign import RecordFault, RecordFaultKind, SigningKey, judge, removable_at
from postroad.words.facts import Answer, Bogus, Found, NoData, NoName, Temporary
from postroad.words.names import Address

MAX_ALIASES = 4
ZONE_FILES = "the zone files"
ROUND_S = 15.0  # between two questions to the name servers


@dataclass(frozen=True, slots=True)
class KeySources:
    """Who is asked. Without `asks_servers`, as with zone files, the resolver alone."""

    resolver: Resolver
    asks_servers: bool = True
    dns_port: int = DNS_PORT
    asker: PacedServers = field(default_factory=PacedServers)


@dataclass(frozen=True, slots=True)
class RecordAt:
    """What one place says of the record of a key: a name server by its address, zone files, or the resolver.

    `why`: why it could not say; else `faults` has what is wrong.
    """

    server: str = ""
    address: Address | None = None
    faults: tuple[RecordFault, ...] = ()
    why: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a receiver that hears this believes our signatures."""
        return not self.why and not any(each.is_fatal for each in self.faults)

    @property
    def place(self) -> str:
        """Who said it."""
        return f"{self.server} ({self.address})" if self.address else self.server or "the resolver"


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The record of a key, wherever it was asked for. `why`: why no name server could be asked."""

    key: SigningKey
    servers: tuple[RecordAt, ...] = ()
    resolved: RecordAt | None = None
    why: str = ""

    @property
    def places(self) -> tuple[RecordAt, ...]:
        """All that said something, and every server of which no address did."""
        heard = {each.server for each in self.servers if not each.why}
        silent = {each.server: each for each in reversed(self.servers) if each.server not in heard}
        said = [each for each in self.servers if not each.why or silent.get(each.server) is each]
        return (*said, *([self.resolved] if self.resolved else []))

    @property
    def unsure(self) -> tuple[str, ...]:
        """Why somebody could not be asked."""
        silent = [each.why if str(each.address) in each.why else f"{each.place}: {each.why}" for each in self.places
                  if each.why]  # fmt: skip
        return (*([self.why] if self.why else []), *silent)

    @property
    def is_everywhere(self) -> bool:
        """Whether every name server shows the record as it should be, each of its addresses that answers."""
        places = [each for each in self.places if each is not self.resolved]
        return bool(places) and not self.why and all(each.is_good for each in places)

    @property
    def is_missing(self) -> bool:
        """Whether nobody shows anything: it was not published yet."""
        kinds = {fault.kind for each in self.places for fault in each.faults if not each.why}
        return kinds == {RecordFaultKind.MISSING} and all(each.faults for each in self.places if not each.why)


async def ask_servers(keys: Sequence[SigningKey], sources: KeySources) -> list[PublishedKey]:
    """What every name server says of the records of these keys, no cache between; the resolver is not asked for them.

    Who asks a resolver before a record is there has it keep that there is none.
    """
    return list(await asyncio.gather(*(_at_servers(key, key.name, sources) for key in keys)))


async def ask_everybody(keys: Sequence[SigningKey], sources: KeySources) -> list[PublishedKey]:
    """The same, and what the resolver says, as a receiver hears it."""
    return list(await asyncio.gather(*(_everywhere(key, sources) for key in keys)))


async def _everywhere(key: SigningKey, sources: KeySources) -> PublishedKey:
    resolved = _judged(key, await resolve_txt(sources.resolver, key.name))
    if not sources.asks_servers:
        return PublishedKey(key, resolved=replace(resolved, server=ZONE_FILES))
    return replace(await _at_servers(key, key.name, sources), resolved=resolved)


async def _at_servers(key: SigningKey, name: str, sources: KeySources, aliases: int = 0) -> PublishedKey:
    """Servers that have an alias at the name are left out for those of the zone to which it leads."""
    servers = await _servers_of(name, sources.resolver)
    if isinstance(servers, str):
        return PublishedKey(key, why=servers)
    asked = (sources.asker.ask(ServerAddress(each.address, sources.dns_port), name, RecordType.TXT) for each in servers)
    told = list(zip(servers, await asyncio.gather(*asked), strict=True))
    led = {server: answer.name for server, each in told if isinstance(answer := each.answer, Temporary) and answer.name}
    said = [_told(key, server, each) for server, each in told if server not in led or aliases >= MAX_ALIASES]
    beyond = [await _at_servers(key, each, sources, aliases + 1) for each in set(led.values()) if aliases < MAX_ALIASES]
    further = (place for each in beyond for place in each.servers)
    return PublishedKey(key, (*said, *further), why="; ".join(each.why for each in beyond if each.why))


def _told(key: SigningKey, server: NameServer, told: Direct) -> RecordAt:
    place = _judged(key, told.answer, server)
    if place.why or told.is_authoritative:
        return place
    return replace(place, faults=(), why="it does not answer for this zone with authority")


async def _servers_of(name: str, resolver: Resolver) -> Sequence[NameServer] | str:
    """The name servers of the zone a name is in; or why they cannot be had."""
    zone = name.partition(".")[2]
    names: Answer[str] = await resolve_ns(resolver, zone)
    while isinstance(names, NoData | NoName) and "." in zone:
        zone = zone.partition(".")[2]
        names = await resolve_ns(resolver, zone)
    if not isinstance(names, Found):
        why = f": {names.why}" if isinstance(names, Temporary | Bogus) else ""
        return f"the name servers of {zone} cannot be looked up{why}"
    found = await server_addresses(names.records, resolver)
    return found or f"the name servers of {zone} have no address"


def _judged(key: SigningKey, answer: Answer[str], server: NameServer | None = None) -> RecordAt:
    place = RecordAt(server.name, server.address) if server else RecordAt()
    if isinstance(answer, Temporary | Bogus):
        return RecordAt(place.server, place.address, why=answer.why)
    return RecordAt(place.server, place.address, judge(key, answer.records))


class KeyStatus(StrEnum):
    """The result of checking the record of a key."""

    OK = "ok"
    FINDINGS = "findings"
    INCONCLUSIVE = "inconclusive"


def key_status(published: PublishedKey, now: float, expiry_s: float) -> KeyStatus:
    """Whether what is signed with the key, now or later, is believed. A key that was made only needs no record yet."""
    key = published.key
    if now >= removable_at(key, expiry_s) or (key.not_before == inf and published.is_missing):
        return KeyStatus.OK
    if any(fault.is_fatal for place in published.places for fault in place.faults):
        return KeyStatus.FINDINGS
    return KeyStatus.INCONCLUSIVE if published.unsure else KeyStatus.OK


async def wait_for_records(
    ask: Callable[[], Awaitable[list[PublishedKey]]],
    wait_s: float,
    tell: Callable[[float], None],
    pause: Callable[[float], Awaitable[object]],
) -> list[PublishedKey]:
    """Ask again and again until nothing is missing, or the time is over: what is missing then."""
    left_s = wait_s
    missing = await ask()
    while missing and left_s > 0:
        places = [place for each in missing for place in each.places]
        tell(sum(place.is_good for place in places) / (len(places) or 1))
        await pause(min(ROUND_S, left_s))
        left_s -= ROUND_S
        missing = await ask()
    return missing
