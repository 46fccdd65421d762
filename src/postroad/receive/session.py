"""One connection with a client: drives a Server, decides who may relay, hands messages on."""

from __future__ import annotations

import asyncio
import math
import ssl
from dataclasses import replace

from postroad.net import Kind, NetError, Stream
from postroad.receive.desk import Desk
from postroad.receive.incoming import Incoming, Source
from postroad.receive.login import Login
from postroad.receive.patience import Patience
from postroad.receive.policy import Client, may_authenticate, relay_refusal
from postroad.receive.settings import Tls
from postroad.receive.telling import Telling
from postroad.smtp import (
    NEED_DATA,
    Answered,
    AuthGiven,
    BodyComplete,
    BodyPiece,
    BodyRefused,
    Commanded,
    Data,
    Mail,
    Quit,
    Rcpt,
    Server,
    ServerConfig,
    ServerState,
    StartTlsRequested,
    format_reply,
)
from postroad.smtp.events import Pause, ServerEvent
from postroad.words.mail import Envelope, distinct
from postroad.words.reply import Reply

BREATH = 100  # events of one read answered before other sessions have their turn

READY_FOR_TLS = Reply(220, ("2.0.0 ready to start TLS",))
NO_TLS = Reply(454, ("4.7.0 no TLS now",))
TOO_FAST = Reply(450, ("4.7.1 too many messages in a minute",))
ENOUGH = Reply(421, ("4.7.0 enough messages for one connection",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))
TOO_IDLE = Reply(421, ("4.7.0 too many commands and no message",))
TIMED_OUT = Reply(421, ("4.4.2 waited too long",))
TOO_LONG = Reply(421, ("4.4.2 the session has lasted too long",))
LEAVING = Reply(421, ("4.3.2 going down, try again later",))

_IN_BODY = (ServerState.BODY, ServerState.CHUNKS)
_IDLE = (ServerState.FRESH, ServerState.READY, ServerState.REFUSING)
_ERRANDS = (Mail, Rcpt, Data, Quit)  # what brings a message on its way; anything else is counted


