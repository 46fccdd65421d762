"""A spool whose file something else has changed: whatever is read of it ends as an answer or as a SpoolError."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess

import pytest
from tests.support.examples import examples, some, stride
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.spool import Selection, Settlement, SpoolError, Trouble
from postroad.spool.sqlite import SqliteSpool
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trail import Attempt

LATER = Outcome(Result.DEFERRED, Scope.HOST, "450 4.2.0 try later", "4.2.0", Phase.RCPT)
FUZZ = int(os.environ.get("FUZZ", examples(2)))
RECORD = json.dumps(attempt_record(Attempt("far.example", (LATER,), (), 7, 12.0)) | {"recipients": ["bob@far.example"]})


COMMANDS = (
    ["queue", "list"],
    ["queue", "list", "--json"],
    ["queue", "stats"],
    ["queue", "show", "m1"],
    ["queue", "trace", "m1"],
    ["queue", "trace", "done1", "--json"],
    ["explain", "m4"],
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with some of everything: bodies in pieces, records, held, waiting, claimed, finished, arriving."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill():
        spool = await SqliteSpool.open(folder, node="one")
        for n in range(12):
            mail = letter(
                f"m{n}", f"bob@far{n % 3}.example", "eve@near.example", sender="" if n % 4 == 0 else "a@b.example"
            )
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
        place = rng.choice(
            [rng.randrange(page, page + 4096), rng.randrange(page, page + 200), rng.randrange(len(image))]
        )
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
    """All that tools and a relay do with a spool."""
    tool = await ask(SqliteSpool.open(folder, node=""))
    if tool:
        for one in await ask(tool.listed(EVERYTHING)) or ():
            story = await ask(tool.story(one.parcel.mail.id))
            await body_of(tool, story.mail if story else one.parcel.mail)
        for selection in (
            Selection(sender="a@b.example"),
            Selection(destination="far1.example"),
            Selection(ids=("m3",)),
        ):
            await ask(tool.listed(selection))
        await ask(tool.stats(NOW))
        await ask(tool.next_due())
        await ask(tool.retry(Selection(sender="<>"), NOW))
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
        for call in (
            node.renew(NOW),
            node.sweep(NOW + 99_999),
            node.unhold(EVERYTHING),
            node.retry_stranded("far1.example", NOW),
        ):
            await ask(call)
        await ask(node.clock_set_back(NOW, NOW))
        await ask(node.delete(EVERYTHING, NOW))
        await node.close()


@pytest.mark.parametrize("seed", range(FUZZ))
def test_flipped_octets_end_in_answers_or_spool_errors(filled, tmp_path, seed):
    """Nothing but SpoolError comes out, whoever asks. Three damaged copies a seed, or one; FUZZ=100 has more seeds."""
    rng = random.Random(seed)
    for n in range(3 // stride(3)):
        folder = tmp_path / str(n)
        shutil.copytree(filled, folder)
        flip(folder / "spool.db", rng)
        for words in COMMANDS:
            done = CliRunner().invoke(app, [*words, "--spool", str(folder)])
            # A traceback would be another exception
            assert (True, True) == (done.exit_code in {0, 1, 2, 3}, type(done.exception) in {SystemExit, type(None)}), (
                words,
                done.exception,
            )
        asyncio.run(use(folder))


def spoil(folder, statement):
    """Change a row behind the spool's back."""
    db = sqlite3.connect(folder / "spool.db")
    db.execute(statement)
    db.commit()
    db.close()


SPOILT = {
    "no JSON": "UPDATE message SET about = '[7,' WHERE id = 'm2'",
    "JSON of another shape": "UPDATE message SET about = '{}' WHERE id = 'm2'",
    "too few": "UPDATE message SET about = '[7]' WHERE id = 'm2'",
    "no recipients": "UPDATE message SET about = json_set(about, '$[6]', 3) WHERE id = 'm2'",
    "a recipient that is a number": "UPDATE message SET about = json_set(about, '$[6][0]', 3) WHERE id = 'm2'",
    "no mailbox": "UPDATE message SET about = json_set(about, '$[6][0]', 'bob') WHERE id = 'm2'",
    "no seed": "UPDATE message SET about = json_set(about, '$[0]', 'x') WHERE id = 'm2'",
    "no UTF-8": "UPDATE message SET about = CAST(x'5bff' AS TEXT) WHERE id = 'm2'",
    "no time": "UPDATE message SET received_at = 1e300 WHERE id = 'm2'",
    "no message": "DELETE FROM message WHERE id = 'm2'",
    "no recipients of the parcel": "UPDATE parcel SET recipients = '[' WHERE number >> 20 = 2",
    "deep JSON": f"UPDATE parcel SET recipients = '{'[' * 5000}' WHERE number >> 20 = 2",
}


@pytest.fixture
def spoilt(tmp_path):
    """A function that makes a folder with three messages, the second of which is damaged."""

    def make(damage):
        async def fill():
            spool = await SqliteSpool.open(tmp_path, node="one")
            for n in (1, 2, 3):
                await spool.add(letter(f"m{n}"), BODY)
            await spool.close()

        asyncio.run(fill())
        spoil(tmp_path, SPOILT[damage])
        return tmp_path

    return make


