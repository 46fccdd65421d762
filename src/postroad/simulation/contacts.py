"""The exchangers a sender finds, and their addresses as contacts that know what they will meet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import lcm

from postroad.models import ENDS, Sender, Then, Unit
from postroad.routing import DropReason, turned_addresses
from postroad.simulation.case import Case
from postroad.simulation.enforcing import NO_MODES, as_met
from postroad.simulation.orders import NOTHING, Node, Pick, leaves
from postroad.words.faults import Mode
from postroad.words.light import light
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.trail import Target

SLOW_S = 1.0  # the lab's fault: the greeting comes a second late
TARPIT_S = 6.0  # each of six replies does
TAKES = frozenset(then for then, result in ENDS.items() if result is Result.DELIVERED)
_ENDS = frozenset(ENDS)
IN_SESSION = frozenset({Mode.R450, Mode.R550, Mode.D451, Mode.E451, Mode.DROP})
_WAITS = {Mode.SLOW: SLOW_S, Mode.TARPIT: TARPIT_S}


@light(frozen=True, slots=False)  # without slots: its targets are made once
class ModelExchanger:
    """One MX record: its name and addresses, each family in the order DNS gave it. `dead`: why there are none."""

    name: str
    preference: int
    addresses: tuple[Address, ...]
    dead: DropReason | None = None
    unmet: frozenset[Mode] = NO_MODES  # the faults that fail what its sender demands of it

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Its addresses as what is contacted."""
        return tuple(Target(self.name, address, self.preference) for address in self.addresses)

    @cached_property
    def is_nameless(self) -> bool:
        """Whether its record names an address in place of a host."""
        return any(target.is_nameless for target in self.targets)

    @cached_property
    def turns(self) -> int:
        """In how many turns its addresses come."""
        return lcm(*Counter(address.version for address in self.addresses).values())

    @cached_property
    def _turned(self) -> dict[int, ModelExchanger]:
        return {}

    def turned(self, turn: int) -> ModelExchanger:
        """The exchanger with its addresses at a turn: there are few, so each is made once."""
        which = turn % self.turns
        if which and which not in self._turned:
            made = {id(address): target for address, target in zip(self.addresses, self.targets, strict=True)}
            other = self._turned[which] = replace(self, addresses=turned_addresses(self.addresses, which))
            known = tuple([made[id(address)] for address in other.addresses])
            vars(other).update(targets=known, turns=self.turns, _distinct=self._distinct)
        return self._turned[which] if which else self

    @cached_property
    def _distinct(self) -> frozenset[Address]:
        return frozenset(self.addresses)

    def modes(self, case: Case) -> tuple[Mode, ...]:
        """What its addresses meet."""
        if self._distinct.isdisjoint(case.faulty):  # an address takes long to hash, and sets remember it
            return (Mode.ACCEPT,) * len(self.addresses)
        return tuple(as_met(self.unmet, case.down.get(address, Mode.ACCEPT)) for address in self.addresses)


def asked_names(found: Iterable[ModelExchanger]) -> tuple[str, ...]:
    """The names whose addresses DNS is asked for, each once, dead ones too."""
    return tuple(dict.fromkeys(each.name for each in found if not each.is_nameless))


@dataclass(eq=False, slots=True)
class ModelContact:
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

    def meeting(self, met: Mode, sender: Sender) -> ModelContact:
        """The same address, behaving in this way."""
        thens = thens_of(sender, met)
        then = then_of(thens[self.turn % len(thens)], alone=self.alone)
        return replace(self, met=met, then=then, wait_s=lasts_s(sender, met), silent=_is_silent(sender, met))


@dataclass(eq=False)  # without slots: it is opened once
class Host:
    """A name with its addresses, as far as the sender takes them together; a dead name has none, and costs a turn.

    It is opened when somebody looks into it: of most orders only the first few hosts are.
    """

    open_up: Callable[[], Node]

    @classmethod
    def of(cls, contacts: Node) -> Host:
        """A host of contacts that are made."""
        host = cls(lambda: contacts)
        vars(host).update(contacts=contacts)
        return host

    @cached_property
    def contacts(self) -> Node:
        """Its contacts, in an order not yet drawn."""
        return self.open_up()


NOBODY = Host.of(NOTHING)
"""A dead name, whichever: nothing comes of it but a turn, so they are all alike."""


