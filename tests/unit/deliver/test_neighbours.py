"""Relays that share a spool: what one finds out about a host costs the others nothing, and recovery is heard."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.support.delivering import DELIVERED, NOON, USUAL, FixedIds, Office, Told, office

from postroad.deliver import talk
from postroad.deliver.neighbours import KIND
from postroad.lab import parse_fault
from postroad.pace import HealthPolicy
from postroad.spool import Lesson, SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.words.names import parse_address

HOST = "127.0.0.13"
DOWN = {HOST: "refuse"}
ACCEPT = parse_fault("accept")
QUICK = replace(USUAL, health=HealthPolicy(first_penalty_s=0.02, factor=1.0))
SLOW = replace(USUAL, health=HealthPolicy(first_penalty_s=600.0))


class MoreIds(FixedIds):
    """Ids that nobody else gives."""

    def id(self):
        """The next id."""
        return f"Z{super().id()}"


@asynccontextmanager
async def two(faults=None, *, first=SLOW, second=SLOW):
    """Two offices on one spool, before one lab. They talk when they are asked to: `exchange`."""
    async with office(faults, settings=first, spool=MemorySpool()) as one:
        other = Office(one.lab, one.spool, second, one.deliver, Told(), "other")
        other.ids = MoreIds()
        running = asyncio.create_task(other.loop.run())
        try:
            yield one, other
        finally:
            await other.loop.drain(0)
            await running


async def exchange(*offices):
    """Each says what it knows, and hears what the others say."""
    for it in offices:
        await it.loop._neighbours.exchange()


def tell(story, *arguments, **how):
    """Run a story about two."""

    async def main():
        async with two(*arguments, **how) as both:
            return await story(*both)

    return asyncio.run(main())


async def recovery(one):
    """The host answers again, and one has noticed: by its next message, or by a probe on behalf of that."""
    await one.lab.set_fault(HOST, ACCEPT)
    await one.post("carol@example.net")
    await one.told.until("deliver.host.recovered")


async def outage(one, other):
    """One has found a host dead and says so; the other has heard it."""
    await one.post("ann@example.net")
    await one.done()
    await exchange(one, other)


def test_an_outage_that_one_relay_has_found_costs_the_others_no_contact():
    """Their mail waits at once for the host to answer again, and the log says who knows it."""

    async def story(one, other):
        await outage(one, other)
        await other.post("bob@example.net")
        await other.told.until("deliver.queue.aside")
        return other.told.named("deliver.hearsay.failed"), other.contacts()

    heard, contacts = tell(story, DOWN)
    assert ([{"address": HOST, "node": "relay"}], []) == (heard, contacts)


def test_a_recovery_that_is_heard_wakes_the_mail_that_waits():
    """Without a probe of its own: its penalty has ten minutes to go."""

    async def story(one, other):
        await outage(one, other)
        await other.post("bob@example.net")
        await other.told.until("deliver.queue.aside")
        await recovery(one)
        await exchange(one, other)
        await other.told.until("deliver.host.recovered")
        await one.told.until("lab.smtp.received", 3)
        return other.told.named("deliver.hearsay.recovered"), await one.spool.recall(KIND)

    assert ([{"address": HOST, "node": "relay"}], ()) == tell(story, DOWN, first=QUICK)


def test_who_has_found_it_dead_itself_probes_when_a_recovery_is_heard():
    """It has to answer here, on this network; but nobody waits ten minutes to see whether it does."""

    async def story(one, other):
        await other.post("bob@example.net")
        await other.done()
        await outage(one, other)
        await recovery(one)
        await exchange(one, other)
        await other.told.until("deliver.host.recovered")
        return other.told.named("deliver.hearsay.recovered")

    assert [] == tell(story, DOWN, first=QUICK)


def test_who_has_just_had_an_answer_believes_nobody():
    """The other one may be on another network, or be in trouble itself."""

    async def story(_one, other):
        await other.post("bob@example.net")
        await other.done()
        await other.spool.learn([Lesson(KIND, f"relay {HOST}", at=NOON)])
        await exchange(other)
        await other.post("bob@example.net")
        await other.done(2)
        return other.results, other.told.named("deliver.hearsay.failed")

    assert ([DELIVERED, DELIVERED], []) == tell(story)


def test_mail_that_waited_in_memory_goes_to_another_host():
    """It had been drawn for the one that is dead elsewhere: it is lined up anew, at once."""

    async def story(_one, other):
        await other.spool.learn([Lesson(KIND, "relay 127.0.0.11", at=NOON)])
        await exchange(other)
        for _ in range(8):
            await other.post("ann@example.com")
        await other.done(8)
        return {contact for contacts in other.contacts() for contact in contacts}

    assert {"127.0.0.12"} == tell(story)


def test_what_a_relay_says_is_what_it_knows():
    """Rows of a life before are gone, and what nobody heeds any more with them; others' rows are left alone."""

    async def story(one, _other):
        rows = {f"relay {HOST}": NOON, "other 127.0.0.14": NOON - 5, "gone 127.0.0.11": NOON - 9999, "odd": NOON}
        await one.spool.learn([Lesson(KIND, key, at=at) for key, at in rows.items()])
        await exchange(one)
        return [row.key for row in await one.spool.recall(KIND)]

    assert ["other 127.0.0.14"] == tell(story)


def test_a_failure_is_written_once_and_again_when_it_fails_again():
    """Not at each exchange; a probe that fails makes the word of it new."""

    class Counting(MemorySpool):
        times = ()

        async def learn(self, lessons):
            self.times += tuple(one.at for one in lessons)
            await super().learn(lessons)

    async def story():
        async with office(DOWN, settings=SLOW, spool=Counting()) as it:
            await it.post("ann@example.net")
            await it.done()
            await exchange(it, it, it)
            few = len(it.spool.times)
            it.loop.hosts.health.failed(parse_address(HOST), asyncio.get_running_loop().time() + 100)
            await exchange(it, it)
            return few, len(it.spool.times)

    assert (1, 2) == asyncio.run(story())


class Silent(MemorySpool):
    """One that tells what it is asked about lessons."""

    def __init__(self):
        super().__init__()
        self.asked = 0
        self.learned = asyncio.Event()

    async def learn(self, lessons):
        """As ever."""
        await super().learn(lessons)
        self.learned.set()

    async def recall(self, kind, begin=""):
        """As ever, or in trouble the first time."""
        self.asked += 1
        if self.asked == 1:
            raise SpoolError(Trouble.GONE, "the database is away")
        return await super().recall(kind, begin)


def test_relays_talk_while_there_are_several_and_a_relay_alone_asks_nothing(monkeypatch):
    """Whatever the spool says meanwhile; what fails here is told at once."""
    monkeypatch.setattr(talk, "EXCHANGE_S", 0.0)

    async def story():
        async with office(DOWN, settings=SLOW, spool=Silent()) as it:
            await it.post("ann@example.net")
            await it.done()
            alone = it.spool.asked
            it.loop.share(2)
            await it.spool.learned.wait()
            await it.spool.learn([Lesson(KIND, "other 127.0.0.14", at=NOON)])
            await it.told.until("deliver.hearsay.failed")
            it.loop.share(1)
            several = it.spool.asked
            for _ in range(100):
                await asyncio.sleep(0)
            return alone, several > 1, it.spool.asked - several

    assert (0, True, 0) == asyncio.run(story())
