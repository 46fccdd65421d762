"""What delivering a message costs, counted in calls of Python: exact on any machine, however busy it is."""

import asyncio
import sys
from collections import Counter
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest
from tests.support.delivering import NOON, recipients
from tests.support.patience import PATIENCE_S

import postroad
from postroad.deliver import Bounces, DeliverSettings, DeliveryRoute, Loop, LoopSettings, World, attempt
from postroad.net import Endpoint
from postroad.routing import PROCEDURES, Exchanger, Level, Route
from postroad.routing.rules import Source
from postroad.spool import Parcel, StoredMail
from postroad.spool.memory import MemorySpool
from postroad.words.mail import Envelope, Mailbox
from postroad.words.outcome import Result

MESSAGES = 20
MOST = 170  # calls a message
CONTENT = b"Subject: x\r\n\r\n" + b"as long as a line is\r\n" * 180
HOSTS = tuple(Exchanger(f"mx{number}.example.com", (ip_address(f"192.0.2.{number}"),)) for number in (1, 2))
ROUTE = Route("example.com", Source.MX, (Level(10, HOSTS),))


class Host:
    """A stream whose other end takes everything, and answers as soon as it is asked."""

    tls = trouble = None
    certificates = ()
    waiting = 0

    def __init__(self, address):
        self.peer, self.local = Endpoint(address, 25), Endpoint(ip_address("192.0.2.99"), 40000)
        self.replies, self.has_said = b"220 hi\r\n", asyncio.Event()
        self.has_said.set()
        self.ear = None

    def write(self, octets):
        """Answer, in the next turn of the loop."""
        if octets.startswith(b"EHLO"):
            self.replies += b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 1000000\r\n"
        elif octets.startswith(b"MAIL"):
            self.replies += b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
            self.replies += b"354 go\r\n" * octets.endswith(b"DATA\r\n") + b"250 2.0.0 Ok\r\n" * (b"BDAT" in octets)
        elif octets.startswith(b"QUIT"):
            self.replies += b"221 bye\r\n"
        else:
            self.replies += b"250 2.0.0 Ok: queued\r\n"
        self.has_said.set()
        if self.ear:
            asyncio.get_running_loop().call_soon(self.answer)

    def answer(self):
        """Let what was said be heard."""
        said, self.replies = self.replies, b""
        self.ear(said)

    async def read(self):
        """The answer, for who waits for it."""
        await self.has_said.wait()
        self.has_said.clear()
        said, self.replies = self.replies, b""
        return said

    def listen(self, ear, *, holds=True):
        """Who hears from now on."""
        assert ear is None or not holds
        self.ear = ear

    async def drain(self):
        """There is room."""

    def close(self):
        """Gone."""

    abort = close


class Ready(MemorySpool):
    """A spool that has the content of every message at hand, and settles at once."""

    def at_hand(self, _mail):
        """See Spool."""
        return CONTENT

    def settle(self, _settlements, _now):
        """See Spool."""
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


def parcels(first):
    """Fresh mail of one recipient each."""
    envelope = Envelope(Mailbox("me", "example.net"), recipients("ann@example.com"))
    for number in range(first, first + MESSAGES):
        yield Parcel(number << 20, "example.com", StoredMail(f"m{number}", envelope, NOON, number, len(CONTENT)), NOON)


@contextmanager
def counted(calls):
    """Note every call of the package's own functions, generated ones too."""
    package = str(Path(postroad.__file__).parent)

    def note(frame, event, _argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith((package, "<string>")):
            calls[code.co_qualname] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


async def delivered(chunking):
    """The calls that one message over resting connections takes, by function, and who heard of it."""
    settings = DeliverSettings(hostname="us.example", chunking=chunking)

    async def find(_destination):
        return DeliveryRoute.of(ROUTE, PROCEDURES["rfc5321"], settings, 60.0)

    spool, told, settled, calls = Ready(), [], asyncio.Event(), Counter()

    def hear(event):
        told.append(event)
        settled.set()

    world = World(lambda: NOON, Random(1), hear)
    loop = Loop(spool, find, Bounces(spool, "us.example", 1.0, None), LoopSettings(), world)

    async def post(some):
        for parcel in some:
            settled.clear()
            loop.take((parcel,))
            await settled.wait()

    async with asyncio.timeout(PATIENCE_S):
        await post(parcels(0))
        with counted(calls):
            await post(parcels(MESSAGES))
        await loop.drain(1)
    results = Counter(event.fields["verdict"].result for event in told)
    assert {Result.DELIVERED: 2 * MESSAGES} == results
    return calls


@pytest.mark.parametrize("chunking", [True, False])
def test_delivery_costs_few_calls(chunking, monkeypatch):
    """Of a message of one recipient, over a connection that rests: 170 at the most, from the spool and back to it."""

    async def connect(address, _port, **_how):
        return Host(address)

    monkeypatch.setattr(sys.modules[attempt.__module__], "connect", connect)
    calls = asyncio.run(delivered(chunking))
    assert calls.total() / MESSAGES <= MOST, calls.most_common(30)
