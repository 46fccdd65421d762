"""A spool behind a real PgBouncer that gives each transaction another session: the contract holds, word for word.

In a whole run the server is Debian's PostgreSQL, years older than the one of all other tests, and all stories are told;
else it is theirs, and every third is.
"""

import os
import signal
from contextlib import contextmanager

import pytest
from tests.interop.packages import PEERS, environment, want_packages
from tests.support.bouncer import BOUNCER, start, stop
from tests.support.examples import is_whole, some
from tests.support.memory import fast_folder
from tests.support.postgres import FAST, Server, database, loop, nodes, shared
from tests.unit.spool.test_spool_contract import *  # noqa: F403  # its stories, told here of another kind of spool

pytestmark = pytest.mark.root

STORIES = [name for name in globals() if name.startswith("test_")]
for story in {*STORIES} - {*some(STORIES, 3)}:
    del globals()[story]


class DebianServer(Server):
    """The one of the packages."""

    def program(self, name):
        """See Server."""
        return next(PEERS.glob("usr/lib/postgresql/*/bin")) / name, environment()


@pytest.fixture(scope="module")
def where():
    """The database, through it."""
    want_packages()
    if not (BOUNCER.exists() and any(PEERS.glob("usr/lib/postgresql/*/bin/postgres"))):
        pytest.skip("no PgBouncer or no PostgreSQL among them: run `make peers` again")
    if not is_whole():
        with bounced(shared(), database("bounced")) as url:
            yield url
        return
    server = DebianServer(fast_folder() / f"postroad-debian-{os.getpid()}", FAST)
    server.make()
    server.start()
    with bounced(server, server.url()) as url:
        yield url
    server.stop()
    server.remove()


@contextmanager
def bounced(server, url):
    """The URL of a database by way of a PgBouncer in front of its server."""
    room = server.root / f"bouncer-{os.getpid()}"
    start(room, server)
    yield url.replace(f"host={server.root}", f"host={room}&port=6432")
    stop(room, signal.SIGTERM)


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
