"""All of a spool goes to another one: the states of docs/design/spool.md as stories."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from unittest.mock import patch

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from tests.support.forks import killed
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets
from tests.support.moves import DATABASE, EMPTY, FATES, MOST, do, filled, move, play, seen, spool_at
from tests.support.postgres import _KEPT, database, wipe

from postroad.spool import PIECE, Lesson, Moved, Selection, Settlement, SpoolError, State, Trouble
from postroad.spool.moving import Contents

PLAN = [
    (2, 30, b"", "waits"),
    (1, 2 * PIECE + 9, b"DKIM-Signature: x\r\n", "waits"),
    (3, 40, b"", "claimed"),
    (2, 40, b"", "finishes"),
    (2, 40, b"", "defers"),
    (1, PIECE + 7, b"", "reroutes"),
    (2, 40, b"", "holds"),
    (1, 0, b"", "waits"),
]


def test_there_and_back(tmp_path):
    """From a folder into the database and into another folder: the same as before, and nothing stays behind."""

    async def story():
        first, last = tmp_path / "first", tmp_path / "last"
        await wipe(database("moves"))
        await filled(first, PLAN)
        before = await seen(first, without_nul=True)
        parts = []
        one = await move(first, DATABASE, progress=parts.append)
        there = await seen(DATABASE)
        async with spool_at(DATABASE) as spool:
            of_sender = await spool.listed(Selection(sender="ann@home.example"), 99)
        two = await move(DATABASE, last)
        assert before == there
        assert before == await seen(last)
        assert one == two
        moved = sum(len(body) for *_, body in before[0].values() if body is not None)
        assert Moved(messages=8, octets=moved, finished=1, lessons=2) == one
        assert [8 / 11, 9 / 11, 1.0] == parts
        assert [id_ for id_ in before[2] if id_[0] != "r"] == [one.parcel.mail.id for one in of_sender]
        for left in (first, DATABASE):
            found, lessons, queue, counts, _ = await seen(left)
            assert ({}, [(), ()], [], (0, 0, 0, 0, 0)) == (found, lessons, queue, counts)

    play(story())


def test_a_destination_that_the_database_does_not_take(tmp_path):
    """A damaged row is moved with what can be shown of it, and has its turn there."""

    async def story():
        await wipe(database("moves"))
        await filled(tmp_path / "first", [(1, 30, b"", "waits")])
        with closing(sqlite3.connect(tmp_path / "first" / "spool.db")) as db, db:
            db.execute("UPDATE parcel SET destination = 'a' || char(0) || '.example'")
        await move(tmp_path / "first", DATABASE)
        async with spool_at(DATABASE, node="one") as spool:
            return [parcel.destination for parcel in await spool.claim(NOW, 9, each=9)]

    assert ["a\ufffd.example"] == play(story())


SMALL = [(2, 30, b"", "waits"), (1, 9, b"front", "defers"), (1, 40, b"", "finishes"), (1, 40, b"", "holds")]
SOURCES = ["folder", "database"]
BOTH = pytest.mark.parametrize("source", SOURCES)
FROM_A_FOLDER = pytest.mark.parametrize("source", some(SOURCES, 2))  # in a whole run, from each
FROM_A_DATABASE = pytest.mark.parametrize("source", some(SOURCES, 2, first=1))  # in a whole run, from each


class Stopped(Exception):  # noqa: N818  # what happened
    """The process was killed, as it were."""


class Stopping:
    """Both ends of a move that stops at one of all their calls, before it is done or after it."""

    def __init__(self, at, *, before):
        self.at = at
        self.before = before
        self.count = 0

    def __call__(self, end):
        return _Through(end, self)

    def strike(self, *, is_before):
        self.count += is_before
        if self.count == self.at and self.before == is_before:
            raise Stopped


class _Through:
    def __init__(self, end, stopping):
        self._end = end
        self._stopping = stopping

    def __getattr__(self, name):
        found = getattr(self._end, name)
        return self._call(found) if callable(found) else found

    def _call(self, found):
        async def call(*args):
            self._stopping.strike(is_before=True)
            result = await found(*args)
            self._stopping.strike(is_before=False)
            return result

        return call


def _places(source, folder):
    """FROM and TO."""
    return (folder, DATABASE) if source == "folder" else (DATABASE, folder)


async def _stopped(source, target, at, *, before):
    """What is to be seen of a move that is stopped at a call, and goes on then; how many calls a whole one has."""
    for where in (source, target):
        if where:
            shutil.rmtree(where, ignore_errors=True)
        else:
            await wipe(database("moves"))
    await filled(source, SMALL)
    expected = await seen(source, without_nul=True)
    stopping = Stopping(at, before=before)
    try:
        await move(source, target, stopping)
    except Stopped:
        assert set() == set((await seen(source))[0]) & set((await seen(target))[0])
        await move(source, target)
    assert expected == await seen(target, without_nul=True)
    assert ({}, [(), ()]) == (await seen(source))[:2]
    assert (None, None) == (await _moving(source), await _moving(target))
    return stopping.count


async def _moving(where):
    """What is left of a move."""
    if where:
        with closing(sqlite3.connect(where / "spool.db")) as db:
            return db.execute("SELECT name FROM sqlite_master WHERE name = 'moving'").fetchone()
    return await do("SELECT to_regclass('postroad.moving')")


@BOTH
def test_a_move_that_stops_at_any_call(tmp_path, source):
    """Before or after any of them: no message has two owners, and the next run finishes.

    At four of them; more in a whole run, all in `make thorough`.
    """

    async def story():
        places = _places(source, tmp_path / "spool")
        with patch.multiple("postroad.spool.moving", AT_ONCE=2, MOST=30):
            calls = await _stopped(*places, 0, before=True)
            assert calls > 40
            cases = [(at, before) for at in range(1, calls + 1) for before in (True, False)]
            for at, before in random.Random(calls).sample(cases, min(examples(24), len(cases))):
                assert at <= await _stopped(*places, at, before=before)

    play(story())


FATES_DRAWN = st.tuples(
    st.integers(1, 4), st.sampled_from([0, 1, 300, PIECE, PIECE + 8]), st.sampled_from([b"", b"front"]),
    st.sampled_from(sorted(FATES)),
)  # fmt: skip


@settings(max_examples=examples(8), deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=st.lists(FATES_DRAWN, max_size=MOST))
def test_any_spool_there_and_back(tmp_path, plan):
    """Whatever is in it: the same in the database, and in a folder again."""

    async def story():
        first, last = tmp_path / "first", tmp_path / "last"
        for folder in (first, last):
            shutil.rmtree(folder, ignore_errors=True)
        await do(EMPTY)
        await filled(first, plan)
        before = await seen(first, without_nul=True)
        await move(first, DATABASE)
        assert before == await seen(DATABASE)
        await move(DATABASE, last)
        assert before == await seen(last)

    play(story())


@BOTH
def test_kill_9_in_the_middle_of_a_move(tmp_path, source):
    """Again and again, each time a little later: once a run comes to its end, all is there. Half as often."""
    places, url = _places(source, tmp_path / "spool"), database("moves")

    async def before():
        await do(EMPTY)
        await filled(places[0], PLAN)
        return await seen(places[0], without_nul=True)

    def moving(say):
        with (
            patch("postroad.spool.moving.AT_ONCE", 2),
            patch("tests.support.moves.database", lambda _name: url),  # that of the process before it
            patch.dict(_KEPT, clear=True),
        ):
            asyncio.run(move(*places, lambda end: _Said(end, say)))

    async def after():
        await move(*places)
        assert expected == await seen(places[1], without_nul=True)
        assert ({}, [(), ()]) == (await seen(places[0]))[:2]

    expected = play(before())
    for lines in some((17, 24, 25, 26), 2, first=1):
        killed(moving, lines)
    play(after())


class _Said:
    """An end of a move that says each of its calls before it is done."""

    def __init__(self, end, say):
        self._end = end
        self._say = say

    def __getattr__(self, name):
        self._say(name)
        return getattr(self._end, name)


async def _trouble(call):
    with pytest.raises(SpoolError) as trouble:
        await call
    return trouble.value.kind, trouble.value.why


def test_what_is_left_is_all_that_can_be_moved():
    """Messages that wait, those that are finished, and lessons."""
    assert 6 == Contents(messages=1, octets=99, finished=2, lessons=3).items


def test_a_finished_message_without_a_day_is_not_passed_over(tmp_path):
    """Where no partition can be made for it the move ends, and goes on once one can."""

    async def no_day(_db, day):
        pass

    async def story():
        await filled(tmp_path / "spool", SMALL)
        before = await seen(tmp_path / "spool", without_nul=True)
        await wipe(database("moves"))
        await do(f"DROP TABLE IF EXISTS postroad.past_{int(NOW // 86400)}")
        with patch("postroad.spool.postgres.move_end.make_day", no_day), pytest.raises(asyncpg.CheckViolationError):
            await move(tmp_path / "spool", DATABASE)
        assert (await move(tmp_path / "spool", DATABASE)).is_complete
        assert before == await seen(DATABASE)

    play(story())


@pytest.mark.parametrize("crash", some([0, 6, 7], 2))  # calls: the sixth begins
def test_a_database_by_two_urls_is_one_spool(tmp_path, crash):
    """Nobody is advised to delete one of the two. A crash in finding it out leaves nothing in the way.

    Every second moment of that; all in a whole run.
    """

    async def story():
        await filled(DATABASE, SMALL)
        before = await seen(DATABASE)
        if crash:
            with pytest.raises(Stopped):
                await move(DATABASE, DATABASE, Stopping(crash, before=False))
        for _ in range(2):
            kind, why = await _trouble(move(DATABASE, DATABASE))
            assert (Trouble.MISSING, True) == (kind, "are the same spool: name two" in why)
        assert before == await seen(DATABASE)
        assert (await move(DATABASE, tmp_path / "spool")).is_complete

    play(story())


@FROM_A_FOLDER
def test_a_relay_that_runs_on_from_is_named(tmp_path, source):
    """Nothing is moved, nor begun."""

    async def story():
        source_, target = _places(source, tmp_path / "spool")
        await wipe(database("moves"))
        await filled(source_, SMALL)
        async with spool_at(source_, "relay"):
            kind, why = await _trouble(move(source_, target))
        assert (Trouble.LOCKED, True) == (kind, "relay" in why)
        assert 5 == len((await seen(source_))[0])

    play(story())


@FROM_A_DATABASE
def test_a_relay_may_run_on_to(tmp_path, source):
    """It delivers what has come while the rest is still on its way."""

    async def story():
        source_, target = _places(source, tmp_path / "spool")
        await wipe(database("moves"))
        await filled(source_, SMALL)
        async with spool_at(target, "relay") as relay:
            await move(source_, target)
            claimed = await relay.claim(NOW + 9, 99, each=9)
            bodies = {parcel.mail.id: await octets(relay, parcel.mail) for parcel in claimed}
            await relay.settle([Settlement(parcel, record="{}") for parcel in claimed], NOW + 9)
            assert {"m000", "m001", "rm002"} == set(bodies)
            assert b"frontm001m001m"[:14] == bodies["m001"]
            assert [State.HELD] == [one.state for one in await relay.listed(EVERYTHING)]

    play(story())


@FROM_A_DATABASE
def test_mail_that_a_relay_claims_meanwhile(tmp_path, source):
    """It was staged, but FROM has it: it never comes to TO, and the answer says that something is left."""
    there, here, moved = _moved_while(_claimed_by_force, source, tmp_path)
    assert set() == there.keys() & here.keys()
    assert {"m000"} == {id_ for id_ in here if here[id_][1]}
    assert (False, 1) == (moved.is_complete, moved.left)


def _moved_while(meddle, source, folder):
    """What is in TO and in FROM after a move in whose middle somebody meddled with FROM, and what the move says."""

    async def story():
        source_, target = _places(source, folder / "spool")
        await wipe(database("moves"))
        await filled(source_, SMALL)

        class Meddled(_Through):
            async def remove(self, items):
                await meddle(source_)
                return await self._end.remove(items)

        moved = await move(source_, target, lambda end: Meddled(end, Stopping(0, before=True)))
        return (await seen(target))[0], (await seen(source_))[0], moved

    return play(story())


async def _claimed_by_force(where):
    """As by a relay that has started although a move is under way: its own lock would keep it away."""
    if where:
        with closing(sqlite3.connect(where / "spool.db")) as db, db:
            db.execute("UPDATE parcel SET node = 'x' WHERE number >> 20 = 1")
    else:
        await do(
            "UPDATE postroad.parcel SET holder = 77 WHERE number >> 20 = (SELECT min(number) FROM postroad.message)"
        )


@BOTH
def test_mail_that_changes_meanwhile(tmp_path, source):
    """It was staged as it had been: that of FROM stays, as it is now, and the answer says that it is left."""
    there, here, moved = _moved_while(_put_off, source, tmp_path)
    assert ({"m000"}, False) == (set(here), "m000" in there)
    assert (False, 1) == (moved.is_complete, moved.left)


async def _put_off(where):
    """As by a relay: the first message has a new due time."""
    if where:
        with closing(sqlite3.connect(where / "spool.db")) as db, db:
            db.execute("UPDATE parcel SET due_at = due_at + 60 WHERE number >> 20 = 1")
    else:
        first = "(SELECT min(number) FROM postroad.message)"
        await do(f"UPDATE postroad.parcel SET due_at = due_at + 60 WHERE number >> 20 = {first}")


@FROM_A_FOLDER
def test_the_same_message_in_both(tmp_path, source):
    """Somebody copied a spool: what TO has is left alone, here and there, and named."""

    async def story():
        source_, target = _places(source, tmp_path / "spool")
        await wipe(database("moves"))
        await filled(source_, SMALL)
        async with spool_at(target, "two") as spool:
            await spool.add(letter("m001"), BODY)
        moved = await move(source_, target)
        assert (("m001",), 1, False) == (moved.twice, moved.left, moved.is_complete)
        assert BODY == (await seen(target))[0]["m001"][4]

    play(story())


@FROM_A_DATABASE
def test_lessons_that_both_have_learned(tmp_path, source):
    """Counts are added, the later text is kept."""

    async def story():
        source_, target = _places(source, tmp_path / "spool")
        await wipe(database("moves"))
        await filled(source_, [])
        async with spool_at(target, "two") as spool:
            ours = Lesson("counts", "day one", count=4, at=NOW - 1), Lesson("mta-sts", "x\0y", "newer", 0, NOW + 1)
            await spool.learn(ours)
        await move(source_, target)
        async with spool_at(target) as spool:
            assert (Lesson("counts", "day one", count=7, at=NOW),) == await spool.recall("counts")
            assert (Lesson("mta-sts", "x\0y", "newer", 0, NOW + 1),) == await spool.recall("mta-sts")

    play(story())


@FROM_A_FOLDER
def test_only_the_same_two_spools_may_go_on(tmp_path, source):
    """What is on its way is known to these two alone: neither is moved elsewhere, nor back, until it has arrived."""

    async def story():
        source_, target = _places(source, tmp_path / "spool")
        third = tmp_path / "third"
        await wipe(database("moves"))
        await filled(source_, SMALL)
        await filled(third, SMALL[:1])
        with pytest.raises(Stopped), patch("postroad.spool.moving.AT_ONCE", 2):
            await move(source_, target, Stops({"remove"}))
        for pair in ((source_, third), (third, target), (target, source_), (target, third)):
            kind, why = await _trouble(move(*pair))
            assert (Trouble.LOCKED, True) == (kind, "is not finished" in why)
        assert 2 == (await move(source_, target)).resumed

    play(story())


class Stops(Stopping):
    """It stops after a call of this name."""

    def __init__(self, names):
        super().__init__(0, before=False)
        self.names = names

    def __call__(self, end):
        return _Named(end, self)


class _Named(_Through):
    def __getattr__(self, name):
        found = getattr(self._end, name)
        return self._stop(found) if name in self._stopping.names else found

    def _stop(self, found):
        async def call(*args):
            await found(*args)
            raise Stopped

        return call


def test_of_two_runs_at_the_same_time_the_first_fails(tmp_path):
    """It can neither delete nor adopt anything once the second has begun, which moves all."""

    async def story():
        await wipe(database("moves"))
        await filled(DATABASE, SMALL)
        expected = await seen(DATABASE, without_nul=True)

        class Overtaken(_Through):
            async def remove(self, items):
                await move(DATABASE, tmp_path)
                return await self._end.remove(items)

        kind, why = await _trouble(move(DATABASE, tmp_path, lambda end: Overtaken(end, Stopping(0, before=True))))
        assert (Trouble.LOCKED, True) == (kind, "taken over" in why)
        assert expected == await seen(tmp_path)

    play(story())
