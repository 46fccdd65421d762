"""What each new message gets: an id, and a seed for all random choices about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

SEED_BITS = 48
_CHANCE = 30
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


class MessageIds:
    """A maker of message ids and seeds. Neither is a secret, so the system is asked for chance once, not for each."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._rng = Random(os.urandom(32))

    def id(self) -> str:
        """An id: 50 bits of milliseconds, so that ids sort by time, and 30 bits of chance."""
        return _written(self._wall(), self._rng.getrandbits(_CHANCE))

    def seed(self) -> int:
        """The seed of a message's draws."""
        return self._rng.getrandbits(SEED_BITS)


def id_of(name: str, at: float) -> str:
    """The id of a message that is made once, whoever makes it: of its name, and a time by which it sorts."""
    from hashlib import sha256  # noqa: PLC0415  # OpenSSL, which who hands over one message does not need

    return _written(at, int.from_bytes(sha256(name.encode()).digest()) & (1 << _CHANCE) - 1)


def _written(at: float, chance: int) -> str:
    number = int(at * 1000) << _CHANCE | chance
    high, low, pairs = number >> 40, number & (1 << 40) - 1, _PAIRS
    begin = f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
    return f"{begin}{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"


def local_origin(user: str, uid: int, by: str) -> str:
    """The origin of mail that a user of this machine puts into the spool by a program, such as sendmail."""
    return f"user {user} (uid {uid}) by {by}"
