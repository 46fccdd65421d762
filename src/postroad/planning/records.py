"""What a snapshot's records are: the servers behind them, and the lines of the zone that make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from postroad.routing import PROCEDURES, DropReason, Own, Route, decide
from postroad.words.facts import Answer, Found, HostFacts, NoData, Snapshot
from postroad.words.names import Address
from postroad.words.trail import Target

# Every sender's view before it chooses: records as DNS has them, none cut off; a planned zone may be one of the lab.
_AS_GIVEN = replace(PROCEDURES["rfc974"], limit=None, allow_loopback=True)


@dataclass(frozen=True, slots=True)
class Server:
    """One address that takes mail: the names it stands behind, in DNS order, and the best preference it has."""

    address: Address
    exchangers: tuple[str, ...]
    preference: int

    def __str__(self) -> str:
        return f"{self.exchangers[0]} [{self.address}]" if self.exchangers else str(self.address)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line of a zone file."""

    owner: str
    kind: str
    data: str
    ttl_s: int = 0

    def __str__(self) -> str:
        return f"{self.owner}. {self.ttl_s} IN {self.kind} {self.data}"


def places(snapshot: Snapshot) -> tuple[Target, ...]:
    """Every usable address of every exchanger, best preference first, else in DNS order; none where there is no way.

    An address that stands behind a second name is there twice: a sender of ours leaves it out, others do not.
    """
    answer = decide(snapshot, _AS_GIVEN, Own())
    levels = answer.levels if isinstance(answer, Route) else ()
    used = [
        Target(each.name, address, level.preference)
        for level in levels
        for each in level.exchangers
        for address in each.addresses
    ]
    again = [
        Target(drop.exchange, drop.address, drop.preference)
        for drop in answer.dropped
        if drop.address and drop.reason is DropReason.DUPLICATE_ADDRESS
    ]
    return tuple(sorted((*used, *again), key=lambda place: place.preference))


def servers(snapshot: Snapshot) -> tuple[Server, ...]:
    """Each server once, best preference first: names that share an address are one server."""
    names: dict[Address, list[str]] = {}
    best: dict[Address, int] = {}
    for place in places(snapshot):
        names.setdefault(place.address, []).append(place.exchange)
        best.setdefault(place.address, place.preference)
    return tuple(Server(address, tuple(dict.fromkeys(names[address])), best[address]) for address in names)


def lines(snapshot: Snapshot) -> tuple[Line, ...]:
    """The MX and address records of a snapshot as zone lines, in its order, each once."""
    return tuple(dict.fromkeys(_lines(snapshot)))


def _lines(snapshot: Snapshot) -> Iterator[Line]:
    domain = str(snapshot.domain)
    targets = [domain]
    if isinstance(snapshot.mx, Found):
        targets = [record.exchange for record in snapshot.mx.records]
        for record in snapshot.mx.records:
            yield Line(domain, "MX", f"{record.preference} {record.exchange}.", snapshot.mx.ttl_s)
    for name in dict.fromkeys(targets):
        facts = snapshot.hosts.get(name, HostFacts(NoData(), NoData()))
        yield from _addresses(name, "A", facts.a)
        yield from _addresses(name, "AAAA", facts.aaaa)


def _addresses(name: str, kind: str, answer: Answer[Any]) -> Iterator[Line]:
    if isinstance(answer, Found):
        owner = answer.name or name
        for alias, target in pairwise((*answer.aliases, owner)):
            yield Line(alias, "CNAME", f"{target}.", answer.ttl_s)
        for address in answer.records:
            yield Line(owner, kind, str(address), answer.ttl_s)