class Contacts:
    """The contacts of one case, made once. `is_open`: nobody knows yet what they will meet."""

    def __init__(self, case: Case, sender: Sender, *, is_open: bool) -> None:
        self._case, self._sender, self._is_open = case, sender, is_open
        # Exchangers are known by who they are: to compare them, address by address, takes too long
        self._modes: dict[int, tuple[ModelExchanger, tuple[Mode, ...]]] = {}
        self._made: dict[int, tuple[ModelExchanger, dict[int, list[Node]]]] = {}
        self._of_family: dict[tuple[int, int], tuple[ModelExchanger, ModelExchanger]] = {}
        self._of_mode: dict[Mode, tuple[tuple[Then, ...], float, bool]] = {}

    def modes(self, each: ModelExchanger) -> tuple[Mode, ...]:
        """What its addresses meet."""
        if id(each) not in self._modes:
            self._modes[id(each)] = each, each.modes(self._case)
        return self._modes[id(each)][1]

    def of_family(self, each: ModelExchanger, version: int) -> ModelExchanger:
        """The exchanger with the addresses of one family."""
        key = id(each), version
        if key not in self._of_family:
            of_it = tuple(address for address in each.addresses if address.version == version)
            self._of_family[key] = each, each if len(of_it) == len(each.addresses) else replace(each, addresses=of_it)
        return self._of_family[key][1]

    def alike(self, group: tuple[ModelExchanger, ...], shared: set[Address]) -> list[list[ModelExchanger]]:
        """Exchangers whose addresses meet the same one by one, and that share none: only their names differ."""
        kinds: dict[object, list[ModelExchanger]] = defaultdict(list)
        for each in group:
            versions = tuple([address.version for address in each.addresses])
            named = tuple(each.addresses) if shared and not shared.isdisjoint(each.addresses) else ()
            kinds[versions, self.modes(each), named, each.dead is None, each.is_nameless].append(each)
        return list(kinds.values())

    def of(self, alike: list[ModelExchanger], shared: set[Address]) -> dict[int, list[Node]]:
        """The contacts of an exchanger by family, standing for those of others that are alike."""
        first = alike[0]
        if id(first) not in self._made:  # every order of an answer has the same
            contacts: dict[int, list[Node]] = {4: [], 6: []}
            for place, (address, met) in enumerate(zip(first.addresses, self.modes(first), strict=True)):
                members = [each.targets[place] for each in alike]
                is_shared = bool(shared) and address in shared  # an address takes long to hash
                ends = [
                    self._contact(met, turn, members, first, is_shared=is_shared) for turn in range(self._ways(met))
                ]
                contacts[address.version].append(ends[0] if len(ends) == 1 else Pick(tuple((end, 1) for end in ends)))
            self._made[id(first)] = first, contacts
        return self._made[id(first)][1]

    def forget(self) -> None:
        """Who stands for whom is another matter from here on."""
        self._made.clear()

    def is_alone(self, each: ModelExchanger) -> bool:
        """Whether each of its addresses is all that is taken together."""
        return len(each.addresses) == 1 or self._sender.unit is Unit.ADDRESS

    def _contact(
        self, met: Mode, turn: int, members: list[Target], first: ModelExchanger, *, is_shared: bool
    ) -> ModelContact:
        alone = self.is_alone(first)
        thens, wait_s, silent = self._known(met)
        then = then_of(thens[turn % len(thens)], alone=alone)
        return ModelContact(members[0], met, then, wait_s, is_shared, alone, turn, silent, [*members])

    def _ways(self, met: Mode) -> int:
        """In how many ways a contact may turn out, once it is known or not yet known what it meets."""
        if self._is_open:
            return 2 if self._sender.races else 1
        return len(self._known(met)[0])

    def _known(self, met: Mode) -> tuple[tuple[Then, ...], float, bool]:
        """What comes of it, how long it takes, and whether others may be contacted beside it: worked out once."""
        known = self._of_mode.get(met)
        if known is None:
            sender = self._sender
            known = self._of_mode[met] = thens_of(sender, met), lasts_s(sender, met), _is_silent(sender, met)
        return known


def thens_of(sender: Sender, met: Mode) -> tuple[Then, ...]:
    """What comes of it; two where it is a race."""
    return (sender.after(met), sender.races[met]) if met in sender.races else (sender.after(met),)


def then_of(then: Then, *, alone: bool) -> Then:
    """The same, where a host may have no other address."""
    return Then.NEXT_ADDRESS if alone and then is Then.NEXT_HOST else then


def may_go_on(thens: tuple[Then, ...]) -> bool:
    """Whether somebody else may be asked then."""
    return not _ENDS.issuperset(thens)


def may_end(thens: tuple[Then, ...]) -> bool:
    """Whether the attempt may be over then."""
    return not _ENDS.isdisjoint(thens)


def lasts_s(sender: Sender, met: Mode) -> float:
    """How long a contact takes that meets this."""
    if met is Mode.BLACKHOLE:
        return sender.waits.connect_s
    return sender.waits.greeting_s if met is Mode.MUTE else _WAITS.get(met, 0.0)


def _is_silent(sender: Sender, met: Mode) -> bool:
    """Whether another may be contacted beside it: whoever overlaps contacts does not wait for a greeting either."""
    return met is Mode.BLACKHOLE or (met is Mode.MUTE and sender.waits.overlap_s is not None)


def contacts_of(node: Node) -> list[ModelContact]:
    """Every contact once for each kind, hosts opened."""
    if isinstance(node, Host):
        return leaves(node.contacts)
    found = leaves(node)
    return [each for leaf in found for each in (leaves(leaf.contacts) if isinstance(leaf, Host) else (leaf,))]
