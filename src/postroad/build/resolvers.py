"""Which resolver answers DNS queries: zone files, the name servers given, or those of this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.words.inputs import InputError, readable

if TYPE_CHECKING:
    from postroad.dns import CacheSettings, Resolver, ServerAddress, ZoneResolver


def build_resolver(
    zones: Sequence[str | Path] = (), servers: Sequence[str] = (), *, trust_ad: bool = False
) -> Resolver:
    """Zone files answer without any network; else the servers given as ADDRESS[:PORT]; else the system's.

    `trust_ad`: what servers on other machines say of DNSSEC is believed, as it is of those on this one.

    Raises:
        InputError: a zone file or a server address cannot be read.

    """
    if zones:
        check_servers(servers)
        return zone_resolver([Path(zone) for zone in zones])
    from postroad import dns  # noqa: PLC0415  # what is not asked need not be loaded

    asked = dns.WireSettings(servers_of(servers), trust_ad=trust_ad)
    return dns.CachingResolver(dns.WireResolver(asked), time.monotonic)


def zone_resolver(files: Sequence[Path]) -> ZoneResolver:
    """The records of zone files.

    Raises:
        InputError: a file cannot be read, or something in it is wrong; all of that, a line each.

    """
    from postroad import dns  # noqa: PLC0415  # as above

    loaded = dns.load_zones(files)
    if isinstance(loaded, dns.ZoneProblem):
        raise InputError(*map(str, loaded.faults))
    return loaded


def servers_of(texts: Sequence[str]) -> tuple[ServerAddress, ...]:
    """The name servers given as ADDRESS[:PORT], else those of the system.

    Raises:
        InputError: an address cannot be read, or there is no server.

    """
    from postroad import dns  # noqa: PLC0415  # as above

    chosen = tuple(readable(dns.parse_server(text)) for text in texts) or dns.system_servers()
    if not chosen:
        raise InputError(
            "no name server is configured on this machine; name one: --resolver ADDRESS:PORT, or resolvers in [dns]"
        )
    return chosen


def check_servers(texts: Sequence[str]) -> None:
    """Nothing, or that a name server cannot be read: a slip is one also where zones answer and nobody is asked.

    Raises:
        InputError: an address cannot be read.

    """
    if texts:
        servers_of(texts)


def paced_resolver(servers: Sequence[ServerAddress], per_second: float, keeping: CacheSettings) -> Resolver:
    """Name servers asked for many domains: not more often than they are to be, nor twice for what is kept."""
    from postroad import dns  # noqa: PLC0415  # as above

    # AD is believed of all: what is found goes into findings, and no mail is sent by it
    wire = dns.WireResolver(dns.WireSettings(tuple(servers), trust_ad=True))
    return dns.CachingResolver(dns.PacedResolver(wire, per_second=per_second), time.monotonic, keeping)


def resolver_at(host: str, port: int, *, caches: bool = False) -> Resolver:
    """One name server by its IP address, as that of a lab."""
    from postroad import dns  # noqa: PLC0415  # as above

    wire = dns.WireResolver(dns.WireSettings((dns.ServerAddress(ip_address(host), port),)))
    return dns.CachingResolver(wire, time.monotonic) if caches else wire
