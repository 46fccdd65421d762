"""A spool whose file something else has changed: whatever is read of it ends as an answer or as a SpoolError."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
from dataclasses import replace

import pytest
from letters import BODY, EVERYTHING, NOW, letter, octets, states
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.spool import PIECE, Selection, Settlement, SpoolError, Trouble
from postroad.spool.sqlite import SqliteSpool
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trail import Attempt

LATER = Outcome(Result.DEFERRED, Scope.HOST, "450 4.2.0 try later", "4.2.0", Phase.RCPT)
FUZZ = int(os.environ.get("FUZZ", "10"))
RECORD = json.dumps(attempt_record(Attempt("far.example", (LATER,), (), 7, 12.0)) | {"recipients": ["bob@far.example"]})


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with some of everything: bodies in pieces, records, held, waiting, claimed, finished, arriving."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill():
        spool = await SqliteSpool.open(folder, node="one")
        for n in range(12):
            mail = letter(f"m{n}", f"bob@far{n % 3}.example", "eve@near.example", sender="" if n % 4 == 0 else "a@b.example")
            parcels = await spool.add(mail, BODY, claim=True)
            left = parcels[0].mail.envelope.recipients
            deferred = Settlement(parcels[0], left, NOW + 9, RECORD, said="450 later")
            await spool.settle([deferred, *map(Settlement, parcels[1 : n % 2 + 1])], NOW)
            await spool.release(parcels)
        for n in range(3):
            (parcel,) = await spool.add(letter(f"done{n}"), BODY, claim=True)
            await spool.settle([Settlement(parcel, record=RECORD)], NOW)
        await spool.write("big", b"piece" * 1000)
        await spool.add(letter("big", size=5004), b"rest")
        await spool.write("half", b"arriving")
        await spool.hold(Selection(ids=("m1", "m2")))
        await spool.close()

    asyncio.run(fill())
    return folder


def flip(where, rng):
    """Change up to eight octets, most of them in one page, as a bad sector or a stray write does."""
    image = bytearray(where.read_bytes())
    page = rng.randrange(len(image) // 4096) * 4096
    for _ in range(rng.randrange(1, 9)):
        place = rng.choice([rng.randrange(page, page + 4096), rng.randrange(page, page + 200), rng.randrange(len(image))])
        image[place] ^= rng.randrange(1, 256)
    where.write_bytes(image)


async def ask(call):
    """Its answer, or None where it said what was wrong."""
    try:
        return await call
    except SpoolError:
        return None


async def body_of(spool, mail):
    """The same for a body."""
    return await ask(octets(spool, mail))


async def use(folder):
    """All that tools and a relay do with a spool; how many troubles it told is not counted, only that they were told."""
    tool = await ask(SqliteSpool.open(folder, node=""))
    if tool:
        for one in await ask(tool.listed(EVERYTHING)) or ():
            story = await ask(tool.story(one.parcel.mail.id))
            await body_of(tool, story.mail if story else one.parcel.mail)
        for selection in (Selection(sender="a@b.example"), Selection(destination="far1.example"), Selection(ids=("m3",))):
            await ask(tool.listed(selection))
        await ask(tool.stats(NOW))
        await ask(tool.next_due())
        await ask(tool.hurry(Selection(sender="<>"), NOW))
        await tool.close()
    node = await ask(SqliteSpool.open(folder, node="one"))
    if node:
        for _ in range(3):
            parcels = await ask(node.claim(NOW + 99, 4, each=2)) or ()
            for parcel in parcels:
                await body_of(node, parcel.mail)
                await ask(node.settle([Settlement(parcel, record="{}")], NOW))
        await ask(node.add(letter("new"), BODY))
        await ask(node.write("newer", b"x"))
        for call in (node.renew(NOW), node.sweep(NOW + 99_999), node.unhold(EVERYTHING), node.hasten("far1.example", NOW)):
            await ask(call)
        await ask(node.set_back(NOW, NOW))
        await ask(node.delete(EVERYTHING, NOW))
        await node.close()


@pytest.mark.parametrize("seed", range(FUZZ))
def test_flipped_octets_end_in_answers_or_spool_errors(filled, tmp_path, seed):
    """Ten damaged copies a seed: nothing but SpoolError comes out, whoever asks, and nothing hangs."""
    rng = random.Random(seed)
    for n in range(10):
        folder = tmp_path / str(n)
        shutil.copytree(filled, folder)
        flip(folder / "spool.db", rng)
        for words in (["queue", "list"], ["queue", "list", "--json"], ["queue", "stats"], ["queue", "show", "m1"],
                      ["queue", "trace", "m1"], ["queue", "trace", "done1", "--json"], ["explain", "m4"]):
            done = CliRunner().invoke(app, [*words, "--spool", str(folder)])
            assert done.exit_code in {0, 1, 2, 3} and (done.exception is None or isinstance(done.exception, SystemExit)), (words, done.exception)
        asyncio.run(use(folder))
