"""What is wrong with a spool is found, and said with what to do; nothing of it is changed, and nobody waits."""

import asyncio
import os
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from unittest.mock import patch

import asyncpg
import pytest
from tests.support.letters import BODY, NOW, letter
from tests.support.moves import DATABASE, EMPTY, do, play, spool_at
from tests.support.postgres import Kept, database

from postroad.spool import PIECE, SpoolError, Trouble, check_place
from postroad.spool.health import HealthCode, TableHealth
from postroad.spool.moving import MoveHeader, MoveRole
from postroad.spool.postgres import health as of_database
from postroad.spool.sqlite import SqliteMoveEnd, SqliteSpool
from postroad.spool.sqlite import health as of_folder
from postroad.spool.sqlite.file import SCHEMA, connect

OF_TESTS = {HealthCode.UNSAFE, HealthCode.NO_AUTOVACUUM}
"""The server of the tests is made to be fast."""


def check(folder):
    """The health of a spool in a folder."""
    return asyncio.run(check_place(folder, lambda: NOW + 100))


def codes(health):
    """What is wrong, in short."""
    return [one.code for one in health.findings]


@pytest.fixture
def folder(tmp_path):
    """A spool with a message that a node has claimed, which is dead now."""

    async def made():
        spool = await SqliteSpool.open(tmp_path / "spool", node="one")
        await spool.add(letter(), BODY, claim=True)
        await spool.renew(NOW)
        await spool.close()

    asyncio.run(made())
    return tmp_path / "spool"


def test_a_folder_that_is_well(folder):
    """Its schema, its files, its nodes; nothing to do."""
    found = check(folder)
    assert (SCHEMA, (), None) == (found.schema, found.findings, found.database)
    assert [("one", 100.0, 1, False)] == [(it.name, it.renewed_s, it.claimed, it.alive) for it in found.nodes]
    assert ("0700", True) == (found.folder.mode, found.folder.size > 0)


