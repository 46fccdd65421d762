"""The procedures of four RFCs as data, and what a walk may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LEAST_ALTERNATIVES = 2  # "the SMTP client SHOULD try at least two addresses", RFC 5321 section 5.1


class EqualsPolicy(StrEnum):
    """The ways to put exchangers of one preference in order."""

    RANDOM = "random"
    GIVEN = "given"  # as the DNS answer had them


class Onward(StrEnum):
    """The choice of who is asked next after an exchanger refused a recipient or the message."""

    NEVER = "never"
    SAME_PREFERENCE = "same-preference"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """The rules by which a domain's records become an order of addresses."""

    name: str
    source: str  # the document and section this is taken from
    equals: EqualsPolicy
    families: tuple[int, ...] = (6, 4)  # IP versions, the first one first within a host (RFC 6724 section 2.1)
    limit: int | None = 100  # addresses an attempt may try; sendmail's MAXMXHOSTS, a bound for hostile zones
    allow_loopback: bool = False  # in the lab the Internet is 127.0.0.0/8

    def __post_init__(self) -> None:
        """A limit under two would break the SHOULD of RFC 5321 section 5.1."""
        if self.limit is not None and self.limit < LEAST_ALTERNATIVES:
            raise ValueError(f"limit={self.limit}: at least {LEAST_ALTERNATIVES} addresses must be allowed")


@dataclass(frozen=True, slots=True)
class WalkPolicy:
    """The rules by which a walk goes on to the next address, and when it has heard enough, in seconds.

    Times in seconds.
    """

    # RFC 8305 section 5 recommends 250 ms between connection attempts of equal standing.
    stagger_s: float = 0.25
    # A lower preference is a promise to its owner: 250 ms would take mail from every primary an ocean away, and give
    # it to the backup. One second is the first retransmission of a SYN (RFC 6298 section 2): by then it is late.
    level_stagger_s: float = 1.0
    # Connected but silent: servers make clients wait for the greeting on purpose (postscreen: 6 s, others up to 20 s).
    greeting_patience_s: float = 30.0
    # A greylisting or rejecting exchanger may be one of several equals, but its backup is not asked to overrule it.
    on_4xx: Onward = Onward.SAME_PREFERENCE
    on_5xx: Onward = Onward.SAME_PREFERENCE
    # Opportunistic TLS: in the clear is better than not at all (RFC 7435 section 1). Policies may forbid it.
    clear_after_tls_failure: bool = True


PROCEDURES = {
    policy.name: policy
    for policy in (
        # All equals must be tried before a higher value; their order is the sender's choice, and ours is DNS order.
        RoutePolicy("rfc974", "RFC 974, Interpreting the List of MX RRs", EqualsPolicy.GIVEN),
        RoutePolicy("rfc1123", "RFC 1123 section 5.3.4 (random among equals: SHOULD)", EqualsPolicy.RANDOM),
        RoutePolicy("rfc2821", "RFC 2821 section 5 (random among equals: MUST)", EqualsPolicy.RANDOM),
        RoutePolicy("rfc5321", "RFC 5321 section 5.1 (random among equals: MUST)", EqualsPolicy.RANDOM),
    )
}
