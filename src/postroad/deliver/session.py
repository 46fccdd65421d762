"""One SMTP session as a client, over one stream: greeting, EHLO, STARTTLS, one transaction, QUIT."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from postroad.deliver.settings import DeliverSettings, Login
from postroad.net import Deadline, NetError, Stream
from postroad.smtp import (
    Auth,
    Client,
    ClientState,
    Closed,
    Command,
    Data,
    Ehlo,
    Greeting,
    Helo,
    Mail,
    Quit,
    Rcpt,
    Replied,
    Rset,
    StartTls,
    Unsolicited,
    Violation,
)
from postroad.words.mail import Envelope, Recipient
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply

PIECE = 64 * 1024  # octets of the message handed to the stream at a time
ONE_FLIGHT = 64 * 1024  # a message up to this size goes out with its envelope: one round trip for all of it


class Pieces(Protocol):
    """A content too large to be held: its octets piece by piece."""

    @property
    def size(self) -> int:
        """Octets in all."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, from the beginning each time."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its envelope. `content` has CRLF line ends only."""

    envelope: Envelope
    content: bytes | Pieces

    @property
    def size(self) -> int:
        """Octets of the content."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size

    async def pieces(self) -> AsyncIterator[bytes]:
        """The content in pieces of bounded size."""
        if isinstance(self.content, bytes):
            for start in range(0, len(self.content), PIECE):
                yield self.content[start : start + PIECE]
        else:
            async for piece in self.content:
                yield piece


