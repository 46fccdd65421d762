"""Attempts in which failed addresses are tried again: all of them from the start, or each after its rest.

While nothing changes out there whoever is asked again says what he said: only what a change may reach is played.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from postroad.models import ENDS, Then
from postroad.simulation.contacts import lasts_s
from postroad.simulation.trials.attempts import EndedAttempts, Meet
from postroad.simulation.trials.dice import Real
from postroad.simulation.trials.graph import DEFERRED, RESULTS
from postroad.simulation.trials.places import MODES, NOWHERE, Choices, Ranks
from postroad.simulation.trials.trial import Trial
from postroad.words.faults import Mode

UNREACHED = frozenset({Mode.REFUSE, Mode.BLACKHOLE})
MOST = 2000  # contacts of one attempt in later rounds: OpenSMTPD's may go on for an hour, then they are given up


@dataclass(slots=True)
class Met:
    """Contacts in the order they were made: of which attempt, where, when, and what was met."""

    row: Ranks
    place: Ranks
    at_s: Real
    mode: Ranks


class RepeatedRounds:
    """When attempts ask again, by what a sender's file says."""

    def __init__(self, trial: Trial) -> None:
        sender = trial.sender
        self._rounds, self._beat_s = sender.rounds, sender.waits.spacing_s
        times = {time_s for each in trial.outages for time_s in (each.from_s, each.until_s)}
        self._changes_s = np.array([*sorted(times - {np.inf}), np.inf])
        self.rest = sender.rounds.first_s is not None and self._changes_s.size > 1  # else nobody says anything new
        thens = [sender.after(mode) for mode in MODES]
        self.is_word = np.array([mode not in UNREACHED for mode in MODES])
        self._ends_as = np.array([RESULTS.index(ENDS[then]) if then in ENDS else NOWHERE for then in thens])
        self._contacts = np.array([1 + (then is Then.RECONNECT_IN_CLEAR) for then in thens])
        self._lasts_s = np.array([lasts_s(sender, mode) for mode in MODES])

    def next_s(self, began_s: Real, ended_s: Real, unreached: Choices) -> Real:
        """When each attempt begins anew, as Courier's do after a minute; infinity if it is over."""
        pause_s = self._rounds.whole_s
        if pause_s is None:
            return np.full(ended_s.size, np.inf)
        change_s = self._change_s(ended_s)
        next_s, round_s = ended_s + pause_s, ended_s - began_s + pause_s
        waits = unreached & np.isfinite(change_s)
        skipped = np.floor(np.where(waits, np.maximum(change_s - next_s, 0), 0) / round_s)
        played_s: Real = np.where(waits, next_s + skipped * round_s, np.inf)
        return played_s

    def ask_again(self, began_s: Real, ended: EndedAttempts, met: Met, meet: Meet) -> None:
        """Ask each address again once it has rested, at the next beat (OpenSMTPD: mta_route_disable).

        It goes on as long as an address is free at the next beat, or a silent one is still open.
        """
        again = self._tired(began_s, ended, met)
        for _number in range(MOST):
            if not again.row.size:
                return
            each = np.arange(again.row.size)
            column, at_s = self._next(again)
            is_left = at_s <= np.maximum(again.last_s + self._beat_s, again.open_s)
            is_left &= np.isfinite(self._change_s(again.asked_s.min(axis=1)))
            mode = again.mode[each, column]
            is_new = is_left & (self._change_s(again.asked_s[each, column]) <= at_s)
            if is_new.any():
                mode[is_new] = self._meet(again, (is_new, column, at_s), ended, meet)
            is_left &= (self._ends_as[mode] == NOWHERE) | ~is_new
            again.ask(column, at_s, mode, self._lasts_s[mode], self._rounds.then_s or np.inf)
            again = again.only(is_left)

    def _tired(self, began_s: Real, ended: EndedAttempts, met: Met) -> _Again:
        """The attempts that asked everybody in vain, with all their contacts."""
        order = np.argsort(met.row, kind="stable")
        row, counts = met.row[order], np.bincount(met.row, minlength=began_s.size)
        column = np.arange(row.size) - (counts.cumsum() - counts)[row]
        shape = (began_s.size, int(counts.max(initial=1)))
        place, mode, asked_s, free_s = (np.full(shape, fill) for fill in (NOWHERE, 0, np.inf, np.inf))
        asked_s[row, column], place[row, column], mode[row, column] = met.at_s[order], met.place[order], met.mode[order]
        over_s = met.at_s[order] + self._lasts_s[met.mode[order]]
        free_s[row, column] = over_s + (self._rounds.first_s or 0.0)
        last_s, open_s = np.full(shape[0], -np.inf), np.full(shape[0], -np.inf)
        np.maximum.at(last_s, row, met.at_s[order])
        np.maximum.at(open_s, row, over_s)
        goes_on = self._ends_as[mode[np.arange(shape[0]), counts - 1]] == NOWHERE
        those = np.flatnonzero((ended.result == DEFERRED) & (counts > 0) & goes_on)
        return _Again(np.arange(shape[0]), place, mode, asked_s, free_s, began_s, last_s, open_s).only(those)

    def _next(self, again: _Again) -> tuple[Ranks, Real]:
        """Who is free first, and the beat then."""
        column = again.free_s.argmin(axis=1)
        at_s = again.free_s[np.arange(column.size), column]
        if self._beat_s:
            at_s = again.began_s + np.ceil((at_s - again.began_s) / self._beat_s) * self._beat_s
        return column, np.maximum(at_s, again.last_s + self._beat_s)

    def _meet(self, again: _Again, new: tuple[Choices, Ranks, Real], ended: EndedAttempts, meet: Meet) -> Ranks:
        """What is met, and written down, by those for whom something may have changed."""
        (is_new, column, at_s) = new
        row, place, at_s = again.row[is_new], again.place[is_new, column[is_new]], at_s[is_new]
        mode = meet(row, place, at_s)
        result = self._ends_as[mode]
        is_over, over_s = result != NOWHERE, at_s + self._lasts_s[mode]
        ended.last[row], ended.contacts[row] = place, ended.contacts[row] + self._contacts[mode]
        ended.result[row[is_over]] = result[is_over]
        ended.at_s[row] = np.where(is_over, over_s, np.maximum(ended.at_s[row], over_s))
        return mode

    def _change_s(self, after_s: Real) -> Real:
        """When something out there changes next."""
        change_s: Real = self._changes_s[np.searchsorted(self._changes_s, after_s, side="right")]
        return change_s


@dataclass(slots=True)
class _Again:
    """Attempts under way in later rounds: a row each, with a column for each contact of the first."""

    row: Ranks
    place: Ranks
    mode: Ranks
    asked_s: Real
    free_s: Real
    began_s: Real
    last_s: Real
    open_s: Real

    def only(self, those: Choices | Ranks) -> _Again:
        """Some of them."""
        return _Again(*(getattr(self, column.name)[those] for column in fields(self)))

    def ask(self, column: Ranks, at_s: Real, mode: Ranks, lasts_s: Real, rest_s: float) -> None:
        """Note the next contact of each, and when the address is free again."""
        at = np.arange(self.row.size), column
        self.mode[at], self.asked_s[at], self.free_s[at] = mode, at_s, at_s + lasts_s + rest_s
        self.last_s, self.open_s = at_s, np.maximum(self.open_s, at_s + lasts_s)
