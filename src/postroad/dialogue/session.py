"""The one driver of `smtp.Client`: a session over one stream, from the greeting to QUIT."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from postroad.dialogue.message import PIECE, Message
from postroad.dialogue.settings import ClientSettings, Login
from postroad.net import Deadline, NetError, Stream
from postroad.smtp import (
    Auth,
    Bdat,
    Break,
    Capabilities,
    Client,
    ClientState,
    Closed,
    Command,
    Ehlo,
    EndOfData,
    Expect,
    Greeting,
    Helo,
    LocalProtocolError,
    More,
    Quit,
    Replied,
    StartTls,
    Terms,
    Transaction,
    Unsolicited,
    Violation,
    Write,
    host_outcome,
)
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply

SMTP_PORT = 25


class HostError(Exception):
    """The session is over, for a reason that is the host's or the network's: the outcome, of host scope."""

    def __init__(self, phase: Phase, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.phase = phase
        self.outcome = outcome


Done = Callable[[BaseException | None], None]


class _Sending:
    """A message on its way, in one transaction after the other."""

    def __init__(self, message: Message, recipients: tuple[int, ...], most: int, done: Done) -> None:
        self.message = message
        self.recipients = len(recipients)
        self.left = recipients
        self.done = done
        self.transaction: Transaction | None = None
        self.feeding: asyncio.Task[None] | None = None
        self._most = most
        self._group: tuple[int, ...] = ()

    @property
    def is_feeding(self) -> bool:
        """Whether a task hands the content over."""
        return self.feeding is not None and not self.feeding.done()

    def next_group(self) -> tuple[int, ...]:
        """The recipients of the next transaction."""
        self._group, self.left = self.left[: self._most], self.left[self._most :]
        return self._group

    def carry(self, carried: tuple[int, ...]) -> None:
        """These were too many for one transaction: as many as the host took this time it will take again."""
        if carried:
            self.left, self._most = (*carried, *self.left), len(self._group) - len(carried)


class Session:
    """A session as a client over a stream. `phase` is where it stands.

    `told` is what each recipient of the message under way was told so far: after a HostError it says what was reached.
    """

    def __init__(self, stream: Stream, settings: ClientSettings) -> None:
        self.phase = Phase.GREETING
        self.told: dict[int, Outcome] = {}
        self.messages = 0  # transactions begun
        self.opened_at = asyncio.get_running_loop().time()
        self._sending: _Sending | None = None
        self._resets = False  # the host may hold a transaction that brought no message
        self._stream = stream
        self.is_unheard = False  # the host was gone: nothing of what was sent last has reached it
        self._deadline = Deadline(self._expire)
        self._limit_s = 0.0
        self._sign_s = 0.0  # how often a sign of life is looked for; 0: not at all
        self._left_s = 0.0  # of the limit, while one is
        self._settings = settings
        self._client = Client()
        self._events: deque[object] = deque()
        self._hostname = settings.hostname or str(AddressLiteral(stream.local.address))

    async def greet(self, exchange: str = "") -> Reply:
        """The greeting; before it the TLS handshake, where the connection begins with that (RFC 8314 section 3.3).

        Raises:
            HostError: no handshake, or no 220. A 5xx greeting says that this host takes no mail now, not that the
                domain does not (RFC 7504 section 2 for 521): deferred, and the next exchanger is asked.

        """
        if self._settings.implicit_tls:
            await self._handshake(exchange)
            self.phase = Phase.GREETING
        return self._agreed(await self._reply(self._settings.timeouts.greeting_s))

    async def hello(self, exchange: str, *, tls: bool = True) -> None:
        """EHLO, STARTTLS where it is offered (unless `tls` is false), EHLO again, and AUTH where we have a login.

        Raises:
            HostError: EHLO was not taken, the TLS handshake failed (phase starttls), or a host is what the settings
                do not allow.

        """
        self._refuse_ourselves(await self.ehlo())
        if tls and self._settings.tls and not self.tls and self.capabilities.starttls:
            reply = await self.ask(StartTls(), self._settings.timeouts.starttls_s, Phase.STARTTLS)
            if reply.code == 220:
                await self.start_tls(exchange)
                await self.ehlo()
        if self._settings.tls_required and not self.tls:
            text = "TLS is required by the settings of this route, and the host does not offer it"
            raise self._refuse(text, "4.7.4")
        if self._settings.login:
            await self._authenticate(self._settings.login)

    async def ehlo(self) -> Reply:
        """EHLO, or HELO for hosts older than RFC 1869; the reply to the one that was taken."""
        limit_s = self._settings.timeouts.ehlo_s
        reply = await self.ask(Ehlo(self._hostname), limit_s, Phase.EHLO)
        if reply.is_permanent:  # RFC 5321 section 3.2: a client that is refused EHLO falls back to HELO
            reply = await self.ask(Helo(self._hostname), limit_s, Phase.EHLO)
        return self._agreed(reply)

    async def start_tls(self, exchange: str) -> None:
        """The handshake that the host has agreed to.

        Raises:
            HostError: it failed; the NetError is its cause.

        """
        await self._handshake(exchange)
        self._client.tls_started()

    async def ask(self, command: Command, limit_s: float, phase: Phase | None = None) -> Reply:
        """The reply to a command that stands alone; it is in step, and may refuse.

        Raises:
            HostError: there is none in time, it is a 421, or the host broke the protocol.

        """
        self.phase = phase or self.phase
        self._refuse_leftovers()
        await self._write(self._client.send(command))
        return await self._reply(limit_s)

    async def deliver(self, message: Message, recipients: tuple[int, ...]) -> dict[int, Outcome]:
        """Send the message to these of its recipients; what each was told.

        Raises:
            HostError: the session ended before those not in `told` were settled.

        """
        done = asyncio.get_running_loop().create_future()
        self.start(message, recipients, lambda error: None if done.done() else done.set_result(error))
        error = await done
        if error:
            raise error
        return self.told

    def start(self, message: Message, recipients: tuple[int, ...], done: Done) -> None:
        """The same without a task: what can be written is written now, and `done` is called when it is over.

        It gets what `deliver` raises, or None. In as many transactions as it takes: a host that takes only some of the
        recipients at once gets the others in the next one.
        """
        self.told = {}
        self._sending = _Sending(message, recipients, self._settings.recipients, done)
        self._stream.listen(self._hear, holds=False)  # a host that speaks before it has all is out of step
        self._go_on()

    @property
    def capabilities(self) -> Capabilities:
        """What the host offers; nothing before EHLO."""
        return self._client.capabilities or Capabilities()

    @property
    def is_reusable(self) -> bool:
        """Whether another transaction may follow on this connection."""
        return self._client.state is ClientState.READY and not self._events

    @property
    def takes_dsn_over(self) -> bool:
        """Whether the host takes over what the sender wants to be told (RFC 3461 section 5.2)."""
        return self.capabilities.dsn

    @property
    def tls(self) -> str | None:
        """Protocol and cipher, None in the clear."""
        return self._stream.tls

    @property
    def certificate(self) -> bytes | None:
        """What the host showed in the TLS handshake, in DER; None in the clear."""
        return self._stream.certificate

    def rest(self) -> None:
        """Nothing is under way: no time limit runs."""
        self._deadline.lift()

    def close(self) -> None:
        """Leave without a word."""
        if self._sending and self._sending.feeding:
            self._sending.feeding.cancel()
        self._sending = None
        self._deadline.close()
        self._stream.close()

    async def quit(self) -> None:
        """Say goodbye; the mail is settled, so nothing that happens here matters."""
        self._stream.listen(None)
        if self._client.may_send(Quit) and not self._events:
            with contextlib.suppress(HostError):
                await self.ask(Quit(), self._settings.timeouts.quit_s)
        self.close()

    def _go_on(self) -> None:
        """Begin the next transaction, or end."""
        sending = self._sending
        assert sending is not None  # noqa: S101  # it is under way
        try:
            self._refuse_leftovers()
        except HostError as lost:
            self._end(sending, lost)
            return
        if not sending.left:
            self._end(sending, None)
            return
        settings, message = self._settings, sending.message
        terms = Terms(settings.timeouts, settings.chunking, rested=self.messages > 0, resets=self._resets)
        content = message.content if isinstance(message.content, bytes) else message.size
        self.phase, self.messages = Phase.MAIL, self.messages + 1
        sending.transaction = Transaction(self._client, message.envelope, content, sending.next_group(), terms)
        self._drive(sending, sending.transaction)

    def _drive(self, sending: _Sending, transaction: Transaction) -> None:
        """Do what the transaction says, until it waits or is over."""
        try:
            while True:
                match transaction.next():
                    case Write(octets):
                        self._stream.write(octets)
                    case Expect(limit_s, sign_s):
                        if not self._events:
                            self._allow(limit_s, sign_s or 0.0)
                            return
                        self.phase = transaction.phase
                        transaction.hear(self._take_event())
                    case More():
                        sending.feeding = asyncio.get_running_loop().create_task(self._feed(sending, transaction))
                        return
                    case Break(outcome):
                        self._break_off(transaction.phase, outcome)
                    case _:
                        break
        except HostError as lost:
            transaction.lose(lost.outcome)
            self._settle(transaction)
            self._end(sending, None if len(self.told) == sending.recipients else lost)
            return
        self._settle(transaction)
        sending.carry(transaction.carried)
        self._go_on()

    def _break_off(self, phase: Phase, outcome: Outcome) -> NoReturn:
        self._stream.abort()
        raise HostError(phase, outcome)

    async def _feed(self, sending: _Sending, transaction: Transaction) -> None:
        """Hand over the content piece by piece, as the host takes it. One that hung up may have said why: go on."""
        pieces, is_lost = sending.message.pieces(), False
        try:
            while isinstance(step := transaction.next(), More | Write):
                if isinstance(step, More):
                    transaction.give(await anext(pieces, b""))
                elif not is_lost:
                    is_lost = not await self._write(step.octets)
        except HostError as lost:
            transaction.lose(lost.outcome)
            self._settle(transaction)
            self._end(sending, None if len(self.told) == sending.recipients else lost)
        except BaseException as problem:  # the content cannot be read, or we are cancelled: not the host's doing
            self._stream.abort()
            self._end(sending, problem)
            if isinstance(problem, asyncio.CancelledError):
                raise
        else:
            self._drive(sending, transaction)

    def _hear(self, data: bytes) -> None:
        """Octets of the host, or b"" at the end."""
        trouble = None if data else self._stream.trouble
        self._events.extend([trouble] if trouble else self._client.receive(data))
        sending = self._sending
        if sending and sending.transaction and self._events and not sending.is_feeding:
            self._drive(sending, sending.transaction)

    def _settle(self, transaction: Transaction) -> None:
        self.phase, self._resets = transaction.phase, transaction.is_open
        self.told.update(transaction.told)

    def _end(self, sending: _Sending, error: BaseException | None) -> None:
        self._sending = None
        sending.done(error)

    async def _handshake(self, exchange: str) -> None:
        if self._settings.tls is None:
            raise LocalProtocolError("no TLS context in the settings")
        self.phase = Phase.STARTTLS
        self._allow(self._settings.timeouts.starttls_s)
        try:
            await self._stream.start_tls(self._settings.tls, exchange or None)
        except NetError as problem:
            raise self._lost(str(problem)) from problem

    def _refuse_ourselves(self, hello: Reply) -> None:
        """A host that has our name is we, behind an address we do not know for ours: mail would go in circles.

        At the port of exchangers only, as in Postfix: at another one a content filter may well bear our name.
        """
        name = hello.lines[0].partition(" ")[0]
        if self._stream.peer.port == SMTP_PORT and "." in self._hostname and name.lower() == self._hostname.lower():
            text = f"mail would loop back to us: the host calls itself {name}, as we do (is its address one of `own`?)"
            raise self._refuse(text, "4.4.6")

    async def _authenticate(self, login: Login) -> None:
        """Say who we are (RFC 4954), by PLAIN where the host has it, else by LOGIN.

        A host that knows us not is a fault of our settings, and mail waits until they are right: deferred.
        """
        self.phase, limit_s = Phase.AUTH, self._settings.timeouts.mail_s
        offered = self.capabilities.auth
        if "PLAIN" in offered:
            reply = await self.ask(Auth("PLAIN", _base64(f"\0{login.user}\0{login.password}")), limit_s)
        elif "LOGIN" in offered:
            reply = await self.ask(Auth("LOGIN", None), limit_s)
            for answer in (login.user, login.password):
                if reply.code == 334:
                    await self._write(self._client.auth_response(_base64(answer)))
                    reply = await self._reply(limit_s)
        else:
            text = "the settings of this route have a login, and the host offers no AUTH PLAIN or LOGIN"
            raise self._refuse(text, "4.7.8")
        if reply.code != 235:
            raise HostError(self.phase, host_outcome(reply, self.phase))

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
        if not self._events:
            self._allow(limit_s)
            try:
                while not self._events:
                    self._events.extend(self._client.receive(await self._stream.read()))
            except NetError as problem:
                raise self._lost(problem.why) from problem
        reply = self._take_event()
        if reply.code == 421:  # "closing", to any command (RFC 5321 section 4.2.3)
            raise HostError(self.phase, host_outcome(reply, self.phase))
        return reply

    def _refuse_leftovers(self) -> None:
        """A reply too many, or the end, has come before we say more."""
        if self._events:
            self._take_event()

    def _take_event(self) -> Reply:
        event = self._events.popleft()
        if isinstance(event, Replied):
            if self._events:
                self._mistrust(event.command, event.reply)
            return event.reply
        match event:
            case Greeting(reply):
                return reply
            case Unsolicited(reply) if reply.code == 421:
                raise HostError(self.phase, host_outcome(reply, self.phase))
            case Unsolicited(reply):
                raise self._lost(f"the host broke the protocol: {reply} answers nothing")
            case Violation(why):
                raise self._lost(f"the host broke the protocol: {why}")
            case Closed():
                raise self._lost("the host closed the connection")
            case NetError() as problem:
                raise self._lost(problem.why) from problem
        raise AssertionError("no such event")

    def _mistrust(self, command: Command, reply: Reply) -> None:
        """A refusal right behind what looks like a receipt may be the true answer, the other an earlier command's."""
        ends = isinstance(command, Bdat | EndOfData) and reply.code < 400
        match self._events[0] if ends else None:
            case Unsolicited(refusal) if refusal.code >= 400 and refusal.code != 421:
                raise self._lost(f"the host broke the protocol: {reply}, and then {refusal}")

    def _allow(self, limit_s: float, sign_s: float = 0.0) -> None:
        self._limit_s, self._sign_s = limit_s, sign_s
        self._left_s = limit_s - sign_s if sign_s else 0.0
        self._deadline.allow(sign_s or limit_s)

    def _expire(self) -> float | None:
        """The time is up, unless a host is asked for a sign of life and gives one: then it may take its time."""
        if self._left_s > 0 and not self._stream.is_unheard:
            self._left_s -= self._sign_s
            return self._sign_s
        self.is_unheard = self._left_s > 0
        self._stream.abort()
        return None

    def _agreed(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            raise HostError(self.phase, host_outcome(reply, self.phase))
        return reply

    def _refuse(self, text: str, status: str) -> HostError:
        return HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, text, status, self.phase))

    def _lost(self, why: str) -> HostError:
        if self.is_unheard:
            why = "the host has not taken what was sent on a connection kept open"
        elif self._deadline.is_missed:
            why = f"timed out after {self._limit_s:g} s"
        return self._refuse(why, "4.4.2")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
