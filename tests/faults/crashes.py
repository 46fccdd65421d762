"""kill -9 at random moments under load."""

import asyncio

from tests.faults.sinks import Mood
from tests.faults.stage import Stage

CONNECTIONS = 20
MOST_S = 0.8  # from the open port, or from the start of the process, to the kill
EARLY = 0.2  # of the kills come before the port is known to be open: they hit the recovery from the kill before


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
    else:
        await stage.relay.start()
    await asyncio.sleep(stage.rng.uniform(0, MOST_S))
    await stage.kill()
