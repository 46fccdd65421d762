"""Attempts of many messages at once: paths drawn from the state graph, contact by contact, until each has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from postroad.simulation.trials.dice import DrawKind, Real, Whole, chance, key
from postroad.simulation.trials.graph import DEFERRED, NOBODY, TrialGraph
from postroad.simulation.trials.places import NOWHERE, Choices, Ranks, TrialPlaces
from postroad.simulation.trials.tables import PASSED_OVER

Meet = Callable[[Ranks, Ranks, Real], Ranks]
"""What is met, as places in MODES: asked with the rows of the attempts, the places contacted, and the times."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Attempts about to be made, one row each.

    `number`: what is drawn depends on it. `kept`: the place where it begins whatever the order, as a connection is open
    there, or NOWHERE. `barred`: the places that are passed over, one column each; None: no connection is kept, and
    nothing is passed over.
    """

    node: Ranks
    number: Whole
    at_s: Real
    kept: Ranks | None = None
    barred: Choices | None = None


@dataclass(slots=True)
class EndedAttempts:
    """How attempts ended: one row each. Times are those of the trial."""

    result: Ranks
    first: Ranks  # the place contacted first, or NOWHERE
    last: Ranks  # the place contacted last: where it was delivered, if it was
    contacts: Ranks
    at_s: Real
    goes_on_s: Real = field(default_factory=lambda: np.zeros(0))  # when it begins anew; infinity: it is over


@dataclass(slots=True)
class _Going:
    """The attempts still under way, as columns of one length."""

    row: Ranks
    node: Ranks
    at_s: Real
    place: Ranks  # the last one

    def only(self, those: Choices | Ranks) -> _Going:
        """Some of them."""
        return _Going(self.row[those], self.node[those], self.at_s[those], self.place[those])


class Attempts:
    """Draws attempts of one sender at the places of a domain."""

    def __init__(self, graph: TrialGraph, places: TrialPlaces, seed: int) -> None:
        self._graph, self._places, self._seed = graph, places, seed

    def make(self, starts: Starts, meet: Meet) -> EndedAttempts:
        """Make one attempt for each row."""
        count = starts.at_s.size
        nowhere = np.full(count, NOWHERE)
        ended = EndedAttempts(
            np.full(count, DEFERRED), nowhere, nowhere.copy(), np.zeros(count, np.int64), starts.at_s.copy()
        )
        going = _Going(np.arange(count), starts.node, starts.at_s, nowhere)
        used, turn = _Used(self._places, count), 0
        while going.row.size:  # every turn is one contact of each
            option, place = self._next(starts, going, used, turn)
            going = self._go(starts, going, ended, (option, place), meet)
            used.add(going, None if turn else starts.kept)
            if starts.kept is not None and starts.barred is not None and not turn:
                open_ = np.flatnonzero(starts.kept != NOWHERE)
                starts.barred[open_, starts.kept[open_]] = True  # what broke is not asked again
            turn += 1
        return ended

    def _next(self, starts: Starts, going: _Going, used: _Used, turn: int) -> tuple[Ranks, Ranks]:
        """The option of each, and the place it leads to; where nobody is left, any place."""
        graph = self._graph

        def draw(what: DrawKind) -> Real:
            return chance(key(self._seed, what, turn), starts.number[going.row])

        option = graph.choose(going.node, lambda: draw(DrawKind.ORDER))
        kind = graph.kind_of.rows[option]
        members, sizes = graph.kinds
        place = members[kind, 0]
        several = np.flatnonzero(sizes[kind] > 1) if members.shape[1] > 1 else _NONE
        if several.size and not turn:
            place = members[kind, (draw(DrawKind.INNER) * sizes[kind]).astype(np.int64)]
        elif several.size:
            alike, is_new = members[kind[several]], graph.is_new_host.rows[option[several]] > 0
            place[several] = used.pick(going.only(several), alike, is_new, draw(DrawKind.INNER)[several])
        if starts.kept is not None and not turn:
            open_ = np.flatnonzero(starts.kept != NOWHERE)
            place[open_] = starts.kept[open_]
            option[open_] = graph.resume(going.node[open_], place[open_])
        return option, place

    def _go(self, starts: Starts, going: _Going, ended: EndedAttempts, to: tuple[Ranks, Ranks], meet: Meet) -> _Going:
        """Contact these places, and write down who has ended; who goes on is told."""
        graph, (option, place) = self._graph, to
        is_left, row = graph.kind_of.rows[option] != NOBODY, going.row
        asked = is_left if starts.barred is None else is_left & ~starts.barred[row, place]
        at_s = going.at_s + graph.pause_s.rows[option]
        met = np.full(row.size, PASSED_OVER)
        if asked.all():
            met = meet(row, place, at_s)
        elif asked.any():
            met[asked] = meet(row[asked], place[asked], at_s[asked])
        node, took_s, contacts = graph.follow(option, met)
        at_s = np.where(asked | ~is_left, at_s, going.at_s)  # who is passed over costs no time
        begun = asked & (ended.first[row] == NOWHERE)
        ended.first[row[begun]], ended.last[row[asked]] = place[begun], place[asked]
        ended.contacts[row] += contacts
        over = node < 0
        ended.result[row[over]], ended.at_s[row[over]] = -1 - node[over], (at_s + took_s)[over]
        return _Going(row, node, at_s, place).only(~over)


class _Used:
    """The places that attempts have behind them, so that none is taken twice for one of its kind."""

    def __init__(self, places: TrialPlaces, rows: int) -> None:
        self._group_of, self._rows = places.group_of, rows
        self._is_used: Choices = np.zeros((0, 0), np.bool_)
        self._is_begun: Choices = np.zeros((0, 0), np.bool_)

    def add(self, going: _Going, kept: Ranks | None) -> None:
        """The last place of each; over a kept connection it does not count, for it may be asked anew."""
        if not going.row.size:
            return
        if not self._is_used.size:
            self._is_used = np.zeros((self._rows, self._group_of.size), np.bool_)
            self._is_begun = np.zeros((self._rows, int(self._group_of.max()) + 1), np.bool_)
        counts = slice(None) if kept is None else kept[going.row] == NOWHERE
        row, place = going.row[counts], going.place[counts]
        self._is_used[row, place] = self._is_begun[row, self._group_of[place]] = True

    def pick(self, going: _Going, alike: Ranks, is_new_host: Choices, drawn: Real) -> Ranks:
        """One of the places of each row that are alike: of a new host, or of the same one."""
        if not self._is_used.size:
            return _pick(alike, alike != NOWHERE, drawn)
        row, group = going.row[:, None], self._group_of[alike]
        same = (group == self._group_of[going.place][:, None]) & (going.place != NOWHERE)[:, None]
        fits = np.where(is_new_host[:, None], ~self._is_begun[row, group], same)
        return _pick(alike, (alike != NOWHERE) & ~self._is_used[row, alike] & fits, drawn)


def _pick(alike: Ranks, fits: Choices, drawn: Real) -> Ranks:
    upto = fits.cumsum(axis=1)
    column = (upto > (drawn * upto[:, -1])[:, None]).argmax(axis=1)
    picked: Ranks = alike[np.arange(alike.shape[0]), column]
    return picked


_NONE: Ranks = np.zeros(0, np.int64)
