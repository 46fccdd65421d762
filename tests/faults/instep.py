"""Clients that send faster than can be delivered: receiving goes in step with delivering."""

import asyncio
import contextlib
import time
import zlib

from tests.faults import real
from tests.faults.books import LOOK_S
from tests.faults.stage import Stage

from postroad.deliver.pressure import LONGEST_S, MOST, SAMPLE_S
from postroad.spool.sqlite import SqliteSpool

CLIENTS = 50
LESS = 5  # as `nice -n`
UNDER_WAY = 2 * 20  # deliveries: as many as there are places at the two exchangers
BODY = b"This one is like all the others.\r\n" * 120 + b"\r\n"  # 4 KiB
LETTER = b"Subject: one of many\r\nX-Test-Sum: %d\r\n\r\n" % zlib.crc32(BODY) + BODY


async def one(scale):
    """Fifty connections send at full load, and what is accepted and not delivered stays under a bound.

    The bound is kept where the relay is short of the processor, as it is beside the quick exchangers of Postfix in
    namespaces. On loopback ours are slower than it, and mail that waits for a slow host is no reason to take in less.
    """
    return await _play("instep", 34, scale)


async def split(scale):
    """The same where one process receives and another one delivers."""
    return await _play("instep-split", 35, scale, workers=2)


async def _play(name, network, scale, **relay):
    async with Stage(name, network, scale, **relay) as stage:
        stage.figures.skipped = real.obstacle()
        if stage.figures.skipped:
            return stage.figures
        letter = stage.folder / "letter"
        letter.write_bytes(LETTER.removesuffix(b"\r\n").replace(b"\r\n", b"\n"))  # smtp-source adds the last line end
        stage.relay.nice = LESS  # what the exchangers need they have
        await stage.relay.start()
        async with _backlog(stage) as backlog:
            await _send(stage, letter, backlog)
            await stage.drain()
        return stage.close()


async def _send(stage, letter, backlog):
    count, began = stage.scale.burst, time.monotonic()
    all_accepted = await real.send(stage.relay.place, count, CLIENTS, letter)
    took_s = time.monotonic() - began
    rate, left = count / took_s, count - len(stage.ledger.taken)
    stage.figures.must(all_accepted, "the client could not send all of its mail")
    stage.ledger.accepted |= {f"{number}m@one.example" for number in range(1, count + 1)}
    # what came before it was noticed, once by each process, is on top of what may be there; nobody waits longer than so
    bound = round(MOST + UNDER_WAY + CLIENTS * (1 + took_s / LONGEST_S) + 2 * SAMPLE_S * rate)
    if stage.world.is_real:
        stage.figures.must(max(backlog) <= bound, f"{max(backlog)} were accepted and not delivered, {bound} may be")
    stage.figures.notes |= {"accepted_each_s": round(rate), "left": left, "highest": max(backlog), "bound": bound}


@contextlib.asynccontextmanager
async def _backlog(stage):
    """How many messages are accepted and not delivered, look by look."""
    spool, seen = await SqliteSpool.open(stage.spool, node=""), [0]

    async def look():
        while True:
            seen.append((await spool.stats(time.time())).messages)
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await spool.close()
