"""A spool that another process delivers from: nothing is lost between the two, and nothing grows without end."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from tests.support.letters import BODY, NOW, letter, octets, states
from tests.support.patience import PATIENCE_S

from postroad.spool import PIECE, Settlement, SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.spool.remote import UNSENT, Handover, RemoteSpool
from postroad.spool.wire import Link


class Failing(MemorySpool):
    """Fails while it is told to, and does nothing before it may."""

    trouble = None

    def __init__(self):
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def settle(self, settlements, now):
        await self.free.wait()
        if self.trouble:
            raise self.trouble
        await super().settle(settlements, now)

    async def claim(self, *arguments, **how):
        await self.free.wait()
        return await super().claim(*arguments, **how)


class Other:
    """The process that delivers: what it was given, with the bodies it has at hand."""

    def __init__(self, handover):
        self.handover = handover
        self.given = []

    async def begin(self):
        """Start it."""
        ours, theirs = socket.socketpair()
        self.lost = asyncio.Event()
        self.here = await Link.open(ours, self.handover.words, self.lost.set)
        self.there = await Link.open(theirs, {"take": self.take})
        self.spool = RemoteSpool(self.there.call)
        self.handover.begin(self.here)

    def take(self, row, body):
        """As the loop does."""
        self.given.append(self.spool.received(row, body))

    async def look(self):
        """Wait until all that was said has been heard: an answer comes behind it."""
        await self.there.call("next_due", frozenset())

    async def die(self):
        """Its end of the link is gone, and all it had said is heard."""
        self.there.close()
        await self.lost.wait()
        await self.handover.end()


@asynccontextmanager
async def apart():
    """A spool here, and who delivers from it there."""
    spool = Failing()
    settled = []
    other = Other(Handover(spool, settled.append))
    other.settled = settled
    await other.begin()
    try:
        yield spool, other
    finally:
        await other.die()


async def accept(spool, other, id_="m1", body=BODY, *to):
    """Keep a message and hand it over."""
    mail = letter(id_, *to, size=len(body))
    parcels = await spool.add(mail, body, claim=True)
    other.handover.give(parcels)
    await other.look()
    return mail


def test_fresh_mail_is_handed_over_with_its_body():
    """Nobody asks for it; once it is settled it is gone at both ends."""

    async def story():
        async with apart() as (spool, other):
            mail = await accept(spool, other)
            (parcel,) = other.given
            seen = parcel.mail == mail, other.spool.at_hand(mail), other.handover.waiting
            assert await octets(other.spool, mail) == BODY
            await other.spool.settle([Settlement(parcel)], NOW)
            left = (await spool.stats(NOW)).messages
            return seen, left, other.handover.waiting, other.spool.at_hand(mail), other.settled

    assert ((True, BODY, 1), 0, 0, None, [1]) == asyncio.run(story())


def test_trouble_with_the_spool_crosses_and_settling_again_works():
    """Its kind and its words; the parcel stays in hand."""

    async def story():
        async with apart() as (spool, other):
            await accept(spool, other)
            spool.trouble = SpoolError(Trouble.FULL, "no room")
            with pytest.raises(SpoolError, match="no room") as trouble:
                await other.spool.settle([Settlement(other.given[0])], NOW)
            kept, spool.trouble = other.handover.waiting, None
            await other.spool.settle([Settlement(other.given[0])], NOW)
            return trouble.value.kind, kept, other.handover.waiting

    assert (Trouble.FULL, 1, 0) == asyncio.run(story())


@pytest.mark.parametrize("pieces", [0, 2])
def test_what_stands_in_front_is_delivered_there_too(pieces):
    """Small mail is pushed along with it, large mail read with it."""
    body = b"front" + b"a" * PIECE * pieces + b"end"

    async def story():
        async with apart() as (spool, other):
            for _ in range(pieces):
                await spool.write("m1", b"a" * PIECE)
            parcels = await spool.add(letter(size=len(body)), b"end", claim=True, front=b"front")
            other.handover.give(parcels)
            await other.look()
            return await octets(other.spool, other.given[0].mail)

    assert body == asyncio.run(story())


def test_large_body_is_read_piece_by_piece():
    """One that was not pushed along is asked for, each piece by itself."""

    async def story():
        async with apart() as (spool, other):
            body = b"".join(b"%08d" % number for number in range(PIECE // 4))
            await spool.add(letter(size=len(body)), body)
            (parcel,) = await other.spool.claim(NOW, 1, each=1)
            sizes = [len(piece) async for piece in other.spool.body(parcel.mail)]
            return sizes, body == await octets(other.spool, parcel.mail)

    assert ([PIECE, PIECE], True) == asyncio.run(story())


def test_what_a_dead_process_had_goes_to_the_next():
    """With its body; what it had settled is settled first, and not delivered again."""

    async def story():
        async with apart() as (spool, other):
            for number in range(3):
                await accept(spool, other, f"m{number}")
            await spool.add(letter("m3"), BODY)
            claimed = await other.spool.claim(NOW, 1, each=1)
            first, other.given = other.given, []
            spool.free.clear()
            settling = other.spool.settle([Settlement(first[0])], NOW)
            await asyncio.sleep(0)  # it is said
            dying = asyncio.create_task(other.die())
            with pytest.raises(SpoolError):
                await settling
            spool.free.set()
            await dying
            await other.begin()
            await other.look()
            again = sorted(parcel.mail.id for parcel in other.given)
            return again, len(claimed), other.spool.at_hand(other.given[0].mail)

    again, claimed, body = asyncio.run(story())
    assert (["m1", "m2", "m3"], 1, BODY) == (again, claimed, body)


def test_mail_accepted_while_nobody_delivers_waits_for_the_next():
    """Whatever was on its way into the spool when it died."""

    async def story():
        async with apart() as (spool, other):
            await other.die()
            other.handover.give(await spool.add(letter(), BODY, claim=True))
            was_open = other.handover.has_room_for((), 1, 1)
            await other.begin()
            await other.look()
            return was_open, [parcel.mail.id for parcel in other.given]

    assert (False, ["m1"]) == asyncio.run(story())


def test_what_is_left_at_the_end_waits_in_the_spool():
    """Nobody has it any more."""

    async def story():
        async with apart() as (spool, other):
            await accept(spool, other)
            await other.handover.take_back()
            return await states(spool), other.handover.waiting

    assert ([("far.example", "waiting")], 0) == asyncio.run(story())


def test_process_that_reads_nothing_is_given_no_more():
    """What it was sent and did not take has an end: bodies are left out, and nothing fresh is claimed for it."""

    async def story():
        ours, theirs = socket.socketpair()
        spool = MemorySpool()
        handover = Handover(spool)
        link = await Link.open(ours, {})
        handover.begin(link)
        body, count = b"x" * (UNSENT // 8), 0
        with theirs:
            while handover.has_room_for((), 1, 1):
                handover.give(await spool.add(letter(f"m{count}", size=len(body)), body, claim=True))
                count += 1
                await asyncio.sleep(0)
            before = link.unsent
            handover.give(await spool.add(letter("last", size=len(body)), body, claim=True))
            await asyncio.sleep(0)
            more = link.unsent - before
        link.close()
        await asyncio.sleep(0)
        return count < 20, before < UNSENT + 2 * len(body), more < len(body)

    assert (True, True, True) == asyncio.run(story())


def test_claim_that_nobody_waits_for_is_given_back():
    """Its parcels would lie there for ever."""

    async def story():
        async with apart() as (spool, other):
            await spool.add(letter(), BODY)
            spool.free.clear()
            claiming = asyncio.create_task(other.spool.claim(NOW, 1, each=1))
            await asyncio.sleep(0)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            spool.free.set()
            for state in ("claimed", "waiting"):
                while await states(spool) != [("far.example", state)]:  # noqa: ASYNC110  # a bug would hang: see the limit
                    await asyncio.sleep(0)
            return other.handover.waiting

    assert 0 == asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


@pytest.mark.parametrize("end", ["it fails", "nothing is found"])
def test_claim_that_nobody_waits_for_may_come_to_nothing(end):
    """Nothing is there to be given back, and nobody is bothered."""

    async def story():
        troubles = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, about: troubles.append(about["message"]))
        async with apart() as (spool, other):
            spool.free.clear()
            released = []
            spool.release = released.append
            claiming = asyncio.create_task(other.spool.claim(NOW, 1, each=1))
            await asyncio.sleep(0)
            claiming.cancel()
            await asyncio.wait([claiming])
            if end == "it fails":
                await spool.close()
            spool.free.set()
            if end == "nothing is found":
                await other.look()
        return troubles, released

    assert ([], []) == asyncio.run(story())


class FullLink:
    """A link with so many octets unsent, which notes the bodies it is given."""

    def __init__(self, unsent):
        self.unsent = unsent
        self.bodies = []

    def tell(self, _word, _parcel, body):
        """Note it."""
        self.bodies.append(body)


@pytest.mark.parametrize(("unsent", "is_open"), [(UNSENT - 1, True), (UNSENT, False)])
def test_limit_of_what_is_unsent_is_one(unsent, is_open):
    """At it nothing more is claimed for the other process, and what it must be given goes without its body."""

    async def story():
        handover, link = Handover(spool := MemorySpool()), FullLink(unsent)
        handover.begin(link)
        handover.give(await spool.add(letter(), BODY, claim=True))
        return handover.has_room_for(("other.example",), 10, 10), link.bodies

    assert (is_open, [BODY if is_open else None]) == asyncio.run(story())


def test_parcels_are_counted_by_destination():
    """So that none has more there than is left to the others."""

    async def story():
        async with apart() as (spool, other):
            await accept(spool, other, "m1", BODY, "a@one.example", "b@two.example")
            await accept(spool, other, "m2", BODY, "a@one.example")
            names = ("one.example", "two.example", "three.example")
            rooms = [[other.handover.has_room_for((name,), 10, each) for each in (1, 2, 3)] for name in names]
            held = [other.handover.has_room_for(names[:1], held, 10) for held in (5, 6)]
            await other.spool.release(other.given)
            return rooms, held, other.handover.has_room_for(names, 10, 1), other.given[0].destination

    rooms = [[False, False, True], [False, True, True], [True, True, True]]
    assert (rooms, [False, True], True, "one.example") == asyncio.run(story())
