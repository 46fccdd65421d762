"""What only the spool on SQLite has: a file, a writer, other processes, and disks that fail."""

import asyncio
import fcntl
import mmap
import os
import re
import resource
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from tests.support.forks import said_by
from tests.support.letters import BODY, EVERYTHING, NOW, letter, octets, states

from postroad.spool import LEASE_S, PIECE, Node, Selection, Settlement, SpoolError, Trouble, fresh
from postroad.spool.sqlite import SqliteSpool, commits, lanes, queue
from postroad.spool.sqlite.file import SCHEMA, connect


def run(story, *spools):
    """Run a story about spools that are yet to be opened, and close them."""

    async def whole():
        opened = []
        try:
            for spool in spools:
                opened.append(await spool)  # noqa: PERF401  # those that were opened must be closed
            return await story(*opened)
        finally:
            for spool in opened:
                await spool.close()

    return asyncio.run(whole())


def asked(folder, question):
    """The rows of an answer of the database itself."""
    with closing(connect(folder / "spool.db")) as db:
        return db.execute(question).fetchall()


def trouble_of(*spools):
    """What opening says."""

    async def story(*_):
        """Opened after all."""

    with pytest.raises(SpoolError) as trouble:
        run(story, *spools)
    return trouble.value


def one(folder, **settings):
    """A node."""
    return SqliteSpool.open(folder, node="one", **settings)


def two(folder):
    """Another node."""
    return SqliteSpool.open(folder, node="two")


def tool(folder):
    """Not a node."""
    return SqliteSpool.open(folder, node="")


def test_concurrent_messages_share_a_commit(tmp_path):
    """A hundred messages at once, and their settlements: a few commits, not two hundred."""

    async def story(spool):
        parcels = await asyncio.gather(*(spool.add(letter(f"m{n}"), BODY, claim=True) for n in range(100)))
        await asyncio.gather(*(spool.settle([Settlement(parcel)], NOW) for (parcel,) in parcels))
        assert (0, 100) == ((await spool.stats(NOW)).messages, (await spool.stats(NOW)).finished)
        assert spool.commits <= 10

    run(story, one(tmp_path))


def test_the_folder_is_for_its_owner_alone(tmp_path, monkeypatch):
    """It holds other people's mail; also if somebody else makes it at the same moment."""

    async def story(spool):
        assert (0o700, ()) == (stat.S_IMODE((tmp_path / "a" / "spool").stat().st_mode), spool.remarks)

    run(story, one(tmp_path / "a" / "spool"))
    a_moment_ago, is_dir = [False], Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: a_moment_ago.pop() if a_moment_ago else is_dir(path))
    run(story, one(tmp_path / "a" / "spool"))


def test_a_node_that_starts_takes_its_own_claims_back(tmp_path):
    """Claimed by a dead node -> due at once; what was arriving is swept up, what was kept is there."""

    async def before(spool):
        await spool.add(letter("m1"), BODY, claim=True)
        await spool.write("m2", b"half")

    async def after(spool):
        assert [("far.example", "waiting")] == await states(spool)
        (parcel,) = await spool.claim(NOW, 10, each=10)
        assert BODY == await octets(spool, parcel.mail)
        await spool.sweep(NOW)
        assert [(0,)] == asked(tmp_path, "SELECT count(*) FROM piece")

    run(before, one(tmp_path))
    run(after, one(tmp_path))


def test_a_lease_that_ran_out_frees_what_the_dead_had(tmp_path):
    """Two nodes on one folder: claims are freed when their node has not renewed for a lease, no sooner."""

    async def story(first, second):
        await first.add(letter("m1"), BODY, claim=True)
        (parcel,) = await second.add(letter("m2"), BODY, claim=True)
        assert [0, 0] == [await first.renew(NOW), await second.renew(NOW)]
        assert [0, 0, 0] == [await second.renew(NOW + after) for after in (25, 50, LEASE_S)]
        assert 1 == await second.renew(NOW + LEASE_S + 1)
        assert [("far.example", "waiting"), ("far.example", "claimed")] == await states(second)
        (taken,) = await second.claim(NOW, 10, each=10)
        await first.settle([Settlement(taken)], NOW)  # came back from the dead: passed over
        assert 2 == len(await second.listed(EVERYTHING))
        await second.settle([Settlement(taken), Settlement(parcel)], NOW)
        assert () == await second.listed(EVERYTHING)

    run(story, one(tmp_path), two(tmp_path))


