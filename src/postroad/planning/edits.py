"""What could be changed in a domain's records: candidate edits as zone lines, and the snapshot they would make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from itertools import count

from postroad.planning.records import Line, Machine, Records, lines, stand_in
from postroad.routing import DropReason, decide
from postroad.words.facts import Answer, Found, HostFacts, Mx, NoData
from postroad.words.names import is_address_like, parse_address
from postroad.words.phrasebook import listing
from postroad.words.snapshot import Snapshot

KINDS = {4: "A", 6: "AAAA"}
MOST_OCTETS = 60  # of a label that a number is put behind: RFC 1035 section 2.3.4 has 63
PREFERENCE = 10  # of a domain that has no MX record yet

_DEAD = {
    DropReason.NULL_MX: "stands beside others, and makes some senders return the mail",
    DropReason.DUPLICATE_NAME: "is there twice",
    DropReason.NO_SUCH_NAME: "does not exist",
    DropReason.NO_ADDRESS: "has no address",
}
"""Exchangers that nobody can use and that time will not change, with what is wrong with them."""
_BROKEN = frozenset({DropReason.LOOPBACK, DropReason.UNSPECIFIED, DropReason.LINK_LOCAL, DropReason.NOT_UNICAST})
"""Addresses that are no machine's: nobody but the owner knows which one was meant."""


class Allowed(StrEnum):
    """The changes that are proposed only if the owner allows them."""

    SPLIT = "split"  # several machines behind one of several names
    BACKUPS = "backups"  # the preference of backups


@dataclass(frozen=True, slots=True)
class Edit:
    """Zone lines that go and zone lines that come, together or not at all, and why. `splits`: it costs a name more."""

    why: str
    gone: tuple[Line, ...] = ()
    new: tuple[Line, ...] = ()
    splits: bool = False


def candidates(
    records: Records,
    allowed: frozenset[Allowed] = frozenset(),
    needed: Collection[int] = (4,),
    taken: frozenset[str] = frozenset(),
) -> tuple[Edit, ...]:
    """Every edit on the way to the plain form: a second machine, the families needed, one name each, none in vain.

    There is none of an address literal, which has no records, nor where a machine is missing or not known.

    `taken` are names that are there though no exchanger has them. Several machines behind a name are left there
    unless allowed.
    """
    if not records.machines or not records.lines or records.unknown:
        return ()
    names = _Names(records.snapshot, taken)
    equals = _equals(records) if Allowed.BACKUPS in allowed else ()
    moves = _reachable(records, list(_levels(records, names, may_split=Allowed.SPLIT in allowed)))
    fixed = (*_dead(records), *_named(records, names))
    return (*_second(records, names), *_families(records, needed), *fixed, *moves, *equals)


def is_broken(records: Records) -> bool:
    """Whether an exchanger has an address that is no machine's: what is missing is known once that is put right."""
    return any(drop.reason in _BROKEN for drop in records.dropped)


def new_names(records: Records, allowed: frozenset[Allowed], taken: frozenset[str]) -> frozenset[str]:
    """The names that the candidates would make: owners of a first address."""
    have = {line.owner for line in records.lines}
    made = (line.owner for edit in candidates(records, allowed, (), taken) for line in edit.new)
    return frozenset(name for name in made if name not in have)


def _reachable(records: Records, moves: Sequence[Edit]) -> Iterator[Edit]:
    """The moves that leave no name, old or new, to senders with IPv6 alone."""
    gone = {line for edit in moves for line in edit.gone}
    have = {line.owner for line in records.lines if line.kind == "A" and line not in gone}
    bared = {line.owner for line in gone if line.kind == "A"} - have
    for edit in moves:
        bares = any(line.owner in bared for line in edit.gone if line.kind != "MX")
        if not bares and (not edit.splits or any(line.kind == "A" for line in edit.new)):
            yield edit


def edited(snapshot: Snapshot, edits: Iterable[Edit]) -> Snapshot:
    """The snapshot that DNS would give after the edits."""
    known = list(edits)
    gone = {line for edit in known for line in edit.gone}
    new = [line for edit in known for line in edit.new]
    after = [*(line for line in lines(snapshot) if line not in gone), *new]
    changed = {line.owner for line in (*gone, *new) if line.kind != "MX"}
    hosts = {name: facts for name, facts in snapshot.hosts.items() if name not in changed}
    hosts |= {name: _facts(line for line in after if line.owner == name) for name in changed}
    return replace(snapshot, mx=_mx(snapshot, after), hosts=hosts)


def _mx(snapshot: Snapshot, after: Sequence[Line]) -> Answer[Mx]:
    records = [line for line in after if line.kind == "MX"]
    if not records:
        return NoData() if isinstance(snapshot.mx, Found) else snapshot.mx
    found = tuple(Mx(line.preference, line.exchange) for line in records)
    known: Found[Mx] = snapshot.mx if isinstance(snapshot.mx, Found) else Found((), records[0].ttl_s)
    return replace(known, records=found)


