"""Hidden shared fate: what looks independent in the records, but fails together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from postroad.planning.records import Machine, Records, network_of, shown
from postroad.words.facts import Found
from postroad.words.phrasebook import counted, listing
from postroad.words.snapshot import Snapshot

MOST_NAMED = 3  # machines with the same names, in one sentence


@dataclass(frozen=True, slots=True)
class Fate:
    """Machines or names that fail together although they look independent."""

    kind: str
    text: str


def fates(records: Records) -> tuple[Fate, ...]:
    """Hidden shared fate of a domain's machines and name servers, in sentences."""
    known = records.machines
    found = [*_shared_names(known), *_false_backups(records), *_lone(known)]
    found += _one_network(records)
    return (*found, *_name_servers(records.snapshot))


def _lone(known: Sequence[Machine]) -> Iterator[Fate]:
    if len(known) == 1:
        yield Fate("one-machine", f"There is one machine, {known[0]}: whatever stops it stops all mail.")


def _one_network(records: Records) -> Iterator[Fate]:
    if len(records.networks) == 1 and len(records.machines) > 1:
        nets = Counter(net for machine in records.machines for net in set(map(network_of, machine.addresses)))
        shared = listing(str(net) for net, count in nets.items() if count > 1)
        yield Fate("same-network", f"All machines are in {shared}: one network, likely one site.")


def _shared_names(known: Sequence[Machine]) -> Iterator[Fate]:
    """Names of one machine, which fall together; and several machines that have the same names."""
    alike: dict[tuple[str, ...], list[Machine]] = {}
    for machine in known:
        if len(machine.exchangers) > 1:
            alike.setdefault(tuple(sorted(machine.exchangers)), []).append(machine)
    for several in alike.values():
        names = listing(several[0].exchangers)
        if len(several) == 1:
            yield Fate("one-address", f"{names} are names of one machine, {listing(map(shown, several[0].addresses))}.")
        else:
            told = listing("/".join(map(shown, each.addresses)) for each in several)
            every = f", {told}" if len(several) <= MOST_NAMED else f": {counted(len(several), 'machine')}"
            yield Fate("one-address", f"{names} stand for the same machines{every}.")


def _false_backups(records: Records) -> Iterator[Fate]:
    """Exchangers of a higher preference that bring no machine of their own."""
    for (preference, name), group in groupby(records.places, key=lambda place: (place.preference, place.exchange)):
        hosts = [records.machine(place.address) for place in group]
        if all(host.preference < preference for host in hosts):
            names = (next((each for each in host.exchangers if each != name), name) for host in hosts)
            others = listing(dict.fromkeys(names))
            yield Fate("no-backup", f"{name} is not a backup: it is {others} under another name.")


def _name_servers(snapshot: Snapshot) -> Iterator[Fate]:
    if not isinstance(snapshot.servers, Found):
        return
    names = snapshot.servers.records
    if len(names) == 1:
        yield Fate(
            "one-name-server", f"There is only one name server, {names[0]}: without it nobody finds the exchangers."
        )
    facts = [snapshot.hosts[name] for name in names if name in snapshot.hosts]
    found = [answer for each in facts for answer in (each.a, each.aaaa) if isinstance(answer, Found)]
    addresses = list(dict.fromkeys(address for answer in found for address in answer.records))
    networks = {network_of(address) for address in addresses}
    if len(addresses) > 1 and len(networks) == len({network.version for network in networks}):
        nets = listing(str(network) for network in sorted(networks, key=lambda each: each.version))
        yield Fate("same-network-dns", f"All name servers are in {nets}: one network, likely one site.")
