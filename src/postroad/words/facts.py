"""What DNS said, typed: found, no data, no name, temporary, bogus.

Besides, for checks: what each authoritative server said, and how large an answer was.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any, ClassVar, Generic, Never, TypeVar

from postroad.words.names import Address

T_co = TypeVar("T_co", covariant=True)

DNSSEC_FAILURES = frozenset({1, 2, *range(5, 13)})
"""The extended errors of validators: from unsupported algorithms to signatures out of date (RFC 8914 section 4)."""


@dataclass(frozen=True, slots=True)
class Mx:
    """One MX record: lower preference is tried first. The null MX (RFC 7505) has the exchange ""."""

    preference: int
    exchange: str


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One TLSA record (RFC 6698 section 2.1): what a server's certificate or key must be."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class Found(Generic[T_co]):
    """An answer with records, in its order. `aliases` are the CNAMEs followed, from the name asked onward."""

    records: tuple[T_co, ...]
    ttl_s: int = 0
    aliases: tuple[str, ...] = ()
    name: str = ""  # the owner of the records: the end of the alias chain
    authentic: bool = False  # a resolver that is believed vouches for it all, aliases too, by DNSSEC (AD)


class _Nothing:
    """An answer without records: whoever goes through the records of an answer finds none."""

    __slots__ = ()
    records: ClassVar[tuple[Never, ...]] = ()


@dataclass(frozen=True, slots=True)
class NoData(_Nothing):
    """The answer that a name exists but has no records of this type (RFC 2308 section 2.2)."""

    ttl_s: int = 0
    aliases: tuple[str, ...] = ()
    authentic: bool = False  # the resolver vouches for the absence, too


@dataclass(frozen=True, slots=True)
class NoName(_Nothing):
    """The answer that a name does not exist: NXDOMAIN (RFC 2308 section 2.1)."""

    ttl_s: int = 0
    aliases: tuple[str, ...] = ()
    authentic: bool = False


@dataclass(frozen=True, slots=True)
class Temporary(_Nothing):
    """The lack of an answer for now: SERVFAIL, timeout, no server reachable. Asking later may help."""

    why: str
    aliases: tuple[str, ...] = ()  # followed before the trouble: that the name is an alias is known all the same
    name: str = ""  # where they led
    extended_error: int | None = None  # why, as the resolver has it in a number (RFC 8914)

    @property
    def is_dnssec_failure(self) -> bool:
        """Whether the resolver says that what it found does not pass DNSSEC."""
        return self.extended_error in DNSSEC_FAILURES


@dataclass(frozen=True, slots=True)
class Bogus(_Nothing):
    """An answer that cannot be used: malformed, an alias loop. Treated as temporary (RFC 5321 section 5.1)."""

    why: str
    aliases: tuple[str, ...] = ()
    name: str = ""


Answer = Found[T_co] | NoData | NoName | Temporary | Bogus


def is_authentic(answer: Answer[Any] | None) -> bool:
    """Whether DNSSEC vouches for an answer, be it that there is nothing; never for trouble."""
    return isinstance(answer, Found | NoData | NoName) and answer.authentic


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The addresses of one name, each family as answered."""

    a: Answer[IPv4Address]
    aaaa: Answer[IPv6Address]


@dataclass(frozen=True, slots=True)
class Wire:
    """The size of an answer in octets, and whether it had to be truncated (TC) at 1232 octets."""

    name: str
    kind: str
    octets: int
    is_cut: bool
    ttls: tuple[int, ...] = ()  # of each record, where they were told apart


@dataclass(frozen=True, slots=True)
class Said:
    """The answer of one authoritative server about the MX set, with its serial; or why it could not be asked."""

    server: str
    address: Address
    serial: int | None
    mx: Answer[object] | None
    is_authoritative: bool = True
    why: str = ""
