"""A spool behind a real PgBouncer that gives each transaction another session: the contract holds, word for word."""

import os
import subprocess
from functools import cache

import pytest
from tests.interop.packages import PEERS, environment, want_packages
from tests.support.postgres import _user, database, loop, nodes, room_for_a_server, shared
from tests.unit.spool.test_spool_contract import *  # noqa: F403  # its stories, told here of another kind of spool

pytestmark = pytest.mark.root
BOUNCER = PEERS / "usr/sbin/pgbouncer"
SETTINGS = """
[databases]
* = host={server} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {room}
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_lifetime = 3600
server_round_robin = 1
pidfile = {room}/pid
logfile = {room}/log
"""


@cache
def bouncer():
    """The folder of its socket."""
    want_packages()
    if not BOUNCER.exists():
        pytest.skip("no PgBouncer among them: run `make peers` again")
    room = room_for_a_server() / f"postroad-bouncer-{os.getpid()}"
    room.mkdir()
    (room / "settings").write_text(SETTINGS.format(server=shared().root, room=room))
    if _user():
        os.chown(room, _user(), -1)
    subprocess.run([BOUNCER, "-d", "-q", room / "settings"], env=environment(), user=_user(), check=True, cwd="/")
    return room


@pytest.fixture(scope="module")
def where():
    """The database, through it."""
    room, direct = bouncer(), database()
    yield direct.replace(f"host={shared().root}", f"host={room}&port=6432")
    os.kill(int((room / "pid").read_text()), 15)
    for file in room.iterdir():
        file.unlink(missing_ok=True)
    room.rmdir()


@pytest.fixture
def tell(where):
    """Run a story about a spool behind it."""

    def whole(story, **settings):
        async def told():
            async with nodes("one", url=where, **settings) as (spool,):
                assert spool._connections._is_pooled
                await story(spool)

        loop().run(told())

    return whole
