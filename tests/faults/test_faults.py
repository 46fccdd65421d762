"""The faults test in its short form: every scenario at once; `make faults` plays them at length."""

import asyncio
import tempfile
from dataclasses import replace
from multiprocessing import forkserver

import pytest
from tests.faults import scenarios
from tests.faults.books import until
from tests.faults.relays import is_running
from tests.faults.stage import SHORT, Stage
from tests.support.examples import is_whole
from tests.support.forks import killed

# Others differ from these in one way: what stands in the way of the disk or the log, or how many processes there are;
# a database that crashes is met by one spool in tests/unit/spool/test_spool_postgres_faults.py
ALIKE = (
    *("workers", "worker", "disk-split", "filled", "quota", "log-full", "log-closed", "sluggish", "mountain"),
    *("instep", "instep-split", "resting-split", "database"),
)
LEFT_OUT = scenarios.LONG if is_whole() else scenarios.LONG + ALIKE
NAMES = tuple(name for name in scenarios.ALL if name not in LEFT_OUT)
SCALE = SHORT if is_whole() else replace(SHORT, part=0.1, rest_s=0.15, burst=80, pits=20, mourned=3)


@pytest.fixture(scope="module")
def figures():
    """What each scenario found; they wait more than they work, so they play together."""

    async def play():
        return await asyncio.gather(*(scenarios.play(name, SCALE) for name in NAMES))

    return dict(zip(NAMES, asyncio.run(play()), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_accepted_message_arrives_whatever_breaks(figures, name):
    """Nothing accepted is lost, nothing comes back, and no more comes twice than is promised.

    Of scenarios that are alike one is played, with less mail; all in a whole run.
    """
    if figures[name].skipped:
        pytest.skip(figures[name].skipped)
    assert [] == figures[name].wrong


def begin_two(say):
    """Begin a relay in each way, and say how they are once both have begun."""
    forkserver._forkserver._forkserver_pid = None  # that of the process this is a fork of is not ours

    async def begin():
        async with Stage("left", 51, replace(SHORT, is_forked=False)) as one, Stage("left-too", 52, SHORT) as other:
            await asyncio.gather(one.relay.start(), other.relay.start())
            for relay in (one.relay, other.relay):
                say(f"{relay.pid} {relay.is_alive}")
            await asyncio.Event().wait()

    asyncio.run(begin())


def test_no_relay_outlives_a_run_that_is_killed(tmp_path, monkeypatch):
    """Started as users start theirs, or forked: it ends with the process that began it, however that ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the run leaves what it had
    pids, were_alive = zip(*map(str.split, killed(begin_two, 2)), strict=True)
    assert ("True", "True") == were_alive
    assert asyncio.run(until(lambda: not any(map(is_running, pids))))