def _facts(own: Iterable[Line]) -> HostFacts:
    a: list[IPv4Address] = []
    aaaa: list[IPv6Address] = []
    ttl_s = 0
    for line in own:
        address = parse_address(line.data)
        ttl_s = line.ttl_s
        if isinstance(address, IPv4Address):
            a.append(address)
        elif isinstance(address, IPv6Address):
            aaaa.append(address)
    return HostFacts(
        Found(tuple(a), ttl_s) if a else NoData(ttl_s),
        Found(tuple(aaaa), ttl_s) if aaaa else NoData(ttl_s),
    )


def _second(records: Records, names: _Names) -> Iterator[Edit]:
    """A second machine where there is one: an equal, so that it is known to work before it is needed."""
    if len(records.machines) != 1 or not records.is_ours(records.machines[0].exchangers[0]):
        return
    only = records.machines[0]
    domain, name, ttl_s = str(records.snapshot.domain), names.fresh(only.exchangers[0]), records.lines[0].ttl_s
    preference = only.preference if isinstance(records.snapshot.mx, Found) else PREFERENCE
    mx = [] if isinstance(records.snapshot.mx, Found) else [Line.mx(domain, PREFERENCE, domain, ttl_s)]
    families = sorted({4, *(address.version for address in only.addresses)})
    addresses = [Line(name, KINDS[version], str(stand_in(version, 0)), ttl_s) for version in families]
    yield Edit(
        f"{only} is the only machine: a second one, best in another network, takes the mail while it is down",
        (),
        (*mx, Line.mx(domain, preference, name, ttl_s), *addresses),
    )


def _families(records: Records, needed: Collection[int]) -> Iterator[Edit]:
    """Addresses of a family for all machines without: who has nothing else must reach each of them, not only one."""
    for version in needed:
        bare = [each for each in records.machines if version not in {address.version for address in each.addresses}]
        new = [
            Line(line.owner, KINDS[version], str(stand_in(version, number)), line.ttl_s)
            for number, machine in enumerate(bare, 1)
            for line in records.lines
            if line.data in set(map(str, machine.addresses))
            if line.owner in machine.exchangers and records.is_ours(line.owner)  # behind an alias another name has them
        ]
        if new:
            lacking = listing(dict.fromkeys(line.owner for line in new))
            verb, them = ("have", "them") if len({line.owner for line in new}) > 1 else ("has", "it")
            why = f"{lacking} {verb} no IPv{version} address: senders with IPv{version} alone cannot reach {them}"
            yield Edit(why, (), tuple(new))


def _dead(records: Records) -> Iterator[Edit]:
    for drop in decide(records.snapshot).dropped:
        if drop.address is None and drop.reason in _DEAD:
            gone = [
                line
                for line in records.mx_lines
                if (line.preference, line.exchange) == (drop.preference, drop.exchange)
            ]
            yield Edit(f"{drop.exchange or 'the null MX'} {_DEAD[drop.reason]}", tuple(gone))


def _named(records: Records, names: _Names) -> Iterator[Edit]:
    """A name for each address that an MX record names: most senders do not use it as it is (RFC 5321 section 5.1)."""
    domain, known = str(records.snapshot.domain), {line.data for line in records.lines if line.kind != "MX"}
    used = {place.exchange: place.address for place in records.places if place.is_nameless}
    for record in records.mx_lines:
        if not is_address_like(record.exchange):
            continue
        new: tuple[Line, ...] = ()
        if record.exchange in used.keys() - known:
            home, kind = names.fresh(domain, first=1), KINDS[used[record.exchange].version]
            new = (
                Line.mx(domain, record.preference, home, record.ttl_s),
                Line(home, kind, record.exchange, record.ttl_s),
            )
            known.add(record.exchange)
        yield Edit(f"{record.exchange} is an IP address, but an MX record must name a host", (record,), new)


def _levels(records: Records, names: _Names, *, may_split: bool) -> Iterator[Edit]:
    """Level by level: each machine under one name of its own, where it stands best."""
    settled: set[Machine] = set()
    for preference in sorted({place.preference for place in records.places}):
        level = [place for place in records.places if place.preference == preference]
        behind: dict[str, dict[Machine, None]] = {}
        for place in level:
            behind.setdefault(place.exchange, {})[records.machine(place.address)] = None
        for name in [name for name, machines in behind.items() if machines.keys() <= settled]:
            yield _unaliased(records, name, behind[name]) or _needless(
                records, name, "its addresses stand behind a better preference"
            )
            del behind[name]
        used = {name: [each for each in machines if each not in settled] for name, machines in behind.items()}
        yield from _level(records, used, names, may_split=may_split)
        settled.update(each for machines in used.values() for each in machines)


def _level(
    records: Records, behind: Mapping[str, Sequence[Machine]], names: _Names, *, may_split: bool
) -> Iterator[Edit]:
    """Each name keeps one machine, each machine one name; what has none of its own gets a new one."""
    keeps = _matched(behind)
    owners = {machine: name for name, machine in keeps.items()}
    for name, machines in behind.items():
        if name not in keeps:
            yield _needless(records, name, f"its addresses stand behind {owners[machines[0]]}")
            continue
        for machine in machines if records.is_ours(name) else ():
            if machine in owners and owners[machine] != name and names.may_lose(name):
                gone = _address_lines(records, name, machine)
                have = "have a name of their own" if len(machine.addresses) > 1 else "has a name of its own"
                yield Edit(f"{_told(machine)} {have}, {owners[machine]}", gone)
            elif machine not in owners and may_split and set(machine.exchangers) & behind.keys() == {name}:
                yield _moved(records, name, machine, names)


