"""The one driver of `smtp.Client`: a session over one stream, from the greeting to QUIT."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import Callable

from postroad.dialogue.message import PIECE, Message
from postroad.dialogue.settings import ClientSettings, Login
from postroad.net import Deadline, NetError, Stream
from postroad.smtp import (
    MORE,
    Auth,
    Bdat,
    Break,
    Capabilities,
    Client,
    ClientState,
    Command,
    Ehlo,
    Ending,
    EndOfData,
    Expect,
    Helo,
    LocalProtocolError,
    More,
    Quit,
    StartTls,
    Step,
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
    """The end of a session for a reason of the host or the network: the outcome, of host scope."""

    def __init__(self, phase: Phase, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.phase = phase
        self.outcome = outcome


Done = Callable[[BaseException | None], None]


class _Sending:
    """A message on its way, in one transaction after the other."""

    __slots__ = ("_group", "_most", "done", "feeding", "left", "message", "recipients", "transaction")

    def __init__(self, message: Message, recipients: tuple[int, ...], most: int, done: Done) -> None:
        self.message = message
        self.recipients = len(recipients)
        self.left = recipients
        self.done = done
        self.transaction: Transaction | None = None
        self.feeding: asyncio.Task[None] | None = None  # who hands the content over, while it comes in pieces
        self._most = most
        self._group: tuple[int, ...] = ()

    def next_group(self) -> tuple[int, ...]:
        """The recipients of the next transaction."""
        self._group, self.left = self.left[: self._most], self.left[self._most :]
        return self._group

    def carry(self, carried: tuple[int, ...]) -> None:
        """These were too many for one transaction: as many as the host took this time it will take again."""
        self.left, self._most = (*carried, *self.left), len(self._group) - len(carried)


class Session:
    """An SMTP session as a client over a stream. `phase` is where it stands.

    `told` is what each recipient of the message under way was told so far: after a HostError it says what was reached.
    """

    def __init__(self, stream: Stream, settings: ClientSettings) -> None:
        self.phase = Phase.GREETING
        self.told: dict[int, Outcome] = {}
        self.tls: str | None = None  # protocol and cipher
        self.messages = 0  # transactions begun
        self.opened_at = asyncio.get_running_loop().time()
        self._sending: _Sending | None = None
        self._resets = False  # the host may hold a transaction that brought no message
        self._stream = stream
        self.is_gone = False  # the host has vanished, or stands still: a connection kept open brings nothing
        self._deadline = Deadline(self._expire)
        self._wait = Expect(0.0)  # what is waited for, and how long
        self._waited_s = 0.0  # of that, while a sign of life is looked for now and then
        self._settings = settings
        self._terms = Terms(settings.timeouts, settings.chunking)
        self._client = Client()
        self._replies: deque[Reply] = deque()  # heard, and not looked at yet
        self._ending: Ending | NetError | None = None  # why no reply comes behind those
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
        if self._replies or self._ending:  # a reply too many, or the end, has come before we say more
            self._next_reply()
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
        if not self.messages:  # from then on for good
            self._stream.listen(self._hear, holds=False)  # a host that speaks before it has all is out of step
        self._begin(self._sending)

    @property
    def capabilities(self) -> Capabilities:
        """What the host offers; nothing before EHLO."""
        return self._client.capabilities or Capabilities()

    @property
    def is_reusable(self) -> bool:
        """Whether another transaction may follow on this connection."""
        return self._client.state is ClientState.READY and not self._replies

    @property
    def takes_dsn_over(self) -> bool:
        """Whether the host takes over what the sender wants to be told (RFC 3461 section 5.2)."""
        offered = self._client.capabilities
        return offered is not None and offered.dsn

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
        if self._client.may_send(Quit) and not (self._replies or self._ending):
            with contextlib.suppress(HostError):
                await self.ask(Quit(), self._settings.timeouts.quit_s)
        self.close()

    def _begin(self, sending: _Sending) -> None:
        """The next transaction."""
        self.phase = Phase.MAIL
        if self._replies or self._ending or self._client.state is ClientState.CLOSED:
            self._lose(sending, self._out_of_step())
            return
        content = sending.message.content
        octets = content if isinstance(content, bytes) else content.size
        envelope, group = sending.message.envelope, sending.next_group()
        self.messages += 1
        sending.transaction = transaction = Transaction(self._client, envelope, octets, group, self._terms)
        self._drive(sending, transaction, transaction.begin())

    def _drive(self, sending: _Sending, transaction: Transaction, step: Step) -> None:
        """Do what the transaction says, until it waits or is over."""
        while True:
            match step:
                case Write(octets, then):
                    self._stream.write(octets)
                    step = then
                case Expect() if self._replies:
                    step = transaction.hear(self._replies)
                case Expect(limit_s, sign_s) if not self._ending:
                    self._wait, self._waited_s = step, 0.0
                    self._deadline.allow(sign_s or limit_s)
                    return
                case Expect():
                    self.phase = transaction.phase
                    self._lose(sending, self._out_of_step())
                    return
                case More():
                    sending.feeding = asyncio.get_running_loop().create_task(self._feed(sending, transaction))
                    return
                case Break(outcome):
                    self._stream.abort()
                    self._lose(sending, HostError(transaction.phase, outcome))
                    return
                case _:  # Done
                    self._finish(sending, transaction)
                    return

    def _finish(self, sending: _Sending, transaction: Transaction) -> None:
        """A transaction is over: the next one, if it left somebody over or the host did not take all at once."""
        self._settle(transaction)
        if transaction.carried:
            sending.carry(transaction.carried)
        if sending.left:
            self._begin(sending)
        elif self._replies or self._ending:
            self._end(sending, self._out_of_step())
        else:
            self._end(sending, None)

    def _lose(self, sending: _Sending, lost: HostError) -> None:
        """The session is over, with a message on its way."""
        if sending.transaction:
            sending.transaction.lose(lost.outcome)
            self._settle(sending.transaction)
        self._end(sending, None if len(self.told) == sending.recipients else lost)

    async def _feed(self, sending: _Sending, transaction: Transaction) -> None:
        """Hand over the content piece by piece, as the host takes it. One that hung up may have said why: go on."""
        pieces, is_lost = sending.message.pieces(), False
        step: Step = MORE
        try:
            while isinstance(step, More | Write):
                if isinstance(step, More):
                    step = transaction.give(await anext(pieces, b""))
                else:
                    is_lost = is_lost or not await self._write(step.octets)
                    step = step.then
        except HostError as lost:
            self._lose(sending, lost)
        except BaseException as problem:  # the content cannot be read, or we are cancelled: not the host's doing
            self._stream.abort()
            self._end(sending, problem)
            if isinstance(problem, asyncio.CancelledError):
                raise
        else:
            sending.feeding = None
            self._drive(sending, transaction, step)

    def _hear(self, data: bytes) -> None:
        """Octets of the host, or b"" at the end."""
        self._take(data)
        sending = self._sending
        if sending and sending.transaction and not sending.feeding and (self._replies or self._ending):
            self._drive(sending, sending.transaction, self._wait)

    def _take(self, data: bytes) -> None:
        """What octets of the host mean, kept until it is that reply's turn."""
        if not data and self._stream.trouble:
            self._ending = self._stream.trouble
            return
        for event in self._client.receive(data):
            if isinstance(event, Reply):
                self._replies.append(event)
            else:
                self._ending = event
                self._mistrust(event)

    def _settle(self, transaction: Transaction) -> None:
        self.phase = transaction.phase
        self.told.update(transaction.told)
        if self._terms.resets != transaction.is_open or not self._terms.rested:
            settings = self._settings
            self._terms = Terms(settings.timeouts, settings.chunking, rested=True, resets=transaction.is_open)

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
            self.tls = self._stream.tls
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
        if not (self._replies or self._ending):
            self._allow(limit_s)
            try:
                while not (self._replies or self._ending):
                    self._take(await self._stream.read())
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
        match self._ending:
            case Unsolicited(reply) if reply.code == 421:
                return HostError(self.phase, host_outcome(reply, self.phase))
            case Unsolicited(reply):
                return self._lost(f"the host broke the protocol: {reply} answers nothing")
            case Violation(why):
                return self._lost(f"the host broke the protocol: {why}")
            case NetError() as problem:
                lost = self._lost(problem.why)
                lost.__cause__ = problem
                return lost
        return self._lost("the host closed the connection")

    def _mistrust(self, ending: Ending) -> None:
        """A refusal right behind what looks like a receipt may be the true answer, the other an earlier command's."""
        if not self._replies or self._client.answered not in (Bdat, EndOfData) or self._replies[-1].code >= 400:
            return
        match ending:
            case Unsolicited(refusal) if refusal.code >= 400 and refusal.code != 421:
                self._ending = Violation(f"{self._replies.pop()}, and then {refusal}")

    def _allow(self, limit_s: float) -> None:
        self._wait, self._waited_s = Expect(limit_s), 0.0
        self._deadline.allow(limit_s)

    def _expire(self) -> float | None:
        """The time is up, unless a host is asked for a sign of life and gives one: then it may take a while."""
        sign_s = self._wait.sign_s or 0.0
        self._waited_s += sign_s
        if 0 < self._waited_s < self._wait.limit_s and not self._stream.is_unheard(self._waited_s):
            return sign_s
        self.is_gone = sign_s > 0
        self._stream.abort()
        return None

    def _agreed(self, reply: Reply) -> Reply:
        if reply.code >= 400:
            raise HostError(self.phase, host_outcome(reply, self.phase))
        return reply

    def _refuse(self, text: str, status: str) -> HostError:
        return HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, text, status, self.phase))

    def _lost(self, why: str) -> HostError:
        if self.is_gone:
            why = "the host has not answered on a connection kept open"
        elif self._deadline.is_missed:
            why = f"timed out after {self._wait.limit_s:g} s"
        return self._refuse(why, "4.4.2")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
