"""The server's end of a session: bytes become events, one at a time, each answered before the next."""

from __future__ import annotations

from collections.abc import Callable

from postroad.smtp.commands import CommandReader
from postroad.smtp.events import Answered, AuthGiven, BodyComplete, BodyPiece, BodyRefused, Closed, ServerEvent
from postroad.smtp.grammar import Auth, BadSyntax, Bdat, Command, Ehlo, Helo, Mail, Rcpt
from postroad.smtp.inbound import Chunk, InboundBody
from postroad.smtp.offer import (
    OK,
    OUT_OF_ORDER,
    OUT_OF_STEP,
    REFUSALS,
    USUAL,
    WELCOME,
    OpenTransaction,
    ServerConfig,
    hello,
)
from postroad.smtp.sasl import SaslExchange
from postroad.smtp.states import SERVER_ENDS, SERVER_MOVES, ServerState, after_greeting, ends_group
from postroad.smtp.wire import format_reply
from postroad.words.reply import Reply

CHUNK_TAKEN = Reply(250, ("2.0.0 chunk received",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))

_ENDS = (BodyComplete, BodyRefused, AuthGiven)  # what ends a dialogue within a state, however it is answered
_HELLOS = (Ehlo, Helo)
_YES: dict[type[object], bytes] = {
    **{kind: format_reply(reply) for kind, reply in USUAL.items() if reply.is_positive},
    **dict.fromkeys(_HELLOS, b""),  # each has its own
}