def test_nodes_in_one_folder_see_each_other(tmp_path):
    """Until one has not renewed for a lease: what it had is free then, and it is gone."""

    async def story(first, second):
        await first.add(letter("m1"), BODY, claim=True)
        await first.renew(NOW)
        assert ["one", "two"] == [node.name for node in await second.nodes(NOW)]
        await second.renew(NOW + 15)
        assert (Node("one", NOW), Node("two", NOW + 15)) == await first.nodes(NOW + 15)
        for after in (35, 55, LEASE_S + 1):
            await second.renew(NOW + after)
        assert ["two"] == [node.name for node in await second.nodes(NOW + LEASE_S + 1)]

    run(story, one(tmp_path), two(tmp_path))


def test_a_node_that_never_renewed_is_seen_by_others(tmp_path):
    """Its lease runs from when a node with a clock saw it first."""

    async def story(first, second):
        await first.add(letter(), BODY, claim=True)
        assert [0, 0, 0, 0, 1] == [await second.renew(NOW + after) for after in (0, 20, 40, LEASE_S, LEASE_S + 1)]

    run(story, one(tmp_path), two(tmp_path))


@pytest.mark.parametrize("step_s", [45.0, 86400.0, -86400.0])
def test_a_step_of_the_clock_takes_nothing_from_the_living(tmp_path, step_s):
    """Whoever renews first after it does not take the others for dead; who then does not renew for a lease is."""

    async def story(first, second):
        await first.add(letter("m1"), BODY, claim=True)
        assert [0, 0] == [await first.renew(NOW), await second.renew(NOW + 15)]
        after = NOW + 15 + step_s
        assert [0, 0, 0, 0, 1] == [await second.renew(after + later) for later in (5, 25, 45, 65, 66)]

    run(story, one(tmp_path), two(tmp_path))


def test_a_living_process_keeps_its_name(tmp_path):
    """The second node of the name is told which process has it; a closed one leaves it free."""

    async def nothing(_spool):
        """Open and close."""

    run(nothing, one(tmp_path))
    trouble = trouble_of(one(tmp_path), one(tmp_path))
    assert (Trouble.LOCKED, True) == (trouble.kind, f"process {os.getpid()} " in trouble.why)
    run(nothing, one(tmp_path))


def test_a_node_has_a_name_for_a_file(tmp_path):
    """A name that could leave the folder is a fault of the caller."""
    with pytest.raises(ValueError, match="not a name for a node"):
        asyncio.run(SqliteSpool.open(tmp_path, node="../x"))


def test_a_tool_changes_the_queue_of_a_living_relay(tmp_path):
    """It lists, holds, deletes and adds, but claims and settles nothing."""

    async def story(relay, queue_tool):
        await relay.add(letter("m1"), BODY)
        await queue_tool.add(letter("m2"), BODY)
        assert 2 == await queue_tool.hold(EVERYTHING)
        assert () == await relay.claim(NOW, 10, each=10)
        assert 1 == await queue_tool.delete(Selection(ids=("m1",)), NOW)
        assert [("far.example", "held")] == await states(relay)
        (parcel,) = await relay.add(letter("m3"), BODY, claim=True)
        for call in (
            queue_tool.claim(NOW, 1, each=1),
            queue_tool.add(letter("m4"), BODY, claim=True),
            queue_tool.settle([Settlement(parcel)], NOW),
            queue_tool.release([parcel]),
            queue_tool.renew(NOW),
        ):
            with pytest.raises(ValueError, match="a tool has no node"):
                await call
        assert [("far.example", "held"), ("far.example", "claimed")] == await states(relay)

    run(story, one(tmp_path), tool(tmp_path))


def test_a_tool_makes_no_spool(tmp_path):
    """Where none is, it says so, and leaves the folder as it was."""
    assert (Trouble.MISSING, []) == (trouble_of(tool(tmp_path)).kind, list(tmp_path.iterdir()))
    (tmp_path / "spool.db").touch()  # as a start leaves it that ends before it has made more
    assert Trouble.MISSING == trouble_of(tool(tmp_path)).kind


