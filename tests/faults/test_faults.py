"""The faults test in its short form: every scenario at once; `make faults` plays them at length."""

import asyncio
import os
import subprocess
import sys

import pytest
from tests.faults import scenarios
from tests.faults.books import until
from tests.faults.relays import ROOT, is_running
from tests.faults.stage import SHORT

NAMES = tuple(name for name in scenarios.ALL if name not in scenarios.LONG)


@pytest.fixture(scope="module")
def figures():
    """What each scenario found; they wait more than they work, so they play together."""

    async def play():
        return await asyncio.gather(*(scenarios.play(name, SHORT) for name in NAMES))

    return dict(zip(NAMES, asyncio.run(play()), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_accepted_message_arrives_whatever_breaks(figures, name):
    """Nothing accepted is lost, nothing comes back, and no more comes twice than is promised."""
    if figures[name].skipped:
        pytest.skip(figures[name].skipped)
    assert [] == figures[name].wrong


BEGIN_TWO = """
import asyncio
from dataclasses import replace
from tests.faults.stage import SHORT, Stage

async def begin():
    async with Stage("left", 51, replace(SHORT, is_forked=False)) as one, Stage("left-too", 52, SHORT) as other:
        await asyncio.gather(one.relay.start(), other.relay.start())
        print(one.relay.pid, other.relay.pid, flush=True)
        await asyncio.sleep(3600)

asyncio.run(begin())
"""


def test_no_relay_outlives_a_run_that_is_killed(tmp_path):
    """Started as users start theirs, or forked: it ends with the process that began it, however that ends."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", BEGIN_TWO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as run:
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert [True, True] == [is_running(pid) for pid in pids]
        run.kill()
    assert asyncio.run(until(lambda: not any(map(is_running, pids))))