class Server:
    """An SMTP session as the server sees it, without I/O: `receive` octets, and answer each event but a BodyPiece.

    A command is itself the event that it came. Answer with `agree`, or with a `reply` of your own.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.state = ServerState.GREETING
        self.client_name = ""
        self.is_extended = False  # by EHLO, not HELO
        self.is_tls = False
        self.is_authenticated = False
        self.has_more = False  # behind the last event there may be another; so there is once the state is CLOSED
        self.opened: OpenTransaction | None = None  # the transaction
        self._lines = CommandReader(config.limits.command_line)
        self._has_ended = False
        self._awaiting: ServerEvent | None = None  # an answer
        self._due: Answered | None = None  # behind the event before it
        self._body: InboundBody | None = None  # of the message that comes
        self._chunk: Chunk | None = None
        self._exchange: SaslExchange | None = None
        self._errors = 0

    @property
    def transaction(self) -> OpenTransaction:
        """The open transaction.

        Raises:
            LookupError: there is none.

        """
        if self.opened is None:
            raise LookupError("no transaction is open")
        return self.opened

    def greet(self, reply: Reply | None = None) -> bytes:
        """The first word, 220 by default. After 421 the session is over; after 5yz only QUIT is taken."""
        reply = reply or Reply(220, (f"{self.config.hostname} ESMTP",))
        self.state = after_greeting(reply)
        return format_reply(reply)

    def receive(self, data: bytes | None = None) -> ServerEvent | None:
        """Octets have come, or b"" for the end of the connection, or nothing new: the next event.

        None: there is none before more octets come, or before the last event is answered.
        """
        if data:
            self._lines.feed(data)
        elif data is not None:
            self._has_ended = True
        if self._awaiting is not None:
            return None
        if self.state is ServerState.CLOSED:
            return Closed()
        event: ServerEvent | None = self._due
        if event:
            self._due = None
        elif not self._lines.is_spent:
            event = self._chunk_event(self._chunk) if self._chunk else _EVENTS[self.state](self)
        self.has_more = self._has_ended or not self._lines.is_spent or self._due is not None
        if event is None:
            return Closed() if self._has_ended else None
        if type(event) is not BodyPiece:
            self._awaiting = event
        return event

    def agree(self) -> bytes:
        """Answer the last event with a yes, or as it says itself: the command, the message, the user is taken.

        Raises:
            LookupError: no event waits for an answer.

        """
        command = self._awaiting
        yes = _YES.get(type(command))
        if yes is None:
            return self.reply(_usual(command))
        self._awaiting = None
        self.state = SERVER_MOVES[self.state][type(command)]  # type: ignore[index]  # a command: it is in that table
        if isinstance(command, Rcpt) and self.opened:
            self.opened.recipients.append(command.recipient)
        elif isinstance(command, Mail):
            self.opened = OpenTransaction(command)
        elif self.state is ServerState.READY:
            self.opened = self._body = None
            if isinstance(command, _HELLOS):
                return self._meet(command)
        return yes

    def reply(self, reply: Reply) -> bytes:
        """Answer the last event, and move on as the answer has it."""
        answered, self._awaiting = self._awaiting, None
        if isinstance(answered, _ENDS):
            self._end()
            if isinstance(answered, AuthGiven):
                self.is_authenticated = reply.is_positive
        elif isinstance(answered, Answered):
            if answered.violation:
                self.state = ServerState.CLOSED
        elif type(answered) in _YES and reply.is_positive:
            self._awaiting = answered
            self.agree()
        if reply.code == 421:
            self.state = ServerState.CLOSED
        return format_reply(reply)

    def tls_started(self) -> None:
        """The handshake is done: everything said in the clear is forgotten (RFC 3207 section 4.2)."""
        self._lines.clear()
        self.client_name = ""
        self.is_extended = self.is_authenticated = False
        self.is_tls = True
        self._end()

    def _command_event(self) -> ServerEvent | None:
        lines = self._lines
        command = lines.command()
        if command is None:
            return None
        if isinstance(command, BadSyntax):
            return Answered(command.reply, command.foreign) if command.foreign else self._error(command.reply)
        if not lines.is_spent and ends_group(command, extended=self.is_extended):
            return Answered(OUT_OF_STEP, f"input behind {type(command).__name__.upper()}")
        refuse = REFUSALS.get(type(command)) if type(command) in SERVER_MOVES[self.state] else _out_of_order
        refusal = refuse(command, self, lines.is_ascii) if refuse else None
        if isinstance(command, Bdat):
            return self._begin_chunk(command, refusal)
        if refusal:
            return self._error(refusal)
        if isinstance(command, Auth):
            return self._begin_auth(command)
        return command

    def _meet(self, command: Ehlo | Helo) -> bytes:
        self.client_name = command.name
        self.is_extended = isinstance(command, Ehlo)
        return hello(command, self.config, tls=self.is_tls, known=self.is_authenticated)

    def _end(self) -> None:
        """The dialogue within this state is over (a message, AUTH, a handshake), however it was answered."""
        self.state = SERVER_ENDS[self.state]
        self.opened = self._exchange = self._body = None

    def _body_event(self) -> ServerEvent | None:
        body = self._body = self._body or InboundBody(self.config.size, refuses_unsafe=self.config.refuse_unsafe)
        event = body.by_data(self._lines)
        return BodyRefused(self._counted(event.reply)) if isinstance(event, BodyRefused) else event

    def _begin_chunk(self, bdat: Bdat, refusal: Reply | None) -> ServerEvent | None:
        into: InboundBody | Reply | None = refusal
        if into is None:
            self.state = ServerState.CHUNKS
            into = self._body = self._body or InboundBody(self.config.size, refuses_unsafe=self.config.refuse_unsafe)
        self._chunk = Chunk(bdat, into)
        return self._chunk_event(self._chunk)

    def _chunk_event(self, chunk: Chunk) -> ServerEvent | None:
        event = chunk.read(self._lines)
        if chunk.left:
            return event
        self._chunk = None
        if isinstance(chunk.into, Reply):
            return self._error(chunk.into)
        if chunk.is_last:
            return BodyRefused(self._counted(event.reply)) if isinstance(event, BodyRefused) else event
        taken = Answered(CHUNK_TAKEN)
        if event:
            self._due = taken
        return event or taken

    def _begin_auth(self, auth: Auth) -> ServerEvent:
        self.state = ServerState.AUTH
        self._exchange = SaslExchange(auth.mechanism)
        return self._auth_step(self._exchange.begin(auth.initial))

    def _auth_event(self) -> ServerEvent | None:
        line = self._lines.take()
        if line is None or self._exchange is None:
            return None
        return self._auth_step(self._exchange.hear(line, self._lines.fault))

    def _auth_step(self, step: Reply | AuthGiven) -> ServerEvent:
        if isinstance(step, AuthGiven):
            return step
        if step.is_positive:
            return Answered(step)
        self._end()
        return self._error(step)

    def _error(self, reply: Reply) -> Answered:
        return Answered(self._counted(reply))

    def _counted(self, reply: Reply) -> Reply:
        """The reply, or 421 for a client with too many errors. 452 is none: it goes on with the recipients it has."""
        self._errors += reply.is_permanent
        return TOO_MANY_ERRORS if self._errors > self.config.limits.errors else reply


def _out_of_order(_command: Command, _at: Server, _ascii_only: bool) -> Reply:  # noqa: FBT001  # as those of REFUSALS
    return OUT_OF_ORDER


def _early(_at: Server) -> ServerEvent:
    """RFC 5321 section 3.1: the client waits for the greeting."""
    return Answered(OUT_OF_STEP, "input before the greeting")


def _usual(event: ServerEvent | None) -> Reply:
    """The answer to what is no command that is agreed to."""
    if event is None:
        raise LookupError("no event waits for an answer")
    if isinstance(event, Answered):
        return event.reply
    return WELCOME if isinstance(event, AuthGiven) else USUAL.get(type(event), OK)


# What octets are, where a chunk is not under way
_EVENTS: dict[ServerState, Callable[[Server], ServerEvent | None]] = {
    **dict.fromkeys(ServerState, Server._command_event),  # noqa: SLF001  # its own table
    ServerState.GREETING: _early,
    ServerState.BODY: Server._body_event,  # noqa: SLF001  # as above
    ServerState.AUTH: Server._auth_event,  # noqa: SLF001  # as above
    ServerState.TLS: lambda _server: None,
}
