"""What the relay has learned, in every spool: kept, counted, read and forgotten; and never in the way of mail."""

import asyncio
import socket
import sqlite3
from contextlib import asynccontextmanager
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.grounds import run
from tests.support.letters import BODY, NOW, letter, octets, opened, run_for

from postroad.spool import Handover, Lesson, Link, RemoteSpool, Settlement, SpoolError, Trouble
from postroad.spool.memory import MemorySpool

POLICY = Lesson("mta-sts", "example.org", '{"mode": "enforce"}', at=NOW)


@asynccontextmanager
async def over_the_wire(inner):
    """A spool, as the process that delivers from it has it."""
    ours, theirs = socket.socketpair()
    here, there = await Link.open(ours, Handover(inner).words), await Link.open(theirs, {})
    try:
        yield RemoteSpool(there.call)
    finally:
        here.close()
        there.close()


@pytest.fixture(params=["memory", "sqlite", "postgres", "remote"])
def tell(request, tmp_path):
    """Run a story about what a spool of each kind has learned."""

    async def whole(story):
        is_remote = request.param == "remote"
        async with opened("sqlite" if is_remote else request.param, tmp_path / "spool") as spool:
            if is_remote:
                async with over_the_wire(spool) as remote:
                    await story(remote)
            else:
                await story(spool)

    return lambda story: run_for(request.param)(whole(story))


def test_what_is_learned_is_recalled_as_it_was(tell):
    """Every field, whatever the texts have in them; a kind knows nothing of another."""
    odd = Lesson("mta-sts", "xn--a.\x00b'\"%_", "ü\u2028\n" * 1000, 2**40, NOW + 0.5)

    async def story(spool):
        await spool.learn([POLICY, odd, Lesson("tlsrpt", "example.org", "other", 1, NOW)])
        assert (POLICY, odd) == await spool.recall("mta-sts")
        assert () == await spool.recall("nothing")

    tell(story)


def test_what_is_learned_anew_replaces_text_and_time_and_adds_to_the_count(tell):
    """A policy is fetched again; a failure is counted again, in the same call or in another."""

    async def story(spool):
        await spool.learn([Lesson("k", "a", "first", 1, NOW), Lesson("k", "a", "second", 2, NOW + 1)])
        await spool.learn([Lesson("k", "a", "third", 4, NOW + 2)])
        assert (Lesson("k", "a", "third", 7, NOW + 2),) == await spool.recall("k")

    tell(story)


def test_a_day_is_read_in_order_and_deleted(tell):
    """Keys that begin with a day are read together, whatever follows; what was counted later is not deleted with it."""
    days = ["2026-11-21 z", "2026-11-22 \U0010fffe", "2026-11-22 a", "2026-11-22", "2026-11-220", "2026-11-23 a"]

    async def story(spool):
        await spool.learn([Lesson("k", day, "", 1, NOW) for day in days])
        told = await spool.recall("k", "2026-11-22 ")
        assert ["2026-11-22 a", "2026-11-22 \U0010fffe"] == [one.key for one in told]
        await spool.learn([Lesson("k", "2026-11-22 late", "", 1, NOW)])
        assert 2 == await spool.forget("k", [one.key for one in told])
        left = ["2026-11-21 z", "2026-11-22", "2026-11-22 late", "2026-11-220", "2026-11-23 a"]
        assert left == [one.key for one in await spool.recall("k")]

    tell(story)


def test_what_is_not_there_is_forgotten_without_harm(tell):
    """No key, a key twice, or one of another kind."""

    async def story(spool):
        await spool.learn([POLICY])
        assert (0, 0, 1, 0) == (
            await spool.forget("mta-sts", []),
            await spool.forget("other", [POLICY.key]),
            await spool.forget("mta-sts", [POLICY.key, POLICY.key, "example.net"]),
            await spool.forget("mta-sts", [POLICY.key]),
        )
        await spool.learn([])
        assert () == await spool.recall("mta-sts")

    tell(story)


keys = st.text("aA%_\x00é\U0010fffe", max_size=3)
lessons = st.builds(Lesson, st.sampled_from("kl"), keys, st.text("xü", max_size=2), st.integers(0, 9), st.just(NOW))
calls = st.lists(st.lists(lessons, max_size=4) | st.tuples(st.sampled_from("kl"), st.lists(keys)), max_size=8)


@settings(max_examples=examples(25), deadline=None)
@given(calls, keys)
@example([[Lesson("l", "", at=NOW)], ("l", ["\x00"])], "")
def test_all_spools_have_learned_the_same(calls, begin):
    """Whatever is learned and forgotten, in whatever order: memory and database tell the same, in the same order."""

    async def all_of_it(spool):
        told = [await (spool.learn(call) if isinstance(call, list) else spool.forget(*call)) for call in calls]
        return told, await spool.recall("k", begin), await spool.recall("l")

    async def story(spool):
        assert await all_of_it(MemorySpool()) == await all_of_it(spool)

    run_in_a_folder(story)


def run_in_a_folder(story):
    """Run a story about a spool in a folder of its own."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        run(story, Path(folder) / "spool")


def test_what_is_learned_survives_a_restart(tmp_path):
    """The next start has it, and so has a tool that looks into the spool."""

    async def learn(spool):
        await spool.learn([POLICY])

    async def recall(spool):
        assert (POLICY,) == await spool.recall("mta-sts")

    run(learn, tmp_path)
    run(recall, tmp_path)


def test_on_a_full_disk_nothing_is_learned_and_mail_goes_on(tmp_path):
    """It does not get the reserve, and a settlement in the same group is done."""

    async def story(spool):
        (parcel,) = await spool.add(letter("m1"), BODY, claim=True)
        db = spool._writer._commits._db
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}").fetchone()
        long = Lesson("k", "a", "x" * 100_000)
        refused, settled = await asyncio.gather(
            spool.learn([long]), spool.settle([Settlement(parcel)], NOW), return_exceptions=True
        )
        assert (Trouble.FULL, None) == (refused.kind, settled)
        assert (tmp_path / "reserve.bin").exists()
        assert () == await spool.recall("k")

    run(story, tmp_path, reserve=4 << 20)


def test_a_damaged_row_is_passed_over(tmp_path):
    """What something else has written there is no lesson; the others are."""

    async def story(spool):
        await spool.learn([POLICY])
        db = sqlite3.connect(tmp_path / "spool.db")
        db.execute("INSERT INTO lesson VALUES ('mta-sts', 'a.example', '', 0, 1e300)")
        db.commit()
        db.close()
        assert (POLICY,) == await spool.recall("mta-sts")

    run(story, tmp_path)


def test_a_lesson_without_its_table_spoils_no_mail(tmp_path):
    """Whatever is wrong with what was learned, the mail of the same commit is kept."""

    async def story(spool):
        db = sqlite3.connect(tmp_path / "spool.db")
        db.execute("DROP TABLE lesson")
        db.commit()
        db.close()
        learned, added = await asyncio.gather(
            spool.learn([POLICY]), spool.add(letter(), BODY, claim=True), return_exceptions=True
        )
        assert (Trouble.CORRUPT, BODY) == (learned.kind, await octets(spool, added[0].mail))

    run(story, tmp_path)


def test_after_the_end_all_say_so(tell):
    """A spool that is closed learns nothing."""

    async def story(spool):
        if isinstance(spool, RemoteSpool):
            return
        await spool.close()
        for call in (partial(spool.learn, [POLICY]), partial(spool.recall, "k"), partial(spool.forget, "k", ["a"])):
            with pytest.raises(SpoolError) as told:
                await call()
            assert Trouble.CLOSED is told.value.kind

    tell(story)
