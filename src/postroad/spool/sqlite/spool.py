"""The spool on SQLite: passes the calls of the protocol to the writer and the readers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from postroad.spool.base import Selection, Settlement, StoredMail
from postroad.spool.calls import SLICE
from postroad.spool.fresh import Fresh
from postroad.spool.group import SHORT
from postroad.spool.grouped import DAY_S, GroupedCalls, no_node
from postroad.spool.sqlite import keeping, queue
from postroad.spool.sqlite.kinds import Kinds
from postroad.spool.sqlite.opening import Opened, open_folder
from postroad.spool.sqlite.queries import SqliteQueries
from postroad.spool.sqlite.reader import THREADS, Reader
from postroad.spool.sqlite.writer import Writer


class SqliteSpool(GroupedCalls[Kinds, Writer], SqliteQueries):
    """A spool in a folder, with an SQLite database.

    With node "" it is a tool's: it lists and changes the queue, adds mail, and claims none.
    """

    def __init__(self, opened: Opened, name: str, history_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = Writer(opened.commits, opened.where, loop)
        GroupedCalls.__init__(self, name, self._writer, self._writer)
        SqliteQueries.__init__(self, Reader(opened.where, opened.readers))
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
        opened = await asyncio.to_thread(open_folder, folder, node, reserve, THREADS if node else 1)
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

    def settle(self, settlements: Collection[Settlement], now: float) -> asyncio.Future[None]:
        """See Spool."""
        if not self._node:
            return self._writer.refuse(no_node())
        octets = sum([SHORT + one.parcel.mail.size for one in settlements])
        return self._writer.submit(self._kinds.settle, (tuple(settlements), now, self._node), octets)

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
        while await self._writer.submit(self._kinds.sweep_history, now - self._history_s) == SLICE:
            pass
        while await self._writer.submit(self._kinds.sweep_arrivals, now):
            pass

    async def close(self) -> None:
        """See Spool."""
        await self._reader.close()
        await self._writer.close()
        if self._hold:
            self._hold.lock.close()

    async def _found(self, selection: Selection, after: int) -> Sequence[int]:
        return await self._reader.ask(queue.found, selection, after, SLICE)

    def _look_after(self) -> None:
        self._place.check()
        if self._node:
            self._room.make_reserve()
