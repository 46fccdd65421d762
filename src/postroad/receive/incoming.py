"""One incoming message: held in memory while it is small, handed on in pieces if it is not."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from postroad.receive.headers import Hop, Stamp, prefix, read_head
from postroad.receive.keeper import Arrival, Kept, reply_to
from postroad.receive.policy import Peer
from postroad.receive.shared import Shared
from postroad.sign import MessageSigner, whole_lines
from postroad.spool import PIECE, SpoolError
from postroad.words.mail import Envelope, Mailbox, needs_smtputf8
from postroad.words.reply import Reply

if TYPE_CHECKING:
    from postroad.rewrite import Rewriter
    from postroad.sign import SigningPolicy

CROWDED = Reply(452, ("4.3.1 too much mail at once, try again later",))
LOOPING = Reply(554, ("5.4.6 too many hops: mail loop",))


class MessageSource:
    """The sender of a message, and the protocol it came `by`: for its Received field and its origin.

    `name` is the one the client gave itself. `signing`: how its messages are signed, if they are; `rewriter`: what is
    done to them before.
    """

    __slots__ = ("hop", "origin", "rewriter", "signing")

    def __init__(self, client: Peer, name: str, by: str, *, hostname: str, tls: str | None) -> None:
        user = f" as {client.user}" if client.user else ""
        self.hop = Hop(name, client.address, hostname, by, tls)
        self.origin = f"{client.address} ({name}) by {by}{user}"
        self.signing: SigningPolicy | None = None
        self.rewriter: Rewriter | None = None


class Incoming:
    """A message that is arriving, in the memory of one piece and one read.

    Memory: PIECE and one read. What refuses it is told at its end. `said` is the reverse-path that the client said, if
    it was rewritten.
    """

    __slots__ = (
        *("_at", "_held", "_is_written", "_origin", "_pieces", "_refusal", "_shared", "_signer"),
        "_source",
        *("envelope", "id", "said", "signed", "size", "unsigned"),
    )

    def __init__(self, shared: Shared, source: MessageSource, envelope: Envelope, said: Mailbox | None = None) -> None:
        self.envelope = envelope
        self.id = ""  # from the moment its head is known
        self.size = 0
        self.signed = self.unsigned = ""  # the domain that signs it, or what is odd about it
        self._signer: MessageSigner | None = None
        self._shared = shared
        self._source = source
        self.said = said
        self._origin = ""
        self._at = 0.0
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_written = False
        self._refusal: Reply | None = None

    def take(self, octets: bytes) -> Coroutine[Any, Any, None] | None:
        """Some more of it; what is to be done before more is taken, if that needs time."""
        if self._refusal:
            return None
        if not self._shared.ledger.take(len(octets)):
            self._refuse(CROWDED)
            return None
        self._pieces.append(octets)
        self._held += len(octets)
        return self._hand_on() if self._held > PIECE else None

    def keep(self, kept: Kept) -> bool:
        """That was all: have it kept, if it is not refused; `kept` hears of it. Whether it is on its way."""
        if not self.id:
            self._begin()
        if self._refusal:
            return False
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if self._signer:
            rest = whole_lines(rest)  # its CR may be in the piece before, but no LF comes without one
        self.size += len(rest)
        if self._signer:
            self._signer.feed(rest)
            self._shared.signatures.ask(partial(self._signer.fields, self._at), partial(self._signed, rest, kept))
            return True
        arrival = Arrival(self.id, self.envelope, self._at, self.size, self._origin)
        self._shared.keeper.keep(arrival, rest, kept)
        return True

    def reply(self, trouble: Exception | None) -> Reply:
        """What the client is told, now that it is kept, or refused, or cannot be kept.

        Raises:
            Exception: the trouble, if it is none of a spool's.

        """
        if isinstance(trouble, SpoolError):
            self._refuse(reply_to(trouble))
        elif trouble:
            raise trouble
        self.let_go()
        return self._refusal or Reply(250, (f"2.0.0 Ok: queued as {self.id}",))

    def abandon(self) -> None:
        """It will not be whole, or is not kept: forget it."""
        self.let_go()
        if self._is_written:
            self._is_written = False
            self._shared.keeper.discard(self.id)

    def _refuse(self, reply: Reply) -> None:
        self._refusal = reply
        self.abandon()

    async def _hand_on(self) -> None:
        """Whole pieces go to the keeper; less than one stays."""
        if not self.id:
            self._begin()
        if self._refusal:
            return
        joined = b"".join(self._pieces)
        whole = (len(joined) - 1) // PIECE * PIECE  # the end always stays: it may have to be completed
        try:
            for start in range(0, whole, PIECE):
                self._is_written = True
                piece = joined[start : start + PIECE]
                if self._signer:
                    self._signer.feed(piece)
                await self._shared.keeper.write(self.id, piece)
        except SpoolError as trouble:
            self._refuse(reply_to(trouble))
            return
        self.size += whole
        self._pieces = [joined[whole:]]
        self._shared.ledger.give(self._held - (len(joined) - whole))
        self._held = len(joined) - whole

    def _begin(self) -> None:
        """The head is here: count the hops, and put our fields in front."""
        shared, pieces = self._shared, self._pieces
        begin = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._source.rewriter:
            made = self._source.rewriter.content(begin)
            if isinstance(made, Reply):
                self._refuse(made)
                return
            pieces[:] = (begin := made,)
        head = read_head(begin)
        if head.hops > shared.settings.limits.hops:
            self._refuse(LOOPING)
            return
        self.id, self._at = shared.keeper.begin(), shared.clock()
        # A client may say SMTPUTF8 of any message; one that does not need it goes to every host (RFC 6531 section 3.3)
        if self.envelope.smtputf8 and b"\r\n\r\n" in begin and not needs_smtputf8(self.envelope, begin):
            self.envelope = replace(self.envelope, smtputf8=False)
        # RFC 8689 section 4.1: REQUIRETLS says it all, and the header field is ignored then
        if head.tls and head.begins_with_field and self.envelope.tls is None:
            self.envelope = replace(self.envelope, tls=head.tls)
        recipients = self.envelope.recipients
        stamp = Stamp(self.id, self._at, recipients[0].mailbox if len(recipients) == 1 else None, self.said)
        pieces.insert(0, prefix(head, self._source.hop, stamp, completes=shared.settings.completes))
        self._origin = f"{self._source.origin}, sent as {self.said}" if self.said else self._source.origin
        if self._source.signing:
            self._begin_signature(self._source.signing)

    def _begin_signature(self, signing: SigningPolicy) -> None:
        """All fields are there that were put in front: what is signed is what is kept."""
        whole = b"".join(self._pieces)
        self._pieces[:] = (whole,)
        signer = signing.begin(whole, self._at)
        if isinstance(signer, MessageSigner):
            self._signer, self.signed = signer, signer.domain
        elif signer.is_odd:
            self.unsigned = signer.why

    def _signed(self, rest: bytes, kept: Kept, front: bytes | Exception) -> None:
        """Its signatures are there, or it cannot be signed: it is not kept then, for nobody would sign it later."""
        if isinstance(front, Exception):
            kept(front)
            return
        self.size += len(front)
        arrival = Arrival(self.id, self.envelope, self._at, self.size, self._origin, front)
        try:
            self._shared.keeper.keep(arrival, rest, kept)
        except Exception as problem:  # noqa: BLE001  # the client must not wait for ever
            kept(problem)

    def let_go(self) -> None:
        """Hold nothing of it in memory."""
        self._shared.ledger.give(self._held)
        self._held = 0
        self._pieces.clear()
