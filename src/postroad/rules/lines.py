"""Lines of zone files: the one a record stands on, and those that fix what was found."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.rules.evidence import Evidence, FileLine
from postroad.words.facts import Mx
from postroad.words.names import Address, is_within, parse_address


def zone_line(owner: str, kind: str, value: str) -> str:
    """A record as a zone file has it, names absolute: it may be pasted anywhere."""
    return f"{owner}. IN {kind} {value}"


def mx_line(owner: str, preference: int, exchange: str) -> str:
    """An MX record; the exchange "" is the null MX."""
    return zone_line(owner, "MX", f"{preference} {exchange}.")


def address_line(owner: str, address: Address | str) -> str:
    """An A or AAAA record."""
    kind = "AAAA" if ":" in str(address) else "A"
    return zone_line(owner, kind, str(address))


def address_to_fill(owner: str, version: int) -> str:
    """An address record whose address its owner has to choose."""
    kind = "A" if version == 4 else "AAAA"
    return zone_line(owner, kind, f"<an IPv{version} address>")


def remove(line: str) -> str:
    """A line to be taken out: it stands in the mending as a comment."""
    return f"; remove: {line}"


def where_mx(evidence: Evidence, record: Mx) -> str:
    """The `file:line` of an MX record; "" where no zone file is known."""
    return where(evidence, str(evidence.snapshot.domain), "MX", f"{record.preference} {record.exchange}")


def where(evidence: Evidence, owner: str, kind: str, value: str = "") -> str:
    """The `file:line` of the first record with this owner and type, and value where one is given."""
    wanted = _plain(value)
    lines = (line for line in _lines(evidence, owner, kind) if not wanted or _plain(line.value) == wanted)
    return next((f"{line.file}:{line.number}" for line in lines), "")


def where_address(evidence: Evidence, owner: str, address: Address) -> str:
    """The `file:line` of an A or AAAA record, however the address is written there."""
    lines = _lines(evidence, owner, "A" if address.version == 4 else "AAAA")
    return next((f"{line.file}:{line.number}" for line in lines if parse_address(line.value) == address), "")


def is_ours_to_say(evidence: Evidence, name: str) -> bool:
    """Whether what is unknown of a name could have been known: always live, offline only within the files' zones."""
    return not evidence.lines or any(is_within(name, line.owner) for line in evidence.lines if line.kind != "PTR")


def _lines(evidence: Evidence, owner: str, kind: str) -> Iterable[FileLine]:
    return (line for line in evidence.lines if line.kind == kind and _plain(line.owner) == owner)


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).removesuffix(".").rstrip()
