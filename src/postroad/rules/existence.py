"""Whether mail can be delivered at all: records that are missing, contradict each other, or make no sense as a set."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.routing import Refusal, Status
from postroad.rules import limits, lines, places, table
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity
from postroad.rules.rule import Need, Topic, rule
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary
from postroad.words.phrasebook import listing


@rule(
    "mx-nxdomain",
    Severity.ERROR,
    Topic.EXISTENCE,
    "The domain does not exist",
    why="Senders return all mail for it at once. A registration that has lapsed looks like this.",
    source="RFC 5321 5.1",
    no_fix="the domain has to be registered or delegated again",
)
def mx_nxdomain(evidence: Evidence) -> Iterator[Seen]:
    if isinstance(evidence.answer, Refusal) and evidence.answer.status is Status.NO_SUCH_DOMAIN:
        seen = f"{table.domain(evidence)} does not exist: NXDOMAIN for MX, A and AAAA"
        yield Seen(places.whole(evidence), seen)


@rule(
    "mx-lookup-tempfail",
    Severity.ERROR,
    Topic.EXISTENCE,
    "The MX records cannot be looked up",
    why="Senders must keep the mail and try again: it waits until the name servers answer, and is returned after some "
    "days.",
    source="RFC 5321 5.1",
    no_fix="its name servers have to answer first",
)
def mx_lookup_tempfail(evidence: Evidence) -> Iterator[Seen]:
    """Nobody could say which exchangers there are. Only a control question tells that it is not our resolver."""
    mx, ours = evidence.snapshot.mx, not evidence.reach.resolver
    if isinstance(mx, Temporary | Bogus):
        seen = f"the MX records of {table.domain(evidence)} cannot be looked up: {mx.why}"
        unsure = ours and isinstance(mx, Temporary)
        yield Seen(places.whole(evidence), seen, inconclusive=unsure)


@rule(
    "mx-nxdomain-with-address",
    Severity.ERROR,
    Topic.EXISTENCE,
    "NXDOMAIN for MX although the name exists",
    why="A sender that believes the NXDOMAIN returns the mail; only one that asks for addresses anyway delivers it.",
    source="RFC 5321 5.1; RFC 2308 2.2",
)
def mx_nxdomain_with_address(evidence: Evidence) -> Iterator[Seen]:
    if isinstance(evidence.snapshot.mx, NoName) and _own_addresses(evidence):
        domain = table.domain(evidence)
        seen = f"{domain} has addresses, but its name servers say NXDOMAIN when asked for MX"
        fix = lines.mx_line(domain, 10, domain)
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-implicit",
    Severity.NOTE,
    Topic.EXISTENCE,
    "No MX record: mail goes to the domain's own address",
    why="This is allowed, but often not intended: a web server gets the mail, and senders retry for days.",
    source="RFC 5321 5.1",
)
def mx_implicit(evidence: Evidence) -> Iterator[Seen]:
    addresses = _own_addresses(evidence)
    if _has_no_mx(evidence) and addresses and not isinstance(evidence.answer, Refusal):
        domain = table.domain(evidence)
        shown = listing([str(address) for address in addresses], table.NAMED)
        seen = f"no MX record: mail goes to {domain} itself, {shown}"
        fix = f"{lines.mx_line(domain, 10, domain)}\n; or, if it takes no mail:\n{lines.mx_line(domain, 0, '')}"
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-implicit-unusable",
    Severity.ERROR,
    Topic.EXISTENCE,
    "No MX record and no usable address",
    why="All mail is returned. If the domain is not meant to take mail, a null MX says so at once.",
    source="RFC 5321 5.1; RFC 7505 3",
)
def mx_implicit_unusable(evidence: Evidence) -> Iterator[Seen]:
    refusal = evidence.answer
    if isinstance(refusal, Refusal) and refusal.status is Status.NO_ADDRESS and _has_no_mx(evidence):
        domain = table.domain(evidence)
        addresses = [str(address) for address in _own_addresses(evidence)]
        what = f"and its address {listing(addresses, table.NAMED)} cannot be used" if addresses else "and no address"
        fix = lines.mx_line(domain, 0, "")
        seen = f"no MX record {what}: no mail reaches {domain}"
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-none-usable",
    Severity.ERROR,
    Topic.EXISTENCE,
    "None of the MX records can be used",
    why="Senders must report an error and must not fall back to the domain's own address: all mail is returned.",
    source="RFC 5321 5.1",
)
def mx_none_usable(evidence: Evidence) -> Iterator[Seen]:
    refusal = evidence.answer
    if isinstance(refusal, Refusal) and refusal.status is Status.NO_ADDRESS and table.records(evidence):
        seen = f"none of the {len(table.records(evidence))} MX records can be used: all mail is returned"
        if len(table.records(evidence)) == 1:
            seen = f"the only MX record, {table.records(evidence)[0].exchange}, cannot be used: all mail is returned"
        null = lines.mx_line(table.domain(evidence), 0, "")
        yield Seen(places.whole(evidence), seen, f"; if it takes no mail, this alone:\n{null}")


@rule(
    "mx-null",
    Severity.INFO,
    Topic.EXISTENCE,
    "Null MX: the domain takes no mail",
    why="Senders return mail at once instead of retrying for days. Fine if that is intended.",
    source="RFC 7505 3",
    no_fix="it says what it is meant to say",
)
def mx_null(evidence: Evidence) -> Iterator[Seen]:
    records = table.records(evidence)
    if records and all(record.exchange == "" for record in records):
        seen = f"{table.domain(evidence)} says that it accepts no mail (null MX)"
        line = lines.where_mx(evidence, records[0])
        yield Seen(places.whole(evidence), seen, line=line)


@rule(
    "mx-null-sends",
    Severity.WARNING,
    Topic.EXISTENCE,
    "A domain that takes no mail but sends mail",
    why="Receivers may reject mail from a domain that can receive neither replies nor bounces.",
    source="RFC 7505 4.2",
    needs=(Need.TEXT,),
)
def mx_null_sends(evidence: Evidence) -> Iterator[Seen]:
    records = table.records(evidence)
    spf = evidence.texts.spf if evidence.texts else None
    policies = [text for text in (spf.records if spf else ()) if text.lower().startswith("v=spf1")]
    senders = [text for text in policies if text.lower().split()[1:] not in (["-all"], [])]
    if senders and records and all(record.exchange == "" for record in records):
        seen = f"it accepts no mail, but its SPF record lets others send in its name: {senders[0]}"
        fix = lines.zone_line(table.domain(evidence), "TXT", '"v=spf1 -all"')
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-null-mixed",
    Severity.ERROR,
    Topic.EXISTENCE,
    "Null MX next to other MX records",
    why="A null MX must be the only MX record. With others next to it, some senders return all mail and some use the "
    "others.",
    source="RFC 7505 3",
)
def mx_null_mixed(evidence: Evidence) -> Iterator[Seen]:
    records = table.records(evidence)
    null = [record for record in records if record.exchange == ""]
    if null and len(null) < len(records):
        domain = table.domain(evidence)
        others = len(records) - len(null)
        seen = f"a null MX beside {others} other{'s' * (others > 1)}: it says no mail, they say the opposite"
        fix = "\n".join(lines.remove(lines.mx_line(domain, record.preference, "")) for record in null)
        place = Place(domain, null[0].preference, "")
        yield Seen(place, seen, fix, lines.where_mx(evidence, null[0]))


@rule(
    "mx-null-preference",
    Severity.WARNING,
    Topic.EXISTENCE,
    "Null MX with a preference other than 0",
    why="Software that compares the whole record does not recognise it as a null MX and tries to deliver to the root.",
    source="RFC 7505 3",
)
def mx_null_preference(evidence: Evidence) -> Iterator[Seen]:
    for record in table.records(evidence):
        if record.exchange == "" and record.preference:
            domain = table.domain(evidence)
            seen = f"the null MX has preference {record.preference}; it is written with 0"
            where = lines.where_mx(evidence, record)
            place = Place(domain, record.preference, "")
            fix = lines.mx_line(domain, 0, "")
            yield Seen(place, seen, fix, where)


@rule(
    "mx-owner-alias",
    Severity.NOTE,
    Topic.EXISTENCE,
    "The domain is an alias",
    why="Its mail goes wherever the other name points, and whoever changes that name changes this one too. No MX "
    "record can stand next to a CNAME.",
    source="RFC 5321 5.1; RFC 1034 3.6.2",
)
def mx_owner_alias(evidence: Evidence) -> Iterator[Seen]:
    mx = evidence.snapshot.mx
    if isinstance(mx, Found | NoData) and mx.aliases:
        domain = table.domain(evidence)
        target = mx.name if isinstance(mx, Found) else ""
        seen = f"{domain} is an alias{f' of {target}' if target else ''}: its mail is decided there"
        where = lines.where(evidence, mx.aliases[0], "CNAME")
        aliased = lines.remove(lines.zone_line(mx.aliases[0], "CNAME", f"{(*mx.aliases[1:], target)[0]}."))
        moved = [lines.mx_line(domain, each.preference, each.exchange) for each in table.records(evidence)]
        yield Seen(places.whole(evidence), seen, "\n".join((aliased, *moved)) if moved else "", where)


@rule(
    "mx-wildcard",
    Severity.NOTE,
    Topic.EXISTENCE,
    "A wildcard MX",
    why="Mistyped names accept mail, while a name that exists, even with nothing but an A record, is not covered.",
    source="RFC 4592 3.3.1; RFC 1912 2.7",
)
def mx_wildcard(evidence: Evidence) -> Iterator[Seen]:
    for line in evidence.lines:
        if line.kind == "MX" and line.owner == f"*.{table.domain(evidence)}":
            seen = f"{line.owner} MX {line.value}: it answers for names that do not exist, but for none that do"
            where = f"{line.file}:{line.number}"
            fix = lines.remove(lines.zone_line(line.owner, "MX", f"{line.value}."))
            yield Seen(places.whole(evidence), seen, fix, where)


@rule(
    "mx-count",
    Severity.NOTE,
    Topic.EXISTENCE,
    "More MX records than senders look at",
    why="With more than ten, an SPF `mx` mechanism ends in permerror; beyond a hundred, senders truncate the list, "
    "each in its own way.",
    source="RFC 7208 4.6.4; RFC 5321 5.1",
)
def mx_count(evidence: Evidence) -> Iterator[Seen]:
    count = len(table.records(evidence))
    if count > limits.MANY_RECORDS:
        severity = Severity.WARNING if count > limits.TOO_MANY_RECORDS else Severity.NOTE
        who = (
            "senders look at a hundred at most"
            if count > limits.TOO_MANY_RECORDS
            else "an SPF `mx` of it is a permerror"
        )
        fix = f"; remove: <{count - limits.MANY_RECORDS} of the {count} MX records>"  # which ones is its owner's choice
        yield Seen(places.whole(evidence), f"{count} MX records: {who}", fix, severity=severity)


@rule(
    "mx-preference-last",
    Severity.INFO,
    Topic.EXISTENCE,
    "A preference at the end of the range",
    why="Nothing can be placed after it later. Only the order of preferences matters, not their size.",
    source="practice",
)
def mx_preference_last(evidence: Evidence) -> Iterator[Seen]:
    preferences = sorted({row.record.preference for row in table.rows(evidence)})
    fitting = [each for each in preferences if each <= limits.LAST_PREFERENCE]
    for row in table.rows(evidence):
        if row.record.preference > limits.LAST_PREFERENCE:
            steps = preferences.index(row.record.preference) - len(fitting) + 1
            better = max(fitting, default=0) + 10 * steps
            seen = f"preference {row.record.preference}: the range ends at 65535"
            fix = lines.mx_line(table.domain(evidence), better, row.name)
            yield row.seen(seen, fix if better <= limits.LAST_PREFERENCE else "")


def _has_no_mx(evidence: Evidence) -> bool:
    return isinstance(evidence.snapshot.mx, NoData | NoName) and isinstance(evidence.snapshot.domain, str)


def _own_addresses(evidence: Evidence) -> tuple[object, ...]:
    facts = evidence.snapshot.hosts.get(table.domain(evidence))
    return facts.a.records + facts.aaaa.records if facts else ()
