"""Who does what of a commit: short work in the loop's thread, all that waits or is long in another, and few calls."""

import asyncio
import fcntl
import sqlite3
import sys
import threading
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from tests.support.grounds import run
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets, states

import postroad
from postroad.spool import PIECE, Lesson, Settlement, SpoolError, StoredMail, Trouble, group
from postroad.spool.sqlite.file import MARK, connect
from postroad.words.mail import Envelope

OURS = str(Path(postroad.__file__).parent)
MOST_CALLS = 28


def watch(spool):
    """(first word, whether the loop's thread does it) of each statement of the writer from now on, while it is told."""
    said = set()
    loops = threading.get_ident()
    spool._writer._commits._db.set_trace_callback(
        lambda text: said.add((text.split()[0], threading.get_ident() == loops))
    )
    return said


def letters(count, first=0):
    """So many messages."""
    return [letter(f"m{n}") for n in range(first, first + count)]


async def kept_and_settled(spool, mails):
    """Messages, all at once, and then their settlements."""
    added = await asyncio.gather(*(spool.add(mail, BODY, claim=True) for mail in mails))
    await asyncio.gather(*(spool.settle([Settlement(parcel, record="{}")], NOW) for (parcel,) in added))


def test_the_loop_does_the_statements_and_never_waits_for_the_disk(tmp_path):
    """Of the usual mail: all is done in the loop's thread but COMMIT, which returns when the log is on the disk."""

    async def story(spool):
        said = watch(spool)
        await kept_and_settled(spool, letters(50))
        assert {("COMMIT", False)} == {one for one in said if not one[1]}
        assert {"BEGIN", "INSERT", "SELECT", "UPDATE", "DELETE"} <= {word for word, is_loops in said if is_loops}

    run(story, tmp_path)


@pytest.mark.parametrize(
    "name", ["claim", "sweep", "hold", "release", "retry_stranded", "renew", "big", "list", "settled", "many"]
)
def test_long_work_is_not_the_loops(tmp_path, name):
    """A claim of a thousand, a slice of a queue or of history, a big body: the loop goes on serving meanwhile."""

    async def story(spool):
        added = await spool.add(letter("a"), BODY, claim=True)
        await spool.add(letter("b"), BODY)
        size = 8 * PIECE
        large = await spool.add(letter("large", size=size), bytes(size), claim=True) if name == "settled" else ()
        said = watch(spool)
        works = {
            "claim": lambda: spool.claim(NOW, 1000, each=1000),
            "sweep": lambda: spool.sweep(NOW),
            "hold": lambda: spool.hold(EVERYTHING),
            "release": lambda: spool.release(added),
            "retry_stranded": lambda: spool.retry_stranded("far.example", NOW),
            "renew": lambda: spool.renew(NOW),
            "big": lambda: spool.add(letter("big", size=size), bytes(size), claim=True),
            "list": lambda: spool.add(letter("list", *(f"u{n}@far.example" for n in range(2048))), BODY, claim=True),
            "settled": lambda: spool.settle([Settlement(parcel) for parcel in large], NOW),
            "many": lambda: kept_and_settled(spool, letters(300)),
        }
        await works[name]()
        assert [] == [word for word, is_loops in said if is_loops]

    run(story, tmp_path)


@pytest.mark.parametrize("what", ["the turn", "the lock"])
def test_the_loop_goes_on_while_another_writes(tmp_path, what):
    """Whether another process has the turn or a stranger the lock of SQLite: the thread waits, the loop serves."""

    async def story(spool):
        turn, stranger = (tmp_path / "writers.lock").open(), connect(tmp_path / "spool.db")
        if what == "the turn":
            fcntl.flock(turn, fcntl.LOCK_EX)
        else:
            stranger.execute("BEGIN IMMEDIATE")
        added = spool.add(letter(), BODY)
        turns = 0
        while turns < 100:
            await asyncio.sleep(0)
            turns += 1
        assert not added.done()
        turn.close()
        stranger.close()
        assert 1 == len(await added)

    run(story, tmp_path)


def test_what_comes_in_turns_of_the_loop_shares_a_commit(tmp_path, monkeypatch):
    """As long as each turn brings more: not the first alone, and the others behind it. One alone waits for nobody."""
    monkeypatch.setattr(group, "GATHER_S", 3600.0)

    async def story(spool):
        futures = []
        for n in range(20):
            futures.append(spool.add(letter(f"m{n}"), BODY))
            await asyncio.sleep(0)
        await asyncio.gather(*futures)
        assert 1 == spool.commits
        alone = spool.add(letter("alone"), BODY)
        for _ in range(3):
            await asyncio.sleep(0)
        assert spool._writer._gathered[0].count == 0  # it is under way
        await alone

    run(story, tmp_path)


