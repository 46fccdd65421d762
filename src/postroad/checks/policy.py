"""TLS and sender policy: what the domain promises by SPF, MTA-STS and TLSA, and whether its exchangers keep it."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.checks.certificates import RULES as CERTIFICATES
from postroad.checks.dane import RULES as DANE
from postroad.checks.dane import told_of
from postroad.checks.lines import zone_line
from postroad.checks.nouns import Evidence, Finding, Need, Rule, Severity, Source, Topic
from postroad.checks.places import whole
from postroad.checks.spf import RULES as SPF
from postroad.checks.sts import RULES as STS
from postroad.words.facts import Found, NoData, NoName


def tlsrpt_missing(evidence: Evidence) -> Iterator[Finding]:
    """TLS is demanded, and nobody hears when it fails."""
    texts = evidence.texts
    if texts is None or not isinstance(texts.tlsrpt, NoData | NoName):
        return
    reason = "an MTA-STS policy" if texts.sts else "TLSA records"
    if texts.sts or any(isinstance(told, Found) for _, told in told_of(evidence)):
        domain = evidence.snapshot.domain
        mend = zone_line(f"_smtp._tls.{domain}", "TXT", f'"v=TLSRPTv1; rua=mailto:tlsrpt@{domain}"')
        seen = f"there are {reason}, and no address for reports of TLS that failed"
        yield Finding("tlsrpt-missing", Severity.NOTE, whole(evidence), seen, mend)


RULES: tuple[Rule, ...] = (
    *SPF,
    *STS,
    *DANE,
    Rule(
        "tlsrpt-missing",
        Severity.NOTE,
        Topic.POLICY,
        "There is no address for TLS reports",
        "Mail that waits because TLS failed is not seen at the receiving end: only reports tell.",
        (Source("RFC 8460", "3"),),
        tlsrpt_missing,
        frozenset({Need.TEXT}),
    ),
    *CERTIFICATES,
)
