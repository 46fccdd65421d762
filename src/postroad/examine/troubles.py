"""What advice must know of `check`: the errors and warnings of a domain's records, as they are and as they would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from postroad.asking import sure
from postroad.examine.evidence import examine
from postroad.examine.sources import Choice, build_sources
from postroad.planning.advice import Check, Trouble
from postroad.planning.records import is_stand_in
from postroad.routing import decide
from postroad.rules import Evidence, Finding, Severity, run
from postroad.subject import Subject
from postroad.words.facts import Snapshot


async def records_evidence(
    subject: Subject, resolvers: Sequence[str] = (), *, allow_loopback: bool = False
) -> Evidence:
    """What `check` knows of a domain in zone files; of one in DNS its records alone, and no policies or drift.

    Raises:
        InputError: a file or a server cannot be used.
        NotNowError: DNS cannot tell the records now.

    """
    choice = Choice(subject.loaded, resolvers=resolvers, quick=not subject.zones, allow_loopback=allow_loopback)
    evidence = await examine(subject.destination, build_sources(choice))
    sure(evidence.snapshot)
    return evidence


def checker(evidence: Evidence) -> Check:
    """What `check` finds of these records, or of others in their place."""

    def check(snapshot: Snapshot) -> tuple[Trouble, ...]:
        found = run(replace(evidence, snapshot=snapshot, answer=decide(snapshot), shares=None))
        return tuple(_trouble(each) for each in found if _counts(each))

    return check


def _trouble(finding: Finding) -> Trouble:
    is_error = finding.severity is Severity.ERROR or finding.inconclusive
    return Trouble(finding.rule, finding.place.exchange or "", is_error, finding.seen)


def _counts(finding: Finding) -> bool:
    """Whether it is an error or a warning, if only for what could not be looked up; no stand-in for an address is."""
    address = finding.place.address
    return finding.severity in (Severity.ERROR, Severity.WARNING) and not (address and is_stand_in(address))
