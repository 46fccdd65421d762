"""TLS reports (RFC 8460): whether anybody hears when TLS fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.rules.dane import told_of
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.lines import remove, where, zone_line
from postroad.rules.places import whole
from postroad.rules.rule import Need, Topic, rule
from postroad.words.facts import Found, NoData, NoName

_RUA = re.compile(r";[ \t]*rua[ \t]*=[ \t]*(mailto:[^ \t,;@]+@[^ \t,;@]+|https://[^ \t,;]+)", re.IGNORECASE)


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
    records = told.records if told else ()
    owner = f"_smtp._tls.{evidence.snapshot.domain}"
    fix = _record(evidence)
    if len(records) > 1:
        fix = "\n".join(remove(zone_line(owner, "TXT", f'"{text}"')) for text in records[1:])
        seen = f"there are {len(records)} TLS reporting records: senders use none of them"
    elif records and not _RUA.search(records[0]):
        seen = f'the record "{records[0]}" names no address for reports: it has no rua=mailto:... or rua=https://...'
    else:
        return
    yield Seen(whole(evidence), seen, fix, where(evidence, owner, "TXT"))


def _record(evidence: Evidence) -> str:
    domain = evidence.snapshot.domain
    return zone_line(f"_smtp._tls.{domain}", "TXT", f'"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}"')
