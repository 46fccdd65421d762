"""The spool on PostgreSQL: passes the calls of the protocol to the writers and the readers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Self

from postroad.spool.base import Selection, Settlement, SpoolError, StoredMail, Trouble
from postroad.spool.calls import SLICE
from postroad.spool.fresh import Fresh
from postroad.spool.group import SHORT
from postroad.spool.grouped import DAY_S, GroupedCalls, no_node
from postroad.spool.postgres import keeping, leases, queue
from postroad.spool.postgres.beginning import Beginning
from postroad.spool.postgres.commits import GroupCommits
from postroad.spool.postgres.connections import DatabaseConnections
from postroad.spool.postgres.days import Days
from postroad.spool.postgres.kinds import PostgresCalls
from postroad.spool.postgres.promise import AcceptedRisks, check_promise
from postroad.spool.postgres.questions import SpoolQueries
from postroad.spool.postgres.transaction import Life
from postroad.spool.postgres.writer import GroupWriter

_opened = itertools.count(1)


class PostgresSpool(GroupedCalls[PostgresCalls, GroupWriter], SpoolQueries):
    """A spool in a PostgreSQL database, which several relays share.

    With node "" it is a tool's: it lists and changes the queue, adds mail, and claims none.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, connections: DatabaseConnections, node: str, history_s: float, accepted: AcceptedRisks) -> None:
        self._history_s = history_s
        self._accepted = accepted
        self._life = Life(node, f"process {os.getpid()} on {os.uname().nodename} ({next(_opened)})")
        SpoolQueries.__init__(self, connections, self._life)
        self._fresh = Fresh()
        self._kinds = PostgresCalls(self._fresh, self._life, self._give_back, keeps_history=history_s > 0)
        # A claim waits for nobody's lock, so that what waits for one does not wait for it
        self._mail = GroupWriter(GroupCommits(connections, self._life), connections.where)
        self._queue = GroupWriter(GroupCommits(connections, self._life), connections.where)
        GroupedCalls.__init__(self, node, self._mail, self._queue)
        self._days = Days(connections, self._queue.commits.house)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        node: str,
        history_s: float = DAY_S,
        accepted: AcceptedRisks = AcceptedRisks(),  # noqa: B008  # frozen
        clock: Callable[[], float] | None = None,
    ) -> Self:
        """Open the spool in a database; a node makes it if there is none, and takes back what it had claimed.

        Args:
            url: of the database: "postgresql://user@host/name"; what it leaves out is as for libpq.
            node: the name of this process among those that share the spool; "" for a tool.
            history_s: how long finished messages and their records are kept; 0: not at all.
            accepted: what may be lost.
            clock: of this machine, to compare it with the database's.

        Raises:
            SpoolError: gone, missing, newer, read-only, failing, locked.

        """
        connections = DatabaseConnections(url, node)
        spool = cls(connections, node, history_s, accepted)
        begin = Beginning(spool._life, accepted, clock, connections.where)  # its own
        try:
            await spool._mail.commits.house(begin)  # as above
        except BaseException:
            await connections.close()
            raise
        return spool

    @property
    def commits(self) -> int:
        """Transactions committed since it was opened."""
        return self._mail.commits.count + self._queue.commits.count

    async def write(self, id_: str, piece: bytes) -> None:
        """See Spool."""
        self._life.arriving.add(id_)
        await self._mail.submit(self._kinds.write, (id_, piece), len(piece))

    def settle(self, settlements: Collection[Settlement], now: float) -> asyncio.Future[None]:
        """See Spool."""
        if not self._node:
            return self._mail.refuse(no_node())
        octets = SHORT * len(settlements)
        return self._mail.submit(self._kinds.settle, (tuple(settlements), now, self._node), octets)

    def at_hand(self, mail: StoredMail) -> bytes | None:
        """See Spool. What another node may have by now is asked for."""
        return None if self._life.has_lost(mail.id) else self._fresh.body(mail.id)

    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """See Spool."""
        fresh = None if self._life.has_lost(id_) else self._fresh.body(id_)
        if fresh is not None:
            return fresh, False
        return await self._connections.ask(keeping.piece, id_, ordinal, self._life)

    async def renew(self, now: float) -> int:  # noqa: ARG002  # leases are on the database's clock
        """See Spool."""
        self._name()
        try:
            freed = await self._queue.submit(self._kinds.renew, None)
        except SpoolError as trouble:
            if trouble.kind in {Trouble.NEWER, Trouble.LOCKED}:
                self._mail.commits.refusal = trouble
            raise
        self._mail.commits.refusal = None
        return freed

    async def sweep(self, now: float) -> None:
        """See Spool."""
        try:
            await self._connections.ask(check_promise, self._accepted)
        except SpoolError as trouble:
            if trouble.kind is not Trouble.GONE:  # each commit finds out for itself whether there is a server
                self._mail.commits.refusal = trouble
            raise
        await self._queue.submit(self._kinds.remember_from, now - self._history_s)
        await self._days.turn(now, now - self._history_s)
        while await self._queue.submit(self._kinds.sweep_arrivals, now):
            pass

    async def close(self) -> None:
        """See Spool."""
        await self._queue.close()
        await self._mail.close()
        if self._node and not self._connections.is_away:
            with contextlib.suppress(SpoolError):  # it runs out by itself
                await self._queue.commits.house(partial(leases.leave, life=self._life))
        await self._connections.close()

    async def _found(self, selection: Selection, after: int) -> list[int]:
        return await self._connections.ask(queue.found, selection, after, SLICE)
