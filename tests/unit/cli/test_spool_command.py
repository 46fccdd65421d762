"""`postroad spool`: health, migration and move, as words, as JSON, and as exit status."""

import asyncio
import json
from unittest.mock import patch

import pytest
from tests.support.json_schema import wrong_with
from tests.support.moves import EMPTY, do, play
from tests.support.postgres import database
from tests.support.waiting import lay
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.spool.sqlite import SqliteSpool, file
from postroad.views.json.schema import schema

SCHEMA = schema()


def run(*words):
    """The exit status, and what was said."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["spool", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def told(*words):
    """The exit status, and the JSON, which is as the schema says."""
    status, text, _ = run(*words, "--json")
    answer = json.loads(text)
    assert [] == wrong_with(answer, SCHEMA["answers"][f"spool {words[0]}"], SCHEMA["$defs"])
    return status, answer


@pytest.fixture
def folder(tmp_path):
    """A spool with two messages for three destinations."""
    return lay(tmp_path / "spool")


@pytest.fixture
def server():
    """The URL of an empty database, on a server that says that it keeps its promise."""
    play(do(EMPTY))
    with patch("postroad.spool.postgres.promise._broken", lambda *_: iter(())):
        yield database("moves")
    play(do(EMPTY))


def test_a_healthy_spool(folder):
    """Exit status 0; what there is, and that it is well."""
    status, text, _ = run("check", "--spool", folder)
    assert (0, "healthy", True) == (status, text.splitlines()[-1], "owner" in text)
    status, answer = told("check", "--spool", folder)
    assert (0, True, "sqlite", [], None) == (
        status, answer["healthy"], answer["kind"], answer["findings"], answer["database"],
    )  # fmt: skip


def test_a_finding_says_what_where_and_how_to_fix_it(folder):
    """Exit status 1."""
    folder.chmod(0o755)
    status, text, _ = run("check", "--spool", folder)
    assert (1, "1 finding") == (status, text.splitlines()[-1])
    assert f"  fix:   run `chmod 0700 {folder}`" in text.splitlines()
    assert f"  where: {folder}" in text.splitlines()


def test_the_spool_of_the_settings(folder, tmp_path):
    """As for the queue."""
    settings = tmp_path / "postroad.toml"
    settings.write_text(f'[spool]\npath = "{folder}"\n')
    assert str(folder) == told("check", "--config", settings)[1]["spool"]
    assert 2 == run("check", "--config", settings, "--spool", folder)[0]


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_no_spool_and_none_that_can_be_reached(command, tmp_path):
    """2 and 3: of who asks, and for now; no password is shown."""
    assert 2 == run(command, "--spool", tmp_path)[0]
    status, _, error = run(command, "--spool", "postgresql://u:secret@127.0.0.1:1/x")
    assert (3, False, True) == (status, "secret" in error, "cannot be reached" in error)


def test_a_file_that_is_no_spool(folder):
    """A finding, whoever made it."""
    (folder / "spool.db").write_bytes(b"no database " * 1000)
    assert 1 == run("check", "--spool", folder)[0]


def test_a_database_is_checked(server, folder):
    """Its tables, and who works from it."""
    assert 0 == run("move", folder, server)[0]
    status, text, _ = run("check", "--spool", server)
    assert (1, True, True) == (status, "no-autovacuum" in text, "parcel " in text)
    status, answer = told("check", "--spool", server)
    assert (1, "postgresql", 2) == (status, answer["kind"], answer["schema"])
    assert {"message", "parcel", "piece"} <= {table["name"] for table in answer["database"]["tables"]}


def test_a_migration_in_advance_and_done(tmp_path):
    """1 as long as there is something to do; 0 once it is done."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    older = file.scripts()[:5]
    with patch.multiple(file, SCHEMA=5, scripts=lambda: older):
        file.open_database(folder / "spool.db").close()
    status, text, _ = run("migrate", "--dry-run", "--spool", folder)
    assert (1, True) == (status, "to do: version 6: which node made an attempt" in text)
    status, answer = told("migrate", "--dry-run", "--spool", folder)
    assert (1, 5, [6], False) == (
        status, answer["schema"], [step["schema"] for step in answer["steps"]], answer["done"],
    )  # fmt: skip
    assert (0, True) == (run("migrate", "--spool", folder)[0], "nothing to do" in run("migrate", "--spool", folder)[1])


def test_there_and_back(server, folder, tmp_path):
    """What was moved is counted; the queue is the same, and nothing is left."""
    queue = [_queue(folder)]
    status, answer = told("move", folder, server)
    assert (0, 2, True, 0) == (status, answer["messages"], answer["complete"], answer["left"])
    status, text, _ = run("move", server, tmp_path / "other")
    assert (0, "nothing is left", True) == (status, text.splitlines()[-1], "2 queued messages (34 octets)" in text)
    assert queue == [_queue(tmp_path / "other")]
    assert (1, "nothing waits\n") == _ran("queue", "list", "--spool", folder)


def _ran(*words):
    done = CliRunner().invoke(app, [*map(str, words)])
    return done.exit_code, done.stdout


def _queue(folder):
    status, text = _ran("queue", "list", "--spool", folder, "--json")
    return status, json.loads(text)["parcels"]


def test_a_server_that_loses_mail_gets_none(folder):
    """The one of the tests has fsync off: nothing is moved there, and it is said what to set."""
    play(do(EMPTY))
    status, _, error = run("move", folder, database("moves"))
    assert (3, True) == (status, "set fsync = on" in error)
    assert 0 == run("check", "--spool", folder)[0]


def test_a_spool_in_use_is_not_moved(folder, tmp_path):
    """Exit status 3, with the process that has it."""

    async def story():
        spool = await SqliteSpool.open(folder, node="relay")
        done = await asyncio.to_thread(run, "move", folder, tmp_path / "other")
        await spool.close()
        return done

    status, _, error = asyncio.run(story())
    assert (3, True) == (status, "is its node 'relay'" in error)


def test_what_is_in_both_is_left(folder, tmp_path):
    """Exit status 1, with what to do about it."""
    lay(tmp_path / "other")
    status, text, _ = run("move", folder, tmp_path / "other")
    assert (1, True) == (status, "ONE is in both: delete it in one of them (postroad queue delete ONE)" in text)
    assert ["ONE", "TWO"] == told("move", folder, tmp_path / "other")[1]["in_both"]


@pytest.mark.parametrize("other", ["spool", "other/../spool"])
def test_a_spool_is_not_moved_to_itself(folder, other):
    """Exit status 2."""
    (folder.parent / "other").mkdir()
    assert 2 == run("move", folder, folder.parent / other)[0]
