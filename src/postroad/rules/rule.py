"""A rule: what it looks for, why that matters, where it is written; and the decorator that makes one of a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from postroad.rules.evidence import Evidence
from postroad.rules.finding import Finding, Seen, Severity


class Topic(StrEnum):
    """The topic of a rule: a chapter of `postroad rules`."""

    EXISTENCE = "existence and shape"
    TARGETS = "targets"
    REDUNDANCY = "redundancy and balance"
    DNS = "DNS mechanics"
    SMTP = "SMTP behaviour"
    POLICY = "TLS and sender policy"


class Need(StrEnum):
    """The kind of evidence that a rule needs.

    Where it was not asked for, the rule is silent; where asking failed, inconclusive.
    """

    RECORDS = "records"  # the snapshot: always there
    SERVERS = "servers"  # name servers and their addresses
    REVERSE = "reverse"  # names of addresses
    TEXT = "text"  # SPF and MTA-STS in TXT, the STS policy, TLSA
    WIRE = "wire"  # sizes and truncation of answers
    DRIFT = "drift"  # what each authoritative server says
    PROBE = "probe"  # an SMTP session with each address

    def is_met(self, evidence: Evidence) -> bool:
        """Whether the evidence has it."""
        return {
            Need.RECORDS: True,
            Need.SERVERS: evidence.snapshot.servers is not None,
            Need.REVERSE: bool(evidence.snapshot.reverse),
            Need.TEXT: evidence.texts is not None,
            Need.WIRE: evidence.wire is not None,
            Need.DRIFT: evidence.said is not None,
            Need.PROBE: evidence.probes is not None,
        }[self]


@dataclass(frozen=True, slots=True)
class Citation:
    """The document and section that a rule comes from: `RFC 5321`, `5.1`; a letter is an appendix."""

    document: str
    section: str = ""

    def __str__(self) -> str:
        kind = "appendix" if self.section.isalpha() else "section"
        return f"{self.document} {kind} {self.section}" if self.section else self.document


_RFC = re.compile(r"(RFC [0-9]+) ([A-Z]|[0-9.]+)\Z")

Look = Callable[[Evidence], Iterator[Seen]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check: `id` never changes, `why` says what it costs whom, `no_fix` why no zone line can fix it.

    `why` says what it costs whom; `no_fix` why no line of a zone can ever fix it.
    """

    id: str
    severity: Severity  # of its findings, unless one says otherwise
    topic: Topic
    title: str
    why: str
    sources: tuple[Citation, ...]
    look: Look = field(repr=False, compare=False)
    needs: frozenset[Need] = frozenset({Need.RECORDS})
    no_fix: str = ""

    def check(self, evidence: Evidence) -> Iterator[Finding]:
        """What it finds."""
        for seen in self.look(evidence):
            yield seen.by(self.id, self.severity)


def rule(  # noqa: PLR0913  # a rule has as many properties as it has
    name: str,
    severity: Severity,
    topic: Topic,
    title: str,
    *,
    why: str,
    source: str,
    needs: Iterable[Need] = (Need.RECORDS,),
    no_fix: str = "",
) -> Callable[[Look], Rule]:
    """Make a rule of the function that looks for it. `source` is as short as `RFC 5321 5.1; practice`."""
    sources = tuple(map(_source, source.split("; ")))
    return lambda look: Rule(name, severity, topic, title, why, sources, look, frozenset(needs), no_fix)


def _source(text: str) -> Citation:
    cited = _RFC.match(text)
    return Citation(cited[1], cited[2]) if cited else Citation(text)
