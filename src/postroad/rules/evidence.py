"""The evidence that rules judge. Plain data, filled in by the code that asks DNS or connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from postroad.routing import Refusal, Route
from postroad.words.facts import HostFacts, Said, Wire
from postroad.words.names import Address
from postroad.words.policies import Texts
from postroad.words.sessions import Probe, Reach
from postroad.words.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class FileLine:
    """The place of a record in a zone file."""

    owner: str
    kind: str  # MX, A, AAAA, ...
    value: str
    file: str
    number: int
    ttl_s: int | None = None  # as written or inherited


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a domain. What is None was not asked for."""

    snapshot: Snapshot
    answer: Route | Refusal  # of routing's decide, by RFC 5321
    now: float
    _: KW_ONLY
    lines: tuple[FileLine, ...] = ()  # of zone files
    texts: Texts | None = None
    wire: tuple[Wire, ...] | None = None
    said: tuple[Said, ...] | None = None
    probes: Mapping[Address, Probe] | None = None
    names: Mapping[str, HostFacts] = field(default_factory=dict)  # met on the way: in PTR records, greetings
    shares: Mapping[str, Mapping[Address, float]] | None = None  # of first contact, by sender model (simulation)
    reach: Reach = field(default_factory=Reach)
    worked_out: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # see rules.table
