"""An SMTP session as the server: feeds a Server with what arrives, and answers each of its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from postroad.net import NetError, Stream
from postroad.receive.connection import TOO_LONG, Connection
from postroad.receive.judge import LEAVING, Judge
from postroad.receive.login import Login
from postroad.receive.messages import Messages
from postroad.receive.policy import Peer
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
    ServerEvent,
    ServerState,
    StartTls,
)
from postroad.words.reply import Reply

BREATH = 100  # replies of one read before other sessions have their turn

NO_TLS = Reply(454, ("4.7.0 TLS is not available now",))

_IN_BODY = (ServerState.BODY, ServerState.CHUNKS)
_IN_HANDSHAKE = (ServerState.GREETING, ServerState.TLS)
_IDLE = (ServerState.FRESH, ServerState.READY, ServerState.REFUSING)


Ended = Callable[["ServerSession"], None]


class ServerSession:
    """An SMTP session as the server: octets are heard and answered in the same call, but for what takes time."""

    __slots__ = (
        *("connection", "_ended", "_events", "_judge", "_login"),
        *("_messages", "_out", "_server", "_shared", "_tls"),
    )

    def __init__(self, shared: Shared, stream: Stream, client: Peer, tls: Tls, ended: Ended) -> None:
        self.connection = Connection(stream, shared.settings.timeouts, self._finish)
        self._shared = shared
        self._tls = tls
        self._ended = ended
        self._judge = Judge(shared, client)
        self._server = Server(shared.offer(tls, client))
        self._events = SessionEvents(shared, str(stream.peer))
        self._messages = Messages(shared, self._server, stream, self._judge, self._events)
        self._login: Login | None = None
        self._out: list[bytes] = []  # replies of this read

    @property
    def client(self) -> Peer:
        """What is known of who is there."""
        return self._judge.client

    @property
    def deadline(self) -> float:
        """When the client is late, by the loop's clock; infinite while it waits for us."""
        return self.connection.deadline(in_message=self._server.state in _IN_BODY)

    def start(self) -> None:
        """Greet; from then on the octets drive it."""
        self._events.started()
        if self._tls is Tls.IMPLICIT:
            self.connection.wait(self._start_tls(), self._go_on)
        else:
            self._greet()
            self.connection.stream.listen(self.hear)

    def hear(self, data: bytes) -> None:
        """Octets have come, or the end: go on."""
        try:
            if not data:
                self._hear_end()
            elif not self.connection.is_over:
                if self._server.state in _IN_BODY:
                    self.connection.patience.earn(self.connection.now(), len(data))
                self._answer(self._server.receive(data))
        except BaseException:
            self.connection.drop()
            raise

    def finish(self) -> None:
        """End as soon as no message is under way: now, if it only waits for the next one, or has not begun to talk."""
        self._judge.is_last = True
        if self._server.state in _IN_HANDSHAKE:
            self.connection.why = self.connection.why or LEAVING.text
            self.connection.drop()
        elif not (self.connection.is_waiting or self.connection.is_over) and self._server.state in _IDLE:
            self.connection.leave(LEAVING)

    def _answer(self, event: ServerEvent | None) -> None:
        """Go through this event and those behind it, up to one that takes time; then the replies leave in one write."""
        server, out, now, connection = self._server, self._out, self.connection.now(), self.connection
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
            goes_on = not (connection.is_waiting or connection.is_over)
            has_more = server.has_more or server.state is ServerState.CLOSED
            event = server.receive() if goes_on and has_more else None
        if connection.is_waiting:
            return
        if out:
            connection.stream.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()
            if server.state is not ServerState.CHUNKS:  # where only octets buy time
                connection.patience.late_at = now + connection.patience.command_s
        if connection.is_over or self._judge.is_last or now >= connection.patience.ends_at:
            self._part()

    def _draw_breath(self, said: bytes) -> None:
        """A message under way may have ended with this reply, and others may have waited long enough."""
        if self._messages.incoming and not self._server.opened:
            self._messages.forget(said.decode().rstrip())
        if len(self._out) % BREATH == 0:
            self.connection.wait(asyncio.sleep(0), self._go_on)

    def _part(self) -> None:
        """End it, or do so as soon as no message is under way."""
        if self.connection.is_over:
            self.connection.end()
        elif not self._server.opened:
            self.connection.leave(LEAVING if self._judge.is_last else TOO_LONG)

    def _take(self, piece: BodyPiece, _now: float) -> None:
        if work := self._messages.take(piece.data):
            self.connection.wait(work, self._go_on)

    def _complete(self, last: BodyComplete, now: float) -> bytes | None:
        """The message is whole: it is kept once all of it is handed on."""
        if last.data and (work := self._messages.take(last.data)):
            self.connection.wait(work, self._keep)
        elif self._messages.keep(self._kept, now):
            self.connection.pause()
        else:
            return self._server.reply(self._messages.settle(None, now))
        return None

    def _keep(self, _handed_on: None) -> None:
        if not self._messages.keep(self._kept, now := self.connection.now()):
            self._go_on(self._messages.settle(None, now))

    def _kept(self, trouble: Exception | None) -> None:
        """It is durable, or cannot be kept: it is known, though the client may be gone."""
        try:
            reply = self._messages.settle(trouble, self.connection.now())
            if not self.connection.has_ended:
                self._go_on(reply)
        except NetError as problem:
            self.connection.give_up(problem)
        except BaseException:
            self.connection.drop()
            raise

    def _pass_on(self, event: Answered, _now: float) -> bytes:
        """What the server itself answers."""
        if event.violation:
            self.connection.why = event.reply.text
            self._events.violation(event)
        if isinstance(event, BodyRefused):
            self._messages.begin()  # nothing of it may have come this far
        return self._server.agree()

    def _close(self, _event: Closed, _now: float) -> None:
        self.connection.is_over = True
        if self._server.opened and self._server.state is not ServerState.CLOSED:
            self.connection.why = "the client went away within a transaction"

    def _go_on(self, reply: Reply | None) -> None:
        """Our side is done: say so, and hear what has come meanwhile."""
        connection = self.connection
        connection.resume()
        if reply:
            self._out.append(self._server.reply(reply))
        self._answer(self._server.receive())
        if not (connection.is_waiting or connection.has_ended):
            connection.stream.listen(self.hear)

    def _hear_end(self) -> None:
        """Nothing more will come."""
        if problem := self.connection.stream.trouble:
            self.connection.give_up(problem)
        elif self.connection.is_over:
            self.connection.end()
        else:
            self._answer(self._server.receive(b""))

    def _check(self, given: AuthGiven, _now: float) -> None:
        self._login = self._login or Login(self._shared, self._judge, str(self.connection.stream.peer))
        self.connection.wait(self._login.answer(given), self._go_on)

    def _upgrade(self, _event: StartTls, _now: float) -> bytes | None:
        """Answer STARTTLS behind what was answered before, and go on under it."""
        if self._shared.settings.tls is None:
            return self._server.reply(NO_TLS)
        self.connection.stream.be_deaf()
        self.connection.stream.write(b"".join([*self._out, self._server.agree()]))
        self._out.clear()
        self.connection.wait(self._start_tls(), self._go_on)
        return None

    async def _start_tls(self) -> None:
        try:
            await self.connection.start_tls(self._shared.settings.tls)
        except NetError as problem:
            self._events.no_tls(problem.why)
            raise
        self._judge.know(replace(self.client, is_tls=True, user=None))
        self._server.config = self._shared.offer(self._tls, self.client)
        self._server.tls_started()
        if self._tls is Tls.IMPLICIT:
            self._greet()

    def _greet(self) -> None:
        stream = self.connection.stream
        if stream.waiting == 0:  # no client of SMTP says anything before the greeting
            stream.write(self._server.greet())

    def _finish(self) -> None:
        """The connection has ended."""
        self._messages.forget(self.connection.why or "the client went away")
        self._events.ended(self._judge.messages, self.connection.why)
        self._ended(self)


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
