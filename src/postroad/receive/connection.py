"""The life of one connection: how long the client may be silent, what it waits for on our side, and how it ends."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from postroad.net import NetError, NetErrorKind, Stream
from postroad.receive.patience import Patience
from postroad.receive.settings import ReceiveTimeouts
from postroad.smtp import format_reply
from postroad.words.reply import Reply

TIMED_OUT = Reply(421, ("4.4.2 timeout",))
TOO_LONG = Reply(421, ("4.4.2 the session is too long",))

Then = Callable[[Any], None]
"""How to go on now that something is done, given its result."""


class Connection:
    """The connection of one client. While our side works nothing is heard, and the client's time stands still.

    It `is_over` once nothing more will be answered, and `has_ended` once that is known to who began it.
    """

    __slots__ = (
        *("has_ended", "is_over", "is_waiting", "now", "patience", "stream", "why"),
        *("_ended", "_goodbye_at", "_then", "_times", "_work"),
    )

    def __init__(self, stream: Stream, times: ReceiveTimeouts, ended: Callable[[], None]) -> None:
        self.now = asyncio.get_running_loop().time
        self.stream = stream
        self.patience = Patience(times, self.now())
        self.why = ""  # it ended as it did, "" for in order
        self.is_waiting = self.is_over = self.has_ended = False
        self._times = times
        self._ended = ended
        self._goodbye_at = math.inf
        self._work: asyncio.Future[Any] | None = None  # what we wait for, but for a message that is being kept
        self._then: Then | None = None

    def deadline(self, *, in_message: bool) -> float:
        """When the client is late, by the loop's clock; infinite while it waits for us."""
        if self.is_waiting:
            return math.inf
        return self._goodbye_at if self.is_over else self.patience.deadline(in_message=in_message)

    def pause(self) -> None:
        """Hear nothing until our side is done."""
        self.is_waiting = True
        self.stream.listen(None)
        self.patience.late_at -= self.now()

    def resume(self) -> None:
        """Our side is done: the client's time goes on."""
        self.is_waiting = False
        self.patience.late_at += self.now()

    def wait(self, work: Awaitable[Any], then: Then) -> None:
        """Pause until something is done, and go on as `then` does, given its result."""
        self.pause()
        self._work, self._then = asyncio.ensure_future(work), then
        self._work.add_done_callback(self._done)

    async def start_tls(self, context: ssl.SSLContext | None) -> None:
        """Go on under TLS.

        Raises:
            NetError: there is no certificate, or the handshake has failed, or has taken too long.

        """
        if context is None:
            raise NetError("no certificate for a port with TLS", NetErrorKind.LOCAL)
        try:
            async with asyncio.timeout(self._times.tls_s):
                await self.stream.start_tls(context, None)
        except TimeoutError as problem:
            raise NetError("TLS handshake timed out", NetErrorKind.TIMEOUT) from problem

    def expire(self) -> None:
        """The deadline has passed: say so and close, or drop it if that has been said."""
        if self.is_over:
            self.stream.abort()
        else:
            self.leave(TOO_LONG if self.now() >= self.patience.ends_at else TIMED_OUT)

    def leave(self, reply: Reply) -> None:
        """421 unasked (RFC 5321 section 3.8), and close; who does not take it is dropped at the deadline."""
        self.is_over = True
        self.why = self.why or reply.text
        self.stream.write(format_reply(reply))
        self.stream.close()
        self._goodbye_at = self.now() + self._times.goodbye_s

    def give_up(self, problem: NetError) -> None:
        """The network has ended it."""
        self.why = self.why or problem.why
        self.end()

    def drop(self) -> None:
        """End it now, whatever is under way."""
        self.stream.abort()
        if self._work:
            self._work.cancel()
        else:
            self.end()

    def end(self) -> None:
        """There is no more to do on it."""
        if not self.has_ended:
            self.is_over = self.has_ended = True
            self.stream.listen(None)
            self.stream.close()
            self._ended()

    def _done(self, work: asyncio.Future[Any]) -> None:
        then, self._then, self._work = self._then, None, None
        assert then  # noqa: S101  # there is none without work
        try:
            then(work.result())
        except NetError as problem:
            self.give_up(problem)
        except asyncio.CancelledError:  # by drop
            self.end()
        except BaseException:
            self.drop()
            raise
