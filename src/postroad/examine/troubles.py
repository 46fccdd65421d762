"""What `check` finds in a domain's records as they are and as advice would change them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from postroad.build import RecordTerms, Subject, records_of, sure
from postroad.examine.evidence import examine
from postroad.examine.sources import SourceOptions, build_sources
from postroad.planning import Check, CheckTrouble, Weight, is_stand_in
from postroad.routing import decide
from postroad.rules import RULES, Evidence, Finding, Need, Severity, run
from postroad.words.names import parse_address
from postroad.words.snapshot import Snapshot

_NET = re.compile(r"[0-9a-f.:]+/\d+")

USUAL = RecordTerms()
ABOUT_RECORDS = frozenset({Need.RECORDS, Need.SERVERS})


async def records_evidence(subject: Subject, resolvers: Sequence[str] = (), terms: RecordTerms = USUAL) -> Evidence:
    """What `check` knows of a domain in zone files; of one in DNS its records alone, and no policies or drift.

    What the domain asks of the TLS of those who send to it belongs to its records, as the terms say.

    Raises:
        InputError: a file or a server cannot be used.
        NotNowError: DNS cannot tell the records now.

    """
    is_local = terms.allow_loopback
    choice = SourceOptions(subject.loaded, resolvers=resolvers, quick=not subject.zones, allow_loopback=is_local)
    evidence = await examine(subject.destination, build_sources(choice))
    sure(evidence.snapshot)
    if subject.loaded or terms.sts_policy or terms.published:
        whole = await records_of(subject, resolvers, terms)
        return replace(evidence, snapshot=replace(evidence.snapshot, published=whole.snapshot.published))
    return evidence


def checker(evidence: Evidence) -> Check:
    """What `check` finds of these records, or of others in their place."""

    def check(snapshot: Snapshot) -> tuple[CheckTrouble, ...]:
        found = run(replace(evidence, snapshot=snapshot, answer=decide(snapshot), shares=None))
        # What only stands for an address is not at fault, unless it was there before
        is_same = snapshot is evidence.snapshot
        mine = (each for each in found if is_same or not _is_about_a_stand_in(each))
        return tuple(_trouble(each) for each in mine if _counts(each))

    return check


def _is_about_a_stand_in(finding: Finding) -> bool:
    address = finding.place.address
    return (address is not None and is_stand_in(address)) or any(map(_is_of_stand_ins, _NET.findall(finding.seen)))


def _is_of_stand_ins(text: str) -> bool:
    """Whether a text is a network of what only stands for addresses: it is in no zone."""
    address = parse_address(text.partition("/")[0])
    return address is not None and is_stand_in(address)


def _trouble(finding: Finding) -> CheckTrouble:
    rule = RULES[finding.rule]
    weight = Weight.ERROR if finding.inconclusive else Weight(finding.severity)
    about = finding.place.exchange or ""
    return CheckTrouble(finding.rule, about, weight, finding.seen, " ".join(rule.why.split()), bool(finding.fix))


def _counts(finding: Finding) -> bool:
    """Whether advice must know of it: all that is worse than worth knowing, if only for what could not be looked up.

    Of notes those on the records that are advised on, not on policies.
    """
    if finding.severity is Severity.NOTE:
        return RULES[finding.rule].needs <= ABOUT_RECORDS
    return finding.severity in (Severity.ERROR, Severity.WARNING)