def test_a_newer_schema_is_left_alone(tmp_path):
    """Made by a newer Postroad: refused, not touched."""

    async def nothing(_spool):
        """Open and close."""

    run(nothing, one(tmp_path))
    db = sqlite3.connect(tmp_path / "spool.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    trouble = trouble_of(one(tmp_path))
    assert (Trouble.NEWER, True) == (trouble.kind, "upgrade" in trouble.why)


def garbage(where):
    """Not SQLite's."""
    where.write_bytes(b"This is no database, and never was one. " * 400)


def foreign(where):
    """Not ours."""
    db = sqlite3.connect(where)
    db.execute("CREATE TABLE wine (year INTEGER)")
    db.close()


def cut_short(where):
    """Half of it."""

    async def fill(spool):
        await asyncio.gather(*(spool.add(letter(f"m{n}", size=9000), b"x" * 9000) for n in range(50)))

    run(fill, one(where.parent))
    os.truncate(where, where.stat().st_size // 2)


def overwritten(where):
    """As long as it was, and its second half is something else."""
    cut_short(where)
    with where.open("r+b") as image:
        image.seek(0, os.SEEK_END)
        image.write(b"\xa5" * image.tell())


@pytest.mark.parametrize("damage", [garbage, foreign, cut_short, overwritten])
def test_what_is_no_spool_is_not_opened(tmp_path, damage):
    """Garbage, somebody else's database, half a file, half of something else: corrupt, named, and left closed."""
    damage(tmp_path / "spool.db")
    trouble = trouble_of(one(tmp_path))
    assert (Trouble.CORRUPT, True) == (trouble.kind, "spool.db" in trouble.why)
    assert [] == [file for file in Path("/proc/self/fd").iterdir() if str(file.resolve()).startswith(str(tmp_path))]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """A file where the folder should be, or a place that takes none."""
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file" / "spool", tmp_path / "file"):
        trouble = trouble_of(one(folder))
        assert (Trouble.READ_ONLY, True) == (trouble.kind, str(folder) in trouble.why)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes wherever it likes")
def test_a_folder_one_may_not_write_is_read_only(tmp_path):
    """Not permitted: the folder is named."""
    tmp_path.chmod(0o500)
    trouble = trouble_of(one(tmp_path))
    assert (Trouble.READ_ONLY, True) == (trouble.kind, str(tmp_path) in trouble.why)


def test_a_full_disk_fails_the_whole_commit_and_nothing_before(tmp_path):
    """Each message of the group hears of it; what was kept stays kept, and when there is room again mail goes on."""

    async def story(spool):
        (parcel,) = await spool.add(letter("before"), BODY, claim=True)
        pages = spool._writer._commits._db.execute("PRAGMA page_count").fetchone()[0]
        spool._writer._commits._db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()
        big = [spool.add(letter(f"m{n}", size=PIECE), b"x" * PIECE) for n in range(3)]
        results = await asyncio.gather(*big, return_exceptions=True)
        assert {Trouble.FULL} == {result.kind for result in results}
        assert "free space" in results[0].why
        assert ["before"] == [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]
        spool._writer._commits._db.execute("PRAGMA max_page_count = 1000000").fetchone()
        await spool.add(letter("after", size=PIECE), b"x" * PIECE)
        await spool.settle([Settlement(parcel)], NOW)
        assert ["after"] == [one.parcel.mail.id for one in await spool.listed(EVERYTHING)]

    run(story, one(tmp_path))


def test_a_quota_is_a_full_disk(tmp_path):
    """The kernel refuses to let the log grow (EFBIG, as EDQUOT would be): full, and well again afterwards."""

    async def limited(say):
        spool, kept = await SqliteSpool.open(tmp_path, node="one"), 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
        try:
            while True:
                await spool.add(letter(f"m{kept}", size=PIECE), b"x" * PIECE)
                kept += 1
        except SpoolError as trouble:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await spool.add(letter("after", size=PIECE), b"x" * PIECE)
            say(f"{trouble.kind} {kept} {(await spool.stats(NOW)).messages}")

    kind, kept, messages = said_by(lambda say: asyncio.run(limited(say))).split()
    assert ("full", int(kept) + 1) == (kind, int(messages))


def test_a_lock_held_by_another_program_is_waited_for_then_told(tmp_path, monkeypatch):
    """A moment is waited out; too long is `locked`, and nothing is lost by it."""
    monkeypatch.setattr(commits, "BUSY_MS", 50)

    async def story(spool):
        other = connect(tmp_path / "spool.db")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SpoolError) as trouble:
            await spool.add(letter(), BODY)
        assert Trouble.LOCKED == trouble.value.kind
        other.execute("ROLLBACK")
        other.close()
        await spool.add(letter(), BODY)

    run(story, one(tmp_path))


def test_a_settlement_waits_for_a_stranger_who_writes(tmp_path):
    """It reads before it writes: had it begun to read before the other's commit, SQLite would refuse it the write."""

    async def story(spool):
        (parcel,) = await spool.add(letter(), BODY, claim=True)
        stranger = connect(tmp_path / "spool.db")
        stranger.execute("BEGIN IMMEDIATE")
        stranger.execute("UPDATE tally SET next_turn = next_turn + 1")
        task = asyncio.ensure_future(spool.settle([Settlement(parcel)], NOW))
        await asyncio.wait([task], timeout=0.1)
        stranger.execute("COMMIT")
        stranger.close()
        await task
        assert () == await spool.listed(EVERYTHING)

    run(story, one(tmp_path))


def test_small_bodies_are_remembered_until_they_leave_and_not_too_many(tmp_path, monkeypatch):
    """Up to a piece, claimed as they were added, 32 MiB in all; forgotten as they are settled or released."""
    monkeypatch.setattr(fresh, "MOST", PIECE * 5 // 2)

    async def story(spool):
        taken = []
        for n, size in enumerate((PIECE + 1, PIECE, PIECE, PIECE, 10)):
            taken += await spool.add(letter(f"m{n}", size=size), bytes(size), claim=True)
        await spool.add(letter("rests"), BODY)
        assert ["m1", "m2", "m3"] == spool._fresh.ids
        assert (None, bytes(PIECE)) == (spool.at_hand(taken[0].mail), spool.at_hand(taken[1].mail))
        assert [bytes(PIECE)] == [piece async for piece in spool.body(taken[1].mail)]
        await spool.release(taken[:2])
        await spool.settle([Settlement(taken[2])], NOW)
        assert (["m3"], PIECE) == (spool._fresh.ids, spool._fresh.octets)

    run(story, one(tmp_path))


def test_processes_commit_in_turn(tmp_path):
    """While another has the turn nothing is committed, and the call waits; SQLite's own waiting would sleep."""

    async def story(spool):
        with (tmp_path / "writers.lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            task = asyncio.ensure_future(spool.add(letter(), BODY))
            await asyncio.wait([task], timeout=0.2)
            assert (False, 0) == (task.done(), spool.commits)
            fcntl.flock(other, fcntl.LOCK_UN)
            await task

    run(story, one(tmp_path))


def test_a_commit_has_so_many_calls_and_no_more(tmp_path):
    """What gathered while another had the turn: 500 go at a time, so that the first need not wait for the last."""

    async def story(spool):
        with (tmp_path / "writers.lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            tasks = [asyncio.ensure_future(spool.add(letter(f"m{n}"), BODY)) for n in range(1201)]
            await spool.stats(NOW)
            fcntl.flock(other, fcntl.LOCK_UN)
            await asyncio.gather(*tasks)
        assert 3 == spool.commits

    run(story, one(tmp_path))


def test_a_cancelled_claim_is_given_back(tmp_path):
    """Nobody would ever settle what a cancelled call had claimed: it waits again."""

    async def story(spool):
        await spool.add(letter("m1"), BODY)
        for ask in (lambda: spool.claim(NOW, 10, each=10), lambda: spool.add(letter("m2"), BODY, claim=True)):
            task = asyncio.ensure_future(ask())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await spool.renew(NOW)  # a commit, so those before are done
        await spool.renew(NOW)  # and so is the release
        assert [("far.example", "waiting")] * 2 == await states(spool)

    run(story, one(tmp_path))


def test_a_loop_that_is_gone_leaves_the_writer_alive(tmp_path):
    """Results nobody can hear are dropped; the thread ends when it is told, and what it committed is there."""

    async def forgetful():
        spool = await one(tmp_path)
        spool._writer.submit(spool._kinds.renew, ("one", NOW))
        while spool._writer._thread is None:  # noqa: ASYNC110  # it begins in a turn of the loop
            await asyncio.sleep(0)
        assert spool._writer._thread.daemon  # nor does it keep a program from ending that forgets to close
        return spool

    spool = asyncio.run(forgetful())
    asyncio.run(spool.close())
    assert "spool-writer" not in {thread.name for thread in threading.enumerate()}


def test_a_tool_that_only_looks_has_no_thread_that_writes(tmp_path):
    """One is started for the first change, and ends with the spool; what nobody waits for is done as it closes."""

    def writers():
        return ["spool-writer"] * ("spool-writer" in {thread.name for thread in threading.enumerate()})

    async def story():
        await (await one(tmp_path)).close()
        tool = await SqliteSpool.open(tmp_path, node="")
        seen = [(await tool.stats(NOW)).messages, *writers()]
        added = tool.add(letter(), BODY)
        await tool.close()
        return seen, writers(), len(await added)

    assert ([0], [], 1) == asyncio.run(story())


def test_mail_of_version_4_goes_out_unchanged(tmp_path):
    """A spool of before there was anything in front: small mail and large, claimed and waiting, octet by octet."""
    large = b"".join(b"%08d" % number for number in range(PIECE // 4))

    async def old(spool):
        await spool.add(letter("m1"), BODY)
        await spool.write("m2", large[:PIECE])
        await spool.add(letter("m2", size=len(large)), large[PIECE:])

    run(old, one(tmp_path))
    db = sqlite3.connect(tmp_path / "spool.db")
    before = db.execute("SELECT sql FROM sqlite_master").fetchall(), db.execute("SELECT * FROM message").fetchall()
    db.execute("ALTER TABLE record DROP COLUMN node")
    db.execute("PRAGMA user_version = 4")
    db.close()

    async def new(spool):
        parcels = await spool.claim(NOW, 10, each=10)
        return [await octets(spool, parcel.mail) for parcel in parcels]

    assert [BODY, large] == run(new, one(tmp_path))
    db = sqlite3.connect(tmp_path / "spool.db")
    after = db.execute("SELECT sql FROM sqlite_master").fetchall(), db.execute("SELECT * FROM message").fetchall()
    assert (before, (SCHEMA,)) == (after, db.execute("PRAGMA user_version").fetchone())
    db.close()


def test_what_stood_in_front_leaves_no_row(tmp_path):
    """It is a piece, and goes with the other pieces."""

    async def story(spool):
        await spool.write("m1", b"a" * PIECE)
        (parcel,) = await spool.add(letter(size=PIECE + 8), b"end", claim=True, front=b"front")
        rows = asked(tmp_path, "SELECT ordinal, length(octets) FROM piece")
        await spool.settle([Settlement(parcel)], NOW)
        return rows

    assert [(0, PIECE), (-1, 5)] == run(story, one(tmp_path))
    assert [] == asked(tmp_path, "SELECT * FROM piece")


def test_schema_has_the_number_of_its_last_script():
    """A version more for each script."""
    names = sorted(each.name for each in (resources.files("postroad.spool") / "sql").iterdir())
    assert [f"{number:04}.sql" for number in range(1, SCHEMA + 1)] == names


def test_no_question_of_the_relay_reads_all_parcels(tmp_path):
    """With a million of them waiting, a scan would stop the relay for a second."""
    statements = {
        name: text
        for room in (lanes, sys.modules["postroad.spool.sqlite.settling"], sys.modules["postroad.spool.sqlite.keeping"])
        for name, text in vars(room).items()
        if name.startswith("_") and isinstance(text, str) and text.split()[0] in {"SELECT", "UPDATE", "DELETE"}
    }
    statements["listed"] = "SELECT * FROM parcel ORDER BY number LIMIT 1"
    statements["oldest"] = queue._OLDEST

    async def story(_spool):
        db = connect(tmp_path / "spool.db")
        for name, text in statements.items():
            plan = " | ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + text, zeros(text)))
            limited = name in {"listed", "_DUE_LANES"}  # in order of an index, and stopped early
            assert limited or not any(f"SCAN {table}" in plan for table in ("parcel", "message", "lane")), (name, plan)
            assert "TEMP B-TREE" not in plan, (name, plan)
        db.close()

    assert len(statements) > 15
    run(story, one(tmp_path))


def zeros(text):
    """A value for each parameter of a statement, by its name if it has one."""
    return dict.fromkeys(re.findall(r":(\w+)", text), 0) or [0] * text.count("?")


@pytest.mark.skipif(sys.platform != "linux", reason="the memory in use now is read from Linux's /proc")
def test_a_larger_message_needs_no_more_memory(tmp_path):
    """16 MiB that arrive, are kept, read and settled fill the caches of SQLite (30 MiB); 32 MiB then add no memory."""
    in_use = []

    def look():
        in_use[-1] = max(in_use[-1], int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE // PIECE)

    async def pass_through(spool, id_, pieces):
        in_use.append(0)
        for n in range(pieces):
            await spool.write(id_, bytes([n % 256]) * PIECE)
            look()
        (parcel,) = await spool.add(letter(id_, size=pieces * PIECE + 3), b"end", claim=True)
        octets_read = 0
        async for piece in spool.body(parcel.mail):
            octets_read += len(piece)
            look()
        assert pieces * PIECE + 3 == octets_read
        await spool.settle([Settlement(parcel)], NOW)

    async def story(spool):
        await pass_through(spool, "m1", 64)
        await pass_through(spool, "m2", 128)
        assert in_use[1] - in_use[0] < 32  # of the 64 pieces it has more

    run(story, one(tmp_path))


def test_freed_room_is_used_again(tmp_path):
    """The file does not grow with what has passed through, only with what is kept at a time."""

    async def story(spool):
        sizes = []
        for turn in range(6):
            mails = [letter(f"m{turn}-{n}", size=20_000) for n in range(50)]
            added = await asyncio.gather(*(spool.add(mail, b"x" * 20_000, claim=True) for mail in mails))
            await spool.settle([Settlement(parcel) for (parcel,) in added], NOW)
            sizes.append(spool._writer._commits._db.execute("PRAGMA page_count").fetchone()[0])
        assert sizes[-1] < sizes[0] * 1.2

    run(story, one(tmp_path, history_s=0))


def test_a_finished_message_keeps_no_body(tmp_path):
    """Its history stays for a day, the octets go with its last parcel: pieces and the end of them."""

    async def story(spool):
        await spool.write("m1", b"abc")
        (parcel,) = await spool.add(letter(size=6), b"end", claim=True)
        await spool.settle([Settlement(parcel, record="{}")], NOW)
        db = spool._writer._commits._db
        assert (0, None) == (
            db.execute("SELECT count(*) FROM piece").fetchone()[0],
            db.execute("SELECT rest FROM message").fetchone()[0],
        )
        assert 1 == len((await spool.story("m1")).records)

    run(story, one(tmp_path))


def test_a_long_history_is_swept_in_slices(tmp_path):
    """A thousand messages in a commit: mail flows in between."""

    async def story(spool):
        added = await asyncio.gather(*(spool.add(letter(f"m{n}"), BODY, claim=True) for n in range(2001)))
        await spool.settle([Settlement(parcel) for (parcel,) in added], NOW)
        before = spool.commits
        await spool.sweep(NOW + 86401)
        assert (0, 4) == ((await spool.stats(NOW)).finished, spool.commits - before)  # the last one is for arrivals

    run(story, one(tmp_path))


def test_new_mail_is_refused_while_room_is_short(tmp_path, monkeypatch):
    """What was taken before is settled all the same, and with room again new mail is taken."""
    free = [1 << 30]

    class Found:
        f_frsize = 1

        @property
        def f_bavail(self):
            return free[0]

    monkeypatch.setattr("postroad.spool.sqlite.room.os.statvfs", lambda _folder: Found())

    async def story():
        spool = await SqliteSpool.open(tmp_path, node="one", reserve=64 << 20)
        parcels = await spool.add(letter("A"), BODY, claim=True)
        free[0] = 1 << 20
        with pytest.raises(SpoolError) as refused:
            await spool.add(letter("B"), BODY, claim=True)
        await spool.settle([Settlement(parcels[0])], 1.0)
        left = (await spool.stats(1.0)).messages
        free[0] = 1 << 30
        await spool.add(letter("C"), BODY, claim=True)
        await spool.close()
        return refused.value.kind, left

    assert (Trouble.FULL, 0) == asyncio.run(story())
