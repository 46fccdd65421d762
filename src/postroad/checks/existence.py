"""Whether mail has a way at all: records that are missing, contradict each other, or have no sense as a set."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.checks import lines, places, table
from postroad.checks.nouns import Evidence, Finding, Need, Place, Rule, Severity, Source, Topic
from postroad.routing import Refusal, Status
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary

MANY, TOO_MANY = 10, 100  # the limits of SPF, and of senders: sendmail's MAXMXHOSTS, and our own
LAST = 65_000  # what stands here has no room behind it; 65535 is the end

RFC5321 = Source("RFC 5321", "5.1")
RFC7505 = Source("RFC 7505", "3")
PRACTICE = Source("practice")


def mx_nxdomain(evidence: Evidence) -> Iterator[Finding]:
    """The domain does not exist."""
    if isinstance(evidence.answer, Refusal) and evidence.answer.status is Status.NO_SUCH_DOMAIN:
        seen = f"{table.domain(evidence)} does not exist: NXDOMAIN for MX, A and AAAA"
        yield Finding("mx-nxdomain", Severity.ERROR, places.whole(evidence), seen)


def mx_lookup_tempfail(evidence: Evidence) -> Iterator[Finding]:
    """Nobody could say which exchangers there are. Only a control question tells that it is not our resolver."""
    mx, ours = evidence.snapshot.mx, "resolver" not in evidence.known
    if isinstance(mx, Temporary | Bogus):
        seen = f"the MX records of {table.domain(evidence)} cannot be looked up: {mx.why}"
        unsure = ours and isinstance(mx, Temporary)
        yield Finding("mx-lookup-tempfail", Severity.ERROR, places.whole(evidence), seen, inconclusive=unsure)


def mx_nxdomain_with_address(evidence: Evidence) -> Iterator[Finding]:
    """NXDOMAIN at MX of a name that has addresses: a name server that lies about types it does not know."""
    if isinstance(evidence.snapshot.mx, NoName) and _own_addresses(evidence):
        domain = table.domain(evidence)
        seen = f"{domain} has addresses, but its name servers say NXDOMAIN when asked for MX"
        mend = lines.mx_line(domain, 10, domain)
        yield Finding("mx-nxdomain-with-address", Severity.ERROR, places.whole(evidence), seen, mend)


def mx_implicit(evidence: Evidence) -> Iterator[Finding]:
    """No MX: the addresses of the domain itself take the mail."""
    addresses = _own_addresses(evidence)
    if _has_no_mx(evidence) and addresses and not isinstance(evidence.answer, Refusal):
        domain = table.domain(evidence)
        shown = table.listed([str(address) for address in addresses])
        seen = f"no MX record: mail goes to {domain} itself, {shown}"
        mend = f"{lines.mx_line(domain, 10, domain)}\n; or, if it takes no mail:\n{lines.mx_line(domain, 0, '')}"
        yield Finding("mx-implicit", Severity.NOTE, places.whole(evidence), seen, mend)


def mx_implicit_unusable(evidence: Evidence) -> Iterator[Finding]:
    """No MX, and no address mail could go to."""
    refusal = evidence.answer
    if isinstance(refusal, Refusal) and refusal.status is Status.NO_ADDRESS and _has_no_mx(evidence):
        domain = table.domain(evidence)
        addresses = [str(address) for address in _own_addresses(evidence)]
        what = f"and its address {table.listed(addresses)} cannot be used" if addresses else "and no address"
        mend = lines.mx_line(domain, 0, "")
        seen = f"no MX record {what}: no mail reaches {domain}"
        yield Finding("mx-implicit-unusable", Severity.ERROR, places.whole(evidence), seen, mend)


def mx_none_usable(evidence: Evidence) -> Iterator[Finding]:
    """MX records, and not one that mail could go to: senders may not fall back to the domain's own address."""
    refusal = evidence.answer
    if isinstance(refusal, Refusal) and refusal.status is Status.NO_ADDRESS and table.records(evidence):
        seen = f"none of the {len(table.records(evidence))} MX records can be used: all mail is returned"
        if len(table.records(evidence)) == 1:
            seen = f"the only MX record, {table.records(evidence)[0].exchange}, cannot be used: all mail is returned"
        yield Finding("mx-none-usable", Severity.ERROR, places.whole(evidence), seen)


def mx_null(evidence: Evidence) -> Iterator[Finding]:
    """The domain says that it takes no mail: by will."""
    records = table.records(evidence)
    if records and all(record.exchange == "" for record in records):
        seen = f"{table.domain(evidence)} says that it takes no mail (null MX)"
        line = lines.where_mx(evidence, records[0])
        yield Finding("mx-null", Severity.INFO, places.whole(evidence), seen, line=line)


