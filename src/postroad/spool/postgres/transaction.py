"""What a transaction of a group of calls has: its connection, the token, and the lanes that it touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postroad.spool.base import Parcel
from postroad.spool.postgres.connections import Db

MARGIN_S = 5.0
"""How far before its mark a node looks for tickets: clocks differ, and commits take a while."""

ASIDE = 64
"""Tickets that a node remembers of a destination that it skips."""

SERVED = 100_000
"""Destinations of which a node remembers when they had their turn."""

Place = tuple[float, int]
"""Of a parcel in its lane: when it is due, and its number."""

TicketKey = tuple[float, int, str, int]
"""Of a ticket in the round: when its turn is, which turn, of which destination, and its number."""

NEVER = (float("-inf"), 0)
"""When a destination had its turn that was not served yet, and which it was."""


@dataclass(slots=True)
class Round:
    """What a node remembers of the round of the destinations. Where it is wrong, something is found a little later.

    `served`: when destinations had their turn, and which. `mark`: no ticket lies before it, but for those put `aside`,
    whose destinations were skipped. `now`: of the last claim. `looked`: how often tickets were drawn for long ago then.
    """

    served: dict[str, tuple[float, int]] = field(default_factory=dict)
    mark: float = NEVER[0]
    now: float = NEVER[0]
    looked: int = -1
    aside: dict[str, Sequence[TicketKey]] = field(default_factory=dict)

    def start(self, now: float) -> float:
        """From where on to look for tickets."""
        return min(self.mark, now) - MARGIN_S

    def has_passed(self, turn_at: float) -> bool:
        """Whether a ticket drawn for then would not be seen."""
        self.mark = min(self.mark, turn_at)
        return turn_at < self.now - MARGIN_S

    def serve(self, turns: Mapping[str, tuple[float, int]]) -> None:
        """These have had their turn."""
        if len(self.served) > SERVED:
            self.served.clear()
        self.served.update(turns)

    def put_aside(self, tickets: Mapping[str, Sequence[TicketKey]], looked_at: Collection[str]) -> None:
        """These stay where they are, as others did whose destinations were not looked at now either."""
        kept = {to: keys for to, keys in self.aside.items() if to not in looked_at}
        self.aside = kept | {to: sorted({*kept.get(to, ()), *keys}) for to, keys in tickets.items()}
        if any(len(keys) > ASIDE for keys in self.aside.values()):
            self.look_back()  # the next claim makes one of them all

    def left_aside(self, skip: Collection[str]) -> list[TicketKey]:
        """Those whose destinations are not skipped any more."""
        return [key for to, keys in self.aside.items() if to not in skip for key in keys]

    def look_back(self) -> None:
        """Look for all tickets next time."""
        self.mark = self.now = NEVER[0]
        self.aside.clear()

    def set_back(self, now: float) -> None:
        """The clock was set back to this time."""
        self.look_back()
        self.served = {to: (min(at, now), turn) for to, (at, turn) in self.served.items()}


@dataclass(slots=True)
class Life:
    """The life of a node: its name, its token, and what it claimed with it.

    `stale` are parcels that it holds in its hands and lost to others: it claims none of them before it is done with it.
    `arriving` are messages of which pieces may be in the database.
    """

    name: str
    process: str = ""  # for people: where it is; and which spool of that process
    token: int = 0
    hands: dict[int, str] = field(default_factory=dict)  # number -> id of the message
    stale: set[int] = field(default_factory=set)
    arriving: set[str] = field(default_factory=set)
    round: Round = field(default_factory=Round)

    @property
    def numbers_stale(self) -> list[int]:
        """As a parameter."""
        return list(self.stale)

    def take(self, parcels: Iterable[Parcel]) -> None:
        """These were claimed."""
        self.hands.update((parcel.number, parcel.mail.id) for parcel in parcels)

    def let_go(self, parcels: Iterable[Parcel]) -> None:
        """These were settled or released."""
        for parcel in parcels:
            self.hands.pop(parcel.number, None)
            self.stale.discard(parcel.number)

    def begin_anew(self, token: int) -> None:
        """The lease ran out, and this is the next life: what is in its hands is nobody's any more."""
        self.token = token
        self.stale.update(self.hands)

    def has_lost(self, id_: str) -> bool:
        """Whether a parcel of this message is in its hands, but not its own any more."""
        return bool(self.stale) and any(self.hands.get(number) == id_ for number in self.stale)


@dataclass(slots=True)
class SpoolTransaction:
    """A transaction under way.

    `waiting`: destinations that have parcels to wait, and the place of the first of them. `changed`: those that have
    fewer. `claims`: the node's token has to be valid in the end. `day`: of what goes into the past.
    """

    db: Db
    life: Life
    waiting: dict[str, Place] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    claims: bool = False
    day: int | None = None

    @property
    def token(self) -> int:
        """The node's, 0 of a tool."""
        return self.life.token

    def wait(self, rows: Collection[Any]) -> int:
        """These (destination, due_at, number) wait now; how many."""
        for destination, *place in rows:
            self.waiting[destination] = min(tuple(place), self.waiting.get(destination, tuple(place)))
        return len(rows)
