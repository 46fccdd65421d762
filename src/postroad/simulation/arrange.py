"""The exchangers of one preference as an order not yet drawn, with contacts that know what they will meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain

from postroad.simulation.model import Equals, Exhausted, Families, Inside, Sender, Then, Unit
from postroad.simulation.nouns import Case, DnsOrder
from postroad.simulation.orders import NOTHING, Bag, Node, Pass, Pick, Row, Weave, bag, leaves, rotations, row
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.trail import Target

SLOW_S = 1.0  # the lab's fault: the greeting comes a second late
TARPIT_S = 6.0  # each of six replies does
IN_SESSION = frozenset({Mode.R450, Mode.R550, Mode.D451, Mode.E451, Mode.DROP})
_WAITS = {Mode.SLOW: SLOW_S, Mode.TARPIT: TARPIT_S}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record that can be used: its name and addresses, each family in the order DNS gave it."""

    name: str
    preference: int
    addresses: tuple[Address, ...]


@dataclass(eq=False, slots=True)
class Contact:
    """What happens at an address: the first of `members`, which all share its chances equally."""

    target: Target
    met: Mode
    then: Then
    wait_s: float
    shared: bool  # the address stands behind another name of this preference too
    members: list[Target] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Host:
    """A name with its addresses, as far as the sender takes them together."""

    contacts: Node


class Arranger:
    """Makes the levels of one case for one sender. `alike`: what cannot be told apart is counted."""

    def __init__(self, case: Case, sender: Sender, *, alike: bool) -> None:
        self._case = case
        self._sender = sender
        self._alike = alike

    def level(self, group: tuple[Exchange, ...]) -> Node:
        """The hosts of one preference in the order of the sender, not yet drawn."""
        counts = Counter(address for each in group for address in each.addresses)
        shared = {address for address, count in counts.items() if count > 1 and self._sender.drops_duplicates}
        families = self._sender.families
        if families is Families.V6_LEVEL:
            parts = [tuple(_of_family(each, version) for each in group) for version in (6, 4)]
            return row(self._ordered(part, shared) for part in parts)
        hosts = self._ordered(group, shared)
        both = len({address.version for address in counts}) == 2
        return Pass(hosts, _v6_goes_ahead) if families is Families.V6_PASS and both else hosts

    def _ordered(self, group: tuple[Exchange, ...], shared: set[Address]) -> Node:
        if self._sender.equals is Equals.ALPHABETICAL:
            group = tuple(sorted(group, key=lambda each: each.name))
        hosts = list(chain.from_iterable(self._hosts(each, shared) for each in group))
        match self._sender.equals:
            case Equals.RANDOM:
                return self._bag(hosts)
            case Equals.ALPHABETICAL:
                return row(hosts)
        if self._case.dns_order is DnsOrder.RANDOM and not self._sender.caches_mx:
            return self._bag(hosts)  # a pass of swaps over a random order leaves it as random as it was
        return Pass(row(hosts), _coin) if self._sender.equals is Equals.ONE_SWAP_PASS else row(hosts)

    def _hosts(self, each: Exchange, shared: set[Address]) -> Iterator[Node]:
        contacts = self._contacts(each, shared)
        if self._sender.unit is Unit.ADDRESS:
            yield from (Host(contact) for contact in chain(contacts[4], contacts[6]))
        elif self._sender.families is Families.V6_PASS:  # each address is a host of its own, but they stay together
            yield row(self._inside([Host(contact) for contact in contacts[version]]) for version in (6, 4))
        elif each.addresses:
            yield Host(self._together({version: self._inside(contacts[version]) for version in (4, 6)}))

    def _together(self, families: dict[int, Node]) -> Node:
        match self._sender.families:
            case Families.IN_TURN:
                return Weave(families[6], families[4])
            case Families.V4_FIRST | Families.ALIKE:
                return row((families[4], families[6]))
            case _:
                return row((families[6], families[4]))

    def _inside(self, items: list[Node]) -> Node:
        order, inside = self._case.dns_order, self._sender.inside
        if inside is Inside.RANDOM or order is DnsOrder.RANDOM:
            return self._bag(items)
        if inside is Inside.TURNED or order is not DnsOrder.FIXED:
            return rotations(tuple(items))
        return row(items)

    def _contacts(self, each: Exchange, shared: set[Address]) -> dict[int, list[Contact]]:
        contacts: dict[int, list[Contact]] = {4: [], 6: []}
        for address in each.addresses:
            met = self._case.down.get(address, Mode.ACCEPT)
            target = Target(each.name, address, each.preference)
            wait_s = self._sender.waits.connect_s if met is Mode.BLACKHOLE else _WAITS.get(met, 0.0)
            contact = Contact(target, met, self._sender.after(met), wait_s, address in shared, [target])
            contacts[address.version].append(contact)
        return contacts

    def _bag(self, items: Iterable[Node]) -> Node:
        if not self._alike:
            return bag(items)
        kinds: dict[str, tuple[Node, int]] = {}
        for item in items:
            key = self._shape(item)
            kind, count = kinds.get(key, (item, 0))
            kinds[key] = (kind, count + 1)
            if count:
                _join(kind, item)
        # in the order of the shapes, so that what is alike has its parts in the same places
        return Bag(tuple(kinds[key] for key in sorted(kinds))) if kinds else NOTHING

    def _shape(self, node: Node) -> str:
        """What the sender can tell of a node: equal texts for what is alike."""
        match node:
            case Row(items) | Pick(items):
                return f"{type(node).__name__}({','.join(map(self._shape, items))})"
            case Bag(kinds):
                return f"Bag({','.join(f'{count}*{self._shape(kind)}' for kind, count in kinds)})"
            case Weave(now, then):
                return f"Weave({self._shape(now)},{self._shape(then)})"
            case Host(contacts):
                return f"Host({self._shape(contacts)})"
            case contact:
                return self._kind(contact)

    def _kind(self, contact: Contact) -> str:
        """What a contact changes for the rest of the attempt. What this sender does not count is left out."""
        sender, met = self._sender, contact.met
        parts = [contact.then.value, f"{contact.wait_s:g}", "silent" if met is Mode.BLACKHOLE else ""]
        if sender.exhausted is not Exhausted.DEFER:
            parts.append("no" if met in sender.refusals else "")
        if sender.limits.sessions is not None:
            parts.append("session" if met in IN_SESSION else "")
        if sender.families is Families.V6_PASS or sender.limits.family_share or sender.waits.fallback_s is not None:
            parts.append(str(contact.target.address.version))
        return ":".join((*parts, str(contact.target.address) if contact.shared else ""))


def _of_family(each: Exchange, version: int) -> Exchange:
    return replace(each, addresses=tuple(address for address in each.addresses if address.version == version))


def contacts_of(node: Node) -> Iterator[Contact]:
    """Every contact once for each kind, hosts opened."""
    for leaf in leaves(node):
        if isinstance(leaf, Host):
            yield from contacts_of(leaf.contacts)
        else:
            yield leaf


def _join(kind: Node, other: Node) -> None:
    """Let the contacts of one node stand for those of another, in the same places."""
    met: set[int] = set()
    for mine, theirs in zip(contacts_of(kind), contacts_of(other), strict=True):
        if id(mine) not in met:  # a rotation shows each several times
            met.add(id(mine))
            mine.members.extend(theirs.members)


def _coin(_carried: Host, _following: Host) -> Fraction:
    return Fraction(1, 2)


def _v6_goes_ahead(carried: Host, following: Host) -> Fraction:
    first, second = (next(contacts_of(host)).target.address.version for host in (carried, following))
    return Fraction(first == 4 and second == 6)
