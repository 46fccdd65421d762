"""A stranger's transaction keeps all dead rows: what a node does costs as many pages that are looked at as before."""

import asyncio
import json
from collections import Counter
from unittest.mock import patch

import asyncpg
from tests.support import postgres
from tests.support.examples import stride
from tests.support.letters import BODY, NOW, letter

from postroad.spool import Settlement
from postroad.spool.postgres import commits

ROUNDS = 24 // stride(2)
EACH = 50  # parcels of a round
PLANS = """
LOAD 'auto_explain'; SET auto_explain.log_level = notice;
SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on;
SET auto_explain.log_timing = off; SET auto_explain.log_format = json
"""
TALKATIVE = commits.BEGIN.replace("client_min_messages = warning", "client_min_messages = notice")


async def listen(spool, looked_at):
    """Have the server tell how many pages each statement of this node looks at: it adds up for each kind."""

    def heard(_db, message):
        plan = json.loads(message.message.partition("plan:")[2])
        kind = " ".join(plan["Query Text"].split()[:8])
        looked_at[kind] += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]

    for db in spool._connections._idle:
        await db.execute(PLANS)
        db.add_log_listener(heard)


def test_what_a_round_costs_does_not_grow_with_dead_rows():
    """Hundreds of parcels are accepted, claimed, deferred and settled meanwhile, for few hosts and many.

    In a whole run more than a thousand.
    """

    async def story():
        async with postgres.nodes("one") as (spool,):
            foreign = await asyncpg.connect(postgres.database())
            async with foreign.transaction(isolation="repeatable_read"):
                await foreign.fetch("SELECT count(*) FROM postroad.message")
                costs = [await _round(spool, number) for number in range(ROUNDS)]
            await foreign.close()
        return costs

    with patch.object(commits, "BEGIN", TALKATIVE):
        costs = postgres.loop().run(story())
    early, late = costs[ROUNDS // 4], costs[-1]  # when each of the spool's connections is there
    grown = {kind: (early[kind], pages) for kind, pages in late.items() if pages > 2 * early[kind] + 50}
    assert any(kind.startswith("WITH due AS") for kind in late), "nothing is heard of claims"
    assert ({}, True) == (grown, sum(late.values()) <= 1.5 * sum(early.values())), (early, late)


async def _round(spool, number):
    """A round of mail, half of it deferred once: the pages that its statements looked at."""
    now, looked_at = NOW + number, Counter()
    await listen(spool, looked_at)
    names = [f"x@{n % 5 if n % 2 else f'{n}-{number}'}.example" for n in range(EACH)]
    added = [spool.add(letter(f"m{number}-{n}", name, at=now), BODY) for n, name in enumerate(names)]
    await asyncio.gather(*added)
    parcels = await spool.claim(now, 1000, each=1000)
    later = [Settlement(it, it.mail.envelope.recipients, now + 0.5) for it in parcels[::2]]
    await spool.settle([*later, *(Settlement(it, record="{}") for it in parcels[1::2])], now)
    again = await spool.claim(now + 0.5, 1000, each=1000)
    assert (EACH, EACH // 2) == (len(parcels), len(again))
    await spool.settle([Settlement(it, record="{}") for it in again], now + 0.5)
    assert () == await spool.claim(now + 0.5, 1000, each=1000)
    assert await spool.next_due() is None
    await spool.renew(now)
    for db in spool._connections._idle:
        db._log_listeners.clear()
    return looked_at
