"""The servers of a domain as its records give them, before any sender chooses, and which one a text names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from postroad.routing import PROCEDURES, DropReason, Refusal, Route, decide
from postroad.simulation.plans import named_address
from postroad.words.facts import Found
from postroad.words.names import Address, Destination, Unreadable, parse_address, parse_domain
from postroad.words.snapshot import Snapshot
from postroad.words.trail import Target

# Every sender's view before it chooses: records as DNS has them, none cut off
_AS_GIVEN = replace(PROCEDURES["rfc974"], limit=None)


def as_given(snapshot: Snapshot) -> Route | Refusal:
    """The way to a domain with all its records, whoever might use them."""
    return decide(snapshot, _AS_GIVEN)


def places(snapshot: Snapshot, answer: Route | Refusal | None = None) -> tuple[Target, ...]:
    """Every usable address of every exchanger, best preference first, else in DNS order; none where there is no way.

    Usable to any sender: an address that stands behind a second name is there twice, and one that an MX record names in
    place of a host is there. A sender of ours leaves both out, others do not. `answer`: the way, if it is known.
    """
    answer = as_given(snapshot) if answer is None else answer
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
    return tuple(sorted((*used, *again, *_literals(snapshot)), key=lambda place: place.preference))


def _literals(snapshot: Snapshot) -> Iterator[Target]:
    """MX records that name an address, which some senders use as one: not ours, for they break RFC 5321 section 5.1."""
    for record in snapshot.mx.records if isinstance(snapshot.mx, Found) else ():
        if address := named_address(snapshot, record):
            yield Target(record.exchange, address, record.preference)


def addresses_named(server: str, domain: Destination, known: Iterable[Target]) -> tuple[Address, ...] | Unreadable:
    """The addresses of the server that a text names: by an address, or by an exchanger's name.

    A name may be in Unicode, and lack the domain if it ends in it.
    """
    bare = server.strip().strip("[]")
    if address := parse_address(bare):
        if any(address == each.address for each in known):
            return (address,)
        return Unreadable(server, f"no server of {domain} has this address")
    named = parse_domain(bare)
    name = bare.lower().removesuffix(".") if isinstance(named, Unreadable) else named
    found = [each.address for each in known if name in (each.exchange, each.exchange.removesuffix(f".{domain}"))]
    return tuple(dict.fromkeys(found)) or Unreadable(server, f"no exchanger of {domain} has this name")
