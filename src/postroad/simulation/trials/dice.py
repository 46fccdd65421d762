"""Counter-based random numbers: what is drawn for a message depends only on the seed and the message.

So a message's fate is the same whatever was simulated before it, in which slice, and on which machine: all of it is
whole numbers modulo 2^64 (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.uint64]
Real = NDArray[np.float64]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_MASK = 2**64 - 1


class DrawKind(IntEnum):
    """What a die is thrown for: each throw has its own stream."""

    ARRIVAL = 1
    SOURCE = 2
    ANSWER = 3  # the order in which DNS gave records
    ORDER = 4  # the sender's own
    RETRY = 5
    MACHINE = 6
    PHASE = 7  # when a resolver last refreshed its cache
    INNER = 8
    RUN = 9  # when a source looks at its queue
    TURN = 10  # how far our own sender has turned the addresses of a host


def key(seed: int, draw: DrawKind, place: int = 0) -> int:
    """Where a stream begins: a seed, what it is for, and which of several alike it is."""
    return _mix(_mix(seed * _GOLDEN + int(draw)) + place * _GOLDEN)


def throw(start: int, numbers: Whole) -> Whole:
    """64 fair bits for each number."""
    mixed = numbers * np.uint64(_GOLDEN)
    mixed += np.uint64(start)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(_FIRST)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(_SECOND)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def chance(start: int, numbers: Whole) -> Real:
    """A number from 0 to below 1 for each number, 53 bits of it fair."""
    drawn: Real = (throw(start, numbers) >> np.uint64(11)).astype(np.float64)
    return drawn * 2.0**-53


def _mix(number: int) -> int:
    number &= _MASK
    number = ((number ^ number >> 30) * _FIRST) & _MASK
    number = ((number ^ number >> 27) * _SECOND) & _MASK
    return number ^ number >> 31
