"""Addresses and names set aside: IANA's registries of special-purpose addresses (RFC 6890) and names (RFC 6761)."""

from __future__ import annotations

from enum import Enum, auto
from ipaddress import ip_network

from postroad.words.names import Address, is_within


class SpecialKind(Enum):
    """The uses for which an address is reserved, if it is not that of a host on the Internet."""

    UNSPECIFIED = auto()
    LOOPBACK = auto()
    PRIVATE = auto()
    DOCUMENTATION = auto()
    MAPPED = auto()
    GROUP = auto()
    SET_ASIDE = auto()


# The first that matches counts.
_PREFIXES = tuple(
    (ip_network(prefix), kind, what)
    for prefix, kind, what in (
        ("0.0.0.0/8", SpecialKind.UNSPECIFIED, "not the address of a host"),
        ("::/128", SpecialKind.UNSPECIFIED, "not the address of a host"),
        ("127.0.0.0/8", SpecialKind.LOOPBACK, "a loopback address"),
        ("::1/128", SpecialKind.LOOPBACK, "a loopback address"),
        ("10.0.0.0/8", SpecialKind.PRIVATE, "a private address"),
        ("172.16.0.0/12", SpecialKind.PRIVATE, "a private address"),
        ("192.168.0.0/16", SpecialKind.PRIVATE, "a private address"),
        ("100.64.0.0/10", SpecialKind.PRIVATE, "an address behind a carrier's NAT (RFC 6598)"),
        ("169.254.0.0/16", SpecialKind.PRIVATE, "a link-local address"),
        ("fe80::/10", SpecialKind.PRIVATE, "a link-local address"),
        ("fec0::/10", SpecialKind.PRIVATE, "a site-local address"),
        ("fc00::/7", SpecialKind.PRIVATE, "a unique local address (RFC 4193)"),
        ("192.0.2.0/24", SpecialKind.DOCUMENTATION, "a documentation address (RFC 5737)"),
        ("198.51.100.0/24", SpecialKind.DOCUMENTATION, "a documentation address (RFC 5737)"),
        ("203.0.113.0/24", SpecialKind.DOCUMENTATION, "a documentation address (RFC 5737)"),
        ("2001:db8::/32", SpecialKind.DOCUMENTATION, "a documentation address (RFC 3849)"),
        ("3fff::/20", SpecialKind.DOCUMENTATION, "a documentation address (RFC 9637)"),
        ("::ffff:0:0/96", SpecialKind.MAPPED, "an IPv4 address in IPv6 form"),
        ("224.0.0.0/4", SpecialKind.GROUP, "a multicast address"),
        ("240.0.0.0/4", SpecialKind.GROUP, "a reserved address"),
        ("ff00::/8", SpecialKind.GROUP, "a multicast address"),
        ("100::/64", SpecialKind.SET_ASIDE, "a discard-only address (RFC 6666)"),
        ("100:0:0:1::/64", SpecialKind.SET_ASIDE, "a dummy address (RFC 9780)"),
        ("198.18.0.0/15", SpecialKind.SET_ASIDE, "an address for benchmarks (RFC 2544)"),
        ("2001:2::/48", SpecialKind.SET_ASIDE, "an address for benchmarks (RFC 5180)"),
        ("192.0.0.0/24", SpecialKind.SET_ASIDE, "an address set aside for protocols (RFC 6890)"),
        ("192.88.99.0/24", SpecialKind.SET_ASIDE, "an address of 6to4 relays, withdrawn (RFC 7526)"),
        ("64:ff9b::/96", SpecialKind.SET_ASIDE, "an address behind NAT64 (RFC 6052)"),
        ("64:ff9b:1::/48", SpecialKind.SET_ASIDE, "an address behind a local NAT64 (RFC 8215)"),
        ("2001::/23", SpecialKind.SET_ASIDE, "an address set aside for protocols (RFC 2928)"),
        ("5f00::/16", SpecialKind.SET_ASIDE, "a segment identifier (RFC 9602)"),
    )
)
_DOCUMENTS = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")  # RFC 6761
_NAMES = {
    **dict.fromkeys(("example.com", "example.net", "example.org", "example"), "for examples (RFC 6761)"),
    "test": "for tests (RFC 6761)",
    "local": "for multicast DNS within one network (RFC 6762)",
    "onion": "for Tor (RFC 7686)",
    "alt": "for names outside DNS (RFC 9476)",
    "home.arpa": "for home networks (RFC 8375)",
    **dict.fromkeys(
        ("internal", "intranet", "private", "corp", "home", "lan"), "for private networks (RFC 6762 appendix G)"
    ),
}


def kind_of(address: Address) -> tuple[SpecialKind, str] | None:
    """What an address is set aside for, and in words; None for one of a host on the Internet."""
    found = ((kind, what) for network, kind, what in _PREFIXES if address in network)
    return next(found, None)


def is_for_documents(name: str) -> bool:
    """Whether a name is set aside for documents and tests: documentation addresses are at home there."""
    return any(is_within(name, parent) for parent in _DOCUMENTS)


def purpose_of(name: str, domain: str) -> str:
    """What a name is set aside for, with all others under the same parent; "" if for nothing, or if the domain is too.

    What is below `invalid` is meant not to exist, and `localhost` is a case of its own.
    """
    under, purpose = next(((parent, what) for parent, what in _NAMES.items() if is_within(name, parent)), ("", ""))
    at_home = any(what == purpose and is_within(domain, parent) for parent, what in _NAMES.items())
    is_fit = at_home or (is_for_documents(name) and is_for_documents(domain))
    return "" if is_fit or not under else f"names under {'' if '.' in under else '.'}{under} are {purpose}"
