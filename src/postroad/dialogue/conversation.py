"""Commands and replies in step, over one stream, by the one driver of `smtp.ClientEnd`."""

from __future__ import annotations

import contextlib

from postroad.dialogue.hearing import Hearing
from postroad.dialogue.message import PIECE
from postroad.dialogue.settings import ClientSettings
from postroad.net import NEVER, Deadline, NetError, Stream
from postroad.smtp import (
    Capabilities,
    ClientEnd,
    ClientState,
    Command,
    Expect,
    LocalProtocolError,
    Quit,
    Unsolicited,
    Violation,
    host_outcome,
)
from postroad.words.outcome import Outcome, Phase, Scope, result_of
from postroad.words.phrasebook import seconds
from postroad.words.reply import Reply

NO_TIME_LEFT = "the time limit for the whole delivery was up"


class HostError(Exception):
    """The end of a session for a reason of the host or the network: the outcome, of host scope."""

    def __init__(self, phase: Phase, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.phase = phase
        self.outcome = outcome


class Conversation:
    """A conversation with a host over a stream. `phase` is where it stands."""

    def __init__(self, stream: Stream, settings: ClientSettings) -> None:
        self.phase = Phase.GREETING
        self.tls: str | None = None  # protocol and cipher
        self.is_gone = False  # the host has vanished, or stands still: a connection kept open brings nothing
        self._stream = stream
        self._settings = settings
        self._client = ClientEnd()
        self._heard = Hearing(self._client, stream)
        self._replies = self._heard.replies
        self._deadline = Deadline(self._expire)
        self._wait = Expect(0.0)  # what is waited for, and how long
        self._waited_s = 0.0  # of that, while a sign of life is looked for now and then

    async def ask(self, command: Command, limit_s: float, phase: Phase | None = None) -> Reply:
        """The reply to a command that stands alone; it is in step, and may refuse.

        Raises:
            HostError: there is none in time, it is a 421, or the host violated the protocol.

        """
        self.phase = phase or self.phase
        if self._replies or self._heard.ending:  # a reply too many, or the end, has come before we say more
            self._next_reply()
        await self._write(self._client.send(command))
        return await self._reply(limit_s)

    async def answer(self, response: str, limit_s: float) -> Reply:
        """The reply to what a 334 asked for (RFC 4954 section 4).

        Raises:
            HostError: as above.

        """
        await self._write(self._client.auth_response(response))
        return await self._reply(limit_s)

    async def start_tls(self, server_name: str) -> None:
        """The handshake that the host has agreed to.

        Raises:
            HostError: it failed; the NetError is its cause.

        """
        await self._handshake(server_name)
        self._client.tls_started()

    @property
    def capabilities(self) -> Capabilities:
        """What the host offers; nothing before EHLO."""
        return self._client.capabilities or Capabilities()

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """What the host showed in the TLS handshake, its own first, in DER; nothing in the clear."""
        return self._stream.certificates

    @property
    def is_reusable(self) -> bool:
        """Whether another transaction may follow on this connection."""
        return self._client.state is ClientState.READY and not self._replies

    @property
    def takes_dsn_over(self) -> bool:
        """Whether the host takes over what the sender wants to be told (RFC 3461 section 5.2)."""
        offered = self._client.capabilities
        return offered is not None and offered.dsn

    def allow_until(self, until: float) -> None:
        """Nothing is waited for longer than until this time of the event loop, whatever the time limits allow."""
        self._deadline.until = until

    def rest(self) -> None:
        """Nothing is under way: no time limit runs."""
        self._deadline.until = NEVER
        self._deadline.lift()

    def close(self) -> None:
        """Leave without a word. All that matters is said: nobody waits for a host to say goodbye to TLS, too."""
        self._deadline.close()
        if self.tls:
            self._stream.abort()  # else a command ends while that goes on, which uvloop tells as an error
        else:
            self._stream.close()

    async def quit(self) -> None:
        """Say goodbye; the mail is settled, so nothing that happens here matters."""
        self._stream.listen(None)
        if self._client.may_send(Quit) and not (self._replies or self._heard.ending):
            with contextlib.suppress(HostError):
                await self.ask(Quit(), self._settings.timeouts.quit_s)
        self.close()

    async def _handshake(self, server_name: str) -> None:
        if self._settings.tls is None:
            raise LocalProtocolError("no TLS context in the settings")
        self.phase = Phase.STARTTLS
        self._allow(self._settings.timeouts.starttls_s)
        try:
            await self._stream.start_tls(self._settings.tls, server_name or None)
            self.tls = self._stream.tls
            self._client.is_tls = True
        except NetError as problem:
            raise self._lost(str(problem)) from problem

    async def _write(self, data: bytes) -> bool:
        """Write in pieces, waiting until the stream has room; False if the host has hung up: it may have said why."""
        for start in range(0, len(data), PIECE):
            self._allow(self._settings.timeouts.block_s)
            self._stream.write(data if len(data) <= PIECE else data[start : start + PIECE])
            try:
                await self._stream.drain()
            except NetError:
                if self._deadline.is_missed:
                    raise self._lost("") from None
                return False
        return True

    async def _reply(self, limit_s: float) -> Reply:
        """The next reply, which answers what was said.

        Raises:
            HostError: the connection ended, the time was up, the peer broke the protocol, or the reply is a 421.

        """
        if not (self._replies or self._heard.ending):
            self._allow(limit_s)
            try:
                while not (self._replies or self._heard.ending):
                    self._heard.take(await self._stream.read())
            except NetError as problem:
                raise self._lost(problem.why) from problem
        reply = self._next_reply()
        if reply.code == 421:  # "closing", to any command (RFC 5321 section 4.2.3)
            raise HostError(self.phase, host_outcome(reply, self.phase))
        return reply

    def _next_reply(self) -> Reply:
        if self._replies:
            return self._replies.popleft()
        raise self._out_of_step()

    def _out_of_step(self) -> HostError:
        """Why no reply comes, or none that answers us."""
        match self._heard.ending:
            case Unsolicited(reply) if reply.code == 421:
                return HostError(self.phase, host_outcome(reply, self.phase))
            case Unsolicited(reply):
                return self._lost(f"the host sent a reply to no command: {reply}")
            case Violation(why):
                return self._lost(f"the host violated the protocol: {why}")
            case NetError() as problem:
                lost = self._lost(problem.why)
                lost.__cause__ = problem
                return lost
        return self._lost("the host closed the connection")

    def _allow(self, limit_s: float) -> None:
        self._wait, self._waited_s = Expect(limit_s), 0.0
        self._deadline.allow(limit_s)

    def _expire(self) -> float | None:
        """The time is up, unless a host is asked for a sign of life and gives one: then it may take a while."""
        sign_s = self._wait.sign_s or 0.0
        self._waited_s += sign_s
        goes_on = self._waited_s < self._wait.limit_s and not self._deadline.is_over
        if self._waited_s > 0 and goes_on and not self._stream.is_unheard(self._waited_s):
            return sign_s
        self.is_gone = sign_s > 0 and not self._deadline.is_over
        self._stream.abort()
        return None

    def _agreed(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            raise HostError(self.phase, host_outcome(reply, self.phase))
        return reply

    def refuse(self, text: str, status: str) -> HostError:
        """What is wrong is the host's, or ours with it: not here, and by its status not now or never."""
        return HostError(self.phase, Outcome(result_of(status), Scope.HOST, text, status, self.phase))

    def _lost(self, why: str) -> HostError:
        if self.is_gone:
            why = "the host did not answer on a reused connection"
        elif self._deadline.is_missed and self._deadline.is_over:
            return self.refuse(NO_TIME_LEFT, "4.4.7")
        elif self._deadline.is_missed:
            why = f"timed out after {seconds(self._wait.limit_s)}"
        return self.refuse(why, "4.4.2")
