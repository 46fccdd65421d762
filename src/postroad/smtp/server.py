"""The server's end of a session: bytes become events, pulled one at a time, each answered before the next."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import lru_cache

from postroad.smtp.events import (
    NEED_DATA,
    PAUSED,
    Answered,
    AuthGiven,
    BodyComplete,
    BodyPiece,
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
    Expn,
    Helo,
    Help,
    Mail,
    Quit,
    Rcpt,
    StartTls,
    Vrfy,
    parse_command,
)
from postroad.smtp.states import SERVER_MOVES, ServerState
from postroad.smtp.wire import DotReader, Limits, LineBuffer, format_reply
from postroad.words.mail import Envelope, Recipient
from postroad.words.reply import Reply

MIB = 1024 * 1024

OK = Reply(250, ("2.0.0 ok",))
_USUAL: dict[type[Command], Reply] = {
    Mail: Reply(250, ("2.1.0 ok",)),
    Rcpt: Reply(250, ("2.1.5 ok",)),
    Data: Reply(354, ("end with a dot on a line of its own",)),
    Vrfy: Reply(252, ("2.1.5 cannot say; send it and see",)),  # RFC 5321 section 3.5.3: neither confirm nor deny
    Expn: Reply(502, ("5.5.1 no EXPN here",)),
    Help: Reply(214, ("2.0.0 see RFC 5321",)),
    Quit: Reply(221, ("2.0.0 goodbye",)),
}


_EXTENSIONS = (StartTls, Auth, Bdat)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server is called, offers and endures. `auth` names SASL mechanisms, of PLAIN and LOGIN."""

    hostname: str
    size: int = 50 * MIB
    max_recipients: int = 1000  # at least 100 must be taken, RFC 5321 section 4.5.3.1.8
    pipelining: bool = True
    eight_bit_mime: bool = True
    smtputf8: bool = True
    chunking: bool = True
    dsn: bool = True
    starttls: bool = False
    auth: tuple[str, ...] = ()
    refuse_bare_newlines: bool = True  # else they are kept as content; they never end anything
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class _Open:
    """The transaction that is open: MAIL as agreed to, and the recipients taken."""

    mail: Mail
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def envelope(self) -> Envelope:
        """Both as an Envelope."""
        mail = self.mail
        eight_bit = mail.body == "8BITMIME"
        recipients = tuple(self.recipients)
        return Envelope(mail.reverse_path, recipients, mail.smtputf8, eight_bit, mail.ret, mail.envid)


@dataclass(slots=True)
class _Chunk:
    """A BDAT chunk on its way in. With a refusal its octets are swallowed and not given out."""

    left: int
    last: bool
    refusal: Reply | None = None


