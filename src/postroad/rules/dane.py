"""TLSA records of exchangers (RFC 7672): they protect only where they are signed, usable, and everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity, unknown
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import exchangers, is_own, whole
from postroad.rules.rule import Need, Topic, rule
from postroad.tls import END_ENTITY, SMTP_USAGES, tlsa_faults
from postroad.words.facts import Answer, Bogus, Found, HostFacts, NoData, NoName, Temporary, Tlsa, is_authentic

_PLACEHOLDER = "1 1 <sha-256 of the server's public key>"


def told_of(evidence: Evidence) -> list[tuple[Place, Answer[Tlsa]]]:
    """What was said of each exchanger's TLSA records."""
    told = evidence.texts.tlsa if evidence.texts else {}
    return [(place, told[str(place.exchange)]) for place in exchangers(evidence) if place.exchange in told]


def is_signed(evidence: Evidence, exchange: str | None) -> bool:
    """Whether an exchanger has TLSA records that senders heed."""
    told = evidence.texts.tlsa.get(str(exchange)) if evidence.texts else None
    return isinstance(told, Found) and is_authentic(told)


def _validates(evidence: Evidence) -> bool:
    """Whether the resolver tells what DNSSEC vouches for: that it did so once is the only proof."""
    facts: list[HostFacts] = list(evidence.snapshot.hosts.values())
    answers = [evidence.snapshot.mx, *(each for fact in facts for each in (fact.a, fact.aaaa))]
    return any(map(is_authentic, [*answers, *(answer for _, answer in told_of(evidence))]))


@rule(
    "tlsa-without-dnssec",
    Severity.WARNING,
    Topic.POLICY,
    "TLSA records are not signed with DNSSEC",
    why="Senders must ignore TLSA records that DNSSEC does not secure, so they protect nothing.",
    source="RFC 6698 4.1",
    needs=(Need.TEXT,),
    no_fix="the zone has to be signed",
)
def tlsa_without_dnssec(evidence: Evidence) -> Iterator[Seen]:
    plain = [place for place, told in told_of(evidence) if isinstance(told, Found) and not told.authentic]
    if not plain or evidence.lines:
        return
    names = ", ".join(str(place.exchange) for place in plain)
    if _validates(evidence):
        seen = f"the TLSA records of {names} are not signed: senders ignore them"
        yield Seen(plain[0], seen)
    else:
        seen = f"it is not known whether the TLSA records of {names} are signed: this resolver does not validate"
        yield unknown(plain[0], seen)


@rule(
    "tlsa-mx-unsigned",
    Severity.NOTE,
    Topic.POLICY,
    "TLSA records are signed, but the MX set is not",
    why="Whoever can forge the MX answer diverts the mail, and no TLSA record is ever looked up.",
    source="RFC 7672 2.2.1",
    needs=(Need.TEXT,),
    no_fix="the zone has to be signed",
)
def tlsa_mx_unsigned(evidence: Evidence) -> Iterator[Seen]:
    signed = [place for place, told in told_of(evidence) if isinstance(told, Found) and told.authentic]
    mx = evidence.snapshot.mx
    if signed and isinstance(mx, Found) and not mx.authentic:
        seen = f"the TLSA records of {signed[0].exchange} are signed, but the MX set that names it is not"
        yield Seen(whole(evidence), seen)


@rule(
    "tlsa-mixed",
    Severity.NOTE,
    Topic.POLICY,
    "Some exchangers have TLSA records and others have none",
    why="An attacker who blocks the exchangers with TLSA records forces mail to one that does not prove who it is.",
    source="RFC 7672 2.2",
    needs=(Need.TEXT,),
)
def tlsa_mixed(evidence: Evidence) -> Iterator[Seen]:
    told = told_of(evidence)
    have = [place for place, answer in told if isinstance(answer, Found)]
    for place, answer in told if have else ():
        if isinstance(answer, NoData | NoName):
            seen = f"{place.exchange} has no TLSA record, but {have[0].exchange} has one"
            fix = zone_line(f"_25._tcp.{place.exchange}", "TLSA", f"{END_ENTITY} {_PLACEHOLDER}")
            yield Seen(place, seen, fix if is_own(evidence, place.exchange) else "")


