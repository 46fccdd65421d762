"""A log that cannot be written: mail goes on, and nobody's message comes again because a line could not be written."""

import asyncio

from tests.faults.relays import Log
from tests.faults.stage import Stage


async def closed(scale):
    """Who read the log has gone."""
    return await _play("log-closed", 24, scale, Log.CLOSED)


async def stalled(scale):
    """Who is to read the log does not: the pipe is full."""
    return await _play("log-stalled", 25, scale, Log.STALLED)


async def full(scale):
    """The disk of the log is full."""
    return await _play("log-full", 26, scale, Log.FULL)


async def _play(name, network, scale, log_to):
    async with Stage(name, network, scale, settings={"log": {"level": "debug"}}, log_to=log_to) as stage:
        await stage.relay.start()
        async with stage.load(connections=5):
            await stage.accepted(50)
            await asyncio.sleep(scale.seconds)
        await stage.drain()
        figures, ledger = stage.close(), stage.ledger
        figures.must(not ledger.untold, f"{len(ledger.untold)} came whose clients did not hear that they were accepted")
        return figures
