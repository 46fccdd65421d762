"""What a snapshot's records are, worked out once: places, the machines behind them, and the lines of the zone."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from typing import Any

from postroad.models import Sender
from postroad.routing import Dropped, DropReason, Refusal
from postroad.simulation import Case, Forecast, FoundExchangers, MadeExchangers, as_given, exchanges, forecast, places
from postroad.words.facts import Answer, Found, HostFacts, NoData
from postroad.words.names import Address, is_address_like, is_within, parse_address, registered
from postroad.words.snapshot import Snapshot
from postroad.words.trail import Target, labelled

_TWICE = frozenset({DropReason.DUPLICATE_ADDRESS, DropReason.DUPLICATE_NAME})

# Kept for benchmarks (RFC 2544, RFC 5180): in no real zone
_STAND_INS = {ip_network("198.18.0.0/15"): "<an IPv4 address>", ip_network("2001:2::/48"): "<an IPv6 address>"}

# RFC 1918, RFC 6598, RFC 4193: routed within one network only
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))


@dataclass(frozen=True, slots=True)
class Machine:
    """A host that fails as a whole: its addresses, the names it stands behind in DNS order, its best preference.

    The IPv4 and the IPv6 address of one host are one machine, as is one address under several names.
    """

    addresses: tuple[Address, ...]
    exchangers: tuple[str, ...]
    preference: int

    def __str__(self) -> str:
        return labelled(self.exchangers[0], *map(shown, self.addresses))


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line of a zone file."""

    owner: str
    kind: str
    data: str
    ttl_s: int = 0

    @classmethod
    def mx(cls, domain: str, preference: int, exchange: str, ttl_s: int) -> Line:
        """An MX record."""
        return cls(domain, "MX", f"{preference} {exchange}.", ttl_s)

    @property
    def preference(self) -> int:
        """Of an MX record."""
        return int(self.data.split()[0])

    @property
    def exchange(self) -> str:
        """Of an MX record."""
        return self.data.split()[1].removesuffix(".")

    def __str__(self) -> str:
        address = parse_address(self.data) if self.kind in ("A", "AAAA") else None
        return f"{self.owner}. {self.ttl_s} IN {self.kind} {shown(address) if address else self.data}"


@dataclass(frozen=True, slots=True)
class Records:
    """A snapshot with everything that planning derives from it.

    `networks` are the machines by /24 or /48, the smallest nets that are routed alone: one site, one line. `left_out`
    counts the exchangers whose addresses nobody asked for; `unknown` are those whose addresses nobody could tell.
    """

    snapshot: Snapshot
    places: tuple[Target, ...]
    machines: tuple[Machine, ...]
    networks: tuple[tuple[Machine, ...], ...]
    lines: tuple[Line, ...]
    left_out: int = 0
    unknown: tuple[str, ...] = ()
    _machine: Mapping[Address, Machine] = field(default_factory=dict, repr=False, compare=False)
    _found: dict[str, tuple[Sender, FoundExchangers]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _made: MadeExchangers = field(default_factory=dict, init=False, repr=False, compare=False)
    _forecasts: dict[Hashable, tuple[Sender, Forecast]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, snapshot: Snapshot) -> Records:
        """The records of a snapshot."""
        answer = as_given(snapshot)
        used = places(snapshot, answer)
        found = machines(used)
        unknown = tuple(drop.exchange for drop in answer.dropped if drop.reason is DropReason.TEMPORARY)
        targets = {record.exchange for record in snapshot.mx.records} if isinstance(snapshot.mx, Found) else set()
        left_out = sum(not is_address_like(name) for name in targets - {""} - snapshot.hosts.keys())
        known = {address: machine for machine in found for address in machine.addresses}
        return cls(snapshot, used, found, tuple(_networks(found)), lines(snapshot), left_out, unknown, known)

    @property
    def private(self) -> tuple[Address, ...]:
        """The addresses of private networks: no sender on the Internet reaches them."""
        return tuple(each for machine in self.machines for each in machine.addresses if _is_private(each))

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What no sender can use, or none by the rules, and why; what is merely there twice is used."""
        return tuple(drop for drop in as_given(self.snapshot).dropped if drop.reason not in _TWICE)

    @property
    def refusal(self) -> str:
        """Why there is no way to the domain by the rules; empty if there is one."""
        answer = as_given(self.snapshot)
        return answer.text if isinstance(answer, Refusal) else ""

    @property
    def front(self) -> tuple[Machine, ...]:
        """The machines of the best preference: those meant to share the load."""
        best = min((machine.preference for machine in self.machines), default=0)
        return tuple(machine for machine in self.machines if machine.preference == best)

    @property
    def backups(self) -> tuple[Machine, ...]:
        """The machines of any other preference."""
        return self.machines[len(self.front) :]

    @property
    def is_plain(self) -> bool:
        """Whether each machine has one address and one name."""
        return all(len(each.addresses) == len(each.exchangers) == 1 for each in self.machines)

    @property
    def mx_lines(self) -> list[Line]:
        """The lines of its MX records."""
        return [line for line in self.lines if line.kind == "MX"]

    def is_ours(self, name: str) -> bool:
        """Whether the domain's owner can change the records of a name."""
        return is_within(name, registered(str(self.snapshot.domain)))

    def machine(self, address: Address) -> Machine:
        """The machine of an address."""
        return self._machine[address]

    def found(self, sender: Sender) -> FoundExchangers:
        """What a sender finds here, looked up once: what is lost with which machines is asked hundreds of times."""
        known = self._found.get(sender.name)
        if known is None or known[0] is not sender:
            known = self._found[sender.name] = sender, exchanges(self.snapshot, sender, self._made)
        return known[1]

    def forecast(self, case: Case, sender: Sender, examples: int) -> Forecast:
        """The forecast of a case of this snapshot, worked out once: what is measured asks for most of them again."""
        key = case.sender, case.dns_order, frozenset(case.down.items()), examples
        known = self._forecasts.get(key)
        if known is None or known[0] is not sender:
            made = forecast(case, sender, examples=examples, found=self.found(sender))
            known = self._forecasts[key] = sender, made
        return known[1]

    def machines_of(self, addresses: Iterable[Address]) -> frozenset[Machine]:
        """The machines of some addresses."""
        return frozenset(self._machine[address] for address in addresses)

    def up(self, down: Collection[Address]) -> tuple[Machine, ...]:
        """The machines that can still be lost: those with an address that is not down."""
        return tuple(machine for machine in self.machines if not all(each in down for each in machine.addresses))


def _is_private(address: Address) -> bool:
    return any(address in net for net in _PRIVATE)


def stand_in(version: int, number: int) -> Address:
    """An address of a machine that has none of its family yet, as forecasts need some; people fill in their own."""
    net = next(net for net in _STAND_INS if net.version == version)
    return net[(number << 8) + 25]


def is_stand_in(address: Address) -> bool:
    """Whether it only stands for an address."""
    return any(address in net for net in _STAND_INS)


def shown(address: Address) -> str:
    """An address for people: what to fill in, where it only stands for one."""
    return next((words for net, words in _STAND_INS.items() if address in net), str(address))


def network_of(address: Address) -> IPv4Network | IPv6Network:
    """The smallest net around an address that is routed alone; what only stands for one shares none."""
    if is_stand_in(address):
        return ip_network(address)
    return ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False)


