"""A client that talks to a receiver over a stream in memory, and a keeper that remembers."""

import asyncio
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

from postroad.net import Endpoint, NetError, pair
from postroad.receive import Receiver, ReceiveSettings, Tls

NOON = 1_700_000_000.0
SETTINGS = ReceiveSettings("relay.example", auth_delay_s=0)
HELLO = b"EHLO client.example\r\n"
ENVELOPE = b"MAIL FROM:<me@example.net>\r\nRCPT TO:<ann@example.com>\r\n"
HEAD = b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@client.example>\r\nSubject: hello\r\n\r\n"
MESSAGE = HEAD + b"How are you?\r\n"


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

    async def discard(self, id_):
        """Forget the pieces."""
        self.discarded.append(id_)
        self.pieces.pop(id_, None)

    async def keep(self, arrival, rest):
        """Keep all, unless there is trouble."""
        self.asked.set()
        await self.gate.wait()
        if self.trouble:
            raise self.trouble
        self.kept.append((arrival, b"".join([*self.pieces.pop(arrival.id, []), rest])))


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

    async def ask(self, octets, count=1):
        """Say something, and hear so many replies."""
        self.stream.write(octets)
        return await self.hear(count)

    async def codes(self, octets, count=1):
        """As `ask`, with the codes alone."""
        return [reply[:3] for reply in await self.ask(octets, count)]


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
        task = asyncio.create_task(self._attend(server, tls))
        talk = Talk(client)
        if hello:
            assert ["220", "250"] == await talk.codes(HELLO, 2)
        yield talk
        client.close()
        await task

    async def _attend(self, stream, tls):
        await self.receiver._receive(stream, tls)
        stream.close()  # as the listener of a port does

    def told(self, name):
        """The fields of the events of a name."""
        return [event.fields for event in self.events if event.name == name]


def tell(story, settings=SETTINGS):
    """Run a story with a house."""

    async def main():
        async with asyncio.timeout(20):
            return await story(House(settings))

    return asyncio.run(main())
