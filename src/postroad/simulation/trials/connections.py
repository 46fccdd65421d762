"""What a source keeps from one message to the next: connections, and the memory of addresses that misbehaved."""

from __future__ import annotations

import numpy as np

from postroad.models import EqualsOrder
from postroad.routing import WalkPolicy
from postroad.simulation.trials.attempts import EndedAttempts
from postroad.simulation.trials.dice import Real
from postroad.simulation.trials.graph import DELIVERED
from postroad.simulation.trials.places import MODES, NOWHERE, Choices, Ranks, TrialPlaces
from postroad.simulation.trials.trial import Trial
from postroad.words.faults import Mode


def attracts(trial: Trial) -> bool:
    """Whether connections are kept that draw mail to them."""
    reuse = trial.sender.reuse
    return reuse.messages != 1 and not reuse.drawn and trial.workload.one_domain


def remembers(trial: Trial) -> bool:
    """Whether something happens that the sender remembers."""
    return any(outage.mode in trial.sender.memory.modes for outage in trial.outages)


class Memories:
    """Addresses passed over, of each source: from when it knows of a fault until it forgets."""

    def __init__(self, trial: Trial, places: TrialPlaces, sources: int) -> None:
        memory, waits = trial.sender.memory, trial.sender.waits
        self._for_s, self._server_of = memory.for_s, places.address_of
        self._is_kept = np.array([mode in memory.modes for mode in MODES])
        # A silent address is known for one as soon as it is given up, or overtaken
        overlap_s = WalkPolicy().stagger_s if trial.sender.ours else waits.overlap_s
        silent_s = waits.connect_s if overlap_s is None else min(waits.connect_s, overlap_s)
        self._known_after_s = np.array([silent_s if mode is Mode.BLACKHOLE else 0.0 for mode in MODES])
        self._from_s: Real = np.full((sources, len(places.addresses)), np.inf)
        self._until_s: Real = np.full((sources, len(places.addresses)), -np.inf)

    def barred(self, source: Ranks, now_s: Real) -> Choices:
        """The places that each of these sources passes over now, one column each."""
        known = (self._from_s[source] <= now_s[:, None]) & (now_s[:, None] < self._until_s[source])
        places: Choices = known[:, self._server_of]
        return places

    def learn(self, source: Ranks, server: Ranks, modes: Ranks, at_s: Real) -> None:
        """Remember what was met, if it is such a thing."""
        kept = self._is_kept[modes]
        source, server = source[kept], server[kept]
        known_s = at_s[kept] + self._known_after_s[modes[kept]]
        still = self._until_s[source, server] > known_s
        self._from_s[source, server] = np.where(still, np.minimum(self._from_s[source, server], known_s), known_s)
        self._until_s[source, server] = known_s + self._for_s


class Connections:
    """The deliveries that a source has under way at once, and the connections left over from them.

    No more of them than it has messages (`each`) are of any use.
    """

    def __init__(self, trial: Trial, places: TrialPlaces, sources: int, each: int) -> None:
        self._reuse, self._session_s = trial.sender.reuse, trial.workload.session_s
        self._is_on = attracts(trial)
        shape = (sources, min(trial.workload.at_once, each) if self._is_on else 0)
        self._place: Ranks = np.full(shape, NOWHERE)
        self._free_s: Real = np.full(shape, -np.inf)
        self._opened_s: Real = np.full(shape, -np.inf)
        self._carried: Ranks = np.zeros(shape, np.int64)
        self._is_kept = np.zeros(shape, np.bool_)
        self._servers = _Servers(trial, places, sources)

    def slot(self, source: Ranks, due_s: Real) -> tuple[Real, Ranks, Ranks]:
        """When each delivery can start, in which slot, and the place its connection leads to, or NOWHERE."""
        nothing = np.full(source.size, NOWHERE)
        if not self._is_on:
            return due_s, nothing, nothing
        free_s = self._free_s[source]
        start_s = np.maximum(due_s, free_s.min(axis=1))
        fits = (free_s <= start_s[:, None]) & self._fits(source, start_s)
        # The connection used last is at hand first; where none is left, one free slot is as good as another
        found = fits.any(axis=1)
        if self._reuse.by_server:
            at_hand = np.where(self._servers.first_of(source, self._place[source], fits), free_s, np.inf).argmin(axis=1)
        else:
            at_hand = np.where(fits, free_s, -np.inf).argmax(axis=1)
        slot = np.where(found, at_hand, (free_s <= start_s[:, None]).argmax(axis=1))
        return start_s, slot, np.where(found, self._place[source, slot], NOWHERE)

    def _fits(self, source: Ranks, start_s: Real) -> Choices:
        reuse, now_s = self._reuse, start_s[:, None]
        fits: Choices = (self._place[source] != NOWHERE) & (now_s - self._free_s[source] <= reuse.idle_s)
        if reuse.for_s is not None:
            fits &= now_s - self._opened_s[source] <= reuse.for_s
        if reuse.messages is not None:
            fits &= self._carried[source] < reuse.messages
        if reuse.busy_only:
            fits &= self._is_kept[source]
        return fits

    def keep(self, source: Ranks, slot: Ranks, kept: Ranks, ended: EndedAttempts, following_s: Real) -> None:
        """Put each connection back, from `kept` places or new; `following_s`: when the source has its next mail."""
        if not self._is_on:
            return
        done = ended.result == DELIVERED
        again = done & (ended.last == kept)
        where = (source, slot)
        self._carried[where] = np.where(again, self._carried[where] + 1, 1)
        self._opened_s[where] = np.where(again, self._opened_s[where], ended.at_s)
        self._place[where] = np.where(done, ended.last, NOWHERE)
        self._free_s[where] = ended.at_s + self._session_s
        self._is_kept[where] = following_s <= self._free_s[where]
        put_back = done & (self._is_kept[where] | (not self._reuse.busy_only))
        self._servers.keep(source[put_back], ended.last[put_back], self._free_s[where][put_back])


