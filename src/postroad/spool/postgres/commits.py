"""Commits a group of calls as one transaction, and handles what may go wrong: servers, other nodes, a faulty call."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.base import SpoolError, Trouble
from postroad.spool.group import Calls, failed
from postroad.spool.postgres import lanes
from postroad.spool.postgres.connections import DatabaseConnections, Db, OutagePatience, ended
from postroad.spool.postgres.days import is_missing_day, make_day
from postroad.spool.postgres.leases import LostToken, revive
from postroad.spool.postgres.transaction import Life, SpoolTransaction
from postroad.spool.postgres.trouble import is_lost, is_worth_another_try, trouble_with, troubles

TRIES = 3
"""How often a transaction is done that met another one."""

_OF_ONE = {None, Trouble.CORRUPT}
"""Troubles of one call, which spoil no other. The others are the server's."""

# In one trip, whatever the server has as its defaults. No statement_timeout: at a COMMIT that waits for the synchronous
# standby the server would end the wait, and call that committed; who else does that is warned of, whatever is set. No
# planner's guess is right about a table that fills and empties within seconds: every statement of ours has its index.
BEGIN = """
BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL client_min_messages = warning;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off;
SET LOCAL plan_cache_mode = force_generic_plan
"""
_LAST = """
SELECT pg_current_xact_id_if_assigned()::text, EXISTS (SELECT FROM postroad.node WHERE token = $1)
"""
_STATUS = "SELECT pg_xact_status($1::text::xid8)"
_COMMITTED, _UNDER_WAY = "committed", "in progress"
_ANY_WRITE = "UPDATE postroad.look SET count = count"


class InDoubt(Exception):  # noqa: N818  # what it is
    """The error that a transaction may be committed or not, and that nobody can be asked."""

    def __init__(self, transaction: str) -> None:
        super().__init__("the connection was lost at COMMIT")
        self.transaction = transaction


