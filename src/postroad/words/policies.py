"""What a domain publishes beside its MX records: who may send for it, and how to connect to its exchangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.words.facts import Answer, HostFacts, Tlsa


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """An MTA-STS policy (RFC 8461 section 3.2), or why there is none although the record announces one.

    Without a mode and without `why_not` nobody asked for the document: only the record is known.
    """

    record: str
    mode: str = ""
    mx: tuple[str, ...] = ()
    max_age_s: int = 0
    why_not: str = ""
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
class StsKnown:
    """The MTA-STS policy of a domain that holds now, if any, its id, when it was fetched, and how we know.

    `why` is a sentence: why there is none, or why an older one still holds.
    """

    policy: StsPolicy | None = None
    id: str = ""
    fetched_at: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """The policies published next to the MX set: SPF, MTA-STS, TLS reports; TLSA by exchanger, and of the domain."""

    spf: Answer[str] | None = None
    sts: StsPolicy | None = None
    tlsa: Mapping[str, Answer[Tlsa]] = field(default_factory=dict)
    tlsrpt: Answer[str] | None = None
