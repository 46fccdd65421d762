"""Exchangers that take mail, put it off, or die in the middle of it."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from enum import StrEnum
from ipaddress import ip_address

from tests.faults.deaf import deafen
from tests.support.patience import PATIENCE_S

from postroad.lab.blackhole import Blackhole
from postroad.net import NetError, bind, serve
from postroad.smtp import (
    BodyComplete,
    BodyPiece,
    Closed,
    Ehlo,
    Rcpt,
    Server,
    ServerConfig,
    ServerState,
    StartTls,
    format_reply,
)
from postroad.words.reply import Reply

TAKEN = Reply(250, ("2.0.0 taken",))
LATER = Reply(451, ("4.3.0 not now",))
NEVER = Reply(550, ("5.7.1 not from you",))
EARLY = Reply(250, ("2.0.0 one reply too many",))
ODD = Reply(354, ("go ahead, out of place",))
ROOM = 5  # recipients that a sink with a limit takes in one transaction
CONFIG = ServerConfig("sink.example")
WITHOUT_CHUNKS = ServerConfig("sink.example", chunking=False)  # there a message is begun by DATA


class Mood(StrEnum):
    """What an exchanger does with a transaction."""

    TAKE = "take"
    DEFER = "451 after the dot"
    AT_RCPT = "drop at RCPT"
    IN_DATA = "drop in DATA"
    AT_DOT = "drop after the dot, not taken"
    AFTER_DOT = "drop after the dot, taken"
    MANY_452 = "452 to the sixth recipient"
    MANY_552 = "552 to the sixth recipient"
    NO_RCPT = "550 at RCPT"
    NO_DOT = "550 after the dot"
    EARLY_AT_EHLO = "a reply too many to EHLO"
    EARLY_AT_RCPT = "a reply too many to RCPT, and nothing taken"
    ODD_AT_DOT = "354 after the dot, not taken"


_TOO_MANY = {
    Mood.MANY_452: Reply(452, ("4.5.3 too many recipients",)),
    Mood.MANY_552: Reply(552, ("too many recipients",)),  # RFC 5321 section 4.5.3.1.10: to be taken as 452
}
_ENDS = {Mood.DEFER: LATER, Mood.EARLY_AT_RCPT: LATER, Mood.ODD_AT_DOT: ODD, Mood.NO_DOT: NEVER}


class DiedError(Exception):
    """The exchanger is gone."""


class Sink:
    """One exchanger. Each transaction has one of `moods`, drawn; it answers the final dot up to `pause_s` late.

    Each session shows one of `shows`, drawn: TLS contexts by what they are called, None where STARTTLS is not offered.
    `witnessed` counts what was taken: in which domain, and what the session had shown, None in the clear.
    """

    def __init__(self, address, ledger, rng):
        self.address = ip_address(address)
        self.moods = (Mood.TAKE,)
        self.config = CONFIG
        self.shows = {"": None}
        self.witnessed = Counter()
        self.refused = 0  # recipients, for good
        self.pause_s = 0.0
        self._may_answer = asyncio.Event()  # the final dot
        self._may_answer.set()
        self._may_go_on = asyncio.Event()  # with a recipient
        self._may_go_on.set()
        self.kept = 0  # sessions that wait for that
        self.peers = Counter()  # sessions, by the address of the other end
        self.taken = self.deferred = 0
        self.ledger = ledger
        self.rng = rng
        self._door = self._listening = None
        self._streams = set()
        self._port = 0

    @property
    def sessions(self):
        """Connections that are open."""
        return self.peers.total()

    async def open(self, port):
        """Take mail on a port."""
        self._port = port
        self._listening = await self._bound(port)
        self._door = await serve(self._listening, self._serve)

    async def close(self):
        """Drop all connections; from now on they are refused."""
        door, self._door = self._door, None
        if door:
            await door.stop()

    async def end(self):
        """Close it for good."""
        await self.close()

    async def hold(self):
        """Answer no final dot until released."""
        self._may_answer.clear()

    async def release(self):
        """Answer them all."""
        self._may_answer.set()
        self._may_go_on.set()

    def keep(self):
        """Answer no RCPT until released."""
        self._may_go_on.clear()

    async def may_go_on(self):
        """Wait until it may answer RCPT."""
        self.kept += 1
        await self._may_go_on.wait()
        self.kept -= 1

    async def freeze(self):
        """Die as a machine without power does: nothing is refused, nothing answered."""
        for sock in (self._listening, *(stream._transport.get_extra_info("socket") for stream in self._streams)):
            deafen(sock)

    async def thaw(self):
        """Start again, with all that was open forgotten."""
        await self.close()
        await self.open(self._port)

    async def may_answer(self):
        """Wait until it may answer a final dot."""
        await self._may_answer.wait()

    async def swallow(self, port):
        """Answer no connection attempt, until closed."""
        await self.close()
        self._door = Blackhole(await self._bound(port))
        await self._door.open()

    async def _bound(self, port):
        """A socket with this port, once no process that is being started has what was closed here any more."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(NetError):
                    return bind(self.address, port)
                await asyncio.sleep(0.01)

    async def _serve(self, stream):
        peer = str(stream.peer.address)
        self.peers[peer] += 1
        self._streams.add(stream)
        try:
            await _Session(self, stream).run()
        except DiedError:
            stream.abort()
        finally:
            self._streams.discard(stream)
            self.peers[peer] -= 1


