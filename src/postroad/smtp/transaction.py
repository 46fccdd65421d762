"""A message on its way to one host, as steps for whoever has the connection (RFC 5321 section 3.3).

    step = transaction.begin()
    while True:
        match step:
            case Write(octets, then): write them; step = then
            case Expect(limit_s): step = transaction.hear(the replies that come next)
            case More(): step = transaction.give(the next piece of the content, b"" behind the last)
            case Break(outcome): drop the connection, and transaction.lose(outcome)
            case Done(): look at transaction.told

What to put into one flight, when a lost reply leaves the mail in doubt, and who hears what is decided here. Nothing
here waits, and nothing calls a message delivered but the reply to its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from postroad.smtp.client import Capabilities, Client, SessionOver, UnsafeContent
from postroad.smtp.grammar import Bdat, Command, Data, Mail, Rcpt, Rset
from postroad.smtp.timeouts import Timeouts
from postroad.words.light import light
from postroad.words.mail import Envelope, Recipient, needs_smtputf8
from postroad.words.outcome import Outcome, Phase, Receipt, Result, Scope, delivered, refused
from postroad.words.reply import Reply

ONE_FLIGHT = 64 * 1024  # a message up to this size goes out with its envelope: one round trip for all of it
TOO_MANY = frozenset({452, 552})  # RFC 5321 section 4.5.3.1.10: a client takes 552 to RCPT for the 452 that was meant


@light(frozen=True, slots=True)
class Write:
    """A step of a transaction: write these octets; what comes `then` is the next step."""

    octets: bytes
    then: Expect | More


@light(frozen=True, slots=True)
class Expect:
    """A step of a transaction: read replies, the first within so many seconds, and give all to `hear`.

    `sign_s`: a host that has not even acknowledged what was sent by then, or later, is gone; so is one that has said
    nothing at the limit, for all that counts here.
    """

    limit_s: float
    sign_s: float | None = None


@dataclass(frozen=True, slots=True)
class More:
    """A step of a transaction: hand the next piece of the content to `give`."""


@dataclass(frozen=True, slots=True)
class Break:
    """The step that ends a session: nothing that could be said on the connection would help.

    The outcome is of host scope.
    """

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Done:
    """The step that ends a transaction: another may follow."""


Step = Write | Expect | More | Break | Done
_Script = Generator[Step, Any, None]  # a Reply comes in where one was expected, a piece of the content for More
_Piecewise = Generator[Step, Any, bytes]  # its result are the last octets, which are not written yet
MORE, DONE = More(), Done()
_DATA = Data()
_expect = lru_cache(maxsize=64)(Expect)  # of the few time limits of the settings


@dataclass(frozen=True, slots=True)
class Terms:
    """The conditions of a transaction.

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
        self._size = len(content) if isinstance(content, bytes) else content
        self._whole = content if isinstance(content, bytes) and self._size <= ONE_FLIGHT else None
        self._recipients = recipients
        self._terms = terms
        self._accepted: list[int] = []
        self._is_announced = False  # DATA or BDAT has gone with the envelope
        self._is_cut_off = False  # the host has ended the session, perhaps with a refusal
        self._is_in_doubt = False  # the end of the message is on its way, and no reply to it has come
        self._offered = client.capabilities or Capabilities()
        self._chunks = terms.chunking and self._offered.chunking
        # Of a message whose octets are not here yet, its client's word must do
        self._smtputf8 = envelope.smtputf8 and (isinstance(content, int) or needs_smtputf8(envelope, content))
        self._script = self._run()

    def begin(self) -> Step:
        """What to do first."""
        if unable := self._unable():
            self.told = dict.fromkeys(self._recipients, unable)
            return DONE
        return self._resume(None)

    def hear(self, replies: deque[Reply]) -> Step:
        """Replies in step: the client has seen to that. Takes as many as are expected, one or more; what to do then."""
        resume = self._script.send
        step: Step = DONE
        try:
            while replies:
                reply = replies.popleft()
                if reply.code == 421:  # "closing": to any command (RFC 5321 section 4.2.3)
                    return Break(host_outcome(reply, self.phase))
                if self._is_cut_off:
                    self.phase = Phase.DOT
                    self._tell(refused(reply, Scope.MESSAGE, Phase.DOT))
                    return DONE
                step = resume(reply)
                if type(step) is not Expect:
                    break
        except StopIteration:
            return DONE
        except (SessionOver, UnsafeContent) as end:
            return self._ended(end)
        return step

    def give(self, piece: bytes) -> Step:
        """A piece of the content; what to do then."""
        return self._resume(piece)

    def lose(self, outcome: Outcome) -> None:
        """The connection is gone, or the host out of step, for this reason. Who might have the message is told so.

        If its end was on its way the host may have the message, unless it has said otherwise (RFC 5321 section 6.1).
        """
        if self._is_in_doubt and not outcome.reply:
            self.phase = Phase.DOT
            text = f"no reply to the final dot ({outcome.text}): the host may have the message"
            doubt = Outcome(Result.DEFERRED, Scope.MESSAGE, text, "4.4.2", Phase.DOT, unsettled=True)
            self.told.update({index: doubt for index in self._recipients if index not in (*self.told, *self.carried)})

    def _resume(self, news: bytes | None) -> Step:
        try:
            return self._script.send(news)
        except StopIteration:
            return DONE
        except (SessionOver, UnsafeContent) as end:
            return self._ended(end)

    def _ended(self, end: SessionOver | UnsafeContent) -> Step:
        """What is left to do when the script could not go on."""
        if isinstance(end, SessionOver):
            self._is_cut_off = True
            return Expect(self._terms.timeouts.rcpt_s)  # there it is: read it
        unsafe = Outcome(Result.FAILED, Scope.MESSAGE, f"the message has {end}", "5.6.0", Phase.DATA)
        self.told = dict.fromkeys(self._recipients, unsafe)
        return Break(unsafe)

    def _run(self) -> _Script:
        """The envelope, in one flight if the host takes that (RFC 2920), and the message behind it.

        One script for all of it, that delegates only what is rare: each level of `yield from` is passed by every reply.
        """
        timeouts = self._terms.timeouts
        rested = self._terms.rested
        first = _expect(timeouts.resting_most_s, timeouts.resting_s) if rested else _expect(timeouts.mail_s)
        if self._terms.resets:
            yield from self._reset(first)
        self.is_open = True
        if self._offered.pipelining:
            mail = yield Write(self._flight(), first)
            for index in self._recipients:
                self._hear_rcpt(mail, index, (yield _expect(timeouts.rcpt_s)))
        else:
            yield from self._one_by_one(first)
        if self.told:
            self._carry()
        if not (self._accepted or self._is_announced):
            return
        if not self._chunks:
            if self._accepted:
                self.phase = Phase.DATA
            go_ahead = _expect(timeouts.data_s)
            go = yield go_ahead if self._is_announced else Write(self._client.send(_DATA), go_ahead)
            if go.code >= 400:
                self._tell(refused(go, Scope.MESSAGE, Phase.DATA))
                return
        last = b"" if self._is_in_doubt else self._at_once() or (yield from self._piece_by_piece())
        if self._accepted:
            self._is_in_doubt = True
            self.phase = Phase.DOT
        receipt = _expect(timeouts.dot_s)
        self._hear_end((yield Write(last, receipt) if last else receipt))

    def _flight(self) -> bytes:
        """The envelope with DATA, or with BDAT and all of a small message (RFC 3030), or by itself."""
        whole = self._whole if self._chunks and not self._terms.rested else None
        commands = [self._mail()]
        for index in self._recipients:
            commands.append(self._rcpt(index))  # noqa: PERF401  # a comprehension is one more call, for every message
        if whole is not None or not self._chunks:
            self._is_announced = True
            commands.append(Bdat(self._size, last=True) if self._chunks else _DATA)
        octets = self._client.send(*commands)
        if whole is not None:
            octets += self._client.send_chunk(whole)
            self._is_in_doubt = True
        return octets

    def _one_by_one(self, first: Expect) -> _Script:
        """Each command after the reply to the one before."""
        mail = reply = yield Write(self._client.send(self._mail()), first)
        for index in self._recipients:
            if mail.code < 400:
                self.phase = Phase.RCPT
                reply = yield Write(self._client.send(self._rcpt(index)), _expect(self._terms.timeouts.rcpt_s))
            self._hear_rcpt(mail, index, reply)

    def _reset(self, first: Expect) -> _Script:
        """Refused recipients leave a transaction open, in which the next MAIL is out of sequence."""
        reply = yield Write(self._client.send(Rset()), first)
        if reply.code >= 400:
            yield Break(host_outcome(reply, self.phase))

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

    def _hear_end(self, reply: Reply) -> None:
        """The reply to the end of the message: the one thing that makes it delivered."""
        self._is_in_doubt = False
        if reply.code >= 400:
            self._tell(refused(reply, Scope.MESSAGE, Phase.DOT))
        elif self._accepted:
            self._tell(delivered(Receipt(reply)))
            self.is_open = False

    def _at_once(self) -> bytes:
        """All that is to be sent of the message; nothing if it comes in pieces.

        An empty one to a host that says 354 though it refused all (RFC 2920 section 3.1).
        """
        if not (self._accepted or self._chunks):
            return self._client.end_body()
        if self._whole is None:
            return b""
        if self._chunks:
            return self._client.send(Bdat(self._size, last=True)) + self._client.send_chunk(self._whole)
        return self._client.send_message(self._whole)

    def _piece_by_piece(self) -> _Piecewise:
        """After 354, or as one chunk."""
        if not self._chunks:
            piece = yield MORE
            while piece:
                piece = yield Write(self._client.send_body(piece), MORE)
            return self._client.end_body()
        octets = self._client.send(Bdat(self._size, last=True))
        while self._client.owed:
            piece = yield Write(octets, MORE)
            if not piece:
                yield Break(_SHORT)
            octets = self._client.send_chunk(piece)
        return octets

    def _tell(self, outcome: Outcome) -> None:
        """All recipients that were accepted share what became of the message."""
        self.told.update(dict.fromkeys(self._accepted, outcome))

    def _unable(self) -> Outcome | None:
        """Why this host cannot take this message, by its own word at EHLO. Another one may."""
        offered = self._offered
        if offered.size and self._size > offered.size:
            text = f"the message has {self._size} octets, the host takes {offered.size} (RFC 1870)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.3.4", Phase.MAIL)
        if self._smtputf8 and not offered.smtputf8:
            text = "the message needs SMTPUTF8, which the host does not offer (RFC 6531)"
            return Outcome(Result.FAILED, Scope.MESSAGE, text, "5.6.7", Phase.MAIL)
        return None

    def _mail(self) -> Command:
        """MAIL with what the host knows. An 8-bit message goes to a 7-bit host as it is: see docs/decisions."""
        offered, envelope = self._offered, self._envelope
        return Mail(
            envelope.reverse_path,
            size=self._size if offered.size is not None else None,
            body="8BITMIME" if offered.eight_bit_mime and envelope.eight_bit else None,
            smtputf8=self._smtputf8,
            ret=envelope.ret if offered.dsn else None,
            envid=envelope.envid if offered.dsn else None,
        )

    def _rcpt(self, index: int) -> Command:
        recipient = self._envelope.recipients[index]
        if not self._offered.dsn and (recipient.notify or recipient.orcpt):
            recipient = Recipient(recipient.mailbox)
        return Rcpt(recipient)


def host_outcome(reply: Reply, phase: Phase) -> Outcome:
    """What it means for all mail that a host ends the session with this reply: not now, not here."""
    status = reply.enhanced if reply.enhanced and reply.is_temporary else "4.3.0"
    return Outcome(Result.DEFERRED, Scope.HOST, str(reply), status, phase, reply)


_SHORT = Outcome(Result.DEFERRED, Scope.US, "the message is shorter here than it was when it came", "4.3.0", Phase.DATA)
