"""Random numbers from a seed, so that a choice can be repeated: the same on every machine and in every version."""

from __future__ import annotations

from typing import Protocol

DICE = 2
"""Which dice a record's seed is for: those below. Records that name none are of the time of `random.Random`."""

_BITS = (1 << 64) - 1
_ALL = 1 << 64


class Chance(Protocol):
    """Whatever draws a number: these dice, or a `random.Random` where nothing need be drawn again."""

    def randrange(self, stop: int, /) -> int:
        """One of the numbers below `stop`, each with the same chance."""
        ...


class Dice:
    """Splitmix64 (Steele, Lea and Flood 2014). Seeding it costs nothing; seeding a Mersenne Twister, 6 to 15 us."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _BITS

    def randrange(self, stop: int, /) -> int:
        """One of the numbers below `stop`, each with exactly the same chance: what is over is thrown again."""
        while True:
            self._state = mixed = self._state + 0x9E3779B97F4A7C15 & _BITS
            mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _BITS
            mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _BITS
            mixed ^= mixed >> 31
            if mixed < _ALL - _ALL % stop:
                return mixed % stop