class HostError(Exception):
    """The session is over, for a reason that is the host's or the network's: the outcome, of host scope."""

    def __init__(self, phase: Phase, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.phase = phase
        self.outcome = outcome


class Session:
    """Drives a Client over a stream.

    `phase` is where it stands, `told` what each recipient of the transaction was told so far: after a HostError
    they say what was reached.
    """

    def __init__(self, stream: Stream, settings: DeliverSettings, *, clear: bool = False) -> None:
        self.phase = Phase.GREETING
        self.told: dict[int, Outcome] = {}
        self.messages = 0  # transactions begun
        self.opened_at = asyncio.get_running_loop().time()
        self._accepted: list[int] = []
        self._is_open = False  # the host may hold a transaction that brought no message
        self._stream = stream
        self._deadline = Deadline(stream.abort)
        self._limit_s = 0.0
        self._settings = settings
        self._tls = None if clear else settings.tls
        self._client = Client()
        self._events: deque[object] = deque()
        self._hostname = settings.hostname or str(AddressLiteral(stream.local.address))

    async def greet(self) -> None:
        """Read the greeting.

        Raises:
            HostError: no 220. A 5xx greeting says that this host takes no mail now, not that the domain does not
                (RFC 7504 section 2 for 521): deferred, and the next exchanger is asked.

        """
        reply = await self._reply(self._settings.timeouts.greeting_s)
        if reply.code != 220:
            raise self._host_error(reply)

    async def hello(self, exchange: str) -> None:
        """EHLO, STARTTLS where it is offered, and EHLO again; HELO for hosts older than RFC 1869.

        Raises:
            HostError: neither was taken, or the TLS handshake failed (phase starttls).

        """
        self.phase = Phase.EHLO
        await self._ehlo()
        if self._tls and self._client.capabilities and self._client.capabilities.starttls:
            self.phase = Phase.STARTTLS
            if (await self._ask(StartTls(), self._settings.timeouts.starttls_s)).code == 220:
                await self._start_tls(exchange)
                self.phase = Phase.EHLO
                await self._ehlo()
        if self._settings.tls_required and not self.tls:
            text = "TLS is required by the settings of this route, and the host does not offer it"
            raise HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, text, "4.7.4", self.phase))
        if self._settings.login:
            await self._authenticate(self._settings.login)

    async def transaction(self, message: Message, recipients: tuple[int, ...]) -> dict[int, Outcome]:
        """Send the message to these of its recipients; what each was told.

        Where the host pipelines (RFC 2920), the envelope goes in one flight with DATA, or with the whole message if
        that is small and the host takes BDAT (RFC 3030): one round trip for all.

        Raises:
            HostError: the connection ended, or a 421 came, before those not in `told` were settled.

        """
        self.phase, self.told, self._accepted = Phase.MAIL, {}, []
        unable = self._unable(message)
        if unable:
            self.told = dict.fromkeys(recipients, unable)
            return self.told
        # On a connection that has rested the host may have hung up: nothing that counts is sent before it has answered.
        whole = self._chunks and not self.messages and isinstance(message.content, bytes) and message.size <= ONE_FLIGHT
        if self._is_open:
            await self._reset()
        self.messages, self._is_open = self.messages + 1, True
        with_opening = self._pipelines and (whole or not self._chunks)
        try:
            await self._envelope(message, recipients, with_opening=with_opening)
        except HostError as lost:
            if not (whole and with_opening) or lost.outcome.reply:
                raise
            self._accepted = [index for index in recipients if index not in self.told]
            self._settle(self._unsettled(lost))  # all of it was sent: it may be there
            return self.told
        if not with_opening:
            if not self._accepted:
                return self.told
            await self._write(self._opening(message))
        if self._chunks and not (whole and with_opening):
            await self._write_pieces(message)
        self._settle(await (self._final_reply() if self._chunks else self._data(message)))
        return self.told

    @property
    def is_reusable(self) -> bool:
        """Whether another transaction may follow on this connection."""
        return self._client.state is ClientState.READY and not self._events

    @property
    def takes_dsn_over(self) -> bool:
        """Whether the host takes over what the sender wants to be told (RFC 3461 section 5.2)."""
        return bool(self._client.capabilities and self._client.capabilities.dsn)

    def rest(self) -> None:
        """Nothing is under way: no time limit runs."""
        self._deadline.lift()

    def close(self) -> None:
        """Leave without a word."""
        self._deadline.close()
        self._stream.close()

    async def quit(self) -> None:
        """Say goodbye; the mail is settled, so nothing that happens here matters."""
        if self._client.may_send(Quit):
            with contextlib.suppress(HostError):
                await self._ask(Quit(), self._settings.timeouts.quit_s)
        self.close()

    @property
    def tls(self) -> str | None:
        """Protocol and cipher, None in the clear."""
        return self._stream.tls

    @property
    def _pipelines(self) -> bool:
        return bool(self._client.capabilities and self._client.capabilities.pipelining)

    @property
    def _chunks(self) -> bool:
        offered = self._client.capabilities
        return bool(self._settings.chunking and offered and offered.chunking)

    def _opening(self, message: Message) -> bytes:
        """What begins the transfer of the message: DATA, or BDAT for all of it as one chunk."""
        return self._client.send_chunk_line(message.size, last=True) if self._chunks else self._client.send(Data())

    async def _write_pieces(self, message: Message) -> None:
        """The octets of the chunk that was announced."""
        async for piece in message.pieces():
            await self._write(piece)

    async def _envelope(self, message: Message, recipients: tuple[int, ...], *, with_opening: bool) -> None:
        """MAIL and every RCPT: in one flight, with the opening if asked, or without pipelining one after the other."""
        limits = self._settings.timeouts
        flight: list[Command] = [self._mail(message), *(self._rcpt(message, index) for index in recipients)]
        if self._pipelines:
            octets = b"".join([self._client.send(command) for command in flight])
            if with_opening:
                octets += self._opening(message)
                if self._chunks and isinstance(message.content, bytes):
                    octets += message.content
            await self._write(octets)
        limit_s = limits.mail_s if self.messages == 1 else min(limits.mail_s, limits.resting_s)
        mail = await (self._reply(limit_s) if self._pipelines else self._ask(flight[0], limit_s))
        for index, command in zip(recipients, flight[1:], strict=True):
            if not mail.is_positive:
                self.told[index] = self._outcome(mail, Scope.MESSAGE)
            if self._pipelines:
                reply = await self._reply(limits.rcpt_s)
            elif mail.is_positive:
                self.phase = Phase.RCPT
                reply = await self._ask(command, limits.rcpt_s)
            if mail.is_positive:
                self.phase = Phase.RCPT
                self._note(index, reply)

    def _note(self, index: int, reply: Reply) -> None:
        if reply.is_positive:
            self._accepted.append(index)
        else:
            self.told[index] = self._outcome(reply, Scope.RECIPIENT)

    def _settle(self, outcome: Outcome) -> None:
        """All recipients that were accepted share what became of the message; taken, it ends the transaction."""
        self._is_open = outcome.result is not Result.DELIVERED
        self.told.update(dict.fromkeys(self._accepted, outcome))

    async def _reset(self) -> None:
        """Refused recipients leave a transaction open, in which the next MAIL is out of sequence."""
        limits = self._settings.timeouts
        reply = await self._ask(Rset(), min(limits.mail_s, limits.resting_s))
        if not reply.is_positive:
            raise self._host_error(reply)

    async def _data(self, message: Message) -> Outcome:
        """The message after DATA; an empty one to a host that says 354 though it refused all (RFC 2920 section 3.1)."""
        if self._accepted:
            self.phase = Phase.DATA
        go = await self._reply(self._settings.timeouts.data_s)
        if go.code != 354:
            return self._outcome(go, Scope.MESSAGE)
        if self._accepted and isinstance(message.content, bytes) and message.size <= PIECE:
            await self._write(self._client.send_body(message.content) + self._client.end_body())
            return await self._final_reply()
        if self._accepted:
            async for piece in message.pieces():
                await self._write(self._client.send_body(piece))
        await self._write(self._client.end_body())
        return await self._final_reply()

    async def _final_reply(self) -> Outcome:
        """The reply to the end of the message. If none comes the message may be there (RFC 5321 section 6.1)."""
        if self._accepted:
            self.phase = Phase.DOT
        try:
            reply = await self._reply(self._settings.timeouts.dot_s)
        except HostError as lost:
            if lost.outcome.reply:  # a 421 is a reply: the message was not taken
                raise
            return self._unsettled(lost)
        return self._outcome(reply, Scope.MESSAGE)

    def _unsettled(self, lost: HostError) -> Outcome:
        self.phase = Phase.DOT
        text = f"no reply to the final dot ({lost.outcome.text}): the host may have the message"
        return Outcome(Result.DEFERRED, Scope.MESSAGE, text, "4.4.2", Phase.DOT, unsettled=True)

    async def _authenticate(self, login: Login) -> None:
        """Say who we are (RFC 4954), by PLAIN where the host has it, else by LOGIN.

        A host that knows us not is a fault of our settings, and mail waits until they are mended: deferred.
        """
        self.phase = Phase.AUTH
        offered = self._client.capabilities.auth if self._client.capabilities else frozenset()
        if "PLAIN" in offered:
            token = _base64(f"\0{login.user}\0{login.password}")
            reply = await self._ask(Auth("PLAIN", token), self._settings.timeouts.mail_s)
        elif "LOGIN" in offered:
            reply = await self._ask(Auth("LOGIN", None), self._settings.timeouts.mail_s)
            for answer in (login.user, login.password):
                if reply.code == 334:
                    await self._write(self._client.auth_response(_base64(answer)))
                    reply = await self._reply(self._settings.timeouts.mail_s)
        else:
            text = "the settings of this route have a login, and the host offers no AUTH PLAIN or LOGIN"
            raise HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, text, "4.7.8", self.phase))
        if reply.code != 235:
            raise self._host_error(reply)

    async def _ehlo(self) -> None:
        reply = await self._ask(Ehlo(self._hostname), self._settings.timeouts.ehlo_s)
        if reply.is_permanent:  # RFC 5321 section 3.2: a client that is refused EHLO falls back to HELO
            reply = await self._ask(Helo(self._hostname), self._settings.timeouts.ehlo_s)
        if not reply.is_positive:
            raise self._host_error(reply)

    async def _start_tls(self, exchange: str) -> None:
        assert self._tls  # noqa: S101  # the caller asked
        self._allow(self._settings.timeouts.starttls_s)
        try:
            await self._stream.start_tls(self._tls, exchange or None)
        except NetError as problem:
            raise self._lost(str(problem)) from problem
        self._client.tls_started()

    def _unable(self, message: Message) -> Outcome | None:
        """Why this host cannot take this message, by its own word at EHLO. Another one may."""
        offered = self._client.capabilities
        if offered and offered.size and message.size > offered.size:
            text = f"the message has {message.size} octets, the host takes {offered.size} (RFC 1870)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.3.4", Phase.MAIL)
        if message.envelope.smtputf8 and not (offered and offered.smtputf8):
            text = "the message needs SMTPUTF8, which the host does not offer (RFC 6531)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.6.7", Phase.MAIL)
        return None

    def _mail(self, message: Message) -> Mail:
        """MAIL with what the host knows. An 8-bit message goes to a 7-bit host as it is: see docs/decisions."""
        offered, envelope = self._client.capabilities, message.envelope
        eight_bit = bool(offered and offered.eight_bit_mime and envelope.eight_bit)
        dsn = bool(offered and offered.dsn)
        return Mail(
            envelope.reverse_path,
            size=message.size if offered and offered.size is not None else None,
            body="8BITMIME" if eight_bit else None,
            smtputf8=envelope.smtputf8,
            ret=envelope.ret if dsn else None,
            envid=envelope.envid if dsn else None,
        )

    def _rcpt(self, message: Message, index: int) -> Rcpt:
        recipient = message.envelope.recipients[index]
        if self._client.capabilities and self._client.capabilities.dsn:
            return Rcpt(recipient)
        return Rcpt(Recipient(recipient.mailbox))

    async def _ask(self, command: Command, limit_s: float) -> Reply:
        await self._write(self._client.send(command))
        return await self._reply(limit_s)

    async def _write(self, data: bytes) -> None:
        """Write in pieces, waiting until the stream has room. A host that hung up may have said why: read on."""
        for start in range(0, len(data), PIECE):
            self._allow(self._settings.timeouts.block_s)
            self._stream.write(data if len(data) <= PIECE else data[start : start + PIECE])
            try:
                await self._stream.drain()
            except NetError:
                if self._deadline.is_missed:
                    raise self._lost("") from None
                return

    async def _reply(self, limit_s: float) -> Reply:
        """The next reply in order.

        Raises:
            HostError: the connection ended, the time was up, the peer broke the protocol, or the reply is a 421.

        """
        reply = self._next_reply()
        if reply is None:
            self._allow(limit_s)
            try:
                while reply is None:
                    self._events.extend(self._client.receive(await self._stream.read()))
                    reply = self._next_reply()
            except NetError as problem:
                raise self._lost(problem.why) from problem
        if reply.code == 421:  # "service not available, closing": to any command (RFC 5321 section 4.2.3)
            raise self._host_error(reply)
        return reply

    def _allow(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._deadline.allow(limit_s)

    def _next_reply(self) -> Reply | None:
        while self._events:
            match self._events.popleft():
                case Greeting(reply) | Replied(_, reply):
                    return reply
                case Unsolicited(reply):
                    raise self._host_error(reply)
                case Closed():
                    raise self._lost("the host closed the connection")
                case Violation(why):
                    raise self._lost(f"the host broke the protocol: {why}")
        return None

    def _lost(self, why: str) -> HostError:
        if self._deadline.is_missed:
            why = f"timed out after {self._limit_s:g} s"
        return HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, why, "4.4.2", self.phase))

    def _host_error(self, reply: Reply) -> HostError:
        status = reply.enhanced if reply.enhanced and reply.is_temporary else "4.3.0"
        return HostError(self.phase, Outcome(Result.DEFERRED, Scope.HOST, str(reply), status, self.phase, reply))

    def _outcome(self, reply: Reply, scope: Scope) -> Outcome:
        result = Result.DELIVERED if reply.is_positive else Result.FAILED if reply.is_permanent else Result.DEFERRED
        digit = {Result.DELIVERED: 2, Result.FAILED: 5, Result.DEFERRED: 4}[result]
        return Outcome(result, scope, str(reply), reply.enhanced or f"{digit}.0.0", self.phase, reply)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
