"""A client that talks to a receiver over a stream in memory, and a keeper that remembers."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from itertools import pairwise

from tests.support.patience import PATIENCE_S

from postroad.net import Endpoint, NetError, pair
from postroad.receive import Receiver, ReceiveSettings, Tls

NOON = 1_700_000_000.0
SETTINGS = ReceiveSettings("relay.example", auth_delay_s=0)
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<me@example.net>\r\nRCPT TO:<ann@example.com>\r\n"
HEAD = b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@client.example>\r\nSubject: hello\r\n\r\n"
MESSAGE = HEAD + b"How are you?\r\n"
MemoryStream = type(pair()[0])
_LAST = re.compile(rb"(?im)^(?:EHLO|HELO|DATA|NOOP|VRFY|EXPN|STARTTLS|AUTH)\b[^\r\n]*\r\n")


class MemoryKeeper:
    """Keeps mail in a list; `trouble` is raised while there is one, `gate` holds `keep` back while it is closed."""

    def __init__(self):
        self.kept = []
        self.pieces = {}
        self.discarded = []
        self.trouble = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    def begin(self):
        """The next id."""
        return f"id{len(self.kept)}"

    async def write(self, id_, piece):
        """Put a piece aside."""
        if self.trouble:
            raise self.trouble
        self.pieces.setdefault(id_, []).append(piece)

    def discard(self, id_):
        """Forget the pieces."""
        self.discarded.append(id_)
        self.pieces.pop(id_, None)

    def keep(self, arrival, rest, kept):
        """Keep all, unless there is trouble."""
        asyncio.ensure_future(self._keep(arrival, rest)).add_done_callback(lambda done: kept(done.exception()))

    async def _keep(self, arrival, rest):
        self.asked.set()
        await self.gate.wait()
        if self.trouble:
            raise self.trouble
        self.kept.append((arrival, b"".join([arrival.front, *self.pieces.pop(arrival.id, []), rest])))


class Talk:
    """The client's end."""

    def __init__(self, stream):
        self.stream = stream
        self._seen = b""

    async def hear(self, count=1):
        """So many replies, each as its lines joined; "" stands for the end of the connection, in order or not."""
        replies, lines = [], []
        while len(replies) < count:
            if b"\r\n" not in self._seen:
                if not (data := await self._read()):
                    return [*replies, ""]
                self._seen += data
                continue
            line, self._seen = self._seen.split(b"\r\n", 1)
            lines.append(line.decode())
            if line[3:4] == b" ":
                replies.append("\n".join(lines))
                lines = []
        return replies

    async def _read(self):
        with suppress(NetError):
            return await self.stream.read()

    async def say(self, octets):
        """Say something as a client does: flight by flight, the next one when the last one has been heard."""
        for flight in flights(octets):
            self.stream.write(flight)
            await self._is_heard()

    async def _is_heard(self):
        """Until the receiver waits for more, or for no more."""
        inbox = self.stream.joined._inbox
        await until(lambda: inbox.has_ended or (inbox.ear and not inbox.size))

    async def ask(self, octets, count=1):
        """Say something, and hear so many replies."""
        if isinstance(self.stream, MemoryStream):
            await self.say(octets)
        else:
            self.stream.write(octets)
        return await self.hear(count)

    async def codes(self, octets, count=1):
        """As `ask`, with the codes alone."""
        return [reply[:3] for reply in await self.ask(octets, count)]


async def until(is_so):
    """Let the others run until it is so."""
    while not is_so():  # noqa: ASYNC110  # no event tells of it
        await asyncio.sleep(0)


def flights(octets):
    """What may be sent at once, cut behind each line whose reply must be waited for (RFC 2920 section 3.1)."""
    ends = [0, *(found.end() for found in _LAST.finditer(octets)), len(octets)]
    return [octets[start:end] for start, end in pairwise(ends) if start < end]


class House:
    """A receiver with a keeper in memory. `events` is what was told."""

    def __init__(self, settings=SETTINGS):
        self.keeper = MemoryKeeper()
        self.events = []
        self.receiver = Receiver(settings, self.keeper, listener=self.events.append, clock=lambda: NOON)

    @asynccontextmanager
    async def visit(self, peer="127.0.0.1", *, tls=Tls.NONE, hello=True):
        """A connection from this address; greeted and EHLO said, unless not wanted."""
        client, server = pair()
        server.peer = Endpoint(ip_address(peer), 40000)
        sessions = set()  # one, or none if it is turned away

        def accept():
            before = set(self.receiver._sessions)
            self.receiver._receive(server, tls)
            sessions.update(self.receiver._sessions - before)

        asyncio.get_running_loop().call_soon(accept)
        talk = Talk(client)
        if hello:
            assert ["220"] == [reply[:3] for reply in await talk.hear()]
            assert ["250"] == await talk.codes(HELLO)
        yield talk
        client.close()
        await until(lambda: not sessions & self.receiver._sessions)

    def told(self, name):
        """The fields of the events of a name."""
        return [event.fields for event in self.events if event.name == name]


def tell(story, settings=SETTINGS):
    """Run a story with a house."""

    async def main():
        async with asyncio.timeout(PATIENCE_S):
            return await story(House(settings))

    return asyncio.run(main())
