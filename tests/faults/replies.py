"""Exchangers that answer otherwise than is expected."""

import asyncio

from tests.faults.load import Letters
from tests.faults.sinks import WITHOUT_CHUNKS, Mood
from tests.faults.stage import Stage

MANY = 12  # recipients of a message in each domain: more than twice what a sink with a limit takes


async def limit(scale):
    """452 or 552 to the sixth recipient (RFC 5321 section 4.5.3.1.10): the others follow at once, none comes back."""
    never = {"retry": {"first": "1h", "longest": "1h"}}  # all that is not delivered in the first attempt
    async with Stage("limit", 27, scale, settings=never) as stage:
        stage.letters = Letters(stage.rng, many=MANY)
        stage.be(Mood.MANY_452, Mood.MANY_552)
        await stage.relay.start()
        await _mail(stage, scale)
        return stage.close()


async def step(scale):
    """A reply too many, or one that no command asks for: the mail was not taken, and is not lost."""
    async with Stage("step", 28, scale, forgiving=True) as stage:
        for sink in stage.sinks[:2]:
            sink.config = WITHOUT_CHUNKS
            sink.moods = (*[Mood.TAKE] * 3, Mood.EARLY_AT_RCPT, Mood.ODD_AT_DOT)
        stage.sinks[2].moods = (*[Mood.TAKE] * 3, Mood.EARLY_AT_EHLO, Mood.ODD_AT_DOT)
        await stage.relay.start()
        await _mail(stage, scale)
        return stage.close()


async def _mail(stage, scale):
    async with stage.load(connections=5):
        await stage.accepted(100)
        await asyncio.sleep(scale.seconds)
    await stage.drain()