def test_a_group_waits_while_it_grows_and_not_for_long():
    """Until a turn of the loop brings nothing, or GATHER_S after the first look, or until it is full."""

    def looks(*steps):
        calls = group.CommitGroup()
        grown = []
        for count, now in steps:
            calls.count = count
            grown.append(calls.grows(now))
        return grown

    late, most = 7.0 + group.GATHER_S, group.MOST
    assert [True, True, False] == looks((1, 7.0), (2, 7.0), (2, 7.0))
    assert [True, True, False] == looks((1, 7.0), (2, (7.0 + late) / 2), (3, late))
    assert [True, False] == looks((most - 1, 7.0), (most, 7.0))


def test_one_fault_of_a_group_spoils_no_other(tmp_path):
    """An id that is kept already, in the middle of a group begun in the loop."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        calls = (spool.add(letter("m0"), BODY), spool.add(letter("m1"), BODY), spool.settle([Settlement(parcel)], NOW))
        first, again, settled = await asyncio.gather(*calls, return_exceptions=True)
        assert (1, ValueError, None) == (len(first), type(again), settled)
        assert [("far.example", "waiting")] == await states(spool)

    run(story, tmp_path)


def test_calls_that_cannot_be_say_so_in_their_future(tmp_path):
    """`add` and `settle` are plain calls: what is wrong comes where the result would."""

    async def story(spool):
        with pytest.raises(ValueError, match="at least one recipient"):
            await spool.add(StoredMail("m1", Envelope(None, ()), NOW, 1, 0), b"")
        await spool.close()
        for late in (spool.add(letter("m1"), BODY), spool.settle([], NOW)):
            with pytest.raises(SpoolError) as trouble:
                await late
            assert Trouble.CLOSED == trouble.value.kind

    run(story, tmp_path)


def test_a_message_costs_few_calls(tmp_path):
    """Of ours, from `add` to what is told of its settlement, in groups of fifty: counted, so no clock disturbs it."""
    count = 0

    def on_event(frame, event, _argument):
        nonlocal count
        file = frame.f_code.co_filename
        count += event == "call" and (file.startswith(OURS) or file == "<string>")  # where dataclasses are made

    async def story(spool):
        first, second = letters(50), letters(50, first=50)
        await kept_and_settled(spool, first)
        sys.setprofile(on_event)
        try:
            await kept_and_settled(spool, second)
        finally:
            sys.setprofile(None)

    run(story, tmp_path)
    assert count / 50 < MOST_CALLS


def spool_of_version_1(folder):
    """As the first Postroad made it: a message that waits, and one that is finished."""
    db = sqlite3.connect(folder / "spool.db", isolation_level=None)
    script = (resources.files("postroad.spool") / "sql" / "0001.sql").read_text()
    about = '[7,"a client","ann@home.example",0,null,null,["bob@far.example"]]'
    db.executescript(f"""
        PRAGMA journal_mode = WAL; {script}
        PRAGMA user_version = 1; PRAGMA application_id = {MARK};
        INSERT INTO message VALUES (1, 'm1', {NOW}, {len(BODY)}, 0, '{about}', NULL, X'{BODY.hex()}');
        INSERT INTO message VALUES (2, 'm2', {NOW}, {len(BODY)}, 0, '{about}', NULL, X'{BODY.hex()}');
        INSERT INTO parcel (number, destination, due_at) VALUES ({1 << 20}, 'far.example', {NOW});
        INSERT INTO lane VALUES ('far.example', {NOW}, 0, -1e300);
        INSERT INTO record VALUES (1, 2, 'far.example', {NOW}, '{{}}');
        UPDATE message SET finished_at = {NOW}, rest = NULL WHERE number = 2;
        UPDATE tally SET next_message = 3;
    """)
    db.close()
    folder.chmod(0o700)


def test_a_spool_of_version_1_goes_on(tmp_path):
    """Its mail waits, its history is there, and the counters are as exact as before."""
    spool_of_version_1(tmp_path)

    async def story(spool):
        async def counted():
            stats = await spool.stats(NOW)
            return stats.messages, stats.octets, stats.finished

        size = len(BODY)
        assert (1, size, 1) == await counted()
        (parcel,) = await spool.claim(NOW, 10, each=10)
        assert BODY == await octets(spool, parcel.mail)
        await spool.add(letter("m3"), BODY)
        assert (2, 2 * size, 1) == await counted()
        await spool.settle([Settlement(parcel, record="{}")], NOW)
        assert (1, size, 2) == await counted()
        assert 1 == len((await spool.story("m2")).records)
        await spool.learn([Lesson("k", "a", "", 1, NOW)])
        assert 1 == len(await spool.recall("k"))
        await spool.sweep(NOW + 86401)
        assert (1, size, 0) == await counted()

    run(story, tmp_path)
    with closing(connect(tmp_path / "spool.db")) as db:
        triggers = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert [("message_gone",)] == triggers
