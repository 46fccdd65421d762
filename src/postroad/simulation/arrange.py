"""The exchangers of one preference as an order not yet drawn, with contacts that know what they will meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain

from postroad.models import ENDS, EqualsOrder, Exhausted, Families, Inside, Sender, Then, Unit
from postroad.simulation.case import Case, DnsOrder
from postroad.simulation.contacts import (
    NOBODY,
    Contacts,
    Host,
    ModelContact,
    ModelExchanger,
    contacts_of,
    may_end,
    may_go_on,
    then_of,
    thens_of,
)
from postroad.simulation.likeness import Counts, Likeness
from postroad.simulation.limits import CountedLimits
from postroad.simulation.orders import Bag, Node, Pass, Weave, bag, first_and_last, rotations, row
from postroad.words.faults import Mode
from postroad.words.light import light
from postroad.words.names import Address

_STAYS = frozenset({*ENDS, Then.NEXT_ADDRESS})


@light(frozen=True, slots=True)
class ArrangedLevel:
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


@light(frozen=True, slots=True)
class _Facts:
    """What is true of the exchangers of one preference in any order: the addresses several names share, and a Level."""

    shared: set[Address]
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
        limits: CountedLimits,
        *,
        alike: bool,
        nameless: bool = False,
        is_open: bool = False,
    ) -> None:
        self._order, self._sender, self._limits = case.dns_order, sender, limits
        self._alike, self._nameless, self._is_open = alike, nameless, is_open
        # A dead name counts where hosts are counted, or asked for one by one, and where it moves its neighbours
        counts = sender.limits.hosts is not None or not sender.asks.eager
        self._dead_matters = counts or sender.equals is EqualsOrder.ONE_SWAP_PASS
        self._is_drawn = sender.equals is EqualsOrder.RANDOM or (
            case.dns_order is DnsOrder.RANDOM and not sender.caches_mx and sender.equals is not EqualsOrder.ALPHABETICAL
        )  # a pass of swaps over a random order leaves it as random as it was
        self._is_drawn_inside = sender.inside is Inside.RANDOM or case.dns_order is DnsOrder.RANDOM
        self._contacts = Contacts(case, sender, is_open=is_open)
        self._likeness = Likeness(sender, limits, is_open=is_open)
        self._hosts_made: dict[tuple[int, bool], tuple[ModelExchanger, tuple[Node, ...]]] = {}
        self._facts: dict[int, _Facts] = {}
        self._passes = self._settles = False
        self._first: ModelExchanger | None = None

    def plan(self, groups: Iterable[tuple[ModelExchanger, ...]], first: ModelExchanger) -> tuple[ArrangedLevel, ...]:
        """A plan of the hosts of these preferences; `first` is that of all records."""
        self._first = first
        if self._sender.equals is EqualsOrder.RANDOM:  # who stands for whom is another matter in each
            self._contacts.forget()
            self._hosts_made.clear()
            self._likeness.forget()
        return tuple(map(self._level, groups))

    def _level(self, group: tuple[ModelExchanger, ...]) -> ArrangedLevel:
        """The hosts of one preference in the order of the sender, not yet drawn."""
        preference = group[0].preference  # in whatever order, and however turned, the exchangers of one are the same
        facts = self._facts.get(preference)
        if facts is None:
            facts = self._facts[preference] = self._look_at(group)
        self._passes = facts.passes and self._alike
        self._settles = facts.settles
        self._likeness.counts_refusals = {
            Exhausted.DEFER: False,
            Exhausted.LAST: not facts.settles,  # who says the last word is a matter of order
            Exhausted.ALL: not (facts.settles or facts.passes),
        }[self._sender.exhausted]
        hosts = self._hosts_of(group, facts)
        return ArrangedLevel(hosts, facts.settles, facts.passes, facts.refused, facts.unsure, facts.kept)

    def _look_at(self, group: tuple[ModelExchanger, ...]) -> _Facts:
        sender, limits, shared = self._sender, self._limits, set[Address]()
        if sender.drops_duplicates:
            counts = Counter(address for each in group for address in each.addresses)
            shared = {address for address, count in counts.items() if count > 1}
        kinds = {(self._contacts.is_alone(each), self._contacts.modes(each)) for each in group}
        thens = [(len(met), {self._thens(mode, alone=alone) for mode in met}) for alone, met in kinds]
        met = {mode for _alone, each in kinds for mode in each}
        can_be_cut = limits.addresses or limits.hosts or limits.sessions or limits.families
        return _Facts(
            shared,
            settles=not can_be_cut and any(_goes_through(*each) and not all(map(may_go_on, each[1])) for each in thens),
            passes=not can_be_cut and all(_goes_through(*each) and not any(map(may_end, each[1])) for each in thens),
            refused=not sender.refusals.isdisjoint(met),
            unsure=not sender.refusals.issuperset(met),
            kept=not sender.keeps.isdisjoint(met),
        )

    def _thens(self, met: Mode, *, alone: bool) -> tuple[Then, ...]:
        return tuple([then_of(then, alone=alone) for then in thens_of(self._sender, met)])

    def _hosts_of(self, group: tuple[ModelExchanger, ...], facts: _Facts) -> Node:
        families, shared = self._sender.families, facts.shared
        if families is Families.V6_LEVEL:
            parts = [tuple(self._contacts.of_family(each, version) for each in group) for version in (6, 4)]
            return row(self._ordered(part, shared) for part in parts)
        hosts = self._ordered(group, shared)
        return Pass(hosts, _v6_goes_ahead) if families is Families.V6_PASS and _has_both_families(group) else hosts

    def _ordered(self, group: tuple[ModelExchanger, ...], shared: set[Address]) -> Node:
        if self._is_drawn:
            kinds = self._contacts.alike(group, shared) if self._alike else [[each] for each in group]
            return self._any_order([(node, len(kind)) for kind in kinds for node in self._hosts(kind, shared)], shared)
        if self._sender.equals is EqualsOrder.ALPHABETICAL:
            group = tuple(sorted(group, key=lambda each: each.name))
        elif self._sender.equals is EqualsOrder.FIRST_THEN_REVERSED:
            group = _backwards(group, self._first)
        hosts = row(chain.from_iterable(self._hosts([each], shared) for each in group))
        return Pass(hosts, _coin) if self._sender.equals is EqualsOrder.ONE_SWAP_PASS else hosts

    def _any_order(self, hosts: Counts, shared: set[Address]) -> Node:
        drawn = self._bag(self._without_times(hosts))
        # Who is where between the first and the last matters to neighbours, to duplicates and to the clock of overlaps
        plain = self._sender.families is not Families.V6_PASS and not shared and not self._sender.waits.spacing_s
        return first_and_last(drawn.kinds) if self._passes and plain and isinstance(drawn, Bag) else drawn

    def _without_times(self, hosts: Counts) -> Counts:
        """The hosts, with the mean time in place of its own for each that costs nothing but time.

        Where somebody ends the attempt for sure, who is asked before is a matter of chance, so that each contact lasts
        as long in the mean as any other; and the longest attempt has all of them.
        """
        waits = self._sender.waits
        overlaps = any((waits.spacing_s, waits.per_host, waits.overlap_s, waits.fallback_s, waits.hurry_s))
        if overlaps or self._is_open or not (self._settles and self._alike):
            return hosts
        found = [(host, contacts_of(host)) for host, _count in hosts]
        idle = {id(host): contacts[0] for host, contacts in found if len(contacts) == 1 and _only_lasts(*contacts)}
        waits_s = [(idle[id(host)].wait_s * count, count) for host, count in hosts if id(host) in idle]
        mean_s = sum(wait_s for wait_s, _count in waits_s) / max(sum(count for _wait_s, count in waits_s), 1)
        lasting = {
            each: Host.of(replace(contact, wait_s=mean_s, silent=False, members=[*contact.members]))
            for each, contact in idle.items()
        }
        return [(lasting.get(id(host), host), count) for host, count in hosts]

    def _hosts(self, alike: list[ModelExchanger], shared: set[Address]) -> tuple[Node, ...]:
        """The nodes of exchangers that are alike; every order of an answer has the same."""
        key = id(alike[0]), self._likeness.counts_refusals
        if key not in self._hosts_made:
            hosts = self._made_of(alike, shared)
            is_named = not self._nameless or set(self._contacts.modes(alike[0])) == {Mode.ACCEPT}
            self._hosts_made[key] = alike[0], tuple(hosts if is_named else map(self._likeness.nameless, hosts))
        return self._hosts_made[key][1]

    def _made_of(self, alike: list[ModelExchanger], shared: set[Address]) -> Iterator[Node]:
        each, is_passed = alike[0], self._sender.families is Families.V6_PASS
        if self._sender.unit is Unit.ADDRESS:
            contacts = self._contacts.of(alike, shared)
            yield from map(Host.of, chain(contacts[4], contacts[6]))
        elif is_passed and each.addresses:  # each address is a host of its own, but they stay together
            contacts = self._contacts.of(alike, shared)
            yield row(self._inside([*map(Host.of, contacts[version])]) for version in (6, 4))
        elif each.dead and self._dead_matters and not is_passed:
            yield NOBODY
        elif each.addresses:
            open_up = partial(self._opened, alike, shared)
            yield Host.of(open_up()) if self._is_drawn_inside else Host(open_up)

    def _opened(self, alike: list[ModelExchanger], shared: set[Address]) -> Node:
        contacts = self._contacts.of(alike, shared)
        return self._together({version: self._inside(contacts[version]) for version in (4, 6)})

    def _together(self, families: dict[int, Node]) -> Node:
        match self._sender.families:
            case Families.IN_TURN:
                return Weave(families[6], families[4])
            case Families.V4_FIRST | Families.ALIKE:
                return row((families[4], families[6]))
            case _:
                return row((families[6], families[4]))

    def _inside(self, items: list[Node]) -> Node:
        if self._is_drawn_inside:
            return self._bag([(item, 1) for item in items])
        if self._order in (DnsOrder.ROTATE_APART, DnsOrder.CACHED):  # else the plan has them as they are turned
            return rotations(tuple(items))
        return row(items)

    def _bag(self, items: Counts) -> Node:
        return self._likeness.bag(items) if self._alike else bag(item for item, _one in items)


def _has_both_families(group: Iterable[ModelExchanger]) -> bool:
    return len({address.version for each in group for address in each.addresses}) == 2


def _only_lasts(contact: ModelContact) -> bool:
    return contact.alone and not contact.shared and contact.then not in ENDS


def _backwards(group: tuple[ModelExchanger, ...], first: ModelExchanger | None) -> tuple[ModelExchanger, ...]:
    """Each record put behind the first of all: OpenSMTPD's list of exchangers (smtpd/mta.c)."""
    front = tuple(each for each in group if first and (each.name, each.preference) == (first.name, first.preference))
    return (*front, *(each for each in reversed(group) if each not in front))


def _goes_through(addresses: int, thens: set[tuple[Then, ...]]) -> bool:
    """Whether a host is asked at all its addresses, unless one of them ends the attempt."""
    return addresses == 1 or all(_STAYS.issuperset(each) for each in thens)


def _coin(_carried: Host, _following: Host) -> Fraction:
    return Fraction(1, 2)


def _v6_goes_ahead(carried: Host, following: Host) -> Fraction:
    first, second = (contacts_of(host)[0].target.address.version for host in (carried, following))
    return Fraction(first == 4 and second == 6)
