"""Clients that are too many, too slow, or do not listen."""

import asyncio
import contextlib
import resource
from collections import Counter

from tests.faults.books import until
from tests.faults.load import Talk
from tests.faults.stage import Stage

EACH = 100  # connections of one client address, as the relay's default
SPARE = 2000  # file descriptors for all that is no idle connection
AT_ONCE = 200


async def idle(scale):
    """One address opens thousands of connections and says nothing: told 421 beyond its share, in nobody's way."""
    _raise_limit(scale.crowd + SPARE)
    async with Stage("idle", 18, scale) as stage:
        await stage.relay.start()
        async with stage.load(connections=5) as load:
            await stage.accepted(20)
            before = stage.relay.rss_mib()[0]
            async with _crowd(stage, scale.crowd) as told:
                await _go_on(stage, scale)
                stage.figures.notes |= {"rss_before": before, "rss_crowded": stage.relay.rss_mib()[0]}
        stage.figures.notes["told"] = dict(told)
        stage.figures.must(told == {220: EACH, 421: scale.crowd - EACH}, f"the crowd was told {dict(told)}")
        stage.figures.must(load.sent > 0, "nobody else was served")
        await stage.drain()
        return stage.close()


async def crowd(scale):
    """Thousands of idle connections within the limits, as set: all are held, others are served, memory is bounded."""
    _raise_limit(scale.crowd + SPARE)
    limits = {"connections": scale.crowd + EACH, "connections_per_client": scale.crowd}
    async with Stage("crowd", 19, scale, settings={"limits": limits}) as stage:
        stage.relay.limits = {resource.RLIMIT_NOFILE: (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1])}
        await stage.relay.start()
        async with stage.load(connections=5):
            await stage.accepted(20)
            before = stage.relay.rss_mib()[0]
            async with _crowd(stage, scale.crowd) as told:
                await _go_on(stage, scale)
                crowded = stage.relay.rss_mib()[0]
        each = round((crowded - before) * 1024 / scale.crowd, 1)
        stage.figures.notes |= {"rss_before": before, "rss_crowded": crowded, "kib_each": each, "told": dict(told)}
        stage.figures.must(told == {220: scale.crowd}, f"the crowd was told {dict(told)}")
        await stage.drain()
        return stage.close()


async def slow(scale):
    """Clients that send one octet a second, or never read, are in nobody's way, and are sent off in time."""
    timeouts = {"command": "1s", "block": "1s"}
    async with Stage("slow", 20, scale, settings={"timeouts": timeouts}) as stage:
        await stage.relay.start()
        told = Counter()
        slow = min(EACH, scale.pits)
        dawdlers = [_dawdle(stage, told, *_GIFTS[number % len(_GIFTS)]) for number in range(slow)]
        async with stage.load(connections=5):
            await stage.accepted(20)
            crowd = asyncio.gather(*dawdlers)
            await _go_on(stage, scale)
            await crowd
        stage.figures.notes["told"] = dict(told)
        stage.figures.must(set(told) == {421} and told[421] == slow, f"the slow were told {dict(told)}")
        await stage.drain()
        return stage.close()


_HELLO = b"EHLO slow.example\r\n"
_BODY = b"MAIL FROM:<>\r\nRCPT TO:<slow@one.example>\r\nDATA\r\n"
_GIFTS = (
    ((), b"EHLO a.long.name.that.takes.its.time.example\r\n"),
    (((_HELLO, 250), (_BODY, 250, 250, 354)), b"Subject: this is not in a hurry at all, and its end is not seen\r\n"),
    (((_HELLO, 250), (b"RSET\r\n" * 20,)), b""),
)


async def _dawdle(stage, told, flights, slowly):
    """Have some flights answered, send the rest octet by octet, then wait; note what the relay says in the end."""
    reader, writer = await asyncio.open_connection(*stage.relay.place, local_addr=(str(stage.address(66)), 0))
    talk = Talk(reader, writer, stage.ledger)
    await talk.expect(220)
    for flight, *codes in flights:
        await talk.say(flight, *codes)
    dripping = asyncio.create_task(_drip(writer, slowly))
    try:
        said = b""
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(65536):
                said += octets
        said += bytes(reader._buffer)  # what came before a write that failed, which the stream keeps to itself
        told[int(said.splitlines()[-1][:3])] += 1
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        writer.transport.abort()


async def _drip(writer, slowly):
    for octet in slowly:
        writer.write(bytes([octet]))
        await asyncio.sleep(0.2)


async def _go_on(stage, scale):
    """For a while mail must flow as if nobody else were there."""
    await stage.accepted(20)
    await asyncio.sleep(scale.seconds)
    await stage.accepted(20)
    await until(lambda: stage.ledger.taken)


@contextlib.asynccontextmanager
async def _crowd(stage, count):
    """So many connections that only listen; what the greetings said."""
    told, open_ = Counter(), []
    try:
        for start in range(0, count, AT_ONCE):
            some = (_enter(stage, told, open_) for _ in range(start, min(start + AT_ONCE, count)))
            await asyncio.gather(*some)
        yield told
    finally:
        for writer in open_:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _enter(stage, told, open_):
    reader, writer = await asyncio.open_connection(*stage.relay.place, local_addr=(str(stage.address(66)), 0))
    open_.append(writer)
    told[int((await reader.readline())[:3] or 0)] += 1


def _raise_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
