"""TLSA records of exchangers (RFC 7672): they protect only where they are signed, usable, and everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.checks.lines import where, zone_line
from postroad.checks.nouns import Check, Evidence, Finding, Need, Place, Rule, Severity, Source, Topic
from postroad.checks.places import exchangers, is_own, unknown, whole
from postroad.words.facts import Answer, Bogus, Found, HostFacts, NoData, NoName, Temporary


def told_of(evidence: Evidence) -> list[tuple[Place, Answer[str]]]:
    """What was said of each exchanger's TLSA records."""
    told = evidence.texts.tlsa if evidence.texts else {}
    return [(place, told[str(place.exchange)]) for place in exchangers(evidence) if place.exchange in told]


def is_signed(evidence: Evidence, exchange: str | None) -> bool:
    """Whether an exchanger has TLSA records that senders heed."""
    told = evidence.texts.tlsa.get(str(exchange)) if evidence.texts else None
    return isinstance(told, Found) and told.authentic


def _validates(evidence: Evidence) -> bool:
    """Whether the resolver tells what DNSSEC vouches for: that it did so once is the only proof."""
    facts: list[HostFacts] = list(evidence.snapshot.hosts.values())
    answers = [evidence.snapshot.mx, *(each for fact in facts for each in (fact.a, fact.aaaa))]
    told = [answer for _, answer in told_of(evidence)]
    return any(isinstance(each, Found) and each.authentic for each in [*answers, *told])


def tlsa_without_dnssec(evidence: Evidence) -> Iterator[Finding]:
    """TLSA records that DNSSEC does not vouch for."""
    plain = [place for place, told in told_of(evidence) if isinstance(told, Found) and not told.authentic]
    if not plain or evidence.lines:
        return
    names = ", ".join(str(place.exchange) for place in plain)
    if _validates(evidence):
        seen = f"the TLSA records of {names} are not signed: senders pass them over"
        yield Finding("tlsa-without-dnssec", Severity.WARNING, plain[0], seen)
    else:
        seen = f"whether the TLSA records of {names} are signed is not known: this resolver vouched for nothing"
        yield unknown("tlsa-without-dnssec", plain[0], seen)


def tlsa_mx_unsigned(evidence: Evidence) -> Iterator[Finding]:
    """TLSA records of exchangers are signed, and the MX set that names them is not."""
    signed = [place for place, told in told_of(evidence) if isinstance(told, Found) and told.authentic]
    mx = evidence.snapshot.mx
    if signed and isinstance(mx, Found) and not mx.authentic:
        seen = f"the TLSA records of {signed[0].exchange} are signed, the MX set that names it is not"
        yield Finding("tlsa-mx-unsigned", Severity.NOTE, whole(evidence), seen)


def tlsa_mixed(evidence: Evidence) -> Iterator[Finding]:
    """Some exchangers have TLSA records, and others none."""
    told = told_of(evidence)
    have = [place for place, answer in told if isinstance(answer, Found)]
    for place, answer in told if have else ():
        if isinstance(answer, NoData | NoName):
            seen = f"{place.exchange} has no TLSA record, {have[0].exchange} has"
            mend = zone_line(f"_25._tcp.{place.exchange}", "TLSA", "3 1 1 <sha-256 of the server's public key>")
            yield Finding("tlsa-mixed", Severity.NOTE, place, seen, mend if is_own(evidence, place.exchange) else "")


def tlsa_usage(evidence: Evidence) -> Iterator[Finding]:
    """A TLSA record has a usage that mail does not know."""
    for place, answer in told_of(evidence):
        for record in answer.records if isinstance(answer, Found) else ():
            usage, _, rest = record.partition(" ")
            if usage in ("0", "1"):
                seen = f"a TLSA record of {place.exchange} has usage {usage}, and mail knows 2 and 3"
                owner = f"_25._tcp.{place.exchange}"
                mend = zone_line(owner, "TLSA", f"{int(usage) + 2} {rest}") if is_own(evidence, place.exchange) else ""
                yield Finding("tlsa-usage", Severity.WARNING, place, seen, mend, where(evidence, owner, "TLSA"))


def tlsa_lookup(evidence: Evidence) -> Iterator[Finding]:
    """Whether an exchanger has TLSA records cannot be learnt."""
    told = told_of(evidence) if not evidence.lines else []  # offline most exchangers are in none of the files
    answered = any(not isinstance(answer, Temporary | Bogus) for _, answer in told)
    for place, answer in told:
        if isinstance(answer, Temporary | Bogus):
            seen = f"the TLSA records of {place.exchange} cannot be looked up: {answer.why}"
            if answered:
                yield Finding("tlsa-lookup", Severity.WARNING, place, seen)
            else:
                yield unknown("tlsa-lookup", place, seen)


def _rule(check: Check, name: str, severity: Severity, title: str, why: str, *sources: Source) -> Rule:
    return Rule(name, severity, Topic.POLICY, title, why, sources, check, frozenset({Need.TEXT}))


RULES: tuple[Rule, ...] = (
    _rule(
        tlsa_without_dnssec,
        "tlsa-without-dnssec",
        Severity.WARNING,
        "TLSA records are not signed",
        "Senders must pass over records that DNSSEC does not vouch for, so they protect nothing.",
        Source("RFC 6698", "4.1"),
    ),
    _rule(
        tlsa_mx_unsigned,
        "tlsa-mx-unsigned",
        Severity.NOTE,
        "TLSA records are signed, the MX set is not",
        "Whoever can forge the MX answer sends the mail elsewhere, and no TLSA record is ever asked for.",
        Source("RFC 7672", "2.2.1", is_checked=False),
    ),
    _rule(
        tlsa_mixed,
        "tlsa-mixed",
        Severity.NOTE,
        "Some exchangers have TLSA records, and others none",
        "Who blocks the exchangers that have them gets the mail sent to one that does not prove who it is.",
        Source("RFC 7672", "2.2", is_checked=False),
    ),
    _rule(
        tlsa_usage,
        "tlsa-usage",
        Severity.WARNING,
        "A TLSA record has a usage that mail does not know",
        "Usages 0 and 1 ask for an authority that mail servers have not agreed on. Senders treat such records as "
        "unusable: they encrypt, and check nothing.",
        Source("RFC 7672", "3.1.3", is_checked=False),
    ),
    _rule(
        tlsa_lookup,
        "tlsa-lookup",
        Severity.WARNING,
        "The TLSA records of an exchanger cannot be looked up",
        "A sender that honours DANE must take that for an attack, and goes on to another exchanger or waits. Some name "
        "servers do not know the type.",
        Source("RFC 7672", "2.1.3", is_checked=False),
    ),
)
