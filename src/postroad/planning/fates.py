"""Hidden shared fate: what stands apart in the records, and falls together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import groupby

from postroad.planning.records import Server, places, servers
from postroad.words.facts import Found, Snapshot
from postroad.words.names import Address


@dataclass(frozen=True, slots=True)
class Fate:
    """Servers or names that fall together, though they look apart."""

    kind: str
    text: str


def fates(snapshot: Snapshot) -> tuple[Fate, ...]:
    """Hidden shared fate of a domain's servers and name servers, in sentences."""
    known = servers(snapshot)
    found = [*_shared_names(known), *_false_backups(snapshot, known)]
    found += _lone(known)
    found += _same_network("same-network", "All servers", [server.address for server in known])
    return (*found, *_name_servers(snapshot))


def _lone(known: Sequence[Server]) -> Iterator[Fate]:
    names = {name for server in known for name in server.exchangers}
    versions = [server.address.version for server in known]
    if len(known) == 1:
        yield Fate("one-server", f"There is one server, {known[0]}: whatever stops it stops all mail.")
    elif len(names) == 1 and len(set(versions)) == len(versions):
        yield Fate("one-name", f"The two addresses of {min(names)}, one of each family, are likely one machine.")


def _shared_names(known: Sequence[Server]) -> Iterator[Fate]:
    for server in known:
        if len(server.exchangers) > 1:
            names = " and ".join(server.exchangers)
            yield Fate("one-address", f"{names} are one server: {server.address} stands behind each.")


def _false_backups(snapshot: Snapshot, known: Sequence[Server]) -> Iterator[Fate]:
    """Exchangers of a higher preference that bring no server of their own."""
    best = {server.address: server for server in known}
    for (preference, name), group in groupby(places(snapshot), key=lambda place: (place.preference, place.exchange)):
        hosts = [best[place.address] for place in group]
        if all(host.preference < preference for host in hosts):
            others = " and ".join(dict.fromkeys(host.exchangers[0] for host in hosts))
            yield Fate("no-backup", f"{name} is no backup: it is {others} under another name.")


def _name_servers(snapshot: Snapshot) -> Iterator[Fate]:
    if not isinstance(snapshot.servers, Found):
        return
    names = snapshot.servers.records
    if len(names) == 1:
        yield Fate("one-name-server", f"There is one name server, {names[0]}: without it nobody finds the exchangers.")
    facts = [snapshot.hosts[name] for name in names if name in snapshot.hosts]
    found = [answer for each in facts for answer in (each.a, each.aaaa) if isinstance(answer, Found)]
    addresses = list(dict.fromkeys(address for answer in found for address in answer.records))
    yield from _same_network("same-network-dns", "All name servers", addresses)


def _same_network(kind: str, who: str, addresses: Sequence[Address]) -> Iterator[Fate]:
    """All in one /24 or /48, the smallest nets that are routed alone: likely one site, one line, one power supply."""
    if len(addresses) < 2:
        return
    networks = {ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False) for address in addresses}
    versions = {network.version for network in networks}
    if len(networks) == len(versions):
        nets = " and ".join(str(network) for network in sorted(networks, key=lambda each: each.version))
        yield Fate(kind, f"{who} are in {nets}: one network, likely one site.")
