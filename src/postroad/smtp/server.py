"""The server's end of a session: bytes become events, one at a time, each answered before the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postroad.smtp.content import ContentCheck
from postroad.smtp.events import Answered, AuthGiven, BodyComplete, BodyPiece, BodyRefused, Closed, ServerEvent
from postroad.smtp.grammar import (
    PLAIN,
    Auth,
    BadSyntax,
    Bdat,
    Command,
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    parse_command,
    plain_command,
)
from postroad.smtp.offer import (
    NOT_SMTP,
    OK,
    OUT_OF_ORDER,
    OUT_OF_STEP,
    REFUSALS,
    USUAL,
    WELCOME,
    OpenTransaction,
    ServerConfig,
    hello,
    is_foreign,
)
from postroad.smtp.sasl import SaslExchange
from postroad.smtp.states import SERVER_ENDS, SERVER_MOVES, ServerState, after_greeting, ends_group
from postroad.smtp.wire import DotReader, LineBuffer, format_reply
from postroad.words.reply import Reply

CHUNK_TAKEN = Reply(250, ("2.0.0 chunk received",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))

_ENDS = (BodyComplete, BodyRefused, AuthGiven)  # what ends a dialogue within a state, however it is answered
_HELLOS = (Ehlo, Helo)
_ARE_BEGUN = (Bdat, Auth)  # what is agreed to as it comes: the rest of it follows
_YES: dict[type[object], bytes] = {
    **{kind: format_reply(reply) for kind, reply in USUAL.items() if reply.is_positive},
    **dict.fromkeys(_HELLOS, b""),  # each has its own
}

QUOTED = 60  # octets of a line that is not SMTP that are told to the application


@dataclass(slots=True)
class _Chunk:
    """A BDAT chunk on its way in. With a refusal its octets are swallowed and not given out."""

    left: int
    last: bool
    refusal: Reply | None


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
        self._lines = LineBuffer(config.limits.command_line)
        self._has_ended = False
        self._awaiting: Command | AuthGiven | BodyComplete | Answered | None = None
        self._due: Answered | None = None  # behind the event before it
        self._content: ContentCheck | None = None  # of the message that comes
        self._body: DotReader | None = None  # by DATA
        self._chunk: _Chunk | None = None
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

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self.opened is not None

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
        if self._due:
            self._awaiting, self._due = self._due, None
            return self._awaiting
        if self.state is ServerState.CLOSED:
            return Closed()
        if self._lines.is_spent:
            event = None
        else:
            event = self._chunk_event(self._chunk) if self._chunk else _EVENTS[self.state](self)
        self.has_more = self._has_ended or not self._lines.is_spent or self._due is not None
        return Closed() if event is None and self._has_ended else event

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
            self.opened = self._content = None
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
        """As nearly all clients write it, one pattern finds it; whatever else is meant is for the whole grammar."""
        lines = self._lines
        if found := lines.take_match(PLAIN):
            command, ascii_only = plain_command(found), True
        else:
            line = lines.take()
            if line is None:
                return None
            read = BadSyntax(Reply(500, (f"5.5.2 {lines.fault}",))) if lines.fault else parse_command(line)
            if isinstance(read, BadSyntax):
                return self._nonsense(line, read.reply)
            command, ascii_only = read, line.isascii()
        if not lines.is_spent and ends_group(command, extended=self.is_extended):
            return self._violation(OUT_OF_STEP, f"input behind {type(command).__name__.upper()}")
        refuse = REFUSALS.get(type(command)) if type(command) in SERVER_MOVES[self.state] else _out_of_order
        refusal = refuse(command, self, ascii_only) if refuse else None
        if isinstance(command, Bdat):
            return self._begin_chunk(command, refusal)
        if refusal:
            return self._error(refusal)
        if isinstance(command, Auth):
            return self._begin_auth(command)
        self._awaiting = command
        return command

    def _nonsense(self, line: bytes, reply: Reply) -> Answered:
        if is_foreign(line):
            return self._violation(NOT_SMTP, line[:QUOTED].decode("ascii", "backslashreplace"))
        return self._error(reply)

    def _meet(self, command: Ehlo | Helo) -> bytes:
        self.client_name = command.name
        self.is_extended = isinstance(command, Ehlo)
        return hello(command, self.config, tls=self.is_tls, known=self.is_authenticated)

    def _end(self) -> None:
        """The dialogue within this state is over (a message, AUTH, a handshake), however it was answered."""
        self.state = SERVER_ENDS[self.state]
        self.opened = self._exchange = self._body = self._content = None

    def _early(self) -> ServerEvent:
        """RFC 5321 section 3.1: the client waits for the greeting."""
        return self._violation(OUT_OF_STEP, "input before the greeting")

    def _body_event(self) -> ServerEvent | None:
        body = self._body = self._body or DotReader()
        piece, behind = body.read(self._lines.clear())
        if behind:
            self._lines.feed(behind)
        if body.has_ended:
            return self._whole(piece)
        return BodyPiece(piece) if piece and self._is_taken(piece) else None

    def _begin_chunk(self, bdat: Bdat, refusal: Reply | None) -> ServerEvent | None:
        # Refused or not, the octets are on their way and must be passed over (RFC 3030 section 2)
        if refusal is None:
            self.state = ServerState.CHUNKS
        self._chunk = _Chunk(bdat.size, bdat.last, refusal)
        return self._chunk_event(self._chunk)

    def _chunk_event(self, chunk: _Chunk) -> ServerEvent | None:
        octets = self._lines.take_octets(chunk.left)
        chunk.left -= len(octets)
        if chunk.left == 0:
            return self._end_chunk(chunk, octets)
        is_given = octets and not chunk.refusal and self._is_taken(octets)
        return BodyPiece(octets) if is_given else None

    def _end_chunk(self, chunk: _Chunk, octets: bytes) -> ServerEvent:
        self._chunk = None
        if chunk.refusal:
            return self._error(chunk.refusal)
        if chunk.last:
            return self._whole(octets)
        if octets and self._is_taken(octets):
            self._due = Answered(CHUNK_TAKEN)
            return BodyPiece(octets)
        return self._answer(CHUNK_TAKEN)

    def _whole(self, octets: bytes) -> ServerEvent:
        """The last octets of a message: the application's to answer, unless the session must refuse it."""
        content = self._content or ContentCheck(self.config.size, refuses_unsafe=self.config.refuse_unsafe)
        if content.take(octets, is_last=True):
            self._awaiting = BodyComplete(octets)
        else:
            self._awaiting = BodyRefused(self._counted(content.refusal))
        return self._awaiting

    def _is_taken(self, octets: bytes) -> bool:
        """Some octets of a message, and not its last: whether they may be handed on."""
        self._content = self._content or ContentCheck(self.config.size, refuses_unsafe=self.config.refuse_unsafe)
        return self._content.take(octets)

    def _begin_auth(self, auth: Auth) -> ServerEvent:
        self.state = ServerState.AUTH
        self._exchange = SaslExchange(auth.mechanism)
        return self._auth_step(self._exchange.begin(auth.initial))

    def _auth_event(self) -> ServerEvent | None:
        line = self._lines.take()
        if line is None or self._exchange is None:
            return None
        if self._lines.fault:
            return self._auth_step(Reply(500, (f"5.5.2 {self._lines.fault}",)))
        return self._auth_step(self._exchange.hear(line))

    def _auth_step(self, step: Reply | AuthGiven) -> ServerEvent:
        if isinstance(step, AuthGiven):
            self._awaiting = step
            return step
        if step.is_positive:
            return self._answer(step)
        self._end()
        return self._error(step)

    def _answer(self, reply: Reply, violation: str = "") -> Answered:
        self._awaiting = Answered(reply, violation)
        return self._awaiting

    def _error(self, reply: Reply) -> Answered:
        return self._answer(self._counted(reply))

    def _counted(self, reply: Reply) -> Reply:
        """The reply, or 421 for a client with too many errors. 452 is none: it goes on with the recipients it has."""
        self._errors += reply.is_permanent
        return TOO_MANY_ERRORS if self._errors > self.config.limits.errors else reply

    def _violation(self, reply: Reply, what: str) -> Answered:
        """The client does not speak SMTP, or not in step: an answer, and the end of the session."""
        return self._answer(reply, what)


def _out_of_order(_command: Command, _at: Server, _ascii_only: bool) -> Reply:  # noqa: FBT001  # as those of REFUSALS
    return OUT_OF_ORDER


def _usual(event: Command | AuthGiven | BodyComplete | Answered | None) -> Reply:
    """The answer to what is no command that is agreed to."""
    if event is None:
        raise LookupError("no event waits for an answer")
    if isinstance(event, Answered):
        return event.reply
    return WELCOME if isinstance(event, AuthGiven) else USUAL.get(type(event), OK)


# What octets are, where a chunk is not under way
_EVENTS: dict[ServerState, Callable[[Server], ServerEvent | None]] = {
    **dict.fromkeys(ServerState, Server._command_event),  # noqa: SLF001  # its own table
    ServerState.GREETING: Server._early,  # noqa: SLF001  # as above
    ServerState.BODY: Server._body_event,  # noqa: SLF001  # as above
    ServerState.AUTH: Server._auth_event,  # noqa: SLF001  # as above
    ServerState.TLS: lambda _server: None,
}
