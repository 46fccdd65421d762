"""What is counted while trials run, and what the counts come to."""

from __future__ import annotations

import math

import numpy as np

from postroad.simulation.case import DnsOrder
from postroad.simulation.trials.dice import Real, Whole
from postroad.simulation.trials.graph import DELIVERED, RESULTS
from postroad.simulation.trials.measure import Counts, Histogram, clustered, ratio, wilson
from postroad.simulation.trials.places import Choices, Ranks, TrialPlaces
from postroad.simulation.trials.trial import FEW, Asked, Estimate, Trial, Trials, TrialWindow
from postroad.words.names import Address

_CLUSTERS = 1024


class TrialTally:
    """Counts of one trial. Messages that share their luck are counted as one cluster: an interval must know."""

    def __init__(self, trial: Trial, places: TrialPlaces, *, is_chained: bool, sampled: bool = False) -> None:
        self._trial, self._places, self._sampled = trial, places, sampled
        pinned = trial.dns_order is DnsOrder.CACHED and trial.ttl_s > 0
        self._shares_luck = is_chained or pinned or trial.sender.picks.for_s > 0
        self._by_span = pinned and not is_chained and trial.workload.sources < FEW
        servers, clusters = len(places.addresses), _CLUSTERS
        self._first: Counts = np.zeros((clusters, servers), np.int64)
        self._accepted: Counts = np.zeros((clusters, servers), np.int64)
        self._results: Counts = np.zeros((clusters, len(RESULTS)), np.int64)
        self._tries: Counts = np.zeros(clusters, np.int64)
        self._contacts: Counts = np.zeros(clusters, np.int64)
        self._delays_s: Real = np.zeros(clusters)
        self._tries_max = 0
        self._histogram = Histogram()
        self._met: Counts = np.zeros((trial.windows + 1, servers), np.int64)
        self._took: Counts = np.zeros((trial.windows + 1, servers), np.int64)
        self._asked = np.zeros(3, np.int64)

    def cluster(self, message: Whole, source: Whole, span: Whole) -> Ranks:
        """Which cluster each message is in."""
        if not self._shares_luck:
            return (message % np.uint64(_CLUSTERS)).astype(np.int64)
        number = source * np.uint64(1_000_003) + span if self._by_span else source
        return (number % np.uint64(_CLUSTERS)).astype(np.int64)

    def contacted(self, server: Ranks, at_s: Real) -> None:
        """Contacts at these times."""
        _add(self._met, self._window(at_s), server)

    def began(self, cluster: Ranks, first: Ranks) -> None:
        """Where messages had their first contact."""
        _add(self._first, cluster, self._places.address_of[first])

    def tried(self, cluster: Ranks, contacts: Ranks, is_over: Choices) -> None:
        """Attempts, or rounds of them that are not over, with so many contacts each."""
        np.add.at(self._tries, cluster[is_over], 1)
        np.add.at(self._contacts, cluster, contacts)

    def settled(self, cluster: Ranks, result: Ranks, tries: Ranks) -> None:
        """Messages that will not be tried again."""
        _add(self._results, cluster, result)
        self._tries_max = max(self._tries_max, int(tries.max(initial=0)))

    def delivered(self, cluster: Ranks, place: Ranks, arrival_s: Real, at_s: Real) -> None:
        """Messages taken."""
        server = self._places.address_of[place]
        _add(self._accepted, cluster, server)
        _add(self._took, self._window(at_s), server)
        delay_s = at_s - arrival_s
        self._delays_s += np.bincount(cluster, weights=delay_s, minlength=_CLUSTERS)
        self._histogram.add(delay_s)

    def asked(self, mx: int, a: int, aaaa: int) -> None:
        """DNS questions that no cache answered."""
        self._asked += (mx, a, aaaa)

    def trials(self, seed: int) -> Trials:
        """What it all comes to."""
        messages = self._results.sum(axis=1)
        total, done = int(messages.sum()), self._results[:, DELIVERED]
        shares = {result: self._share(self._results[:, code]) for code, result in enumerate(RESULTS)}
        mx, a, aaaa = (float(count) / total for count in self._asked)
        return Trials(
            self._trial,
            seed,
            self._by_server(self._first),
            self._by_server(self._accepted),
            self._single(),
            shares,
            self._histogram.delay(ratio(self._delays_s, done)),
            ratio(self._tries, messages),
            self._tries_max,
            ratio(self._contacts, messages),
            Asked(mx, a, aaaa),
            self._windows(),
            sampled=self._sampled,
        )

    def _share(self, hits: Counts) -> Estimate:
        messages = self._results.sum(axis=1)
        if self._shares_luck:
            return clustered(hits, messages)
        return wilson(int(hits.sum()), int(messages.sum()))

    def _by_server(self, counts: Counts) -> dict[Address, Estimate]:
        return {address: self._share(counts[:, place]) for place, address in enumerate(self._places.addresses)}

    def _single(self) -> dict[Address, tuple[float, float]]:
        """How far single clusters stray, where each is one source or one TTL."""
        tried = self._first.sum(axis=1)
        if not self._shares_luck or self._trial.workload.sources > _CLUSTERS or not tried.any():
            return {}
        shares = np.sort(self._first[tried > 0] / tried[tried > 0, None], axis=0)
        low, high = (shares[round((len(shares) - 1) * part)] for part in (0.05, 0.95))
        return {
            address: (float(low[place]), float(high[place])) for place, address in enumerate(self._places.addresses)
        }

    def _window(self, at_s: Real) -> Ranks:
        windows = self._trial.windows
        place: Ranks = np.minimum(at_s * (windows / self._trial.workload.over_s), windows).astype(np.int64)
        return place

    def _windows(self) -> tuple[TrialWindow, ...]:
        span_s = self._trial.workload.over_s / self._trial.windows
        return tuple(
            TrialWindow(
                place * span_s,
                (place + 1) * span_s if place < self._trial.windows else math.inf,
                dict(zip(self._places.addresses, self._met[place].tolist(), strict=True)),
                dict(zip(self._places.addresses, self._took[place].tolist(), strict=True)),
            )
            for place in range(self._trial.windows + 1)
        )


def _add(counts: Counts, row: Ranks, column: Ranks) -> None:
    np.add.at(counts.reshape(-1), row * counts.shape[1] + column, 1)
