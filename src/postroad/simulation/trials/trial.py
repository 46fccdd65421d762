"""The input and the results of a trial."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from postroad.models import Schedule, Sender
from postroad.pace import DAY_S, MINUTE_S
from postroad.simulation.case import DnsOrder
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot

FEW = 30
"""Sources of which the differences say too little: of fewer, each TTL by itself is taken where an order is cached."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The mail: so many messages, spread evenly over `over_s` seconds, at random within.

    `sources` sending machines share it, each with its own resolver, connections and memory. `together`: so many arrive
    at a source at the same moment (a mailing). A source that keeps connections makes `at_once` deliveries at a time,
    each of `session_s` seconds. `one_domain` False: each message goes to another domain with the same records, so that
    no resolver has them and no connection is kept for them.
    """

    messages: int = 100_000
    over_s: float = DAY_S
    sources: int = 1000
    together: int = 1
    at_once: int = 20  # Postfix: default_destination_concurrency_limit
    session_s: float = 0.1
    one_domain: bool = True

    def __post_init__(self) -> None:
        if min(self.messages, self.sources, self.together, self.at_once) < 1:
            raise ValueError("at least one message and one source are needed")
        if self.over_s <= 0 or self.session_s < 0:
            raise ValueError("the time must be more than 0 s, and a session 0 s or more")


@dataclass(frozen=True, slots=True)
class Outage:
    """An address that misbehaves in this way between two moments, in seconds since the trial began."""

    address: Address
    mode: Mode = Mode.REFUSE
    from_s: float = 0.0
    until_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Greylist:
    """A server's greylist: 450 until a sender's address and a recipient were first seen `delay_s` ago or more.

    Each message is the first to its recipient. `addresses`: the servers that do so, empty for all. `shared`: they
    tell each other whom they have seen; else each one asks for its own delay.
    """

    delay_s: float = 5 * MINUTE_S
    addresses: frozenset[Address] = frozenset()
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Trial:
    """One question: this mail, from this kind of sender, to a domain with these records and these troubles.

    `ttl_s`: how long a resolver keeps an answer, and with `DnsOrder.CACHED` its order. `schedule` None: the sender's
    own. `windows`: into how many equal spans the time is divided for `Trials.windows`.
    """

    snapshot: Snapshot
    sender: Sender
    workload: Workload = field(default_factory=Workload)
    dns_order: DnsOrder = DnsOrder.FIXED
    ttl_s: float = 300.0
    outages: tuple[Outage, ...] = ()
    greylist: Greylist | None = None
    schedule: Schedule | None = None
    windows: int = 24

    def __post_init__(self) -> None:
        if self.ttl_s < 0 or self.windows < 1:
            raise ValueError("the TTL must be 0 s or more, and at least one window is needed")

    def fate(self, address: Address) -> Hashable:
        """All that happens at an address, whatever comes of it."""
        greets = self.greylist is None or (bool(self.greylist.addresses) and address not in self.greylist.addresses)
        return greets, tuple((each.mode, each.from_s, each.until_s) for each in self.outages if each.address == address)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the 95 % interval that holds the true one."""

    value: float
    low: float
    high: float

    def __contains__(self, true: object) -> bool:
        return isinstance(true, int | float) and self.low <= true <= self.high


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from receipt to delivery, of the messages that were delivered. Quantiles are right to 0.4 %."""

    mean: Estimate
    p50: Estimate
    p99: Estimate
    worst_s: float


@dataclass(frozen=True, slots=True)
class Asked:
    """DNS questions a message, with the resolvers' caches."""

    mx: float
    a: float
    aaaa: float

    @property
    def mean(self) -> float:
        """All of them."""
        return self.mx + self.a + self.aaaa


@dataclass(frozen=True, slots=True)
class TrialWindow:
    """A span of time, and what each server had in it: contacts, and messages taken. The last one lasts for ever."""

    from_s: float
    until_s: float
    contacts: Mapping[Address, int]
    accepted: Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class Trials:
    """The result of many messages followed through all attempts, by a seed.

    `first`: share of messages whose very first contact was there. `accepted`: share of messages taken there in the
    end. `single`: the share of first contacts which a single source (with CACHED and few sources: one TTL) gave to an
    address, from its 5th to its 95th percentile: how far one strays from the mean; empty where each message draws anew,
    or there are thousands of sources. `tries`: attempts a message, and
    `contacts` addresses contacted a message. `delay` None: nothing was delivered. `unable`: the sender cannot use
    these records at all, and why (all else is empty then). `sampled`: an attempt can go in too many ways, so that a
    part of its orders stands for all, and figures of single servers stray further than their intervals say.
    """

    trial: Trial
    seed: int
    first: Mapping[Address, Estimate] = field(default_factory=dict)
    accepted: Mapping[Address, Estimate] = field(default_factory=dict)
    single: Mapping[Address, tuple[float, float]] = field(default_factory=dict)
    outcome: Mapping[Result, Estimate] = field(default_factory=dict)
    delay: Delay | None = None
    tries: Estimate = Estimate(0.0, 0.0, 0.0)
    tries_max: int = 0
    contacts: Estimate = Estimate(0.0, 0.0, 0.0)
    questions: Asked = Asked(0.0, 0.0, 0.0)
    windows: tuple[TrialWindow, ...] = ()
    unable: str = ""
    sampled: bool = False
