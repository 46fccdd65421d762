"""TLS reports as JSON: each as RFC 8460 section 4.4 has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from postroad.tls import ReportFacts, TlsReport
from postroad.views.json.shape import VERSION


class TlsReportJson(TypedDict):
    """A report to a domain, and the name of its file."""

    domain: str
    filename: str
    report: ReportFacts


class TlsReportsJson(TypedDict):
    """`postroad tls-report --json`."""

    version: int
    day: str
    reports: list[TlsReportJson]


def tls_reports_shape(day: str, reports: Iterable[TlsReport]) -> TlsReportsJson:
    """`postroad tls-report --json`."""
    return {
        "version": VERSION,
        "day": day,
        "reports": [{"domain": each.reader, "filename": each.filename, "report": each.facts} for each in reports],
    }
