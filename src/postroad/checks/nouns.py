"""What a rule is given, and what it finds. Plain data: whoever asks DNS or connects fills it in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from postroad.routing import Refusal, Route
from postroad.words.facts import Answer, HostFacts, Snapshot
from postroad.words.names import Address


class Severity(StrEnum):
    """How bad it is. Only what loses or delays mail is an error."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    INFO = "info"


class Topic(StrEnum):
    """What a rule is about: the chapters of `postroad rules`."""

    EXISTENCE = "existence and shape"
    TARGETS = "targets"
    REDUNDANCY = "redundancy and balance"
    DNS = "DNS mechanics"
    SMTP = "SMTP behaviour"
    POLICY = "TLS and sender policy"


class Need(StrEnum):
    """What a rule must know. Where it was not asked for, the rule is silent; where asking failed, inconclusive."""

    RECORDS = "records"  # the snapshot: always there
    SERVERS = "servers"  # name servers and their addresses
    REVERSE = "reverse"  # names of addresses
    TEXT = "text"  # SPF and MTA-STS in TXT, the STS policy, TLSA
    WIRE = "wire"  # sizes and truncation of answers
    DRIFT = "drift"  # what each authoritative server says
    PROBE = "probe"  # an SMTP session with each address


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from: `RFC 5321`, `5.1`. `is_checked`: its text was read for this rule."""

    document: str
    section: str = ""
    is_checked: bool = True

    def __str__(self) -> str:
        return f"{self.document} section {self.section}" if self.section else self.document


@dataclass(frozen=True, slots=True)
class Place:
    """What a finding is about: the domain as a whole, an exchanger, or one address of it."""

    domain: str
    preference: int | None = None
    exchange: str | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: where, what was seen, and the zone lines that mend it ("" if no line of a zone can)."""

    rule: str
    severity: Severity
    place: Place
    seen: str
    mend: str = ""
    line: str = ""  # file:line of the record, for zone files
    inconclusive: bool = False  # it could not be looked at, for a reason that may be ours


@dataclass(frozen=True, slots=True)
class Line:
    """Where a record stands in a zone file."""

    owner: str
    kind: str  # MX, A, AAAA, ...
    value: str
    file: str
    number: int
    ttl_s: int | None = None  # as written or inherited


@dataclass(frozen=True, slots=True)
class Wire:
    """An answer as it travelled: its size in octets, and whether it had to be cut (TC) at 1232 octets."""

    name: str
    kind: str
    octets: int
    is_cut: bool
    ttls: tuple[int, ...] = ()  # of each record, where they were told apart


@dataclass(frozen=True, slots=True)
class Said:
    """What one authoritative server said of the MX set: its serial, the answer; or why it could not be asked."""

    server: str
    address: Address
    serial: int | None
    mx: Answer[object] | None
    is_authoritative: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server showed: the names it is for, when it ends (epoch seconds), whether a known authority signed it."""

    names: tuple[str, ...]
    ends_at: float
    is_trusted: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One polite session with an address: connect, greeting, EHLO, STARTTLS, EHLO, QUIT. `phase` is where it ended."""

    address: Address
    phase: str
    ok: bool
    why: str = ""  # it ended early: the reply or the error
    ours: bool = False  # the trouble is on our side: no route to port 25 from here
    connect_ms: float = 0.0
    greeting_ms: float = 0.0
    greeting: str = ""
    hello: str = ""  # the name it calls itself in its reply to EHLO
    capabilities: frozenset[str] = frozenset()  # keywords, upper case
    size: int | None = None
    tls: str | None = None
    certificate: Certificate | None = None
    takes_strangers: bool | None = None  # --deep: relays for anyone
    takes_postmaster: bool | None = None  # --deep
    takes_unknown: bool | None = None  # --deep: a recipient nobody has


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """An MTA-STS policy (RFC 8461 section 3.2), or why there is none though the record says so."""

    record: str
    mode: str = ""
    mx: tuple[str, ...] = ()
    max_age_s: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """Policies published beside the MX set: SPF of the domain, MTA-STS, TLSA by exchanger."""

    spf: Answer[str] | None = None
    sts: StsPolicy | None = None
    tlsa: Mapping[str, Answer[str]] = field(default_factory=dict)
    tlsrpt: Answer[str] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a domain. What is None was not asked for."""

    snapshot: Snapshot
    answer: Route | Refusal  # of routing's decide, by RFC 5321
    now: float
    lines: tuple[Line, ...] = ()  # of zone files
    texts: Texts | None = None
    wire: tuple[Wire, ...] | None = None
    said: tuple[Said, ...] | None = None
    probes: Mapping[Address, Probe] | None = None
    names: Mapping[str, HostFacts] = field(default_factory=dict)  # met on the way: in PTR records, greetings
    shares: Mapping[str, Mapping[Address, float]] | None = None  # of first contact, by sender model (simulation)
    known: frozenset[str] = frozenset()  # what this machine could do: "port-25", "ipv6"
    worked_out: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # see checks.table


Check = Callable[[Evidence], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `id` is for ever. `why` says what it costs whom; `check` finds."""

    id: str
    severity: Severity
    topic: Topic
    title: str
    why: str
    sources: tuple[Source, ...]
    check: Check = field(repr=False, compare=False)
    needs: frozenset[Need] = frozenset({Need.RECORDS})
    since: date | None = None
