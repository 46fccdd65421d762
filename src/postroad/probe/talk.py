"""Commands and replies over one stream, each with its time limit."""

from __future__ import annotations

import asyncio
import contextlib

from postroad.net import NetError, Stream
from postroad.smtp import Client, Closed, Command, Greeting, Quit, Replied, Violation
from postroad.words.reply import Reply


class TalkError(Exception):
    """The session cannot go on: why, in words."""


class Talk:
    """A session as a client, one command at a time."""

    def __init__(self, stream: Stream, reply_s: float) -> None:
        self.stream = stream
        self.client = Client()
        self._reply_s = reply_s

    async def greeting(self, limit_s: float) -> Reply:
        """What the server says first."""
        return await self._reply(limit_s)

    async def ask(self, command: Command) -> Reply:
        """The reply to a command."""
        self.stream.write(self.client.send(command))
        return await self._reply(self._reply_s)

    async def bye(self) -> None:
        """QUIT, whatever becomes of it, and close."""
        with contextlib.suppress(TalkError, NetError):
            if self.client.may_send(Quit):
                await self.ask(Quit())
        self.stream.close()

    async def _reply(self, limit_s: float) -> Reply:
        try:
            async with asyncio.timeout(limit_s):
                return await self._next()
        except TimeoutError:
            raise TalkError(f"no reply within {limit_s:g} s") from None

    async def _next(self) -> Reply:
        while True:
            for event in self.client.receive(await self.stream.read()):
                if isinstance(event, Greeting | Replied):
                    return event.reply
                if isinstance(event, Closed):
                    raise TalkError("connection closed without a reply")
                if isinstance(event, Violation):
                    raise TalkError(f"no SMTP: {event.why}")
