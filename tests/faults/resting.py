"""A host dies, and the relay has connections to it that rest: whoever is next must not wait for it."""

import asyncio

from tests.faults.books import until
from tests.faults.fair import deliver, quantiles_ms
from tests.faults.stage import Stage

WARM = 30  # messages that a host takes before it dies
EACH_S = 0.05  # 20 messages a second, as in bench/failover.py


async def one(scale):
    """One of two equal exchangers dies, then the other: the living one has all mail meanwhile, and nothing is lost."""
    return await _play("resting", 36, scale)


async def split(scale):
    """The same where one process receives and another one delivers."""
    return await _play("resting-split", 37, scale, workers=2)


async def _play(name, network, scale, **relay):
    async with Stage(name, network, scale, forgiving=True, **relay) as stage:
        await stage.relay.start()
        first, second, _other = stage.sinks
        waits = await _mourn(stage, first, second, "f") + await _mourn(stage, second, first, "s")
        stage.figures.notes |= quantiles_ms(waits)
        await stage.drain()
        return stage.close()


async def _mourn(stage, dead, living, prefix):
    """Send while one of two is dead; how long each message took from acceptance to arrival at the other."""
    await _warm(stage, dead)
    await dead.freeze()
    before, count = (dead.taken, living.taken), stage.scale.mourned
    sending = []
    for number in range(count):
        sending.append(asyncio.create_task(deliver(stage, [f"{prefix}{number}@one.example"], clients=1)))
        await asyncio.sleep(EACH_S)
    waits = [wait for waits in await asyncio.gather(*sending) for wait in waits]
    took = dead.taken - before[0], living.taken - before[1]
    stage.figures.must(took == (0, count), f"of {count} messages the dead and the living host took {took}")
    await dead.thaw()
    return waits


async def _warm(stage, sink):
    """Until it has taken some mail, and nothing is under way."""
    enough = sink.taken + stage.part_of(WARM)
    async with stage.load(connections=5):
        await until(lambda: sink.taken >= enough, lambda: len(stage.ledger.accepted))
    await until(lambda: not stage.ledger.missing, lambda: len(stage.ledger.missing))
