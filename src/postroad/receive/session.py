"""One connection with a client: drives a Server, decides who may relay, hands messages on."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

from postroad.net import Kind, NetError, Stream
from postroad.receive.desk import Desk
from postroad.receive.incoming import Incoming, Source
from postroad.receive.policy import Client, may_authenticate, may_relay
from postroad.receive.settings import Tls
from postroad.smtp import (
    NEED_DATA,
    Answered,
    AuthGiven,
    BodyComplete,
    BodyPiece,
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
from postroad.words.reply import Reply

BREATH = 100  # events of one read answered before other sessions have their turn

READY_FOR_TLS = Reply(220, ("2.0.0 ready to start TLS",))
NO_TLS = Reply(454, ("4.7.0 no TLS now",))
WELCOME = Reply(235, ("2.7.0 authenticated",))
WRONG = Reply(535, ("5.7.8 wrong user or password",))
LATER = Reply(454, ("4.7.0 too many wrong passwords, try again in a minute",))
TOO_FAST = Reply(450, ("4.7.1 too many messages in a minute",))
ENOUGH = Reply(421, ("4.7.0 enough messages for one connection",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))
TOO_IDLE = Reply(421, ("4.7.0 too many commands and no message",))
TIMED_OUT = Reply(421, ("4.4.2 waited too long",))
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
        self._stream = stream
        self._tls = tls
        self._now = asyncio.get_running_loop().time
        self._closed = may_relay(self.client, desk.settings)
        self._server = Server(self._config())
        self._incoming: Incoming | None = None
        self._is_over = False
        self._is_last = False  # over as soon as no message is under way
        self._ends_at = self._now() + desk.settings.timeouts.session_s
        self._patience = desk.settings.timeouts.command_s
        self._idle_commands = self._refused = self._wrong_passwords = 0

    async def run(self) -> None:
        """Greet, then answer whatever comes until one of the two has had enough. Never raises NetError."""
        try:
            if self._tls is Tls.IMPLICIT:
                await self._start_tls()
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
            self._leave(TIMED_OUT)

    def finish(self) -> None:
        """End as soon as no message is under way: now, if it only waits for the next one."""
        self._is_last = True
        if self.deadline < math.inf and self._server.state in _IDLE:
            self._leave(LEAVING)

    async def _hear(self) -> None:
        """One read, and all that follows from it."""
        if self._is_last and not self._server.is_open:
            self._leave(LEAVING)
            return
        self.deadline = self._now() + self._patience
        if self._server.state not in _IN_BODY:
            self.deadline = min(self.deadline, self._ends_at)
        await self._stream.drain()
        data = await self._stream.read()
        self._patience, self.deadline = self.deadline - self._now(), math.inf
        if self._is_over:
            return
        if self._server.state in _IN_BODY:
            self._extend(len(data))
        self._server.feed(data)
        await self._answer()

    def _extend(self, octets: int) -> None:
        """Within a message octets buy time, at the least rate; so one that drips runs out of it."""
        times = self.desk.settings.timeouts
        self._patience = min(times.block_s, self._patience + octets / times.least_rate)

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
            self._patience = self.desk.settings.timeouts.command_s

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
            self._tell_complete(incoming, self._now() - began)
        else:
            self._tell_failed(incoming, str(reply))
        return reply

    def _begun(self) -> Incoming:
        server = self._server
        source = Source(self.client, server.client_name, server.is_extended, self._stream.tls)
        return Incoming(self.desk, source, self.desk.settings.aliases.expanded(server.transaction.envelope))

    async def _forget(self, reply: Reply | None) -> None:
        """The message under way will not be whole: refused with a reply, or gone with the client."""
        incoming, self._incoming = self._incoming, None
        if incoming:
            await incoming.abandon()
            self._tell_failed(incoming, str(reply) if reply else self.why or "the client went away")

    def _tell_complete(self, incoming: Incoming, elapsed_s: float) -> None:
        if self.desk.is_heard:
            self.desk.tell(
                "receive.message.complete",
                id=incoming.id,
                **self._facts(incoming),
                size=incoming.size,
                tls=self._stream.tls,
                user=self.client.user,
                elapsed_s=elapsed_s,
            )

    def _tell_failed(self, incoming: Incoming, why: str) -> None:
        if self.desk.is_heard:
            self.desk.tell("receive.message.failed", **self._facts(incoming), why=why)

    def _facts(self, incoming: Incoming) -> dict[str, object]:
        envelope = incoming.envelope
        return {
            "peer": str(self._stream.peer),
            "sender": str(envelope.reverse_path or "<>"),
            "recipients": [str(recipient.mailbox) for recipient in envelope.recipients],
        }

    async def _authenticate(self, given: AuthGiven) -> Reply:
        settings, now = self.desk.settings, self._now()
        if self.desk.auth_failures.left(self.client.party, settings.limits.auth_failures_rate, now) < 1:
            return LATER
        if given.authorization in ("", given.username) and await self.desk.verifier.is_right(
            settings.users, given.username, given.password
        ):
            self.client = replace(self.client, user=given.username)
            self._closed = may_relay(self.client, settings)
            return WELCOME
        return await self._wrong_password(given.username)

    async def _wrong_password(self, user: str) -> Reply:
        limits = self.desk.settings.limits
        self.desk.auth_failures.spend(self.client.party, limits.auth_failures_rate, self._now())
        self._wrong_passwords += 1
        self.desk.tell("receive.auth.failed", peer=str(self._stream.peer), user=user)
        await asyncio.sleep(self.desk.settings.auth_delay_s)
        return TOO_MANY_ERRORS if self._wrong_passwords >= limits.auth_failures else WRONG

    async def _upgrade(self, out: list[bytes]) -> None:
        """Answer STARTTLS behind what was answered before, and go on under it."""
        ready = self.desk.settings.tls is not None
        out.append(self._server.reply(READY_FOR_TLS if ready else NO_TLS))
        if ready:
            self._stream.write(b"".join(out))
            out.clear()
            await self._start_tls()

    async def _start_tls(self) -> None:
        context = self.desk.settings.tls
        if context is None:
            raise NetError("no certificate for a port with TLS", Kind.LOCAL)
        try:
            async with asyncio.timeout(self.desk.settings.timeouts.tls_s):
                await self._stream.start_tls(context, None)
        except TimeoutError as problem:
            raise NetError("TLS handshake timed out", Kind.TIMEOUT) from problem
        self.client = replace(self.client, is_tls=True, user=None)
        self._closed = may_relay(self.client, self.desk.settings)
        self._server.config = self._config()
        self._server.tls_started()

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