class _Session:
    def __init__(self, sink, stream):
        self._sink = sink
        self._stream = stream
        self._shown = sink.rng.choice(list(sink.shows))
        self._tls = sink.shows[self._shown]
        self._server = Server(replace(sink.config, starttls=True) if self._tls else sink.config)
        self._pieces = []
        self._mood = Mood.TAKE
        self._is_out_of_step = False

    async def run(self):
        self._stream.write(self._server.greet())
        while self._server.state is not ServerState.CLOSED:
            await self._stream.drain()
            event = self._server.receive(await self._stream.read())
            while event:
                if isinstance(event, Closed):
                    return
                await self._on(event)
                event = self._server.receive()

    async def _on(self, event):
        if isinstance(event, BodyPiece | BodyComplete):
            self._die_if(Mood.IN_DATA)
            self._pieces.append(event.data)
            if isinstance(event, BodyComplete):
                await self._complete()
        elif isinstance(event, StartTls):
            self._stream.write(self._server.agree())
            await self._stream.start_tls(self._tls, None)
            self._server.tls_started()
        else:
            self._mood = self._sink.rng.choice(self._sink.moods) if isinstance(event, Rcpt) else self._mood
            self._die_if(Mood.AT_RCPT, when=isinstance(event, Rcpt))
            if isinstance(event, Rcpt):
                await self._sink.may_go_on()
            self._command(event)

    def _command(self, command):
        is_full = isinstance(command, Rcpt) and len(self._server.transaction.recipients) >= ROOM
        refusal = _TOO_MANY.get(self._mood) if is_full else None
        if isinstance(command, Rcpt) and self._mood is Mood.NO_RCPT:
            refusal = NEVER
        self._sink.refused += refusal is NEVER
        said = self._server.reply(refusal) if refusal else self._server.agree()
        # in one write with the reply before it: nobody could tell a later one from the reply to the next command
        self._stream.write(said + format_reply(EARLY) if self._is_early(command) else said)

    def _is_early(self, command):
        if isinstance(command, Ehlo):
            self._is_out_of_step = self._sink.rng.choice(self._sink.moods) is Mood.EARLY_AT_EHLO
            return self._is_out_of_step
        return isinstance(command, Rcpt) and self._mood is Mood.EARLY_AT_RCPT

    async def _complete(self):
        content, self._pieces = b"".join(self._pieces), []
        self._die_if(Mood.IN_DATA)
        self._die_if(Mood.AT_DOT)
        end = LATER if self._is_out_of_step else _ENDS.get(self._mood, TAKEN)
        if end is TAKEN:
            self._sink.taken += 1
            envelope = self._server.transaction.envelope
            mailboxes = [str(recipient.mailbox) for recipient in envelope.recipients]
            self._sink.ledger.take(envelope.reverse_path, mailboxes, content, str(self._stream.peer.address))
            shown = self._shown if self._stream.tls else None
            self._sink.witnessed.update((mailbox.rpartition("@")[2], shown) for mailbox in mailboxes)
        elif end is NEVER:
            self._sink.refused += 1
        else:
            self._sink.deferred += 1
        if self._mood is Mood.AFTER_DOT:
            self._sink.ledger.unanswered += 1
        self._die_if(Mood.AFTER_DOT)
        await self._sink.may_answer()
        if self._sink.pause_s:
            await asyncio.sleep(self._sink.rng.uniform(0, self._sink.pause_s))
        self._reply(end)

    def _die_if(self, mood, *, when=True):
        if when and self._mood is mood:
            raise DiedError

    def _reply(self, reply):
        self._stream.write(self._server.reply(reply))
