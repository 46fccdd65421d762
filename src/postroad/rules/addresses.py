"""Addresses of exchangers that lead to no host on the Internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postroad.rules import lines, table
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.rule import Topic, rule
from postroad.rules.special import SpecialKind, is_for_documents, kind_of
from postroad.rules.table import MxRow
from postroad.words.facts import Found, Mx, NoData, NoName
from postroad.words.names import Address


@rule(
    "mx-target-loopback",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with a loopback address",
    why="Senders connect to themselves, or skip the address.",
    source="RFC 6890",
)
def mx_target_loopback(evidence: Evidence) -> Iterator[Seen]:
    if not evidence.snapshot.in_lab:
        yield from _strange(evidence, SpecialKind.LOOPBACK)


@rule(
    "mx-target-unspecified",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with the unspecified address",
    why="A connection to it reaches the sender itself, or nothing.",
    source="RFC 6890",
)
def mx_target_unspecified(evidence: Evidence) -> Iterator[Seen]:
    yield from _strange(evidence, SpecialKind.UNSPECIFIED)


@rule(
    "mx-target-private",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with a private address",
    why="From outside, nothing answers there, or a stranger does: senders wait for the full timeout before they move "
    "on.",
    source="RFC 6890; RFC 1918",
)
def mx_target_private(evidence: Evidence) -> Iterator[Seen]:
    yield from _strange(evidence, SpecialKind.PRIVATE)


@rule(
    "mx-target-documentation",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with a documentation address",
    why="It was copied from an example, and nothing routes there.",
    source="RFC 6890; RFC 5737 3",
)
def mx_target_documentation(evidence: Evidence) -> Iterator[Seen]:
    if not is_for_documents(table.domain(evidence)):
        yield from _strange(evidence, SpecialKind.DOCUMENTATION)


@rule(
    "mx-target-multicast",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with a multicast or reserved address",
    why="No connection can be opened to it.",
    source="RFC 6890; RFC 1112 4; RFC 4291 2.7",
)
def mx_target_multicast(evidence: Evidence) -> Iterator[Seen]:
    yield from _strange(evidence, SpecialKind.GROUP)


@rule(
    "mx-target-set-aside",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger with an address reserved for another use",
    why="The address is in a block for discarding packets, for benchmarks or for a protocol: no mail server can be "
    "there.",
    source="RFC 6890; RFC 6666",
)
def mx_target_set_aside(evidence: Evidence) -> Iterator[Seen]:
    yield from _strange(evidence, SpecialKind.SET_ASIDE)


@rule(
    "mx-target-mapped",
    Severity.WARNING,
    Topic.TARGETS,
    "An IPv4 address in an AAAA record",
    why="IPv4-mapped addresses are not valid on the Internet: what a sender does with them is anyone's guess.",
    source="RFC 6890",
)
def mx_target_mapped(evidence: Evidence) -> Iterator[Seen]:
    for seen in _strange(evidence, SpecialKind.MAPPED):
        mapped = getattr(seen.place.address, "ipv4_mapped", None)
        yield replace(seen, fix=f"{seen.fix}\n{lines.address_line(str(seen.place.exchange), str(mapped))}")


def _strange(evidence: Evidence, kind: SpecialKind) -> Iterator[Seen]:
    """Addresses of one kind: an error if none of the whole set is of a host on the Internet."""
    hosts = table.hosts(evidence) or _implicit(evidence)
    in_documents = is_for_documents(table.domain(evidence))
    lost = all(_is_out_of_reach(each, in_documents=in_documents) for row in hosts for each in row.addresses)
    for row in hosts:
        for address in row.addresses:
            found = kind_of(address)
            if found and found[0] is kind:
                owner = _owner(row)
                where = lines.where_address(evidence, owner, address) or row.line
                fix = lines.remove(lines.address_line(owner, address))
                severity = Severity.ERROR if lost else Severity.WARNING
                seen = f"{row.name} has {address}: {found[1]}"
                yield Seen(replace(row.place, address=address), seen, fix, where, severity)


def _is_out_of_reach(address: Address, *, in_documents: bool) -> bool:
    found = kind_of(address)
    return bool(found) and not (in_documents and found and found[0] is SpecialKind.DOCUMENTATION)


def _implicit(evidence: Evidence) -> tuple[MxRow, ...]:
    """The domain as its own exchanger, where it has no MX."""
    if not isinstance(evidence.snapshot.mx, NoData | NoName):
        return ()
    mx: Found[Mx] = Found((Mx(0, table.domain(evidence)),))
    return table.hosts(replace(evidence, snapshot=replace(evidence.snapshot, mx=mx)))


def _owner(row: MxRow) -> str:
    """The name that has the addresses: the end of the aliases."""
    found = [each for each in (table.answers(row.facts) if row.facts else ()) if isinstance(each, Found)]
    return next((each.name for each in found if each.name), row.name)
