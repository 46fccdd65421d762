"""Messages of a trial as columns, and in which order they are tried: chains of those that may know of each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from postroad.simulation.trials.dice import Real, Whole
from postroad.simulation.trials.places import Choices, Ranks
from postroad.simulation.trials.trial import Trial


@dataclass(slots=True)
class MailSlice:
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

    def only(self, those: Choices | Ranks) -> MailSlice:
        """Some of them."""
        return MailSlice(*(getattr(self, name)[those] for name in self.__slots__))


class Chains:
    """Messages of which one is tried after the other, by when they are due: `lengths` many follow each other."""

    def __init__(self, due_s: Real, lengths: Ranks) -> None:
        self.count, self.longest = lengths.size, int(lengths.max())
        self._begins = lengths.cumsum() - lengths
        chain = np.repeat(np.arange(self.count), lengths)
        self._due_s: Real = np.full((self.count, self.longest), np.inf)
        self._due_s[chain, np.arange(due_s.size) - self._begins[chain]] = due_s
        self._fresh = np.zeros(self.count, np.int64)  # the first one of each that was not tried yet
        self._from, self._until = 0, 1  # all that is due next lies between, in each chain

    def take(self) -> tuple[Ranks, Ranks]:
        """The next of each chain that has any: the chains, and the places of the messages."""
        while self._from < self._until - 1 and not np.isfinite(self._due_s[:, self._from]).any():
            self._from += 1
        near = self._due_s[:, self._from : self._until]
        column = near.argmin(axis=1)
        chain = np.flatnonzero(np.isfinite(near[np.arange(self.count), column]))
        column = column[chain] + self._from
        self._due_s[chain, column] = np.inf
        self._fresh[chain] += column == self._fresh[chain]
        self._until = min(int(self._fresh.max()) + 1, self.longest)
        return chain, self._begins[chain] + column

    def following_s(self, chain: Ranks) -> Real:
        """When each of these chains has its next message due; infinity if it has none."""
        following: Real = self._due_s[chain, self._from : self._until].min(axis=1)
        return following

    def put_back(self, chain: Ranks, turn: Ranks, due_s: Real) -> None:
        """These are due once more."""
        self._due_s[chain, turn - self._begins[chain]] = due_s


def blocks(mail: MailSlice, lengths: Ranks, most: int) -> Iterator[tuple[MailSlice, Ranks]]:
    """The messages of so many chains at a time, those of one length together."""
    begins = lengths.cumsum() - lengths
    for length in np.unique(lengths).tolist():
        alike = np.flatnonzero(lengths == length)
        for start in range(0, alike.size, most):
            some = begins[alike[start : start + most]]
            yield mail.only((some[:, None] + np.arange(length)).ravel()), np.full(some.size, length)


def pieces(trial: Trial, arrival_s: Real, each: int) -> Ranks:
    """How many messages follow each other until a source has nothing left of the last one, where all are taken at once.

    One delivery after the other would end no sooner than they do side by side: what is over by then, is over.
    """
    reuse, session_s, count = trial.sender.reuse, trial.workload.session_s, -(-arrival_s.size // each)
    padding = np.full(count * each - arrival_s.size, np.inf)
    due_s = np.concatenate((arrival_s, padding)).reshape(count, each)
    work_s = np.arange(each) * session_s
    over_s = np.maximum.accumulate(due_s - work_s, axis=1) + work_s + session_s
    next_s, kept_s = due_s[:, 1:], over_s[:, :-1]
    is_free = next_s > kept_s
    if reuse.busy_only and not trial.sender.picks.rests:
        kept_s = np.maximum.accumulate(np.where(is_free, -np.inf, kept_s), axis=1)
    begins = np.ones((count, each), np.bool_)
    begins[:, 1:] = is_free & (next_s > kept_s + reuse.idle_s)
    return np.diff(np.flatnonzero(begins.ravel()[: arrival_s.size]), append=arrival_s.size)
