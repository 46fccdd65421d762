"""Two ends of a socketpair: what one says the other hears, as it was; what goes wrong there is told here."""

import asyncio
import marshal
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.spool import Listed, Parcel, Record, Reroute, Settlement, SpoolError, State, StoredMail, Story, Trouble
from postroad.spool.wire import (
    Link,
    pack_mail,
    pack_parcel,
    pack_settlement,
    pack_story,
    unpack_mail,
    unpack_parcel,
    unpack_settlement,
    unpack_story,
)
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish
from postroad.words.names import AddressLiteral

texts = st.text(max_size=5)
numbers = st.integers(0, 2**60)
seconds = st.floats(allow_nan=False)
literals = st.sampled_from(["192.0.2.1", "2001:db8::1"]).map(lambda text: AddressLiteral(ip_address(text)))
mailboxes = st.builds(Mailbox, texts, texts | literals)
words = st.frozensets(st.sampled_from(["NEVER", "SUCCESS", "FAILURE", "DELAY"]))
recipients = st.lists(st.builds(Recipient, mailboxes, words, st.none() | texts), max_size=3).map(tuple)
maybe = st.none() | texts
flags = st.booleans()
tls = st.sampled_from([None, *TlsWish])
envelopes = st.builds(Envelope, st.none() | mailboxes, recipients, flags, flags, maybe, maybe, tls)
mails = st.builds(StoredMail, texts, envelopes, seconds, numbers, numbers, texts)
routes = st.lists(texts, max_size=3).map(tuple)
parcels = st.builds(Parcel, numbers, texts, mails, seconds, numbers, st.booleans(), routes)
reports = st.lists(st.tuples(mails, st.binary(max_size=9)), max_size=2).map(tuple)


@st.composite
def settlements(draw):
    """Of everybody, of some, of nobody."""
    parcel = draw(parcels)
    left = draw(st.just(parcel.mail.envelope.recipients) | recipients)
    flags = [draw(st.booleans()) for _ in range(3)]
    reroute = draw(st.none() | st.builds(Reroute, recipients, routes, texts))
    record = draw(texts) or "{}"
    return Settlement(parcel, left, draw(seconds), record, *flags, draw(texts), draw(reports), reroute)


listed = st.builds(Listed, parcels, st.sampled_from(State), texts, texts)
records = st.builds(Record, texts, seconds, texts)
stories = st.builds(
    Story, mails, st.lists(listed, max_size=2).map(tuple), st.lists(records, max_size=2).map(tuple), st.none() | seconds
)


def over(row):
    """As it comes out at the other end."""
    return marshal.loads(marshal.dumps(row))


@settings(max_examples=examples(100) // stride(2))
@given(mails, parcels, settlements(), st.none() | stories)
def test_nouns_cross_unchanged(mail, parcel, settlement, story):
    """Whatever is in them."""
    assert mail == unpack_mail(over(pack_mail(mail)))
    assert parcel == unpack_parcel(over(pack_parcel(parcel)))
    assert settlement == unpack_settlement(over(pack_settlement(settlement)), settlement.parcel)
    assert story == unpack_story(over(pack_story(story)))


class Transport:
    """Takes what is written, each time."""

    def __init__(self):
        self.written = []

    def write(self, octets):
        """Take it."""
        self.written.append(octets)

    def get_write_buffer_size(self):
        """Nothing waits."""
        return 0


@given(st.lists(st.binary(max_size=50), max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_octets_may_come_cut_anywhere(values, cuts):
    """What one end said in several turns comes out whole and in order, whatever the pieces."""

    async def story():
        heard = []
        one, other = Link({}), Link({"word": heard.append})
        wire = Transport()
        one.connection_made(wire)
        for value in values:
            one.tell("word", value)
            await asyncio.sleep(0)
        octets, place, step = b"".join(wire.written), 0, 0
        while place < len(octets):
            size = cuts[step % len(cuts)]
            other.data_received(octets[place : place + size])
            place, step = place + size, step + 1
        return heard, len(wire.written)

    assert (values, len(values)) == asyncio.run(story())


def test_one_turn_is_one_write():
    """However much is said in it."""

    async def story():
        wire, link = Transport(), Link({})
        link.connection_made(wire)
        for number in range(100):
            link.tell("word", number)
        await asyncio.sleep(0)
        return len(wire.written)

    assert 1 == asyncio.run(story())


@asynccontextmanager
async def linked(**words):
    """Two ends; the second one has these words. And a list that has what was called when it lost the first."""
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    one, other = await Link.open(ours, {}), await Link.open(theirs, words, lost.set)
    try:
        yield one, other, lost
    finally:
        one.close()
        other.close()


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def runner(request):
    """Either loop."""
    return request.param


def test_call_has_its_answer(runner):
    """Each its own, in whatever order they are done."""

    async def story():
        first = asyncio.Event()

        async def late(value):
            await first.wait()
            return value

        async def early(value):
            first.set()
            return value

        async with linked(late=late, early=early) as (one, _other, _lost):
            return await asyncio.gather(one.call("late", 1), one.call("early", 2))

    assert [1, 2] == runner(story())


def test_trouble_crosses_as_itself_and_a_bug_as_its_text(runner):
    """The kind for programs, the words for people."""

    async def full():
        raise SpoolError(Trouble.FULL, "the disk is full: make room")

    async def bug():
        raise KeyError("bug")

    async def story():
        async with linked(full=full, bug=bug) as (one, _other, _lost):
            with pytest.raises(SpoolError) as trouble:
                await one.call("full")
            with pytest.raises(RuntimeError, match=r"KeyError\('bug'\)"):
                await one.call("bug")
            return trouble.value.kind, trouble.value.why

    assert (Trouble.FULL, "the disk is full: make room") == runner(story())


def test_bug_in_hearing_costs_no_other_word(runner):
    """It is told as any bug in a callback is, and what comes behind it is heard."""

    async def story():
        told, heard = [], asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, about: told.append(about["message"]))
        async with linked(well=heard.set) as (one, _other, _lost):
            one.tell("nonsense")
            one.tell("well")
            await heard.wait()
            with pytest.raises(RuntimeError, match="nonsense"):
                await one.call("nonsense")
        return told

    assert ["nonsense from the other process"] * 2 == runner(story())


def test_end_that_is_gone_answers_nobody(runner):
    """Calls under way and later ones hear that the spool is closed; the end that is left is told at once."""

    async def story():
        async with linked() as (one, other, _lost):
            asked = other.call("never")
            one.close()
            kinds = []
            for call in (asked, other.call("again")):
                with pytest.raises(SpoolError) as trouble:
                    await call
                kinds.append(trouble.value.kind)
            return kinds

    async def eof():
        async with linked() as (one, _other, lost):
            one.close()
            await lost.wait()
            return lost.is_set()

    assert ([Trouble.CLOSED] * 2, True) == (runner(story()), runner(eof()))


def test_what_was_said_before_the_end_arrives(runner):
    """A last word is no less heard."""

    async def story():
        heard = []
        async with linked(word=heard.append) as (one, _other, lost):
            one.tell("word", b"x" * 1_000_000)
            one.close()
            await lost.wait()
        return [len(each) for each in heard]

    assert [1_000_000] == runner(story())