def test_a_relay_that_writes_is_not_waited_for(folder):
    """It has a transaction open, and its name; what it has committed is seen."""

    async def story():
        spool = await SqliteSpool.open(folder, node="relay")
        with closing(sqlite3.connect(folder / "spool.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            found = await check_place(folder, lambda: NOW)
        await spool.close()
        return [(node.name, node.alive) for node in found.nodes], found.findings

    assert ([("one", False), ("relay", True)], ()) == asyncio.run(story())


@pytest.mark.parametrize("mode", [0o755, 0o710])
def test_a_folder_open_to_others(folder, mode):
    """Other people's mail is in it."""
    folder.chmod(mode)
    (finding,) = check(folder).findings
    assert (HealthCode.OPEN_TO_OTHERS, f"run `chmod 0700 {folder}`") == (finding.code, finding.fix)


def test_a_damaged_file(folder):
    """Whether SQLite finds a page that is none, or cannot read at all: it is said, with what to do."""
    with closing(connect(folder / "spool.db")) as db:
        db.execute("INSERT INTO piece VALUES ('x', 0, zeroblob(20000))")
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'piece'").fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with (folder / "spool.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 200)
    finding = check(folder).findings[0]
    assert (HealthCode.DAMAGED, True) == (finding.code, "recover" in finding.fix)


def test_no_database_at_all(folder):
    """It is refused as whoever opens it would be."""
    (folder / "spool.db").write_bytes(b"no database " * 1000)
    with pytest.raises(SpoolError) as trouble:
        check(folder)
    assert Trouble.CORRUPT == trouble.value.kind


def test_claims_of_a_dead_node_while_another_one_runs(folder):
    """It should have released them long ago."""

    async def story():
        spool = await SqliteSpool.open(folder, node="relay")
        found = await check_place(folder, lambda: NOW + 100)
        await spool.close()
        return codes(found)

    assert [HealthCode.DEAD_NODE] == asyncio.run(story())


def test_a_disk_and_files_that_are_no_longer_as_they_should_be(folder):
    """A disk nearly full, a log that is never written back, more free pages than mail."""
    found = check(folder).folder
    worse = replace(found, free_disk=1, log=200 * PIECE * 4, size=600 << 20, free_pages=500 << 20)
    with patch.object(of_folder, "_disk", lambda *_: worse):
        assert [HealthCode.LITTLE_ROOM, HealthCode.LARGE_LOG, HealthCode.FREE_PAGES] == codes(check(folder))


def test_a_move_that_is_not_finished(folder, tmp_path):
    """Both spools say which command finishes it."""

    async def story():
        out = await SqliteMoveEnd.open(folder, MoveRole.OUT)
        in_ = await SqliteMoveEnd.open(tmp_path / "to", MoveRole.IN)
        await out.begin(MoveRole.OUT, MoveHeader("x", in_.where, "r"))
        await in_.begin(MoveRole.IN, MoveHeader("x", out.where, "r"))
        for end in (out, in_):
            await end.close()
        return [(await check_place(place, lambda: NOW)).findings for place in (folder, tmp_path / "to")]

    command = f"run `postroad spool move {folder} {tmp_path / 'to'}` again"
    assert [command, command] == [finding.fix for (finding,) in asyncio.run(story())]


def seen(clock=time.time):
    """The health of the database."""

    async def found():
        with patch.object(of_database, "DatabaseConnections", Kept):
            return await check_place(database("moves"), clock)

    return found()


@asynccontextmanager
async def a_relay():
    """One that runs on an empty database."""
    await do(EMPTY)
    async with spool_at(DATABASE, "one") as spool:
        yield spool


async def swept(spool):
    """Its partitions are there, also if it is midnight now."""
    now = time.time()
    await spool.sweep(now)
    await spool.sweep(now + 86400)


def test_a_database():
    """Its server, nodes, tables and days; of the settings of the tests it says that a power cut would lose mail."""

    async def story():
        async with a_relay() as spool:
            await swept(spool)
            await spool.add(letter(), BODY, claim=True)
            return await seen()

    found = play(story())
    assert {HealthCode.UNSAFE, HealthCode.NO_AUTOVACUUM} == set(codes(found))
    assert {"set fsync = on", "set it to on"} == {it.fix for it in found.findings if it.code is HealthCode.UNSAFE}
    assert [("one", 1, True)] == [(node.name, node.claimed, node.alive) for node in found.nodes]
    tables = {table.name: [name for name, _ in table.indexes] for table in found.database.tables}
    assert "parcel_waiting" in tables["parcel"]
    assert dict(found.database.settings)["fsync"] == "off"
    assert (2, False, None) == (len(found.database.days), found.database.is_pooled, found.folder)
    assert abs(found.database.clock_s) < of_database.CLOCK_S


def test_who_holds_all_dead_rows():
    """By process, application, user and what it asked last: on one line, cut, with nothing unseen in it."""

    async def story():
        async with a_relay() as spool:
            await swept(spool)
            db = await asyncpg.connect(
                database("moves"), statement_cache_size=0, server_settings={"application_name": "analyst"}
            )
            await db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await db.execute(f"SELECT '\x1b[2J',\n  count(*) /* {'x' * 200} */ FROM postroad.parcel")
            with patch.object(of_database, "HELD_S", 0.0):
                found = await seen()
            pid = db.get_server_pid()
            await db.close()
        return found, pid

    found, pid = play(story())
    (finding,) = [one for one in found.findings if one.code is HealthCode.HELD_XMIN]
    xmin = found.database.xmin
    assert (pid, "analyst", "postgres") == (xmin.pid, xmin.application, xmin.user)
    assert xmin.query.startswith(r"SELECT '\x1b[2J', count(*) /* xxx")
    assert len(xmin.query) < 110
    assert f"pg_terminate_backend({pid})" in finding.fix
    assert f"process {pid}, analyst, user postgres" in finding.what


def test_a_database_whose_node_is_dead():
    """What it has claimed is said, and what to do; of old claims of nobody, too. One that died with none is fine."""

    async def story():
        async with a_relay() as spool:
            await spool.add(letter(), BODY, claim=True)
            spool._node = ""  # as it dies it does not say so
        await do("UPDATE postroad.node SET renewed_at = renewed_at - interval '90 s'")
        first = await seen()
        await do("DELETE FROM postroad.node")
        second = await seen()
        await do("DELETE FROM postroad.parcel")
        async with a_relay():
            pass
        stopped = await seen()
        async with a_relay() as spool:
            spool._node = ""  # it vanishes
        await do("UPDATE postroad.node SET renewed_at = renewed_at - interval '90 s'")
        return first, second, stopped, await seen()

    first, second, stopped, idle = play(story())
    assert (OF_TESTS, ()) == (set(codes(stopped)), tuple(stopped.nodes))  # it has given its lease back
    assert (OF_TESTS, [False]) == (set(codes(idle)), [node.alive for node in idle.nodes])
    for found in (first, second):
        assert {*OF_TESTS, HealthCode.DEAD_NODE} == set(codes(found))
    assert [False] == [node.alive for node in first.nodes]


def test_what_else_may_be_wrong_with_a_database():
    """A clock set wrong, no partition for tomorrow, few connections, an older schema, a user who sees little."""

    async def story():
        async with a_relay():
            wrong = [await seen(clock=lambda: 0.0)]
            with patch.object(of_database, "FEW", 10**6):
                wrong.append(await seen())
            with patch.object(of_database, "SCHEMA", of_database.SCHEMA + 1):
                wrong.append(await seen())
            reader = f"reader_{os.getpid()}"  # roles are the server's, which other tests have as well
            await do(f"CREATE ROLE {reader} LOGIN")
            await do(f"GRANT USAGE ON SCHEMA postroad TO {reader}")
            await do(f"GRANT SELECT ON ALL TABLES IN SCHEMA postroad TO {reader}")
            wrong.append(await check_place(database("moves").replace("postgres@", f"{reader}@"), time.time))
            await do(f"DROP OWNED BY {reader}")
            await do(f"DROP ROLE {reader}")
        return [set(codes(found)) - OF_TESTS - {HealthCode.NO_PARTITION} for found in wrong], codes(wrong[0])

    found, first = play(story())
    expected = [HealthCode.CLOCK, HealthCode.FEW_CONNECTIONS, HealthCode.OLD_SCHEMA, HealthCode.HIDDEN_SESSIONS]
    assert [{code} for code in expected] == found
    assert HealthCode.NO_PARTITION in first


def test_tables_with_more_dead_rows_than_mail():
    """And indexes that have grown far beyond what they hold."""
    table = TableHealth("parcel", 10, 60_000, 1 << 20, (("parcel_due", 200 << 20),), None, None)
    found = list(of_database._of_tables([table], "here"))
    assert [HealthCode.DEAD_ROWS, HealthCode.LARGE_INDEX] == [one.code for one in found]
    assert "REINDEX INDEX CONCURRENTLY postroad.parcel_due" == found[1].fix
    assert [] == list(of_database._of_tables([replace(table, dead=100, indexes=())], "here"))


def test_a_database_that_is_not_there():
    """It is said at once, without a password."""

    async def story():
        with pytest.raises(SpoolError) as trouble:
            await check_place("postgresql://u:secret@127.0.0.1:1/x", time.time)
        return trouble.value.kind, "secret" in trouble.value.why

    assert (Trouble.GONE, False) == asyncio.run(story())


def test_a_database_without_a_spool():
    """A relay has to make it."""

    async def story():
        await do(EMPTY)
        with pytest.raises(SpoolError) as trouble:
            await seen()
        return trouble.value.kind

    assert Trouble.MISSING == play(story())


@pytest.mark.parametrize(("theirs", "ahead"), [(10.0, 0.0), (12.0, 0.0), (9.0, 1.0), (15.0, -3.0)])
def test_clocks_differ_by_what_no_delay_explains(theirs, ahead):
    """Asked at 10 and answered at 12: anything between says nothing."""
    assert ahead == of_database._ahead(10.0, theirs, 12.0)
