"""The server's end of a session: bytes become events, pulled one at a time, each answered before the next."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.smtp.content import Content
from postroad.smtp.events import (
    BODY_COMPLETE,
    NEED_DATA,
    PAUSED,
    Answered,
    AuthGiven,
    BodyComplete,
    BodyPiece,
    BodyRefused,
    Closed,
    Commanded,
    Pause,
    ServerEvent,
    StartTlsRequested,
)
from postroad.smtp.grammar import (
    Auth,
    BadSyntax,
    Bdat,
    Command,
    Data,
    Ehlo,
    Helo,
    Mail,
    Rcpt,
    StartTls,
    parse_command,
)
from postroad.smtp.offer import (
    NOT_SMTP,
    OUT_OF_ORDER,
    OUT_OF_STEP,
    USUAL,
    OpenTransaction,
    ServerConfig,
    extension_refusal,
    hello,
    is_foreign,
    mail_refusal,
    rcpt_refusal,
)
from postroad.smtp.sasl import Exchange
from postroad.smtp.states import SERVER_ENDS, SERVER_MOVES, ServerState, after_greeting, ends_group
from postroad.smtp.wire import DotReader, LineBuffer, format_reply
from postroad.words.reply import Reply

CHUNK_TAKEN = Reply(250, ("2.0.0 chunk taken",))
TOO_MANY_ERRORS = Reply(421, ("4.7.0 too many errors",))

_ENDS = (BodyComplete, BodyRefused, AuthGiven)  # what ends a dialogue within a state, however it is answered
_HELLOS = (Ehlo, Helo)
_OF_EXTENSIONS = (StartTls, Auth, Bdat)

QUOTED = 60  # octets of a line that is not SMTP that are told to the application


@dataclass(slots=True)
class _Chunk:
    """A BDAT chunk on its way in. With a refusal its octets are swallowed and not given out."""

    left: int
    last: bool
    refusal: Reply | None


class Server:
    """A session as the server sees it: `feed` octets, pull `next_event`, give `reply` to each that needs one."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.state = ServerState.GREETING
        self.client_name = ""
        self.is_extended = False  # by EHLO, not HELO
        self.is_tls = False
        self.is_authenticated = False
        self._transaction: OpenTransaction | None = None
        self._lines = LineBuffer(config.limits.command_line)
        self._has_ended = False
        self._awaiting: Command | AuthGiven | BodyComplete | Answered | None = None
        self._content = Content(0, refuses_unsafe=True)
        self._body = DotReader()
        self._chunk: _Chunk | None = None
        self._is_whole = False  # the last octets of the message, or of the chunk, are given out
        self._exchange: Exchange | None = None
        self._errors = 0

    @property
    def transaction(self) -> OpenTransaction:
        """The open transaction.

        Raises:
            LookupError: there is none.

        """
        if self._transaction is None:
            raise LookupError("no transaction is open")
        return self._transaction

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self._transaction is not None

    def greet(self, reply: Reply | None = None) -> bytes:
        """The first word, 220 by default. After 421 the session is over; after 5yz only QUIT is taken."""
        reply = reply or Reply(220, (f"{self.config.hostname} ESMTP",))
        self.state = after_greeting(reply)
        return format_reply(reply)

    def feed(self, data: bytes) -> None:
        """Octets have come; b"" is the end of the connection."""
        if data:
            self._lines.feed(data)
        else:
            self._has_ended = True

    def next_event(self) -> ServerEvent | Pause:
        """The next event, PAUSED while the last one waits for its reply, NEED_DATA when there is none."""
        if self._awaiting is not None:
            return PAUSED
        if self.state is ServerState.CLOSED:
            return Closed()
        event = self._conclude() if self._is_whole else NEED_DATA if self._lines.is_spent else self._event()
        return Closed() if event is NEED_DATA and self._has_ended else event

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
        elif answered is not None and reply.code // 100 in (2, 3):
            self._agree(answered)
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

    def _event(self) -> ServerEvent | Pause:
        """What the octets bring that are here."""
        if self._chunk:
            return self._chunk_event(self._chunk)
        if self.state is ServerState.BODY:
            return self._body_event()
        if self.state is ServerState.TLS:
            return NEED_DATA
        if self.state is ServerState.GREETING:  # RFC 5321 section 3.1: the client waits for the greeting
            return self._violation(OUT_OF_STEP, "input before the greeting")
        line = self._lines.take()
        if line is None:
            return NEED_DATA
        return self._auth_event(line, self._exchange) if self._exchange else self._line_event(line)

    def _line_event(self, line: bytes) -> ServerEvent | Pause:
        fault = self._lines.fault
        command = BadSyntax(Reply(500, (f"5.5.2 {fault}",))) if fault else parse_command(line)
        if isinstance(command, BadSyntax):
            if is_foreign(line):
                return self._violation(NOT_SMTP, line[:QUOTED].decode("ascii", "backslashreplace"))
            return self._error(command.reply)
        if not self._lines.is_spent and ends_group(command, extended=self.is_extended):
            return self._violation(OUT_OF_STEP, f"input behind {type(command).__name__.upper()}")
        if type(command) not in SERVER_MOVES[self.state]:
            return self._command_event(command, OUT_OF_ORDER)
        return self._command_event(command, self._refusal(command, ascii_only=line.isascii()))

    def _command_event(self, command: Command, refusal: Reply | None) -> ServerEvent | Pause:
        if isinstance(command, Bdat):
            return self._begin_chunk(command, refusal)
        if refusal:
            return self._error(refusal)
        if isinstance(command, Auth):
            return self._begin_auth(command)
        self._awaiting = command
        if isinstance(command, StartTls):
            return StartTlsRequested()
        usual = USUAL.get(type(command))
        return Commanded(command, usual or hello(command, self.config, tls=self.is_tls, known=self.is_authenticated))

    def _refusal(self, command: Command, *, ascii_only: bool) -> Reply | None:
        """Why the session itself cannot take this command, which is in order: not offered, or too much."""
        if isinstance(command, Rcpt) and self._transaction:
            return rcpt_refusal(command.recipient, self._transaction, self.config, ascii_only=ascii_only)
        if isinstance(command, Mail):
            return mail_refusal(command, self.config, ascii_only=ascii_only)
        if isinstance(command, _OF_EXTENSIONS):
            return extension_refusal(command, self.config, tls=self.is_tls, known=self.is_authenticated)
        return None

    def _agree(self, command: Command) -> None:
        """Our side has said yes: take the move of the table."""
        self.state = SERVER_MOVES[self.state][type(command)]
        if isinstance(command, Rcpt):
            self.transaction.recipients.append(command.recipient)
        elif isinstance(command, Mail):
            self._transaction = OpenTransaction(command)
            self._content = Content(self.config.size, refuses_unsafe=self.config.refuse_unsafe)
        elif isinstance(command, Data):
            self._body = DotReader()
        elif isinstance(command, _HELLOS):
            self.client_name = command.name
            self.is_extended = isinstance(command, Ehlo)
        if self.state is ServerState.READY:
            self._transaction = None

    def _end(self) -> None:
        """The dialogue within this state is over (a message, AUTH, a handshake), however it was answered."""
        self.state = SERVER_ENDS[self.state]
        self._transaction = self._exchange = None

    def _body_event(self) -> ServerEvent | Pause:
        piece, behind = self._body.read(self._lines.clear())
        if behind:
            self._lines.feed(behind)
        self._is_whole = self._body.has_ended
        return self._piece(piece)

    def _begin_chunk(self, bdat: Bdat, refusal: Reply | None) -> ServerEvent | Pause:
        # Refused or not, the octets are on their way and must be passed over (RFC 3030 section 2)
        if refusal is None:
            self._agree(bdat)
        self._chunk = _Chunk(bdat.size, bdat.last, refusal)
        return self._chunk_event(self._chunk)

    def _chunk_event(self, chunk: _Chunk) -> ServerEvent | Pause:
        data = self._lines.take_octets(chunk.left)
        chunk.left -= len(data)
        self._is_whole = not chunk.left
        return self._piece(b"" if chunk.refusal else data)

    def _piece(self, octets: bytes) -> ServerEvent | Pause:
        """Octets of the message to hand on, if any; their end is the next event."""
        if octets and (piece := self._content.take(octets)):
            return BodyPiece(piece)
        return self._conclude() if self._is_whole else NEED_DATA

    def _conclude(self) -> ServerEvent:
        """A chunk is whole, or the message: the application's to answer, unless the session must refuse it."""
        self._is_whole = False
        chunk, self._chunk = self._chunk, None
        if chunk and chunk.refusal:
            return self._error(chunk.refusal)
        if chunk and not chunk.last:
            return self._answer(CHUNK_TAKEN)
        refusal = self._content.refusal()
        self._awaiting = BodyRefused(self._counted(refusal)) if refusal else BODY_COMPLETE
        return self._awaiting

    def _begin_auth(self, auth: Auth) -> ServerEvent:
        self._agree(auth)
        self._exchange = Exchange(auth.mechanism)
        return self._auth_step(self._exchange.begin(auth.initial))

    def _auth_event(self, line: bytes, exchange: Exchange) -> ServerEvent:
        if self._lines.fault:
            return self._auth_step(Reply(500, (f"5.5.2 {self._lines.fault}",)))
        return self._auth_step(exchange.hear(line))

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
