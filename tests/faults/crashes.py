"""kill -9 at random moments under load."""

import asyncio

from tests.faults.books import LOOK_S
from tests.faults.sinks import Mood
from tests.faults.stage import Stage

MOST = 400  # messages accepted in one life
MOST_S = 0.8  # of a life that is ended while it begins
EARLY = 0.2  # of the kills do so: they hit the recovery from the kill before
PAUSE_S = 0.05  # before a final dot is answered, at most: a kill finds some that wait for that


async def kill(scale):
    """Every accepted message arrives; those arrive twice, at most, whose delivery a kill had cut off."""
    async with Stage("kill", 11, scale) as stage:
        return await _play(stage, _live_and_die)


async def workers(scale):
    """The same where one process receives and another one delivers, and both are killed at once."""
    async with Stage("workers", 21, scale, workers=2) as stage:
        return await _play(stage, _live_and_die)


async def parent(scale):
    """The same, and only the one that receives is killed: the other ends with it, so that it can be started again."""
    async with Stage("parent", 22, scale, workers=2) as stage:
        return await _play(stage, _lose_parent)


async def worker(scale):
    """The one that delivers is killed again and again: accepting goes on, and the next one delivers what it had."""
    async with Stage("worker", 23, scale, workers=2) as stage:
        await stage.relay.start()
        return await _play(stage, _lose_deliverer)


async def _play(stage, disaster):
    for sink in stage.sinks:
        sink.pause_s = PAUSE_S
    stage.be(*[Mood.TAKE] * 9, Mood.DEFER)
    async with stage.load(connections=stage.scale.senders):
        for _ in range(stage.scale.kills):
            await disaster(stage)
        if not stage.relay.is_alive:
            await stage.relay.start()
        await asyncio.sleep(stage.scale.seconds / 5)
    stage.be(Mood.TAKE)
    await stage.drain()
    return stage.close()


async def _live_and_die(stage):
    if stage.figures.kills and stage.rng.random() < EARLY:
        stage.relay.spawn()
        await asyncio.sleep(stage.rng.uniform(0, MOST_S))
    else:
        await stage.relay.start()
        await _some_mail(stage)
    await stage.kill()


async def _lose_parent(stage):
    await stage.relay.start()
    await _some_mail(stage)
    await stage.kill_parent()


async def _lose_deliverer(stage):
    await _some_mail(stage)
    await stage.kill_deliverer()


async def _some_mail(stage):
    await stage.accepted(stage.rng.randrange(MOST))
    await asyncio.sleep(stage.rng.uniform(0, LOOK_S))  # not always as a reply has just been read
