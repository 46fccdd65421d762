"""Where findings stand: the domain, its exchangers, each address, as routing has them."""

from __future__ import annotations

from postroad.checks.nouns import Evidence, Finding, Place, Severity
from postroad.routing import DropReason, Route
from postroad.words.facts import Answer, Found, HostFacts
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


def namings(evidence: Evidence) -> tuple[Place, ...]:
    """Every pair of an exchanger and an address of it, also where another exchanger has the address before it."""
    again = tuple(
        Place(str(evidence.snapshot.domain), drop.preference, drop.exchange, drop.address)
        for drop in evidence.answer.dropped
        if drop.reason is DropReason.DUPLICATE_ADDRESS and drop.address
    )
    return addresses(evidence) + again


def found(answer: Answer[Address]) -> tuple[Address, ...]:
    """The addresses of an answer; none where it has none."""
    return answer.records if isinstance(answer, Found) else ()


def addresses_of(facts: HostFacts) -> frozenset[Address]:
    """All addresses of a name."""
    return frozenset(found(facts.a)) | frozenset(found(facts.aaaa))


def facts_of(evidence: Evidence, name: str) -> HostFacts | None:
    """The addresses of a name, if they were asked for."""
    return evidence.names.get(name) or evidence.snapshot.hosts.get(name)


def is_own(evidence: Evidence, name: str | None) -> bool:
    """Whether a name is the domain owner's: what a provider's zone lacks, its customer cannot write."""
    return is_within(str(name), registered(str(evidence.snapshot.domain)))


def text_of(place: Place) -> str:
    """The exchanger and its address as people write them: `mx1.example.org [192.0.2.1]`."""
    return f"{place.exchange} [{place.address}]" if place.address else str(place.exchange or place.domain)


def unknown(rule: str, place: Place, seen: str) -> Finding:
    """What could not be looked at, for a reason that may be ours: told, and never red."""
    return Finding(rule, Severity.INFO, place, seen, inconclusive=True)
