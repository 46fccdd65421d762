"""DNS and exchangers that are away for a while, or die in the middle of a transaction."""

import asyncio
import contextlib
import time

from tests.faults.books import until
from tests.faults.ports import free_port
from tests.faults.sinks import Mood
from tests.faults.stage import NAMES, Stage

from postroad.dns import load_zones
from postroad.lab import DnsFault, Nameserver


async def dns(scale):
    """While DNS is in trouble all mail waits and nothing is sent back; afterwards all of it arrives."""
    port = free_port(["127.0.12.53"])
    settings = {"dns": {"zones": [], "resolvers": [f"127.0.12.53:{port}"]}}
    async with Stage("dns", 12, scale, settings=settings) as stage, _nameserver(stage, port) as nameserver:
        nameserver.troubles = dict.fromkeys(((name, "*") for name in NAMES), DnsFault.SERVFAIL)
        await stage.relay.start()
        async with stage.load():
            await stage.accepted(20)
            await asyncio.sleep(scale.seconds / 2)
            if scale.seconds > 1:
                nameserver.troubles = dict.fromkeys(nameserver.troubles, DnsFault.DROP)
                await asyncio.sleep(scale.seconds / 2)
        stage.figures.must(not stage.ledger.taken, "mail was delivered without DNS")
        nameserver.troubles = {}
        await _recover(stage)
        return stage.close()


async def hosts(scale):
    """While every exchanger refuses connections, or swallows them, all mail waits; afterwards all of it arrives."""
    settings = {"deliver": {"connect_timeout": "500ms"}}
    async with Stage("hosts", 13, scale, settings=settings, forgiving=True) as stage:
        for sink in stage.sinks[1:]:
            await sink.close()
        await stage.sinks[0].swallow(stage.port)
        await stage.relay.start()
        async with stage.load():
            await stage.accepted(20)
            await asyncio.sleep(scale.seconds)
        stage.figures.must(not stage.ledger.taken, "mail was delivered to nobody")
        await stage.sinks[0].close()
        for sink in stage.sinks:
            await sink.open(stage.port)
        await _recover(stage)
        return stage.close()


async def dying(scale):
    """Exchangers die at every point of a transaction: nothing is lost, and what was taken unanswered may come twice."""
    async with Stage("dying", 14, scale) as stage:
        stage.be(Mood.TAKE, Mood.TAKE, Mood.AT_RCPT, Mood.IN_DATA, Mood.AT_DOT, Mood.AFTER_DOT)
        await stage.relay.start()
        async with stage.load(connections=5):
            await stage.accepted(50)
            await asyncio.sleep(scale.seconds)
        stage.be(Mood.TAKE)
        await stage.drain()
        return stage.close()


@contextlib.asynccontextmanager
async def _nameserver(stage, port):
    nameserver = Nameserver(load_zones([stage.folder / "zone"]).zone_data)
    await nameserver.start(stage.address(53), port)
    try:
        yield nameserver
    finally:
        await nameserver.stop()


async def _recover(stage):
    """Note how long it takes from the end of the trouble to the first and the last delivery."""
    ended = time.monotonic()
    await until(lambda: stage.ledger.taken)
    first = time.monotonic()
    await stage.drain()
    stage.figures.notes["first_after_s"] = round(first - ended, 1)
    stage.figures.notes["all_after_s"] = round(time.monotonic() - ended, 1)
