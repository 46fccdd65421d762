"""Word that mail is to be retried now: heeded once, and only if it is new."""

import asyncio
from types import SimpleNamespace

from postroad.deliver.hurry import FRESH_S, LOOK_S, Hurry
from postroad.spool import Lesson
from postroad.spool.base import Selection
from postroad.spool.hurry import RETRY, retry_now
from postroad.spool.memory import MemorySpool

NOON = 1_700_000_000.0


def _hastened(*asked_at, looks):
    """How often hosts are asked again, if somebody asked at these times and mail waits for hosts at those."""

    async def story():
        spool, clock, asked, pending = MemorySpool(), SimpleNamespace(now=0.0), [], []
        for at in asked_at:
            await spool.learn([Lesson(RETRY, "", at=at)])
        hosts = SimpleNamespace(hasten=lambda: asked.append(clock.now))
        tasks, world = SimpleNamespace(spawn=pending.append), SimpleNamespace(wall=lambda: NOON)
        hurry = Hurry(spool, hosts, tasks, world, lambda: clock.now)
        for clock.now in looks:
            hurry.look()
            while pending:
                await pending.pop()
        return asked

    return asyncio.run(story())


def test_word_is_heeded_once():
    """However often mail is found waiting afterwards."""
    assert [0.0] == _hastened(NOON, looks=[0.0, LOOK_S, 2 * LOOK_S])


def test_old_word_is_about_the_relay_before():
    """What was asked a minute before the start has been heeded, or is in vain."""
    assert [] == _hastened(NOON - FRESH_S, looks=[0.0])
    assert [] == _hastened(looks=[0.0])


def test_who_asks_leaves_word():
    """Also if no mail is waiting at that moment: some may be under way."""

    async def story():
        spool = MemorySpool()
        return await retry_now(spool, Selection(), NOON), await spool.recall(RETRY)

    assert (0, (Lesson(RETRY, "", at=NOON),)) == asyncio.run(story())
