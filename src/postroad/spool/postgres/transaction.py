"""What a transaction of a group of calls has: its connection, the token, and the lanes that it touched."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from postroad.spool.base import Parcel
from postroad.spool.postgres.connections import Db


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

    `waiting`: destinations that have parcels to wait, and when the first of them is due. `changed`: those whose lanes
    may say too little. `claims`: the node's token has to be valid in the end. `day`: of what goes into the past.
    """

    db: Db
    life: Life
    waiting: dict[str, float] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    claims: bool = False
    day: int | None = None

    @property
    def token(self) -> int:
        """The node's, 0 of a tool."""
        return self.life.token

    def wait(self, rows: Collection[Any]) -> int:
        """These (destination, due_at) wait now; how many."""
        for destination, due_at in rows:
            self.waiting[destination] = min(due_at, self.waiting.get(destination, due_at))
        return len(rows)
