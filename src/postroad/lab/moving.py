"""Moves the addresses of a zone to loopback, which is all the lab serves: a.b.c.d becomes 127.b.c.d."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from postroad.dns import Zones
from postroad.words.names import Address

NETWORK = IPv4Network("127.0.0.0/8")
LOOPBACK_6 = IPv6Address("::1")
UNSPECIFIED = IPv4Address("0.0.0.0")  # stays in the answers: senders must refuse it
_NEVER = {NETWORK.network_address, NETWORK.broadcast_address}

_Sets = dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset]


@dataclass(frozen=True, slots=True)
class LoopbackZones:
    """Zones moved to loopback: which are served, which addresses stand for which, and what was left out."""

    zones: Zones
    served: tuple[Address, ...]
    moved: Mapping[Address, Address]  # as written in the zone -> as answered
    left_out: tuple[tuple[str, IPv6Address], ...]  # IPv6 has one loopback address only


def bring_home(zones: Zones, *, has_ipv6: bool) -> LoopbackZones:
    """Move every address that is not on loopback; of two that meet there, the later gets the next one free."""
    sets = (rrset for (_, kind), rrset in zones.rrsets.items() if kind == dns.rdatatype.A)
    written = dict.fromkeys(IPv4Address(record.address) for rrset in sets for record in rrset)
    moved = _places([address for address in written if address != UNSPECIFIED])
    rrsets: _Sets = {}
    left_out: list[tuple[str, IPv6Address]] = []
    for (name, kind), rrset in zones.rrsets.items():
        kept = _kept(rrset, moved, has_ipv6=has_ipv6)
        if len(kept) < len(rrset):
            owner = name.to_text(omit_final_dot=True)
            left_out += [(owner, IPv6Address(record.address)) for record in rrset if record not in kept]
        if kept == list(rrset):
            rrsets[name, kind] = rrset
        elif kept:
            rrsets[name, kind] = dns.rrset.from_rdata_list(name, rrset.ttl, kept)
    has_6 = any(kind == dns.rdatatype.AAAA for _, kind in rrsets)
    served: tuple[Address, ...] = (*moved.values(), *((LOOPBACK_6,) if has_6 else ()))
    elsewhere: dict[Address, Address] = {address: place for address, place in moved.items() if address != place}
    reverse = _reverse(zones, elsewhere)
    return LoopbackZones(
        Zones({**rrsets, **reverse}, {*zones.tops, *(name for name, _ in reverse)}), served, elsewhere, tuple(left_out)
    )


def as_written(zones: Zones) -> LoopbackZones:
    """Every address where it is: in a network namespace that routes them all to itself."""
    answers = (rrset for (_, kind), rrset in zones.rrsets.items() if kind in (dns.rdatatype.A, dns.rdatatype.AAAA))
    written = dict.fromkeys(ip_address(record.address) for rrset in answers for record in rrset)
    return LoopbackZones(zones, tuple(each for each in written if each != UNSPECIFIED), {}, ())


def names_at(zones: Zones) -> Mapping[Address, tuple[str, ...]]:
    """The names that lead to each address, aliases too."""
    names: dict[Address, dict[str, None]] = {}
    for name, kind in zones.rrsets:
        if kind in (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME):
            for asked in (dns.rdatatype.A, dns.rdatatype.AAAA):
                for rrset in zones.lookup(name, asked).answer:
                    for record in rrset if rrset.rdtype == asked else ():
                        owner = name.to_text(omit_final_dot=True).lower()
                        names.setdefault(ip_address(record.address), {})[owner] = None
    return {address: tuple(found) for address, found in names.items()}


def _reverse(zones: Zones, moved: Mapping[Address, Address]) -> _Sets:
    """The PTR records of addresses that moved, under the names of where they went: each name a zone of its own."""
    reverse: _Sets = {}
    for written, place in moved.items():
        before, after = (dns.name.from_text(address.reverse_pointer) for address in (written, place))
        rrset = zones.rrsets.get((before, dns.rdatatype.PTR))
        if rrset:
            reverse[after, dns.rdatatype.PTR] = dns.rrset.from_rdata_list(after, rrset.ttl, list(rrset))
    return reverse


def _places(addresses: list[IPv4Address]) -> dict[IPv4Address, IPv4Address]:
    """Where each address goes; those on loopback stay and come first, so that none is moved onto them."""
    places = {address: address for address in addresses if address in NETWORK}
    taken = {*places, *_NEVER}
    for address in addresses:
        if address in places:
            continue
        place = IPv4Address(bytes([127, *address.packed[1:]]))
        while place in taken:
            place = place + 1 if place < NETWORK.broadcast_address else NETWORK.network_address + 1
        places[address] = place
        taken.add(place)
    return {address: places[address] for address in addresses}


def _at(place: IPv4Address) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.A, str(place))


def _kept(rrset: dns.rrset.RRset, moved: Mapping[IPv4Address, IPv4Address], *, has_ipv6: bool) -> list[dns.rdata.Rdata]:
    if rrset.rdtype == dns.rdatatype.A:
        places = [(record, moved.get(IPv4Address(record.address), UNSPECIFIED)) for record in rrset]
        return [record if record.address == str(place) else _at(place) for record, place in places]
    if rrset.rdtype == dns.rdatatype.AAAA:
        return [record for record in rrset if has_ipv6 and IPv6Address(record.address) == LOOPBACK_6]
    return list(rrset)
