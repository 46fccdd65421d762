"""Who this host is, by which procedure it routes, and what it asks of TLS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from postroad.net import host_name
from postroad.routing import PROCEDURES, Own, RoutePolicy
from postroad.tls import Override, TlsMode
from postroad.words.inputs import InputError, readable
from postroad.words.names import parse_address, parse_domain


def build_own(items: Iterable[str] = ()) -> Own:
    """Who we are: the names and addresses given, and this machine's full name.

    Raises:
        InputError: an item is neither a domain name nor an IP address.

    """
    names, addresses = {host_name()} - {""}, set()
    for item in items:
        address = parse_address(item)
        if address:
            addresses.add(address)
        else:
            names.add(readable(parse_domain(item)))
    return Own(frozenset(names), frozenset(addresses))


def build_policy(procedure: str, *, allow_loopback: bool = False) -> RoutePolicy:
    """One of the four procedures by name.

    Raises:
        InputError: there is no such procedure.

    """
    if procedure not in PROCEDURES:
        raise InputError(f"there is no procedure {procedure!r}; choose one of {', '.join(PROCEDURES)}")
    return replace(PROCEDURES[procedure], allow_loopback=allow_loopback)


def build_override(mode: str, names: Iterable[str] = ()) -> Override:
    """What our own settings ask of TLS, by the name of a mode.

    Raises:
        InputError: there is no such mode.

    """
    if mode not in set(TlsMode):
        raise InputError(f"there is no TLS mode {mode!r}; choose one of {', '.join(TlsMode)}")
    return Override(TlsMode(mode), tuple(names))
