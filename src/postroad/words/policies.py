"""What a domain publishes beside its MX records: who may send for it, and how to connect to its exchangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from postroad.words.facts import Answer, HostFacts, Tlsa
from postroad.words.tls import TlsFailure


class StsFaultKind(StrEnum):
    """What may be wrong with an MTA-STS record or policy, for programs."""

    SEVERAL_RECORDS = "several-records"
    RECORD_VERSION = "record-version"
    RECORD_SPACE = "record-space"
    RECORD_FIELD = "record-field"
    RECORD_ID = "record-id"
    RECORD_DUPLICATE = "record-duplicate"
    BYTE_ORDER_MARK = "byte-order-mark"
    BLANK_LINE = "blank-line"
    ENCODING = "encoding"
    CONTROL = "control-character"
    FORM = "form"
    EMPTY = "empty-value"
    DUPLICATE = "duplicate"
    VERSION = "version"
    MODE = "mode"
    MAX_AGE = "max-age"
    MAX_AGE_LONG = "max-age-long"
    MX = "mx"


@dataclass(frozen=True, slots=True)
class StsFault:
    """A fault of an MTA-STS record or policy: the kind, why in words, and the line of the policy, 0 for none.

    `is_fatal`: a strict reader cannot use it; else it does no harm there.
    """

    kind: StsFaultKind
    why: str
    line: int = 0
    is_fatal: bool = True

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}" if self.line else self.why


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """An MTA-STS policy (RFC 8461 section 3.2): mode enforce, testing or none, patterns of exchangers, and its age."""

    mode: str
    mx: tuple[str, ...] = ()
    max_age_s: int = 0


@dataclass(frozen=True, slots=True)
class StsPublished:
    """What a domain publishes of MTA-STS now: its record, and the policy as far as it was asked for.

    Without a policy and without `why_not` nobody asked for the document: only the record is known. `failure` is the
    kind of what keeps senders from the policy.
    """

    record: str
    id: str = ""
    policy: StsPolicy | None = None
    record_faults: tuple[StsFault, ...] = ()
    policy_faults: tuple[StsFault, ...] = ()
    why_not: str = ""
    failure: TlsFailure | None = None
    host: HostFacts | None = None  # the addresses of mta-sts.DOMAIN, where the document is


@dataclass(frozen=True, slots=True)
class DaneFacts:
    """What DNSSEC vouches for of one exchanger (RFC 7672 section 2.2).

    `is_mx_secure`: the MX set, or its absence, is vouched for. `base` is the TLSA base domain: where `tlsa` was asked
    for, and the name for the handshake. `tlsa` is None where nobody asked: an address or alias is not vouched for.
    `names` are those that a certificate under a trust anchor (usage 2) may be for.
    """

    is_mx_secure: bool = False
    base: str = ""
    tlsa: Answer[Tlsa] | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What a domain asks of the TLS of whoever sends to it: its MTA-STS policy, and DANE by exchanger."""

    sts: StsPolicy | None = None
    dane: Mapping[str, DaneFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StsKnown:
    """The MTA-STS policy of a domain that holds now, if any, its id, when it was fetched, and how we know.

    `why` is a sentence: why there is none, or why an older one still holds. `failure` is the kind of what went wrong
    where the domain announces a policy, or had one (RFC 8460 section 4.3.2.2). It may be remembered for `life_s`.
    """

    policy: StsPolicy | None = None
    id: str = ""
    fetched_at: float | None = None
    why: str = ""
    failure: TlsFailure | None = None
    life_s: float = inf


@dataclass(frozen=True, slots=True)
class Texts:
    """The policies published next to the MX set: SPF, MTA-STS, TLS reports; TLSA by exchanger, and of the domain.

    `dkim`: the records of those selectors that are known, by their names.
    """

    spf: Answer[str] | None = None
    sts: StsPublished | None = None
    tlsa: Mapping[str, Answer[Tlsa]] = field(default_factory=dict)
    tlsrpt: Answer[str] | None = None
    dkim: Mapping[str, Answer[str]] = field(default_factory=dict)
