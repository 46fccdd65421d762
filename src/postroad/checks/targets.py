"""What MX records name: whether the names are names, exist, and lead to addresses a sender can reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network

from postroad.checks import lines, table
from postroad.checks.nouns import Evidence, Finding, Rule, Severity, Source, Topic
from postroad.checks.table import Row
from postroad.words.facts import Found, Mx, NoData, NoName
from postroad.words.names import Address, is_address_like, is_within, registered

# Letters, digits and hyphens, none of which stands at an end: RFC 952, as RFC 1123 widens it.
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
# Last labels that show a forgotten final dot: `aspmx.l.google.com` becomes `aspmx.l.google.com.example.com`.
_TOP_LABELS = frozenset({"com", "net", "org", "de", "eu", "uk", "fr", "nl", "io", "info", "biz", "email", "cloud"})
_LOCAL = ("localhost", "localdomain")
_SHARED = ip_network("100.64.0.0/10")
_DOCUMENTATION = tuple(
    map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"))
)

RFC5321 = Source("RFC 5321", "5.1")
RFC6890 = Source("RFC 6890", is_checked=False)


def mx_target_alias(evidence: Evidence) -> Iterator[Finding]:
    """The name in an MX is an alias. Most senders follow it; some look up one step less, or refuse."""
    for row in table.rows(evidence):
        aliased = [each for each in (table.answers(row.facts) if row.facts else ()) if _aliases(each)]
        if aliased:
            end = next((each.name for each in aliased if isinstance(each, Found) and each.name), "")
            seen = f"{row.name} is an alias{f' of {end}' if end else ''}"
            mend = lines.mx_line(table.domain(evidence), row.record.preference, end) if end else ""
            where = lines.where(evidence, row.name, "CNAME") or row.line
            yield Finding("mx-target-alias", Severity.WARNING, row.place, seen, mend, where)


def mx_target_ip(evidence: Evidence) -> Iterator[Finding]:
    """An IP address in place of a name: it is read as a name, which does not exist."""
    for row in table.rows(evidence):
        if is_address_like(row.name):
            domain, name = table.domain(evidence), f"mx{row.record.preference}.{table.domain(evidence)}"
            mx = lines.mx_line(domain, row.record.preference, name)
            mend = f"{mx}\n{lines.address_line(name, row.name)}"
            seen = f"{row.name} is an address; an MX names a host"
            yield Finding("mx-target-ip", table.graded(evidence), row.place, seen, mend, row.line)


def mx_target_nxdomain(evidence: Evidence) -> Iterator[Finding]:
    """The name does not exist. Names below `invalid` are meant not to: providers ask for them as a proof."""
    for row in table.rows(evidence):
        if row.is_missing:
            on_purpose = is_within(row.name, "invalid")
            severity = Severity.NOTE if on_purpose else table.graded(evidence)
            seen = f"{row.name} does not exist (NXDOMAIN)"
            mend = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
            yield Finding("mx-target-nxdomain", severity, row.place, seen, mend, row.line)


def mx_target_no_address(evidence: Evidence) -> Iterator[Finding]:
    """The name exists and has no address."""
    for row in table.rows(evidence):
        if row.facts and not row.addresses and not row.is_unknown and not row.is_missing:
            seen = f"{row.name} has neither A nor AAAA"
            mend = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
            yield Finding("mx-target-no-address", table.graded(evidence), row.place, seen, mend, row.line)


def mx_target_tempfail(evidence: Evidence) -> Iterator[Finding]:
    """Nobody could say which addresses the name has. Names beyond the given zone files are nobody's fault."""
    for row in table.rows(evidence):
        if row.facts and row.is_unknown and lines.is_ours_to_say(evidence, row.name):
            whys = [each.why for each in table.answers(row.facts) if not isinstance(each, Found | NoData | NoName)]
            seen = f"the addresses of {row.name} cannot be looked up: {whys[0]}"
            unsure = "resolver" not in evidence.known
            severity = Severity.WARNING
            yield Finding("mx-target-tempfail", severity, row.place, seen, line=row.line, inconclusive=unsure)


