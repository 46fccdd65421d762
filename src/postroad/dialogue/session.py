"""A session as a client, from the greeting to the last message: what deliveries, probes and visits are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from postroad.dialogue.conversation import HostError
from postroad.dialogue.login import authenticate, why_ourselves
from postroad.dialogue.message import Message, NotOursError
from postroad.dialogue.secured import SecuredConversation
from postroad.dialogue.settings import ClientSettings
from postroad.net import Stream
from postroad.smtp import (
    MORE,
    Break,
    ClientState,
    Ehlo,
    Expect,
    Helo,
    More,
    Step,
    Terms,
    Transaction,
    Write,
)
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Outcome, Phase
from postroad.words.reply import Reply
from postroad.words.tls import OPPORTUNISTIC, Demand

SMTP_PORT = 25


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


class Session(SecuredConversation):
    """An SMTP session as a client over a stream: a conversation that opens, and brings mail.

    `told` is what each recipient of the message under way was told so far: after a HostError it says what was reached.
    """

    def __init__(
        self, stream: Stream, settings: ClientSettings, exchange: str = "", demand: Demand = OPPORTUNISTIC
    ) -> None:
        super().__init__(stream, settings, exchange, demand)
        self.told: dict[int, Outcome] = {}
        self.messages = 0  # transactions begun
        self.helo = ""  # the name by which the host first answered EHLO
        self.opened_at = asyncio.get_running_loop().time()
        self._sending: _Sending | None = None
        self._terms = Terms(settings.timeouts, settings.chunking)
        self._hostname = settings.hostname or str(AddressLiteral(stream.local.address))

    async def greet(self) -> Reply:
        """The greeting; before it the TLS handshake, where the connection begins with that (RFC 8314 section 3.3).

        Raises:
            HostError: no handshake, not what is demanded, or no 220. A 5xx greeting says that this host takes no mail
                now, not that the domain does not (RFC 7504 section 3 for 521): deferred, and the next exchanger is
                asked.

        """
        if self._settings.implicit_tls:
            await self._secure(self._begin_with_tls)
            self.phase = Phase.GREETING
        return self._agreed(await self._reply(self._settings.timeouts.greeting_s))

    async def hello(self, *, clear: bool = False) -> None:
        """EHLO, STARTTLS where it is offered (unless `clear`), EHLO again, and AUTH where we have a login.

        Raises:
            HostError: EHLO was not taken, the TLS handshake failed or did not prove what is demanded (phase starttls),
                or the host is we ourselves.

        """
        if loop := why_ourselves(await self.ehlo(), self._hostname, self._stream.peer):
            raise self.refuse(loop, "4.4.6")
        self.helo = self.capabilities.name
        offers = self._settings.tls and self._demand.uses_tls and self.capabilities.starttls
        if offers and not clear and not self.tls and await self._secure(self._ask_for_tls):
            await self.ehlo()
        if not self.tls:
            self._stay_in_clear()
        if self._settings.login:
            await authenticate(self, self._settings.login, self._settings.timeouts.mail_s)

    async def ehlo(self) -> Reply:
        """EHLO, or HELO for hosts older than RFC 1869; the reply to the one that was taken."""
        limit_s = self._settings.timeouts.ehlo_s
        reply = await self.ask(Ehlo(self._hostname), limit_s, Phase.EHLO)
        if reply.is_permanent:  # RFC 5321 section 3.2: a client that is refused EHLO falls back to HELO
            reply = await self.ask(Helo(self._hostname), limit_s, Phase.EHLO)
        return self._agreed(reply)

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

    def close(self) -> None:
        """Leave without a word."""
        if self._sending and self._sending.feeding:
            self._sending.feeding.cancel()
        self._sending = None
        super().close()

    def _begin(self, sending: _Sending) -> None:
        """The next transaction."""
        self.phase = Phase.MAIL
        if self._replies or self._heard.ending or self._client.state is ClientState.CLOSED:
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
                    if not sending.message.is_ours():  # before the last moment at which that matters: the final dot
                        self._stream.abort()
                        self._end(sending, NotOursError())
                        return
                    self._stream.write(octets)
                    step = then
                case Expect() if self._replies:
                    step = transaction.hear(self._replies)
                case Expect(limit_s, sign_s) if not self._heard.ending:
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
        elif self._replies or self._heard.ending:
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
                elif not sending.message.is_ours():
                    raise NotOursError  # noqa: TRY301  # as what else is not the host's doing
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
        self._heard.take(data)
        sending = self._sending
        if sending and sending.transaction and not sending.feeding and (self._replies or self._heard.ending):
            self._drive(sending, sending.transaction, self._wait)

    def _settle(self, transaction: Transaction) -> None:
        self.phase = transaction.phase
        self.told.update(transaction.told)
        if self._terms.resets != transaction.is_open or not self._terms.rested:
            settings = self._settings
            self._terms = Terms(settings.timeouts, settings.chunking, rested=True, resets=transaction.is_open)

    def _end(self, sending: _Sending, error: BaseException | None) -> None:
        self._sending = None
        sending.done(error)
