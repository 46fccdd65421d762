"""kill -9: what a call returned for is there after it, whatever was under way."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.letters import EVERYTHING, NOW, octets
from tests.support.postgres import UNSAFE, database, loop, nodes

from postroad.spool.postgres import PostgresSpool
from postroad.spool.sqlite import SqliteSpool

CHILD = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.support.letters import NOW, letter
from postroad.spool import Settlement
from postroad.spool.postgres import AcceptedRisks, PostgresSpool, is_url
from postroad.spool.sqlite import SqliteSpool

def say(word, id_):
    os.write(1, f"{word} {id_}\\n".encode())

async def client(spool, name):
    for n in range(100_000):
        id_ = f"{name}-{n}"
        body = id_.encode() * 300
        (parcel,) = await spool.add(letter(id_, size=len(body)), body, claim=True)
        say("added", id_)
        if n % 2:
            report = letter(f"r-{id_}", "ann@home.example", sender="", size=3)
            say("settling", id_)
            await spool.settle([Settlement(parcel, record="{}", reports=((report, b"dsn"),))], NOW)
            say("settled", id_)

async def main():
    if is_url(where := sys.argv[1]):
        spool = await PostgresSpool.open(where, node="one", accepted=AcceptedRisks(unsafe=True))
    else:
        spool = await SqliteSpool.open(Path(where), node="one")
    await asyncio.gather(*(client(spool, f"c{n}") for n in range(20)))

asyncio.run(main())
"""


def crashed(where, after):
    """What a child said before it was killed, once it had said that many lines."""
    command = [sys.executable, "-c", CHILD, where, str(Path(__file__).parents[3])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        lines = [child.stdout.readline() for _ in range(after)]
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.readlines()
    said = {}
    for line in lines:
        word, id_ = line.decode().split()
        said.setdefault(word, set()).add(id_)
    return said


@pytest.mark.parametrize("after", [random.Random(n).randrange(1, 3000) for n in range(4)])
def test_what_was_promised_survives_kill_9(tmp_path, after):
    """Added and not being settled: waiting, with every octet. Settled: its report waits, and it does not."""
    said = crashed(tmp_path, after)

    async def story():
        spool = await SqliteSpool.open(tmp_path, node="one")
        await survived(spool, said)
        await spool.close()

    asyncio.run(story())


@pytest.mark.parametrize("after", [100, 1001])
def test_what_was_promised_survives_kill_9_of_a_node(after):
    """The same on PostgreSQL, which lives: its claims are free when the node starts again."""

    async def story():
        async with nodes("before"):  # it makes the spool
            said = await asyncio.to_thread(crashed, database(), after)
            spool = await PostgresSpool.open(database(), node="one", accepted=UNSAFE)
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