def mx_target_relative(evidence: Evidence) -> Iterator[Finding]:
    """A final dot was forgotten, or one too many was written."""
    domain = table.domain(evidence)
    for row in table.rows(evidence):
        meant = _meant(row, domain)
        if meant:
            seen = f"{row.name}: {meant} was probably meant"
            mend = lines.mx_line(domain, row.record.preference, meant)
            yield Finding("mx-target-relative", Severity.WARNING, row.place, seen, mend, row.line)


def mx_target_syntax(evidence: Evidence) -> Iterator[Finding]:
    """Characters no host name has: certificates cannot be made out to it, and some software refuses it."""
    for row in table.rows(evidence):
        odd = [label for label in row.name.split(".") if not _LABEL.match(label)]
        if odd and not is_address_like(row.name):
            seen = f"{row.name}: {table.listed([repr(label) for label in odd])} is no part of a host name"
            plain = ".".join(re.sub(r"[^a-z0-9-]", "-", label).strip("-") for label in row.name.split("."))
            mend = lines.mx_line(table.domain(evidence), row.record.preference, plain)
            yield Finding("mx-target-syntax", Severity.WARNING, row.place, seen, mend, row.line)


def mx_target_localhost(evidence: Evidence) -> Iterator[Finding]:
    """The sender is told to talk to itself."""
    for row in table.rows(evidence):
        if any(is_within(row.name, local) for local in _LOCAL):
            seen = f"{row.name} is whoever asks: each sender finds itself"
            mend = lines.mx_line(table.domain(evidence), 0, "")
            yield Finding("mx-target-localhost", table.graded(evidence), row.place, seen, mend, row.line)


def mx_target_duplicate(evidence: Evidence) -> Iterator[Finding]:
    """One name at two preferences: the second never helps."""
    first: dict[str, Row] = {}
    for row in table.rows(evidence):
        before = first.setdefault(row.name, row)
        if before is not row:
            seen = f"{row.name} has preference {before.record.preference} already: the second record adds nothing"
            mend = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
            yield Finding("mx-target-duplicate", Severity.WARNING, row.place, seen, mend, row.line)


def mx_target_no_ipv4(evidence: Evidence) -> Iterator[Finding]:
    """IPv6 alone: more than half of the senders of the Internet never get there."""
    rows = table.hosts(evidence)
    anywhere = any(address.version == 4 for row in rows for address in row.addresses)
    if not table.is_whole(evidence) and not anywhere:
        return
    for row in rows:
        unknown = row.facts and not isinstance(row.facts.a, Found | NoData | NoName)
        if not unknown and all(address.version == 6 for address in row.addresses):
            severity = Severity.WARNING if anywhere else Severity.ERROR
            seen = f"{row.name} has no IPv4 address" + ("" if anywhere else ", nor has any other exchanger")
            ours = is_within(row.name, registered(table.domain(evidence)))
            mend = lines.address_to_fill(row.name, 4) if ours else ""
            yield Finding("mx-target-no-ipv4", severity, row.place, seen, mend, row.line)


def mx_target_loopback(evidence: Evidence) -> Iterator[Finding]:
    """127.0.0.0/8, ::1."""
    yield from _strange(evidence, "mx-target-loopback", "a loopback address", lambda address: address.is_loopback)


def mx_target_unspecified(evidence: Evidence) -> Iterator[Finding]:
    """0.0.0.0/8, ::."""
    yield from _strange(evidence, "mx-target-unspecified", "no address of a host", _is_unspecified)


def mx_target_private(evidence: Evidence) -> Iterator[Finding]:
    """RFC 1918, carriers' shared space, link-local, unique local."""
    yield from _strange(evidence, "mx-target-private", "a private address", _is_private)


def mx_target_documentation(evidence: Evidence) -> Iterator[Finding]:
    """Addresses of documents, in a domain that is none: copied from an example."""
    if not table.is_reserved(table.domain(evidence)):
        yield from _strange(
            evidence, "mx-target-documentation", "an address for documents", lambda each: _within(each, _DOCUMENTATION)
        )


def mx_target_multicast(evidence: Evidence) -> Iterator[Finding]:
    """Groups, broadcast, and what is reserved: not the address of one host."""
    yield from _strange(evidence, "mx-target-multicast", "not the address of one host", _is_group)


