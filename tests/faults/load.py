"""Clients that send without pause. Mail is accepted when its client has read the 250 to the final dot, not before."""

import asyncio
import zlib
from itertools import cycle
from math import inf

from tests.faults.books import NO_REPLY, PATIENCE_S

DOMAINS = ("one.example", "two.example")
LINE = b"Nothing of this may be lost, and nothing changed.\r\n.\r\n.. as it stands\r\n"
REST_S = 0.02  # before a client that was cut off comes back


class RefusedError(Exception):
    """Not the reply that was hoped for."""


class Letters:
    """Messages, each with recipients of its own: `both` in a hundred for two domains, `big` in a hundred in pieces."""

    def __init__(self, rng, *, big=2, lines=40, many=1, both=10):
        self._rng = rng
        self.big = big
        self._lines = lines
        self.domains = DOMAINS
        self._both = both
        self._many = many  # recipients in each domain
        self._count = 0

    def next(self):
        """The mailboxes and the octets of another message."""
        self._count += 1
        rng = self._rng
        domains = self.domains[:2] if rng.random() < self._both / 100 else (rng.choice(self.domains),)
        lines = rng.randrange(4000, 9000) if rng.random() < self.big / 100 else rng.randrange(1, self._lines)
        text = b"%d %d\r\n" % (self._count, rng.getrandbits(64)) + LINE * lines
        head = b"Subject: %d\r\nX-Test-Sum: %d\r\n\r\n" % (self._count, zlib.crc32(text))
        names = [f"m{self._count}"] if self._many == 1 else [f"m{self._count}-{each}" for each in range(self._many)]
        return [f"{name}@{domain}" for domain in domains for name in names], head + text


class Load:
    """Some clients at once, from one address; cut off, they come back, to the next of these places."""

    def __init__(self, places, ledger, letters, *, connections=10, source, rest_s=0.0):
        self.sent = 0
        self._places = cycle(places)
        self._ledger = ledger
        self._letters = letters
        self._source = source
        self._connections = connections
        self._rest_s = rest_s
        self._goes_on = True
        self._tasks = []

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._connections)]
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def stop(self):
        """No more messages than those under way."""
        self._goes_on = False
        await asyncio.gather(*self._tasks)

    async def send(self, count):
        """So many messages, one after the other, in a session at the next place."""
        await self._session(self.sent + count)

    async def _client(self):
        while self._goes_on:
            try:
                await self._session()
            except (OSError, RefusedError):
                await asyncio.sleep(REST_S)

    async def _session(self, most=inf):
        reader, writer = await asyncio.open_connection(*next(self._places), local_addr=(self._source, 0))
        talk = Talk(reader, writer, self._ledger)
        try:
            await talk.expect(220)
            await talk.say(b"EHLO client.example\r\n", 250)
            while self._goes_on and self.sent < most:
                await self._send(talk)
                if self._rest_s:
                    await asyncio.sleep(self._rest_s)
        finally:
            writer.transport.abort()

    async def _send(self, talk):
        mailboxes, octets = self._letters.next()
        rcpts = b"".join(b"RCPT TO:<%s>\r\n" % mailbox.encode() for mailbox in mailboxes)
        await talk.say(b"MAIL FROM:<sender@home.example>\r\n" + rcpts + b"DATA\r\n", *[250] * (1 + len(mailboxes)), 354)
        await talk.say(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n", 250)
        self._ledger.accepted.update(mailboxes)
        self.sent += 1


class Talk:
    """Commands and their replies."""

    def __init__(self, reader, writer, ledger):
        self._reader = reader
        self._writer = writer
        self._ledger = ledger

    async def say(self, octets, *codes):
        """Send, and read the replies."""
        self._writer.write(octets)
        await self._writer.drain()
        for code in codes:
            await self.expect(code)

    async def expect(self, code):
        """Read one reply; any other than this ends the session, and is noted."""
        got = await self.reply()
        if got != code:
            self._ledger.replies[got] += 1
            raise RefusedError(got)

    async def reply(self):
        """The code of the next reply."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._code()
        except TimeoutError:
            self._ledger.replies[NO_REPLY] += 1
            raise

    async def _code(self):
        line = b"000-"
        while line[3:4] == b"-":
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError
        return int(line[:3])
