"""Several relays on one database: each of them, the database, and the way to it may fail."""

import asyncio
import os
import signal
import time
from collections import Counter

from tests.faults.books import LOOK_S, until
from tests.faults.fair import pile_up
from tests.faults.load import DOMAINS, Letters
from tests.faults.relays import has_stopped
from tests.faults.sinks import WITHOUT_CHUNKS, Mood
from tests.faults.stage import Stage

from postroad.deliver.feed import CLAIM

MOST = 200  # messages accepted between two disasters
FEW = 5
A_WHILE_S = 30.0  # of load, from which on its pace means something
SHARE = 2 * CLAIM  # of a mountain, that a relay claims before it has seen the others
LEASE_S = 1.0  # of the relay that is paused, as it has it itself
LOOKS = "postroad.relay.process.SWEEP_S"  # how often a relay renews its lease and keeps house
HELD = "postroad.spool.postgres.health.HELD_S"
PATIENCE = "postroad.spool.postgres.connections.PATIENCE_S"
LEASE = "postroad.relay.process.LEASE_S"
_BURY = "UPDATE postroad.node SET renewed_at = clock_timestamp() - interval '1 h' WHERE name = $1"
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'postroad n%' ORDER BY pid"
_BUSY = "SELECT FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'"
_DEAD = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'postroad'"
_WATCH = """
CREATE TABLE public.claim (place bigint GENERATED ALWAYS AS IDENTITY, is_other boolean);
CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.claim (is_other) VALUES (NEW.destination <> 'one.example'); RETURN NULL; END $$;
CREATE TRIGGER noted AFTER UPDATE ON postroad.parcel FOR EACH ROW
WHEN (OLD.holder IS NULL AND NEW.holder IS NOT NULL AND NEW.attempts = 0) EXECUTE FUNCTION public.noted()
"""
_LAST = "SELECT count(*) FROM public.claim WHERE place <= (SELECT max(place) FROM public.claim WHERE is_other)"
_END = "SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid"


async def nodes(scale):
    """Relays are killed at random; most come back, one stays away: the others deliver what it had."""
    async with Stage("nodes", 41, scale, nodes=4 if scale.kills > FEW else 3, constants={LOOKS: 0.5}) as stage:
        await _open(stage)
        async with stage.load(connections=stage.scale.senders):
            for _ in range(scale.kills):
                await _some_mail(stage)
                relay = stage.rng.choice(stage.relays)
                await stage.kill(relay)
                await _some_mail(stage)
                await relay.start()
            await stage.kill(stage.relays[-1])
            await stage.store.ask(_BURY, stage.relays[-1].node)  # as a lease later
            await _some_mail(stage)
        stage.be(Mood.TAKE)
        await stage.drain()
        return stage.close()


