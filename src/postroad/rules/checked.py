"""The result of a check: the findings about a domain, and the servers they concern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from postroad.rules.evidence import Evidence
from postroad.rules.finding import Finding
from postroad.rules.rule import Need
from postroad.words.facts import Found
from postroad.words.names import Address
from postroad.words.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CheckedExchanger:
    """An exchanger as the records name it, with the addresses found for it, used or not."""

    preference: int
    exchange: str
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that is accepted: why, and until when."""

    finding: Finding
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking one domain. `looked` says what was asked for: a rule that needs more was not tried."""

    domain: str
    checked_at: float
    servers: tuple[CheckedExchanger, ...] = ()
    findings: tuple[Finding, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    looked: frozenset[Need] = frozenset({Need.RECORDS})

    @property
    def inconclusive(self) -> int:
        """How many things could not be looked at."""
        return sum(finding.inconclusive for finding in self.findings)

    @classmethod
    def of(cls, evidence: Evidence, findings: Sequence[Finding], accepted: Sequence[Accepted] = ()) -> Checked:
        """The findings about some evidence, with what of the evidence they are shown against."""
        snapshot = evidence.snapshot
        looked = frozenset(need for need in Need if need.is_met(evidence))
        servers = tuple(_servers(snapshot))
        return cls(str(snapshot.domain), evidence.now, servers, tuple(findings), tuple(accepted), looked)


def _servers(snapshot: Snapshot) -> list[CheckedExchanger]:
    if not isinstance(snapshot.mx, Found):
        return []
    records = dict.fromkeys((mx.preference, mx.exchange) for mx in snapshot.mx.records)
    return [
        CheckedExchanger(preference, exchange, _addresses(snapshot, exchange))
        for preference, exchange in sorted(records)
    ]


def _addresses(snapshot: Snapshot, name: str) -> tuple[Address, ...]:
    facts = snapshot.hosts.get(name)
    answers = (facts.a, facts.aaaa) if facts else ()
    return tuple(address for answer in answers if isinstance(answer, Found) for address in answer.records)
