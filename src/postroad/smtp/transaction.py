"""A message on its way to one host, as steps for whoever has the connection (RFC 5321 section 3.3).

    while True:
        match transaction.next():
            case Write(octets): write them
            case Expect(limit_s): transaction.hear(the next reply)
            case More(): transaction.give(the next piece of the content, b"" behind the last)
            case Break(outcome): drop the connection
            case Done(): look at transaction.told

What to put into one flight, when a lost reply leaves the mail in doubt, and who hears what is decided here. Nothing
here waits, and nothing calls a message delivered but the reply to its end.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from postroad.smtp.client import Client, SessionOver, UnsafeContent
from postroad.smtp.grammar import Bdat, Command, Data, Mail, Rcpt, Rset
from postroad.smtp.timeouts import Timeouts
from postroad.words.mail import Envelope, Recipient, needs_smtputf8
from postroad.words.outcome import Outcome, Phase, Receipt, Result, Scope, delivered, refused
from postroad.words.reply import Reply

ONE_FLIGHT = 64 * 1024  # a message up to this size goes out with its envelope: one round trip for all of it
TOO_MANY = frozenset({452, 552})  # RFC 5321 section 4.5.3.1.10: a client takes 552 to RCPT for the 452 that was meant


@dataclass(frozen=True, slots=True)
class Write:
    """Write these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """Read a reply, within so many seconds, and give it to `hear`."""

    limit_s: float


@dataclass(frozen=True, slots=True)
class More:
    """Hand the next piece of the content to `give`."""


@dataclass(frozen=True, slots=True)
class Break:
    """Drop the connection: nothing that could be said on it would help. The outcome is of host scope."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Done:
    """The transaction is over, and another may follow."""


Step = Write | Expect | More | Break | Done
_Script = Generator[Step, Reply | bytes | None, None]
MORE, DONE = More(), Done()


@dataclass(frozen=True, slots=True)
class Terms:
    """How a transaction is to go.

    `rested`: the connection has served before, so the host may have hung up or vanished: nothing that counts is sent
    before it has answered. `resets`: an earlier transaction may still be open at the host.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    chunking: bool = True
    rested: bool = False
    resets: bool = False


