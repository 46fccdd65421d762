"""One connection with a client: drives a Server, decides who may relay, hands messages on."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from postroad.net import Kind, NetError, Stream
from postroad.receive.desk import Desk
from postroad.receive.incoming import Incoming, Source, protocol_of
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


def _result(done: asyncio.Future[Any]) -> Reply | None:
    """What the work itself says, if it says anything."""
    reply: Reply | None = done.result()
    return reply


class Session:
    """One connection, driven by what comes on it: octets are heard, and answered in the same call.

    What takes time is waited for: meanwhile nothing is heard, and the stream keeps what comes.
    """

    def __init__(self, desk: Desk, stream: Stream, client: Client, tls: Tls, ended: Callable[[Session], None]) -> None:
        self.desk = desk
        self.client = client
        self.messages = 0
        self.why = ""  # the connection ended as it did, "" for in order
        self._now = asyncio.get_running_loop().time
        self.patience = Patience(desk.settings.timeouts, self._now())
        self._stream = stream
        self._tls = tls
        self._ended = ended
        self._closed = relay_refusal(self.client, desk.settings)
        self._server = Server(self._config())
        self._login: Login | None = None
        self._telling = Telling(desk, str(stream.peer))
        self._source: Source | None = None  # once it has said who it is
        self._incoming: Incoming | None = None
        self._out: list[bytes] = []  # replies of this read
        self._work: asyncio.Future[Any] | None = None  # what we wait for
        self._then: Callable[[asyncio.Future[Any]], Reply | None] = _result
        self._is_last = False  # over as soon as no message is under way
        self._is_over = self._has_ended = False
        self._goodbye_at = math.inf
        self._idle_commands = self._refused = 0

    @property
    def deadline(self) -> float:
        """When the client is late, by the loop's clock; infinite while it waits for us."""
        if self._work:
            return math.inf
        if self._is_over:
            return self._goodbye_at
        return self.patience.deadline(in_message=self._server.state in _IN_BODY)

    def start(self) -> None:
        """Greet; from then on the octets drive it."""
        self._telling.started()
        if self._tls is Tls.IMPLICIT:
            self._wait(self._begin_tls())
        else:
            self._greet()
            self._stream.listen(self.hear)

    def hear(self, data: bytes) -> None:
        """Octets have come, or the end: go on."""
        try:
            if not data:
                self._hear_end()
            elif not self._is_over:
                if self._server.state in _IN_BODY:
                    self.patience.earn(self._now(), len(data))
                self._server.feed(data)
                self._answer()
        except BaseException:
            self.drop()
            raise

    def expire(self) -> None:
        """The deadline has passed: say so and close, or drop it if that has been said."""
        if self._is_over:
            self._stream.abort()
        else:
            self._leave(TOO_LONG if self.patience.has_ended(self._now()) else TIMED_OUT)

    def finish(self) -> None:
        """End as soon as no message is under way: now, if it only waits for the next one."""
        self._is_last = True
        if not (self._work or self._is_over) and self._server.state in _IDLE:
            self._leave(LEAVING)

    def drop(self) -> None:
        """End it now, whatever is under way."""
        self._stream.abort()
        if self._work:
            self._work.cancel()
        else:
            self._end()

    def _greet(self) -> None:
        if self._stream.waiting == 0:  # no client of SMTP says anything before the greeting
            self._stream.write(self._server.greet())

    def _answer(self) -> None:
        """Go through the events there are, unless one takes time; then the replies leave in one write."""
        server, out = self._server, self._out
        while not (self._work or self._is_over) and (event := server.next_event()) is not NEED_DATA:
            reply = self._decide(event) if isinstance(event, Commanded) else self._respond(event)
            if reply:
                out.append(server.reply(reply))
                if self._incoming and not server.is_open:
                    self._forget(str(reply))
                if len(out) % BREATH == 0:
                    self._wait(asyncio.sleep(0))
        if self._work:
            return
        if out:
            self._say()
        if self._is_over:
            self._end()
        else:
            self._look_at_the_clock()

    def _say(self) -> None:
        out = self._out
        self._stream.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        if self._server.state is not ServerState.CHUNKS:  # where only octets buy time
            self.patience.renew(self._now())

    def _look_at_the_clock(self) -> None:
        if (self._is_last or self.patience.has_ended(self._now())) and not self._server.is_open:
            self._leave(LEAVING if self._is_last else TOO_LONG)

    def _wait(self, work: Awaitable[Any], then: Callable[[asyncio.Future[Any]], Reply | None] = _result) -> None:
        """Hear nothing until something is done, and go on with the reply that `then` makes of it."""
        self._stream.listen(None)
        self.patience.pause(self._now())
        self._work, self._then = asyncio.ensure_future(work), then
        self._work.add_done_callback(self._resume)

    def _resume(self, done: asyncio.Future[Any]) -> None:
        then, self._then, self._work = self._then, _result, None
        self.patience.resume(self._now())
        try:
            if reply := then(done):
                self._out.append(self._server.reply(reply))
            self._answer()
            if not (self._work or self._has_ended):
                self._stream.listen(self.hear)
        except NetError as problem:
            self._give_up(problem)
        except asyncio.CancelledError:  # by drop
            self._end()
        except BaseException:
            self.drop()
            raise

    def _hear_end(self) -> None:
        """Nothing more will come."""
        if problem := self._stream.trouble:
            self._give_up(problem)
        elif self._is_over:
            self._end()
        else:
            self._server.feed(b"")
            self._answer()

    def _give_up(self, problem: NetError) -> None:
        self.why = self.why or problem.why
        self._end()

    def _end(self) -> None:
        """There is no more to do on this connection."""
        if not self._has_ended:
            self._is_over = self._has_ended = True
            self._stream.listen(None)
            self._forget(self.why or "the client went away")
            self._stream.close()
            self._telling.ended(self.messages, self.why)
            self._ended(self)

    def _leave(self, reply: Reply) -> None:
        """421 unasked (RFC 5321 section 3.8), and close; who does not take it is dropped at the deadline."""
        self._is_over = True
        self.why = self.why or reply.text
        self._stream.write(format_reply(reply))
        self._stream.close()
        self._goodbye_at = self._now() + self.desk.settings.timeouts.goodbye_s

    def _decide(self, event: Commanded) -> Reply:
        command, refusal = event.command, None
        if isinstance(command, Rcpt):
            refusal = self.desk.settings.aliases.refusal(command.recipient.mailbox, self._closed)
        elif isinstance(command, Mail):
            refusal = self._too_much()
        elif not isinstance(command, _ERRANDS):
            self._source = None  # it may have another name now
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

    def _respond(self, event: ServerEvent | Pause) -> Reply | None:
        """To all that is no command."""
        if isinstance(event, BodyPiece):
            self._take(event.data)
        elif isinstance(event, BodyComplete):
            return self._complete()
        elif isinstance(event, Answered):
            return self._answered(event)
        elif isinstance(event, StartTlsRequested):
            return self._upgrade()
        elif isinstance(event, AuthGiven):
            self._wait(self._authenticate(event))
        else:
            self._is_over = True
            if self._server.is_open and self._server.state is not ServerState.CLOSED:
                self.why = "the client went away within a transaction"
        return None

    def _answered(self, event: Answered) -> Reply:
        if event.violation:
            self.why = event.reply.text
            self._telling.violation(event)
        if isinstance(event, BodyRefused):
            self._incoming = self._incoming or self._begun()  # nothing of it may have come this far
        return event.reply

    def _take(self, octets: bytes) -> None:
        if self._incoming is None:
            self._incoming = self._begun()
        if work := self._incoming.take(octets):
            self._wait(work)

    def _complete(self) -> Reply | None:
        incoming, self._incoming = self._incoming or self._begun(), None
        settled = partial(self._settled, incoming, self._now())
        kept = incoming.keep()
        if kept is None:
            return settled(None)
        self._wait(kept, settled)
        return None

    def _settled(self, incoming: Incoming, began: float, kept: asyncio.Future[None] | None) -> Reply:
        """It is known what became of a message."""
        try:
            reply = incoming.reply(kept)
        except BaseException:
            incoming.abandon()
            raise
        self.messages += 1
        self._idle_commands = 0
        if reply.is_positive:
            self._telling.complete(incoming, self._stream.tls, self.client.user, self._now() - began)
        else:
            self._telling.failed(incoming, str(reply))
        return reply

    def _begun(self) -> Incoming:
        envelope = self._addressed(self._server.transaction.envelope)
        if envelope.smtputf8:
            return Incoming(self.desk, self._described(smtputf8=True), envelope)
        self._source = self._source or self._described(smtputf8=False)
        return Incoming(self.desk, self._source, envelope)

    def _described(self, *, smtputf8: bool) -> Source:
        server, client = self._server, self.client
        by = protocol_of(client, extended=server.is_extended, smtputf8=smtputf8)
        return Source(client, server.client_name, by, hostname=self.desk.settings.hostname, tls=self._stream.tls)

    def _addressed(self, envelope: Envelope) -> Envelope:
        """The envelope as it is kept: aliases by the addresses they stand for, and every recipient once."""
        expanded = self.desk.settings.aliases.expanded(envelope)
        if len(expanded.recipients) == 1:
            return expanded
        return replace(expanded, recipients=distinct(expanded.recipients))

    def _forget(self, why: str) -> None:
        """The message under way will not be whole: refused with a reply, or gone with the client."""
        incoming, self._incoming = self._incoming, None
        if incoming:
            incoming.abandon()
            self._telling.failed(incoming, why)

    async def _authenticate(self, given: AuthGiven) -> Reply:
        self._login = self._login or Login(self.desk)
        reply = await self._login.answer(given, self.client, str(self._stream.peer))
        if reply.is_positive:
            self._know(replace(self.client, user=given.username))
        return reply

    def _upgrade(self) -> Reply | None:
        """Answer STARTTLS behind what was answered before, and go on under it."""
        if self.desk.settings.tls is None:
            return NO_TLS
        self._out.append(self._server.reply(READY_FOR_TLS))
        self._say()
        self._wait(self._start_tls())
        return None

    async def _begin_tls(self) -> None:
        await self._start_tls()
        self._greet()

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
        self._source = None
        self._closed = relay_refusal(client, self.desk.settings)

    def _config(self) -> ServerConfig:
        """What is offered now."""
        starttls = self._tls is Tls.STARTTLS and self.desk.settings.tls is not None
        return self.desk.config(starttls=starttls, auth=may_authenticate(self.client, self.desk.settings))
