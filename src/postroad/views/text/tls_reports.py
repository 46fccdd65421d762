"""TLS reports, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postroad.tls import FailureFacts, TlsReport
from postroad.words.phrasebook import counted
from postroad.words.trail import labelled


def shown(reports: Iterable[TlsReport]) -> Iterator[str]:
    """Each report: its policies, how many sessions met them, and how the others failed."""
    for number, report in enumerate(reports):
        if number:
            yield ""
        met, failed = report.sessions
        yield f"to {report.reader}, {report.day} (UTC): {counted(met + failed, 'session')}, {failed} failed"
        for result in report.facts["policies"]:
            policy, summary = result["policy"], result["summary"]
            succeeded, lost = summary["total-successful-session-count"], summary["total-failure-session-count"]
            kind = "no policy" if policy["policy-type"] == "no-policy-found" else policy["policy-type"]
            yield f"  {kind} of {policy['policy-domain']}: {succeeded} met it, {lost} failed"
            yield from (f"    {_failure(each)}" for each in result["failure-details"])


def _failure(it: FailureFacts) -> str:
    exchange, address = it.get("receiving-mx-hostname", ""), it.get("receiving-ip", "")
    at = f" at {labelled(exchange, address) if address else exchange}" if exchange else ""
    reason = f": {it['failure-reason-code']}" if "failure-reason-code" in it else ""
    return f"{it['failed-session-count']} x {it['result-type']}{at}{reason}"
