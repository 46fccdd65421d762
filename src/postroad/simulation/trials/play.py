"""Trials played: all mail of a trial, try after try, until each message is delivered or given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from postroad.simulation.arrange import Exchange
from postroad.simulation.rounds import UNREACHED
from postroad.simulation.trials.attempts import Attempts, Ended, Meet, Starts
from postroad.simulation.trials.connections import Connections, LeastUsed, Memories, attracts, remembers
from postroad.simulation.trials.dice import Draw, Real, Whole, chance, key
from postroad.simulation.trials.graph import DEFERRED, DELIVERED, FAILED, Graph
from postroad.simulation.trials.nouns import Trial, Trials
from postroad.simulation.trials.ours import OurAttempts, OvergrownError
from postroad.simulation.trials.places import MODES, NOWHERE, Choices, Moment, Places, Ranks, number_places
from postroad.simulation.trials.situations import Situations
from postroad.simulation.trials.tally import Tally
from postroad.simulation.trials.world import Greylists, Outside, Resolvers

__all__ = ["OvergrownError", "Play", "drawn_from"]

_SLICE = 2**15  # attempts at once: few enough for the processor's cache
_CELLS = 2**22  # places times attempts at once: 32 MB of keys
_CLOCK = 2**31  # spans of a clock are numbered from here: there are fewer runs over a queue
_CHAINED, _SOURCES = 2**20, 2**14  # messages and sources at once, where a source makes one attempt after the other

Progress = Callable[[float], None]
Begin = Callable[[Moment], Ranks]
Make = Callable[[Starts, Meet], Ended]


@dataclass(slots=True)
class _Mail:
    """Messages of one slice, as columns; `place` is where each stands in the slice."""

    place: Ranks
    message: Whole
    source: Whole
    cluster: Ranks
    arrival_s: Real
    due_s: Real
    tried: Ranks  # the try that comes next, from 1
    is_new: Choices  # it has not contacted anybody yet
    run: Ranks  # over the queue, in which the next try is made; 0: in none

    def only(self, those: Choices | Ranks) -> _Mail:
        """Some of them."""
        return _Mail(*(getattr(self, name)[those] for name in self.__slots__))


class Play:
    """One trial under way."""

    def __init__(self, trial: Trial, seed: int, found: Sequence[Exchange], *, sampled: bool = False) -> None:
        self._trial, self._seed, self._load = trial, seed, trial.workload
        self._places = number_places(found, trial.sender)
        self._begin, self._make = drawn_from(trial, self._places, found, seed, sampled=sampled)
        self._outside = Outside(trial, self._places)
        self._resolvers = Resolvers(trial, self._places, seed)
        self._retries = Retries(trial, seed)
        self._rounds = Rounds(trial)
        self._is_chained = attracts(trial) or remembers(trial)
        self._tally = Tally(trial, self._places, is_chained=self._is_chained, sampled=sampled)
        self._each = -(-self._load.messages // self._load.sources)  # messages of a source

    def run(self, progress: Progress) -> Trials:
        """Play it to the end."""
        for start, stop in self._slices():
            mail = self._mail(start, stop)
            greylists = Greylists(self._trial, self._places, self._seed, stop - start, self._retries.machines)
            if self._is_chained:
                self._play_in_turn(mail, greylists)
            else:
                self._play_apart(mail, greylists)
            self._resolvers.flush(stop // self._each)
            progress(stop / self._load.messages)
        self._tally.asked(*self._resolvers.asked)
        return self._tally.trials(self._seed)

    def _slices(self) -> Iterator[tuple[int, int]]:
        most = _CELLS // self._places.size
        size = max(min(_SLICE, most), 1)
        if self._is_chained:  # whole sources, for each of them is one chain
            size = max(min(_CHAINED // self._each, _SOURCES, most), 1) * self._each
        for start in range(0, self._load.messages, size):
            yield start, min(start + size, self._load.messages)

    def _mail(self, start: int, stop: int) -> _Mail:
        """The messages by their numbers: those of a source follow each other, and in time."""
        message = np.arange(start, stop, dtype=np.uint64)
        source, turn = message // np.uint64(self._each), message % np.uint64(self._each)
        bursts = -(-self._each // self._load.together)
        burst = turn // np.uint64(self._load.together)
        drawn = chance(key(self._seed, Draw.ARRIVAL), source * np.uint64(bursts) + burst)
        arrival_s = (burst.astype(np.float64) + drawn) * (self._load.over_s / bursts)
        cluster = self._tally.cluster(message, source, self._resolvers.span(source, arrival_s))
        place, first = np.arange(message.size), np.ones(message.size, np.int64)
        return _Mail(place, message, source, cluster, arrival_s, arrival_s.copy(), first, first == 1, first - 1)

    def _play_apart(self, mail: _Mail, greylists: Greylists) -> None:
        """Messages that do not know of each other: all first tries at once, then all second ones."""
        while mail.place.size:
            moment = self._moment(mail, mail.due_s)
            starts = Starts(self._begin(moment), moment.each_draw, mail.due_s)
            ended = self._try(_Tries(mail, moment, greylists), starts)
            mail = mail.only(self._settle(mail, ended))

    def _play_in_turn(self, mail: _Mail, greylists: Greylists) -> None:
        """Sources that remember: of each one its next try, whatever message that is for, round after round."""
        chains = Chains(mail.due_s, self._each)
        memories = Memories(self._trial, self._places, chains.count)
        connections = Connections(self._trial, chains.count, self._each)
        routes = LeastUsed(self._trial, self._places, chains.count)
        while True:
            chain, turn = chains.take()
            if not turn.size:
                return
            now = mail.only(turn)
            start_s, slot, kept = connections.slot(chain, now.due_s)
            moment = self._moment(now, start_s)
            barred = memories.barred(chain, start_s)
            # A connection is not used to a server that is remembered as unhealthy
            kept = np.where(barred[np.arange(kept.size), kept], NOWHERE, kept)
            begins = routes.begin(chain, start_s, kept, barred)
            starts = Starts(self._begin(moment), moment.each_draw, start_s, begins, barred)
            ended = self._try(_Tries(now, moment, greylists, memories, chain), starts)
            routes.used(chain, kept, ended)
            connections.keep(chain, slot, kept, ended, chains.following_s(chain))
            again = self._settle(now, ended)
            mail.due_s[turn], mail.tried[turn], mail.is_new[turn] = now.due_s, now.tried, now.is_new
            mail.run[turn] = now.run
            chains.put_back(turn[again], now.due_s[again])

    def _moment(self, mail: _Mail, at_s: Real) -> Moment:
        run, pick_s = mail.run, self._trial.sender.picks.for_s
        if pick_s:  # Courier's dice are thrown by the clock
            run = np.where(run > 0, run, _CLOCK + np.floor(at_s / pick_s).astype(np.int64))
        span = self._resolvers.span(mail.source, at_s)
        return Moment(mail.message, mail.tried, mail.source, span, at_s - mail.arrival_s, run)

    def _try(self, tries: _Tries, starts: Starts) -> Ended:
        """One attempt each."""
        machine = tries.greylists.machine(tries.moment) if self._trial.greylist else _NOBODY[0]
        contacted: list[tuple[Ranks, Ranks]] = []
        heard = np.zeros(starts.at_s.size, np.bool_)

        def meet(index: Ranks, place: Ranks, at_s: Real) -> Ranks:
            server = self._places.address_of[place]
            self._tally.contacted(server, at_s)
            contacted.append((index, place))
            modes = self._outside.modes(server, at_s)
            heard[index] |= self._rounds.is_word[modes]
            if self._trial.greylist:
                tries.greylists.meet(modes, (tries.mail.place[index], machine[index]), server, at_s)
            if tries.memories and tries.chain is not None:
                tries.memories.learn(tries.chain[index], server, modes, at_s)
            return modes

        ended = self._make(starts, meet)
        ended.goes_on_s = self._rounds.next_s(starts.at_s, ended.at_s, (ended.result == DEFERRED) & ~heard)
        index, place = (np.concatenate(columns) for columns in zip(*contacted, strict=True)) if contacted else _NOBODY
        self._resolvers.ask(tries.moment, index, place)
        return ended

    def _settle(self, mail: _Mail, ended: Ended) -> Choices:
        """Count what came of it; who is tried again has a new due time, and is told."""
        met = mail.is_new & (ended.contacts > 0)
        self._tally.began(mail.cluster[met], ended.first[met])
        is_over = np.isinf(ended.goes_on_s)
        self._tally.tried(mail.cluster, ended.contacts, is_over)
        done = ended.result == DELIVERED
        self._tally.delivered(mail.cluster[done], ended.last[done], mail.arrival_s[done], ended.at_s[done])
        again = self._retries.decide(mail, ended)
        self._tally.settled(mail.cluster[~again], ended.result[~again], mail.tried[~again])
        mail.tried, mail.is_new = mail.tried + is_over, mail.is_new & ~met
        return again


def drawn_from(
    trial: Trial, places: Places, found: Sequence[Exchange], seed: int, *, sampled: bool = False
) -> tuple[Begin, Make]:
    """Where attempts begin, and how they are made."""
    if trial.sender.ours:
        ours = OurAttempts(trial, places, seed, sampled=sampled)
        return ours.begin, ours.make
    graph = Graph(trial, places, found)
    return Situations(trial, seed, found, graph).begin, Attempts(graph, places, seed).make


@dataclass(slots=True)
class _Tries:
    """Attempts about to be made, and what they depend on."""

    mail: _Mail
    moment: Moment
    greylists: Greylists
    memories: Memories | None = None
    chain: Ranks | None = None


class Chains:
    """The messages of each source, that are tried one after the other, by when they are due."""

    def __init__(self, due_s: Real, each: int) -> None:
        self.count = -(-due_s.size // each)
        self._due_s: Real = np.full(self.count * each, np.inf)
        self._due_s[: due_s.size] = due_s
        self._by_source = self._due_s.reshape(self.count, each)
        self._each = each
        self._fresh = np.zeros(self.count, np.int64)  # the first one of each that was not tried yet
        self._from, self._until = 0, 1  # all that is due next lies between, in each source

    def take(self) -> tuple[Ranks, Ranks]:
        """The next of each source that has any: the sources, and the places of the messages."""
        while self._from < self._until - 1 and not np.isfinite(self._by_source[:, self._from]).any():
            self._from += 1
        near = self._by_source[:, self._from : self._until]
        column = near.argmin(axis=1)
        chain = np.flatnonzero(np.isfinite(near[np.arange(self.count), column]))
        column = column[chain] + self._from
        self._by_source[chain, column] = np.inf
        self._fresh[chain] += column == self._fresh[chain]
        self._until = min(int(self._fresh.max()) + 1, self._each)
        return chain, chain * self._each + column

    def following_s(self, chain: Ranks) -> Real:
        """When each of these sources has its next message due; infinity if it has none."""
        following: Real = self._by_source[chain, self._from : self._until].min(axis=1)
        return following

    def put_back(self, turn: Ranks, due_s: Real) -> None:
        """These are due once more."""
        self._due_s[turn] = due_s


class Retries:
    """When deferred mail is due again, by a schedule: message by message, or in runs over the queue of a source."""

    def __init__(self, trial: Trial, seed: int) -> None:
        sender, schedule = trial.sender, trial.schedule or trial.sender.retry
        in_runs = sender.picks.queue_run and trial.workload.one_domain and schedule == sender.retry
        self._schedule, self._draw, self._begins = schedule, key(seed, Draw.RETRY), key(seed, Draw.RUN)
        self._run_s = schedule.run_s if in_runs else 0.0
        self.machines = schedule.machines
        self._intervals_s = np.array([*schedule.intervals_s, schedule.then_s or np.inf])

    def decide(self, mail: _Mail, ended: Ended) -> Choices:
        """Who is tried again, with the time in `mail.due_s`; who is given up has failed, if anybody kept the mail."""
        again: Choices = ended.result == DEFERRED
        goes_on = np.isfinite(ended.goes_on_s)
        mail.due_s = np.where(goes_on, ended.goes_on_s, mail.due_s)
        waiting = np.flatnonzero(again & ~goes_on)
        if not waiting.size:
            return again
        due_s, run, is_over = self._due(mail.only(waiting), ended.at_s[waiting])
        mail.due_s, mail.run = mail.due_s.copy(), mail.run.copy()
        mail.due_s[waiting], mail.run[waiting] = due_s, run
        again[waiting[is_over]] = False
        if self._schedule.queues:
            ended.result[waiting[is_over]] = FAILED
        return again

    def _due(self, mail: _Mail, now_s: Real) -> tuple[Real, Ranks, Choices]:
        schedule = self._schedule
        drawn = chance(self._draw, (mail.message << np.uint64(10)) + mail.tried.astype(np.uint64))
        interval_s = self._intervals_s[np.minimum(mail.tried, self._intervals_s.size) - 1]
        ready_s = now_s + interval_s * (1 + schedule.jitter * (2 * drawn - 1))
        due_s, run = ready_s + schedule.spread_s * drawn, np.zeros(now_s.size, np.int64)
        if self._run_s:
            due_s, run = self._in_run(mail, ready_s if schedule.spread_s else now_s)
        expires_s = mail.arrival_s + schedule.expiry_s
        if schedule.last_try:
            due_s = np.where(now_s < expires_s, np.minimum(due_s, expires_s), due_s)
        return due_s, run, due_s > expires_s

    def _in_run(self, mail: _Mail, ready_s: Real) -> tuple[Real, Ranks]:
        """The next run of each source once a message may be tried again: its time, and its number from 1."""
        begins_s = chance(self._begins, mail.source) * self._run_s
        number = np.floor((ready_s - begins_s) / self._run_s) + 1
        return begins_s + number * self._run_s, np.where(np.isfinite(number), number + 1, 0).astype(np.int64)


class Rounds:
    """Attempts that begin anew where nobody could be reached, as Courier's do after a minute.

    While nothing changes out there every round ends alike: only those are played that a change may reach.
    """

    def __init__(self, trial: Trial) -> None:
        self._pause_s = trial.sender.rounds.whole_s
        times = {time_s for each in trial.outages for time_s in (each.from_s, each.until_s)}
        self._changes_s = np.array([*sorted(times - {np.inf}), np.inf])
        self.is_word = np.array([mode not in UNREACHED for mode in MODES])

    def next_s(self, began_s: Real, ended_s: Real, unreached: Choices) -> Real:
        """When each attempt begins anew; infinity if it is over."""
        if self._pause_s is None:
            return np.full(ended_s.size, np.inf)
        change_s = self._changes_s[np.searchsorted(self._changes_s, ended_s, side="right")]
        next_s, round_s = ended_s + self._pause_s, ended_s - began_s + self._pause_s
        waits = unreached & np.isfinite(change_s)
        skipped = np.floor(np.where(waits, np.maximum(change_s - next_s, 0), 0) / round_s)
        played_s: Real = np.where(waits, next_s + skipped * round_s, np.inf)
        return played_s


_NOBODY = (np.zeros(0, np.int64), np.zeros(0, np.int64))