@rule(
    "tlsa-usage",
    Severity.WARNING,
    Topic.POLICY,
    "A TLSA record has a usage that SMTP does not support",
    why="Usages 0 and 1 require a certificate authority, and mail servers have not agreed on any. Senders treat such "
    "records as unusable: they encrypt but verify nothing.",
    source="RFC 7672 3.1.3",
    needs=(Need.TEXT,),
)
def tlsa_usage(evidence: Evidence) -> Iterator[Seen]:
    for place, record in _records(evidence):
        if record.usage not in SMTP_USAGES:
            # 0 and 1 differ from 2 and 3 only in what else must vouch for the certificate (RFC 7671 section 5)
            meant = replace(record, usage=record.usage + 2 if record.usage < 2 else END_ENTITY)
            yield _seen(evidence, place, next(tlsa_faults(record)), str(meant))


@rule(
    "tlsa-unusable",
    Severity.WARNING,
    Topic.POLICY,
    "A TLSA record cannot be used by any sender",
    why="Senders leave out a record whose selector, matching type or data they cannot use. If none is left, they "
    "encrypt but verify nothing.",
    source="RFC 6698 4.1",
    needs=(Need.TEXT,),
)
def tlsa_unusable(evidence: Evidence) -> Iterator[Seen]:
    for place, record in _records(evidence):
        for fault in tlsa_faults(replace(record, usage=END_ENTITY)):  # the usage has a rule of its own
            yield _seen(evidence, place, fault, f"{END_ENTITY} {_PLACEHOLDER}")


def _records(evidence: Evidence) -> Iterator[tuple[Place, Tlsa]]:
    for place, answer in told_of(evidence):
        yield from ((place, record) for record in answer.records)


def _seen(evidence: Evidence, place: Place, fault: str, meant: str) -> Seen:
    """A record that cannot be used, and the line that would be right."""
    owner = f"_25._tcp.{place.exchange}"
    fix = zone_line(owner, "TLSA", meant) if is_own(evidence, str(place.exchange)) else ""
    return Seen(place, f"a TLSA record of {place.exchange} {fault}", fix, where(evidence, owner, "TLSA"))


@rule(
    "tlsa-lookup",
    Severity.WARNING,
    Topic.POLICY,
    "The TLSA records of an exchanger cannot be looked up",
    why="A sender that honours DANE must treat this as a possible attack: it goes on to another exchanger, or waits. "
    "Some name servers do not know the type.",
    source="RFC 7672 2.1.2",
    needs=(Need.TEXT,),
    no_fix="its name servers have to answer first",
)
def tlsa_lookup(evidence: Evidence) -> Iterator[Seen]:
    told = told_of(evidence) if not evidence.lines else []  # offline most exchangers are in none of the files
    answered = any(not isinstance(answer, Temporary | Bogus) for _, answer in told)
    for place, answer in told:
        if isinstance(answer, Temporary | Bogus):
            seen = f"the TLSA records of {place.exchange} cannot be looked up: {answer.why}"
            if answered:
                yield Seen(place, seen)
            else:
                yield unknown(place, seen)


@rule(
    "tlsa-misplaced",
    Severity.WARNING,
    Topic.POLICY,
    "TLSA records at the domain instead of its exchangers",
    why="Senders look for TLSA records only at the names of the exchangers: these protect nothing.",
    source="RFC 7672 2.2.3",
    needs=(Need.TEXT,),
)
def tlsa_misplaced(evidence: Evidence) -> Iterator[Seen]:
    domain = str(evidence.snapshot.domain)
    told = evidence.texts.tlsa.get(domain) if evidence.texts else None
    places = exchangers(evidence)
    if isinstance(told, Found) and places and domain not in {place.exchange for place in places}:
        owner = f"_25._tcp.{domain}"
        bare = [
            name
            for name, answer in ((str(place.exchange), answer) for place, answer in told_of(evidence))
            if not isinstance(answer, Found)
        ]
        moved = (zone_line(f"_25._tcp.{name}", "TLSA", str(told.records[0])) for name in bare if is_own(evidence, name))
        fix = "\n".join((*(remove(zone_line(owner, "TLSA", str(record))) for record in told.records), *moved))
        seen = f"there are TLSA records at {owner}, but {domain} is not one of its exchangers"
        yield Seen(whole(evidence), seen, fix, where(evidence, owner, "TLSA"))
