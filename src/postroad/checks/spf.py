"""What SPF says of the exchangers (RFC 7208)."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.checks.lines import mx_line, remove, where, zone_line
from postroad.checks.nouns import Evidence, Finding, Need, Rule, Severity, Source, Topic
from postroad.checks.places import whole
from postroad.words.facts import Found, HostFacts, NoData, NoName

MOST_EXCHANGERS = 10
MOST_VOID = 2
_TEXT = frozenset({Need.TEXT})


def records(evidence: Evidence) -> tuple[str, ...]:
    """The SPF records of the domain: those whose version is exactly v=spf1 (RFC 7208 section 4.5)."""
    answer = evidence.texts.spf if evidence.texts else None
    texts = answer.records if isinstance(answer, Found) else ()
    return tuple(text for text in texts if text.lower().split(" ")[0] == "v=spf1")


def exchangers_send(evidence: Evidence) -> bool:
    """Whether SPF says that the exchangers of the domain send its mail."""
    return any(
        _names_exchangers(term, str(evidence.snapshot.domain)) for text in records(evidence) for term in text.split()
    )


def _names_exchangers(term: str, domain: str) -> bool:
    mechanism, _, named = term.lower().lstrip("+").partition("/")[0].partition(":")
    return mechanism == "mx" and named.rstrip(".") in ("", domain)


def spf_several(evidence: Evidence) -> Iterator[Finding]:
    """There is more than one SPF record."""
    texts = records(evidence)
    if len(texts) > 1:
        seen = f"there are {len(texts)} SPF records: every check ends in permerror"
        yield Finding(
            "spf-several",
            Severity.WARNING,
            whole(evidence),
            seen,
            f"; keep one: {_txt(evidence, texts[0])}",
            _line(evidence),
        )


def spf_mx_over_ten(evidence: Evidence) -> Iterator[Finding]:
    """SPF names the exchangers, and there are more of them than a check may look up."""
    mx = evidence.snapshot.mx
    if not exchangers_send(evidence) or not isinstance(mx, Found) or len(mx.records) <= MOST_EXCHANGERS:
        return
    seen = f"SPF has the mechanism mx, and the domain has {len(mx.records)} exchangers: the check ends in permerror"
    mend = f"; name the networks that send instead of mx: {_txt(evidence, 'v=spf1 ip4:192.0.2.0/24 -all')}"
    yield Finding("spf-mx-over-ten", Severity.WARNING, whole(evidence), seen, mend, _line(evidence))


def spf_mx_void(evidence: Evidence) -> Iterator[Finding]:
    """SPF names the exchangers, and more than two of them have no address."""
    mx = evidence.snapshot.mx
    told = mx.records if isinstance(mx, Found) else ()
    void = [each for each in told if _is_void(evidence.snapshot.hosts.get(each.exchange))]
    if exchangers_send(evidence) and len({each.exchange for each in void}) > MOST_VOID:
        names = ", ".join(dict.fromkeys(each.exchange for each in void))
        seen = f"SPF has the mechanism mx, and {len(void)} exchangers have no address ({names})"
        domain = str(evidence.snapshot.domain)
        mend = "\n".join(remove(mx_line(domain, each.preference, each.exchange)) for each in void)
        yield Finding("spf-mx-void", Severity.NOTE, whole(evidence), seen, mend, _line(evidence))


def _is_void(facts: HostFacts | None) -> bool:
    return facts is not None and all(isinstance(each, NoData | NoName) for each in (facts.a, facts.aaaa))


def _line(evidence: Evidence) -> str:
    return where(evidence, str(evidence.snapshot.domain), "TXT")


def _txt(evidence: Evidence, text: str) -> str:
    return zone_line(str(evidence.snapshot.domain), "TXT", f'"{text}"')


RULES: tuple[Rule, ...] = (
    Rule(
        "spf-several",
        Severity.WARNING,
        Topic.POLICY,
        "There is more than one SPF record",
        "A check then has no result but permerror, and receivers treat mail from the domain as they treat errors.",
        (Source("RFC 7208", "3.2"), Source("RFC 7208", "4.5")),
        spf_several,
        _TEXT,
    ),
    Rule(
        "spf-mx-over-ten",
        Severity.WARNING,
        Topic.POLICY,
        f"SPF names the exchangers, and there are more than {MOST_EXCHANGERS}",
        "The limit on look-ups is passed, and the check of mail from the domain ends in permerror.",
        (Source("RFC 7208", "4.6.4"),),
        spf_mx_over_ten,
        _TEXT,
    ),
    Rule(
        "spf-mx-void",
        Severity.NOTE,
        Topic.POLICY,
        f"SPF names the exchangers, and more than {MOST_VOID} have no address",
        "Checkers give up with permerror after two look-ups that find nothing.",
        (Source("RFC 7208", "4.6.4"),),
        spf_mx_void,
        _TEXT,
    ),
)