class _Servers:
    """Which server a source has had a connection to for the longest: it is asked for one first.

    So does Postfix (src/global/scache_multi.c): the servers of a destination stand in the order in which they came into
    the cache, and stay there for as long as a connection may idle since the last one was put back.
    """

    def __init__(self, trial: Trial, places: TrialPlaces, sources: int) -> None:
        self._is_on, self._idle_s = trial.sender.reuse.by_server, trial.sender.reuse.idle_s
        shape = (sources if self._is_on else 0, places.size)
        self._since_s: Real = np.full(shape, np.inf)
        self._until_s: Real = np.full(shape, -np.inf)

    def first_of(self, source: Ranks, place: Ranks, fits: Choices) -> Choices:
        """Which of these connections lead to that server."""
        since_s = np.where(fits, self._since_s[source[:, None], place], np.inf)
        first: Choices = fits & (since_s == since_s.min(axis=1)[:, None])
        return first

    def keep(self, source: Ranks, place: Ranks, now_s: Real) -> None:
        """A connection to this server is put back."""
        if self._is_on:
            is_new = self._until_s[source, place] < now_s
            self._since_s[source, place] = np.where(is_new, now_s, self._since_s[source, place])
            self._until_s[source, place] = now_s + self._idle_s


class RestedRoutes:
    """The routes of a source that has mail under way: a new connection takes the first of them that has rested.

    So does OpenSMTPD (smtpd/mta.c: mta_find_route) among the addresses of the best preference, in the order of its
    list; where all of them rest, the first to be free. Once nothing has been under way for as long as a connection may
    idle, it begins at the first record again.
    """

    def __init__(self, trial: Trial, places: TrialPlaces, sources: int) -> None:
        self._picks, self._is_on = trial.sender.picks, attracts(trial) and trial.sender.picks.rests
        self._session_s, self._lasts_s = (
            trial.workload.session_s,
            trial.sender.reuse.idle_s + trial.workload.session_s,
        )
        self._routes = np.array(_listed(trial, places))
        shape = (sources if self._is_on else 0, places.size)
        self._connected_s: Real = np.full(shape, -np.inf)
        self._used_s: Real = np.full(shape, -np.inf)
        self._active_s: Real = np.full(sources, -np.inf)

    def begin(self, source: Ranks, start_s: Real, kept: Ranks, barred: Choices) -> Ranks:
        """Where each attempt begins: over a kept connection, at a route, or NOWHERE: as the sender orders them."""
        if not self._is_on:
            return kept
        idle = self._active_s[source] < start_s - self._lasts_s
        connected_s, used_s = (times[source][:, self._routes] for times in (self._connected_s, self._used_s))
        free_s = np.maximum(connected_s + self._picks.connected_rest_s, used_s + self._picks.closed_rest_s)
        free_s = np.where(barred[:, self._routes], np.inf, np.maximum(free_s, start_s[:, None]))  # rested: as good
        route = self._routes[free_s.argmin(axis=1)]
        return np.where((kept == NOWHERE) & ~idle & (free_s.min(axis=1) < np.inf), route, kept)

    def used(self, source: Ranks, kept: Ranks, ended: EndedAttempts) -> None:
        """Remember where each attempt made new connections, first and last, and which was used last."""
        if not self._is_on:
            return
        self._active_s[source] = ended.at_s
        for place in (ended.first, ended.last):
            met = place != NOWHERE
            self._used_s[source[met], place[met]] = ended.at_s[met] + self._session_s
            met &= place != kept
            self._connected_s[source[met], place[met]] = ended.at_s[met]


def _listed(trial: Trial, places: TrialPlaces) -> list[int]:
    """The places of the best preference in the order of the sender's list."""
    best = min(target.preference for target in places.targets)
    routes = [place for place, target in enumerate(places.targets) if target.preference == best]
    if trial.sender.equals is not EqualsOrder.FIRST_THEN_REVERSED:
        return routes
    hosts = list(dict.fromkeys(places.targets[place].exchange for place in routes))
    order = {name: number for number, name in enumerate([*hosts[:1], *reversed(hosts[1:])])}
    return sorted(routes, key=lambda place: order[places.targets[place].exchange])
