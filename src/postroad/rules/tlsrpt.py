"""TLS reports (RFC 8460): whether anybody hears when TLS fails."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.rules.dane import told_of
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import whole
from postroad.rules.rule import Need, Topic, rule
from postroad.tls import REPORT_RECORD_BEGINS, read_report_records
from postroad.words.facts import Found, NoData, NoName


@rule(
    "tlsrpt-missing",
    Severity.NOTE,
    Topic.POLICY,
    "No TLS reporting address",
    why="Without reports, nobody at the receiving end sees mail that waits because TLS failed.",
    source="RFC 8460 3",
    needs=(Need.TEXT,),
)
def tlsrpt_missing(evidence: Evidence) -> Iterator[Seen]:
    texts = evidence.texts
    if texts is None or not isinstance(texts.tlsrpt, NoData | NoName):
        return
    reason = "an MTA-STS policy" if texts.sts else "a TLSA record"
    if texts.sts or any(isinstance(told, Found) for _, told in told_of(evidence)):
        seen = f"there is {reason}, but no address for TLS reports"
        yield Seen(whole(evidence), seen, _record(evidence))


@rule(
    "tlsrpt-record-unreadable",
    Severity.WARNING,
    Topic.POLICY,
    "The TLS reporting record cannot be used",
    why="Senders then send no reports, so nobody at the receiving end sees mail that waits because TLS failed.",
    source="RFC 8460 3",
    needs=(Need.TEXT,),
)
def tlsrpt_record_unreadable(evidence: Evidence) -> Iterator[Seen]:
    """More than one record counts as none; one without `rua` names nobody to send a report to."""
    told = evidence.texts.tlsrpt if evidence.texts else None
    texts = told.records if told else ()
    record = read_report_records(texts)
    if not texts or not (record.why_not or record.skipped):
        return
    owner = f"_smtp._tls.{evidence.snapshot.domain}"
    fix = _record(evidence)
    ours = [text for text in texts if text.startswith(REPORT_RECORD_BEGINS)]
    if len(ours) > 1:
        fix = "\n".join(remove(zone_line(owner, "TXT", f'"{text}"')) for text in ours[1:])
        seen = f"{record.why_not}: senders use none of them"
    elif not ours:
        seen = f"senders use none of the TXT records at {owner}: {record.why_not}"
    elif record.why_not:
        seen = f'the record "{ours[0]}" names no address for reports: {record.why_not}'
    else:
        seen = f"some addresses for reports cannot be used: {'; '.join(record.skipped)}"
    yield Seen(whole(evidence), seen, fix, where(evidence, owner, "TXT"))


def _record(evidence: Evidence) -> str:
    domain = evidence.snapshot.domain
    return zone_line(f"_smtp._tls.{domain}", "TXT", f'"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}"')
