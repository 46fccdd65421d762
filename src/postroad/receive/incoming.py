"""One message on its way in: held while it is small, handed on in pieces when it is not."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from postroad.receive.desk import Desk
from postroad.receive.headers import Hop, prefix, protocol, read_head
from postroad.receive.keeper import Arrival, reply_to
from postroad.receive.policy import Client
from postroad.spool import PIECE, SpoolError
from postroad.words.mail import Envelope
from postroad.words.reply import Reply

CROWDED = Reply(452, ("4.3.1 too much mail at once, try again soon",))
LOOPING = Reply(554, ("5.4.6 too many hops: the message goes in circles",))


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends a message: the client, the name it gave itself, by EHLO (`extended`) or HELO, and its TLS."""

    client: Client
    name: str
    extended: bool
    tls: str | None


class Incoming:
    """A message whose octets are coming. Memory: PIECE and one read. What refuses it is told at its end."""

    def __init__(self, desk: Desk, source: Source, envelope: Envelope) -> None:
        self.envelope = envelope
        self.id = ""  # from the moment its head is known
        self.size = 0
        self._desk = desk
        self._source = source
        self._at = 0.0
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_written = False
        self._refusal: Reply | None = None

    async def take(self, octets: bytes) -> None:
        """Some more of it."""
        if self._refusal:
            return
        if not self._desk.ledger.take(len(octets)):
            await self._refuse(CROWDED)
            return
        self._pieces.append(octets)
        self._held += len(octets)
        if self._held > PIECE:
            await self._hand_on()

    async def complete(self) -> Reply:
        """That was all: have it kept; the reply says what became of it."""
        if not self.id:
            self._begin()
        if self._refusal is None:
            try:
                await self._keep()
            except SpoolError as trouble:
                await self._refuse(reply_to(trouble))
        self._let_go()
        return self._refusal or Reply(250, (f"2.0.0 kept as {self.id}",))

    async def abandon(self) -> None:
        """It will not be whole: forget it."""
        self._let_go()
        if self._is_written:
            self._is_written = False
            with contextlib.suppress(SpoolError):  # the spool sweeps up what is left over
                await self._desk.keeper.discard(self.id)

    async def _keep(self) -> None:
        rest = b"".join(self._pieces)
        self.size += len(rest)
        await self._desk.keeper.keep(Arrival(self.id, self.envelope, self._at, self.size, self._origin()), rest)

    async def _hand_on(self) -> None:
        """Whole pieces go to the keeper; less than one stays."""
        if not self.id:
            self._begin()
        if self._refusal:
            return
        joined = b"".join(self._pieces)
        whole = len(joined) - len(joined) % PIECE
        try:
            for start in range(0, whole, PIECE):
                self._is_written = True
                await self._desk.keeper.write(self.id, joined[start : start + PIECE])
        except SpoolError as trouble:
            await self._refuse(reply_to(trouble))
            return
        self.size += whole
        self._pieces = [joined[whole:]]
        self._desk.ledger.give(self._held - (len(joined) - whole))
        self._held = len(joined) - whole

    def _begin(self) -> None:
        """The head is here: count the hops, and put our fields in front."""
        settings = self._desk.settings
        first = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        head = read_head(first)
        if head.hops > settings.limits.hops:
            self._refusal = LOOPING
            self._let_go()
            return
        self.id = self._desk.keeper.begin()
        self._at = self._desk.clock()
        self._pieces.insert(0, prefix(head, self._hop(), completes=settings.completes))

    def _hop(self) -> Hop:
        source, recipients = self._source, self.envelope.recipients
        return Hop(
            client=source.name,
            address=source.client.address,
            hostname=self._desk.settings.hostname,
            protocol=self._protocol(),
            id=self.id,
            at=self._at,
            tls=source.tls,
            recipient=recipients[0].mailbox if len(recipients) == 1 else None,
        )

    def _origin(self) -> str:
        source = self._source
        user = f" as {source.client.user}" if source.client.user else ""
        return f"{source.client.address} ({source.name}) by {self._protocol()}{user}"

    def _protocol(self) -> str:
        client = self._source.client
        return protocol(
            extended=self._source.extended,
            tls=client.is_tls,
            authenticated=client.user is not None,
            smtputf8=self.envelope.smtputf8,
        )

    async def _refuse(self, reply: Reply) -> None:
        self._refusal = reply
        await self.abandon()

    def _let_go(self) -> None:
        self._desk.ledger.give(self._held)
        self._held = 0
        self._pieces.clear()
