"""The spool on SQLite: passes the calls of the protocol to the writer and the readers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

from postroad.spool.base import (
    Body,
    Lesson,
    Parcel,
    Selection,
    Settlement,
    State,
    StoredMail,
    as_wholes,
)
from postroad.spool.calls import Claim, CompleteMessage
from postroad.spool.fresh import Fresh
from postroad.spool.group import RECIPIENT, SHORT, CallKind
from postroad.spool.sqlite import keeping, queue, settling
from postroad.spool.sqlite.kinds import Kinds
from postroad.spool.sqlite.opening import Opened, open_folder
from postroad.spool.sqlite.queries import SqliteQueries
from postroad.spool.sqlite.reader import THREADS, Reader
from postroad.spool.sqlite.writer import Writer

DAY_S = 86400.0


class SqliteSpool(SqliteQueries):
    """A spool in a folder, with an SQLite database.

    With node "" it is a tool's: it lists and changes the queue, adds mail, and claims none.
    """

    def __init__(self, opened: Opened, name: str, history_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = Writer(opened.commits, opened.where, loop)
        super().__init__(Reader(opened.where, opened.readers))
        self._node = name
        self._history_s = history_s
        self._hold = opened.hold
        self._place = opened.disk.place
        self._room = opened.disk.room
        self._fresh = Fresh()
        self._kinds = Kinds(self._fresh, self._give_back, keeps_history=history_s > 0)

    @classmethod
    async def open(cls, folder: Path, *, node: str, history_s: float = DAY_S, reserve: int = 0) -> Self:
        """Open the spool in a folder; a node makes it if there is none, and takes back what it had claimed.

        Args:
            folder: where the database is; made with mode 0700.
            node: the name of this process among those that share the spool; "" for a tool.
            history_s: how long finished messages and their records are kept; 0: not at all.
            reserve: octets of the disk that new mail does not get, for settling needs some; up to half of them are a
                file that is given up when other programs leave no room.

        Raises:
            SpoolError: locked (a living process has the name), missing, newer, corrupt, read-only, full.

        """
        opened = await asyncio.to_thread(open_folder, folder, node, reserve, THREADS)
        return cls(opened, node, history_s, asyncio.get_running_loop())

    @property
    def commits(self) -> int:
        """Transactions committed since it was opened."""
        return self._writer.commits

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not as it should be, and was put right as it was opened: sentences for the log."""
        return self._hold.remarks if self._hold else ()

    async def write(self, id_: str, piece: bytes) -> None:
        """See Spool."""
        await self._writer.submit(self._kinds.write, (id_, piece, self._node), len(piece))

    async def discard(self, id_: str) -> None:
        """See Spool."""
        await self._writer.submit(self._kinds.discard, id_)

    def add(
        self, mail: StoredMail, rest: bytes, *, claim: bool = False, front: bytes = b""
    ) -> asyncio.Future[tuple[Parcel, ...]]:
        """See Spool."""
        if not mail.envelope.recipients:
            return self._writer.refuse(ValueError("a message needs at least one recipient"))
        if claim and not self._node:
            return self._writer.refuse(_no_node())
        if front and len(front) + len(rest) == mail.size:
            rest, front = front + rest, b""
        whole = CompleteMessage(mail, rest, self._node if claim else None, front)
        others = len(mail.envelope.recipients) - 1  # SHORT counts the first
        return self._writer.submit(self._kinds.add, whole, len(front) + len(rest) + others * RECIPIENT)

    async def claim(self, now: float, most: int, *, each: int, skip: Collection[str] = ()) -> tuple[Parcel, ...]:
        """See Spool."""
        asked = Claim(self._name(), now, most, each, frozenset(skip))
        return await self._writer.submit(self._kinds.claim, asked)

    def settle(self, settlements: Collection[Settlement], now: float) -> asyncio.Future[None]:
        """See Spool."""
        if not self._node:
            return self._writer.refuse(_no_node())
        octets = sum([SHORT + one.parcel.mail.size for one in settlements])
        return self._writer.submit(self._kinds.settle, (tuple(settlements), now, self._node), octets)

    async def release(self, parcels: Collection[Parcel]) -> None:
        """See Spool."""
        if parcels:
            await self._writer.submit(self._kinds.release, (tuple(parcels), self._name()))

    async def retry_stranded(self, destination: str, now: float) -> int:
        """See Spool."""
        return await self._writer.submit(self._kinds.retry_stranded, (destination, now))

    def body(self, mail: StoredMail) -> Body:
        """See Spool."""
        return Body(mail, self.piece)

    def at_hand(self, mail: StoredMail) -> bytes | None:
        """See Spool."""
        return self._fresh.body(mail.id)

    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """See Spool."""
        fresh = self._fresh.body(id_)
        return (fresh, False) if fresh is not None else await self._reader.ask(keeping.piece, id_, ordinal)

    async def renew(self, now: float) -> int:
        """See Spool."""
        return await self._writer.submit(self._kinds.renew, (self._name(), now))

    async def sweep(self, now: float) -> None:
        """See Spool."""
        await asyncio.to_thread(self._look_after)
        while await self._writer.submit(self._kinds.sweep_history, now - self._history_s) == settling.SLICE:
            pass
        while await self._writer.submit(self._kinds.sweep_arrivals, now):
            pass

    async def hold(self, selection: Selection) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.hold)

    async def unhold(self, selection: Selection) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.unhold)

    async def retry(self, selection: Selection, now: float) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.retry, now)

    async def clock_set_back(self, now: float, latest: float) -> int:
        """See Spool."""
        await self._writer.submit(self._kinds.clock_set_back, now)
        return await self.retry(Selection(state=State.WAITING, due_after=latest), now)

    async def delete(self, selection: Selection, now: float) -> int:
        """See Spool."""
        return await self._change(selection, self._kinds.delete, now)

    async def overrule(self, settlements: Collection[Settlement], now: float) -> int:
        """See Spool."""
        return await self._writer.submit(self._kinds.overrule, (as_wholes(settlements), now))

    def learn(self, lessons: Collection[Lesson]) -> asyncio.Future[None]:
        """See Spool."""
        return self._writer.submit(self._kinds.learn, tuple(lessons), sum([len(one.text) for one in lessons]))

    async def forget(self, kind: str, keys: Collection[str]) -> int:
        """See Spool."""
        return await self._writer.submit(self._kinds.forget, (kind, tuple(keys)))

    async def close(self) -> None:
        """See Spool."""
        await self._reader.close()
        await self._writer.close()
        if self._hold:
            self._hold.lock.close()

    async def _change(self, selection: Selection, kind: CallKind[Any, int], *values: object) -> int:
        """Change parcels slice by slice: the relay's commits come in between."""
        count, last = 0, -1
        while found := await self._reader.ask(queue.found, selection, last, settling.SLICE):
            count += await self._writer.submit(kind, (found, *values))
            last = found[-1]
        return count

    def _look_after(self) -> None:
        self._place.check()
        if self._node:
            self._room.make_reserve()

    def _name(self) -> str:
        if not self._node:
            raise _no_node()
        return self._node

    def _give_back(self, parcels: Sequence[Parcel]) -> None:
        """Whoever asked for these was cancelled: nobody would ever settle them."""
        if self._node and not self._writer.is_closed:
            self._writer.submit(self._kinds.release, (parcels, self._node))


def _no_node() -> ValueError:
    return ValueError("a tool has no node, so it claims and settles nothing")
