"""Which exchanger is contacted first, by sender model: computed once for each shape of a set of exchangers.

What a sender does depends on which names and addresses are the same, in what order they stand and of which family an
address is, never on how they are called. So the forecast is made of a stand-in that has made-up names and addresses,
the same for all domains of one shape whether they are checked alone or in a list, and read back in those of the domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from postroad.routing import Refusal, Route, embedded
from postroad.simulation import MIXES, SENDERS, Case, DnsOrder, forecast
from postroad.words.facts import Answer, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.names import Address, is_address_like
from postroad.words.snapshot import Snapshot

MIX = "internet"  # whose expected shares are told
MAX_SERVERS = 200  # addresses of a set whose shares are worked out; larger sets cost seconds and say little
MAX_SHAPES = 2_000  # kept; most domains of the world have one of some dozens
NO_SHARES: Mapping[str, Mapping[Address, float]] = {}

Shares = Mapping[str, Mapping[Address, float]]

_DOMAIN = "example"
_ABSENT: Mapping[type, Answer[Any]] = {NoData: NoData(), NoName: NoName()}
_TROUBLE = Temporary("")
_Told = tuple[Address, ...] | Answer[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """The part of a domain's records that makes a difference to a sender, in made-up names and addresses.

    `mx`: pairs of preference and exchange in the order of the answer. `hosts`: name, A and AAAA of each.
    """

    mx: tuple[tuple[int, str], ...] | Answer[Any]
    hosts: tuple[tuple[str, _Told, _Told], ...]

    def snapshot(self) -> Snapshot:
        """The stand-in."""
        mx = Found(tuple(Mx(*pair) for pair in self.mx)) if isinstance(self.mx, tuple) else self.mx
        hosts = {name: HostFacts(_answer(a), _answer(aaaa)) for name, a, aaaa in self.hosts}
        return Snapshot(_DOMAIN, mx, hosts)


def shares_of(snapshot: Snapshot, answer: Route | Refusal) -> Shares:
    """First contacts by sender of the mix, for a name server that rotates its answers, as most do."""
    if isinstance(answer, Refusal) or sum(1 for _ in _targets(answer)) > MAX_SERVERS:
        return NO_SHARES
    reading = _Reading(snapshot)
    if reading.is_odd:
        return shares_in(snapshot)
    real = reading.real
    return {
        name: {real[address]: share for address, share in told.items()}
        for name, told in _shares_of_shape(reading.shape()).items()
    }


def shares_in(snapshot: Snapshot) -> Shares:
    """The same, worked out from the records as they are."""
    told = {name: forecast(Case(snapshot, name, DnsOrder.ROTATE), SENDERS[name], examples=0) for name in MIXES[MIX]}
    return {
        name: {address: float(share) for address, share in each.first.items()}
        for name, each in told.items()
        if not each.unable
    }


@lru_cache(MAX_SHAPES)
def _shares_of_shape(shape: Shape) -> Shares:
    return shares_in(shape.snapshot())


class _Reading:
    """The shape of a snapshot, and the real address behind each made-up one.

    `is_odd`: something is told by its name or its number (an address in place of a name, a loopback address).
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._records: Sequence[Mx] = snapshot.mx.records
        named = [record.exchange for record in self._records] or [str(snapshot.domain)]
        self._hosts = {name: snapshot.hosts[name] for name in named if name in snapshot.hosts}
        addresses = [address for facts in self._hosts.values() for address in _addresses(facts)]
        self._made_up = {address: _made_up(address.version, n) for n, address in enumerate(dict.fromkeys(addresses))}
        self.real = {made_up: address for address, made_up in self._made_up.items()}
        self.is_odd = any(map(is_address_like, named)) or any(map(_is_special, self._made_up))

    def shape(self) -> Shape:
        names = sorted({*(record.exchange for record in self._records if record.exchange), *self._hosts})
        # Names keep their order, some senders go by it; that nobody is there ("") stays as it is.
        called = {name: f"{place:06}.{_DOMAIN}" for place, name in enumerate(names)} | {"": ""}
        if not self._records:
            called[str(self._snapshot.domain)] = _DOMAIN
        ranks = {
            preference: rank for rank, preference in enumerate(sorted({each.preference for each in self._records}))
        }
        mx = tuple((ranks[each.preference], called[each.exchange]) for each in self._records)
        hosts = ((called[name], self._told(facts.a), self._told(facts.aaaa)) for name, facts in self._hosts.items())
        return Shape(mx or _ABSENT.get(type(self._snapshot.mx), NoData()), tuple(hosts))

    def _told(self, answer: Answer[Any]) -> _Told:
        if isinstance(answer, Found):
            return tuple(self._made_up[address] for address in answer.records)
        return _ABSENT.get(type(answer), _TROUBLE)


def _answer(told: _Told) -> Answer[Any]:
    return Found(told) if isinstance(told, tuple) else told


def _made_up(version: int, number: int) -> Address:
    return IPv4Address((11 << 24) + number) if version == 4 else IPv6Address((0x2A00 << 112) + number)


def _is_special(address: Address) -> bool:
    """Whether routing may look at more of an address than its family."""
    plain = embedded(address)
    reserved = plain.version == 4 and (plain.packed[0] == 0 or plain.packed[0] >= 240)
    return (
        plain != address
        or reserved
        or plain.is_unspecified
        or plain.is_loopback
        or plain.is_link_local
        or plain.is_multicast
    )


def _addresses(facts: HostFacts) -> Iterator[Address]:
    for answer in (facts.a, facts.aaaa):
        if isinstance(answer, Found):
            yield from answer.records


def _targets(route: Route) -> Iterator[Address]:
    for level in route.levels:
        for exchanger in level.exchangers:
            yield from exchanger.addresses
