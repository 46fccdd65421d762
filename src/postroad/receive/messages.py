"""The messages of one connection, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from postroad.net import Stream
from postroad.receive.desk import Desk
from postroad.receive.headers import protocol
from postroad.receive.incoming import Incoming, Source
from postroad.receive.judge import Judge
from postroad.receive.policy import Client
from postroad.receive.telling import Telling
from postroad.smtp import Server
from postroad.words.mail import Envelope, distinct
from postroad.words.reply import Reply


class Messages:
    """Takes their octets, has them kept, and tells what became of them."""

    __slots__ = ("_desk", "_facts", "_judge", "_server", "_source", "_stream", "_telling", "incoming")

    def __init__(self, desk: Desk, server: Server, stream: Stream, judge: Judge, telling: Telling) -> None:
        self.incoming: Incoming | None = None  # what has come of the next
        self._desk = desk
        self._server = server
        self._stream = stream
        self._judge = judge
        self._telling = telling
        self._source: Source | None = None  # of the last message, and of the next if the facts are the same
        self._facts: tuple[Client, str, bool, bool] | None = None

    def take(self, octets: bytes) -> Coroutine[Any, Any, None] | None:
        """Some more of the message; what is to be done before more is taken, if that needs time."""
        if self.incoming is None:
            self.incoming = self._begun()
        return self.incoming.take(octets)

    def begin(self) -> None:
        """The message is refused for what it is, perhaps before anything of it was handed on."""
        if self.incoming is None:
            self.incoming = self._begun()

    def keep(self) -> tuple[Incoming, asyncio.Future[None] | None]:
        """The message is whole: have it kept. It, and what is to be waited for; `settle` is due then."""
        incoming = self.incoming = self.incoming or self._begun()
        kept = incoming.keep()
        self.incoming = None
        return incoming, kept

    def settle(self, incoming: Incoming, kept: asyncio.Future[None] | None, elapsed_s: float) -> Reply:
        """What the client is told, now that it is known what became of the message."""
        try:
            reply = incoming.reply(kept)
        except BaseException:
            incoming.abandon()
            raise
        self._judge.count()
        if reply.is_positive:
            self._telling.complete(incoming, self._stream.tls, self._judge.client.user, elapsed_s)
        else:
            self._telling.failed(incoming, str(reply))
        return reply

    def forget(self, why: str) -> None:
        """The message under way will not be whole: refused with a reply, or gone with the client."""
        incoming, self.incoming = self.incoming, None
        if incoming:
            incoming.abandon()
            self._telling.failed(incoming, why)

    def _begun(self) -> Incoming:
        server = self._server
        envelope = self._addressed(server.transaction.envelope)
        facts = (self._judge.client, server.client_name, server.is_extended, envelope.smtputf8)
        if self._source is None or self._facts != facts:
            self._facts = facts
            self._source = self._described(*facts)
        return Incoming(self._desk, self._source, envelope)

    def _described(self, client: Client, name: str, extended: bool, smtputf8: bool) -> Source:  # noqa: FBT001  # facts
        known = client.user is not None
        by = protocol(extended=extended, tls=client.is_tls, authenticated=known, smtputf8=smtputf8)
        return Source(client, name, by, hostname=self._desk.settings.hostname, tls=self._stream.tls)

    def _addressed(self, envelope: Envelope) -> Envelope:
        """The envelope as it is kept: aliases by the addresses they stand for, and every recipient once."""
        expanded = self._desk.settings.aliases.expanded(envelope)
        if len(expanded.recipients) == 1:
            return expanded
        return replace(expanded, recipients=distinct(expanded.recipients))
