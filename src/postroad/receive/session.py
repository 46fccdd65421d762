"""One connection with a client: feeds a Server with what arrives, and waits for what takes time."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from postroad.net import NetError, NetErrorKind, Stream
from postroad.receive.judge import LEAVING, Judge
from postroad.receive.login import Login
from postroad.receive.messages import Messages
from postroad.receive.patience import Patience
from postroad.receive.policy import Peer, may_authenticate
from postroad.receive.session_events import SessionEvents
from postroad.receive.settings import Tls
from postroad.receive.shared import Shared
from postroad.smtp import (
    Answered,
    AuthGiven,
    BodyComplete,
    BodyPiece,
    BodyRefused,
    Closed,
    Server,
    ServerConfig,
    ServerEvent,
    ServerState,
    StartTls,
    format_reply,
)
from postroad.words.reply import Reply

BREATH = 100  # replies of one read before other sessions have their turn

NO_TLS = Reply(454, ("4.7.0 TLS is not available now",))
TIMED_OUT = Reply(421, ("4.4.2 timeout",))
TOO_LONG = Reply(421, ("4.4.2 the session is too long",))

_IN_BODY = (ServerState.BODY, ServerState.CHUNKS)
_IDLE = (ServerState.FRESH, ServerState.READY, ServerState.REFUSING)

Then = Callable[[Any], None]
"""How to go on now that something is done, given its result."""


class ServerSession:
    """An SMTP session as the server: octets are heard and answered in the same call.

    What takes time is waited for: meanwhile nothing is heard, and the stream keeps what comes.
    """

    __slots__ = (
        *(
            "patience",
            "why",
            "_desk",
            "_judge",
            "_login",
            "_messages",
            "_now",
            "_server",
            "_stream",
            "_telling",
            "_tls",
        ),
        *("_asked_at", "_ended", "_goodbye_at", "_has_ended", "_is_over", "_is_waiting", "_out", "_then", "_work"),
    )

    def __init__(
        self, desk: Shared, stream: Stream, client: Peer, tls: Tls, ended: Callable[[ServerSession], None]
    ) -> None:
        self.why = ""  # the connection ended as it did, "" for in order
        self._now = asyncio.get_running_loop().time
        self.patience = Patience(desk.settings.timeouts, self._now())
        self._desk = desk
        self._stream = stream
        self._tls = tls
        self._ended = ended
        self._judge = Judge(desk, client)
        self._server = Server(self._config())
        self._telling = SessionEvents(desk, str(stream.peer))
        self._messages = Messages(desk, self._server, stream, self._judge, self._telling)
        self._login: Login | None = None
        self._out: list[bytes] = []  # replies of this read
        self._is_waiting = False  # for our side: nothing is heard meanwhile
        self._work: asyncio.Future[Any] | None = None  # what we wait for, but for a message that is being kept
        self._then: Then | None = None
        self._asked_at = 0.0  # the keeper
        self._is_over = self._has_ended = False
        self._goodbye_at = math.inf

    @property
    def client(self) -> Peer:
        """What is known of who is there."""
        return self._judge.client

    @property
    def deadline(self) -> float:
        """When the client is late, by the loop's clock; infinite while it waits for us."""
        if self._is_waiting:
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
                self._answer(self._server.receive(data))
        except BaseException:
            self.drop()
            raise

    def expire(self) -> None:
        """The deadline has passed: say so and close, or drop it if that has been said."""
        if self._is_over:
            self._stream.abort()
        else:
            self._leave(TOO_LONG if self._now() >= self.patience.ends_at else TIMED_OUT)

    def finish(self) -> None:
        """End as soon as no message is under way: now, if it only waits for the next one."""
        self._judge.is_last = True
        if not (self._is_waiting or self._is_over) and self._server.state in _IDLE:
            self._leave(LEAVING)

    def drop(self) -> None:
        """End it now, whatever is under way."""
        self._stream.abort()
        if self._work:
            self._work.cancel()
        else:
            self._end()

    def _answer(self, event: ServerEvent | None) -> None:
        """Go through this event and those behind it, up to one that takes time; then the replies leave in one write."""
        server, out, now = self._server, self._out, self._now()
        while event:
            if respond := _RESPONSES.get(type(event)):
                said = respond(self, event, now)
            else:
                refusal = self._judge.refusal(event, now)  # type: ignore[arg-type]  # a command: it has no response
                said = server.reply(refusal) if refusal else server.agree()
            if said:
                out.append(said)
                if self._messages.incoming or len(out) % BREATH == 0:
                    self._draw_breath(said)
            goes_on = not (self._is_waiting or self._is_over)
            has_more = server.has_more or server.state is ServerState.CLOSED
            event = server.receive() if goes_on and has_more else None
        if self._is_waiting:
            return
        if out:
            self._stream.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()
            if server.state is not ServerState.CHUNKS:  # where only octets buy time
                self.patience.late_at = now + self.patience.command_s
        if self._is_over or self._judge.is_last or now >= self.patience.ends_at:
            self._part()

    def _draw_breath(self, said: bytes) -> None:
        """A message under way may have ended with this reply, and others may have waited long enough."""
        if self._messages.incoming and not self._server.is_open:
            self._messages.forget(said.decode().rstrip())
        if len(self._out) % BREATH == 0:
            self._wait(asyncio.sleep(0))

    def _part(self) -> None:
        """End it, or do so as soon as no message is under way."""
        if self._is_over:
            self._end()
        elif not self._server.is_open:
            self._leave(LEAVING if self._judge.is_last else TOO_LONG)

    def _take(self, piece: BodyPiece, _now: float) -> None:
        if work := self._messages.take(piece.data):
            self._wait(work)

    def _complete(self, last: BodyComplete, now: float) -> bytes | None:
        """The message is whole: it is kept once all of it is handed on."""
        self._asked_at = now
        if last.data and (work := self._messages.take(last.data)):
            self._wait(work, self._keep)
        elif self._messages.keep(self._kept):
            self._pause()
        else:
            return self._server.reply(self._messages.settle(None, 0.0))
        return None

    def _keep(self, _handed_on: None) -> None:
        if not self._messages.keep(self._kept):
            self._go_on(self._messages.settle(None, 0.0))

    def _kept(self, trouble: Exception | None) -> None:
        """It is durable, or cannot be kept: it is known, though the client may be gone."""
        try:
            reply = self._messages.settle(trouble, self._now() - self._asked_at)
            if not self._has_ended:
                self._go_on(reply)
        except NetError as problem:
            self._give_up(problem)
        except BaseException:
            self.drop()
            raise

    def _pass_on(self, event: Answered, _now: float) -> bytes:
        """What the server itself answers."""
        if event.violation:
            self.why = event.reply.text
            self._telling.violation(event)
        if isinstance(event, BodyRefused):
            self._messages.begin()  # nothing of it may have come this far
        return self._server.agree()

    def _close(self, _event: Closed, _now: float) -> None:
        self._is_over = True
        if self._server.is_open and self._server.state is not ServerState.CLOSED:
            self.why = "the client went away within a transaction"

    def _pause(self) -> None:
        """Hear nothing until our side is done; the client's time stands still."""
        self._is_waiting = True
        self._stream.listen(None)
        self.patience.late_at -= self._now()

    def _go_on(self, reply: Reply | None) -> None:
        """Our side is done: say so, and hear what has come meanwhile."""
        self._is_waiting = False
        self.patience.late_at += self._now()
        if reply:
            self._out.append(self._server.reply(reply))
        self._answer(self._server.receive())
        if not (self._is_waiting or self._has_ended):
            self._stream.listen(self.hear)

    def _wait(self, work: Awaitable[Any], then: Then | None = None) -> None:
        """Go on when something is done: as `then` does, given its result."""
        self._pause()
        self._work, self._then = asyncio.ensure_future(work), then
        self._work.add_done_callback(self._resume)

    def _resume(self, done: asyncio.Future[Any]) -> None:
        then, self._then, self._work = self._then, None, None
        try:
            result = done.result()
            if then:
                then(result)
            else:
                self._go_on(None)
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
            self._answer(self._server.receive(b""))

    def _leave(self, reply: Reply) -> None:
        """421 unasked (RFC 5321 section 3.8), and close; who does not take it is dropped at the deadline."""
        self._is_over = True
        self.why = self.why or reply.text
        self._stream.write(format_reply(reply))
        self._stream.close()
        self._goodbye_at = self._now() + self._desk.settings.timeouts.goodbye_s

    def _give_up(self, problem: NetError) -> None:
        self.why = self.why or problem.why
        self._end()

    def _end(self) -> None:
        """There is no more to do on this connection."""
        if not self._has_ended:
            self._is_over = self._has_ended = True
            self._stream.listen(None)
            self._messages.forget(self.why or "the client went away")
            self._stream.close()
            self._telling.ended(self._judge.messages, self.why)
            self._ended(self)

    def _check(self, given: AuthGiven, _now: float) -> None:
        self._wait(self._authenticate(given), self._go_on)

    async def _authenticate(self, given: AuthGiven) -> Reply:
        self._login = self._login or Login(self._desk)
        reply = await self._login.answer(given, self.client, str(self._stream.peer))
        if reply.is_positive:
            self._judge.know(replace(self.client, user=given.username))
        return reply

    def _upgrade(self, _event: StartTls, _now: float) -> bytes | None:
        """Answer STARTTLS behind what was answered before, and go on under it."""
        if self._desk.settings.tls is None:
            return self._server.reply(NO_TLS)
        self._stream.be_deaf()
        self._stream.write(b"".join([*self._out, self._server.agree()]))
        self._out.clear()
        self._wait(self._start_tls())
        return None

    async def _begin_tls(self) -> None:
        await self._start_tls()
        self._greet()

    async def _start_tls(self) -> None:
        try:
            await self._shake_hands(self._desk.settings.tls)
        except NetError as problem:
            self._telling.no_tls(problem.why)
            raise
        self._judge.know(replace(self.client, is_tls=True, user=None))
        self._server.config = self._config()
        self._server.tls_started()

    async def _shake_hands(self, context: ssl.SSLContext | None) -> None:
        if context is None:
            raise NetError("no certificate for a port with TLS", NetErrorKind.LOCAL)
        try:
            async with asyncio.timeout(self._desk.settings.timeouts.tls_s):
                await self._stream.start_tls(context, None)
        except TimeoutError as problem:
            raise NetError("TLS handshake timed out", NetErrorKind.TIMEOUT) from problem

    def _greet(self) -> None:
        if self._stream.waiting == 0:  # no client of SMTP says anything before the greeting
            self._stream.write(self._server.greet())

    def _config(self) -> ServerConfig:
        """What is offered now."""
        starttls = self._tls is Tls.STARTTLS and self._desk.settings.tls is not None
        return self._desk.config(starttls=starttls, auth=may_authenticate(self.client, self._desk.settings))


# To what an event is answered; any other is a command
_RESPONSES: dict[type[object], Callable[[ServerSession, Any, float], bytes | None]] = {
    BodyPiece: ServerSession._take,  # noqa: SLF001  # its own table
    BodyComplete: ServerSession._complete,  # noqa: SLF001  # as above
    Answered: ServerSession._pass_on,  # noqa: SLF001  # as above
    BodyRefused: ServerSession._pass_on,  # noqa: SLF001  # as above
    StartTls: ServerSession._upgrade,  # noqa: SLF001  # as above
    AuthGiven: ServerSession._check,  # noqa: SLF001  # as above
    Closed: ServerSession._close,  # noqa: SLF001  # as above
}
