"""The daily TLS report: what it says (RFC 8460 section 4.4), and its name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NotRequired, TypedDict

from postroad.tls.sessions import ReportedPolicy, SessionRow
from postroad.words.mail import Mailbox

DAY_S = 86400

PolicyFacts = TypedDict(
    "PolicyFacts", {"policy-type": str, "policy-string": list[str], "policy-domain": str, "mx-host": list[str]}
)
SummaryFacts = TypedDict("SummaryFacts", {"total-successful-session-count": int, "total-failure-session-count": int})
FailureFacts = TypedDict(
    "FailureFacts",
    {
        "result-type": str,
        "sending-mta-ip": NotRequired[str],
        "receiving-mx-hostname": NotRequired[str],
        "receiving-mx-helo": NotRequired[str],
        "receiving-ip": NotRequired[str],
        "failed-session-count": int,
        "failure-reason-code": NotRequired[str],
    },
)
PolicyResultFacts = TypedDict(
    "PolicyResultFacts", {"policy": PolicyFacts, "summary": SummaryFacts, "failure-details": list[FailureFacts]}
)
DateRangeFacts = TypedDict("DateRangeFacts", {"start-datetime": str, "end-datetime": str})
ReportFacts = TypedDict(
    "ReportFacts",
    {
        "organization-name": str,
        "date-range": DateRangeFacts,
        "contact-info": str,
        "report-id": str,
        "policies": list[PolicyResultFacts],
    },
)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who reports: the name of an organization, where it can be reached, and who its reports are from."""

    organization: str
    contact: Mailbox
    sender: Mailbox

    @property
    def domain(self) -> str:
        """The domain of the contact, as in every field that names who reports (RFC 8460 section 5.3)."""
        return str(self.contact.domain)


@dataclass(frozen=True, slots=True)
class TlsReport:
    """The report of a day to the domain that reads it."""

    reader: str
    day: str
    submitter: Submitter
    facts: ReportFacts

    @property
    def id(self) -> str:
        """Unique to what it says: a second one of the day is another one."""
        return self.facts["report-id"]

    @property
    def octets(self) -> bytes:
        """As it is sent (RFC 8460 section 5.2): the same report is the same octets."""
        return gzip.compress(json.dumps(self.facts, indent=1).encode(), mtime=0)

    @property
    def filename(self) -> str:
        """As RFC 8460 section 5.1 recommends."""
        begin = int(day_begins(self.day))
        unique = self.id.split(".", 2)[1]
        return f"{self.submitter.domain}!{self.reader}!{begin}!{begin + DAY_S - 1}!{unique}.json.gz"

    @property
    def sessions(self) -> tuple[int, int]:
        """How many met their policy, and how many failed."""
        summaries = [each["summary"] for each in self.facts["policies"]]
        met = sum([each["total-successful-session-count"] for each in summaries])
        return met, sum([each["total-failure-session-count"] for each in summaries])


def facts_of(reader: str, day: str, submitter: Submitter, counted: Iterable[tuple[SessionRow, int]]) -> ReportFacts:
    """What a report says of all that was counted, in whatever order it comes."""
    policies: dict[ReportedPolicy, dict[SessionRow, int]] = {}
    told: dict[SessionRow, SessionRow] = {}
    for row, count in counted:
        rows = policies.setdefault(row.policy, {})
        rows[row] = rows.get(row, 0) + count
        told[row] = told.get(row, row).told_with(row)
    results = [_result(policy, rows, told) for policy, rows in sorted(policies.items(), key=lambda it: _rank(it[0]))]
    unique = sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "organization-name": submitter.organization,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": str(submitter.contact),
        "report-id": f"{day}.{unique}.{reader}@{submitter.domain}",
        "policies": results,
    }


def day_of(at: float) -> str:
    """The UTC day of a time, as 2026-11-22."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


@lru_cache(maxsize=100)
def day_begins(day: str) -> float:
    """When a day begins. Raises ValueError for what is no day."""
    begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return (begin - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)


def _rank(policy: ReportedPolicy) -> tuple[str, ...]:
    return (policy.domain, policy.type, *policy.strings, *policy.mx)


def _result(
    policy: ReportedPolicy, rows: dict[SessionRow, int], told: dict[SessionRow, SessionRow]
) -> PolicyResultFacts:
    failed = {row: count for row, count in rows.items() if row.failure}
    failures = [_failure(told[row], count) for row, count in failed.items()]
    return {
        "policy": {
            "policy-type": policy.type.value,
            "policy-string": list(policy.strings),
            "policy-domain": policy.domain,
            "mx-host": list(policy.mx),  # an array: erratum 6241
        },
        "summary": {
            "total-successful-session-count": sum(rows.values()) - sum(failed.values()),
            "total-failure-session-count": sum(failed.values()),
        },
        "failure-details": sorted(failures, key=lambda each: (-each["failed-session-count"], json.dumps(each))),
    }


def _failure(row: SessionRow, count: int) -> FailureFacts:
    """Fields that are not known are left out: where no session began there is no address."""
    facts: FailureFacts = {"result-type": str(row.failure), "failed-session-count": count}
    if row.sender:
        facts["sending-mta-ip"] = row.sender
    if row.exchange:
        facts["receiving-mx-hostname"] = row.exchange
    if row.helo:
        facts["receiving-mx-helo"] = row.helo
    if row.receiver:
        facts["receiving-ip"] = row.receiver
    if row.reason:
        facts["failure-reason-code"] = row.reason
    return facts
