"""The client's end of a session: commands become bytes, bytes become replies to them, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from postroad.smtp.events import ClientEvent, Closed, Ending, Unsolicited, Violation
from postroad.smtp.grammar import FORMATS, WORDS, Bdat, Command, Data, Ehlo, EndOfData, Helo, Mail, Rcpt, Rset
from postroad.smtp.states import CLIENT_ENDS, CLIENT_MOVES, ClientState, after_reply
from postroad.smtp.wire import NUL, DotStuffer, Limits, NewlineCheck, ReplyReader, has_bare, stuff_dots
from postroad.words.reply import Reply

_HELLOS = (Ehlo, Helo)
_PLAIN = frozenset({Mail, Rcpt, Data, EndOfData, Rset})  # their replies change the state, and that is all
_END_OF_DATA = EndOfData()


class LocalProtocolError(Exception):
    """The error that our own side asked for a move the table does not have: a bug, not the peer's doing."""


class SessionOver(LocalProtocolError):  # noqa: N818  # an ending
    """The error that the host has ended or broken the session: what it did is the last event."""


class UnsafeContent(Exception):  # noqa: N818  # not an error of the program: the content is what it is
    """The error that the content has a bare CR or LF, or a NUL.

    Some servers end a message there, and would obey the rest of it.
    """


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that a server offers in its reply to EHLO; none after HELO."""

    name: str = ""
    size: int | None = None  # octets; 0: no fixed limit; None: SIZE is not offered (RFC 1870 section 3)
    pipelining: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    chunking: bool = False
    starttls: bool = False
    dsn: bool = False
    requiretls: bool = False  # under TLS only: RFC 8689 section 2
    enhanced_status_codes: bool = False
    future_release: bool = False  # RFC 4865
    auth: frozenset[str] = frozenset()


def read_capabilities(reply: Reply, *, is_tls: bool = False) -> Capabilities:
    """The lines of a reply to EHLO (RFC 5321 section 4.1.1.1); keywords in any case, unknown ones passed over."""
    words = [line.upper().split() for line in reply.lines[1:]]
    offered = {line[0]: line[1:] for line in words if line}
    return Capabilities(
        name=reply.lines[0].partition(" ")[0],
        size=_size(offered["SIZE"]) if "SIZE" in offered else None,
        pipelining="PIPELINING" in offered,
        eight_bit_mime="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        chunking="CHUNKING" in offered,
        starttls="STARTTLS" in offered,
        dsn="DSN" in offered,
        requiretls=is_tls and "REQUIRETLS" in offered,
        enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
        future_release="FUTURERELEASE" in offered,
        auth=frozenset(offered.get("AUTH", ())),
    )


def _size(words: list[str]) -> int:
    """The limit, 0 for none. RFC 1870 section 3 allows 20 digits at MAIL; no message meets a longer one."""
    return int(words[0]) if words and words[0].isascii() and words[0].isdigit() and len(words[0]) <= 20 else 0


class ClientEnd:
    """An SMTP session as the client sees it, without I/O.

    Commands may be sent ahead of the replies to earlier ones (RFC 2920); replies come out in their order. `state` is
    where the client stands, `capabilities` what the server offers (None before EHLO or HELO is answered). Two things
    it cannot do: take a reply that does not fit its command, and send content with a bare CR or LF, or a NUL. `is_tls`
    is set by who made the handshake, where the connection begins with it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.state = ClientState.GREETING
        self.is_tls = False
        self.capabilities: Capabilities | None = None
        limits = limits or Limits()
        self._replies = ReplyReader(limits)
        self._pending: deque[Command] = deque()
        self._stuffer = DotStuffer()
        self._newlines = NewlineCheck()
        self.owed = 0  # octets of the chunk that was announced and not sent yet
        self.answered: type[Command] | None = None  # what the last reply in step answered
        self._is_over = False

    def may_send(self, kind: type[Command]) -> bool:
        """Whether the table has this move now."""
        return kind in CLIENT_MOVES[self.state] and not self.owed

    def send(self, *commands: Command) -> bytes:
        """The bytes of commands that go in one flight.

        Raises:
            LocalProtocolError: one may not be sent now.

        """
        flight = []
        for command in commands:
            kind = type(command)
            after = CLIENT_MOVES[self.state].get(kind)
            if after is None or self.owed:
                raise self._illegal(kind.__name__)
            line = WORDS.get(kind) or FORMATS[kind](command).encode() + b"\r\n"
            if line.find(b"\n") != len(line) - 1 or line.find(b"\r") != len(line) - 2:  # or it would be two commands
                raise LocalProtocolError(f"a line break in an argument of {kind.__name__}")
            self.state = after
            self._pending.append(command)
            if type(command) is Bdat:
                self.owed = command.size
                if command.last:
                    self.state = CLIENT_ENDS[after]
            flight.append(line)
        return b"".join(flight)

    def send_message(self, content: bytes) -> bytes:
        """The whole message after 354, dots doubled, and the final dot.

        Raises:
            UnsafeContent: as in `send_body`.

        """
        if self.state is not ClientState.BODY:
            raise self._illegal("content")
        if NUL in content:
            raise _with_nul()
        if has_bare(content):
            raise _bare()
        self._pending.append(_END_OF_DATA)
        self.state = CLIENT_MOVES[self.state][EndOfData]
        return stuff_dots(content)

    def send_body(self, piece: bytes) -> bytes:
        """A piece of the message after 354, dots doubled. Pieces may end anywhere.

        Raises:
            UnsafeContent: it has a bare CR or LF, or a NUL; the connection must be dropped.

        """
        if self.state is not ClientState.BODY:
            raise self._illegal("content")
        self._check(piece)
        return self._stuffer.stuff(piece)

    def end_body(self) -> bytes:
        """The final dot."""
        self._check_end()
        self.send(_END_OF_DATA)
        end, self._stuffer = self._stuffer.end(), DotStuffer()
        return end

    def send_chunk(self, piece: bytes) -> bytes:
        """Octets of the chunk that the last BDAT announced, as they are (RFC 3030).

        Raises:
            UnsafeContent: as in `send_body`: whoever relays the message further may send it by DATA.

        """
        if len(piece) > self.owed or self._is_over:
            raise self._illegal(f"{len(piece)} octets where {self.owed} were announced")
        self._check(piece)
        self.owed -= len(piece)
        if not self.owed and self.state is ClientState.READY:
            self._check_end()
        return piece

    def auth_response(self, text: str) -> bytes:
        """The answer to a 334, already in base64."""
        if self.state is not ClientState.AUTH:
            raise self._illegal("an answer to a challenge")
        return text.encode("ascii") + b"\r\n"

    def tls_started(self) -> None:
        """The handshake is done: all that was said in the clear is forgotten (RFC 3207 section 4.2)."""
        if self.state is not ClientState.TLS:
            raise LocalProtocolError("no TLS was agreed on")
        self.state = CLIENT_ENDS[self.state]
        self.is_tls = True
        self.capabilities = None

    def receive(self, data: bytes) -> list[ClientEvent]:
        """What these octets bring; b"" is the end of the connection. Never raises for what the server sends."""
        if self._is_over:
            return []
        if not data:
            return [self._ended(Closed(tuple(self._pending)))]
        events: list[ClientEvent] = []
        replies, pending = self._replies.read(data), self._pending
        for reply in replies:
            kind = type(pending[0]) if pending else None
            after = None
            if kind in _PLAIN and self.state is not ClientState.BODY and not self.owed:
                after = after_reply(self.state, kind, reply.code)  # type: ignore[arg-type]  # a class is hashable
            if after is None:
                events.append(self._replied(reply, is_last=len(events) == len(replies) - 1))
                if self._is_over:
                    return events  # type: ignore[unreachable]  # `_replied` may have ended it
            else:
                self.state, self.answered = after, kind
                pending.popleft()
                events.append(reply)
        if self._replies.problem:
            events.append(self._ended(Violation(self._replies.problem)))
        return events

    def _replied(self, reply: Reply, *, is_last: bool) -> ClientEvent:
        """What a reply brings that answers no command of a transaction, or is out of step."""
        command = self._pending[0] if self._pending else None
        if self.state is ClientState.BODY or self.owed:
            return self._interrupted(reply)
        if command is None and self.state is not ClientState.GREETING:
            return self._ended(Unsolicited(reply))
        kind = None if command is None else type(command)
        after = after_reply(self.state, kind, reply.code)  # type: ignore[arg-type]  # as above
        if after is None or (kind is Bdat and _is_late(reply)):
            return self._ended(Violation(f"{reply} is not an answer to {_called(command)}"))
        self.state, self.answered = after, kind
        if command is not None and after is not ClientState.AUTH:  # a challenge: the same AUTH has another reply
            self._pending.popleft()
        if isinstance(command, _HELLOS) and reply.code < 400:
            self.capabilities = read_capabilities(reply, is_tls=self.is_tls) if kind is Ehlo else Capabilities()
        if after is ClientState.TLS and not (is_last and self._replies.is_between):
            return self._ended(Violation("unencrypted data after the reply to STARTTLS"))
        return reply

    def _interrupted(self, reply: Reply) -> ClientEvent:
        """A reply in the middle of the content ends the session. A host may refuse early; it cannot agree early."""
        command = self._pending.popleft() if self._pending else EndOfData()
        if reply.code < 400 or reply.code == 421 or self._pending:
            return self._ended(Unsolicited(reply))
        self._ended(Closed())
        self.answered = type(command)
        return reply

    def _ended(self, event: Ending) -> Ending:
        self._is_over = True
        self.state = ClientState.CLOSED
        return event

    def _illegal(self, what: str) -> LocalProtocolError:
        kind = SessionOver if self._is_over else LocalProtocolError
        return kind(f"{what} may not be sent in state {self.state.name}")

    def _check(self, piece: bytes) -> None:
        if NUL in piece:
            raise _with_nul()
        if self._newlines.is_bare(piece):
            raise _bare()

    def _check_end(self) -> None:
        ends_bare, self._newlines = self._newlines.ends_bare, NewlineCheck()
        if ends_bare:
            raise _bare()


def _bare() -> UnsafeContent:
    return UnsafeContent("a bare CR or LF, which another server could take for its end (RFC 5321 section 2.3.8)")


def _with_nul() -> UnsafeContent:
    return UnsafeContent("a NUL octet, which servers do not have to accept (RFC 2045 section 2.8)")


def _called(command: Command | None) -> str:
    if command is None:
        return "a new connection"
    return "the final dot" if isinstance(command, EndOfData) else type(command).__name__.upper()


def _is_late(reply: Reply) -> bool:
    """Whether BDAT is answered by what answers RCPT: 2.1.z is about an address (RFC 3463 section 3.2).

    In one flight with the envelope, unlike DATA, BDAT has no 354 that would show a host one reply out of step.
    """
    return reply.code // 100 == 2 and (reply.enhanced or "").startswith("2.1.")
