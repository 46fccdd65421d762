"""Queries, in threads of their own: a long one delays neither the writer nor the loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Concatenate, ParamSpec, TypeVar

from postroad.spool.sqlite.trouble import closed, troubles

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 2
"""One for bodies while the other counts a million parcels."""


class Reader:
    """The connections that only read."""

    def __init__(self, where: Path, connections: Collection[sqlite3.Connection]) -> None:
        self._where = where
        self._pool: ThreadPoolExecutor | None = None  # until somebody asks
        self._most = len(connections)
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for db in connections:
            self._idle.put(db)
        self._is_closed = False

    async def ask(
        self, question: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Answer a question from what is committed.

        Raises:
            SpoolError: the database could not be read, or is closed.

        """
        if self._is_closed:
            raise closed(self._where)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="spool-reader")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: self._answer(question, *args, **kwargs))

    async def close(self) -> None:
        """Answer what was asked, then end."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)
        while not self._idle.empty():
            self._idle.get().close()

    def _answer(
        self, question: Callable[Concatenate[sqlite3.Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        db = self._idle.get()
        try:
            with troubles(self._where):
                return question(db, *args, **kwargs)
        finally:
            self._idle.put(db)
