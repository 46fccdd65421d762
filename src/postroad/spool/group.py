"""Calls for one commit: what calls of a kind have in common, how long a group waits for more, who is notified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio

A = TypeVar("A")
R = TypeVar("R")

MOST = 500
"""Calls in one commit: what bounds the wait of the first of them."""

GATHER_S = 0.002
"""How long a group may wait, as long as each turn of the loop brings it more: a commit costs as much as ten calls."""

LONG = 2 * 1024 * 1024
"""What a group may cost, in octets moved, to be done in the loop's thread: about 2 ms."""


SHORT = 8 * 1024
"""The cost of a short call: 256 of them are as many as the loop does by itself."""

RECIPIENT = 1024
"""The cost of each further recipient: its address in the message, in a parcel and in their indexes."""


@dataclass(frozen=True, slots=True, eq=False)
class CallKind(Generic[A, R]):
    """The properties that calls of one kind have in common.

    `work` does any number of them at once, given the database and their arguments: one result each, in order. It may
    be asked twice, if nothing came of it the first time. `cost` is what a call moves, in octets, beside what it brings:
    as much as LONG for one that may take long, which the loop must not wait for. `enters`: it brings mail, which is
    refused where it could be lost, or what was accepted before needs the room. `then` hears of calls that are
    committed, before their callers do; `unwanted` gets the result of a call if nobody waits for it any more.
    """

    work: Callable[[Any, Sequence[A]], Sequence[R] | Awaitable[Sequence[R]]]
    cost: int = LONG
    enters: bool = False
    then: Callable[[Sequence[A], Sequence[R]], object] | None = None
    unwanted: Callable[[R], object] | None = None


@dataclass(slots=True, eq=False)
class Calls(Generic[A, R]):
    """Calls of one kind, and who waits for them; once they are done, the results, or what is wrong with all.

    `octets`: what they cost.
    """

    kind: CallKind[A, R]
    arguments: list[A] = field(default_factory=list)
    futures: list[asyncio.Future[R]] = field(default_factory=list)
    octets: int = 0
    results: Sequence[R] = ()
    problem: Exception | None = None

    def tell(self) -> None:
        """Tell who waits for them."""
        if self.problem:
            for future in self.futures:
                if not future.done():
                    future.set_exception(self.problem)
            return
        kind = self.kind
        if kind.then:
            kind.then(self.arguments, self.results)
        for future, result in zip(self.futures, self.results, strict=True):
            if not future.done():
                future.set_result(result)
            elif kind.unwanted:
                kind.unwanted(result)

    def apart(self) -> list[Calls[A, R]]:
        """Each by itself."""
        futures = self.futures
        return [Calls(self.kind, [one], futures[place : place + 1]) for place, one in enumerate(self.arguments)]


@dataclass(slots=True, eq=False)
class CommitGroup:
    """Calls for one commit. `is_begun`: their statements are done, all but COMMIT.

    `seen` is how many there were a turn of the loop ago, `since` when it was looked at first.
    """

    calls: dict[CallKind[Any, Any], Calls[Any, Any]] = field(default_factory=dict)
    count: int = 0
    cost: int = 0
    is_begun: bool = False
    seen: int = 0
    since: float = 0.0

    def take(self, kind: CallKind[A, R], argument: A, octets: int, future: asyncio.Future[R] | None = None) -> None:
        """Take a call, and who waits for it."""
        calls = self.calls.get(kind)
        if calls is None:
            calls = self.calls[kind] = Calls(kind)
        calls.arguments.append(argument)
        if future is not None:
            calls.futures.append(future)
        self.count += 1
        calls.octets += kind.cost + octets
        self.cost += kind.cost + octets

    def grows(self, now: float) -> bool:
        """Whether it got more since the last turn of the loop, and may wait another."""
        if self.count in (self.seen, MOST):
            return False
        if not self.seen:
            self.since = now
        self.seen = self.count
        return now < self.since + GATHER_S


def failed(calls: list[Calls[Any, Any]], problem: Exception) -> list[Calls[Any, Any]]:
    """Calls that cannot be done."""
    for each in calls:
        each.problem = problem
    return calls
