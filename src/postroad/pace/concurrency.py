"""How many deliveries to one set of exchangers at once, and whose turn it is among all that wait."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)

_ROUNDING = 1e-9  # five times a fifth is a whole one


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """The policy of a window: how it starts, how far it opens, and when a set is dead, as Postfix's SCHEDULER_README.

    `dead_after` is in pseudo-cohorts: as many failures in a row as there were deliveries at once are one.

    Raises:
        ValueError: the figures contradict each other.
    """

    initial: int = 5
    most: int = 20
    dead_after: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.initial <= self.most or self.dead_after <= 0:
            raise ValueError("1, the initial size and the most stand in this order; dead_after is above 0")

    def shared_by(self, nodes: int) -> Self:
        """The part of one of so many relays: together they open no further than one alone, or one each."""
        return replace(self, initial=max(1, self.initial // nodes), most=max(1, self.most // nodes))


class Window:
    """The number of deliveries that one set of exchangers is given at once.

    It opens by one after as many successes as it is wide, and closes likewise after failures (feedback 1/size); the
    first failure is felt at once. Success is a session, whatever became of the mail in it; failure is none: no
    connection, no greeting, no handshake. Each `begin` is ended by one `succeeded`, `failed` or `abandoned`.
    """

    def __init__(self, policy: WindowPolicy | None = None) -> None:
        self.policy = policy or WindowPolicy()
        self.in_flight = 0
        self.size = self.policy.initial  # how many may go on at once, 1 or more
        self._level = float(self.policy.initial)
        self._cohorts = 0.0  # of failures since the last success

    @property
    def has_room(self) -> bool:
        """Whether one more delivery may begin."""
        return self.in_flight < self.size and self._cohorts + _ROUNDING < self.policy.dead_after

    def begin(self) -> None:
        """One more delivery is under way."""
        self.in_flight += 1

    def succeeded(self) -> None:
        """A delivery ended, and had its session."""
        self.in_flight -= 1
        self._cohorts = 0.0
        self._grow(1 / self.size)

    def failed(self) -> None:
        """A delivery ended without any session."""
        self.in_flight -= 1
        self._cohorts += 1 / self.size
        self._grow(-1 / self.size)

    def abandoned(self) -> None:
        """A delivery ended and says nothing about the exchangers: it was cancelled, or never began to connect."""
        self.in_flight -= 1

    def limit(self, policy: WindowPolicy) -> None:
        """Another policy from now on: a window that is too wide for it closes, one that may open further will."""
        self.policy = policy
        self._grow(0)

    def _grow(self, by: float) -> None:
        self._level = min(max(self._level + by, 1.0), float(self.policy.most))
        self.size = int(self._level + _ROUNDING)


class FairRound(Generic[K]):
    """A fair round of keys: between two turns of one, every other that waits has had one. All is O(1)."""

    def __init__(self) -> None:
        self._round: OrderedDict[K, None] = OrderedDict()  # a plain dict scans its holes to find its first key

    def add(self, key: K) -> None:
        """Let a key wait for its turn, behind all others; one that waits already keeps its place."""
        self._round.setdefault(key)

    def discard(self, key: K) -> None:
        """Take a key out, if it is in: it has nothing to do, or no room to do it."""
        self._round.pop(key, None)

    def next(self) -> K | None:
        """The key whose turn it is; it goes to the end of the round. None if nobody waits."""
        for key in self._round:
            self._round.move_to_end(key)
            return key
        return None

    def __contains__(self, key: K) -> bool:
        return key in self._round

    def __len__(self) -> int:
        return len(self._round)
