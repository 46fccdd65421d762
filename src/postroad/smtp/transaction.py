"""A message for one host, as steps for the holder of the connection (RFC 5321 section 3.3).

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
from typing import Any

from postroad.smtp.body import at_once, piece_by_piece
from postroad.smtp.client import Capabilities, ClientEnd, SessionOver, UnsafeContent
from postroad.smtp.envelope import mail_to, rcpt_to, why_unable
from postroad.smtp.grammar import Bdat, Data, Rset
from postroad.smtp.steps import DONE, Break, Expect, Step, Write, expect
from postroad.smtp.timeouts import Timeouts
from postroad.words.mail import Envelope, needs_smtputf8
from postroad.words.outcome import Outcome, Phase, Receipt, Result, Scope, delivered, refused
from postroad.words.reply import Reply

ONE_FLIGHT = 64 * 1024  # a message up to this size goes out with its envelope: one round trip for all of it
TOO_MANY = frozenset({452, 552})  # RFC 5321 section 4.5.3.1.10: a client takes 552 to RCPT for the 452 that was meant


_Script = Generator[Step, Any, None]  # a Reply comes in where one was expected, a piece of the content for More
_DATA = Data()


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
        self, client: ClientEnd, envelope: Envelope, content: bytes | int, recipients: tuple[int, ...], terms: Terms
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
        if unable := why_unable(self._offered, self._envelope, self._size, smtputf8=self._smtputf8):
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
            return self._script.send(news)  # never its end: that follows a reply
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
        first = expect(timeouts.resting_most_s, timeouts.resting_s) if rested else expect(timeouts.mail_s)
        if self._terms.resets:
            yield from self._reset(first)
        self.is_open = True
        if self._offered.pipelining:
            mail = yield Write(self._flight(), first)
            for index in self._recipients:
                self._hear_rcpt(mail, index, (yield expect(timeouts.rcpt_s)))
        else:
            yield from self._one_by_one(first)
        if self.told:
            self._carry()
        if not (self._accepted or self._is_announced):
            return
        if not self._chunks:
            if self._accepted:
                self.phase = Phase.DATA
            go_ahead = expect(timeouts.data_s)
            go = yield go_ahead if self._is_announced else Write(self._client.send(_DATA), go_ahead)
            if go.code >= 400:
                self._tell(refused(go, Scope.MESSAGE, Phase.DATA))
                return
        client, chunks, is_wanted = self._client, self._chunks, bool(self._accepted)
        last = (
            b""
            if self._is_in_doubt
            else at_once(client, self._whole, chunks=chunks, is_wanted=is_wanted)
            or (yield from piece_by_piece(client, self._size, chunks=chunks))
        )
        if self._accepted:
            self._is_in_doubt = True
            self.phase = Phase.DOT
        receipt = expect(timeouts.dot_s)
        self._hear_end((yield Write(last, receipt) if last else receipt))

    def _flight(self) -> bytes:
        """The envelope with DATA, or with BDAT and all of a small message (RFC 3030), or by itself."""
        whole = self._whole if self._chunks and not self._terms.rested else None
        commands = [mail_to(self._offered, self._envelope, self._size, smtputf8=self._smtputf8)]
        for index in self._recipients:
            commands.append(rcpt_to(self._offered, self._envelope.recipients[index]))  # noqa: PERF401  # a comprehension is one more call, for every message
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
        offered, recipients = self._offered, self._envelope.recipients
        command = mail_to(offered, self._envelope, self._size, smtputf8=self._smtputf8)
        mail = reply = yield Write(self._client.send(command), first)
        for index in self._recipients:
            if mail.code < 400:
                self.phase = Phase.RCPT
                command = rcpt_to(offered, recipients[index])
                reply = yield Write(self._client.send(command), expect(self._terms.timeouts.rcpt_s))
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

    def _tell(self, outcome: Outcome) -> None:
        """All recipients that were accepted share what became of the message."""
        self.told.update(dict.fromkeys(self._accepted, outcome))


def host_outcome(reply: Reply, phase: Phase) -> Outcome:
    """What it means for all mail that a host ends the session with this reply: not now, not here."""
    status = reply.enhanced if reply.enhanced and reply.is_temporary else "4.3.0"
    return Outcome(Result.DEFERRED, Scope.HOST, str(reply), status, phase, reply)
