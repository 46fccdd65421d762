"""The exchangers of one preference as an order not yet drawn, with contacts that know what they will meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain

from postroad.routing import DropReason
from postroad.senders.model import ENDS, Equals, Exhausted, Families, Inside, Sender, Then, Unit
from postroad.simulation.nouns import Case, DnsOrder
from postroad.simulation.orders import (
    NOTHING,
    Bag,
    Node,
    Pass,
    Pick,
    Row,
    Weave,
    bag,
    first_and_last,
    leaves,
    rotations,
    row,
)
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.trail import Target

SLOW_S = 1.0  # the lab's fault: the greeting comes a second late
TARPIT_S = 6.0  # each of six replies does
TAKES = frozenset(then for then, result in ENDS.items() if result is Result.DELIVERED)
IN_SESSION = frozenset({Mode.R450, Mode.R550, Mode.D451, Mode.E451, Mode.DROP})
_SILENT = frozenset({Mode.BLACKHOLE, Mode.MUTE})
_FEW = 8  # addresses in any order: of more, there are too many ways in which silent ones may overlap
_WAITS = {Mode.SLOW: SLOW_S, Mode.TARPIT: TARPIT_S}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record: its name and addresses, each family in the order DNS gave it. `dead`: why there are none."""

    name: str
    preference: int
    addresses: tuple[Address, ...]
    dead: DropReason | None = None


@dataclass(eq=False, slots=True)
class Contact:
    """What happens at an address: the first of `members`, which all share its chances equally."""

    target: Target
    met: Mode
    then: Then
    wait_s: float
    shared: bool  # the address stands behind another name of this preference too
    alone: bool  # its host has no other address
    turn: int  # which of the reactions, where it is a race
    silent: bool  # others may be contacted beside it
    members: list[Target] = field(default_factory=list)

    def meeting(self, met: Mode, sender: Sender) -> Contact:
        """The same address, behaving in this way."""
        thens = _thens(sender, met)
        then = _then_of(thens[self.turn % len(thens)], alone=self.alone)
        return replace(self, met=met, then=then, wait_s=lasts_s(sender, met), silent=_is_silent(sender, met))


@dataclass(eq=False, slots=True)
class Host:
    """A name with its addresses, as far as the sender takes them together; a dead name has none, and costs a turn."""

    contacts: Node


NOBODY = Host(NOTHING)
"""A dead name, whichever: nothing comes of it but a turn, so they are all alike."""


@dataclass(frozen=True, slots=True)
class Level:
    """The hosts of one preference, and what is known of them whatever their order.

    `settles`: the attempt ends here for sure. `passes`: it goes through all of them, and what they say between them is
    in `refused` (for good), `unsure` (anything else) and `kept` (that keeps the message). With either of them an
    attempt need not remember who said what.
    """

    hosts: Node
    settles: bool = False
    passes: bool = False
    refused: bool = False
    unsure: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """Which limits can be reached at all, with what goes on: only those an attempt has to count for."""

    addresses: bool
    hosts: bool
    sessions: bool
    families: bool
    silent: bool


def counted(case: Case, sender: Sender, found: tuple[Exchange, ...]) -> Counted:
    """Which limits of a sender can be reached among these exchangers."""
    hosts = [[case.down.get(address, Mode.ACCEPT) for address in each.addresses] for each in found]
    met = list(chain.from_iterable(hosts))
    onward = [mode for mode in met if _may_go_on(_thens(sender, mode))]
    limits, versions = sender.limits, {address.version for each in found for address in each.addresses}

    def binds(limit: int | None, reached: int, total: int) -> bool:
        return limit is not None and reached >= limit and total > limit

    def goes_on(modes: list[Mode]) -> bool:
        return not modes or any(_may_go_on(_thens(sender, mode)) for mode in modes)

    return Counted(
        addresses=binds(limits.addresses, len(onward), len(met)),
        hosts=binds(limits.hosts, sum(map(goes_on, hosts)), len(found)),
        sessions=binds(limits.sessions, sum(mode in IN_SESSION for mode in onward), len(met)),
        families=limits.family_share and len(versions) > 1 and binds(limits.addresses, len(met), len(met)),
        silent=binds(sender.waits.most_silent, sum(mode in _SILENT for mode in met), len(met))
        and (case.dns_order is not DnsOrder.RANDOM or len(met) <= _FEW),
    )


