"""A sender as data: how it chooses, what makes it go on, how long it waits, and where that is known from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from postroad.routing import Status
from postroad.words.faults import Mode
from postroad.words.outcome import Result

KERNEL_CONNECT_S = 134.0
"""How long Linux sends SYNs before it gives up: six retransmissions. Measured 133.4 to 135.2 s, where 127 s and the
first timer make 131: the rest is the sender's own."""


class Unit(StrEnum):
    """What is chosen among equals: a name with all its addresses, or each address by itself."""

    HOST = "host"
    ADDRESS = "address"


class Equals(StrEnum):
    """The order of the units of one preference."""

    RANDOM = "random"  # each order as likely as any other
    GIVEN = "given"  # as the DNS answer had them
    ONE_SWAP_PASS = "one-swap-pass"  # noqa: S105  # no password: neighbours are swapped by a coin, once, front to back
    ALPHABETICAL = "alphabetical"
    BY_ATTEMPT = "by-attempt"  # the n-th attempt takes the n-th record, and only that


class Inside(StrEnum):
    """The order of the addresses of one host, within a family."""

    GIVEN = "given"  # as the DNS answer had them
    RANDOM = "random"
    TURNED = "turned"  # each use begins one address further, whatever order DNS has


class Families(StrEnum):
    """How IPv6 and IPv4 addresses stand to each other."""

    V6_FIRST = "v6-first"  # in each host
    V4_FIRST = "v4-first"
    IN_TURN = "in-turn"  # v6, v4, v6, v4 in each host (RFC 8305 section 4)
    ALIKE = "alike"  # no difference is made: in the order of the A, then the AAAA records
    V6_LEVEL = "v6-level"  # all v6 addresses of a preference before all its v4 ones
    V6_PASS = "v6-pass"  # noqa: S105  # over a whole preference: a v6 address behind a v4 one changes places, one pass
    V4_ONLY = "v4-only"
    V6_ONLY = "v6-only"


class Preference(StrEnum):
    """What the preference of an MX record does."""

    ASCENDING = "ascending"
    IGNORED = "ignored"
    DESCENDING = "descending"


class Then(StrEnum):
    """What a sender does after a contact."""

    ACCEPTED = "accepted"  # the message is delivered
    IN_CLEAR = "in-clear"  # the same address once more without TLS, which delivers
    NEXT_ADDRESS = "next-address"
    NEXT_HOST = "next-host"  # the other addresses of this name are not asked
    NEXT_EQUAL = "next-equal"  # as NEXT_HOST, and no higher preference is asked any more
    DEFER = "defer"
    FAIL = "fail"


class Later(StrEnum):
    """What a limit of addresses leaves of the preferences behind it."""

    NOTHING = "nothing"
    ONE_BEYOND = "one-beyond"  # one address of each, beyond the limit (Exim)
    ONE_WITHIN = "one-within"  # one address of each, kept free within the limit (as routing.draw does)


class Exhausted(StrEnum):
    """How an attempt ends that nobody accepted and nobody ended."""

    DEFER = "defer"
    LAST = "last"  # failed if the very last address on the list refused for good
    ALL = "all"  # failed if all that were asked refused for good


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a list one attempt uses; None: all of it.

    `sessions` counts those that came as far as the recipient. `family_share`: where there are more addresses than the
    limit, neither family takes more than its half of it unless the other has less.
    """

    addresses: int | None = None
    hosts: int | None = None
    sessions: int | None = None
    later: Later = Later.NOTHING
    family_share: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds. `connect_s`: for an address that does not answer.

    `per_host`: `connect_s` is for all addresses of a host, divided over those left. `fallback_s`: an address of the
    other family of the host is tried after so long, beside the silent one (RFC 8305). `hurry_s`: an address is given up
    after so long while its host has another. `overlap_s`: within a
    preference the next contact starts after so long, beside a silent one; `level_overlap_s`: the same for the next
    preference (None: the silent ones are waited for). `spacing_s`: between any two contacts.
    """

    connect_s: float = KERNEL_CONNECT_S
    per_host: bool = False
    fallback_s: float | None = None
    hurry_s: float | None = None
    overlap_s: float | None = None
    level_overlap_s: float | None = None
    spacing_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of an address that misbehaved: for these modes, this long, later messages pass it over."""

    modes: frozenset[Mode] = frozenset()
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reuse:
    """Connections kept for later messages: at most so many messages, so long in all, and so long idle.

    None: no limit. `busy_only`: only while mail for the same place is waiting, as Postfix does on demand. `drawn`: the
    server is drawn first, and a kept connection used if it leads there; else whatever is kept attracts the mail.
    """

    messages: int | None = 1
    for_s: float | None = None
    idle_s: float = 0.0
    busy_only: bool = False
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Asks:
    """DNS questions for one message with nothing cached: so many for the domain, and so many for each exchanger.

    `eager`: for every exchanger before the first contact; else only for those tried.
    """

    mx: int = 1
    domain_a: int = 0
    domain_aaaa: int = 0
    a: int = 1
    aaaa: int = 1
    eager: bool = True


@dataclass(frozen=True, slots=True)
class Sender:
    """How one kind of sender treats MX records. Pure data; `source` says where it is known from.

    `reactions` has a Then for each Mode; what is missing is accepted. `refusals` are the modes that count as "no, for
    good" when an attempt is exhausted. `refused` has the results for domains without a way, by the status of
    `routing`; what is missing is as `routing` decides.
    """

    name: str
    title: str
    source: str
    ours: bool = False  # this program: `simulation.own` asks `routing` what it does, and nothing here describes it
    unit: Unit = Unit.HOST
    equals: Equals = Equals.RANDOM
    inside: Inside = Inside.GIVEN
    families: Families = Families.V6_FIRST
    preference: Preference = Preference.ASCENDING
    limits: Limits = Limits()
    reactions: Mapping[Mode, Then] = field(default_factory=lambda: MappingProxyType({}))
    refusals: frozenset[Mode] = frozenset()
    exhausted: Exhausted = Exhausted.DEFER
    waits: Waits = Waits()
    drops_duplicates: bool = False  # an address already tried under another name is passed over
    memory: Memory = Memory()
    reuse: Reuse = Reuse()
    asks: Asks = Asks()
    caches_mx: bool = False  # keeps the MX set in the order of its first answer for the TTL, in the process
    implicit_on_nodata: bool = True  # no MX: the domain's own address is used (RFC 5321 section 5.1)
    implicit_on_nxdomain: bool = True
    takes_literals: bool = False  # an MX that names an address is used as one
    mixed_null_is_null: bool = False  # a null MX beside other records makes them all void
    refused: Mapping[Status, Result] = field(default_factory=lambda: MappingProxyType({}))
    fails_on_equals: bool = False  # two records of one preference break it

    def after(self, mode: Mode) -> Then:
        """What it does after meeting this."""
        return self.reactions.get(mode, Then.ACCEPTED)
