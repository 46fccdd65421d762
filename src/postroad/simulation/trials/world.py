"""The environment of a sender: outages, greylisting, and the caches of its resolvers."""

from __future__ import annotations

import math
from itertools import takewhile

import numpy as np

from postroad.simulation.trials.dice import DrawKind, Real, Whole, chance, key, throw
from postroad.simulation.trials.places import MODES, Moment, Ranks, TrialPlaces
from postroad.simulation.trials.trial import Trial
from postroad.words.faults import Mode

_GREY = MODES.index(Mode.R450)
_NEVER = np.inf
# A question by who asks, in which TTL, for which name (0: the domain): 32 + 20 + 12 bits
_WHO, _SPAN, _NAMES = np.uint64(32), np.uint64(12), np.uint64(2**12 - 1)
_MOST_PENDING = 2**20


class Outside:
    """The addresses of a domain over time."""

    def __init__(self, trial: Trial, places: TrialPlaces) -> None:
        numbers = {address: number for number, address in enumerate(places.addresses)}
        known = [each for each in trial.outages if each.address in numbers]
        lasting = list(takewhile(lambda each: not each.from_s and each.until_s == math.inf, known))
        self._always = np.zeros(len(numbers), np.int64)
        for each in lasting:
            self._always[numbers[each.address]] = MODES.index(each.mode)
        self._outages = [
            (numbers[each.address], MODES.index(each.mode), each.from_s, each.until_s) for each in known[len(lasting) :]
        ]

    def modes(self, server: Ranks, at_s: Real) -> Ranks:
        """How each server behaves at each time; of two outages the later named counts."""
        modes: Ranks = self._always[server]
        for place, mode, from_s, until_s in self._outages:
            modes[(server == place) & (at_s >= from_s) & (at_s < until_s)] = mode
        return modes


class Greylists:
    """Whom the servers have seen: of each message, when each of its sender's addresses was first told to wait."""

    def __init__(self, trial: Trial, places: TrialPlaces, seed: int, messages: int, machines: int) -> None:
        grey = trial.greylist
        self._delay_s = grey.delay_s if grey else 0.0
        servers = places.addresses
        self._is_grey = np.array(
            [grey is not None and (not grey.addresses or each in grey.addresses) for each in servers]
        )
        alone = grey is not None and not grey.shared
        self._list_of = np.arange(len(servers)) if alone else np.zeros(len(servers), np.int64)
        self._lists, self._machines = (len(servers) if alone else 1), machines
        self._draw = key(seed, DrawKind.MACHINE)
        self._seen_s = np.full((messages if grey else 0, machines * self._lists), _NEVER)

    def machine(self, moment: Moment) -> Ranks:
        """From which of the sender's addresses each attempt comes."""
        drawn = throw(self._draw, (moment.message << np.uint64(10)) + moment.tried.astype(np.uint64))
        return (drawn % np.uint64(self._machines)).astype(np.int64)

    def meet(self, modes: Ranks, who: tuple[Ranks, Ranks], server: Ranks, at_s: Real) -> None:
        """Turn an acceptance into a 450 for those not seen long ago enough; `who`: message and machine."""
        asked = (modes == 0) & self._is_grey[server]
        message, machine = who[0][asked], who[1][asked]
        entry = machine * self._lists + self._list_of[server[asked]]
        seen_s = np.minimum(self._seen_s[message, entry], at_s[asked])
        self._seen_s[message, entry] = seen_s
        modes[np.flatnonzero(asked)[at_s[asked] < seen_s + self._delay_s]] = _GREY


class Resolvers:
    """One resolver for each source, whose cache begins a new TTL at moments of its own.

    It asks the domain's servers once in a TTL for what is wanted of it in that time. `flush` counts what was asked.
    """

    def __init__(self, trial: Trial, places: TrialPlaces, seed: int) -> None:
        self._asks, self._ttl_s, self._one = trial.sender.asks, trial.ttl_s, trial.workload.one_domain
        self._in_step = self._one and self._asks.eager  # hosts are asked for whenever the domain is
        self._phase = key(seed, DrawKind.PHASE)
        self._names, self._asked, self._name_of = len(places.names), places.asked, places.name_of
        self._pending: list[Whole] = []
        self._waiting = 0  # attempts since those were thinned
        self._carried: Whole = np.zeros(0, np.uint64)
        self._domains = self._hosts = 0

    def span(self, source: Whole, at_s: Real) -> Whole:
        """Which TTL it is at each source."""
        if not self._ttl_s:
            return np.zeros(source.size, np.uint64)
        return (at_s / self._ttl_s + chance(self._phase, source)).astype(np.uint64)

    def ask(self, moment: Moment, attempt: Ranks, place: Ranks) -> None:
        """What these attempts ask for; `attempt` and `place` are all contacts made in them."""
        if self._asks.eager:
            who, name, each = moment.source, np.zeros(moment.source.size, np.uint64), self._asked
            span = moment.span
        else:
            pairs = np.unique(attempt * self._names + self._name_of[place])
            pairs = pairs[pairs % self._names < self._asked]
            attempt, name, each = pairs // self._names, (pairs % self._names).astype(np.uint64), 1
            who, span = moment.source[attempt], moment.span[attempt]
        if not self._ttl_s:
            self._domains += moment.message.size
            self._hosts += name.size * each
            return
        domain = moment.source if self._one else moment.message
        self._pending.append(_number(domain, moment.span, np.uint64(0)))
        if not self._in_step:
            self._pending.append(_number(who, span, name + np.uint64(1)))
        self._waiting += moment.message.size
        if self._waiting > _MOST_PENDING:
            self._pending, self._waiting = [_distinct(self._pending)], 0

    def flush(self, next_source: int) -> None:
        """Count what was asked so far, of sources that ask no more but for the next one."""
        if not self._pending:
            return
        keys = _distinct([*self._pending, self._carried])
        domains = _of_domain(keys) - _of_domain(self._carried)
        hosts = keys.size - self._carried.size - domains
        self._domains += domains
        self._hosts += domains * self._asked if self._in_step else hosts * (self._asked if self._asks.eager else 1)
        self._carried = keys[keys >> _WHO == next_source]
        self._pending, self._waiting = [], 0

    @property
    def asked(self) -> tuple[int, int, int]:
        """Questions for MX, A and AAAA. One that is asked twice is answered by the cache the second time."""
        asks, most = self._asks, 1 if self._ttl_s else 9
        mx, own_a, own_aaaa = (min(count, most) * self._domains for count in (asks.mx, asks.domain_a, asks.domain_aaaa))
        return mx, own_a + min(asks.a, most) * self._hosts, own_aaaa + min(asks.aaaa, most) * self._hosts


def _number(who: Whole, span: Whole, name: Whole | np.uint64) -> Whole:
    return (who << _WHO) + (span << _SPAN) + name


def _of_domain(keys: Whole) -> int:
    return int((keys & _NAMES == 0).sum())


def _distinct(keys: list[Whole]) -> Whole:
    """Each once; what comes in runs is thinned before it is sorted."""
    joined = np.concatenate(keys)
    begins = np.ones(joined.size, np.bool_)
    begins[1:] = joined[1:] != joined[:-1]
    thinned = np.sort(joined[begins])
    begins = np.ones(thinned.size, np.bool_)
    begins[1:] = thinned[1:] != thinned[:-1]
    distinct: Whole = thinned[begins]
    return distinct
