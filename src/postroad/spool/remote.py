"""A spool that another process delivers from: that process's view of it, and our record of what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from postroad.spool.base import Body, Claims, Lesson, Parcel, Settlement, StoredMail, Story
from postroad.spool.wire import (
    Link,
    Row,
    Words,
    pack_lesson,
    pack_parcel,
    pack_settlement,
    pack_story,
    unpack_parcel,
    unpack_settlement,
    unpack_story,
)

UNSENT = 4 * 1024 * 1024
"""Octets the other process has not taken yet, beyond which nothing more is pushed to it: it asks when it can."""


class RemoteSpool:
    """The spool of another process, as the one that delivers has it: `call` asks it."""

    def __init__(self, call: Callable[..., asyncio.Future[Any]]) -> None:
        self._call = call
        self._bodies: dict[str, bytes] = {}

    def received(self, row: Row, body: bytes | None) -> Parcel:
        """A parcel that was handed over, its body remembered until it is settled."""
        parcel = unpack_parcel(row)
        if body is not None:
            self._bodies[parcel.mail.id] = body
        return parcel

    async def claim(self, now: float, most: int, *, each: int, skip: Collection[str] = ()) -> tuple[Parcel, ...]:
        """See Spool."""
        asked = self._call("claim", now, most, each, frozenset(skip))
        try:
            rows = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._give_back)
            raise
        return tuple(map(unpack_parcel, rows))

    def settle(self, settlements: Collection[Settlement], now: float) -> asyncio.Future[None]:
        """See Spool."""
        self._forget([one.parcel for one in settlements])
        return self._call("settle", [pack_settlement(one) for one in settlements], now)

    async def release(self, parcels: Collection[Parcel]) -> None:
        """See Spool."""
        if parcels:
            self._forget(parcels)
            await self._call("release", [parcel.number for parcel in parcels])

    async def retry_stranded(self, destination: str, now: float) -> int:
        """See Spool."""
        return int(await self._call("retry_stranded", destination, now))

    async def stranded(self, after: str, limit: int) -> tuple[str, ...]:
        """See Spool."""
        return tuple(await self._call("stranded", after, limit))

    async def next_due(self, skip: Collection[str] = ()) -> float | None:
        """See Spool."""
        due_at: float | None = await self._call("next_due", frozenset(skip))
        return due_at

    async def clock_set_back(self, now: float, latest: float) -> int:
        """See Spool."""
        return int(await self._call("clock_set_back", now, latest))

    async def story(self, id_: str) -> Story | None:
        """See Spool."""
        return unpack_story(await self._call("story", id_))

    def learn(self, lessons: Collection[Lesson]) -> asyncio.Future[None]:
        """See Spool."""
        return self._call("learn", [pack_lesson(one) for one in lessons])

    async def recall(self, kind: str, begin: str = "") -> tuple[Lesson, ...]:
        """See Spool."""
        return tuple([Lesson(*row) for row in await self._call("recall", kind, begin)])

    async def forget(self, kind: str, keys: Collection[str]) -> int:
        """See Spool."""
        return int(await self._call("forget", kind, list(keys)))

    def body(self, mail: StoredMail) -> Body:
        """See Spool."""
        return Body(mail, self.piece)

    def at_hand(self, mail: StoredMail) -> bytes | None:
        """See Spool."""
        return self._bodies.get(mail.id)

    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """See Spool."""
        body = self._bodies.get(id_)
        if body is not None:
            return body, False
        piece, goes_on = await self._call("piece", id_, ordinal)
        return piece, goes_on

    def _forget(self, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            self._bodies.pop(parcel.mail.id, None)

    def _give_back(self, asked: asyncio.Future[Any]) -> None:
        """Whoever claimed these was cancelled."""
        if not asked.cancelled() and asked.exception() is None and asked.result():
            self._call("release", [row[0] for row in asked.result()])


class Handover:
    """The parcels of our spool that another process was given, or has claimed, and not settled yet.

    If it dies, the next one is given them all. `settled` hears how many were settled at a time.
    """

    def __init__(self, spool: Claims, settled: Callable[[int], None] = lambda _count: None) -> None:
        self._spool = spool
        self._settled = settled
        self._link: Link | None = None
        self._parcels: dict[int, Parcel] = {}
        self._by_destination: dict[str, int] = {}
        self._under_way: set[asyncio.Future[Any]] = set()
        self.words: Words = {
            "claim": self._claim,
            "settle": self._settle,
            "release": self._release,
            "retry_stranded": spool.retry_stranded,
            "stranded": spool.stranded,
            "next_due": spool.next_due,
            "clock_set_back": spool.clock_set_back,
            "story": self._story,
            "piece": spool.piece,
            "learn": lambda rows: spool.learn([Lesson(*row) for row in rows]),
            "recall": self._recall,
            "forget": spool.forget,
        }

    @property
    def waiting(self) -> int:
        """How many parcels it has."""
        return len(self._parcels)

    def has_room_for(self, destinations: Iterable[str], held: int, each: int) -> bool:
        """Whether the other process is there, takes what it is given, and may have one more for each of these.

        It has `held` at most, and of a destination no more than is left to all others, nor more than `each`.
        """
        if self._link is None or self._link.unsent >= UNSENT:
            return False
        most = min(held - len(self._parcels), each)
        for name in destinations:  # noqa: SIM110  # a generator is a call more for each
            if self._by_destination.get(name, 0) >= most:
                return False
        return True

    def begin(self, link: Link) -> None:
        """It is there: it gets what the one before it left."""
        self._link = link
        for parcel in self._parcels.values():
            self._push(link, parcel)

    def give(self, parcels: Iterable[Parcel]) -> None:
        """Hand over parcels that are claimed: at once, or to the next one."""
        for parcel in parcels:
            self._keep(parcel)
            if self._link:
                self._push(self._link, parcel)

    async def end(self) -> None:
        """It has gone: what it has settled is settled first."""
        self._link = None
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def take_back(self) -> None:
        """Nobody delivers any more: what is left waits in the spool."""
        parcels = list(self._parcels.values())
        await self._spool.release(parcels)
        self._forget(parcels)

    def _push(self, link: Link, parcel: Parcel) -> None:
        body = self._spool.at_hand(parcel.mail) if link.unsent < UNSENT else None
        link.tell("take", pack_parcel(parcel), body)

    def _settle(self, rows: Collection[Row], now: float) -> asyncio.Future[None]:
        """A parcel it does not have is passed over."""
        settlements = [unpack_settlement(row, parcel) for row in rows if (parcel := self._parcels.get(row[0]))]
        done = asyncio.ensure_future(self._spool.settle(settlements, now))
        self._under_way.add(done)
        done.add_done_callback(partial(self._committed, [one.parcel for one in settlements]))
        return done

    def _committed(self, parcels: Collection[Parcel], done: asyncio.Future[None]) -> None:
        self._under_way.discard(done)
        if not done.cancelled() and done.exception() is None:
            self._forget(parcels)
            self._settled(len(parcels))

    def _claim(self, now: float, most: int, each: int, skip: Collection[str]) -> asyncio.Future[list[Row]]:
        done = asyncio.ensure_future(self._claimed(now, most, each, skip))
        self._under_way.add(done)
        done.add_done_callback(self._under_way.discard)
        return done

    async def _claimed(self, now: float, most: int, each: int, skip: Collection[str]) -> list[Row]:
        parcels = await self._spool.claim(now, most, each=each, skip=skip)
        for parcel in parcels:
            self._keep(parcel)
        return [pack_parcel(parcel) for parcel in parcels]

    async def _release(self, numbers: Collection[int]) -> None:
        parcels = [parcel for number in numbers if (parcel := self._parcels.get(number))]
        await self._spool.release(parcels)
        self._forget(parcels)

    async def _story(self, id_: str) -> Row | None:
        return pack_story(await self._spool.story(id_))

    async def _recall(self, kind: str, begin: str) -> list[Row]:
        return [pack_lesson(one) for one in await self._spool.recall(kind, begin)]

    def _keep(self, parcel: Parcel) -> None:
        if parcel.number not in self._parcels:
            self._by_destination[parcel.destination] = self._by_destination.get(parcel.destination, 0) + 1
        self._parcels[parcel.number] = parcel

    def _forget(self, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            if self._parcels.get(parcel.number) is parcel:  # else it has been claimed anew
                del self._parcels[parcel.number]
                if left := self._by_destination[parcel.destination] - 1:
                    self._by_destination[parcel.destination] = left
                else:
                    del self._by_destination[parcel.destination]
