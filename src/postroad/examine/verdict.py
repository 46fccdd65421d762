"""Which findings count: some are ignored, some accepted for a time; the rest give the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from postroad.rules import Accepted, Checked, Evidence, Finding, Severity

_RANKS = tuple(Severity)  # worst first
GOOD, BAD, UNSURE = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Tolerated:
    """An accepted finding, with its expiry date and reason. None stands for any domain or exchanger."""

    rule: str
    reason: str
    until: date
    domain: str | None = None
    exchange: str | None = None

    def covers(self, finding: Finding, today: date) -> bool:
        """Whether it speaks of this finding, and its last day is not over."""
        place = finding.place
        return (
            self.rule == finding.rule
            and today <= self.until
            and self.domain in (None, place.domain)
            and self.exchange in (None, place.exchange)
        )


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """The terms by which findings are weighed. `fail_on` is the least severity that fails; None: nothing does."""

    fail_on: Severity | None = Severity.ERROR
    ignore: frozenset[str] = frozenset()
    tolerated: tuple[Tolerated, ...] = ()

    def expired(self, today: date) -> tuple[Tolerated, ...]:
        """What is tolerated no more: its owner should look at it again."""
        return tuple(each for each in self.tolerated if each.until < today)


def weigh(evidence: Evidence, findings: Iterable[Finding], terms: CheckTerms) -> Checked:
    """The findings that count, and those accepted, by the day the evidence was taken."""
    today = day_of(evidence.now)
    kept: list[Finding] = []
    accepted: list[Accepted] = []
    for finding in findings:
        if finding.rule in terms.ignore:
            continue
        known = next((each for each in terms.tolerated if each.covers(finding, today)), None)
        if known:
            accepted.append(Accepted(finding, known.reason, known.until))
        else:
            kept.append(finding)
    return Checked.of(evidence, kept, accepted)


def exit_status(results: Iterable[Checked], fail_on: Severity | None) -> int:
    """1 if a finding of the level or worse was seen; else 3 if one could not be looked at; else 0."""
    return worst(_status(result, fail_on) for result in results)


def worst(statuses: Iterable[int]) -> int:
    """The exit status of several runs as one."""
    seen = set(statuses)
    return BAD if BAD in seen else UNSURE if UNSURE in seen else GOOD


def _status(result: Checked, fail_on: Severity | None) -> int:
    if fail_on is None:
        return GOOD
    level = _RANKS.index(fail_on)
    counted = [each for each in result.findings if _RANKS.index(each.severity) <= level]
    if any(not each.inconclusive for each in counted):
        return BAD
    return UNSURE if counted else GOOD


def day_of(epoch: float) -> date:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).date()