def mx_target_mapped(evidence: Evidence) -> Iterator[Finding]:
    """An IPv4 address in an AAAA record."""
    for finding in _strange(evidence, "mx-target-mapped", "an IPv4 address in IPv6 form", _is_mapped):
        mapped = getattr(finding.place.address, "ipv4_mapped", None)
        yield replace(finding, mend=lines.address_line(str(finding.place.exchange), mapped) if mapped else "")


def _strange(evidence: Evidence, rule: str, what: str, is_strange: Callable[[Address], bool]) -> Iterator[Finding]:
    """Addresses that are not of a host on the Internet: an error if all of the whole set are so."""
    hosts = table.hosts(evidence) or _implicit(evidence)
    every = [address for row in hosts for address in row.addresses]
    in_documents = table.is_reserved(table.domain(evidence))
    lost = all(_is_out_of_reach(each, in_documents=in_documents) for each in every)
    severity = Severity.ERROR if lost else Severity.WARNING
    for row in hosts:
        for address in filter(is_strange, row.addresses):
            owner = _owner(row)
            where = lines.where_address(evidence, owner, address) or row.line
            seen = f"{row.name} has {address}: {what}"
            mend = lines.remove(lines.address_line(owner, address))
            yield Finding(rule, severity, replace(row.place, address=address), seen, mend, where)


def _implicit(evidence: Evidence) -> tuple[Row, ...]:
    """The domain as its own exchanger, where it has no MX."""
    if not isinstance(evidence.snapshot.mx, NoData | NoName):
        return ()
    mx: Found[Mx] = Found((Mx(0, table.domain(evidence)),))
    return table.hosts(replace(evidence, snapshot=replace(evidence.snapshot, mx=mx)))


def _owner(row: Row) -> str:
    """The name that has the addresses: the end of the aliases."""
    found = [each for each in (table.answers(row.facts) if row.facts else ()) if isinstance(each, Found)]
    return next((each.name for each in found if each.name), row.name)


def _meant(row: Row, domain: str) -> str:
    """The name as it was probably meant; "" where nothing is odd."""
    if "." not in row.name and row.name not in _LOCAL:
        return f"{row.name}.{domain}"
    inner = row.name.removesuffix(f".{domain}")
    if inner == row.name:
        return ""
    if is_within(inner, domain):
        return inner
    looks_whole = inner.count(".") > 1 and inner.rpartition(".")[2] in _TOP_LABELS
    return inner if looks_whole and not row.addresses and not row.is_unknown else ""


def _aliases(answer: object) -> tuple[str, ...]:
    return answer.aliases if isinstance(answer, Found | NoData | NoName) else ()


def _is_out_of_reach(address: Address, *, in_documents: bool) -> bool:
    if _within(address, _DOCUMENTATION):
        return not in_documents
    kinds = (_is_unspecified, _is_private, _is_group, _is_mapped)
    return address.is_loopback or any(is_kind(address) for is_kind in kinds)


def _is_unspecified(address: Address) -> bool:
    return address.is_unspecified or (address.version == 4 and address.packed[0] == 0)


def _is_private(address: Address) -> bool:
    if _within(address, _DOCUMENTATION) or address.is_loopback or _is_unspecified(address) or _is_group(address):
        return False
    return not _is_mapped(address) and (address.is_private or address.is_link_local or _within(address, (_SHARED,)))


def _is_group(address: Address) -> bool:
    return address.is_multicast or (address.version == 4 and address.packed[0] >= 240)


def _is_mapped(address: Address) -> bool:
    return getattr(address, "ipv4_mapped", None) is not None


def _within(address: Address, networks: tuple[object, ...]) -> bool:
    return any(address in network for network in networks)  # type: ignore[operator]  # both families: no common type


