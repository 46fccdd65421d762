"""What MX records name: whether the names are names, exist, and lead to some address."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.rules import lines, special, table
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.rule import Topic, rule
from postroad.rules.table import MxRow
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary
from postroad.words.names import is_address_like, is_within, registered
from postroad.words.phrasebook import listing
from postroad.words.providers import provider_of

# Letters, digits and hyphens, none of which stands at an end: RFC 952, as RFC 1123 widens it.
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
# Last labels that show a forgotten final dot: `aspmx.l.google.com` becomes `aspmx.l.google.com.example.com`.
_TOP_LABELS = frozenset({"com", "net", "org", "de", "eu", "uk", "fr", "nl", "io", "info", "biz", "email", "cloud"})
_LOCAL = ("localhost", "localdomain")


@rule(
    "mx-target-alias",
    Severity.WARNING,
    Topic.TARGETS,
    "An MX names an alias",
    why="An MX must name the host itself: certificates, loop detection and some senders rely on that name.",
    source="RFC 2181 10.3; RFC 5321 5.1",
)
def mx_target_alias(evidence: Evidence) -> Iterator[Seen]:
    """Most senders follow it; some look up one step less, or refuse. It is one wherever it leads, and if nowhere."""
    for row in table.rows(evidence):
        if row.is_alias and not row.circle:
            end = _end(row)
            seen = f"{row.name} is an alias{f' of {end}' if end else ''}"
            fix = lines.mx_line(table.domain(evidence), row.record.preference, end) if end else ""
            yield Seen(row.place, seen, fix, lines.where(evidence, row.name, "CNAME") or row.line)


@rule(
    "mx-target-alias-loop",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names an alias that leads back to itself",
    why="No address can be found through it: senders skip it, and if there is no other exchanger all mail waits.",
    source="RFC 1034 3.6.2; RFC 5321 5.1",
)
def mx_target_alias_loop(evidence: Evidence) -> Iterator[Seen]:
    """No name server has to answer first: it is written so."""
    for row in table.rows(evidence):
        if row.circle:
            first, then = row.circle[:2]
            seen = f"{row.name} is an alias that leads back to itself: {' -> '.join(row.circle)}"
            alias = lines.remove(lines.zone_line(first, "CNAME", f"{then}."))
            fix = f"{alias}\n{lines.address_to_fill(first, 4)}" if _is_own(evidence, first) else ""
            line = lines.where(evidence, row.name, "CNAME") or row.line
            yield Seen(row.place, seen, fix, line, table.graded_waiting(evidence))


@rule(
    "mx-target-ip",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names an IP address",
    why="Senders look it up as a host name, and no such host exists: they ignore the exchanger.",
    source="RFC 5321 5.1",
)
def mx_target_ip(evidence: Evidence) -> Iterator[Seen]:
    """Without a final dot the zone completes it: `192.0.2.1.example.com` is an address all the same."""
    domain, names = table.domain(evidence), table.free_names(evidence)
    for row in table.rows(evidence):
        address = row.written_address
        if address:
            name = next(names)
            fix = f"{lines.mx_line(domain, row.record.preference, name)}\n{lines.address_line(name, address)}"
            completed = "" if str(address) == row.name else f", which the zone completes to {row.name}"
            seen = f"the MX names the IP address {address}{completed}; it must name a host"
            yield row.seen(seen, fix, table.graded(evidence))
        elif is_address_like(row.name):
            seen = f"{row.name} looks like an IP address but is not one; an MX must name a host"
            yield row.seen(seen, severity=table.graded(evidence))


@rule(
    "mx-target-special-name",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names a host that cannot be looked up from outside",
    why="The name is reserved and never exists in public DNS: senders find no address.",
    source="RFC 6761; RFC 6762 3; RFC 6762 G",
)
def mx_target_special_name(evidence: Evidence) -> Iterator[Seen]:
    """`mail.corp.local`: it works inside, where it was tried."""
    domain, rows = table.domain(evidence), table.rows(evidence)
    lost = all(special.purpose_of(row.name, domain) for row in rows)
    for row in rows:
        purpose = special.purpose_of(row.name, domain)
        if purpose:
            seen = f"{row.name} cannot be found on the Internet: {purpose}"
            fix = lines.remove(lines.mx_line(domain, row.record.preference, row.name))
            yield row.seen(seen, fix, Severity.ERROR if lost else table.graded(evidence))


@rule(
    "mx-target-nxdomain",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names a host that does not exist",
    why="Senders ignore the exchanger. If its domain is unregistered, whoever registers it gets the mail.",
    source="RFC 5321 5.1",
)
def mx_target_nxdomain(evidence: Evidence) -> Iterator[Seen]:
    """Names below `invalid` are meant not to exist: providers ask for them as a proof."""
    for row in table.rows(evidence):
        if row.is_missing and not row.written_address and not special.purpose_of(row.name, table.domain(evidence)):
            on_purpose = is_within(row.name, "invalid")
            severity = Severity.NOTE if on_purpose else table.graded(evidence)
            seen = f"{row.name} does not exist (NXDOMAIN)"
            fix = _as_meant(row, table.domain(evidence)) or _without(row, table.domain(evidence))
            yield row.seen(seen, fix, severity)


@rule(
    "mx-target-no-address",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names a host without an address",
    why="The host needs at least one A or AAAA record; without one, senders ignore the exchanger.",
    source="RFC 5321 5.1",
)
def mx_target_no_address(evidence: Evidence) -> Iterator[Seen]:
    for row in table.rows(evidence):
        if row.facts and not row.addresses and not row.is_unknown and not row.is_missing:
            seen = f"{row.name} has neither an A nor an AAAA record"
            fix = _as_meant(row, table.domain(evidence)) or _without(row, table.domain(evidence))
            yield row.seen(seen, fix, table.graded(evidence))


@rule(
    "mx-target-tempfail",
    Severity.WARNING,
    Topic.TARGETS,
    "The addresses of an exchanger cannot be looked up",
    why="Until they can, senders skip it, and if there is no other exchanger the mail waits.",
    source="RFC 5321 5.1",
    no_fix="its name servers have to answer first",
)
def mx_target_tempfail(evidence: Evidence) -> Iterator[Seen]:
    """Nobody could say which addresses the name has. Names beyond the given zone files are nobody's fault.

    But where they are all there is, nothing was looked at, which is not to be called good: unless a provider that is
    known to take mail has them.
    """
    severity = table.graded_waiting(evidence)
    for row in table.rows(evidence):
        if row.facts is None or not row.is_unknown or row.circle:
            continue
        is_ours = lines.is_ours_to_say(evidence, _end(row) or row.name)
        if is_ours or (severity is Severity.ERROR and not provider_of(row.name)):
            troubles = [each for each in table.answers(row.facts) if not isinstance(each, Found | NoData | NoName)]
            seen = f"the addresses of {row.name} cannot be looked up: {troubles[0].why}"
            is_sure = evidence.reach.resolver or any(isinstance(each, Bogus) for each in troubles)
            yield Seen(row.place, seen, "", row.line, severity, inconclusive=not (is_sure and is_ours))


@rule(
    "mx-target-relative",
    Severity.WARNING,
    Topic.TARGETS,
    "A trailing dot is missing, or there is one too many",
    why="The zone's own name is appended to a name without a trailing dot: senders look for the exchanger in the "
    "wrong place.",
    source="RFC 1035 5.1",
)
def mx_target_relative(evidence: Evidence) -> Iterator[Seen]:
    domain = table.domain(evidence)
    for row in table.rows(evidence):
        meant = _meant(row, domain)
        if meant:
            yield row.seen(f"{row.name}: {meant} was probably meant", _as_meant(row, domain))


@rule(
    "mx-target-syntax",
    Severity.WARNING,
    Topic.TARGETS,
    "An MX names something that cannot be a host name",
    why="No public authority issues a certificate for it, and strict senders refuse to look it up.",
    source="RFC 1123 2.1; RFC 1035 2.3.4",
)
def mx_target_syntax(evidence: Evidence) -> Iterator[Seen]:
    for row in table.rows(evidence):
        odd = [label for label in row.name.split(".") if not _LABEL.match(label)]
        if odd and not is_address_like(row.name):
            seen = f"{row.name}: {listing([repr(label) for label in odd], table.NAMED)} is not allowed in a host name"
            plain = ".".join(re.sub(r"[^a-z0-9-]", "-", label).strip("-") for label in row.name.split("."))
            fix = lines.mx_line(table.domain(evidence), row.record.preference, plain)
            yield row.seen(seen, fix)


@rule(
    "mx-target-localhost",
    Severity.ERROR,
    Topic.TARGETS,
    "An MX names localhost",
    why="Every sender is directed to itself: mail bounces, loops or waits. A null MX is the proper way to say `no "
    "mail`.",
    source="RFC 6761 6.3; RFC 7505 3",
)
def mx_target_localhost(evidence: Evidence) -> Iterator[Seen]:
    for row in table.rows(evidence):
        if any(is_within(row.name, local) for local in _LOCAL):
            seen = f"{row.name} is whichever host asks: each sender finds itself"
            fix = lines.mx_line(table.domain(evidence), 0, "")
            yield row.seen(seen, fix, table.graded(evidence))


@rule(
    "mx-target-duplicate",
    Severity.WARNING,
    Topic.TARGETS,
    "One exchanger at two preferences",
    why="It looks like a backup but is none: a sender that failed there has nowhere else to go.",
    source="RFC 5321 5.1",
)
def mx_target_duplicate(evidence: Evidence) -> Iterator[Seen]:
    first: dict[str, MxRow] = {}
    for row in table.rows(evidence):
        before = first.setdefault(row.name, row)
        if before is not row:
            seen = f"{row.name} already has preference {before.record.preference}: the second record adds nothing"
            fix = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
            yield row.seen(seen, fix)


@rule(
    "mx-target-no-ipv4",
    Severity.ERROR,
    Topic.TARGETS,
    "An exchanger without an IPv4 address",
    why="Of the providers surveyed in 2022, 44 % delivered over IPv6: all others skip this exchanger, or cannot "
    "deliver at all.",
    source="RFC 3974; Holzbauer et al., USENIX ATC 2022",
)
def mx_target_no_ipv4(evidence: Evidence) -> Iterator[Seen]:
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
            fix = lines.address_to_fill(row.name, 4) if ours else ""
            yield row.seen(seen, fix, severity)


def _is_own(evidence: Evidence, name: str) -> bool:
    return is_within(name, registered(table.domain(evidence)))


def _without(row: MxRow, domain: str) -> str:
    return lines.remove(lines.mx_line(domain, row.record.preference, row.name))


def _as_meant(row: MxRow, domain: str) -> str:
    """The record as it was probably meant, in place of the one there is; "" where nothing is odd."""
    meant = _meant(row, domain)
    return f"{_without(row, domain)}\n{lines.mx_line(domain, row.record.preference, meant)}" if meant else ""


def _end(row: MxRow) -> str:
    """The name at the end of the aliases, as far as it is known; "" where there are none, or they lead nowhere."""
    answers = table.answers(row.facts) if row.facts else ()
    ends = (each.name for each in answers if isinstance(each, Found | Temporary | Bogus) and each.aliases)
    return next((end for end in ends if end != row.name), "")


def _meant(row: MxRow, domain: str) -> str:
    """The name as it was probably meant; "" where nothing is odd."""
    if "." not in row.name and row.name not in _LOCAL:
        return f"{row.name}.{domain}"
    inner = row.name.removesuffix(f".{domain}")
    if inner == row.name or row.written_address:
        return ""
    if is_within(inner, domain):
        return inner
    looks_whole = inner.count(".") > 1 and inner.rpartition(".")[2] in _TOP_LABELS
    return inner if looks_whole and not row.addresses and not row.is_unknown else ""
