"""kill -9: what a call returned for is there after it, whatever was under way."""

import asyncio
import random

import pytest
from tests.support.examples import some
from tests.support.forks import killed
from tests.support.letters import EVERYTHING, NOW, letter, octets
from tests.support.postgres import UNSAFE, database, loop, nodes

from postroad.spool import Settlement
from postroad.spool.postgres import PostgresSpool
from postroad.spool.sqlite import SqliteSpool


async def client(spool, name, say):
    """It brings mail without end, and every second one is delivered."""
    for n in range(100_000):
        id_ = f"{name}-{n}"
        body = id_.encode() * 300
        (parcel,) = await spool.add(letter(id_, size=len(body)), body, claim=True)
        say(f"added {id_}")
        if n % 2:
            report = letter(f"r-{id_}", "ann@home.example", sender="", size=3)
            say(f"settling {id_}")
            await spool.settle([Settlement(parcel, record="{}", reports=((report, b"dsn"),))], NOW)
            say(f"settled {id_}")


def crashed(opening, after):
    """What a process said of the spool that it opened before it was killed, once it had said that many lines."""

    async def clients(say):
        spool = await opening()
        await asyncio.gather(*(client(spool, f"c{n}", say) for n in range(20)))

    said = {}
    for line in killed(lambda say: asyncio.run(clients(say)), after):
        word, id_ = line.split()
        said.setdefault(word, set()).add(id_)
    return said


@pytest.mark.parametrize("after", some([random.Random(n).randrange(1, 3000) for n in range(4)], 2, first=1))
def test_what_was_promised_survives_kill_9(tmp_path, after):
    """Added and not being settled: waiting, with every octet. Settled: its report waits, and it does not.

    Every second moment; all in a whole run.
    """

    def opening():
        return SqliteSpool.open(tmp_path, node="one")

    said = crashed(opening, after)

    async def story():
        spool = await opening()
        await survived(spool, said)
        await spool.close()

    asyncio.run(story())


@pytest.mark.parametrize("after", some([100, 1001], 2, first=1))
def test_what_was_promised_survives_kill_9_of_a_node(after):
    """The same on PostgreSQL, which lives: its claims are free when the node starts again.

    Every second moment; all in a whole run.
    """
    where = database()

    def opening():
        return PostgresSpool.open(where, node="one", accepted=UNSAFE)

    async def empty():
        async with nodes("before"):
            pass

    loop().run(empty())
    said = crashed(opening, after)

    async def story():
        spool = await opening()
        await survived(spool, said)
        await spool.close()

    loop().run(story())


async def survived(spool, said):
    """What is to be found after what a child said."""
    added, settled, settling = (said.get(word, set()) for word in ("added", "settled", "settling"))
    queue = await spool.listed(EVERYTHING, limit=1_000_000)
    waiting = {one.parcel.mail.id for one in queue}
    assert set() == (added - settling) - waiting
    assert set() == settled & waiting
    assert set() == {f"r-{id_}" for id_ in settled} - waiting
    for id_ in settling - settled:  # under way: neither both, nor none of the two
        assert (id_ in waiting) != (f"r-{id_}" in waiting)
    for one in queue[:200]:
        mail = one.parcel.mail
        expected = b"dsn" if mail.id.startswith("r-") else mail.id.encode() * 300
        assert expected == await octets(spool, mail)
    assert len(queue) == len(await spool.claim(NOW, 1_000_000, each=1_000_000))
