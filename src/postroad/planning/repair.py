"""What could be mended in a domain's records: candidate edits as zone lines, and the snapshot they would make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from itertools import count

from postroad.planning.records import Line, lines, places
from postroad.routing import DropReason, decide
from postroad.words.facts import Found, HostFacts, Mx, NoData, Snapshot
from postroad.words.names import Address, is_within, parse_address
from postroad.words.trail import Target

_DEAD = {
    DropReason.NULL_MX: "it is the null MX beside others",
    DropReason.IP_LITERAL: "it names an address, not a host",
    DropReason.DUPLICATE_NAME: "it is there twice",
    DropReason.NO_SUCH_NAME: "the name does not exist",
    DropReason.NO_ADDRESS: "the name has no address",
}
"""Exchangers that nobody can use and that time will not mend, with the reason for people."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines that go and lines that come, together or not at all, and why."""

    why: str
    gone: tuple[Line, ...] = ()
    new: tuple[Line, ...] = ()


def candidates(snapshot: Snapshot, *, use_backups: bool = False) -> tuple[Edit, ...]:
    """Every edit on the way to the plain form: one name for each server, no name that brings none, none that is dead.

    Backups keep their preference, which is their owner's word, unless they are to be used.
    """
    return (*_dead(snapshot), *_levels(snapshot), *(_equals(snapshot) if use_backups else ()))


def edited(snapshot: Snapshot, edits: Iterable[Edit]) -> Snapshot:
    """The snapshot that DNS would give after the edits."""
    known = list(edits)
    gone = {line for edit in known for line in edit.gone}
    new = [line for edit in known for line in edit.new]
    kept = [line for line in lines(snapshot) if line not in gone]
    changed = {line.owner for line in (*gone, *new) if line.kind != "MX"}
    after = [*kept, *new]
    hosts = {name: facts for name, facts in snapshot.hosts.items() if name not in changed}
    hosts |= {name: _facts(line for line in after if line.owner == name) for name in changed}
    return replace(snapshot, mx=_mx(snapshot, after), hosts=hosts)


def _mx(snapshot: Snapshot, after: Sequence[Line]) -> Found[Mx]:
    records = [line for line in after if line.kind == "MX"]
    words = [line.data.split() for line in records]
    found = tuple(Mx(int(preference), exchange.removesuffix(".")) for preference, exchange in words)
    known = snapshot.mx if isinstance(snapshot.mx, Found) else Found[Mx]((), records[0].ttl_s)
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


def _dead(snapshot: Snapshot) -> Iterator[Edit]:
    for drop in decide(snapshot).dropped:
        if drop.address is None and drop.reason in _DEAD:
            gone = [line for line in _mx_lines(snapshot) if line.data == f"{drop.preference} {drop.exchange}."]
            yield Edit(f"{drop.exchange or '.'} takes no mail: {_DEAD[drop.reason]}", tuple(gone))


def _levels(snapshot: Snapshot) -> Iterator[Edit]:
    """Level by level: each server under one name of its own, where it stands best."""
    settled: set[Address] = set()
    names = _Names(snapshot)
    known = places(snapshot)
    for preference in sorted({place.preference for place in known}):
        level = [place for place in known if place.preference == preference]
        yield from _level(snapshot, level, settled, names)
        settled |= {place.address for place in level}


def _level(snapshot: Snapshot, level: Sequence[Target], settled: set[Address], names: _Names) -> Iterator[Edit]:
    hosts = list(dict.fromkeys(place.exchange for place in level))
    idle = [name for name in hosts if all(place.address in settled for place in level if place.exchange == name)]
    for name in idle:
        gone = [line for line in _mx_lines(snapshot) if line.data.split()[1] == f"{name}."]
        yield Edit(f"{name} brings no server of its own: its addresses stand behind a better preference", tuple(gone))
    used = [place for place in level if place.exchange not in idle and place.address not in settled]
    homes: dict[str, str] = {}  # the name that the n-th spare address of a name moved to, for both families alike
    for version in (4, 6):
        yield from _family(snapshot, [place for place in used if place.address.version == version], homes, names)