class Session:
    """One connection. `deadline` (of the loop's clock) is when the client is late; infinite while it waits for us."""

    def __init__(self, desk: Desk, stream: Stream, client: Client, tls: Tls = Tls.NONE) -> None:
        self.desk = desk
        self.client = client
        self.deadline = math.inf
        self.messages = 0
        self.why = ""  # the connection ended as it did, "" for in order
        self.patience = Patience(desk.settings.timeouts, asyncio.get_running_loop().time())
        self._stream = stream
        self._tls = tls
        self._now = asyncio.get_running_loop().time
        self._closed = relay_refusal(self.client, desk.settings)
        self._server = Server(self._config())
        self._login = Login(desk)
        self._telling = Telling(desk, stream)
        self._incoming: Incoming | None = None
        self._is_over = False
        self._is_last = False  # over as soon as no message is under way
        self._idle_commands = self._refused = 0

    async def run(self) -> None:
        """Greet, then answer whatever comes until one of the two has had enough. Never raises NetError."""
        try:
            if self._tls is Tls.IMPLICIT:
                await self._start_tls()
            if self._stream.waiting:  # before the greeting, which no client of SMTP says anything before
                await self._hear()
            if not self._is_over:
                self._stream.write(self._server.greet())
            while not self._is_over:
                await self._hear()
        except NetError as problem:
            self.why = self.why or problem.why
        finally:
            self.deadline = math.inf
            await self._forget(None)

    def expire(self) -> None:
        """The deadline has passed: say so and close, or drop it if that has been said."""
        if self._is_over:
            self._stream.abort()
        else:
            self._leave(TOO_LONG if self.patience.has_ended(self._now()) else TIMED_OUT)

    def finish(self) -> None:
        """End as soon as no message is under way: now, if it only waits for the next one."""
        self._is_last = True
        if self.deadline < math.inf and self._server.state in _IDLE:
            self._leave(LEAVING)

    async def _hear(self) -> None:
        """One read, and all that follows from it."""
        now, patience = self._now(), self.patience
        if not self._server.is_open and (self._is_last or patience.has_ended(now)):
            self._leave(LEAVING if self._is_last else TOO_LONG)
            return
        self.deadline = patience.deadline(now, in_message=self._server.state in _IN_BODY)
        await self._stream.drain()
        data = await self._stream.read()
        self.deadline = math.inf
        patience.waited(self._now() - now)
        if self._is_over:
            return
        if self._server.state in _IN_BODY:
            patience.earn(len(data))
        self._server.feed(data)
        await self._answer()

    async def _answer(self) -> None:
        """Go through the events of one read; their replies leave in one write."""
        server = self._server
        out: list[bytes] = []
        while not self._is_over and (event := server.next_event()) is not NEED_DATA:
            if isinstance(event, BodyPiece):
                await self._take(event.data)
            elif isinstance(event, StartTlsRequested):
                await self._upgrade(out)
            elif reply := self._decide(event) if isinstance(event, Commanded) else await self._respond(event):
                out.append(server.reply(reply))
                if self._incoming and not server.is_open:
                    await self._forget(reply)
                if len(out) % BREATH == 0:
                    await asyncio.sleep(0)
        if out:
            self._say(out)

    def _say(self, out: list[bytes]) -> None:
        self._stream.write(b"".join(out))
        if self._server.state is not ServerState.CHUNKS:  # where only octets buy time
            self.patience.renew()

    def _decide(self, event: Commanded) -> Reply:
        refusal = None
        if isinstance(event.command, Rcpt):
            refusal = self.desk.settings.aliases.refusal(event.command.recipient.mailbox, self._closed)
        elif isinstance(event.command, Mail):
            refusal = self._too_much()
        elif not isinstance(event.command, _ERRANDS):
            self._idle_commands += 1
            refusal = TOO_IDLE if self._idle_commands > self.desk.settings.limits.idle_commands else None
        if refusal is None:
            return event.reply
        self._refused += 1
        return TOO_MANY_ERRORS if self._refused > self.desk.settings.limits.errors else refusal

    def _too_much(self) -> Reply | None:
        """Why this client may not begin another message (now, or in this connection)."""
        limits = self.desk.settings.limits
        if self._is_last:
            return LEAVING
        if limits.messages and self.messages >= limits.messages:
            return ENOUGH
        if limits.rate and not self.desk.messages.spend(self.client.party, limits.rate, self._now()):
            return TOO_FAST
        return None

    async def _respond(self, event: ServerEvent | Pause) -> Reply | None:
        """To all that is no command."""
        if isinstance(event, Answered):
            if event.violation:
                self.why = event.reply.text
                self._telling.violation(event)
            if isinstance(event, BodyRefused):
                self._incoming = self._incoming or self._begun()  # nothing of it may have come this far
            return event.reply
        if isinstance(event, BodyComplete):
            return await self._complete()
        if isinstance(event, AuthGiven):
            return await self._authenticate(event)
        self._is_over = True
        if self._server.is_open and self._server.state is not ServerState.CLOSED:
            self.why = "the client went away within a transaction"
        return None

    async def _take(self, octets: bytes) -> None:
        if self._incoming is None:
            self._incoming = self._begun()
        await self._incoming.take(octets)

    async def _complete(self) -> Reply:
        began = self._now()
        incoming, self._incoming = self._incoming or self._begun(), None
        try:
            reply = await incoming.complete()
        except BaseException:
            await incoming.abandon()
            raise
        self.messages += 1
        self._idle_commands = 0
        if reply.is_positive:
            self._telling.complete(incoming, self.client.user, self._now() - began)
        else:
            self._telling.failed(incoming, str(reply))
        return reply

    def _begun(self) -> Incoming:
        server = self._server
        source = Source(self.client, server.client_name, server.is_extended, self._stream.tls)
        return Incoming(self.desk, source, self._addressed(server.transaction.envelope))

    def _addressed(self, envelope: Envelope) -> Envelope:
        """The envelope as it is kept: aliases by the addresses they stand for, and every recipient once."""
        expanded = self.desk.settings.aliases.expanded(envelope)
        if len(expanded.recipients) == 1:
            return expanded
        return replace(expanded, recipients=distinct(expanded.recipients))

    async def _forget(self, reply: Reply | None) -> None:
        """The message under way will not be whole: refused with a reply, or gone with the client."""
        incoming, self._incoming = self._incoming, None
        if incoming:
            await incoming.abandon()
            self._telling.failed(incoming, str(reply) if reply else self.why or "the client went away")

    async def _authenticate(self, given: AuthGiven) -> Reply:
        reply = await self._login.answer(given, self.client, str(self._stream.peer))
        if reply.is_positive:
            self._know(replace(self.client, user=given.username))
        return reply

    async def _upgrade(self, out: list[bytes]) -> None:
        """Answer STARTTLS behind what was answered before, and go on under it."""
        ready = self.desk.settings.tls is not None
        out.append(self._server.reply(READY_FOR_TLS if ready else NO_TLS))
        if ready:
            self._stream.write(b"".join(out))
            out.clear()
            await self._start_tls()

    async def _start_tls(self) -> None:
        try:
            await self._shake_hands(self.desk.settings.tls)
        except NetError as problem:
            self._telling.no_tls(problem.why)
            raise
        self._know(replace(self.client, is_tls=True, user=None))
        self._server.config = self._config()
        self._server.tls_started()

    async def _shake_hands(self, context: ssl.SSLContext | None) -> None:
        if context is None:
            raise NetError("no certificate for a port with TLS", Kind.LOCAL)
        try:
            async with asyncio.timeout(self.desk.settings.timeouts.tls_s):
                await self._stream.start_tls(context, None)
        except TimeoutError as problem:
            raise NetError("TLS handshake timed out", Kind.TIMEOUT) from problem

    def _know(self, client: Client) -> None:
        """More is known of the client, or less."""
        self.client = client
        self._closed = relay_refusal(client, self.desk.settings)

    def _config(self) -> ServerConfig:
        """What is offered now."""
        starttls = self._tls is Tls.STARTTLS and self.desk.settings.tls is not None
        return self.desk.config(starttls=starttls, auth=may_authenticate(self.client, self.desk.settings))

    def _leave(self, reply: Reply) -> None:
        """421 unasked (RFC 5321 section 3.8), and close; who does not take it is dropped at the deadline."""
        self._is_over = True
        self.why = self.why or reply.text
        self._stream.write(format_reply(reply))
        self._stream.close()
        self.deadline = self._now() + self.desk.settings.timeouts.goodbye_s
