"""In which order a sender would contact the places of a domain: one number a place and message, the least first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postroad.simulation.arrange import Exchange
from postroad.simulation.model import Equals, Families, Inside, Preference, Sender, Unit
from postroad.simulation.nouns import DnsOrder
from postroad.simulation.trials.dice import Draw, Whole, key, throw
from postroad.simulation.trials.nouns import Trial
from postroad.words.names import Address

Ranks = NDArray[np.int64]
Choices = NDArray[np.bool_]

# A key is level, family (where it goes over hosts), host and place in the host: 8 + 1 + 31 + 24 bits
_LEVEL, _FAMILY, _HOST = np.uint64(56), np.uint64(55), np.uint64(24)
_HOST_BITS, _INNER_BITS = np.uint64(31), np.uint64(24)
USED = np.uint64(2**64 - 1)
"""The key of a place that is not contacted any more."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Who asks, and when: of each attempt its message and the try it is, its source, and the resolver's TTL span."""

    message: Whole
    tried: NDArray[np.int64]
    source: Whole
    span: Whole


@dataclass(frozen=True, slots=True)
class Lineup:
    """The places of a domain as one sender sees them: a place is an address of a host."""

    trial: Trial
    seed: int
    hosts: tuple[str, ...]  # in the order of the MX records
    addresses: tuple[Address, ...]
    address_of: Ranks
    host_of: Ranks
    level_of: Ranks  # 0 is contacted first
    preference_of_host: Ranks
    v6: Choices

    @property
    def size(self) -> int:
        """The number of places."""
        return self.address_of.size

    def keys(self, moment: Moment) -> Whole:
        """One row a place, one column an attempt."""
        sender, count = self.trial.sender, moment.message.size
        if sender.unit is Unit.ADDRESS:
            hosts = np.stack([self._bits(Draw.ORDER, place, moment) for place in range(self.size)])
        else:
            hosts = self._hosts(moment)[self.host_of]
        inner = np.broadcast_to(self._inner(moment), (self.size, count))
        keys = self._columns(1 + self.level_of, _LEVEL) | (hosts << _HOST) | inner  # from 1: no key is 0
        if sender.families is Families.V6_LEVEL:
            keys = keys | self._columns(~self.v6, _FAMILY)
        if sender.families is Families.V6_PASS and self.v6.any() and not self.v6.all():
            keys = self._six_pass(keys)
        return np.broadcast_to(keys, (self.size, count)).copy()

    def _columns(self, values: NDArray[np.generic], shift: np.uint64) -> Whole:
        return values.astype(np.uint64)[:, None] << shift

    def _bits(self, draw: Draw, place: int, moment: Moment) -> Whole:
        """As many fair bits as tell hosts apart, anew for each attempt."""
        start = key(self.seed, draw, place)
        return throw(start, _each_try(moment)) >> (np.uint64(64) - _HOST_BITS)

    def _hosts(self, moment: Moment) -> Whole:
        """The place of each host among its equals."""
        equals, count = self.trial.sender.equals, len(self.hosts)
        if equals is Equals.RANDOM:
            return np.stack([self._bits(Draw.ORDER, host, moment) for host in range(count)])
        if equals is Equals.ALPHABETICAL:
            by_name = {name: rank for rank, name in enumerate(sorted(self.hosts))}
            return np.array([[by_name[name]] for name in self.hosts], dtype=np.uint64)
        given = self._answer(np.arange(count), 0, self._when_mx(moment))
        if equals is Equals.ONE_SWAP_PASS:
            return self._swapped(given, moment)
        if equals is Equals.BY_ATTEMPT:
            turn = _rank(given + self._columns(self.preference_of_host, np.uint64(32)))
            return (turn + np.uint64(count) - ((moment.tried - 1) % count).astype(np.uint64)) % np.uint64(count)
        return given

    def _swapped(self, given: Whole, moment: Moment) -> Whole:
        """Haraka's pass: the one carried along changes places with the next equal by the fall of a coin."""
        level = self.preference_of_host
        listed = given + self._columns(level, np.uint64(32))
        at = _order(np.broadcast_to(listed, (len(self.hosts), moment.message.size)))
        coins = throw(key(self.seed, Draw.ORDER), _each_try(moment))

        def swap(carried: Ranks, following: Ranks, place: int) -> Choices:
            coin = coins if place < 64 else throw(key(self.seed, Draw.ORDER, place), _each_try(moment))
            heads: Choices = (coin >> np.uint64(place % 64)) & np.uint64(1) == 1
            heads &= level[carried] == level[following]
            return heads

        return _inverse(one_pass(at, swap))

    def _six_pass(self, keys: Whole) -> Whole:
        """Exim's pass: a v4 address changes places with the v6 one behind it, of one preference."""

        def swap(carried: Ranks, following: Ranks, _place: int) -> Choices:
            same: Choices = self.level_of[carried] == self.level_of[following]
            return same & ~self.v6[carried] & self.v6[following]

        return self._columns(1 + self.level_of, _LEVEL) | _inverse(one_pass(_order(keys), swap))

    def _inner(self, moment: Moment) -> Whole:
        """The place of each address within its host."""
        sender = self.trial.sender
        if sender.unit is Unit.ADDRESS:
            return np.zeros((self.size, 1), dtype=np.uint64)
        ranks = np.zeros((self.size, 1), dtype=np.uint64)
        for host, family in sorted({(int(host), bool(six)) for host, six in zip(self.host_of, self.v6, strict=True)}):
            among = np.flatnonzero((self.host_of == host) & (self.v6 == family))
            found = self._family(among, 2 * host + family, moment) if among.size > 1 else np.zeros((1, 1), np.uint64)
            if found.shape[1] > ranks.shape[1]:
                ranks = np.repeat(ranks, found.shape[1], axis=1)
            ranks[among] = found
        return self._between_families(ranks)

    def _between_families(self, ranks: Whole) -> Whole:
        six = self.v6[:, None]
        match self.trial.sender.families:
            case Families.V6_FIRST | Families.V6_PASS:
                return ranks + np.where(six, 0, 2**22).astype(np.uint64)
            case Families.V4_FIRST | Families.ALIKE:
                return ranks + np.where(six, 2**22, 0).astype(np.uint64)
            case Families.IN_TURN:
                return ranks * np.uint64(2) + np.where(six, 0, 1).astype(np.uint64)
        return ranks

    def _family(self, among: Ranks, which: int, moment: Moment) -> Whole:
        """The ranks of the addresses of one host and family."""
        index = np.arange(among.size)
        inside = self.trial.sender.inside
        if inside is Inside.RANDOM:
            return _rank(np.stack([self._bits(Draw.INNER, int(place), moment) for place in among]))
        if inside is Inside.TURNED and self.trial.dns_order is not DnsOrder.RANDOM:
            own = which if self.trial.dns_order is DnsOrder.ROTATE_APART else 0  # else a route turns in step
            start = throw(key(self.seed, Draw.INNER, own), moment.source) >> np.uint64(32)
            return _turned(index, start + moment.message + moment.tried.astype(np.uint64))
        return self._answer(index, 1 + which, self._when(moment))

    def _answer(self, index: Ranks, which: int, when: Whole) -> Whole:
        """The ranks of the records of one set in an answer of DNS; `which` set it is."""
        order = self.trial.dns_order
        start = key(self.seed, Draw.ANSWER, 0 if order is DnsOrder.ROTATE else which)  # one server turns them in step
        if order is DnsOrder.FIXED or index.size == 1:
            return index.astype(np.uint64)[:, None]
        if order is DnsOrder.RANDOM:
            return _rank(np.stack([throw(key(start, Draw.ANSWER, int(each)), when) for each in index]))
        return _turned(index, throw(start, when) >> np.uint64(32))

    def _when(self, moment: Moment) -> Whole:
        """What a set of addresses is asked for with: the same number gives the same answer."""
        return _each_span(moment) if self.trial.dns_order is DnsOrder.CACHED else _each_try(moment)

    def _when_mx(self, moment: Moment) -> Whole:
        if self.trial.sender.caches_mx:
            return _each_span(moment)
        return self._when(moment) if self.trial.workload.one_domain else _each_try(moment)


