"""What findings are about: the domain, its exchangers, each address, as in routing."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from postroad.routing import Route
from postroad.rules import limits
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place
from postroad.words.facts import HostFacts
from postroad.words.names import Address, is_within, registered


def whole(evidence: Evidence) -> Place:
    """The domain as a whole."""
    return Place(str(evidence.snapshot.domain))


def exchangers(evidence: Evidence) -> tuple[Place, ...]:
    """Every exchanger that is used, in the order of preference."""
    if not isinstance(evidence.answer, Route):
        return ()
    domain = str(evidence.snapshot.domain)
    return tuple(
        Place(domain, level.preference, exchanger.name)
        for level in evidence.answer.levels
        for exchanger in level.exchangers
    )


def addresses(evidence: Evidence) -> tuple[Place, ...]:
    """Every address that is used, once, under the first exchanger that has it."""
    if not isinstance(evidence.answer, Route):
        return ()
    domain = str(evidence.snapshot.domain)
    return tuple(
        Place(domain, level.preference, exchanger.name, address)
        for level in evidence.answer.levels
        for exchanger in level.exchangers
        for address in exchanger.addresses
    )


def site(address: Address) -> IPv4Network | IPv6Network:
    """The network of the size that one site is given."""
    if address.version == 4:
        return IPv4Network((address, limits.SITE_4), strict=False)
    return IPv6Network((address, limits.SITE_6), strict=False)


def addresses_of(facts: HostFacts) -> frozenset[Address]:
    """All addresses of a name."""
    return frozenset(facts.a.records) | frozenset(facts.aaaa.records)


def facts_of(evidence: Evidence, name: str) -> HostFacts | None:
    """The addresses of a name, if they were asked for."""
    return evidence.names.get(name) or evidence.snapshot.hosts.get(name)


def is_own(evidence: Evidence, name: str | None) -> bool:
    """Whether a name is the domain owner's: what a provider's zone lacks, its customer cannot write."""
    return is_within(str(name), registered(str(evidence.snapshot.domain)))


def text_of(place: Place) -> str:
    """The exchanger and its address as people write them: `mx1.example.org [192.0.2.1]`."""
    return f"{place.exchange} [{place.address}]" if place.address else str(place.exchange or place.domain)
