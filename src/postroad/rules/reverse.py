"""Reverse names: PTR records, and whether they lead back. They matter if an exchanger also sends mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity, unknown
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import addresses, addresses_of, facts_of, is_own, text_of
from postroad.rules.rule import Need, Topic, rule
from postroad.rules.spf import exchangers_send
from postroad.words.facts import Answer, Bogus, Found, HostFacts, Temporary
from postroad.words.names import Address

_WORDS = re.compile(r"(^|[.-])(dyn|dynamic|dhcp|dialup|dial-up|dialin|ppp|pppoe|adsl|xdsl|dsl|cable|pool)\d*[.-]")


@rule(
    "ptr-missing",
    Severity.NOTE,
    Topic.DNS,
    "An address has no PTR record",
    why="Many receivers reject mail from an address without a PTR record. It matters if the exchanger also sends "
    "mail, and most send at least bounces.",
    source="RFC 1912 2.1; Postfix smtpd_check.c:reject_unknown_client",
    needs=(Need.REVERSE,),
)
def ptr_missing(evidence: Evidence) -> Iterator[Seen]:
    for place, answer in _reverse(evidence):
        if isinstance(answer, Temporary | Bogus):
            if evidence.lines:
                continue  # reverse zones are seldom among the files
            yield unknown(place, f"the name of {place.address} could not be looked up: {answer.why}")
        elif not isinstance(answer, Found):
            seen = f"{text_of(place)}: the address has no PTR record"
            yield Seen(place, seen, *_fixed(evidence, place), severity=_severity(evidence))


@rule(
    "ptr-unconfirmed",
    Severity.NOTE,
    Topic.DNS,
    "An address has a name that does not resolve back to it",
    why="Anyone can put any name into a PTR record, so receivers look up the addresses of that name. If the address "
    "is not among them, the client counts as unknown, and Postfix with reject_unknown_client_hostname rejects it. "
    "With several names, chance decides which one is looked up.",
    source="RFC 1912 2.1; Postfix smtpd_check.c:reject_unknown_client",
    needs=(Need.REVERSE,),
)
def ptr_unconfirmed(evidence: Evidence) -> Iterator[Seen]:
    for place, answer in _reverse(evidence):
        for name in answer.records:
            facts = facts_of(evidence, name)
            if facts is None or place.address is None or place.address in addresses_of(facts):
                continue
            if _is_uncertain(facts, place.address):
                if evidence.lines:
                    continue  # the name is in none of the files
                yield unknown(place, f"the addresses of {name} could not be looked up")
            else:
                seen = f"{place.address} is named {name}, which does not resolve back to it"
                yield Seen(place, seen, *_fixed(evidence, place), severity=_severity(evidence))


@rule(
    "ptr-several",
    Severity.INFO,
    Topic.DNS,
    "An address has more than one name",
    why="Receivers look at only one of them, and which one changes from answer to answer.",
    source="practice",
    needs=(Need.REVERSE,),
)
def ptr_several(evidence: Evidence) -> Iterator[Seen]:
    for place, answer in _reverse(evidence):
        if isinstance(answer, Found) and len(set(answer.records)) > 1:
            names = sorted(set(answer.records), key=lambda name: (name != place.exchange, name))
            seen = f"{place.address} has {len(names)} names: {', '.join(sorted(names))}"
            owner = place.address.reverse_pointer if place.address else ""
            fix = "\n".join(remove(zone_line(owner, "PTR", f"{name}.")) for name in names[1:])
            yield Seen(place, seen, fix, where(evidence, owner, "PTR"))


@rule(
    "ptr-generic",
    Severity.NOTE,
    Topic.DNS,
    "An address has a generic name, like that of an access line",
    why="Spam filters take mail from such a name for mail from an infected computer.",
    source="practice",
    needs=(Need.REVERSE,),
)
def ptr_generic(evidence: Evidence) -> Iterator[Seen]:
    for place, answer in _reverse(evidence):
        for name in answer.records:
            if place.address and _is_generic(name, place.address):
                seen = f"{place.address} is named {name}, like the access lines of a provider's customers"
                yield Seen(place, seen, *_fixed(evidence, place))


def _reverse(evidence: Evidence) -> Iterator[tuple[Place, Answer[str]]]:
    """The names of addresses that may send for the domain: not those where a provider only takes its mail."""
    for place in addresses(evidence):
        answer = evidence.snapshot.reverse.get(place.address) if place.address else None
        if answer is not None and (is_own(evidence, place.exchange) or exchangers_send(evidence)):
            yield place, answer


def _severity(evidence: Evidence) -> Severity:
    """Worse where SPF says that the exchangers send: then receivers look at the name."""
    return Severity.WARNING if exchangers_send(evidence) else Severity.NOTE


def _is_uncertain(facts: HostFacts, address: Address) -> bool:
    return isinstance(facts.a if address.version == 4 else facts.aaaa, Temporary | Bogus)


def _fixed(evidence: Evidence, place: Place) -> tuple[str, str]:
    """The exchanger as the address's name, for it leads back to it; and where another one stands."""
    if not place.address:
        return "", ""
    owner = place.address.reverse_pointer
    return zone_line(owner, "PTR", f"{place.exchange}."), where(evidence, owner, "PTR")


def _is_generic(name: str, address: Address) -> bool:
    """Whether a name spells its own address, forward or backward, or says what kind of line it is."""
    if _WORDS.search(name):
        return True
    if address.version == 6:
        return address.exploded.replace(":", "")[-16:] in re.sub(r"[.-]", "", name)
    octets = str(address).split(".")
    spelt = [str(int(number)) for number in re.findall(r"\d+", name)]
    return any(spelt[at : at + 4] in (octets, octets[::-1]) for at in range(len(spelt) - 3))