class GroupCommits:
    """The committer of groups of calls: one at a time."""

    def __init__(self, connections: DatabaseConnections, life: Life) -> None:
        self._connections = connections
        self._life = life
        self._doubts: list[tuple[str, list[Calls[Any, Any]]]] = []
        self._day: int | None = None  # of the last transaction that failed
        self.refusal: SpoolError | None = None  # why new mail is not accepted
        self.count = 0

    async def do(self, calls: list[Calls[Any, Any]]) -> list[Calls[Any, Any]]:
        """Do a group: its calls have their results then, or what is wrong."""
        if self.refusal and any(each.kind.enters for each in calls):
            others = [each for each in calls if not each.kind.enters]
            return failed([each for each in calls if each.kind.enters], self.refusal) + await self._do(others)
        return await self._do(calls)

    async def house(self, work: Callable[[Db], Awaitable[object]]) -> None:
        """Do a transaction of the house, for nobody's call; again, if a connection is lost that was idle before.

        Raises:
            SpoolError: it could not be done.

        """
        with troubles(self._connections.where):
            for is_last in (False, True):
                try:
                    async with self._connections.lent() as db:
                        await db.execute(BEGIN)
                        await work(db)
                        await ended(db, "COMMIT")
                except Exception as problem:
                    if is_last or not is_lost(problem):
                        raise
                else:
                    return

    async def _do(self, calls: list[Calls[Any, Any]]) -> list[Calls[Any, Any]]:
        """Do them in one transaction, or as many as that takes: one's fault spoils no other."""
        problem = await self._try(calls) if calls else None
        if problem is None:
            return calls
        kind = problem.kind if isinstance(problem, SpoolError) else None
        if kind in _OF_ONE and sum(len(each.arguments) for each in calls) > 1:
            return [done for each in calls for one in each.apart() for done in await self._do([one])]
        return failed(calls, problem)

    async def _try(self, calls: list[Calls[Any, Any]]) -> Exception | None:
        """What is wrong, if anything is in spite of all that can be done; nothing of the transaction is done then."""
        patience = OutagePatience(self._connections)
        while True:
            try:
                await self._transact(calls)
            except InDoubt as doubt:
                self._life.round.look_back()
                self._doubts.append((doubt.transaction, [_kept(each) for each in calls]))
                return trouble_with(self._connections.where, ConnectionError(str(doubt)))
            except Exception as problem:  # noqa: BLE001  # a fault must reach its caller, and leave the writer alive
                self._life.round.look_back()  # what is remembered of it did not happen
                if obstacle := await self._obstacle(problem, patience):
                    return trouble_with(self._connections.where, obstacle) or obstacle
            else:
                return None

    async def _obstacle(self, problem: Exception, patience: OutagePatience) -> Exception | None:
        """What keeps the same from succeeding now; None once it is out of the way."""
        if is_lost(problem):
            return None if await patience.waits() else problem
        patience.tries += 1
        if patience.tries > TRIES:
            return problem
        try:
            if isinstance(problem, LostToken):
                await self.house(lambda db: revive(db, self._life))
            elif is_missing_day(problem) and self._day is not None:
                day = self._day
                await self.house(lambda db: make_day(db, day))
            elif not is_worth_another_try(problem):
                return problem
        except SpoolError as trouble:
            return trouble
        return None

    async def _transact(self, calls: list[Calls[Any, Any]]) -> None:
        lost: Exception | None = None
        async with self._connections.lent() as db:
            transaction = await self._prepare(db, calls)
            try:
                await ended(db, "COMMIT")
            except Exception as problem:
                if transaction is None or not is_lost(problem):
                    raise
                db.terminate()
                lost = problem
        if lost and not await self._is_committed(str(transaction)):
            raise lost
        self.count += 1
        if self._doubts:
            await self._settle_doubts()

    async def _prepare(self, db: Db, calls: list[Calls[Any, Any]]) -> str | None:
        """Do their statements, all but COMMIT: the transaction's number, if it writes anything."""
        tx = SpoolTransaction(db, self._life)
        try:
            await db.execute(BEGIN)
            for each in calls:
                each.results = await each.kind.work(tx, each.arguments)  # type: ignore[misc]  # ours are awaited
            await lanes.settle_lanes(tx)
            transaction, is_valid = await db.fetchrow(_LAST, tx.token)
            if tx.claims and not is_valid:
                raise LostToken  # noqa: TRY301  # as from the statements
        except BaseException:
            self._day = tx.day
            with contextlib.suppress(Exception):  # what cannot be rolled back is closed
                await db.execute("ROLLBACK")
            raise
        return None if transaction is None else str(transaction)

    async def _is_committed(self, transaction: str) -> bool:
        """Whether a transaction was committed whose connection was lost, and is where commits have to be.

        Raises:
            InDoubt: nobody can be asked.

        """
        patience = OutagePatience(self._connections)
        while True:
            try:
                status = await self._status(transaction)
                if status == _COMMITTED:
                    await self._confirm()
            except Exception as problem:
                if not is_lost(problem):
                    raise
                status = _UNDER_WAY
            if status != _UNDER_WAY:
                return status == _COMMITTED
            if not await patience.waits():
                raise InDoubt(transaction)

    async def _confirm(self) -> None:
        """Wait for the standby: what has a later commit has those before it."""
        async with self._connections.lent() as db:
            await db.execute(BEGIN)
            await db.execute(_ANY_WRITE)
            await ended(db, "COMMIT")

    async def _status(self, transaction: str) -> str | None:
        """Of a transaction: None of one that this server never heard of."""
        async with self._connections.lent() as db:
            await db.execute("BEGIN")
            try:
                found: str | None = await db.fetchval(_STATUS, transaction)
            except (
                asyncpg.InvalidParameterValueError
            ):  # it is in the future: the server is another one, or an older copy
                found = None
            await db.execute("ROLLBACK")
        return found

    async def _settle_doubts(self) -> None:
        """What was committed after all, though its callers heard that it was not: claims are given back."""
        doubts, self._doubts = self._doubts, []
        for transaction, calls in doubts:
            status = await self._status(transaction)
            if status == _UNDER_WAY:
                self._doubts.append((transaction, calls))
            for each in calls if status == _COMMITTED else ():
                for result in each.results if each.kind.unwanted else ():
                    each.kind.unwanted(result)  # type: ignore[misc]  # seen above


def _kept(calls: Calls[Any, Any]) -> Calls[Any, Any]:
    return Calls(calls.kind, calls.arguments, results=calls.results)
