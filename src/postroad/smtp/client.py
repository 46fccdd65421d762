"""The client's end of a session: commands become bytes, bytes become replies to them, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from postroad.smtp.events import ClientEvent, Closed, Greeting, Replied, Unsolicited, Violation
from postroad.smtp.grammar import Bdat, Command, Ehlo, EndOfData, Helo, StartTls, format_command
from postroad.smtp.states import CLIENT_MOVES, ClientState, after_reply
from postroad.smtp.wire import DotStuffer, Limits, LineBuffer, ReplyReader
from postroad.words.reply import Reply


class LocalProtocolError(Exception):
    """Our own side asked for a move the table does not have: a bug, not the peer's doing."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers in its reply to EHLO; nothing at all after HELO."""

    name: str = ""
    size: int | None = None  # octets; 0: no fixed limit; None: SIZE is not offered (RFC 1870 section 3)
    pipelining: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    chunking: bool = False
    starttls: bool = False
    dsn: bool = False
    enhanced_status_codes: bool = False
    auth: frozenset[str] = frozenset()


def read_capabilities(reply: Reply) -> Capabilities:
    """The lines of a reply to EHLO (RFC 5321 section 4.1.1.1); keywords in any case, unknown ones passed over."""
    words = [line.upper().split() for line in reply.lines[1:]]
    offered = {line[0]: line[1:] for line in words if line}
    size = offered.get("SIZE")
    return Capabilities(
        name=reply.lines[0].partition(" ")[0],
        size=None if size is None else int(size[0]) if size and size[0].isascii() and size[0].isdigit() else 0,
        pipelining="PIPELINING" in offered,
        eight_bit_mime="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        chunking="CHUNKING" in offered,
        starttls="STARTTLS" in offered,
        dsn="DSN" in offered,
        enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
        auth=frozenset(offered.get("AUTH", ())),
    )


class Client:
    """A session as the client sees it.

    Commands may be sent ahead of the replies to earlier ones (RFC 2920); replies come out in their order. `state` is
    where the client stands, `capabilities` what the server offers (None before EHLO or HELO is answered).
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.state = ClientState.GREETING
        self.capabilities: Capabilities | None = None
        limits = limits or Limits()
        self._lines = LineBuffer(limits.reply_line)
        self._replies = ReplyReader(limits)
        self._pending: deque[Command] = deque()
        self._stuffer = DotStuffer()
        self._is_over = False

    def may_send(self, kind: type[Command]) -> bool:
        """Whether the table has this move now."""
        return kind in CLIENT_MOVES[self.state]

    def send(self, command: Command) -> bytes:
        """The bytes of a command.

        Raises:
            LocalProtocolError: it may not be sent now.

        """
        after = CLIENT_MOVES[self.state].get(type(command))
        if after is None:
            raise LocalProtocolError(f"{type(command).__name__} may not be sent in state {self.state.name}")
        self.state = after
        self._pending.append(command)
        return format_command(command)

    def send_body(self, piece: bytes) -> bytes:
        """A piece of the message after 354, dots doubled. Pieces may end anywhere."""
        if self.state is not ClientState.BODY:
            raise LocalProtocolError(f"no message may be sent in state {self.state.name}")
        return self._stuffer.stuff(piece)

    def end_body(self) -> bytes:
        """The final dot. Its reply is a Replied to EndOfData."""
        self.send(EndOfData())
        end, self._stuffer = self._stuffer.end(), DotStuffer()
        return end

    def send_chunk(self, payload: bytes, *, last: bool) -> bytes:
        """BDAT and its octets, as they are (RFC 3030)."""
        return self.send_chunk_line(len(payload), last=last) + payload

    def send_chunk_line(self, size: int, *, last: bool) -> bytes:
        """BDAT; so many octets must follow it, as they are."""
        line = self.send(Bdat(size, last))
        if last:
            self.state = ClientState.READY
        return line

    def auth_response(self, text: str) -> bytes:
        """The answer to a 334, already in base64."""
        if self.state is not ClientState.AUTH:
            raise LocalProtocolError("no challenge is open")
        return text.encode("ascii") + b"\r\n"

    def tls_started(self) -> None:
        """The handshake is done: all that was said in the clear is forgotten (RFC 3207 section 4.2)."""
        if self.state is not ClientState.TLS:
            raise LocalProtocolError("no TLS was agreed on")
        self.state = ClientState.HELLO
        self.capabilities = None

    def receive(self, data: bytes) -> list[ClientEvent]:
        """What these octets bring; b"" is the end of the connection. Never raises for what the server sends."""
        if self._is_over:
            return []
        if not data:
            return [self._ended(Closed(tuple(self._pending)))]
        self._lines.feed(data)
        events: list[ClientEvent] = []
        while not self._is_over and (line := self._lines.take()):
            reply = self._replies.read(line)
            if self._replies.problem:
                events.append(self._ended(Violation(self._replies.problem)))
            elif reply:
                events += self._replied(reply)
        return events

    def _replied(self, reply: Reply) -> list[ClientEvent]:
        if self.state is ClientState.GREETING:
            self.state = after_reply(self.state, None, reply)
            return [Greeting(reply)]
        if not self._pending:
            return [Unsolicited(reply)]
        command = self._pending[0]
        self.state = after_reply(self.state, command, reply)
        if self.state is not ClientState.AUTH:  # a challenge is followed by another reply to the same AUTH
            self._pending.popleft()
        if isinstance(command, Ehlo | Helo) and reply.is_positive:
            self.capabilities = read_capabilities(reply) if isinstance(command, Ehlo) else Capabilities()
        if isinstance(command, StartTls) and self.state is ClientState.TLS and len(self._lines):
            self._lines.clear()
            return [self._ended(Violation("octets in the clear after the reply to STARTTLS"))]
        return [Replied(command, reply)]

    def _ended(self, event: Closed | Violation) -> Closed | Violation:
        self._is_over = True
        self.state = ClientState.CLOSED
        return event
