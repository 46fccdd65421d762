"""What is left when something fails: one name, one machine, one network, one operator, one way round the filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.rules import lines, places, table
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.rule import Topic, rule
from postroad.rules.table import MxRow
from postroad.words.names import is_within, registered
from postroad.words.phrasebook import listing
from postroad.words.providers import operator_of, provider_of

if TYPE_CHECKING:
    from postroad.planning import Machine


@rule(
    "mx-single",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "One exchanger with several addresses",
    why="Some senders try only one address of a name per attempt: for them a second name is worth more than a second "
    "address.",
    source="RFC 5321 5.1",
)
def mx_single(evidence: Evidence) -> Iterator[Seen]:
    only = _only(evidence)
    if only and len(_machines(only)) > 1:
        shown = listing([str(address) for address in only.addresses], table.NAMED)
        seen = f"{only.name} is the only exchanger; it has several addresses: {shown}"
        name = next(table.free_names(evidence, 2))
        moved = [lines.address_line(name, address) for address in _machines(only)[1].addresses]
        fix = "\n".join((_second(evidence, only), *moved))
        # The addresses of another's name are the operator's, who may move them any day
        is_ours = is_within(only.name, registered(table.domain(evidence)))
        yield only.seen(seen, fix if is_ours else "")


@rule(
    "mx-single-address",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "A single exchanger on a single machine",
    why="While it is down, all mail waits at the senders, who keep trying for days. For many sites that is enough; if "
    "mail must not wait, add a second machine.",
    source="RFC 5321 5.1",
)
def mx_single_address(evidence: Evidence) -> Iterator[Seen]:
    only = _only(evidence)
    if only and only.addresses and len(_machines(only)) == 1:
        shown = listing([str(address) for address in only.addresses], table.NAMED)
        seen = f"{only.name} is the only exchanger, and a single machine: {shown}"
        fix = f"{_second(evidence, only)}\n{lines.address_to_fill(next(table.free_names(evidence, 2)), 4)}"
        yield only.seen(seen, fix)


@rule(
    "mx-shared-address",
    Severity.WARNING,
    Topic.REDUNDANCY,
    "Several equal exchangers on one address",
    why="When the machine is down, so are all its names; senders that only compare names just try the same machine "
    "again.",
    source="practice",
)
def mx_shared_address(evidence: Evidence) -> Iterator[Seen]:
    for preference, group in table.levels(evidence):
        shared = list(table.shared_by(group))
        alone = len(set(table.machines(group).values())) == 1
        for address, owners in shared:
            severity = Severity.WARNING if alone else Severity.NOTE
            names = listing([row.name for row in owners], table.NAMED)
            seen = f"{address} is behind {names}, equals at {preference}: {len(owners)} names, one machine"
            idle = [row for row in owners[1:] if alone and set(row.addresses) <= set(owners[0].addresses)]
            fix = "\n".join(lines.remove(lines.mx_line(table.domain(evidence), preference, row.name)) for row in idle)
            place = replace(owners[0].place, address=address)
            yield Seen(place, seen, fix, owners[-1].line, severity=severity)


@rule(
    "mx-backup-same-machine",
    Severity.WARNING,
    Topic.REDUNDANCY,
    "The backup is the same machine as the primary",
    why="It is down whenever the primary is, and only makes senders try the same address twice.",
    source="practice",
)
def mx_backup_same_machine(evidence: Evidence) -> Iterator[Seen]:
    better: dict[Machine, MxRow] = {}
    known = table.machines(table.hosts(evidence))
    for _preference, group in table.levels(evidence):
        for row in group:
            if better and all(known[address] in better for address in row.addresses):
                first = better[known[row.addresses[0]]]
                seen = f"{row.name} is {first.name} under another name: {_shown(row)}"
                fix = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
                yield row.seen(seen, fix)
        for row in group:
            better |= {machine: row for address in row.addresses if (machine := known[address]) not in better}


@rule(
    "mx-same-prefix",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "All exchangers in one network",
    why="One router, one line or one routing mistake takes them all down. The advice for name servers applies here "
    "too.",
    source="RFC 2182 3.1",
    no_fix="a server has to move to another network first",
)
def mx_same_prefix(evidence: Evidence) -> Iterator[Seen]:
    if not table.is_whole(evidence) or _is_one_provider(evidence):
        return
    every = {address for row in table.hosts(evidence) for address in row.addresses}
    networks = {(each.version, places.site(each)) for each in every}
    versions = [version for version, _network in networks]
    several = any(sum(each.version == version for each in every) > 1 for version in versions)
    if several and len(versions) == len(set(versions)):
        shown = listing([str(network) for _version, network in sorted(networks, key=str)], table.NAMED)
        count = "both" if len(every) == 2 else f"all {len(every)}"
        seen = f"{count} addresses are in {shown}"
        yield Seen(places.whole(evidence), seen)


@rule(
    "mx-same-name-servers",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "All exchangers depend on one set of name servers",
    why="Exchangers in several zones suggest independence, but when their common name servers are down none can be "
    "found.",
    source="RFC 2182 3.1",
    no_fix="a zone needs other name servers first",
)
def mx_same_name_servers(evidence: Evidence) -> Iterator[Seen]:
    zones = {zone: servers for zone, servers in _zones(evidence) if servers}
    named = {registered(row.name) for row in table.hosts(evidence)}
    if len(zones) > 1 and len(set(zones.values())) == 1 and len(named) > 1:
        shown = listing(sorted(next(iter(zones.values()))), table.NAMED)
        found = listing(sorted(zones), table.NAMED)
        yield Seen(
            places.whole(evidence), f"the exchangers' names are in {found}, and all of these are served by {shown}"
        )


@rule(
    "mx-filter-bypass",
    Severity.WARNING,
    Topic.REDUNDANCY,
    "A way around the filtering service",
    why="Spammers try the last exchanger first. Servers behind a filter should not be in any MX record, and should "
    "accept mail only from the filter.",
    source="practice",
)
def mx_filter_bypass(evidence: Evidence) -> Iterator[Seen]:
    hosts = table.hosts(evidence)
    filters = [row for row in hosts if _kind(row) == "filter"] or [
        row for row in table.rows(evidence) if _kind(row) == "filter"
    ]
    if not filters:
        return
    service = operator_of(filters[0].name)
    for row in table.rows(evidence):
        if operator_of(row.name) != service and _kind(row) != "filter" and not is_within(row.name, "invalid"):
            seen = f"{row.name} accepts mail at {row.record.preference}: mail can bypass the filter of {service}"
            fix = lines.remove(lines.mx_line(table.domain(evidence), row.record.preference, row.name))
            yield row.seen(seen, fix)


@rule(
    "mx-backup-other-operator",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "The only fallback is a backup run by someone else",
    why="Make sure that it knows the same recipients, filters and TLS policy; otherwise, during an outage, it accepts "
    "what you reject or rejects what you accept.",
    source="practice",
    no_fix="what the backup accepts is in its configuration, not in DNS",
)
def mx_backup_other_operator(evidence: Evidence) -> Iterator[Seen]:
    hosts = table.hosts(evidence)
    operators = {operator_of(row.name): row for row in reversed(hosts)}
    if not hosts or len(operators) < 2 or any(_kind(row) == "filter" for row in hosts):
        return
    best = table.levels(evidence)[0][1]
    ours = {operator_of(row.name) for row in best}
    backups = [row for row in hosts if operator_of(row.name) not in ours]
    if len(ours) == 1 and backups:
        row, primary = backups[0], ours.pop()
        seen = f"if {primary} is down, {row.name} of {operator_of(row.name)} takes all mail"
        yield row.seen(seen)


@rule(
    "mx-no-ipv6",
    Severity.INFO,
    Topic.REDUNDANCY,
    "No exchanger has IPv6",
    why="Senders that have only IPv6 are still rare, but they cannot reach this domain.",
    source="practice",
)
def mx_no_ipv6(evidence: Evidence) -> Iterator[Seen]:
    hosts = table.hosts(evidence)
    if hosts and table.is_whole(evidence) and all(map(_said_none, hosts)):
        seen = "no exchanger has an IPv6 address"
        fix = _to_fill(evidence, hosts)
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-ipv6-some",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "Only some equal exchangers have IPv6",
    why="Over IPv6 they are not equal: each one's share of the mail depends on who sends it.",
    source="RFC 3974",
)
def mx_ipv6_some(evidence: Evidence) -> Iterator[Seen]:
    for preference, group in table.levels(evidence):
        bare = [row for row in group if not _has(row, 6)]
        if bare and len(bare) < len(group) and all(map(_said_none, bare)):
            others = listing([row.name for row in group if _has(row, 6)], table.NAMED)
            lacking = listing([row.name for row in bare], table.NAMED)
            verb = "have" if len(bare) > 1 else "has"
            seen = f"of the equals at {preference}, {lacking} {verb} no IPv6: senders with only IPv6 use {others}"
            fix = _to_fill(evidence, bare)
            yield Seen(bare[0].place, seen, fix, bare[0].line)


@rule(
    "mx-ipv6-backup-only",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "Only the backup has IPv6",
    why="A sender that has only IPv6, or that puts IPv6 before preference, sends all its mail to the backup.",
    source="RFC 3974",
)
def mx_ipv6_backup_only(evidence: Evidence) -> Iterator[Seen]:
    levels = table.levels(evidence)
    if not levels or any(_has(row, 6) or not _said_none(row) for row in levels[0][1]):
        return
    for row in (row for _preference, group in levels[1:] for row in group if _has(row, 6)):
        seen = f"{row.name} has IPv6, but no exchanger at {levels[0][0]} does: over IPv6 the backup comes first"
        fix = _to_fill(evidence, levels[0][1])
        yield row.seen(seen, fix)
        return


def _second(evidence: Evidence, first: MxRow) -> str:
    """The MX record of a second exchanger: an equal, so that it is known to work before it is needed."""
    return lines.mx_line(table.domain(evidence), first.record.preference, next(table.free_names(evidence, 2)))


def _to_fill(evidence: Evidence, bare: Sequence[MxRow]) -> str:
    """The AAAA records to write, for names of one's own: a provider's zone is the provider's."""
    home = registered(table.domain(evidence))
    return "\n".join(
        lines.address_to_fill(row.name, 6) for row in bare if is_within(row.name, home) and not row.is_alias
    )