class Server:
    """A session as the server sees it: `feed` octets, pull `next_event`, give `reply` to each that wants one."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.state = ServerState.FRESH
        self.client_name = ""
        self.is_extended = False  # by EHLO, not HELO
        self.is_tls = False
        self.is_authenticated = False
        self._transaction: _Open | None = None
        self._lines = LineBuffer(config.limits.command_line)
        self._has_ended = False
        self._awaiting: Command | AuthGiven | BodyComplete | Answered | None = None
        self._body = DotReader()
        self._chunk: _Chunk | None = None
        self._octets = 0
        self._is_bare = False
        self._auth: tuple[str, list[str]] | None = None
        self._errors = 0

    @property
    def transaction(self) -> _Open:
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
        if not reply.is_positive:
            self.state = ServerState.CLOSED if reply.code == 421 else ServerState.REFUSING
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
        if self._chunk:
            event = self._chunk_event(self._chunk)
        elif self.state is ServerState.BODY:
            event = self._body_event()
        elif self.state is ServerState.TLS:
            event = NEED_DATA
        else:
            event = self._line_event()
        return Closed() if event is NEED_DATA and self._has_ended else event

    def reply(self, reply: Reply) -> bytes:
        """Answer the last event, and move on as the answer has it."""
        answered, self._awaiting = self._awaiting, None
        if isinstance(answered, BodyComplete):
            self._end_transaction()
        elif isinstance(answered, AuthGiven):
            self.is_authenticated = reply.is_positive
        elif reply.is_positive and answered is not None and not isinstance(answered, Answered):
            self._agree(answered)
        if reply.code == 421:
            self.state = ServerState.CLOSED
        return format_reply(reply)

    def tls_started(self) -> None:
        """The handshake is done: everything said in the clear is forgotten (RFC 3207 section 4.2)."""
        self._lines.clear()
        self._transaction = None
        self.client_name = ""
        self.is_authenticated = False
        self.is_tls = True
        self.state = ServerState.FRESH

    def _line_event(self) -> ServerEvent | Pause:
        line = self._lines.take()
        if line is None:
            return NEED_DATA
        if line.fault:
            self._auth = None
            return self._error(500, f"5.5.2 {line.fault}")
        if self._auth:
            return self._auth_event(*self._auth, line.octets)
        command = parse_command(line.octets)
        if isinstance(command, BadSyntax):
            return self._error(command.reply.code, command.reply.text)
        return self._command_event(command)

    def _command_event(self, command: Command) -> ServerEvent | Pause:
        refusal = self._refusal(command)
        if isinstance(command, Bdat):
            return self._begin_chunk(command, refusal)
        if refusal:
            return self._error(refusal.code, refusal.text)
        if isinstance(command, Auth):
            return self._begin_auth(command.mechanism, command.initial)
        if isinstance(command, StartTls):
            if len(self._lines):  # the 2011 injection: commands in the clear that TLS would bless
                self._lines.clear()
                return self._error(554, "5.5.1 nothing may follow STARTTLS in the clear")
            self._awaiting = command
            return StartTlsRequested()
        self._awaiting = command
        return Commanded(command, _USUAL.get(type(command)) or self._default(command))

    def _refusal(self, command: Command) -> Reply | None:
        """Why the session itself cannot take this command: out of order, not offered, or too much."""
        kind = type(command)
        if kind not in SERVER_MOVES[self.state]:
            return Reply(503, ("5.5.1 bad sequence of commands",))
        if isinstance(command, Rcpt):
            return self._rcpt_refusal(command.recipient)
        if isinstance(command, Mail):
            return self._mail_refusal(command)
        return self._not_offered(command) if kind in _EXTENSIONS else None

    def _not_offered(self, command: Command) -> Reply | None:
        match command:
            case StartTls() if not self.config.starttls or self.is_tls:
                return Reply(503, ("5.5.1 no STARTTLS here",))
            case Auth() if self.is_authenticated:
                return Reply(503, ("5.5.1 authenticated already",))  # RFC 4954 section 4
            case Auth(mechanism) if mechanism not in self.config.auth:
                return Reply(504, ("5.5.4 no such mechanism",))
            case Bdat() if not self.config.chunking:
                return Reply(502, ("5.5.1 no CHUNKING here",))
        return None

    def _mail_refusal(self, mail: Mail) -> Reply | None:
        offered = self.config
        if mail.size is not None and mail.size > offered.size:
            return Reply(552, (f"5.3.4 the message is too large: {offered.size} octets at most",))
        unknown = (
            (mail.smtputf8 and not offered.smtputf8)
            or (mail.body == "8BITMIME" and not offered.eight_bit_mime)
            or ((mail.ret or mail.envid) and not offered.dsn)
            or (mail.auth is not None and not offered.auth)
        )
        if unknown:
            return Reply(555, ("5.5.4 a parameter that is not offered",))
        if mail.reverse_path and mail.reverse_path.needs_smtputf8 and not mail.smtputf8:
            return Reply(553, ("5.6.7 the address needs SMTPUTF8",))
        return None

    def _rcpt_refusal(self, recipient: Recipient) -> Reply | None:
        transaction = self.transaction
        if len(transaction.recipients) >= self.config.max_recipients:
            return Reply(452, ("4.5.3 too many recipients",))
        if (recipient.notify or recipient.orcpt) and not self.config.dsn:
            return Reply(555, ("5.5.4 a parameter that is not offered",))
        if recipient.mailbox.needs_smtputf8 and not transaction.mail.smtputf8:
            return Reply(553, ("5.6.7 the address needs SMTPUTF8",))
        return None

    def _agree(self, command: Command) -> None:
        """Our side has said yes: take the move of the table."""
        self.state = SERVER_MOVES[self.state][type(command)]
        if isinstance(command, Rcpt):
            self.transaction.recipients.append(command.recipient)
        elif isinstance(command, Mail):
            self._transaction = _Open(command)
            self._octets, self._is_bare = 0, False
        elif isinstance(command, Data):
            self._body = DotReader()
        elif isinstance(command, Ehlo | Helo):
            self.client_name = command.name
            self.is_extended = isinstance(command, Ehlo)
        if self.state is ServerState.READY:
            self._transaction = None

    def _end_transaction(self) -> None:
        self._transaction = None
        self.state = ServerState.READY

    def _body_event(self) -> ServerEvent | Pause:
        data = self._lines.clear()
        piece, behind = self._body.read(data) if data else (b"", None)
        self._octets += len(piece)
        if behind is not None:
            self._lines.feed(behind)
            self._is_bare = self._body.is_bare
            self.state = ServerState.RCPT  # until the message is answered, then READY
            if piece and self._octets <= self.config.size:
                self._chunk = _Chunk(0, last=True)  # the piece first; its end is the next event
                return BodyPiece(piece)
            return self._complete()
        if piece and self._octets <= self.config.size:
            return BodyPiece(piece)
        return NEED_DATA

    def _begin_chunk(self, bdat: Bdat, refusal: Reply | None) -> ServerEvent | Pause:
        # Refused or not, the octets are on their way and must be passed over (RFC 3030 section 2)
        if refusal is None:
            self.state = ServerState.CHUNKS
        self._chunk = _Chunk(bdat.size, bdat.last, refusal)
        return self.next_event()

    def _chunk_event(self, chunk: _Chunk) -> ServerEvent | Pause:
        data = self._lines.take_octets(chunk.left)
        chunk.left -= len(data)
        self._octets += len(data)
        if data and not chunk.refusal and self._octets <= self.config.size:
            return BodyPiece(data)
        if chunk.left:
            return NEED_DATA if not data else self._chunk_event(chunk)
        self._chunk = None
        if chunk.refusal:
            return self._error(chunk.refusal.code, chunk.refusal.text)
        if chunk.last:
            return self._complete()
        self._awaiting = Answered(Reply(250, ("2.0.0 chunk taken",)))
        return self._awaiting

    def _complete(self) -> ServerEvent:
        """The message is whole: the application's to answer, unless the session must refuse it."""
        refusal = None
        if self._octets > self.config.size:
            refusal = Reply(552, (f"5.3.4 the message is too large: {self.config.size} octets at most",))
        elif self._is_bare and self.config.refuse_bare_newlines:
            refusal = Reply(554, ("5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)",))
        if refusal:
            self._end_transaction()
            return self._error(refusal.code, refusal.text)
        self._awaiting = BodyComplete()
        return self._awaiting

    def _begin_auth(self, mechanism: str, initial: str | None) -> ServerEvent:
        self._auth = (mechanism, [])
        if initial is not None:
            return self._auth_event(mechanism, [], initial.encode())
        return self._challenge("" if mechanism == "PLAIN" else "Username:")

    def _auth_event(self, mechanism: str, given: list[str], line: bytes) -> ServerEvent:
        if line == b"*":
            self._auth = None
            return self._error(501, "5.7.0 cancelled")
        try:
            given.append(base64.b64decode(line, validate=True).decode())
        except (binascii.Error, ValueError):
            self._auth = None
            return self._error(501, "5.5.2 not base64")
        if mechanism == "LOGIN" and len(given) == 1:
            self._auth = (mechanism, given)
            return self._challenge("Password:")
        self._auth = None
        parts = given[0].split("\0") if mechanism == "PLAIN" else ["", *given]
        if len(parts) != 3:
            return self._error(501, "5.5.2 not what the mechanism asks for")
        self._awaiting = AuthGiven(mechanism, *parts)
        return self._awaiting

    def _challenge(self, text: str) -> Answered:
        self._awaiting = Answered(Reply(334, (base64.b64encode(text.encode()).decode(),)))
        return self._awaiting

    def _error(self, code: int, text: str) -> Answered:
        self._errors += code // 100 == 5  # "too many recipients" is no error of a client that goes on with the rest
        if self._errors > self.config.limits.errors:
            code, text = 421, "4.7.0 too many errors"
        self._awaiting = Answered(Reply(code, (text,)))
        return self._awaiting

    def _default(self, command: Command) -> Reply:
        """The reply that agrees to a command, where it is not the same for all."""
        if isinstance(command, Ehlo):
            return _hello(self.config, self.is_tls, self.is_authenticated)
        return Reply(250, (self.config.hostname,)) if isinstance(command, Helo) else OK


@lru_cache(maxsize=64)
def _hello(config: ServerConfig, is_tls: bool, is_authenticated: bool) -> Reply:  # noqa: FBT001  # a cache has no keywords
    """What EHLO is told: the name, and what is offered now."""
    words = {
        "PIPELINING": config.pipelining,
        "8BITMIME": config.eight_bit_mime,
        "SMTPUTF8": config.smtputf8,
        "CHUNKING": config.chunking,
        "DSN": config.dsn,
        "STARTTLS": config.starttls and not is_tls,
        f"AUTH {' '.join(config.auth)}": bool(config.auth) and not is_authenticated,
    }
    offered = (word for word, is_offered in words.items() if is_offered)
    return Reply(250, (config.hostname, "ENHANCEDSTATUSCODES", f"SIZE {config.size}", *offered))
