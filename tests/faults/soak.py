"""Load without end: does memory stay, does the queue run empty, is everything there?"""

import asyncio
import sys
import time

from tests.faults.sinks import Mood
from tests.faults.stage import Stage

SAMPLE_S = 15.0
AWAY_S = 4.0  # an exchanger is gone for so long, once in each sample


async def soak(scale):
    """One message in a hundred is put off, one exchanger after the other goes and comes back; memory is looked at."""
    async with Stage("soak", 29, scale, settings={"spool": {"history": "5m"}}) as stage:
        stage.be(*[Mood.TAKE] * 99, Mood.DEFER)
        await stage.relay.start()
        samples = []
        async with stage.load():
            await stage.accepted(20)
            began = time.monotonic()
            while (left := began + scale.seconds - time.monotonic()) > 0:
                away = asyncio.create_task(_go_away(stage, len(samples)))
                await asyncio.sleep(min(left, SAMPLE_S))
                await away
                samples.append(_sample(stage, time.monotonic() - began))
        await stage.drain()
        stage.figures.notes["rss_mib_over_time"] = [memory for _at, memory in samples]
        return stage.close()


async def _go_away(stage, number):
    """Not before the first sample: a short run has none but that."""
    if number == 0:
        return
    sink = stage.sinks[number % 3]
    await sink.close()
    await asyncio.sleep(AWAY_S)
    await sink.open(stage.port)


def _sample(stage, at):
    memory = stage.relay.rss_mib()[0]
    ledger = stage.ledger
    waiting = len(ledger.accepted) - len(ledger.taken)
    sys.stderr.write(f"{at:6.0f} s  accepted {len(ledger.accepted):8}  waiting {waiting:6}  memory {memory} MiB\n")
    return round(at), memory
