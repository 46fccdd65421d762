"""Connections to the database: opened when one is needed, used by one transaction or question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # it has no types

from postroad.spool.postgres.address import without_password
from postroad.spool.postgres.trouble import Unanswered, Unconfirmed, closed, is_lost, troubles, wrong_url
from postroad.words.phrasebook import seconds

P = ParamSpec("P")
R = TypeVar("R")

MOST = 4
"""DatabaseConnections of a node: two that write, two that read. PostgreSQL has a process for each."""

ANSWER_S = 20.0
"""How long a statement may take: no slice of ours takes a second, so who is silent for so long is gone."""

CONNECT_S = 5.0

PATIENCE_S = 20.0
"""How long a call tries to get a connection: a server that restarts is back by then, and clients still wait."""

_PAUSES_S = (0.0, 0.02, 0.1, 0.3, 1.0)  # between tries

_STATEMENTS = 256  # prepared ones kept for each connection: more than this room has


class Db(Protocol):
    """The part of a connection of asyncpg that this room uses."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        """Rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Any:  # noqa: ANN401  # a row, or None
        """The first row."""
        ...

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401  # any value
        """The first value of the first row."""
        ...

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's
        """What it did, in words of the server; without arguments it may be several statements."""
        ...

    async def executemany(self, command: str, args: Sequence[Sequence[object]]) -> None:
        """A statement for each of these."""
        ...

    def terminate(self) -> None:
        """End it without a word."""
        ...

    def add_log_listener(self, callback: Callable[[Any, Any], None]) -> None:
        """Have what the server says beside its answers told: the connection, and the message."""
        ...

    def remove_log_listener(self, callback: Callable[[Any, Any], None]) -> None:
        """No longer."""
        ...


class OutagePatience:
    """How long a server is waited for that does not answer: after one call has waited in vain, no other one does."""

    def __init__(self, connections: DatabaseConnections) -> None:
        self._connections = connections
        self._until = asyncio.get_running_loop().time() + (0.0 if connections.is_away else PATIENCE_S)
        self._pauses = 0
        self.tries = 0  # for other reasons

    async def waits(self) -> bool:
        """Wait a little, if it is not too late."""
        if asyncio.get_running_loop().time() >= self._until:
            self._connections.is_away = True
            return False
        await asyncio.sleep(_PAUSES_S[min(self._pauses, len(_PAUSES_S) - 1)])
        self._pauses += 1
        return True


class DatabaseConnections:
    """The connections of one spool."""

    def __init__(self, url: str, name: str) -> None:
        self.where = without_password(url)
        self._url = url
        self._name = name
        self._idle: list[Any] = []
        self._room = asyncio.Semaphore(MOST)
        self._is_pooled: bool | None = None  # behind a pooler that gives each transaction another session
        self.is_closed = False
        self.is_away = False  # the server, when last asked

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler was found, by the first connection."""
        return bool(self._is_pooled)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Db]:
        """A connection for a transaction. What is not left as it was is closed."""
        if self.is_closed:
            raise closed(self.where)
        async with self._room:
            db = self._idle.pop() if self._idle else await self._connect()
            self.is_away = False
            try:
                yield db
            except BaseException as problem:
                if is_lost(problem):
                    db.terminate()
                    self._drop()  # the others end the same way
                raise
            finally:
                if db.is_closed() or db.is_in_transaction() or self.is_closed:
                    db.terminate()
                else:
                    self._idle.append(db)

    async def ask(self, question: Callable[Concatenate[Db, P], Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Answer a question from what is committed; again, if the connection is lost.

        Raises:
            SpoolError: the database could not be read, or this is closed.

        """
        patience = OutagePatience(self)
        with troubles(self.where):
            while True:
                try:
                    return await self._answer(question, *args, **kwargs)
                except Exception as problem:
                    if not is_lost(problem) or not await patience.waits():
                        raise

    async def close(self) -> None:
        """End."""
        self.is_closed = True
        idle, self._idle = self._idle, []
        for db in idle:
            try:
                await db.close(timeout=CONNECT_S)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                db.terminate()

    async def _answer(
        self, question: Callable[Concatenate[Db, P], Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        async with self.lent() as db:
            if not self._is_pooled:
                return await question(db, *args, **kwargs)
            await db.execute("BEGIN READ ONLY")
            answer = await question(db, *args, **kwargs)
            await db.execute("COMMIT")
            return answer

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().terminate()

    async def _connect(self) -> Any:  # noqa: ANN401  # asyncpg has no types
        db = await self._open(0 if self._is_pooled else _STATEMENTS)
        if self._is_pooled is None:
            self._is_pooled = await _is_pooled(db)
            if self._is_pooled:
                await db.close()
                db = await self._open(0)
        return db

    async def _open(self, statements: int) -> Any:  # noqa: ANN401  # as above
        try:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_S,
                command_timeout=ANSWER_S,
                statement_cache_size=statements,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": f"postroad {self._name}".strip()},
            )
        except (ValueError, asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError) as problem:
            raise wrong_url(problem) from None


async def ended(db: Db, statement: str) -> None:
    """Do a COMMIT. It is never cancelled: a server that waits for a standby would report it as done.

    Somebody else may do that (pg_cancel_backend): the server reports it as done as well, and warns beside its answer,
    where it has nothing else to warn of.

    Raises:
        Unanswered: whether it is done is not known.
        Unconfirmed: it is done, but may be on this server only.

    """
    warnings: list[str] = []

    def heard(_db: object, message: object) -> None:
        if isinstance(message, asyncpg.PostgresWarning):
            warnings.append(str(message))

    db.add_log_listener(heard)
    try:
        await _ended(db, statement)
    finally:
        db.remove_log_listener(heard)
    if warnings:
        raise Unconfirmed(warnings[0])


async def _ended(db: Db, statement: str) -> None:
    doing = asyncio.ensure_future(db.execute(statement, timeout=86400.0))
    await asyncio.wait({doing}, timeout=ANSWER_S)
    if not doing.done():
        db.terminate()
        await asyncio.wait({doing})
        doing.exception()
        raise Unanswered(f"no answer to {statement} for {seconds(ANSWER_S or 0)}")
    doing.result()


async def _is_pooled(db: Any) -> bool:  # noqa: ANN401  # as above
    """Whether the process that we are told of is not the one that answers. Nothing is prepared for the question."""
    try:
        await db.execute(f"SELECT 1 / (pg_backend_pid() = {db.get_server_pid():d})::integer")
    except asyncpg.DivisionByZeroError:
        return True
    return False