@pytest.mark.parametrize("damage", some(SPOILT, 2))
def test_a_damaged_message_is_held_and_stops_no_other(spoilt, damage):
    """Of three messages to one destination the second cannot be read: two are claimed, it is held, with why.

    Every second damage; all in a whole run.
    """
    folder = spoilt(damage)

    async def story():
        spool = await SqliteSpool.open(folder, node="one")
        parcels = await spool.claim(NOW, 10, each=10)
        assert ["m1", "m3"] == [parcel.mail.id for parcel in parcels]
        assert () == await spool.claim(NOW, 10, each=10)
        assert None is await spool.next_due()
        await spool.settle(list(map(Settlement, parcels)), NOW)
        (left,) = await spool.listed(EVERYTHING)
        assert ("held", True) == (left.state.value, "damaged" in left.said)
        assert 1 == await spool.delete(EVERYTHING, NOW)
        await spool.close()

    asyncio.run(story())


@pytest.mark.parametrize("damage", some(SPOILT, 2, first=1))
def test_tools_show_the_others_and_say_what_is_damaged(spoilt, damage):
    """List, search and counts answer; the damaged message itself is a trouble of its own, with what to do.

    Every second damage, not those of the test above; all in a whole run.
    """
    folder = spoilt(damage)

    async def story():
        spool = await SqliteSpool.open(folder, node="")
        queue = await spool.listed(EVERYTHING)
        assert ["damaged" in one.said for one in queue] == [False, True, False]
        assert {1, 3} <= {one.parcel.number >> 20 for one in await spool.listed(Selection(sender="ann@home.example"))}
        assert 3 == (await spool.stats(NOW)).waiting
        assert "m3" == (await spool.story("m3")).mail.id
        with contextlib.suppress(SpoolError):
            assert await spool.story("m2") or damage == "no message" or "parcel" in damage or "deep" in damage
        await spool.close()

    asyncio.run(story())
    lines = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["queue", "list", "--spool", str(folder)]).stdout.splitlines()
    assert (4, True, True) == (len(lines), lines[1].startswith("m1 "), lines[3].startswith("m3 "))


@pytest.mark.parametrize(
    "command", [["queue", "list"], ["queue", "stats"], ["queue", "trace", "m1"], ["explain", "m1"]]
)
def test_a_damaged_file_is_told_with_what_to_do(tmp_path, command):
    """Status 3, one sentence: the file, that it is damaged, and how to save what is left."""
    (tmp_path / "spool.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
    done = CliRunner().invoke(app, [*command, "--spool", str(tmp_path)])
    assert (3, 1) == (done.exit_code, done.stderr.count("\n"))
    assert f"sqlite3 {tmp_path / 'spool.db'} .recover" in done.stderr


def test_a_damaged_record_is_told_in_its_place(filled, tmp_path):
    """`queue trace` and `explain` have the rest of the story."""
    folder = tmp_path / "copy"
    shutil.copytree(filled, folder)
    spoil(folder, "UPDATE record SET text = substr(text, 9) WHERE message = 4")
    for words in (["queue", "trace", "m3"], ["explain", "m3"], ["queue", "trace", "m3", "--json"]):
        done = CliRunner().invoke(app, [*words, "--spool", str(folder)])
        assert (0, True) == (done.exit_code, "Extra data" in done.stdout or "damaged" in done.stdout), done.stdout


def test_damage_of_one_call_spoils_no_other_of_its_group(filled, tmp_path):
    """A settlement that meets a damaged page fails; the message that shared its commit is kept."""
    folder = tmp_path / "copy"
    shutil.copytree(filled, folder)

    async def story():
        spool = await SqliteSpool.open(folder, node="one")
        spoil(folder, "DROP TABLE record")
        (parcel,) = await spool.add(letter("new1"), BODY, claim=True)
        calls = (spool.settle([Settlement(parcel, record="{}")], NOW), spool.add(letter("new2"), BODY))
        failed, kept = await asyncio.gather(*calls, return_exceptions=True)
        await spool.close()
        return failed.kind, [each.mail.id for each in kept]

    assert (Trouble.CORRUPT, ["new2"]) == asyncio.run(story())


def test_recovered_by_the_book_it_is_a_spool_again(filled, tmp_path):
    """The command that the sentence names: its result opens, with schema version, mark and every message."""
    if not shutil.which("sqlite3"):
        pytest.skip("wants the sqlite3 shell")
    folder = tmp_path / "copy"
    folder.mkdir(0o700)
    command = f"sqlite3 {filled / 'spool.db'} .recover | sqlite3 {folder / 'spool.db'}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.stderr:
        pytest.skip(f"this sqlite3 shell cannot recover anything: {done.stderr}")

    async def queue(where):
        spool = await SqliteSpool.open(where, node="")
        listed = await spool.listed(EVERYTHING)
        await spool.close()
        return listed

    assert asyncio.run(queue(filled)) == asyncio.run(queue(folder))