def line_up(trial: Trial, seed: int, found: Sequence[Exchange]) -> Lineup:
    """The places of the exchangers a sender found, in its levels."""
    addresses = tuple(dict.fromkeys(address for each in found for address in each.addresses))
    places = [(host, address) for host, each in enumerate(found) for address in each.addresses]
    preferences = [each.preference for each in found]
    levels = _levels(preferences, trial.sender)
    host_of = np.array([host for host, _address in places])
    return Lineup(
        trial,
        seed,
        tuple(each.name for each in found),
        addresses,
        np.array([addresses.index(address) for _host, address in places]),
        host_of,
        np.array([levels[preference] for preference in preferences])[host_of],
        np.array(preferences),
        np.array([address.version == 6 for _host, address in places]),
    )


def one_pass(at: Ranks, swap: Callable[[Ranks, Ranks, int], Choices]) -> Ranks:
    """Neighbours swapped once, front to back, along the first axis: who is at each place, before and after."""
    after, carried = at.copy(), at[0]
    for place in range(1, at.shape[0]):
        following = at[place]
        swapped = swap(carried, following, place)
        after[place - 1] = np.where(swapped, following, carried)
        carried = np.where(swapped, carried, following)
    after[-1] = carried
    return after


def _levels(preferences: Sequence[int], sender: Sender) -> dict[int, int]:
    if sender.preference is Preference.IGNORED or sender.equals is Equals.BY_ATTEMPT:
        # By attempt: the turn alone decides, and the preference only where the turn begins
        return dict.fromkeys(preferences, 0)
    falling = sender.preference is Preference.DESCENDING
    return {preference: rank for rank, preference in enumerate(sorted(set(preferences), reverse=falling))}


def _each_try(moment: Moment) -> Whole:
    return (moment.message << np.uint64(10)) + moment.tried.astype(np.uint64)


def _each_span(moment: Moment) -> Whole:
    return (moment.source << np.uint64(32)) + moment.span


def _turned(index: Ranks, turn: Whole) -> Whole:
    count = np.uint64(index.size)
    turned: Whole = (index.astype(np.uint64)[:, None] + count - turn[None, :] % count) % count
    return turned


def _order(keys: Whole) -> Ranks:
    order: Ranks = np.argsort(keys, axis=0, kind="stable")
    return order


def _inverse(order: Ranks) -> Whole:
    ranks = np.empty(order.shape, dtype=np.uint64)
    places = np.broadcast_to(np.arange(order.shape[0], dtype=np.uint64)[:, None], order.shape)
    np.put_along_axis(ranks, order, places, axis=0)
    return ranks


def _rank(keys: Whole) -> Whole:
    return _inverse(_order(keys))
