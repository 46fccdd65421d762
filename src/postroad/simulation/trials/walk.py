"""One attempt of many messages at once, contact by contact, until each one has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import numpy as np

from postroad.senders.model import ENDS, Exhausted, Families, Later, Sender, Then, Unit
from postroad.simulation.arrange import IN_SESSION, SLOW_S, TARPIT_S
from postroad.simulation.trials.dice import Real, Whole
from postroad.simulation.trials.lineup import USED, Choices, Lineup, Ranks
from postroad.words.faults import Mode
from postroad.words.outcome import Result

MODES = tuple(Mode)  # a mode is its place here; the first is ACCEPT
DELIVERED, DEFERRED, FAILED = 0, 1, 2
NOWHERE = -1
_GOES_ON = -1
_RESULT_OF = {Result.DELIVERED: DELIVERED, Result.DEFERRED: DEFERRED, Result.FAILED: FAILED}
_ENDS = np.array([_RESULT_OF[ENDS[then]] if then in ENDS else _GOES_ON for then in Then])
_GO_LEAST_S = 2.0  # as in `steps`
_SILENT = MODES.index(Mode.BLACKHOLE)

Meet = Callable[[Ranks, Ranks, Real], Ranks]
"""What is met, as places in MODES: asked with the columns of the attempts, the places contacted, and the times."""


@dataclass(slots=True)
class Ended:
    """How attempts ended: one entry each. Times are those of the trial."""

    result: Ranks
    first: Ranks  # the place contacted first, or NOWHERE
    last: Ranks  # the place contacted last: where it was delivered, if it was
    contacts: Ranks
    at_s: Real


@dataclass(slots=True)
class _Going:
    """The attempts still under way, as columns of one length, with what `steps.Tally` keeps of each.

    The three times are counted from the start of the last contact: `pace_s` until the next may start, `open_s` until
    the last silent one gives up, `late_s` until the next level may overtake it.
    """

    index: Ranks
    at_s: Real  # the last contact started
    pace_s: Real
    open_s: Real
    late_s: Real
    budget_s: Real  # left for the addresses of the host
    crossed: Choices  # silent contacts of an earlier level are still open
    contacts: int  # made in each: they go in step
    sessions: Ranks
    hosts: Ranks
    host: Ranks
    level: Ranks
    only_no: Choices  # all that were asked refused for good
    last_no: Choices  # the last one did
    cut: Choices  # a limit kept something back

    def keep(self, those: Choices) -> None:
        """Go on with those only."""
        for column in fields(self):
            if column.name != "contacts":
                setattr(self, column.name, getattr(self, column.name)[those])


class Walker:
    """A sender at the places of a domain."""

    def __init__(self, lineup: Lineup) -> None:
        self._lineup = lineup
        self._sender = sender = lineup.trial.sender
        alone = sender.unit is Unit.ADDRESS or sender.families is Families.V6_PASS
        self._host_of = np.arange(lineup.size) if alone else lineup.host_of
        self._then = np.array([list(Then).index(sender.after(mode)) for mode in MODES])
        late_s = {Mode.SLOW: SLOW_S, Mode.TARPIT: TARPIT_S, Mode.BLACKHOLE: sender.waits.connect_s}
        late_s[Mode.MUTE] = sender.waits.greeting_s
        self._waits_s = np.array([late_s.get(mode, 0.0) for mode in MODES])
        self._refuses = _among(sender.refusals)
        self._in_session = _among(IN_SESSION)
        self._limit = _binding(sender, lineup.size)
        self._shares = _family_shares(sender, lineup.v6) if self._limit else {}
        self._last_level = int(lineup.level_of.max())

    def attempt(self, keys: Whole, starts_s: Real, meet: Meet) -> Ended:
        """Contact the places by their keys, which are used up in the course."""
        count = starts_s.size
        none = np.full(count, NOWHERE)
        ended = Ended(np.full(count, DEFERRED), none, none.copy(), np.zeros(count, np.int64), starts_s.copy())
        going = _begin(starts_s, self._sender.waits.connect_s)
        while going.index.size:  # every turn is one contact of each
            place, key = _least(keys)
            alive = (key != USED) & ~self._is_over(going, place)
            if not alive.all():
                self._exhaust(going, ended, ~alive)
                keys, place = keys[:, alive], place[alive]
                going.keep(alive)
            if not going.index.size:
                break
            on = self._contact(going, ended, keys, place, meet)
            going.contacts += 1
            if not on.all():
                keys = keys[:, on]
                going.keep(on)
        return ended

    def _is_over(self, going: _Going, place: Ranks) -> Choices:
        """Whether a limit stands before the next contact."""
        limits, over = self._sender.limits, np.zeros(place.size, np.bool_)
        if self._limit is not None and limits.later is Later.NOTHING:
            over |= going.contacts >= self._limit
        if limits.sessions is not None:
            over |= going.sessions >= limits.sessions
        if limits.hosts is not None:
            over |= (going.hosts >= limits.hosts) & (self._host_of[place] != going.host)
        going.cut |= over
        return over

    def _exhaust(self, going: _Going, ended: Ended, those: Choices) -> None:
        """Nobody is left to ask."""
        index = going.index[those]
        ended.at_s[index] = (going.at_s + going.open_s)[those]
        rule = self._sender.exhausted
        if rule is not Exhausted.DEFER:
            no = going.only_no if rule is Exhausted.ALL else going.last_no & ~going.cut
            ended.result[index] = np.where((no & bool(going.contacts))[those], FAILED, DEFERRED)

    def _contact(self, going: _Going, ended: Ended, keys: Whole, place: Ranks, meet: Meet) -> Choices:
        """Contact a place each, and say who goes on."""
        if going.contacts:
            self._start(going, place)
        going.hosts = going.hosts + (self._host_of[place] != going.host)
        going.level, going.host = self._lineup.level_of[place], self._host_of[place]
        mode = meet(going.index, place, going.at_s)
        then = self._then[mode]
        if not going.contacts:
            ended.first[going.index] = place
        ended.last[going.index] = place
        ended.contacts[going.index] += 1 + (then == _code(Then.RECONNECT_IN_CLEAR))
        self._remember(going, mode)
        on = self._settle(going, ended, then, going.at_s + self._waits_s[mode])
        if on.any():
            self._cross_out(going, keys, place, then)
            self._take_time(going, keys, mode, place)
        return on

    def _start(self, going: _Going, place: Ranks) -> None:
        """The pause before a contact, and what is open at its start (as `steps.Steps` has it)."""
        waits = self._sender.waits
        level, host = self._lineup.level_of[place], self._host_of[place]
        begun, is_new_host = going.level == level, going.host != host
        patient_s = np.maximum(going.pace_s, going.open_s)
        rising_s = patient_s
        if waits.level_overlap_s is not None:
            rising_s = np.minimum(patient_s, np.maximum(going.pace_s, going.late_s))
        staying_s = np.where(going.crossed, np.minimum(going.open_s, going.late_s), going.pace_s)
        if waits.fallback_s is not None:
            staying_s = np.where(is_new_host, patient_s, staying_s)  # the host is given up as a whole
        pause_s = np.where(begun, staying_s, rising_s)
        going.at_s = going.at_s + pause_s
        going.open_s = np.maximum(going.open_s - pause_s, 0.0)
        going.late_s = np.maximum(going.late_s - pause_s, 0.0)
        going.crossed = (going.open_s > 0) & (going.crossed | ~begun)
        going.budget_s = np.where(is_new_host, waits.connect_s, going.budget_s)

    def _take_time(self, going: _Going, keys: Whole, mode: Ranks, place: Ranks) -> None:
        """How long the next contact has to wait for one that ended nothing."""
        waits, silent = self._sender.waits, mode == _SILENT
        going.pace_s = np.maximum(self._waits_s[mode], waits.spacing_s)
        if not silent.any():
            return
        left = (keys != USED) & (self._host_of[:, None] == going.host)
        alike = (left & (self._lineup.v6[:, None] == self._lineup.v6[place])).sum(axis=0)
        wait_s = self._patience_s(going, silent, alike)
        if waits.hurry_s is not None:
            wait_s = np.where(left.any(axis=0), np.minimum(wait_s, waits.hurry_s), wait_s)
        pace_s = wait_s
        if waits.overlap_s is not None:
            pace_s = np.where(going.crossed, waits.level_overlap_s or waits.overlap_s, waits.overlap_s)
        elif waits.fallback_s is not None:
            pace_s = np.where(left.sum(axis=0) > alike, waits.fallback_s, pace_s)
        going.pace_s = np.where(silent, np.minimum(pace_s, wait_s), going.pace_s)
        going.open_s = np.where(silent, np.maximum(going.open_s, wait_s), going.open_s)
        going.late_s = np.where(silent, waits.level_overlap_s or 0.0, going.late_s)

    def _patience_s(self, going: _Going, silent: Choices, alike: Ranks) -> Real:
        """How long a silent address is waited for; `alike`: addresses of its family that its host has left."""
        waits = self._sender.waits
        if not waits.per_host:
            return np.full(silent.size, waits.connect_s)
        budget_s = going.budget_s
        wait_s = np.minimum(budget_s, np.maximum(budget_s / (alike + 1), _GO_LEAST_S))
        going.budget_s = np.where(silent, np.where(alike > 0, budget_s - wait_s, waits.connect_s), budget_s)
        return wait_s

    def _remember(self, going: _Going, mode: Ranks) -> None:
        going.sessions = going.sessions + self._in_session[mode]
        going.last_no = self._refuses[mode]
        going.only_no = going.only_no & going.last_no

    def _settle(self, going: _Going, ended: Ended, then: Ranks, at_s: Real) -> Choices:
        """Write down who has ended; who goes on is told."""
        result = _ENDS[then]
        on: Choices = result == _GOES_ON
        if not on.any():
            ended.result[going.index], ended.at_s[going.index] = result, at_s
            return on
        over = ~on
        ended.result[going.index[over]] = result[over]
        ended.at_s[going.index[over]] = at_s[over]
        return on

    def _cross_out(self, going: _Going, keys: Whole, place: Ranks, then: Ranks) -> None:
        """No place is contacted twice, and some are not contacted any more."""
        keys[place, np.arange(place.size)] = USED
        lineup, sender = self._lineup, self._sender
        leaves = np.isin(then, [_code(Then.NEXT_HOST), _code(Then.NEXT_EQUAL)])
        if leaves.any():
            keys[(self._host_of[:, None] == self._host_of[place]) & leaves] = USED
        stays = then == _code(Then.NEXT_EQUAL)
        if stays.any():
            keys[(lineup.level_of[:, None] > going.level) & stays] = USED
        if sender.drops_duplicates:
            keys[lineup.address_of[:, None] == lineup.address_of[place]] = USED
        self._cross_out_beyond(going, keys)

    def _cross_out_beyond(self, going: _Going, keys: Whole) -> None:
        """What limits leave of this level and of later ones."""
        limits, level_of = self._sender.limits, self._lineup.level_of[:, None]
        if self._limit is not None and limits.later is not Later.NOTHING:
            kept_free = self._last_level - going.level if limits.later is Later.ONE_WITHIN else 0
            self._cut(going, keys, (level_of <= going.level) & (going.contacts + 1 >= self._limit - kept_free))
        for six, share in self._shares.items():
            family = (self._lineup.v6 == six)[:, None]
            keys[family & (((keys == USED) & family).sum(axis=0) >= share)] = USED

    def _cut(self, going: _Going, keys: Whole, those: Choices) -> None:
        live = those & (keys != USED)
        going.cut |= live.any(axis=0)
        keys[live] = USED


def _begin(starts_s: Real, connect_s: float) -> _Going:
    count = starts_s.size

    def none() -> Ranks:
        return np.full(count, NOWHERE)

    def zero() -> Ranks:
        return np.zeros(count, np.int64)

    def no() -> Choices:
        return np.zeros(count, np.bool_)

    def zero_s() -> Real:
        return np.zeros(count)

    return _Going(
        index=np.arange(count),
        at_s=starts_s,
        pace_s=zero_s(),
        open_s=zero_s(),
        late_s=zero_s(),
        budget_s=np.full(count, connect_s),
        crossed=no(),
        contacts=0,
        sessions=zero(),
        hosts=zero(),
        host=none(),
        level=none(),
        only_no=~no(),
        last_no=no(),
        cut=no(),
    )


def _least(keys: Whole) -> tuple[Ranks, Whole]:
    """The row of the least key of each column, and the key: faster than argmin, for the rows are few."""
    least, row = keys[0].copy(), np.zeros(keys.shape[1], np.int64)
    for place in range(1, keys.shape[0]):
        np.copyto(row, place, where=keys[place] < least)
        np.minimum(least, keys[place], out=least)
    return row, least


def _binding(sender: Sender, total: int) -> int | None:
    limit = sender.limits.addresses
    return limit if limit is not None and total > limit else None


def _family_shares(sender: Sender, v6: Choices) -> dict[bool, int]:
    """Postfix beyond its limit of addresses: neither family takes more than its half, unless the other has less."""
    limit, six, four = sender.limits.addresses or 0, int(v6.sum()), int((~v6).sum())
    if not sender.limits.family_share or not (six and four):
        return {}
    half = limit // 2
    share = six if six <= half else limit - four if four <= half else half
    return {True: share, False: limit - share}


def _among(modes: Iterable[Mode]) -> Choices:
    return np.isin(np.arange(len(MODES)), [MODES.index(mode) for mode in modes])


def _code(then: Then) -> int:
    return list(Then).index(then)
