"""Where in the graph an attempt begins: the order in which DNS gave the records, and the turn of the sender itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from random import Random

import numpy as np

from postroad.models import EqualsOrder, Families, Inside, PreferenceUse, Sender, Then, Unit
from postroad.simulation.arrange import ArrangedLevel
from postroad.simulation.case import Case, DnsOrder
from postroad.simulation.contacts import ModelExchanger
from postroad.simulation.plans import open_plans
from postroad.simulation.trials.dice import DrawKind, Whole, chance, key, throw
from postroad.simulation.trials.graph import TrialGraph
from postroad.simulation.trials.places import Choices, Moment, Ranks
from postroad.simulation.trials.trial import Trial
from postroad.words.names import Address

MOST = 4096
"""Orders of one kind that are told apart; of more, so many are drawn at random."""


class Situations:
    """The nodes where attempts begin.

    An order that a resolver keeps is drawn for each of its TTLs, and the records are put into it; any other order is
    drawn within the graph.
    """

    def __init__(self, trial: Trial, seed: int, found: Sequence[ModelExchanger], graph: TrialGraph) -> None:
        self._trial, self._found, self._graph = trial, tuple(found), graph
        self._draws = [key(seed, DrawKind.ANSWER, what) for what in range(3)]
        self._mx_orders = _mx_orders(trial, len(found))
        self._sizes = _set_sizes(trial, found)
        self._set_orders = min(prod(self._sizes.values()), MOST)
        self._attempts = len(found) if trial.sender.equals is EqualsOrder.BY_ATTEMPT else 1
        later = once_it_is_old(trial.sender)
        self._senders = (trial.sender, later) if later else (trial.sender,)
        self._begins: dict[int, Ranks] = {}

    def begin(self, moment: Moment) -> Ranks:
        """The node of each attempt."""
        if self._mx_orders == self._set_orders == self._attempts == len(self._senders) == 1:
            begins = self._begin(0)
            return begins[self._which(begins.size, moment)]
        distinct, which = np.unique(self._numbers(moment), return_inverse=True)
        table = np.stack([self._begin(number) for number in distinct.tolist()])
        found: Ranks = table[which, self._which(table.shape[1], moment)]
        return found

    def _numbers(self, moment: Moment) -> Whole:
        # Each new domain has an MX answer of its own
        kept = self._trial.sender.caches_mx or self._trial.workload.one_domain
        mx = throw(self._draws[0], moment.each_span if kept else moment.each_draw) % np.uint64(self._mx_orders)
        sets = throw(self._draws[1], moment.each_span) % np.uint64(self._set_orders)
        turn = ((moment.tried - 1) % self._attempts).astype(np.uint64)
        numbers: Whole = (mx * np.uint64(self._set_orders) + sets) * np.uint64(self._attempts) + turn
        if len(self._senders) == 1:
            return numbers
        return numbers * np.uint64(2) + self._goes_in_clear(moment).astype(np.uint64)

    def _goes_in_clear(self, moment: Moment) -> Choices:
        return (moment.tried > 1) & (moment.age_s >= self._trial.sender.clear_later.after_s)

    def _which(self, plans: int, moment: Moment) -> Ranks:
        """Which of so many plans each follows, each as likely."""
        if plans == 1:
            return np.zeros(moment.message.size, np.int64)
        return (chance(self._draws[2], moment.each_draw) * plans).astype(np.int64)

    def _begin(self, number: int) -> Ranks:
        if number not in self._begins:
            numbers, later = divmod(number, len(self._senders))
            orders, turn = divmod(numbers, self._attempts)
            mx, sets = divmod(orders, self._set_orders)
            plans = self._plans(mx, sets, turn)
            self._begins[number] = np.array([self._graph.begin(self._senders[later], levels) for levels in plans])
        return self._begins[number]

    def _plans(self, mx: int, sets: int, turn: int) -> list[tuple[ArrangedLevel, ...]]:
        sender, order = self._trial.sender, self._trial.dns_order
        found = self._turned(mx, sets)
        if sender.equals is EqualsOrder.BY_ATTEMPT:
            listed = sorted(found, key=lambda each: each.preference)
            found = (*listed[turn:], *listed[:turn])
            sender = replace(sender, preference=PreferenceUse.IGNORED)
        # Exim's pass mixes the addresses of hosts: then places of hosts that are alike are not alike
        alike = sender.families is not Families.V6_PASS or all(len(each.addresses) == 1 for each in found)
        order = DnsOrder.FIXED if order is DnsOrder.CACHED else order
        return open_plans(Case(self._trial.snapshot, sender.name, order), sender, found, alike=alike)

    def _turned(self, mx: int, sets: int) -> tuple[ModelExchanger, ...]:
        """The records in one order of the answers."""
        found = list(self._found)
        if self._mx_orders == MOST:
            Random(mx).shuffle(found)
        else:
            found = found[mx:] + found[:mx]
        if self._set_orders == 1:
            return tuple(found)
        turns = self._turns(sets)
        return tuple(replace(each, addresses=tuple(_addresses(each, turns))) for each in found)

    def _turns(self, number: int) -> Mapping[tuple[str, int], int]:
        """How far each set of addresses is turned."""
        if prod(self._sizes.values()) > MOST:
            rng = Random(number)
            return {which: rng.randrange(size) for which, size in self._sizes.items()}
        turns = {}
        for which, size in self._sizes.items():
            number, turns[which] = divmod(number, size)
        return turns


def once_it_is_old(sender: Sender) -> Sender | None:
    """The sender with a message so old that it goes without TLS where that broke; None: it never does.

    So does Postfix (src/smtp/smtp.h: PLAINTEXT_FALLBACK_OK_AFTER_STARTTLS_FAILURE): to the same server, at once.
    """
    if not sender.clear_later.modes:
        return None
    again = dict.fromkeys(sender.clear_later.modes, Then.RECONNECT_IN_CLEAR)
    return replace(sender, reactions={**sender.reactions, **again})


def _addresses(each: ModelExchanger, turns: Mapping[tuple[str, int], int]) -> Iterator[Address]:
    for version in (4, 6):
        among = [address for address in each.addresses if address.version == version]
        turn = turns.get((each.name, version), 0)
        yield from among[turn:] + among[:turn]


def _set_sizes(trial: Trial, found: Sequence[ModelExchanger]) -> Mapping[tuple[str, int], int]:
    """How large each set of addresses is that a resolver keeps in an order, where its order matters."""
    sender = trial.sender
    shuffled = sender.unit is Unit.ADDRESS and sender.equals is EqualsOrder.RANDOM
    if trial.dns_order is not DnsOrder.CACHED or sender.inside is not Inside.GIVEN or shuffled:
        return {}
    sizes = Counter((each.name, address.version) for each in found for address in each.addresses)
    return {which: size for which, size in sizes.items() if size > 1}


def _mx_orders(trial: Trial, count: int) -> int:
    """In how many orders a resolver, or the sender itself, may keep the MX set."""
    sender, order = trial.sender, trial.dns_order
    if sender.equals in (EqualsOrder.RANDOM, EqualsOrder.ALPHABETICAL) or order is DnsOrder.FIXED:
        return 1
    if sender.caches_mx:
        return MOST if order is DnsOrder.RANDOM else count
    return count if order is DnsOrder.CACHED else 1