def _only(evidence: Evidence) -> MxRow | None:
    """The one exchanger, unless its one name is known to stand for many machines."""
    rows = {row.name: row for row in reversed(table.rows(evidence)) if not is_within(row.name, "invalid")}
    if len(rows) != 1 or any(row.is_unknown or _kind(row) == "one-mx" for row in rows.values()):
        return None
    return next(iter(rows.values()))


def _machines(row: MxRow) -> tuple[Machine, ...]:
    """The machines behind a name."""
    return tuple(dict.fromkeys(table.machines([row]).values()))


def _is_one_provider(evidence: Evidence) -> bool:
    return all(provider_of(row.name) for row in table.hosts(evidence))


def _kind(row: MxRow) -> str:
    provider = provider_of(row.name)
    return provider.kind if provider else ""


def _has(row: MxRow, version: int) -> bool:
    return any(address.version == version for address in row.addresses)


def _said_none(row: MxRow) -> bool:
    """Whether DNS said that there is no AAAA, instead of nothing."""
    return row.facts is not None and not hasattr(row.facts.aaaa, "why") and not _has(row, 6)


def _shown(row: MxRow) -> str:
    return listing([str(address) for address in row.addresses], table.NAMED)


def _zones(evidence: Evidence) -> Iterator[tuple[str, frozenset[str]]]:
    """The zones the exchangers' names are in, with their name servers, as far as zone files tell."""
    owners = {line.owner for line in evidence.lines if line.kind == "NS"}
    for row in table.hosts(evidence):
        above = [owner for owner in owners if is_within(row.name, owner)]
        if above:
            zone = max(above, key=len)
            servers = (line.value for line in evidence.lines if line.kind == "NS" and line.owner == zone)
            yield zone, frozenset(servers)