def _family(snapshot: Snapshot, used: Sequence[Target], homes: dict[str, str], names: _Names) -> Iterator[Edit]:
    """Each name keeps one address, each address one name; what has none of its own gets a new one."""
    keeps = _matched(used)
    owners = {address: name for name, address in keeps.items()}
    spare: dict[str, int] = {}
    for place in used:
        if keeps.get(place.exchange) == place.address or not names.is_ours(place.exchange):
            continue
        old = _address_line(snapshot, place)
        if place.address in owners:
            yield Edit(f"{place.address} has a name of its own, {owners[place.address]}", (old,))
        elif all(other.exchange == place.exchange for other in used if other.address == place.address):
            spare[place.exchange] = spare.get(place.exchange, 0) + 1
            key = f"{place.exchange} {spare[place.exchange]}"
            home = homes.get(key)
            target = homes.setdefault(key, home or names.fresh(place.exchange))
            ttl_s = getattr(snapshot.mx, "ttl_s", old.ttl_s)
            mx = () if home else (Line(str(snapshot.domain), "MX", f"{place.preference} {target}.", ttl_s),)
            yield Edit(
                f"{place.address} gets a name, and with it a share, of its own",
                (old,) if names.may_lose(place.exchange) else (),
                (*mx, Line(target, old.kind, old.data, old.ttl_s)),
            )


def _matched(used: Sequence[Target]) -> Mapping[str, Address]:
    """As many names as possible with an address of their own: a maximum matching by augmenting paths."""
    behind: dict[str, list[Address]] = {}
    for place in used:
        behind.setdefault(place.exchange, []).append(place.address)
    owner: dict[Address, str] = {}

    def place_name(name: str, tried: set[Address]) -> bool:
        for address in behind[name]:
            if address not in tried:
                tried.add(address)
                if address not in owner or place_name(owner[address], tried):
                    owner[address] = name
                    return True
        return False

    for name in behind:
        place_name(name, set())
    return {name: address for address, name in owner.items()}


def _equals(snapshot: Snapshot) -> Iterator[Edit]:
    known = places(snapshot)
    best = min((place.preference for place in known), default=0)
    for line in _mx_lines(snapshot):
        preference, exchange = line.data.split()
        if int(preference) > best:
            new = replace(line, data=f"{best} {exchange}")
            yield Edit(f"{exchange.removesuffix('.')} rests as a backup while others work", (line,), (new,))


def _mx_lines(snapshot: Snapshot) -> list[Line]:
    return [line for line in lines(snapshot) if line.kind == "MX"]


def _address_line(snapshot: Snapshot, place: Target) -> Line:
    kind = "A" if place.address.version == 4 else "AAAA"
    own = [line for line in lines(snapshot) if line.kind == kind and line.data == str(place.address)]
    return next((line for line in own if line.owner == place.exchange), own[0])


class _Names:
    """The names of a zone: which are ours to change, and which are free."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._domain = str(snapshot.domain)
        self._taken = set(snapshot.hosts)

    def is_ours(self, name: str) -> bool:
        """Whether the domain's owner can change the records of a name."""
        return is_within(name, self._domain)

    def may_lose(self, name: str) -> bool:
        """Whether an address can be taken from a name: the domain itself may need its own for other things."""
        return name != self._domain

    def fresh(self, like: str) -> str:
        """A free name like another: mail2 after mail, mail2 after mail1."""
        label, _, rest = like.partition(".") if like != self._domain else ("mail", "", self._domain)
        stem = label.rstrip("0123456789")
        name = next(name for number in count(2) if (name := f"{stem}{number}.{rest}") not in self._taken)
        self._taken.add(name)
        return name
