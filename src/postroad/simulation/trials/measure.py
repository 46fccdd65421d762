"""From counts to estimates: intervals, and a histogram of delays in bounded memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from postroad.simulation.trials.dice import Real
from postroad.simulation.trials.trial import Delay, Estimate

Counts = NDArray[np.int64]

_Z = 1.959963984540054  # 95 % of a normal distribution lie within
_FINE = 256  # bins from one power of two to the next: 0.4 %
_LOWEST = -10  # 2^-10 s: a millisecond; anything less is 0
_BINS = 1 + (32 - _LOWEST) * _FINE


def wilson(hits: float, tried: float, fair: float | None = None) -> Estimate:
    """A share with its interval (Wilson 1927), which holds near 0 and 1 as well. `fair`: as many independent ones."""
    if not tried:
        return Estimate(0.0, 0.0, 1.0)
    share, count = hits / tried, tried if fair is None else fair
    weight = 1 + _Z * _Z / count
    middle = (share + _Z * _Z / (2 * count)) / weight
    reach = _Z * math.sqrt(share * (1 - share) / count + _Z * _Z / (4 * count * count)) / weight
    # What never happened may be impossible, and what always did certain: rounding must not deny it
    low, high = (middle - reach) if hits else 0.0, (middle + reach) if hits < tried else 1.0
    return Estimate(share, max(low, 0.0), min(high, 1.0))


def clustered(hits: Counts, tried: Counts) -> Estimate:
    """A share of messages that come in clusters of one mind: the interval rests on how much clusters differ.

    Wilson's, for as many independent messages as would be as uncertain (Kish's design effect).
    """
    clusters, messages = int(np.count_nonzero(tried)), int(tried.sum())
    total = int(hits.sum())
    if clusters < 2:
        return Estimate(total / messages if messages else 0.0, 0.0, 1.0)
    share = total / messages
    if share in {0, 1}:  # all agree: they may all be one mind
        return wilson(total, messages, clusters)
    strayed = float(((hits - share * tried) ** 2).sum()) * clusters / (clusters - 1)
    independent = share * (1 - share) * messages * messages / strayed if strayed else messages
    return wilson(total, messages, min(max(independent, 1.0), messages))


def ratio(sums: Real | Counts, counts: Counts) -> Estimate:
    """A mean over messages in clusters, from the sum and the count of each cluster, with its interval."""
    total, clusters = int(counts.sum()), int(np.count_nonzero(counts))
    if not total:
        return Estimate(0.0, 0.0, 0.0)
    value = float(sums.sum()) / total
    if clusters < 2:
        return Estimate(value, 0.0, math.inf)
    strayed = float(((sums - value * counts) ** 2).sum()) * clusters / (clusters - 1)
    reach = _Z * math.sqrt(strayed) / total
    return Estimate(value, max(value - reach, 0.0), value + reach)


class Histogram:
    """Delays, counted in bins of 0.4 %: quantiles of any number of them in the memory of a few thousand."""

    def __init__(self) -> None:
        self._bins: Counts = np.zeros(_BINS, dtype=np.int64)
        self._worst = 0.0

    def add(self, delays_s: Real) -> None:
        """Count more of them."""
        if not delays_s.size:
            return
        np.add.at(self._bins, _bins_of(delays_s), 1)
        self._worst = max(self._worst, float(delays_s.max()))

    def delay(self, mean: Estimate) -> Delay | None:
        """What they come to, beside their mean; None if there were none."""
        if not self._bins.any():
            return None
        return Delay(mean, self._quantile(0.5), self._quantile(0.99), self._worst)

    def _quantile(self, part: float) -> Estimate:
        """The value at a rank, between those at the ranks which chance might have put in its place."""
        upto, count = np.cumsum(self._bins), int(self._bins.sum())
        reach = _Z * math.sqrt(count * part * (1 - part))
        ranks = [min(max(count * part + shift, 1.0), float(count)) for shift in (0.0, -reach, reach)]
        value, low, high = (min(_edge(int(np.searchsorted(upto, rank))), self._worst) for rank in ranks)
        return Estimate(value, low, high)


def _bins_of(delays_s: Real) -> NDArray[np.int64]:
    """Exact on any machine: a mantissa and an exponent, no logarithm."""
    mantissa, exponent = np.frexp(delays_s)
    place = 1 + (exponent - 1 - _LOWEST) * _FINE + ((mantissa * 2 - 1) * _FINE).astype(np.int64)
    placed: NDArray[np.int64] = np.clip(np.where(delays_s < 2.0**_LOWEST, 0, place), 0, _BINS - 1)
    return placed


def _edge(place: int) -> float:
    """The lowest delay of a bin."""
    if not place:
        return 0.0
    exponent, fine = divmod(place - 1, _FINE)
    return math.ldexp(1 + fine / _FINE, exponent + _LOWEST)
