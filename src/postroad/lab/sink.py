"""SMTP exchangers on loopback that keep or count what they are sent, and fail the way they are told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from postroad.lab.blackhole import Blackhole
from postroad.lab.certificate import MISMATCH, mismatched_context, server_chain, server_context
from postroad.net import Endpoint, Stream, bind, serve
from postroad.smtp import (
    BodyComplete,
    BodyPiece,
    Closed,
    Data,
    Mail,
    Rcpt,
    Server,
    ServerConfig,
    ServerEvent,
    StartTls,
)
from postroad.words import trace
from postroad.words.faults import Fault, Mode
from postroad.words.mail import Envelope
from postroad.words.names import Address
from postroad.words.reply import Reply
from postroad.words.trace import Event

GREETINGS = {
    Mode.G421: Reply(421, ("4.3.2 The lab says: not now",)),
    Mode.G554: Reply(554, ("5.3.2 The lab says: no mail here",)),
}
AT_RCPT = {
    Mode.R450: Reply(450, ("4.2.0 The lab says: come back later",)),
    Mode.R550: Reply(550, ("5.1.1 The lab says: no such user",)),
}
AT_DATA = Reply(451, ("4.3.0 The lab says: not this message now",))
AFTER_DOT = Reply(451, ("4.3.0 The lab says: could not keep it",))
AT_STARTTLS = {
    Mode.STARTTLS_454: Reply(454, ("4.7.0 The lab says: no TLS now",)),
    Mode.STARTTLS_554: Reply(554, ("5.7.0 The lab says: no TLS here",)),
}
OFFERING = frozenset(mode for mode in Mode if mode.startswith("starttls")) | {Mode.BROKEN_STARTTLS, Mode.TLS_MISMATCH}
"""Faults that offer STARTTLS, whether the lab has TLS or not."""
NO_HANDSHAKE = frozenset(
    {Mode.NO_STARTTLS, Mode.BROKEN_STARTTLS, Mode.STARTTLS_CLOSE, Mode.STARTTLS_220_CLOSE, *AT_STARTTLS}
)
GARBAGE = b"This is not TLS\r\n"
TAKEN = Reply(250, ("2.0.0 Taken",))
UNSAVED = 452  # RFC 5321 section 4.2.3: insufficient system storage; the sender keeps its mail


@dataclass(frozen=True, slots=True)
class Received:
    """A message that an exchanger of the lab took: its envelope, octets, client (and its EHLO), time and TLS."""

    address: Address  # the exchanger's
    envelope: Envelope
    content: bytes
    peer: Endpoint
    at: float  # seconds since the epoch
    tls: str | None
    client_name: str = ""


@dataclass(frozen=True, slots=True)
class Habits:
    """The settings that all exchangers of a lab share. Without `keep` messages are counted only."""

    hostname: str = "mail.lab.invalid"
    tls: ssl.SSLContext | None = None  # offered by STARTTLS where there is one
    shown: tuple[bytes, ...] = ()  # the certificates in it, in DER
    requiretls: bool = False  # offered under TLS (RFC 8689)
    keep: bool = True
    listener: trace.Listener = trace.nobody
    taken: Callable[[Received], None] | None = None  # hears of every message that is kept
    save: Callable[[Received], None] | None = None  # is given each message first; OSError: it cannot be accepted now


class OpenPort(Protocol):
    """An open port of a lab exchanger: a listener or a blackhole."""

    async def stop(self) -> None:
        """Take it away, drop its connections and free the port."""
        ...


class LabExchanger:
    """An SMTP server of the lab on one address and port, with a fault that may change at any time.

    `received` holds what was taken (if the habits say keep), `counts` how many were connected, greeted, rcpt
    (recipients taken), received and closed; the listener is told the same words, as `lab.smtp.connected`.
    """

    def __init__(
        self, address: Address, port: int = 0, habits: Habits | None = None, fault: Fault | None = None
    ) -> None:
        self.address = address
        self.port = port
        self.habits = habits or Habits()
        self.fault = fault or Fault()
        self.received: list[Received] = []
        self.counts: Counter[str] = Counter()
        self._sock: socket.socket | None = None  # bound, not listening: who connects is refused
        self._door: OpenPort | None = None

    @property
    def shown(self) -> tuple[bytes, ...]:
        """The certificates that are seen in a TLS handshake, in DER; nothing if none comes about."""
        match self.fault.mode:
            case Mode.STARTTLS_EXPIRED:
                return server_chain("expired.pem")
            case Mode.TLS_MISMATCH:
                return server_chain(MISMATCH)
            case mode if mode in NO_HANDSHAKE:
                return ()
            case mode if mode in OFFERING:
                return self.habits.shown or server_chain()
        return self.habits.shown

    def hold(self) -> socket.socket:
        """Take the port and refuse connections: so several exchangers agree on one port before the first is open.

        Raises:
            NetError: local: the port is taken.

        """
        self._sock = bind(self.address, self.port)
        self.port = self._sock.getsockname()[1]
        return self._sock

    async def start(self) -> None:
        """Begin to behave as the fault says.

        Raises:
            NetError: local: the port is taken, or the fault is a blackhole and this system cannot have one.

        """
        sock = self._sock or self.hold()
        if self.fault.mode is not Mode.REFUSE:
            self._sock = None
            self._door = await self._opened(sock)

    async def set_fault(self, fault: Fault) -> None:
        """Behave otherwise from now on, in open sessions too. Refuse and blackhole drop them, as a dead host would.

        Raises:
            NetError: local, as for `start`; the exchanger is then stopped.

        """
        before, self.fault = self.fault, fault
        if _door_for(before) != _door_for(fault):
            await self.stop()
            await self.start()

    async def stop(self) -> None:
        """Drop all connections and free the port; `received` and `counts` stay."""
        door, self._door = self._door, None
        sock, self._sock = self._sock, None
        if sock:
            sock.close()
        if door:
            await door.stop()

    def tell(self, what: str, peer: Endpoint, **fields: object) -> None:
        """Count a step and tell it."""
        self.counts[what] += 1
        if self.habits.listener is not trace.nobody:
            facts = {"address": str(self.address), "peer": str(peer), **fields}
            self.habits.listener(Event(f"lab.smtp.{what}", facts))

    def take(self, message: Received) -> None:
        """Keep a message, or let it go.

        Raises:
            OSError: it cannot be saved.

        """
        if self.habits.save:
            self.habits.save(message)
        self.tell("received", message.peer, size=len(message.content), recipients=len(message.envelope.recipients))
        if self.habits.keep:
            self.received.append(message)
            if self.habits.taken:
                self.habits.taken(message)

    async def _opened(self, sock: socket.socket) -> OpenPort:
        if self.fault.mode is Mode.BLACKHOLE:
            hole = Blackhole(sock)
            await hole.open()
            return hole
        return await serve(sock, self._receive)

    async def _receive(self, stream: Stream) -> None:
        peer = stream.peer
        self.tell("connected", peer)
        try:
            await _Session(self, stream, peer).run()
        finally:
            self.tell("closed", peer)


def _door_for(fault: Fault) -> Mode:
    return fault.mode if fault.mode in (Mode.REFUSE, Mode.BLACKHOLE) else Mode.ACCEPT


class _Session:
    """One connection with a sender."""

    def __init__(self, exchanger: LabExchanger, stream: Stream, peer: Endpoint) -> None:
        self._exchanger = exchanger
        self._stream = stream
        self._peer = peer
        offers_tls = exchanger.habits.tls is not None and self._mode is not Mode.NO_STARTTLS
        starttls = offers_tls or self._mode in OFFERING
        chunking = self._mode is not Mode.D451  # there is no DATA to refuse where the message comes by BDAT
        habits = exchanger.habits
        config = ServerConfig(habits.hostname, starttls=starttls, chunking=chunking, requiretls=habits.requiretls)
        self._server = Server(config)
        self._pieces: list[bytes] = []
        self._is_over = False

    async def run(self) -> None:
        """Greet, then answer whatever comes until one of the two has had enough."""
        await self._greet()
        while not self._is_over:
            await self._answer(await self._stream.read())

    @property
    def _mode(self) -> Mode:
        return self._exchanger.fault.mode

    async def _greet(self) -> None:
        if self._mode in (Mode.SLOW, Mode.TARPIT):
            await asyncio.sleep(self._exchanger.fault.seconds)
        if self._mode is Mode.MUTE:
            await self._listen_only()
            return
        self._stream.write(self._server.greet(GREETINGS.get(self._mode)))
        await self._stream.drain()
        self._exchanger.tell("greeted", self._peer)
        self._is_over = self._mode in (Mode.CLOSE, Mode.G421)

    async def _listen_only(self) -> None:
        while await self._stream.read():
            pass
        self._is_over = True

    async def _answer(self, data: bytes) -> None:
        """Go through the events of one read; their replies leave in one write."""
        out: list[bytes] = []
        event = self._server.receive(data)
        while event:
            if isinstance(event, StartTls):
                self._stream.write(b"".join(out))
                out.clear()
                await self._start_tls()
            elif (answer := self._on(event)) and self._mode is Mode.TARPIT:
                await asyncio.sleep(self._exchanger.fault.seconds)
                self._stream.write(answer)
            else:
                out.append(answer)
            event = None if self._is_over else self._server.receive()
        self._stream.write(b"".join(out))
        await self._stream.drain()

    def _on(self, event: ServerEvent) -> bytes:
        if isinstance(event, Closed):
            self._is_over = True
            return b""
        if isinstance(event, BodyPiece | BodyComplete):
            self._pieces.append(event.data)
            return self._to_message() if isinstance(event, BodyComplete) else b""
        refusal = self._refusal(event)
        return self._server.reply(refusal) if refusal else self._server.agree()

    def _refusal(self, event: ServerEvent) -> Reply | None:
        """What the fault says to a command."""
        if isinstance(event, Mail):
            self._pieces.clear()  # of a message that was refused, or given up
        if isinstance(event, Rcpt):
            if self._mode in AT_RCPT:
                return AT_RCPT[self._mode]
            self._exchanger.tell("rcpt", self._peer, recipient=str(event.recipient.mailbox))
        return AT_DATA if isinstance(event, Data) and self._mode is Mode.D451 else None

    def _to_message(self) -> bytes:
        """The final dot: take the message, or do not, or take it and say nothing."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        if self._mode is Mode.E451:
            return self._server.reply(AFTER_DOT)
        envelope = self._server.transaction.envelope
        client = self._server.client_name
        came = Received(self._exchanger.address, envelope, content, self._peer, time.time(), self._stream.tls, client)
        try:
            self._exchanger.take(came)
        except OSError as problem:
            why = problem.strerror or str(problem)
            self._exchanger.tell("unsaved", self._peer, why=why)
            return self._server.reply(Reply(UNSAVED, (f"4.3.1 The lab cannot save it: {why}",)))
        if self._mode is Mode.DROP:
            self._is_over = True
            return b""
        return self._server.reply(TAKEN)

    async def _start_tls(self) -> None:
        """Answer STARTTLS and go on under it; with a fault for it: refuse it, close, or send garbage for TLS."""
        self._exchanger.tell("starttls", self._peer)
        if self._mode in AT_STARTTLS:
            self._stream.write(self._server.reply(AT_STARTTLS[self._mode]))
            return
        if self._mode is Mode.STARTTLS_CLOSE:
            self._is_over = True
            return
        self._stream.write(self._server.agree())
        if self._mode is Mode.STARTTLS_220_CLOSE:
            self._is_over = True
            return
        context = self._context()
        if context is None:
            await self._stream.read()
            self._stream.write(GARBAGE)
            self._is_over = True
            return
        await self._stream.start_tls(context, None)
        self._server.tls_started()

    def _context(self) -> ssl.SSLContext | None:
        match self._mode:
            case Mode.BROKEN_STARTTLS:
                return None
            case Mode.STARTTLS_EXPIRED:
                return server_context("expired.pem")
            case Mode.TLS_MISMATCH:
                return mismatched_context()
            case _:
                return self._exchanger.habits.tls or server_context()
