"""What a message costs in the receiving room: few calls, and one write for each read."""

import asyncio
import sys
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.support.talking import HEAD, HELLO, NOON, SETTINGS

import postroad
from postroad.net import Endpoint, NetError, NetErrorKind
from postroad.receive import Receiver, Tls

OURS = str(Path(postroad.__file__).parent)
MOST_CALLS = 87  # of a message over a connection that is kept, each command a read
MOST_CALLS_OF_FLIGHTS = 83  # with the commands in one
MOST_CALLS_ALONE = 157  # of a connection with one message, from the greeting to the end
BODY = HEAD + b"A line of some octets.\r\n" * 150 + b".\r\n"
READS = [b"MAIL FROM:<me@example.net>\r\n", b"RCPT TO:<ann@example.com>\r\n", b"DATA\r\n", BODY]
FLIGHTS = [b"".join(READS[:3]), BODY]


class Wire:
    """A stream that is a list of what was written."""

    peer = Endpoint(ip_address("127.0.0.1"), 40000)
    tls = trouble = None
    waiting = 0

    def __init__(self):
        self.written = []
        self.hear = None

    def listen(self, ear):
        """Who hears what comes."""
        self.hear = ear

    def write(self, data):
        """Note it."""
        self.written.append(data)

    def close(self):
        """Nothing is left to do."""


class Keeper:
    """Keeps mail as soon as it is told to."""

    def __init__(self):
        self.kept = None

    def begin(self):
        """An id."""
        return "id"

    def keep(self, _arrival, rest, kept):
        """Have it."""
        self.rest, self.kept = rest, kept


def met(octets):
    """A wire and a keeper, with a session that has heard these octets."""
    wire, keeper = Wire(), Keeper()
    receiver = Receiver(SETTINGS, keeper, listener=lambda _event: None, clock=lambda: NOON)
    receiver._receive(wire, Tls.NONE)
    wire.hear(octets)
    return wire, keeper, receiver


def send(wire, keeper, reads):
    """A message, read by read, until it is kept and answered."""
    for octets in reads:
        wire.hear(octets)
    assert wire.hear is None
    keeper.kept(None)


def counted(act):
    """The calls of our own functions, by name, but for those of this test."""
    calls = Counter()

    def on_event(frame, event, _argument):
        code = frame.f_code
        if event == "call" and (code.co_filename.startswith(OURS) or code.co_filename == "<string>"):  # of a dataclass
            calls[code.co_qualname] += 1

    sys.setprofile(on_event)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def within(story):
    """Run a story that needs no loop but its clock."""

    async def main():
        return story()

    return asyncio.run(main())


@pytest.mark.parametrize(("reads", "most"), [(READS, MOST_CALLS), (FLIGHTS, MOST_CALLS_OF_FLIGHTS)])
def test_message_costs_few_calls(reads, most):
    """However it is cut, a message over a connection that is kept costs no more calls than these."""

    def story():
        wire, keeper, _ = met(HELLO)
        send(wire, keeper, reads)
        return counted(lambda: send(wire, keeper, reads))

    calls = within(story)
    assert sum(calls.values()) <= most, calls.most_common()


def test_connection_costs_few_calls():
    """A client that comes with one message, and goes."""

    def story():
        met(HELLO)
        receiver = Receiver(SETTINGS, Keeper(), listener=lambda _event: None, clock=lambda: NOON)

        def act():
            wire = Wire()
            receiver._receive(wire, Tls.NONE)
            wire.hear(HELLO)
            send(wire, receiver._shared.keeper, READS)
            wire.hear(b"QUIT\r\n")
            assert 0 == receiver.connections

        return counted(act)

    calls = within(story)
    assert sum(calls.values()) <= MOST_CALLS_ALONE, calls.most_common()


@pytest.mark.parametrize("reads", [READS, FLIGHTS])
def test_each_read_is_answered_in_one_write(reads):
    """And the last one when the message is kept: four replies in as many writes as there were reads."""

    def story():
        wire, keeper, _ = met(HELLO)
        wire.written.clear()
        send(wire, keeper, reads)
        return wire.written, keeper.rest

    written, rest = within(story)
    assert ([250, 250, 354, 250], len(reads)) == (
        [int(line[:3]) for line in b"".join(written).splitlines()],
        len(written),
    )
    assert rest.endswith(BODY.removesuffix(b".\r\n"))


def test_second_message_of_a_read_is_kept_before_anything_else_is_heard():
    """Each waits for the keeper in its turn; and a client that has gone meanwhile is neither heard nor answered."""
    message = b"".join(READS[:2]) + b"BDAT %d LAST\r\n%b" % (len(HEAD), HEAD)

    def story():
        wire, keeper, receiver = met(HELLO)
        wire.hear(message * 2)
        keeper.kept(None)
        heard = [wire.hear is not None]
        (session,) = receiver._sessions
        session.connection.give_up(NetError("gone", NetErrorKind.TIMEOUT))
        wire.written.clear()
        keeper.kept(None)
        return [*heard, wire.hear is not None], wire.written

    assert ([False, False], []) == within(story)