def machines(used: Iterable[Target]) -> tuple[Machine, ...]:
    """Each machine once, best preference first."""
    hosts: dict[str, dict[Address, None]] = {}
    names: dict[Address, dict[str, None]] = {}
    best: dict[Address, int] = {}
    for place in used:
        hosts.setdefault(place.exchange, {})[place.address] = None
        names.setdefault(place.address, {})[place.exchange] = None
        best.setdefault(place.address, place.preference)
    groups = {id(group): group for group in _grouped(hosts, names).values()}
    return tuple(
        Machine(
            tuple(group),
            tuple(dict.fromkeys(name for address in group for name in names[address])),
            min(best[address] for address in group),
        )
        for group in sorted(groups.values(), key=lambda group: min(best[address] for address in group))
    )


def _grouped(hosts: Mapping[str, Iterable[Address]], every: Iterable[Address]) -> dict[Address, list[Address]]:
    """For each address those of its machine. A name with one of each family tells; several are paired by number."""
    group = {address: [address] for address in every}
    for addresses in sorted(map(list, hosts.values()), key=len):
        four, six = ([each for each in addresses if each.version == version] for version in (4, 6))
        if len(four) > 1 or len(six) > 1:
            four, six = (
                sorted((each for each in family if len({one.version for one in group[each]}) == 1), key=int)
                for family in (four, six)
            )
        for one, other in zip(four, six, strict=False):
            if group[one] is not group[other]:
                group[one] += group[other]
                group |= dict.fromkeys(group[other], group[one])
    return group


def _networks(every: Iterable[Machine]) -> Iterator[tuple[Machine, ...]]:
    """The machines that share a network, by way of others too."""
    groups: list[tuple[set[object], list[Machine]]] = []
    for machine in every:
        nets: set[object] = set(map(network_of, machine.addresses))
        near = [group for group in groups if not nets.isdisjoint(group[0])]
        if len(near) == 1:
            near[0][0].update(nets)
            near[0][1].append(machine)
            continue
        groups = [group for group in groups if group not in near]
        groups.append((nets.union(*(each for each, _ in near)), [*(one for _, each in near for one in each), machine]))
    return (tuple(group) for _, group in groups)


def lines(snapshot: Snapshot) -> tuple[Line, ...]:
    """The MX and address records of a snapshot as zone lines, in its order, each once."""
    return tuple(dict.fromkeys(_lines(snapshot)))


def _lines(snapshot: Snapshot) -> Iterator[Line]:
    domain = str(snapshot.domain)
    targets = [domain]
    if isinstance(snapshot.mx, Found):
        targets = [record.exchange for record in snapshot.mx.records]
        for record in snapshot.mx.records:
            yield Line.mx(domain, record.preference, record.exchange, snapshot.mx.ttl_s)
    for name in dict.fromkeys(targets):
        facts = snapshot.hosts.get(name, HostFacts(NoData(), NoData()))
        yield from _addresses(name, "A", facts.a)
        yield from _addresses(name, "AAAA", facts.aaaa)


def _addresses(name: str, kind: str, answer: Answer[Any]) -> Iterator[Line]:
    if isinstance(answer, Found):
        owner = answer.name or name
        for alias, target in pairwise((*answer.aliases, owner)):
            yield Line(alias, "CNAME", f"{target}.", answer.ttl_s)
        for address in answer.records:
            yield Line(owner, kind, str(address), answer.ttl_s)
