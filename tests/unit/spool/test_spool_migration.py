"""An older spool is brought to this version: when somebody wants it, and only beside relays that survive it."""

import asyncio
from contextlib import closing
from unittest.mock import patch

import pytest
from tests.support.moves import DATABASE, EMPTY, do, play, spool_at
from tests.support.postgres import UNSAFE, Kept, database

from postroad.spool import SpoolError, Trouble, migrate_place, open_place, pending_migration
from postroad.spool.postgres import PostgresSpool, versions
from postroad.spool.schema import SchemaStep, steps_of
from postroad.spool.sqlite import file
from postroad.spool.sqlite.folder import take_folder

VERSIONS = range(1, file.SCHEMA)


def made(folder, version):
    """A spool of that version."""
    folder.mkdir(mode=0o700)
    with patch.multiple(file, SCHEMA=version, scripts=lambda some=file.scripts(): some[:version]):  # noqa: B008  # now
        file.open_database(folder / "spool.db").close()
    return folder


def version_of(folder):
    """Of the spool in a folder."""
    with closing(file.connect(folder / "spool.db")) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_folder_of_any_version(tmp_path, version):
    """What is to be done is said and not done; then it is done, and nothing is left to do."""
    folder = made(tmp_path / "spool", version)
    pending = asyncio.run(pending_migration(folder))
    assert list(range(version + 1, file.SCHEMA + 1)) == [step.number for step in pending.steps]
    assert (version, ()) == (version_of(folder), pending.running)
    assert pending == asyncio.run(migrate_place(folder))
    assert (file.SCHEMA, ()) == (version_of(folder), asyncio.run(pending_migration(folder)).steps)


@pytest.mark.parametrize("version", VERSIONS)
def test_beside_a_relay_only_what_it_survives(tmp_path, version):
    """Else it is refused to tools and to other relays, with the name of the one that runs; nothing is changed then."""
    folder = made(tmp_path / "spool", version)
    lock = take_folder(folder, "relay").lock
    may = all(step.serves <= version for step in asyncio.run(pending_migration(folder)).steps)
    assert (version == 5) == may
    if may:
        asyncio.run(migrate_place(folder))
    else:
        for call in (migrate_place(folder), open_place(folder, node=""), open_place(folder, node="two")):
            with pytest.raises(SpoolError) as trouble:
                asyncio.run(call)
            assert (Trouble.LOCKED, True) == (trouble.value.kind, "(relay)" in trouble.value.why)
    lock.close()
    assert (file.SCHEMA if may else version) == version_of(folder)


def test_a_step_that_fails_leaves_the_spool_as_it_was(tmp_path):
    """Whatever the steps before it did: all are one transaction. Whoever asked for it hears why."""
    folder = made(tmp_path / "spool", 1)
    scripts = (*file.scripts()[:5], "-- serves: 1\nCREATE TABLE lesson (twice);")
    with patch.object(file, "scripts", lambda: scripts), pytest.raises(SpoolError, match="lesson"):
        asyncio.run(migrate_place(folder))
    with closing(file.connect(folder / "spool.db")) as db:
        assert [] == db.execute("SELECT 1 FROM sqlite_master WHERE name = 'lesson'").fetchall()
    assert 1 == version_of(folder)


@pytest.mark.parametrize("room", [file, versions])
def test_each_step_says_what_it_does(room):
    """In the first words of its script, without the number of the version."""
    assert [True] * room.SCHEMA == [
        bool(step.about) and "version" not in step.about[:20] for step in steps_of(room.scripts(), 0)
    ]


def test_no_spool_to_migrate(tmp_path):
    """None is made."""
    with pytest.raises(SpoolError) as trouble:
        asyncio.run(migrate_place(tmp_path))
    assert (Trouble.MISSING, []) == (trouble.value.kind, list(tmp_path.iterdir()))


@pytest.mark.parametrize(("serves", "may"), [(versions.SCHEMA, True), (versions.SCHEMA + 1, False)])
def test_a_database_beside_a_node(serves, may):
    """As in a folder, for `migrate` and for any tool: by its lease it is seen that it runs."""
    this, next_ = versions.SCHEMA, versions.SCHEMA + 1
    script = (
        f"-- serves: {serves}\n-- The spool on PostgreSQL, version {next_}: a trial.\nCREATE TABLE postroad.trial ()"
    )
    scripts = [*versions.scripts(), script]

    async def story():
        await do(EMPTY)
        async with spool_at(DATABASE, "one"):
            with (
                patch.multiple("postroad.spool.postgres.migration", SCHEMA=next_, scripts=lambda: scripts),
                patch.multiple(versions, SCHEMA=next_, scripts=lambda: scripts),
                patch("postroad.spool.postgres.migration.DatabaseConnections", Kept),
            ):
                pending = await pending_migration(database("moves"))
                kinds = [await trouble_with(migrate_place(database("moves")))]
                kinds.append(await trouble_with(PostgresSpool.open(database("moves"), node="", accepted=UNSAFE)))
                return pending, kinds, await do("SELECT version FROM postroad.spool")

    async def trouble_with(call):
        try:
            if spool := await call:
                await getattr(spool, "close", done)()
        except SpoolError as trouble:
            return trouble.kind

    async def done():
        """Nothing to close."""

    pending, (trouble, of_tool), version = play(story())
    assert trouble == of_tool
    assert (("one",), (SchemaStep(next_, "a trial.", serves),)) == (pending.running, pending.steps)
    assert ((None, next_) if may else (Trouble.LOCKED, this)) == (trouble, version)
    play(do(EMPTY))