class Transaction:
    """One message for some of its recipients, to the host at the other end of `client`.

    `content` is the message with CRLF line ends, or None if its `size` octets come by `give`. `told` has what each
    recipient was told, by its index in the envelope; `carried` are those the host takes in another transaction.
    """

    def __init__(
        self, client: Client, envelope: Envelope, content: bytes | int, recipients: tuple[int, ...], terms: Terms
    ) -> None:
        self.phase = Phase.MAIL
        self.told: dict[int, Outcome] = {}
        self.carried: tuple[int, ...] = ()
        self.is_open = False  # the host may hold a transaction that brought no message
        self._client = client
        self._envelope = envelope
        self._content = content if isinstance(content, bytes) else None
        self._size = len(content) if isinstance(content, bytes) else content
        self._recipients = recipients
        self._terms = terms
        self._accepted: list[int] = []
        self._is_in_doubt = False  # the end of the message is on its way, and no reply to it has come
        offered = client.capabilities
        self._pipelines = bool(offered and offered.pipelining)
        self._chunks = bool(terms.chunking and offered and offered.chunking)
        self._script = self._run()
        self._step: Step = DONE
        self._go_on(None)

    def next(self) -> Step:
        """What to do now. A Write is handed out once; the rest stands until `hear` or `give` answers it."""
        step = self._step
        if isinstance(step, Write):
            self._go_on(None)
        return step

    def hear(self, reply: Reply) -> None:
        """The reply that was expected, in step: the client has seen to that."""
        if reply.code == 421:  # "service not available, closing": to any command (RFC 5321 section 4.2.3)
            self._step = Break(host_outcome(reply, self.phase))
        else:
            self._go_on(reply)

    def give(self, piece: bytes) -> None:
        """A piece of the content."""
        self._go_on(piece)

    def lose(self, outcome: Outcome) -> None:
        """The connection is gone, or the host out of step, for this reason. Who might have the message is told so.

        If its end was on its way the host may have the message, unless it has said otherwise (RFC 5321 section 6.1).
        """
        if self._is_in_doubt and not outcome.reply:
            self.phase = Phase.DOT
            text = f"no reply to the final dot ({outcome.text}): the host may have the message"
            doubt = Outcome(Result.DEFERRED, Scope.MESSAGE, text, "4.4.2", Phase.DOT, unsettled=True)
            self.told.update({index: doubt for index in self._recipients if index not in (*self.told, *self.carried)})
        self._step = DONE

    def _go_on(self, news: Reply | bytes | None) -> None:
        try:
            self._step = self._script.send(news)
        except SessionOver:
            self._step = Expect(self._terms.timeouts.rcpt_s)  # there it is: read it
        except UnsafeContent:
            self.told = dict.fromkeys(self._recipients, _UNSAFE)
            self._step = Break(_UNSAFE)

    def _run(self) -> _Script:
        unable = self._unable()
        if unable:
            self.told = dict.fromkeys(self._recipients, unable)
        else:
            if self._terms.resets:
                yield from self._reset()
            self.is_open = True
            yield from self._flight() if self._pipelines else self._one_by_one()
        while True:
            yield DONE

    def _flight(self) -> _Script:
        """The envelope in one flight (RFC 2920), with DATA, or with BDAT and all of a small message (RFC 3030)."""
        send, timeouts = self._client.send, self._terms.timeouts
        whole = self._chunks and not self._terms.rested and self._content is not None and self._size <= ONE_FLIGHT
        octets = [send(self._mail()), *(send(self._rcpt(index)) for index in self._recipients)]
        if whole or not self._chunks:
            octets.append(self._opening())
        if whole and self._content is not None:
            octets.append(self._client.send_chunk(self._content))
            self._is_in_doubt = True
        yield Write(b"".join(octets))
        mail = yield from self._hear_mail()
        for index in self._recipients:
            reply = yield from _reply(timeouts.rcpt_s)
            self._hear_rcpt(mail, index, reply)
        self._carry()
        if whole:
            yield from self._end()
        elif not self._chunks:
            yield from self._data()
        elif self._accepted:
            yield Write(self._opening())
            yield from self._chunk()

    def _one_by_one(self) -> _Script:
        """Each command after the reply to the one before."""
        yield Write(self._client.send(self._mail()))
        mail = yield from self._hear_mail()
        for index in self._recipients:
            if mail.code < 400:
                self.phase = Phase.RCPT
                yield Write(self._client.send(self._rcpt(index)))
                reply = yield from _reply(self._terms.timeouts.rcpt_s)
                self._hear_rcpt(mail, index, reply)
            else:
                self._hear_rcpt(mail, index, mail)
        self._carry()
        if self._accepted:
            yield Write(self._opening())
            yield from self._chunk() if self._chunks else self._data()

    def _hear_mail(self) -> Generator[Step, Reply | bytes | None, Reply]:
        limits = self._terms.timeouts
        return (yield from _reply(min(limits.mail_s, limits.resting_s) if self._terms.rested else limits.mail_s))

    def _hear_rcpt(self, mail: Reply, index: int, reply: Reply) -> None:
        if mail.code >= 400:
            self.told[index] = refused(mail, Scope.MESSAGE, Phase.MAIL)
            return
        self.phase = Phase.RCPT
        if reply.code < 400:
            self._accepted.append(index)
        else:
            self.told[index] = refused(reply, Scope.RECIPIENT, Phase.RCPT)

    def _carry(self) -> None:
        """Who was one too many for this transaction is not refused: the next one is for them.

        With nobody accepted it would end the same way, so there the reply is about the recipient, and stands.
        """
        if self._accepted:
            codes = {index: outcome.reply.code for index, outcome in self.told.items() if outcome.reply}
            self.carried = tuple(index for index, code in codes.items() if code in TOO_MANY)
            for index in self.carried:
                del self.told[index]

    def _opening(self) -> bytes:
        """What begins the transfer of the message: DATA, or BDAT for all of it as one chunk."""
        return self._client.send(Bdat(self._size, last=True) if self._chunks else Data())

    def _data(self) -> _Script:
        """The message after DATA; an empty one to a host that says 354 though it refused all (RFC 2920 section 3.1)."""
        if self._accepted:
            self.phase = Phase.DATA
        go = yield from _reply(self._terms.timeouts.data_s)
        if go.code >= 400:
            self._tell(refused(go, Scope.MESSAGE, Phase.DATA))
            return
        if not self._accepted:
            yield Write(self._client.end_body())
        elif self._content is not None and self._size <= ONE_FLIGHT:
            octets = self._client.send_body(self._content) + self._client.end_body()
            self._is_in_doubt = True
            yield Write(octets)
        else:
            while piece := (yield from self._piece()):
                yield Write(self._client.send_body(piece))
            octets = self._client.end_body()
            self._is_in_doubt = True
            yield Write(octets)
        yield from self._end()

    def _chunk(self) -> _Script:
        """The octets of the chunk that was announced."""
        while self._client.owed and (piece := (yield from self._piece())):
            octets = self._client.send_chunk(piece)
            self._is_in_doubt = self._client.owed == 0
            yield Write(octets)
        if self._client.owed:
            yield Break(_SHORT)
        self._is_in_doubt = True
        yield from self._end()

    def _piece(self) -> Generator[Step, Reply | bytes | None, bytes]:
        piece = yield MORE
        assert isinstance(piece, bytes)  # noqa: S101  # what `give` takes
        return piece

    def _end(self) -> _Script:
        """The reply to the end of the message: the one thing that makes it delivered."""
        if self._accepted:
            self.phase = Phase.DOT
        reply = yield from _reply(self._terms.timeouts.dot_s)
        self._is_in_doubt = False
        if reply.code >= 400:
            self._tell(refused(reply, Scope.MESSAGE, Phase.DOT))
        elif self._accepted:
            self._tell(delivered(Receipt(reply)))
            self.is_open = False

    def _tell(self, outcome: Outcome) -> None:
        """All recipients that were accepted share what became of the message."""
        self.told.update(dict.fromkeys(self._accepted, outcome))

    def _reset(self) -> _Script:
        """Refused recipients leave a transaction open, in which the next MAIL is out of sequence."""
        yield Write(self._client.send(Rset()))
        reply = yield from self._hear_mail()
        if reply.code >= 400:
            yield Break(host_outcome(reply, self.phase))

    def _unable(self) -> Outcome | None:
        """Why this host cannot take this message, by its own word at EHLO. Another one may."""
        offered = self._client.capabilities
        if offered and offered.size and self._size > offered.size:
            text = f"the message has {self._size} octets, the host takes {offered.size} (RFC 1870)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.3.4", Phase.MAIL)
        if self._needs_smtputf8 and not (offered and offered.smtputf8):
            text = "the message needs SMTPUTF8, which the host does not offer (RFC 6531)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.6.7", Phase.MAIL)
        return None

    @property
    def _needs_smtputf8(self) -> bool:
        """Of a message whose octets are not here yet, its client's word must do."""
        return self._envelope.smtputf8 and (self._content is None or needs_smtputf8(self._envelope, self._content))

    def _mail(self) -> Command:
        """MAIL with what the host knows. An 8-bit message goes to a 7-bit host as it is: see docs/decisions."""
        offered, envelope = self._client.capabilities, self._envelope
        eight_bit = bool(offered and offered.eight_bit_mime and envelope.eight_bit)
        dsn = bool(offered and offered.dsn)
        return Mail(
            envelope.reverse_path,
            size=self._size if offered and offered.size is not None else None,
            body="8BITMIME" if eight_bit else None,
            smtputf8=self._needs_smtputf8,
            ret=envelope.ret if dsn else None,
            envid=envelope.envid if dsn else None,
        )

    def _rcpt(self, index: int) -> Command:
        recipient = self._envelope.recipients[index]
        offered = self._client.capabilities
        return Rcpt(recipient if offered and offered.dsn else Recipient(recipient.mailbox))


def host_outcome(reply: Reply, phase: Phase) -> Outcome:
    """What it means for all mail that a host ends the session with this reply: not now, not here."""
    status = reply.enhanced if reply.enhanced and reply.is_temporary else "4.3.0"
    return Outcome(Result.DEFERRED, Scope.HOST, str(reply), status, phase, reply)


def _reply(limit_s: float) -> Generator[Step, Reply | bytes | None, Reply]:
    reply = yield Expect(limit_s)
    assert isinstance(reply, Reply)  # noqa: S101  # what `hear` takes
    return reply


_UNSAFE = Outcome(
    Result.FAILED,
    Scope.MESSAGE,
    "the message has a bare CR or LF, which another server could take for its end (RFC 5321 section 2.3.8)",
    "5.6.0",
    Phase.DATA,
)
_SHORT = Outcome(Result.DEFERRED, Scope.US, "the message is shorter here than it was when it came", "4.3.0", Phase.DATA)
