"""Names of addresses: PTR records, and whether they lead back. It counts where an exchanger sends mail too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.checks.lines import where, zone_line
from postroad.checks.nouns import Evidence, Finding, Need, Place, Rule, Severity, Source, Topic
from postroad.checks.places import addresses, addresses_of, facts_of, is_own, text_of, unknown
from postroad.checks.spf import exchangers_send
from postroad.words.facts import Answer, Bogus, Found, HostFacts, Temporary
from postroad.words.names import Address

_NEEDS = frozenset({Need.REVERSE})
# Postfix refuses with 450 4.7.25 unless address -> name -> address comes round: reject_unknown_client_hostname.
_POSTFIX = Source("Postfix smtpd_check.c:reject_unknown_client")
_WORDS = re.compile(r"(^|[.-])(dyn|dynamic|dhcp|dialup|dial-up|dialin|ppp|pppoe|adsl|xdsl|dsl|cable|pool)\d*[.-]")


def ptr_missing(evidence: Evidence) -> Iterator[Finding]:
    """An address has no name."""
    for place, answer in _reverse(evidence):
        if isinstance(answer, Temporary | Bogus):
            if evidence.lines:
                continue  # reverse zones are seldom among the files
            yield unknown("ptr-missing", place, f"the name of {place.address} could not be looked up: {answer.why}")
        elif not isinstance(answer, Found):
            seen = f"{text_of(place)}: the address has no name (PTR)"
            yield Finding("ptr-missing", _severity(evidence), place, seen, *_mended(evidence, place))


def ptr_unconfirmed(evidence: Evidence) -> Iterator[Finding]:
    """An address has a name that does not lead back to it."""
    for place, answer in _reverse(evidence):
        for name in answer.records if isinstance(answer, Found) else ():
            facts = facts_of(evidence, name)
            if facts is None or place.address is None or place.address in addresses_of(facts):
                continue
            if _is_uncertain(facts, place.address):
                if evidence.lines:
                    continue  # the name is in none of the files
                yield unknown("ptr-unconfirmed", place, f"the addresses of {name} could not be looked up")
            else:
                seen = f"{place.address} is named {name}, which does not lead back to it"
                yield Finding("ptr-unconfirmed", _severity(evidence), place, seen, *_mended(evidence, place))


def ptr_several(evidence: Evidence) -> Iterator[Finding]:
    """An address has more than one name."""
    for place, answer in _reverse(evidence):
        if isinstance(answer, Found) and len(set(answer.records)) > 1:
            seen = f"{place.address} has {len(set(answer.records))} names: {', '.join(sorted(set(answer.records)))}"
            yield Finding("ptr-several", Severity.INFO, place, seen, *_mended(evidence, place))


def ptr_generic(evidence: Evidence) -> Iterator[Finding]:
    """An address has a name as providers give to the lines of their customers."""
    for place, answer in _reverse(evidence):
        for name in answer.records if isinstance(answer, Found) else ():
            if place.address and _is_generic(name, place.address):
                seen = f"{place.address} is named {name}, as the lines of a provider's customers are"
                yield Finding("ptr-generic", Severity.NOTE, place, seen, *_mended(evidence, place))


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


def _mended(evidence: Evidence, place: Place) -> tuple[str, str]:
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


RULES: tuple[Rule, ...] = (
    Rule(
        "ptr-missing",
        Severity.NOTE,
        Topic.DNS,
        "An address has no name",
        "Many receivers refuse mail from an address without a PTR record. It matters if the exchanger sends mail too, "
        "and most send at least reports.",
        (Source("RFC 1912", "2.1"), _POSTFIX),
        ptr_missing,
        _NEEDS,
    ),
    Rule(
        "ptr-unconfirmed",
        Severity.NOTE,
        Topic.DNS,
        "An address has a name that does not lead back to it",
        "Anyone may write any name into a PTR record, so receivers ask for the addresses of the name. Where the "
        "address is not among them the client is unknown, and Postfix with reject_unknown_client_hostname refuses "
        "it. With several names chance decides which one is looked at.",
        (Source("RFC 1912", "2.1"), _POSTFIX),
        ptr_unconfirmed,
        _NEEDS,
    ),
    Rule(
        "ptr-several",
        Severity.INFO,
        Topic.DNS,
        "An address has more than one name",
        "Receivers look at one of them, and which one changes from answer to answer.",
        (Source("practice"),),
        ptr_several,
        _NEEDS,
    ),
    Rule(
        "ptr-generic",
        Severity.NOTE,
        Topic.DNS,
        "An address has a name as customers' lines have",
        "Spam filters take mail from such names for that of an infected computer.",
        (Source("practice"),),
        ptr_generic,
        _NEEDS,
    ),
)