def mx_null_sends(evidence: Evidence) -> Iterator[Finding]:
    """A domain that takes no mail and lets servers send in its name: replies and bounces have nowhere to go."""
    records = table.records(evidence)
    spf = evidence.texts.spf if evidence.texts else None
    policies = [text for text in (spf.records if isinstance(spf, Found) else ()) if text.lower().startswith("v=spf1")]
    senders = [text for text in policies if text.lower().split()[1:] not in (["-all"], [])]
    if senders and records and all(record.exchange == "" for record in records):
        seen = f"it takes no mail, and its SPF record lets others send in its name: {senders[0]}"
        mend = lines.zone_line(table.domain(evidence), "TXT", '"v=spf1 -all"')
        yield Finding("mx-null-sends", Severity.WARNING, places.whole(evidence), seen, mend)


def mx_null_mixed(evidence: Evidence) -> Iterator[Finding]:
    """A null MX beside others: some senders return the mail, some do not."""
    records = table.records(evidence)
    null = [record for record in records if record.exchange == ""]
    if null and len(null) < len(records):
        domain = table.domain(evidence)
        others = len(records) - len(null)
        seen = f"a null MX beside {others} other{'s' * (others > 1)}: it says no mail, they say mail"
        mend = "\n".join(lines.remove(lines.mx_line(domain, record.preference, "")) for record in null)
        place = Place(domain, null[0].preference, "")
        yield Finding("mx-null-mixed", Severity.ERROR, place, seen, mend, lines.where_mx(evidence, null[0]))


def mx_null_preference(evidence: Evidence) -> Iterator[Finding]:
    """A null MX with another preference than 0."""
    for record in table.records(evidence):
        if record.exchange == "" and record.preference:
            domain = table.domain(evidence)
            seen = f"the null MX has preference {record.preference}; it is written with 0"
            where = lines.where_mx(evidence, record)
            place = Place(domain, record.preference, "")
            mend = lines.mx_line(domain, 0, "")
            yield Finding("mx-null-preference", Severity.WARNING, place, seen, mend, where)


def mx_owner_alias(evidence: Evidence) -> Iterator[Finding]:
    """The domain itself is an alias: the MX records of another name count."""
    mx = evidence.snapshot.mx
    if isinstance(mx, Found | NoData) and mx.aliases:
        domain = table.domain(evidence)
        target = mx.name if isinstance(mx, Found) else ""
        seen = f"{domain} is an alias{f' of {target}' if target else ''}: its mail is ruled there"
        where = lines.where(evidence, mx.aliases[0], "CNAME")
        yield Finding("mx-owner-alias", Severity.NOTE, places.whole(evidence), seen, line=where)


def mx_wildcard(evidence: Evidence) -> Iterator[Finding]:
    """A wildcard MX in the zone files: every name that does not exist takes mail, no name that exists does."""
    for line in evidence.lines:
        if line.kind == "MX" and line.owner == f"*.{table.domain(evidence)}":
            seen = f"{line.owner} MX {line.value}: it answers for names that do not exist, and for none that do"
            where = f"{line.file}:{line.number}"
            yield Finding("mx-wildcard", Severity.NOTE, places.whole(evidence), seen, line=where)


def mx_count(evidence: Evidence) -> Iterator[Finding]:
    """More exchangers than senders or SPF look at."""
    count = len(table.records(evidence))
    if count > MANY:
        severity = Severity.WARNING if count > TOO_MANY else Severity.NOTE
        who = "senders look at no more than a hundred" if count > TOO_MANY else "an SPF `mx` of it is a permerror"
        yield Finding("mx-count", severity, places.whole(evidence), f"{count} MX records: {who}")


def mx_preference_last(evidence: Evidence) -> Iterator[Finding]:
    """A preference at the end of the scale."""
    for row in table.rows(evidence):
        if row.record.preference > LAST:
            seen = f"preference {row.record.preference}: the scale ends at 65535"
            yield Finding("mx-preference-last", Severity.INFO, row.place, seen, line=row.line)


def _has_no_mx(evidence: Evidence) -> bool:
    return isinstance(evidence.snapshot.mx, NoData | NoName) and isinstance(evidence.snapshot.domain, str)


def _own_addresses(evidence: Evidence) -> tuple[object, ...]:
    facts = evidence.snapshot.hosts.get(table.domain(evidence))
    return places.found(facts.a) + places.found(facts.aaaa) if facts else ()


