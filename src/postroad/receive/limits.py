"""Limits over all sessions: connections, messages per minute, memory."""

from __future__ import annotations

from collections import Counter

MINUTE_S = 60.0


class ConnectionCount:
    """The number of open connections of each client."""

    def __init__(self) -> None:
        self.total = 0
        self._each: Counter[str] = Counter()

    def of(self, party: str) -> int:
        """Connections of one client."""
        return self._each.get(party, 0)

    def enter(self, party: str) -> None:
        """One more."""
        self.total += 1
        self._each[party] += 1

    def leave(self, party: str) -> None:
        """One less."""
        self.total -= 1
        self._each[party] -= 1
        if not self._each[party]:
            del self._each[party]


class Rate:
    """A limit per minute for each client: a bucket that holds a minute's worth and fills evenly."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}  # what was left, and when

    def left(self, party: str, most: int, now: float) -> float:
        """How many this client may still do now."""
        left, at = self._buckets.get(party, (most, now))
        return min(most, left + (now - at) * most / MINUTE_S)

    def spend(self, party: str, most: int, now: float) -> bool:
        """Do one more; False, and nothing is spent, where there is none left."""
        left = self.left(party, most, now)
        if left < 1:
            return False
        self._buckets[party] = (left - 1, now)
        return True

    def give_back(self, party: str, most: int, now: float) -> None:
        """What was spent last was not due."""
        self._buckets[party] = (min(most, self.left(party, most, now) + 1), now)

    def sweep(self, now: float) -> None:
        """Forget those who have been quiet for a minute: their buckets are full again."""
        for party in [party for party, (_, at) in self._buckets.items() if now - at >= MINUTE_S]:
            del self._buckets[party]


class Failures(Rate):
    """Wrong passwords: a Rate that counts, while other relays share the spool, what they have to be told."""

    def __init__(self) -> None:
        super().__init__()
        self._untold: Counter[str] | None = None

    def share(self, *, is_alone: bool) -> None:
        """Whether there is anybody to be told."""
        if is_alone:
            self._untold = None
        elif self._untold is None:
            self._untold = Counter()

    def failed(self, party: str) -> None:
        """What was spent was due."""
        if self._untold is not None:
            self._untold[party] += 1

    def cut(self) -> Counter[str]:
        """What has failed here since this was asked last."""
        told = self._untold or Counter()
        if told:
            self._untold = Counter()
        return told

    def charge(self, party: str, count: int, most: int, now: float) -> None:
        """So many failed at other relays. What is spent there beyond what is left here is paid for afterwards."""
        self._buckets[party] = (max(self.left(party, most, now) - count, -most), now)

    def sweep(self, now: float) -> None:
        """See Rate: a bucket that owes a minute's worth is full after another."""
        super().sweep(now - MINUTE_S)


class Ledger:
    """The memory used by unfinished messages of all sessions together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, octets: int) -> bool:
        """Hold so many more; False, and nothing is held, where that is too much."""
        if self.held + octets > self.most:
            return False
        self.held += octets
        return True

    def give(self, octets: int) -> None:
        """Hold so many less."""
        self.held -= octets
