"""What the spools on databases have in common: each call of the protocol that writes becomes one of a group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from postroad.spool.base import Body, Lesson, Parcel, Selection, Settlement, State, StoredMail, as_wholes
from postroad.spool.calls import Claim, CompleteMessage
from postroad.spool.group import RECIPIENT, CallKind

if TYPE_CHECKING:
    import asyncio

A = TypeVar("A")
R = TypeVar("R")

DAY_S = 86400.0


class CallWriter(Protocol):
    """The part of a writer that takes calls."""

    is_closed: bool

    def submit(self, kind: CallKind[A, R], argument: A, octets: int = 0) -> asyncio.Future[R]:
        """Have it done in the next commit, the future when that is durable. `octets`: what it brings or frees."""
        ...

    def refuse(self, problem: Exception) -> asyncio.Future[Any]:
        """Have nothing done: a future with what is wrong."""
        ...


class GroupKinds(Protocol):
    """The kinds of calls that every database has: its statements for each."""

    discard: CallKind[Any, None]
    add: CallKind[Any, tuple[Parcel, ...]]
    claim: CallKind[Any, tuple[Parcel, ...]]
    release: CallKind[Any, None]
    retry_stranded: CallKind[Any, int]
    clock_set_back: CallKind[Any, None]
    hold: CallKind[Any, int]
    unhold: CallKind[Any, int]
    retry: CallKind[Any, int]
    delete: CallKind[Any, int]
    overrule: CallKind[Any, int]
    learn: CallKind[Any, None]
    forget: CallKind[Any, int]


K = TypeVar("K", bound=GroupKinds)
W = TypeVar("W", bound=CallWriter)


class GroupedCalls(ABC, Generic[K, W]):
    """The part of a spool that writes. `mail` takes what brings and settles mail, `queue` what changes who has it.

    With node "" it is a tool's: it claims and settles nothing.
    """

    _kinds: K

    def __init__(self, node: str, mail: W, queue: W) -> None:
        self._node = node
        self._mail = mail
        self._queue = queue

    async def discard(self, id_: str) -> None:
        """See Spool."""
        await self._mail.submit(self._kinds.discard, id_)

    def add(
        self, mail: StoredMail, rest: bytes, *, claim: bool = False, front: bytes = b""
    ) -> asyncio.Future[tuple[Parcel, ...]]:
        """See Spool."""
        if not mail.envelope.recipients:
            return self._mail.refuse(ValueError("a message needs at least one recipient"))
        if claim and not self._node:
            return self._mail.refuse(no_node())
        if front and len(front) + len(rest) == mail.size:
            rest, front = front + rest, b""
        whole = CompleteMessage(mail, rest, self._node if claim else None, front)
        others = len(mail.envelope.recipients) - 1  # SHORT counts the first
        return self._mail.submit(self._kinds.add, whole, len(front) + len(rest) + others * RECIPIENT)

    async def claim(self, now: float, most: int, *, each: int, skip: Collection[str] = ()) -> tuple[Parcel, ...]:
        """See Spool."""
        asked = Claim(self._name(), now, most, each, frozenset(skip))
        return await self._queue.submit(self._kinds.claim, asked)

    async def release(self, parcels: Collection[Parcel]) -> None:
        """See Spool."""
        name = self._name()
        if parcels:
            await self._queue.submit(self._kinds.release, (tuple(parcels), name))

    async def retry_stranded(self, destination: str, now: float) -> int:
        """See Spool."""
        return await self._queue.submit(self._kinds.retry_stranded, (destination, now))

    def body(self, mail: StoredMail) -> Body:
        """See Spool."""
        return Body(mail, self.piece)

    @abstractmethod
    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """See Spool."""

    async def hold(self, selection: Selection) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.hold)

    async def unhold(self, selection: Selection) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.unhold)

    async def retry(self, selection: Selection, now: float) -> int:
        """See Spool."""
        return await self._change(replace(selection, released_by=now), self._kinds.retry, now)

    async def clock_set_back(self, now: float, latest: float) -> int:
        """See Spool."""
        await self._queue.submit(self._kinds.clock_set_back, now)
        return await self.retry(Selection(state=State.WAITING, due_after=latest), now)

    async def delete(self, selection: Selection, now: float) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.delete, now)

    async def overrule(self, settlements: Collection[Settlement], now: float) -> int:
        """See Spool."""
        return await self._queue.submit(self._kinds.overrule, (as_wholes(settlements), now))

    def learn(self, lessons: Collection[Lesson]) -> asyncio.Future[None]:
        """See Spool."""
        return self._mail.submit(self._kinds.learn, tuple(lessons), sum([len(one.text) for one in lessons]))

    async def forget(self, kind: str, keys: Collection[str]) -> int:
        """See Spool."""
        return await self._mail.submit(self._kinds.forget, (kind, tuple(keys)))

    @abstractmethod
    async def _found(self, selection: Selection, after: int) -> Sequence[int]:
        """The numbers of SLICE of these parcels at most, from behind one of them."""

    async def _change(self, selection: Selection, kind: CallKind[Any, int], *values: object) -> int:
        """Change parcels slice by slice: the relay's commits come in between."""
        count, last = 0, -1
        while found := await self._found(selection, last):
            count += await self._queue.submit(kind, (found, *values))
            last = found[-1]
        return count

    def _name(self) -> str:
        if not self._node:
            raise no_node()
        return self._node

    def _give_back(self, parcels: Sequence[Parcel]) -> None:
        """Whoever asked for these was cancelled: nobody would ever settle them."""
        if self._node and not self._queue.is_closed:
            self._queue.submit(self._kinds.release, (parcels, self._node))


def no_node() -> ValueError:
    """What is wrong with a call of a tool that only a node may make."""
    return ValueError("a tool has no node, so it claims and settles nothing")