async def database(scale):
    """The database crashes, loses connections, and is away: clients hear 451, and nothing is lost or comes twice."""
    constants = {LOOKS: 0.5, PATIENCE: 0.5}
    async with Stage("database", 42, scale, nodes=2, constants=constants) as stage:
        await _open(stage)
        async with stage.load(connections=stage.scale.senders):
            for _ in range((scale.kills + 1) // 2):
                for disaster in (_cut, _crash):
                    await _some_mail(stage)
                    await disaster(stage)
            await _be_away(stage)
            await _some_mail(stage)
        stage.be(Mood.TAKE)
        await stage.drain()
        return stage.close()


async def paused(scale):
    """A relay stands still for longer than its lease, and goes on: it sends nothing that another one has by then."""
    async with Stage("paused", 43, scale, nodes=2, constants={LOOKS: 0.3}) as stage:
        stage.ledger.doubtful = Counter()
        stage.letters = Letters(stage.rng, big=50, both=0)
        first, second = stage.relays
        first.constants = first.constants | {LEASE: LEASE_S}
        await first.start()
        await _past_the_dot(stage)
        await _before_the_dot(stage)
        await _stop_between_transactions(stage, first)
        await stage.doubt(first)
        await asyncio.sleep(LEASE_S)  # by its own clock, too
        await stage.store.ask(_BURY, first.node)
        await second.start()
        for sink in stage.sinks:
            await sink.release()
        taken, all_ = stage.ledger.taken, 2 * FEW + stage.figures.promised
        has_all = await until(lambda: taken.total() == all_, taken.total)
        stage.figures.must(has_all, f"{taken.total()} were taken, not {all_}, while the first one stood still")
        os.kill(first.pid, signal.SIGCONT)
        stage.letters.domains = DOMAINS
        async with stage.load():
            await stage.accepted(MOST)
        await stage.drain()
        return stage.close()


async def xmin(scale):
    """Somebody's transaction keeps all dead rows: half of the pace is left at least, and the log says who it is."""
    settings, constants = {"log": {"level": "warning"}}, {LOOKS: 0.3, HELD: 0.0}
    async with Stage("xmin", 44, scale, nodes=2, settings=settings, constants=constants) as stage:
        await asyncio.gather(*(relay.start() for relay in stage.relays))
        async with stage.load(connections=stage.scale.senders):
            await stage.accepted(MOST)
            free = await _pace(stage, stage.scale.seconds / 5)
            async with stage.store.transaction("an analyst"):
                await stage.accepted(MOST)
                held = await _pace(stage, stage.scale.seconds)
                dead = sum(row["n_dead_tup"] for row in await stage.store.ask(_DEAD))
                is_named = await until(lambda: "an analyst" in stage.relay.log())
        stage.figures.must(is_named, "no relay says who it is")
        if stage.scale.seconds >= A_WHILE_S:
            stage.figures.must(held >= free / 2, f"{held} a second in place of {free}")
        stage.figures.notes |= {"free_each_s": free, "held_each_s": held, "dead_rows": dead}
        await stage.drain()
        return stage.close()


async def many(scale):
    """Nine tenths of a mountain of mail have one destination: each relay claims a little of it, then all the rest."""
    zone = "".join(f"s{number}.example. IN MX 10 b.sink.example.\n" for number in range(scale.singles))
    async with Stage("many", 45, scale, nodes=4, zone=zone) as stage:
        others = [f"m{number}@s{number % scale.singles}.example" for number in range(scale.mountain // 10)]
        await pile_up(stage, scale.mountain - len(others), others)
        stage.ledger.accepted |= {f"b{number}@one.example" for number in range(scale.mountain - len(others))} | set(
            others
        )
        for command in _WATCH.split(";\n"):
            await stage.store.ask(command)
        began = time.monotonic()
        await asyncio.gather(*(relay.start() for relay in stage.relays))
        taken, wanted = stage.ledger.taken, set(others)
        await until(lambda: wanted <= taken.keys(), taken.total)
        before = taken.total()
        (last,) = (row["count"] for row in await stage.store.ask(_LAST))
        most = len(others) + len(stage.relays) * SHARE
        stage.figures.must(last <= most, f"the last of the others was the {last}th to be claimed, not the {most}th")
        await stage.drain()
        rate = round(taken.total() / (time.monotonic() - began))
        notes = {"others": len(others), "claimed_when_they_were": last, "taken_when_they_were": before, "each_s": rate}
        stage.figures.notes |= notes
        return stage.close()


async def _pace(stage, seconds):
    """Messages accepted a second, for a while."""
    began, before = time.monotonic(), len(stage.ledger.accepted)
    await asyncio.sleep(seconds)
    return round((len(stage.ledger.accepted) - before) / (time.monotonic() - began))


async def _open(stage):
    for sink in stage.sinks:
        sink.pause_s = 0.02
    stage.be(*[Mood.TAKE] * 9, Mood.DEFER)
    stage.ledger.doubtful = Counter()
    await asyncio.gather(*(relay.start() for relay in stage.relays))


async def _some_mail(stage):
    await stage.accepted(stage.rng.randrange(MOST))
    await asyncio.sleep(stage.rng.uniform(0, LOOK_S))  # not always as a reply has just been read


async def _cut(stage):
    """Some connections end, in the middle of whatever they do."""
    sessions = [row["pid"] for row in await stage.store.ask(_SESSIONS)]
    await stage.store.ask(_END, [pid for pid in sessions if stage.rng.random() < 0.5])
    stage.figures.kills += 1


async def _crash(stage):
    """The server ends without a word, and starts again."""
    await asyncio.to_thread(stage.store.server.stop)
    await asyncio.to_thread(stage.store.server.start)
    stage.figures.kills += 1


async def _be_away(stage):
    """There is no server until clients have heard of it, and for a while after."""
    await asyncio.to_thread(stage.store.server.stop)
    heard = stage.ledger.replies[451]
    is_heard = await until(lambda: stage.ledger.replies[451] > heard)
    stage.figures.must(is_heard, f"no client hears 451: {dict(stage.ledger.replies)}")
    await asyncio.sleep(stage.scale.seconds)
    await asyncio.to_thread(stage.store.server.start)
    stage.figures.kills += 1


async def _past_the_dot(stage):
    """An exchanger has taken some messages, and does not say so."""
    await stage.sinks[2].hold()
    stage.letters.domains = ["home.example"]
    await stage.load().send(FEW)
    await until(lambda: stage.ledger.taken)


async def _before_the_dot(stage):
    """The recipients of some more are sent, and nobody answers; the message may go after the 354 that follows."""
    for sink in stage.sinks[:2]:
        sink.config = WITHOUT_CHUNKS
        sink.keep()
    stage.letters.domains = ["one.example"]
    await stage.load().send(FEW)
    await until(lambda: any(sink.kept for sink in stage.sinks))


async def _stop_between_transactions(stage, relay):
    """A transaction of a relay that stands still is ended by the server after a while; that is another story."""
    while True:
        os.kill(relay.pid, signal.SIGSTOP)
        await until(lambda: has_stopped(relay.pid))
        if not await stage.store.ask(_BUSY, f"postroad {relay.node}"):
            return
        os.kill(relay.pid, signal.SIGCONT)
        await asyncio.sleep(LOOK_S)