RULES: tuple[Rule, ...] = (
    Rule(
        "mx-target-alias",
        Severity.WARNING,
        Topic.TARGETS,
        "An MX names an alias",
        "The name in an MX must be the true one: certificates, loop detection and some senders go by it.",
        (Source("RFC 2181", "10.3"), RFC5321),
        mx_target_alias,
    ),
    Rule(
        "mx-target-ip",
        Severity.ERROR,
        Topic.TARGETS,
        "An MX names an IP address",
        "It is looked up as a name and not found: the exchanger does not count.",
        (RFC5321,),
        mx_target_ip,
    ),
    Rule(
        "mx-target-nxdomain",
        Severity.ERROR,
        Topic.TARGETS,
        "An MX names a host that does not exist",
        "The exchanger does not count. If its domain is free, whoever registers it gets the mail.",
        (RFC5321,),
        mx_target_nxdomain,
    ),
    Rule(
        "mx-target-no-address",
        Severity.ERROR,
        Topic.TARGETS,
        "An MX names a host without address",
        "The name must have at least one A or AAAA record; without one the exchanger does not count.",
        (RFC5321,),
        mx_target_no_address,
    ),
    Rule(
        "mx-target-tempfail",
        Severity.WARNING,
        Topic.TARGETS,
        "The addresses of an exchanger cannot be looked up",
        "While that lasts senders pass it over, and with no other exchanger the mail waits.",
        (RFC5321,),
        mx_target_tempfail,
    ),
    Rule(
        "mx-target-relative",
        Severity.WARNING,
        Topic.TARGETS,
        "A final dot is missing, or is one too many",
        "Names without a final dot are completed by the zone's own: the exchanger is looked for in the wrong place.",
        (Source("RFC 1035", "5.1", is_checked=False),),
        mx_target_relative,
    ),
    Rule(
        "mx-target-syntax",
        Severity.WARNING,
        Topic.TARGETS,
        "An MX names what cannot be a host name",
        "No public authority issues a certificate for it, and careful senders refuse to look it up.",
        (Source("RFC 1123", "2.1"), Source("RFC 1035", "2.3.4")),
        mx_target_syntax,
    ),
    Rule(
        "mx-target-localhost",
        Severity.ERROR,
        Topic.TARGETS,
        "An MX names localhost",
        "Each sender is told to deliver to itself: it bounces, loops or waits. A null MX says `no mail` properly.",
        (Source("RFC 6761", "6.3"), Source("RFC 7505", "3")),
        mx_target_localhost,
    ),
    Rule(
        "mx-target-duplicate",
        Severity.WARNING,
        Topic.TARGETS,
        "One exchanger at two preferences",
        "It looks like a backup and is none: a sender that failed there has no one else to ask.",
        (RFC5321,),
        mx_target_duplicate,
    ),
    Rule(
        "mx-target-no-ipv4",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger without IPv4",
        "Of the providers measured in 2022, 44 % delivered over IPv6: the others pass it over, or have nowhere to go.",
        (Source("RFC 3974", is_checked=False), Source("USENIX ATC 2022, Holzbauer et al.", is_checked=False)),
        mx_target_no_ipv4,
    ),
    Rule(
        "mx-target-loopback",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger with a loopback address",
        "Senders find themselves there, or leave the address out.",
        (RFC6890,),
        mx_target_loopback,
    ),
    Rule(
        "mx-target-unspecified",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger with the unspecified address",
        "A connection to it ends at the sender itself, or nowhere.",
        (RFC6890,),
        mx_target_unspecified,
    ),
    Rule(
        "mx-target-private",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger with a private address",
        "From elsewhere nobody is there, or a stranger: a sender waits out its time limit before it goes on.",
        (RFC6890, Source("RFC 1918", is_checked=False)),
        mx_target_private,
    ),
    Rule(
        "mx-target-documentation",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger with an address for documents",
        "It was copied from an example; no route leads there.",
        (RFC6890, Source("RFC 5737", "3")),
        mx_target_documentation,
    ),
    Rule(
        "mx-target-multicast",
        Severity.ERROR,
        Topic.TARGETS,
        "An exchanger with a multicast or reserved address",
        "No connection can be opened to it.",
        (RFC6890,),
        mx_target_multicast,
    ),
    Rule(
        "mx-target-mapped",
        Severity.WARNING,
        Topic.TARGETS,
        "An IPv4 address in an AAAA record",
        "Mapped addresses are no addresses of the Internet: what a sender does with them is chance.",
        (RFC6890,),
        mx_target_mapped,
    ),
)
