"""A stream of mail through OpenSMTPD's routes, second by second, for rows that lack the times it depends on.

By smtpd 6.8 to 7.8 (mta.c: mta_connect, mta_find_route; mta_session.c: MTA_READY; limit.c). A route is free five
seconds after it was connected to and three after it was left; the one with the fewest connections is taken, the first
in the list of those. A relay connects every two seconds at most, while more mail waits than it has connections. A
connection ends after a hundred messages, and as soon as it has nothing to do beside another; the last one looks for
mail once a second, for ten seconds. Time is counted in whole seconds.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

_CONNECTED_S, _CLOSED_S, _BETWEEN_S, _LOOKS, _MOST, _LIMITED_S = 5, 3, 2, 10, 100, 5
_GAPS_S = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3)
_SESSIONS_S = (0.005, 0.01, 0.02, 0.03, 0.035, 0.05, 0.07, 0.1)
_GREETING_S = 0.02


@dataclass
class _Route:
    connected_s: int = -_CONNECTED_S
    closed_s: int = -_CLOSED_S
    connections: int = 0
    is_new: bool = True

    @property
    def free_s(self) -> int:
        return max(self.connected_s + _CONNECTED_S, self.closed_s + _CLOSED_S)


@dataclass(eq=False)
class _Connection:
    route: str
    carried: int = 0
    looks: int = 0
    is_ready: bool = False


class _Stream:
    """Messages that come one after the other, and where each went."""

    def __init__(self, order: Sequence[str], session_s: float) -> None:
        self.went: Counter[str] = Counter()
        self._routes = {name: _Route() for name in order}
        self._session_s, self._waiting, self._connected_s = session_s, 0, -_BETWEEN_S
        self._open: list[_Connection] = []
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers, self._timer = count(), 0

    def run(self, messages: int, gap_s: float) -> None:
        """So many messages, one each so many seconds."""
        for number in range(messages):
            self._at(number * gap_s, self._arrive)
        while self._due:
            at_s, _number, happen = heapq.heappop(self._due)
            happen(at_s)

    def _at(self, at_s: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (at_s, next(self._numbers), happen))

    def _arrive(self, now_s: float) -> None:
        self._waiting += 1
        self._connect(now_s)

    def _connect(self, now_s: float) -> None:
        self._timer += 1
        ready, every = sum(each.is_ready for each in self._open), len(self._open)
        if ready >= self._waiting or (every > 2 and every >= self._waiting // 2):
            return
        second = math.floor(now_s)
        next_s, name = max(self._connected_s + _BETWEEN_S, second), ""
        if next_s == second:
            name, next_s = self._found(second)
        if not name:
            timer = self._timer
            self._at(max(next_s, now_s), lambda then_s: self._connect(then_s) if timer == self._timer else None)
            return
        route, made = self._routes[name], _Connection(name)
        route.connected_s = self._connected_s = second
        route.connections += 1
        self._open.append(made)
        self._at(now_s + _GREETING_S, lambda then_s: self._greeted(then_s, made))
        self._connect(now_s)

    def _found(self, second: int) -> tuple[str, int]:
        """The route for a new connection; or when to look again."""
        able = [name for name, each in self._routes.items() if not (each.connections and each.is_new)]
        free = [name for name in able if self._routes[name].free_s <= second]
        if free:
            return min(free, key=lambda name: self._routes[name].connections), second
        if len(able) < len(self._routes):
            return "", second + _LIMITED_S
        return "", min(self._routes[name].free_s for name in able)

    def _greeted(self, now_s: float, made: _Connection) -> None:
        made.is_ready, self._routes[made.route].is_new = True, False
        self._connect(now_s)
        self._serve(now_s, made)

    def _serve(self, now_s: float, made: _Connection) -> None:
        if self._waiting and made.carried < _MOST:
            self._waiting -= 1
            made.looks, made.carried = 0, made.carried + 1
            self.went[made.route] += 1
            self._at(now_s + self._session_s, lambda then_s: self._serve(then_s, made))
        elif made.carried == _MOST or len(self._open) > 1 or made.looks == _LOOKS:
            self._close(now_s, made)
        else:
            made.looks += 1
            self._at(now_s + 1, lambda then_s: self._serve(then_s, made))

    def _close(self, now_s: float, made: _Connection) -> None:
        self._open.remove(made)
        route = self._routes[made.route]
        route.connections -= 1
        route.closed_s = math.floor(now_s)
        self._connect(now_s)


@cache
def shares(order: tuple[str, ...], messages: int) -> tuple[Counter[str], ...]:
    """Where the messages go, at each of many times between them and times of a delivery."""
    told = []
    for gap_s in _GAPS_S:
        for session_s in _SESSIONS_S:
            stream = _Stream(order, session_s)
            stream.run(messages, gap_s)
            told.append(stream.went)
    return tuple(told)
