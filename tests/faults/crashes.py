"""kill -9 at random moments under load."""

import asyncio

from tests.faults.books import LOOK_S
from tests.faults.sinks import Mood
from tests.faults.stage import Stage

CONNECTIONS = 20
MOST = 400  # messages accepted in one life
MOST_S = 0.8  # of a life that is ended while it begins
EARLY = 0.2  # of the kills do so: they hit the recovery from the kill before


async def kill(scale):
    """Every accepted message arrives; those arrive twice, at most, whose delivery a kill had cut off."""
    async with Stage("kill", 11, scale) as stage:
        for sink in stage.sinks:
            sink.pause_s = 0.02
        stage.be(*[Mood.TAKE] * 9, Mood.DEFER)
        async with stage.load(connections=CONNECTIONS):
            for _ in range(scale.kills):
                await _live_and_die(stage)
            await stage.relay.start()
            await asyncio.sleep(scale.seconds / 5)
        stage.be(Mood.TAKE)
        await stage.drain()
        return stage.close()


async def _live_and_die(stage):
    if stage.rng.random() < EARLY:
        stage.relay.spawn()
        await asyncio.sleep(stage.rng.uniform(0, MOST_S))
    else:
        await stage.relay.start()
        await stage.accepted(stage.rng.randrange(MOST))
        await asyncio.sleep(stage.rng.uniform(0, LOOK_S))  # not always as a reply has just been read
    await stage.kill()
