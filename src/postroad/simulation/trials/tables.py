"""What is known of attempts so far, as tables that grow where attempts go.

A node is where an attempt stands. An option of a node is who comes next, with its chance; an edge is what an option
leads to, for each way a server can behave.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from postroad.simulation.trials.dice import Real
from postroad.simulation.trials.places import MODES, NOWHERE, Ranks

WAYS = len(MODES) + 1
PASSED_OVER = len(MODES)
"""What is met at a place that the sender remembers as unhealthy: it is not contacted."""
_UNKNOWN = -(2**62)

Item = TypeVar("Item", np.int64, np.float64)
Where = TypeVar("Where")


class NumberColumn(Generic[Item]):
    """Numbers, one a row, of which there are more and more."""

    def __init__(self, rows: NDArray[Item]) -> None:
        self._rows: NDArray[Item] = rows
        self._size = rows.size

    @property
    def rows(self) -> NDArray[Item]:
        """All there are."""
        rows: NDArray[Item] = self._rows[: self._size]
        return rows

    def add(self, value: float, count: int = 1) -> None:
        """So many more with this value."""
        if self._size + count > self._rows.size:
            room = np.zeros(self._rows.size + 64 * count, self._rows.dtype)
            self._rows = np.concatenate((self._rows, room))
        self._rows[self._size : self._size + count] = value
        self._size += count


def ranks() -> NumberColumn[np.int64]:
    """An empty column of whole numbers."""
    return NumberColumn(np.zeros(0, np.int64))


def reals() -> NumberColumn[np.float64]:
    """An empty column of numbers."""
    return NumberColumn(np.zeros(0))


class Tables(ABC, Generic[Where]):
    """The nodes, the options of those that were reached, and the edges that were taken."""

    def __init__(self) -> None:
        self._nodes: dict[Hashable, int] = {}
        self._where: list[Where] = []
        self._rank, self._first, self._count = ranks(), ranks(), ranks()  # of a node: when it was opened, its options
        self._upto = reals()  # of an option: the rank of its node, and the chances up to it
        self._to, self._took_s, self._what = ranks(), reals(), ranks()  # of an edge
        self._opened = 0

    @abstractmethod
    def _options(self, node: int) -> Iterable[Fraction]:
        """Work out the options of a node, one by one: each is noted when its chance is told."""

    @abstractmethod
    def _learn(self, option: int, met: int) -> tuple[int, float, int]:
        """Work out an edge: the node it leads to, or -1 less a result; the seconds; what else there is to tell."""

    def choose(self, node: Ranks, draw: Callable[[], Real]) -> Ranks:
        """An option of each node; `draw` gives a number from 0 to below 1 for each, if there is a choice."""
        for closed in _each(node[self._rank.rows[node] == NOWHERE]):
            self._open(closed)
        first, count = self._first.rows[node], self._count.rows[node]
        if (count == 1).all():
            return first
        chosen = self._upto.rows.searchsorted(self._rank.rows[node] + draw(), side="right")
        option: Ranks = np.minimum(chosen, first + count - 1)  # the sum may have been rounded up
        return option

    def follow(self, option: Ranks, met: Ranks) -> tuple[Ranks, Real, Ranks]:
        """Where what was met leads: a node, or -1 less a result; the seconds, and what else is told of each edge."""
        edge = option * WAYS + met
        for unknown in _each(edge[self._to.rows[edge] == _UNKNOWN]):
            to, took_s, what = self._learn(*divmod(unknown, WAYS))
            self._to.rows[unknown], self._took_s.rows[unknown], self._what.rows[unknown] = to, took_s, what
        return self._to.rows[edge], self._took_s.rows[edge], self._what.rows[edge]

    def _open(self, node: int) -> None:
        first, upto = self._upto.rows.size, Fraction(self._opened)
        for chance in self._options(node):
            upto += chance
            self._add_option(float(upto))
        self._rank.rows[node], self._first.rows[node] = self._opened, first
        self._count.rows[node] = self._upto.rows.size - first
        self._opened += 1

    def _number(self, key: Hashable, where: Where) -> int:
        """The node of a key; a new one stands for this."""
        number = self._nodes.setdefault(key, len(self._where))
        if number == len(self._where):
            self._where.append(where)
            self._rank.add(NOWHERE)
            self._first.add(0)
            self._count.add(0)
        return number

    def _add_option(self, upto: float) -> int:
        """Another option, with the chances of its node up to it."""
        number = self._upto.rows.size
        self._upto.add(upto)
        self._to.add(_UNKNOWN, WAYS)
        self._took_s.add(0.0, WAYS)
        self._what.add(0, WAYS)
        return number


def _each(numbers: Ranks) -> list[int]:
    """Each of them once, ascending: mostly there is none, and `np.unique` takes its time over that."""
    return np.unique(numbers).tolist() if numbers.size else []
