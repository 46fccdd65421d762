"""The messages of one connection, one after the other."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from postroad.net import Stream
from postroad.receive.headers import protocol
from postroad.receive.incoming import Incoming, MessageSource
from postroad.receive.judge import Judge
from postroad.receive.keeper import Kept
from postroad.receive.policy import Peer, relay_refusal
from postroad.receive.session_events import SessionEvents
from postroad.receive.shared import Shared
from postroad.smtp import Server
from postroad.words.mail import Envelope, distinct
from postroad.words.reply import Reply


class Messages:
    """The messages of one connection: their octets are taken, kept and answered."""

    __slots__ = (
        *("incoming", "_asked_at", "_events", "_facts", "_judge"),
        *("_kept", "_server", "_shared", "_source", "_stream"),
    )

    def __init__(self, shared: Shared, server: Server, stream: Stream, judge: Judge, events: SessionEvents) -> None:
        self.incoming: Incoming | None = None  # what has come of the next
        self._kept: Incoming | None = None  # what is whole, and on its way into the spool
        self._asked_at = 0.0  # the keeper
        self._shared = shared
        self._server = server
        self._stream = stream
        self._judge = judge
        self._events = events
        self._source: MessageSource | None = None  # of the last message, and of the next if the facts are the same
        self._facts: tuple[Peer, str, bool, bool] | None = None

    def take(self, octets: bytes) -> Coroutine[Any, Any, None] | None:
        """Some more of the message; what is to be done before more is taken, if that needs time."""
        if self.incoming is None:
            self.incoming = self._begun()
        return self.incoming.take(octets)

    def begin(self) -> None:
        """The message is refused for what it is, perhaps before anything of it was handed on."""
        if self.incoming is None:
            self.incoming = self._begun()

    def keep(self, kept: Kept, now: float) -> bool:
        """The message is whole: have it kept. Whether `kept` will hear of it; `settle` is due then, else at once."""
        self._asked_at = now
        incoming = self.incoming = self.incoming or self._begun()
        is_on_its_way = incoming.keep(kept)
        self._kept, self.incoming = incoming, None
        return is_on_its_way

    def settle(self, trouble: Exception | None, now: float) -> Reply:
        """What the client is told, now that it is known what became of the message."""
        incoming, self._kept = self._kept, None
        if incoming is None:
            raise LookupError("no message is being kept")
        try:
            reply = incoming.reply(trouble)
        except BaseException:
            incoming.abandon()
            raise
        self._judge.count()
        if reply.code == 250:
            self._events.complete(incoming, self._stream.tls, self._judge.client.user, now - self._asked_at)
        else:
            self._events.failed(incoming, str(reply))
        return reply

    def forget(self, why: str) -> None:
        """The message under way will not be whole: refused with a reply, or gone with the client."""
        incoming, self.incoming = self.incoming, None
        if incoming:
            incoming.abandon()
            self._events.failed(incoming, why)
        if self._kept:
            self._kept.let_go()  # it is the keeper's

    def _begun(self) -> Incoming:
        server = self._server
        assert server.opened  # noqa: S101  # a message comes within one
        envelope = self._addressed(server.opened.envelope)
        mail = server.opened.mail
        if mail.hold_for or mail.hold_until:
            now = self._shared.clock()
            release_at = mail.hold_until or now + (mail.hold_for or 0)
            # A time that has passed is no hindrance: the message may have been under way for long
            envelope = replace(envelope, release_at=release_at if release_at > now else None)
        said = None
        if rewriter := self._judge.rewriter:
            said, envelope = envelope.reverse_path, rewriter.envelope(envelope)
            said = None if said == envelope.reverse_path else said
        facts = (self._judge.client, server.client_name, server.is_extended, envelope.smtputf8)
        if self._source is None or self._facts != facts:
            self._facts = facts
            self._source = self._described(*facts)
        return Incoming(self._shared, self._source, envelope, said)

    def _described(self, client: Peer, name: str, extended: bool, smtputf8: bool) -> MessageSource:  # noqa: FBT001  # facts
        known = client.user is not None
        by = protocol(extended=extended, tls=client.is_tls, authenticated=known, smtputf8=smtputf8)
        settings = self._shared.settings
        source = MessageSource(client, name, by, hostname=settings.hostname, tls=self._stream.tls)
        if settings.signing and relay_refusal(client, settings) is None:  # never what a stranger sends
            source.signing = settings.signing
        source.rewriter = self._judge.rewriter
        return source

    def _addressed(self, envelope: Envelope) -> Envelope:
        """The envelope as it is kept: aliases by the addresses they stand for, and every recipient once."""
        aliases = self._shared.settings.aliases
        if len(envelope.recipients) == 1 and not aliases.is_local(envelope.recipients[0].mailbox):
            return envelope
        expanded = aliases.expanded(envelope)
        return replace(expanded, recipients=distinct(expanded.recipients))
