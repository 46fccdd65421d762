"""Exchangers that take mail, put it off, or die in the middle of it."""

import asyncio
from enum import StrEnum
from ipaddress import ip_address

from postroad.lab.blackhole import Blackhole
from postroad.net import bind, serve
from postroad.smtp import (
    NEED_DATA,
    Answered,
    BodyComplete,
    BodyPiece,
    Closed,
    Commanded,
    Rcpt,
    Server,
    ServerConfig,
    ServerState,
)
from postroad.words.reply import Reply

TAKEN = Reply(250, ("2.0.0 taken",))
LATER = Reply(451, ("4.3.0 not now",))
CONFIG = ServerConfig("sink.example")


class Mood(StrEnum):
    """What an exchanger does with a transaction."""

    TAKE = "take"
    DEFER = "451 after the dot"
    AT_RCPT = "drop at RCPT"
    IN_DATA = "drop in DATA"
    AT_DOT = "drop after the dot, not taken"
    AFTER_DOT = "drop after the dot, taken"


class DiedError(Exception):
    """The exchanger is gone."""


class Sink:
    """One exchanger. Each transaction has one of `moods`, drawn; it answers the final dot up to `pause_s` late."""

    def __init__(self, address, ledger, rng):
        self.address = ip_address(address)
        self.moods = (Mood.TAKE,)
        self.pause_s = 0.0
        self.sessions = 0
        self.deferred = 0
        self.ledger = ledger
        self.rng = rng
        self._door = None

    async def open(self, port):
        """Take mail on a port."""
        self._door = await serve(bind(self.address, port), self._serve)

    async def close(self):
        """Drop all connections; from now on they are refused."""
        door, self._door = self._door, None
        if door:
            await door.stop()

    async def swallow(self, port):
        """Answer no connection attempt, until closed."""
        await self.close()
        self._door = Blackhole(bind(self.address, port))
        await self._door.open()

    async def _serve(self, stream):
        self.sessions += 1
        try:
            await _Session(self, stream).run()
        except DiedError:
            stream.abort()
        finally:
            self.sessions -= 1


class _Session:
    def __init__(self, sink, stream):
        self._sink = sink
        self._stream = stream
        self._server = Server(CONFIG)
        self._pieces = []
        self._mood = Mood.TAKE

    async def run(self):
        self._stream.write(self._server.greet())
        while self._server.state is not ServerState.CLOSED:
            await self._stream.drain()
            self._server.feed(await self._stream.read())
            while not isinstance(event := self._server.next_event(), Closed) and event is not NEED_DATA:
                await self._on(event)
            if isinstance(event, Closed):
                return

    async def _on(self, event):
        if isinstance(event, Commanded):
            self._mood = self._sink.rng.choice(self._sink.moods) if isinstance(event.command, Rcpt) else self._mood
            self._die_if(Mood.AT_RCPT, when=isinstance(event.command, Rcpt))
            self._reply(event.reply)
        elif isinstance(event, Answered):
            self._reply(event.reply)
        elif isinstance(event, BodyPiece):
            self._die_if(Mood.IN_DATA)
            self._pieces.append(event.data)
        elif isinstance(event, BodyComplete):
            await self._complete()

    async def _complete(self):
        content, self._pieces = b"".join(self._pieces), []
        self._die_if(Mood.IN_DATA)
        self._die_if(Mood.AT_DOT)
        if self._mood is not Mood.DEFER:
            self._sink.ledger.take(self._server.transaction.envelope, content)
        else:
            self._sink.deferred += 1
        if self._mood is Mood.AFTER_DOT:
            self._sink.ledger.unanswered += 1
        self._die_if(Mood.AFTER_DOT)
        if self._sink.pause_s:
            await asyncio.sleep(self._sink.rng.uniform(0, self._sink.pause_s))
        self._reply(LATER if self._mood is Mood.DEFER else TAKEN)

    def _die_if(self, mood, *, when=True):
        if when and self._mood is mood:
            raise DiedError

    def _reply(self, reply):
        self._stream.write(self._server.reply(reply))