RULES: tuple[Rule, ...] = (
    Rule(
        "mx-nxdomain",
        Severity.ERROR,
        Topic.EXISTENCE,
        "The domain does not exist",
        "All mail for it is returned at once; a registration that has lapsed looks like this.",
        (RFC5321,),
        mx_nxdomain,
    ),
    Rule(
        "mx-lookup-tempfail",
        Severity.ERROR,
        Topic.EXISTENCE,
        "The MX records cannot be looked up",
        "Senders must keep the mail and try again: it waits until the name servers answer, and comes back after days.",
        (RFC5321,),
        mx_lookup_tempfail,
    ),
    Rule(
        "mx-nxdomain-with-address",
        Severity.ERROR,
        Topic.EXISTENCE,
        "NXDOMAIN for MX, though the name exists",
        "A sender that believes the NXDOMAIN returns the mail; only one that asks for addresses all the same delivers.",
        (RFC5321, Source("RFC 2308", "2.2", is_checked=False)),
        mx_nxdomain_with_address,
    ),
    Rule(
        "mx-implicit",
        Severity.NOTE,
        Topic.EXISTENCE,
        "No MX: the domain's own address takes the mail",
        "Lawful, but often not meant: a web server gets the mail, and senders keep trying it for days.",
        (RFC5321,),
        mx_implicit,
    ),
    Rule(
        "mx-implicit-unusable",
        Severity.ERROR,
        Topic.EXISTENCE,
        "No MX, and no address to use",
        "Mail is returned. If that is meant, a null MX says so at once and to all.",
        (RFC5321, RFC7505),
        mx_implicit_unusable,
    ),
    Rule(
        "mx-none-usable",
        Severity.ERROR,
        Topic.EXISTENCE,
        "MX records, none of which can be used",
        "Senders must report an error and must not use the address of the domain itself: all mail is returned.",
        (RFC5321,),
        mx_none_usable,
    ),
    Rule(
        "mx-null",
        Severity.INFO,
        Topic.EXISTENCE,
        "Null MX: the domain takes no mail",
        "Senders return the mail at once instead of trying for days. Fine where it is meant.",
        (RFC7505,),
        mx_null,
    ),
    Rule(
        "mx-null-mixed",
        Severity.ERROR,
        Topic.EXISTENCE,
        "Null MX beside other MX records",
        "It must stand alone. Some senders then return all mail, others use the rest.",
        (RFC7505,),
        mx_null_mixed,
    ),
    Rule(
        "mx-null-preference",
        Severity.WARNING,
        Topic.EXISTENCE,
        "Null MX with a preference other than 0",
        "Software that compares the whole record does not see a null MX in it, and tries to reach the root.",
        (RFC7505,),
        mx_null_preference,
    ),
    Rule(
        "mx-null-sends",
        Severity.WARNING,
        Topic.EXISTENCE,
        "A domain without mail that sends mail",
        "Receivers may refuse mail from a domain that can take no reply and no report of failure.",
        (Source("RFC 7505", "4.2", is_checked=False),),
        mx_null_sends,
        frozenset({Need.TEXT}),
    ),
    Rule(
        "mx-owner-alias",
        Severity.NOTE,
        Topic.EXISTENCE,
        "The domain is an alias",
        "Its mail goes where the other name says; who changes that one changes this one. No MX can stand beside it.",
        (RFC5321, Source("RFC 1034", "3.6.2", is_checked=False)),
        mx_owner_alias,
    ),
    Rule(
        "mx-wildcard",
        Severity.NOTE,
        Topic.EXISTENCE,
        "A wildcard MX",
        "Mistyped names take mail, while every name that exists, be it with an A alone, is not covered.",
        (Source("RFC 4592", "3.3.1", is_checked=False), Source("RFC 1912", "2.7", is_checked=False)),
        mx_wildcard,
    ),
    Rule(
        "mx-count",
        Severity.NOTE,
        Topic.EXISTENCE,
        "More MX records than are looked at",
        "Above ten an SPF `mx` mechanism fails for good; above a hundred senders cut the list, each in its own way.",
        (Source("RFC 7208", "4.6.4"), RFC5321),
        mx_count,
    ),
    Rule(
        "mx-preference-last",
        Severity.INFO,
        Topic.EXISTENCE,
        "A preference at the end of the scale",
        "Nothing can be put behind it later. Only the order of preferences counts, not their size.",
        (PRACTICE,),
        mx_preference_last,
    ),
)
