"""Trials played: all mail of a trial, try after try, until each message is delivered or given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from postroad.simulation.contacts import ModelExchanger
from postroad.simulation.trials.attempts import Attempts, EndedAttempts, Meet, Starts
from postroad.simulation.trials.connections import Connections, Memories, RestedRoutes, attracts, remembers
from postroad.simulation.trials.dice import DrawKind, Real, chance, key
from postroad.simulation.trials.graph import DEFERRED, DELIVERED, TrialGraph
from postroad.simulation.trials.mail import Chains, MailSlice, blocks, pieces
from postroad.simulation.trials.ours import OurAttempts, OvergrownError
from postroad.simulation.trials.places import NOWHERE, Choices, Moment, Ranks, TrialPlaces, number_places
from postroad.simulation.trials.retries import Retries
from postroad.simulation.trials.rounds import Met, RepeatedRounds
from postroad.simulation.trials.situations import Situations
from postroad.simulation.trials.tally import TrialTally
from postroad.simulation.trials.trial import Trial, Trials
from postroad.simulation.trials.world import Greylists, Outside, Resolvers

__all__ = ["OvergrownError", "Play", "drawn_from"]

_SLICE = 2**15  # attempts at once: few enough for the processor's cache
_CELLS = 2**22  # places times attempts at once: 32 MB of keys
_CLOCK = 2**31  # spans of a clock are numbered from here: there are fewer runs over a queue
_CHAINED, _SOURCES = 2**20, 2**14  # messages and sources at once, where a source makes one attempt after the other

Progress = Callable[[float], None]
Begin = Callable[[Moment], Ranks]
Make = Callable[[Starts, Meet], EndedAttempts]


class Play:
    """One trial under way."""

    def __init__(self, trial: Trial, seed: int, found: Sequence[ModelExchanger], *, sampled: bool = False) -> None:
        self._trial, self._seed, self._load = trial, seed, trial.workload
        self._places = number_places(found, trial.sender)
        self._begin, self._make = drawn_from(trial, self._places, found, seed, sampled=sampled)
        self._outside = Outside(trial, self._places)
        self._resolvers = Resolvers(trial, self._places, seed)
        self._retries = Retries(trial, seed)
        self._rounds = RepeatedRounds(trial)
        self._is_chained = attracts(trial) or remembers(trial)
        # All mail is taken at the first try, and nothing is remembered but connections
        self._is_calm = not (trial.outages or trial.greylist or any(each.dead for each in found))
        self._tally = TrialTally(trial, self._places, is_chained=self._is_chained, sampled=sampled)
        self._each = -(-self._load.messages // self._load.sources)  # messages of a source

    def run(self, progress: Progress) -> Trials:
        """Play it to the end."""
        for start, stop in self._slices():
            mail = self._mail(start, stop)
            greylists = Greylists(self._trial, self._places, self._seed, stop - start, self._retries.machines)
            for some, lengths in self._together(mail):
                if int(lengths.max()) == 1:
                    self._play_apart(some, greylists)
                else:
                    self._play_in_turn(some, Chains(some.due_s, lengths), greylists)
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

    def _together(self, mail: MailSlice) -> Iterator[tuple[MailSlice, Ranks]]:
        """The messages, as far as one may know of another: how many follow each other."""
        if not self._is_chained:
            yield mail, np.ones(1, np.int64)
        elif self._is_calm:
            most = max(min(_SLICE, _CELLS // self._places.size), 1)
            yield from blocks(mail, pieces(self._trial, mail.arrival_s, self._each), most)
        else:
            ends = np.arange(0, mail.message.size, self._each)
            yield mail, np.diff(ends, append=mail.message.size)

    def _mail(self, start: int, stop: int) -> MailSlice:
        """The messages by their numbers: those of a source follow each other, and in time."""
        message = np.arange(start, stop, dtype=np.uint64)
        source, turn = message // np.uint64(self._each), message % np.uint64(self._each)
        bursts = -(-self._each // self._load.together)
        burst = turn // np.uint64(self._load.together)
        drawn = chance(key(self._seed, DrawKind.ARRIVAL), source * np.uint64(bursts) + burst)
        arrival_s = (burst.astype(np.float64) + drawn) * (self._load.over_s / bursts)
        cluster = self._tally.cluster(message, source, self._resolvers.span(source, arrival_s))
        place, first = np.arange(message.size), np.ones(message.size, np.int64)
        return MailSlice(place, message, source, cluster, arrival_s, arrival_s.copy(), first, first == 1, first - 1)

    def _play_apart(self, mail: MailSlice, greylists: Greylists) -> None:
        """Messages that do not know of each other: all first tries at once, then all second ones."""
        while mail.place.size:
            moment = self._moment(mail, mail.due_s)
            starts = Starts(self._begin(moment), moment.each_draw, mail.due_s)
            ended = self._try(_Tries(mail, moment, greylists), starts)
            mail = mail.only(self._settle(mail, ended))

    def _play_in_turn(self, mail: MailSlice, chains: Chains, greylists: Greylists) -> None:
        """Sources that remember: of each one its next try, whatever message that is for, round after round."""
        memories = Memories(self._trial, self._places, chains.count)
        connections = Connections(self._trial, self._places, chains.count, chains.longest)
        routes = RestedRoutes(self._trial, self._places, chains.count)
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
            chains.put_back(chain[again], turn[again], now.due_s[again])

    def _moment(self, mail: MailSlice, at_s: Real) -> Moment:
        run, pick_s = mail.run, self._trial.sender.picks.for_s
        if pick_s:  # Courier's dice are thrown by the clock
            run = np.where(run > 0, run, _CLOCK + np.floor(at_s / pick_s).astype(np.int64))
        span = self._resolvers.span(mail.source, at_s)
        return Moment(mail.message, mail.tried, mail.source, span, at_s - mail.arrival_s, run)

    def _try(self, tries: _Tries, starts: Starts) -> EndedAttempts:
        """One attempt each."""
        machine = tries.greylists.machine(tries.moment) if self._trial.greylist else _NOBODY[0]
        contacted: list[tuple[Ranks, Ranks, Real, Ranks]] = []
        heard = np.zeros(starts.at_s.size, np.bool_)

        def meet(index: Ranks, place: Ranks, at_s: Real) -> Ranks:
            server = self._places.address_of[place]
            self._tally.contacted(server, at_s)
            modes = self._places.met[place, self._outside.modes(server, at_s)]
            heard[index] |= self._rounds.is_word[modes]
            if self._trial.greylist:
                tries.greylists.meet(modes, (tries.mail.place[index], machine[index]), server, at_s)
            if tries.memories and tries.chain is not None:
                tries.memories.learn(tries.chain[index], server, modes, at_s)
            contacted.append((index, place, at_s, modes))
            return modes

        ended = self._make(starts, meet)
        if self._rounds.rest and contacted:
            self._rounds.ask_again(starts.at_s, ended, Met(*map(np.concatenate, zip(*contacted, strict=True))), meet)
        ended.goes_on_s = self._rounds.next_s(starts.at_s, ended.at_s, (ended.result == DEFERRED) & ~heard)
        asked = [each[:2] for each in contacted]
        index, place = (np.concatenate(columns) for columns in zip(*asked, strict=True)) if asked else _NOBODY
        self._resolvers.ask(tries.moment, index, place)
        return ended

    def _settle(self, mail: MailSlice, ended: EndedAttempts) -> Choices:
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
    trial: Trial, places: TrialPlaces, found: Sequence[ModelExchanger], seed: int, *, sampled: bool = False
) -> tuple[Begin, Make]:
    """Where attempts begin, and how they are made."""
    if trial.sender.ours:
        ours = OurAttempts(trial, places, seed, sampled=sampled)
        return ours.begin, ours.make
    graph = TrialGraph(trial, places, found)
    return Situations(trial, seed, found, graph).begin, Attempts(graph, places, seed).make


@dataclass(slots=True)
class _Tries:
    """Attempts about to be made, and what they depend on."""

    mail: MailSlice
    moment: Moment
    greylists: Greylists
    memories: Memories | None = None
    chain: Ranks | None = None


_NOBODY = (np.zeros(0, np.int64), np.zeros(0, np.int64))
