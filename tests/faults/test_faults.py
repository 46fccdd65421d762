"""The faults test in its short form: every scenario at once; `make faults` plays them at length."""

import asyncio

import pytest
from tests.faults import scenarios
from tests.faults.stage import SHORT


@pytest.fixture(scope="module")
def figures():
    """What each scenario found; they wait more than they work, so they play together."""

    async def play():
        return await asyncio.gather(*(scenarios.play(name, SHORT) for name in scenarios.ALL))

    return dict(zip(scenarios.ALL, asyncio.run(play()), strict=True))


@pytest.mark.parametrize("name", scenarios.ALL)
def test_every_accepted_message_arrives_whatever_breaks(figures, name):
    """Nothing accepted is lost, nothing comes back, and no more comes twice than is promised."""
    if figures[name].skipped:
        pytest.skip(figures[name].skipped)
    assert [] == figures[name].wrong