def reachable(dns_order: DnsOrder, sender: Sender, found: tuple[Exchange, ...]) -> Counted:
    """Which limits of a sender can be reached among these exchangers, whatever they do."""
    addresses, limits = sum(len(each.addresses) for each in found), sender.limits

    def binds(limit: int | None, total: int) -> bool:
        return limit is not None and total > limit

    return Counted(
        addresses=binds(limits.addresses, addresses),
        hosts=binds(limits.hosts, len(found)),
        sessions=binds(limits.sessions, addresses),
        families=limits.family_share
        and len({address.version for each in found for address in each.addresses}) > 1
        and binds(limits.addresses, addresses),
        silent=binds(sender.waits.most_silent, addresses) and (dns_order is not DnsOrder.RANDOM or addresses <= _FEW),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is true of the exchangers of one preference in any order: the addresses several names share, and a Level."""

    shared: set[Address]
    both_families: bool
    settles: bool
    passes: bool
    refused: bool
    unsure: bool
    kept: bool


class Arranger:
    """Makes the levels of one case for one sender. `alike`: what cannot be told apart is counted.

    `nameless`: hosts that take nothing are one where they cannot be told apart, also in a row; then only those that
    take the message still have their names. `is_open`: nobody knows yet what a contact will meet.
    """

    def __init__(  # what is asked, of whom, and two ways to count
        self,
        case: Case,
        sender: Sender,
        limits: Counted,
        *,
        alike: bool,
        nameless: bool = False,
        is_open: bool = False,
    ) -> None:
        self._case = case
        self._nameless = nameless
        self._hosts_made: dict[tuple[int, bool], tuple[Exchange, tuple[Node, ...]]] = {}
        self._one_of: dict[str, Node] = {}
        self._sender = sender
        self._limits = limits
        self._alike = alike
        self._is_open = is_open
        # A dead name counts where hosts are counted, or asked for one by one, and where it moves its neighbours
        counts = sender.limits.hosts is not None or not sender.asks.eager
        self._dead_matters = counts or sender.equals is Equals.ONE_SWAP_PASS
        # Exchangers are known by who they are: to compare them, address by address, takes too long
        self._made: dict[int, tuple[Exchange, dict[int, list[Node]]]] = {}
        self._targets: dict[tuple[str, int, int], Target] = {}
        self._families: dict[tuple[int, int], tuple[Exchange, Exchange]] = {}
        self._facts: dict[int, _Facts] = {}
        self._joined: set[tuple[int, int]] = set()
        self._counts_refusals = True
        self._passes = self._settles = False
        self._first: Exchange | None = None

    def plan(self, groups: Iterable[tuple[Exchange, ...]], first: Exchange) -> tuple[Level, ...]:
        """A plan of the hosts of these preferences; `first` is that of all records."""
        self._first = first
        if self._sender.equals is Equals.RANDOM:  # who stands for whom is another matter in each
            self._made.clear()
            self._hosts_made.clear()
            self._joined.clear()
        return tuple(map(self._level, groups))

    def _level(self, group: tuple[Exchange, ...]) -> Level:
        """The hosts of one preference in the order of the sender, not yet drawn."""
        preference = group[0].preference  # in whatever order, and however turned, the exchangers of one are the same
        facts = self._facts.get(preference)
        if facts is None:
            facts = self._facts[preference] = self._look_at(group)
        self._passes = facts.passes and self._alike
        self._settles = facts.settles
        self._counts_refusals = {
            Exhausted.DEFER: False,
            Exhausted.LAST: not facts.settles,  # who says the last word is a matter of order
            Exhausted.ALL: not (facts.settles or facts.passes),
        }[self._sender.exhausted]
        return Level(
            self._hosts_of(group, facts),
            facts.settles,
            facts.passes,
            facts.refused,
            facts.unsure,
            facts.kept,
        )

    def _look_at(self, group: tuple[Exchange, ...]) -> _Facts:
        counts = Counter(address for each in group for address in each.addresses)
        shared = {address for address, count in counts.items() if count > 1 and self._sender.drops_duplicates}
        thens = [[self._thens(each, address) for address in each.addresses] for each in group]
        can_be_cut = any((self._limits.addresses, self._limits.hosts, self._limits.sessions, self._limits.families))
        said = [self._met(address) in self._sender.refusals for address in counts]
        kept = [self._met(address) in self._sender.keeps for address in counts]
        return _Facts(
            shared,
            len({address.version for address in counts}) == 2,
            settles=not can_be_cut and any(_goes_through(each) and not all(map(_may_go_on, each)) for each in thens),
            passes=not can_be_cut and all(_goes_through(each) and not any(map(_may_end, each)) for each in thens),
            refused=any(said),
            unsure=not all(said),
            kept=any(kept),
        )

    def _hosts_of(self, group: tuple[Exchange, ...], facts: _Facts) -> Node:
        families, shared = self._sender.families, facts.shared
        if families is Families.V6_LEVEL:
            parts = [tuple(self._of_family(each, version) for each in group) for version in (6, 4)]
            return row(self._ordered(part, shared) for part in parts)
        hosts = self._ordered(group, shared)
        return Pass(hosts, _v6_goes_ahead) if families is Families.V6_PASS and facts.both_families else hosts

    def _of_family(self, each: Exchange, version: int) -> Exchange:
        key = id(each), version
        if key not in self._families:
            of_it = tuple(address for address in each.addresses if address.version == version)
            self._families[key] = each, replace(each, addresses=of_it)
        return self._families[key][1]

    def _ordered(self, group: tuple[Exchange, ...], shared: set[Address]) -> Node:
        if self._sender.equals is Equals.ALPHABETICAL:
            group = tuple(sorted(group, key=lambda each: each.name))
        elif self._sender.equals is Equals.FIRST_THEN_REVERSED:
            group = _backwards(group, self._first)
        hosts = list(chain.from_iterable(self._known_hosts(each, shared) for each in group))
        match self._sender.equals:
            case Equals.RANDOM:
                return self._any_order(hosts, shared)
            case Equals.ALPHABETICAL:
                return row(hosts)
        if self._case.dns_order is DnsOrder.RANDOM and not self._sender.caches_mx:
            return self._any_order(hosts, shared)  # a pass of swaps over a random order leaves it as random as it was
        return Pass(row(hosts), _coin) if self._sender.equals is Equals.ONE_SWAP_PASS else row(hosts)

    def _any_order(self, hosts: list[Node], shared: set[Address]) -> Node:
        drawn = self._bag(self._without_times(hosts))
        # Who is where between the first and the last matters to neighbours, to duplicates and to the clock of overlaps
        plain = self._sender.families is not Families.V6_PASS and not shared and not self._sender.waits.spacing_s
        return first_and_last(drawn.kinds) if self._passes and plain and isinstance(drawn, Bag) else drawn

    def _without_times(self, hosts: list[Node]) -> list[Node]:
        """The hosts, with the mean time in place of its own for each that costs nothing but time.

        Where somebody ends the attempt for sure, who is asked before is a matter of chance, so that each contact lasts
        as long in the mean as any other; and the longest attempt has all of them.
        """
        waits = self._sender.waits
        overlaps = any((waits.spacing_s, waits.per_host, waits.overlap_s, waits.fallback_s, waits.hurry_s))
        if overlaps or self._is_open or not (self._settles and self._alike):
            return hosts
        found = [(host, list(contacts_of(host))) for host in hosts]
        idle = {id(host): contacts[0] for host, contacts in found if len(contacts) == 1 and _only_lasts(contacts[0])}
        waits_s = [idle[id(host)].wait_s for host in hosts if id(host) in idle]  # one host may stand there many times
        mean_s = sum(waits_s) / max(len(waits_s), 1)
        lasting = {
            each: Host(replace(contact, wait_s=mean_s, silent=False, members=[*contact.members]))
            for each, contact in idle.items()
        }
        return [lasting.get(id(host), host) for host in hosts]

    def _known_hosts(self, each: Exchange, shared: set[Address]) -> tuple[Node, ...]:
        """The nodes of an exchanger; every order of an answer has the same."""
        key = id(each), self._counts_refusals
        if key not in self._hosts_made:
            self._hosts_made[key] = each, tuple(map(self._named_if_needed, self._hosts(each, shared)))
        return self._hosts_made[key][1]

    def _named_if_needed(self, host: Node) -> Node:
        if not self._nameless or any(contact.then in TAKES for contact in contacts_of(host)):
            return host
        return self._one_of.setdefault(f"{self._counts_refusals} {self._shape(host)}", host)

    def _hosts(self, each: Exchange, shared: set[Address]) -> Iterator[Node]:
        contacts = self._contacts(each, shared)
        if self._sender.unit is Unit.ADDRESS:
            yield from (Host(contact) for contact in chain(contacts[4], contacts[6]))
        elif (
            self._sender.families is Families.V6_PASS and each.addresses
        ):  # each address is a host of its own, but they stay together
            yield row(self._inside([Host(contact) for contact in contacts[version]]) for version in (6, 4))
        elif each.dead and self._dead_matters and self._sender.families is not Families.V6_PASS:
            yield NOBODY
        elif self._sender.families is not Families.V6_PASS and each.addresses:
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
        if order in (DnsOrder.ROTATE_APART, DnsOrder.CACHED):  # else the plan has them as they are turned
            return rotations(tuple(items))
        return row(items)

    def _contacts(self, each: Exchange, shared: set[Address]) -> dict[int, list[Node]]:
        if id(each) in self._made:  # every order of an answer has the same hosts
            return self._made[id(each)][1]
        contacts: dict[int, list[Node]] = {4: [], 6: []}
        for address in each.addresses:
            ends = [self._contact(each, address, turn, shared) for turn in range(self._ways(address))]
            contacts[address.version].append(ends[0] if len(ends) == 1 else Pick(tuple((end, 1) for end in ends)))
        self._made[id(each)] = each, contacts
        return contacts

    def _contact(self, each: Exchange, address: Address, turn: int, shared: set[Address]) -> Contact:
        sender, met, alone = self._sender, self._met(address), self._is_alone(each)
        thens, target = _thens(sender, met), self._target(each, address)
        then = _then_of(thens[turn % len(thens)], alone=alone)
        wait_s, silent = lasts_s(sender, met), _is_silent(sender, met)
        return Contact(target, met, then, wait_s, address in shared, alone, turn, silent, [target])

    def _target(self, each: Exchange, address: Address) -> Target:
        key = each.name, each.preference, id(address)
        if key not in self._targets:
            self._targets[key] = Target(each.name, address, each.preference)
        return self._targets[key]

    def _met(self, address: Address) -> Mode:
        return self._case.down.get(address, Mode.ACCEPT)

    def _thens(self, each: Exchange, address: Address) -> tuple[Then, ...]:
        """What comes of an address; two where it is a race."""
        thens, alone = _thens(self._sender, self._met(address)), self._is_alone(each)
        return tuple(_then_of(then, alone=alone) for then in thens)

    def _ways(self, address: Address) -> int:
        """In how many ways a contact may turn out, once it is known or not yet known what it meets."""
        if self._is_open:
            return 2 if self._sender.races else 1
        return len(_thens(self._sender, self._met(address)))

    def _is_alone(self, each: Exchange) -> bool:
        return len(each.addresses) == 1 or self._sender.unit is Unit.ADDRESS

    def _bag(self, items: Iterable[Node]) -> Node:
        if not self._alike:
            return bag(items)
        kinds: dict[str, tuple[Node, int]] = {}
        for item in items:
            key = self._shape(item)
            kind, count = kinds.get(key, (item, 0))
            kinds[key] = (kind, count + 1)
            if kind is not item:
                self._join(kind, item)
        # in the order of the shapes, so that what is alike has its parts in the same places
        return Bag(tuple(kinds[key] for key in sorted(kinds))) if kinds else NOTHING

    def _join(self, kind: Node, other: Node) -> None:
        """Let the contacts of one node stand for those of another, in the same places: once, whatever the plans."""
        for mine, theirs in zip(contacts_of(kind), contacts_of(other), strict=True):
            if (pair := (id(mine), id(theirs))) not in self._joined:  # a rotation shows each several times
                self._joined.add(pair)
                mine.members.extend(theirs.members)

    def _shape(self, node: Node) -> str:
        """What the sender can tell of a node: equal texts for what is alike."""
        match node:
            case Row(items):
                return f"Row({','.join(map(self._shape, items))})"
            case Bag(kinds) | Pick(kinds):
                return f"{type(node).__name__}({','.join(f'{count}*{self._shape(kind)}' for kind, count in kinds)})"
            case Weave(now, then):
                return f"Weave({self._shape(now)},{self._shape(then)})"
            case Host(contacts):
                return f"Host({self._shape(contacts)})"
            case contact:
                return self._kind(contact)

    def _kind(self, contact: Contact) -> str:
        """What a contact changes for the rest of the attempt. What this sender does not count is left out."""
        sender, met, then = self._sender, contact.met, contact.then
        parts = [then.value, str(contact.turn if self._is_open else ""), f"{contact.wait_s:g}"]
        parts.append("silent" if contact.silent else "")
        if self._counts_refusals and then not in ENDS:
            parts.append("no" if met in sender.refusals else "kept" if met in sender.keeps else "")
        if self._limits.sessions:
            parts.append("session" if met in IN_SESSION else "")
        if sender.families is Families.V6_PASS or sender.limits.family_share or sender.waits.fallback_s is not None:
            parts.append(str(contact.target.address.version))
        return ":".join((*parts, str(contact.target.address) if contact.shared else ""))


def _only_lasts(contact: Contact) -> bool:
    return contact.alone and not contact.shared and contact.then not in ENDS


def _thens(sender: Sender, met: Mode) -> tuple[Then, ...]:
    return (sender.after(met), sender.races[met]) if met in sender.races else (sender.after(met),)


def _then_of(then: Then, *, alone: bool) -> Then:
    return Then.NEXT_ADDRESS if alone and then is Then.NEXT_HOST else then


def lasts_s(sender: Sender, met: Mode) -> float:
    """How long a contact takes that meets this."""
    waits = sender.waits
    return {Mode.BLACKHOLE: waits.connect_s, Mode.MUTE: waits.greeting_s}.get(met, _WAITS.get(met, 0.0))


def _is_silent(sender: Sender, met: Mode) -> bool:
    """Whether another may be contacted beside it: whoever overlaps contacts does not wait for a greeting either."""
    return met is Mode.BLACKHOLE or (met is Mode.MUTE and sender.waits.overlap_s is not None)


def _backwards(group: tuple[Exchange, ...], first: Exchange | None) -> tuple[Exchange, ...]:
    """Each record put behind the first of all: OpenSMTPD's list of exchangers (smtpd/mta.c)."""
    front = tuple(each for each in group if first and (each.name, each.preference) == (first.name, first.preference))
    return (*front, *(each for each in reversed(group) if each not in front))


def _may_go_on(thens: tuple[Then, ...]) -> bool:
    return any(then not in ENDS for then in thens)


def _may_end(thens: tuple[Then, ...]) -> bool:
    return any(then in ENDS for then in thens)


def _goes_through(thens: list[tuple[Then, ...]]) -> bool:
    """Whether a host is asked at all its addresses, unless one of them ends the attempt."""
    return len(thens) == 1 or all(then in ENDS or then is Then.NEXT_ADDRESS for each in thens for then in each)


def contacts_of(node: Node) -> Iterator[Contact]:
    """Every contact once for each kind, hosts opened."""
    for leaf in leaves(node):
        if isinstance(leaf, Host):
            yield from contacts_of(leaf.contacts)
        else:
            yield leaf


def _coin(_carried: Host, _following: Host) -> Fraction:
    return Fraction(1, 2)


def _v6_goes_ahead(carried: Host, following: Host) -> Fraction:
    first, second = (next(contacts_of(host)).target.address.version for host in (carried, following))
    return Fraction(first == 4 and second == 6)