def _moved(records: Records, name: str, machine: Machine, names: _Names) -> Edit:
    home = names.fresh(name)
    old = _address_lines(records, name, machine)
    gets, their = ("get", "their") if len(machine.addresses) > 1 else ("gets", "its")
    ttl_s = getattr(records.snapshot.mx, "ttl_s", old[0].ttl_s)
    mx = Line.mx(str(records.snapshot.domain), machine.preference, home, ttl_s)
    return Edit(
        f"{_told(machine)} {gets} a name, and with it a share, of {their} own",
        old if names.may_lose(name) else (),
        (mx, *(replace(line, owner=home) for line in old)),
        splits=True,
    )


def _unaliased(records: Records, name: str, machines: Collection[Machine]) -> Edit | None:
    """A backup's name in place of the alias of it at a better preference: RFC 5321 section 5.1 allows no alias."""
    better = [line for line in records.mx_lines if _is_alias_of(records, line.exchange, name)]
    if len(machines) != 1 or len(better) != 1:
        return None
    alias = better[0]
    new = Line.mx(alias.owner, alias.preference, name, alias.ttl_s)
    why = f"{alias.exchange} is an alias of {name}, which can stand in its place"
    return Edit(why, (alias, *_lines_to(records, name)), (new,))


def _is_alias_of(records: Records, alias: str, name: str) -> bool:
    facts = records.snapshot.hosts.get(alias)
    answers = (facts.a, facts.aaaa) if facts else ()
    return alias != name and any(isinstance(each, Found) and each.name == name and each.aliases for each in answers)


def _needless(records: Records, name: str, why: str) -> Edit:
    return Edit(f"{name} adds no machine: {why}", _lines_to(records, name))


def _lines_to(records: Records, name: str) -> tuple[Line, ...]:
    return tuple(line for line in records.mx_lines if line.exchange == name)


def _matched(behind: Mapping[str, Sequence[Machine]]) -> Mapping[str, Machine]:
    """As many names as possible with a machine of their own: a maximum matching by augmenting paths."""
    owner: dict[Machine, str] = {}

    def place_name(name: str, tried: set[Machine]) -> bool:
        for machine in behind[name]:
            if machine not in tried:
                tried.add(machine)
                if machine not in owner or place_name(owner[machine], tried):
                    owner[machine] = name
                    return True
        return False

    for name in behind:
        place_name(name, set())
    return {name: machine for machine, name in owner.items()}


def _equals(records: Records) -> Iterator[Edit]:
    """All backups at once: one that stayed behind might be left without a machine of its own."""
    best = min((machine.preference for machine in records.machines), default=0)
    gone = tuple(line for line in records.mx_lines if line.preference > best)
    if gone:
        names = listing(line.exchange for line in gone)
        new = tuple(Line.mx(line.owner, best, line.exchange, line.ttl_s) for line in gone)
        becomes = (
            "becomes an equal, and gets a share of its own" if len(gone) == 1 else "become equals, each with a share"
        )
        yield Edit(f"{names} {becomes}", gone, new)


def _address_lines(records: Records, name: str, machine: Machine) -> tuple[Line, ...]:
    """The lines by which a name has the addresses of a machine; behind an alias those of the name it stands for."""
    known = {str(address) for address in machine.addresses}
    own = [line for line in records.lines if line.kind in ("A", "AAAA") and line.data in known]
    return tuple(line for line in own if line.owner == name) or tuple(own)


def _told(machine: Machine) -> str:
    return " and ".join(map(str, machine.addresses))


class _Names:
    """The names of a zone: which may lose an address, and which are free."""

    def __init__(self, snapshot: Snapshot, taken: frozenset[str]) -> None:
        self._domain = str(snapshot.domain)
        self._taken = {self._domain, *taken, *snapshot.hosts}

    def may_lose(self, name: str) -> bool:
        """Whether an address can be taken from a name: the domain itself may need its own for other things."""
        return name != self._domain

    def fresh(self, like: str, first: int = 2) -> str:
        """A free name like another: mail2 after mail, mail2 after mail1; mail2 where a number does not fit behind.

        From the first number on, of which 1 stands for none.
        """
        label, _, rest = like.partition(".") if like != self._domain else ("mail", "", self._domain)
        is_plain = label.replace("-", "").isalnum() and not label.startswith("xn--") and len(label) < MOST_OCTETS
        stem = label.rstrip("0123456789") if is_plain else "mail"
        labels = (f"{stem}{number if number > 1 else ''}" for number in count(first))
        name = next(name for label in labels if (name := f"{label}.{rest}") not in self._taken)
        self._taken.add(name)
        return name
