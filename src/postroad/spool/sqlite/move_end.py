"""A spool in a folder as one end of a move: each call is a commit in the turn of this process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from postroad.spool.base import NODE, SpoolError
from postroad.spool.cargo import ItemKind, MovedItem, Slice
from postroad.spool.group import CallKind, CommitGroup
from postroad.spool.moving import Contents, MoveHeader, MoveRole, Staged
from postroad.spool.sqlite import cargo, file
from postroad.spool.sqlite.folder import FILE, make_folder, names_in, take_names
from postroad.spool.sqlite.opening import Opened, open_folder
from postroad.spool.sqlite.trouble import trouble_with_file, troubles

R = TypeVar("R")


class SqliteMoveEnd:
    """A spool in a folder, as FROM or TO."""

    def __init__(self, opened: Opened, way: MoveRole, locks: Collection[IO[str]]) -> None:
        self.where = str(opened.where.parent)
        self._opened = opened
        self._way = way
        self._locks = locks
        self._header: MoveHeader | None = None

    @classmethod
    async def open(cls, folder: Path, way: MoveRole, *, reserve: int = 0) -> Self:
        """Open the spool in a folder: of FROM with the locks of all its nodes, of TO made if there is none.

        Raises:
            SpoolError: locked (a relay runs on FROM), missing, newer, corrupt, read-only, full.

        """
        return await asyncio.to_thread(cls._open, folder, way, reserve)

    @classmethod
    def _open(cls, folder: Path, way: MoveRole, reserve: int) -> Self:
        locks: list[IO[str]] = []
        try:
            if way is MoveRole.IN:
                make_folder(folder)
                file.prepare(folder / FILE, make=True)
                file.open_database(folder / FILE).close()
            else:
                file.prepare(folder / FILE, make=False)
                names = {NODE, *names_in(folder)}
                locks = take_names(folder, names)
                file.open_database(folder / FILE, names).close()
            return cls(open_folder(folder, "", reserve, readers=1), way, locks)
        except OSError as problem:
            raise trouble_with_file(folder, problem) from problem
        except SpoolError:
            for lock in locks:
                lock.close()
            raise

    async def header(self, way: MoveRole) -> MoveHeader | None:
        """See MoveEnd."""
        return await self._ask(cargo.header, way)

    async def begin(self, way: MoveRole, header: MoveHeader) -> None:
        """See MoveEnd."""
        await self._commit(lambda db: cargo.begin(db, way, header))
        self._header = header

    async def free_claims(self) -> None:
        """See MoveEnd."""
        await self._do(cargo.free_claims)

    async def contents(self) -> Contents:
        """See MoveEnd."""
        return await self._ask(cargo.contents)

    async def slice(self, kind: ItemKind, after: str, most: int) -> Slice:
        """See MoveEnd."""
        return await self._ask(cargo.next_slice, kind, after, most)

    async def octets(self, id_: str, ordinal: int) -> bytes:
        """See MoveEnd."""
        return await self._ask(cargo.octets, id_, ordinal)

    async def known(self, ids: Collection[str]) -> frozenset[str]:
        """See MoveEnd."""
        return await self._ask(cargo.known, list(ids))

    async def stage(self, staged: Sequence[Staged]) -> None:
        """See MoveEnd."""
        octets = sum(len(text) + sum(len(piece) for _, piece in pieces) for _, text, pieces in staged)
        await self._do(cargo.stage, staged, octets=octets)

    async def staged(self) -> tuple[str, ...]:
        """See MoveEnd."""
        return await self._ask(cargo.ids, MoveRole.IN)

    async def unstage(self, ids: Collection[str]) -> None:
        """See MoveEnd."""
        await self._do(cargo.unstage, list(ids))

    async def adopt(self, ids: Collection[str]) -> None:
        """See MoveEnd."""
        await self._do(cargo.adopt, list(ids))

    async def remove(self, items: Sequence[MovedItem]) -> frozenset[str]:
        """See MoveEnd."""
        return await self._do(cargo.remove, items)

    async def notes(self) -> frozenset[str]:
        """See MoveEnd."""
        return frozenset(await self._ask(cargo.ids, MoveRole.OUT))

    async def forget_notes(self) -> None:
        """See MoveEnd."""
        await self._do(cargo.forget_notes)

    async def end(self, way: MoveRole) -> None:  # noqa: ARG002  # a spool has one part in a move
        """See MoveEnd."""
        await self._do(cargo.end)

    async def close(self) -> None:
        """See MoveEnd."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for db in self._opened.readers:
            db.close()
        self._opened.commits.close()
        for lock in self._locks:
            lock.close()

    async def _ask(self, question: Callable[..., R], *args: object) -> R:
        def ask() -> R:
            with troubles(self._opened.where):
                return question(self._opened.readers[0], *args)

        return await asyncio.to_thread(ask)

    async def _do(self, work: Callable[..., R], *args: object, octets: int = 0) -> R:
        """Do this in a commit, unless another run has taken over. `octets`: what it brings."""
        ours = self._header
        if ours is None:
            raise ValueError("no move has begun")

        def checked(db: sqlite3.Connection) -> R:
            cargo.check(db, self._way, ours)
            return work(db, *args)

        return await self._commit(checked, octets)

    async def _commit(self, work: Callable[[sqlite3.Connection], R], octets: int = 0) -> R:
        kind: CallKind[None, R] = CallKind(lambda db, _: [work(db)], enters=octets > 0)
        group = CommitGroup()
        group.take(kind, None, octets)
        calls: Any = (await asyncio.to_thread(self._opened.commits.end, group))[0]
        if calls.problem:
            raise calls.problem
        result: R = calls.results[0]
        return result
