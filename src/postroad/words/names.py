"""Domain names and address literals: parse, IDNA, compare.

A domain name is a plain `str` in one form everywhere: A-labels, lower case, no final dot. The root is "".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Address = IPv4Address | IPv6Address

MAX_NAME = 253  # octets of presentation form, RFC 1035 section 2.3.4 less the length octets
MAX_LABEL = 63

SHOWN = 100  # characters of what cannot be read that an error quotes

# Underscores are no host name (RFC 952) but stand in real MX targets, and resolving them does no harm.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\Z")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A text that cannot be parsed: how it begins, and why not, in words for the person who wrote it."""

    text: str
    why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", cut(self.text))

    def __str__(self) -> str:
        return f"{self.text!r}: {self.why}"

    def why_and(self, fix: str) -> str:
        """Why not, and how to fix it: this way, unless it says another."""
        return self.why if "; " in self.why else f"{self.why}; {fix}"


def cut(text: str) -> str:
    """As much of a text as an error quotes: whoever wrote it knows it by its beginning."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


@dataclass(frozen=True, slots=True)
class AddressLiteral:
    """A destination named by its address, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3)."""

    address: Address

    def __str__(self) -> str:
        return f"[{self.address}]" if self.address.version == 4 else f"[IPv6:{self.address}]"


Destination = str | AddressLiteral
"""Where mail for a mailbox goes: a domain name in canonical form, or an address literal."""


def parse_destination(text: str) -> Destination | Unreadable:
    """Read the part of a mailbox after the `@`: a domain name or a bracketed address literal."""
    if text.startswith("["):
        return _parse_literal(text)
    return parse_domain(text)


def parse_domain(text: str) -> str | Unreadable:
    """Read a domain name, Unicode (RFC 5890) or ASCII, into canonical form.

    A final dot is taken off; the root alone is refused, as is a name without letters in its last label,
    which is an address written without its brackets.
    """
    bare = text.strip().removesuffix(".").removesuffix("\u3002")
    if not bare:
        return Unreadable(text, "a domain name is missing")
    name = _to_ascii(bare)
    if isinstance(name, Unreadable):
        return name
    return _checked(text, name)


def parse_address(text: str) -> Address | None:
    """The IP address a text spells, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_address_like(name: str) -> bool:
    """Whether a DNS name is an IP address in disguise, as in `MX 10 192.0.2.1` (RFC 5321 section 5.1 wants a name)."""
    # An IPv4 address ends with a number, too; the parser alone takes 6 us, and this is asked of every exchanger.
    return name.rpartition(".")[2].isdigit() or (":" in name and parse_address(name) is not None)


def registered(name: str) -> str:
    """The part of a name that was registered: one label below its public suffix. A suffix is its own answer."""
    known = _suffixes().privatesuffix(to_unicode(name))
    return ".".join(name.split(".")[-known.count(".") - 1 :]) if known else name


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  # ten thousand suffixes are read where one counts

    return PublicSuffixList(accept_encoded_idn=False)  # to encode them all would take most of the time


def is_within(name: str, parent: str) -> bool:
    """Whether a name is `parent` or stands below it."""
    return name == parent or name.endswith("." + parent) or not parent


def to_unicode(name: str) -> str:
    """A canonical name as people read it; left as it is where IDNA cannot decode it."""
    if "xn--" not in name:
        return name
    import idna  # noqa: PLC0415  # its tables cost 10 ms of every start; most names are ASCII

    try:
        return idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name


def _parse_literal(text: str) -> AddressLiteral | Unreadable:
    if not text.endswith("]"):
        return Unreadable(text, "the address literal has no closing bracket; write [192.0.2.1] or [IPv6:2001:db8::1]")
    inner = text[1:-1]
    tagged = inner[:5].lower() == "ipv6:"
    address = parse_address(inner[5:] if tagged else inner)
    if address is None or "%" in inner:
        return Unreadable(text, "no IP address between the brackets; write [192.0.2.1] or [IPv6:2001:db8::1]")
    if tagged != (address.version == 6):  # RFC 5321 section 4.1.3: IPv6 literals carry the tag, IPv4 ones do not
        return Unreadable(text, "IPv6 literals are written [IPv6:...], IPv4 literals without a tag")
    return AddressLiteral(address)


def _to_ascii(bare: str) -> str | Unreadable:
    if bare.isascii():
        return bare.lower()
    import idna  # noqa: PLC0415  # as above

    try:
        return idna.encode(bare, uts46=True, transitional=False).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as problem:
        if any(
            "\ud800" <= char <= "\udfff" for char in bare
        ):  # how Python has an octet of a file's name, or of a shell
            return Unreadable(bare, "it is not valid UTF-8; write it in UTF-8, or in ASCII as xn--")
        return Unreadable(bare, f"not an internationalised domain name: {cut(str(problem))}")


def _checked(text: str, name: str) -> str | Unreadable:
    if len(name) > MAX_NAME:
        return Unreadable(text, f"longer than {MAX_NAME} characters")
    if (name[-1].isdigit() or ":" in name) and parse_address(name) is not None:  # the parser alone takes 3 us
        return Unreadable(text, f"an IP address; write it in brackets: {AddressLiteral(ip_address(name))}")
    for label in name.split("."):
        if not label:
            return Unreadable(text, "an empty label: two dots in a row, or a dot in front")
        if len(label) > MAX_LABEL:
            return Unreadable(text, f"a label longer than {MAX_LABEL} characters")
        if not _LABEL.match(label):
            return Unreadable(text, f"the label {cut(label)!r} has a character no domain name has")
    return name
