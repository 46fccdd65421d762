"""Asks where a domain wants its TLS reports."""

from __future__ import annotations

from postroad.dns import Resolver, resolve_txt
from postroad.tls import ReportRecord, read_report_records
from postroad.words.facts import Bogus, Temporary


async def gather_report_record(domain: str, resolver: Resolver) -> ReportRecord | Temporary | Bogus:
    """The TLSRPT record of a domain; one without readers if it wants no reports."""
    answer = await resolve_txt(resolver, f"_smtp._tls.{domain}")
    return answer if isinstance(answer, Temporary | Bogus) else read_report_records(answer.records)
