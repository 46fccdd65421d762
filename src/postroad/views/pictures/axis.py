"""A time axis on which 50 ms and 5 minutes can both be seen: each stretch is as long as the logarithm of its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log1p

from postroad.simulation import Step

UNIT_S = 0.1  # stretches below it are nearly to scale, those above are folded
TOUCH = 0.35  # what a contact without any duration still takes, in units of log1p(time / UNIT_S)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a contact lies on the axis, from 0 to 1."""

    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the axis, and its seconds."""

    at: float
    time_s: float


@dataclass(frozen=True, slots=True)
class Axis:
    """A span for each step, in their order, and a tick for each moment at which something began or ended."""

    spans: tuple[Span, ...]
    ticks: tuple[Tick, ...]

    def thinned(self, room: float) -> Iterator[Tick]:
        """The ticks whose labels do not touch, each wanting `room` (of 1); the first and the last are always there."""
        last, kept = self.ticks[-1], -room
        for tick in self.ticks[:-1]:
            if tick.at - kept >= room and last.at - tick.at >= room:
                kept = tick.at
                yield tick
        yield last


def folded(steps: Sequence[Step]) -> Axis:
    """The axis of a delivery: at least one step, which may overlap."""
    moments = sorted(
        moment
        for index, step in enumerate(steps)
        for moment in ((step.at_s, index, False), (step.at_s + step.waited_s, index, True))
    )
    places, place = [0.0], 0.0
    for before, after in pairwise(moments):
        place += _stretch(before, after)
        places.append(place)
    where = {moment[1:]: at / place for moment, at in zip(moments, places, strict=True)}
    spans = tuple(Span(where[index, False], where[index, True]) for index in range(len(steps)))
    return Axis(spans, tuple(_ticks(Tick(where[moment[1:]], moment[0]) for moment in moments)))


def _ticks(moments: Iterable[Tick]) -> Iterator[Tick]:
    """The moments that would be written differently from the one before."""
    kept: Tick | None = None
    for tick in moments:
        if kept is None or tick.time_s - kept.time_s > 0.02 * tick.time_s:
            kept = tick
            yield tick


def _stretch(before: tuple[float, int, bool], after: tuple[float, int, bool]) -> float:
    least = TOUCH if before[1] == after[1] else 0.0  # begin and end of one contact
    return max(least, log1p((after[0] - before[0]) / UNIT_S))
