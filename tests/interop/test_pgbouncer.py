"""A spool behind a real PgBouncer that gives each transaction another session: the contract holds, word for word."""

import os
import signal
from functools import cache

import pytest
from tests.interop.packages import want_packages
from tests.support.bouncer import BOUNCER, start, stop
from tests.support.postgres import database, loop, nodes, room_for_a_server, shared
from tests.unit.spool.test_spool_contract import *  # noqa: F403  # its stories, told here of another kind of spool

pytestmark = pytest.mark.root


@cache
def bouncer():
    """The folder of its socket."""
    want_packages()
    if not BOUNCER.exists():
        pytest.skip("no PgBouncer among them: run `make peers` again")
    room = room_for_a_server() / f"postroad-bouncer-{os.getpid()}"
    start(room, shared())
    return room


@pytest.fixture(scope="module")
def where():
    """The database, through it."""
    room, direct = bouncer(), database()
    yield direct.replace(f"host={shared().root}", f"host={room}&port=6432")
    stop(room, signal.SIGTERM)
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
