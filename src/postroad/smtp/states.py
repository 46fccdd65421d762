"""The two tables of legal moves, one for each role (RFC 5321 section 4.1.4).

Rule 1: whether a command may be sent or taken in a state is decided here and nowhere else.
Rule 2: the client's table is about what was *sent*, for with pipelining the replies come later; where a reply
changes the state, `CLIENT_REPLIES` has it. The server's table is about commands it has *agreed to*.
Rule 3: `GOES_ON` says which reply lets a client go on. One that neither goes on nor refuses ends the session.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache

from postroad.smtp.grammar import (
    Auth,
    Bdat,
    Command,
    Data,
    Ehlo,
    EndOfData,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTls,
    Vrfy,
)
from postroad.words.reply import Reply


class ClientState(Enum):
    """The states of a client, by what it has sent."""

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python, several times for each message

    GREETING = auto()  # waiting for the server's first word
    HELLO = auto()  # EHLO or HELO is due
    HELLO_SENT = auto()
    READY = auto()
    MAIL = auto()  # a transaction is open
    RCPT = auto()  # with a recipient or more
    CHUNKS = auto()  # some of the message has gone by BDAT
    DATA_SENT = auto()  # waiting for 354
    BODY = auto()  # 354: the message goes
    TLS_SENT = auto()
    TLS = auto()  # 220: the handshake is due
    AUTH = auto()
    QUITTING = auto()  # only QUIT is left to say, or not even that
    CLOSED = auto()


C = ClientState
_ANY_TIME: dict[type[Command], ClientState] = {Quit: C.QUITTING}
_HELLOS: dict[type[Command], ClientState] = {Ehlo: C.HELLO_SENT, Helo: C.HELLO_SENT}

CLIENT_MOVES: dict[ClientState, dict[type[Command], ClientState]] = {
    C.GREETING: {},
    C.HELLO: {**_ANY_TIME, **_HELLOS, Noop: C.HELLO},
    C.HELLO_SENT: {},
    C.READY: {
        **_ANY_TIME,
        **_HELLOS,
        **dict.fromkeys((Rset, Noop, Vrfy, Expn, Help), C.READY),
        Mail: C.MAIL,
        StartTls: C.TLS_SENT,
        Auth: C.AUTH,
    },
    C.MAIL: {**_ANY_TIME, Rcpt: C.RCPT, Rset: C.READY, Noop: C.MAIL},
    C.RCPT: {**_ANY_TIME, Rcpt: C.RCPT, Data: C.DATA_SENT, Bdat: C.CHUNKS, Rset: C.READY, Noop: C.RCPT},
    C.CHUNKS: {**_ANY_TIME, Bdat: C.CHUNKS, Rset: C.READY, Noop: C.CHUNKS},
    C.DATA_SENT: {},
    C.BODY: {EndOfData: C.READY},
    C.TLS_SENT: {},
    C.TLS: {},
    C.AUTH: {},
    C.QUITTING: {Quit: C.QUITTING},
    C.CLOSED: {},
}

# Where the end of a dialogue within a state leads: the last chunk, a handshake
CLIENT_ENDS: dict[ClientState, ClientState] = {C.CHUNKS: C.READY, C.TLS: C.HELLO}

# The reply that goes on, by what it answers: a class of codes by its first digit, or one code. 4yz and 5yz refuse, and
# anything else is out of step: the host answers something we did not say, and the session is of no more use.
GOES_ON: dict[type[Command] | None, frozenset[int]] = {
    None: frozenset({220}),  # the greeting
    **dict.fromkeys((Ehlo, Helo, Mail, Rcpt, EndOfData, Bdat, Rset, Noop, Vrfy, Expn, Help, Quit), frozenset({2})),
    Data: frozenset({354}),
    StartTls: frozenset({220}),
    Auth: frozenset({2, 334}),  # 334 is a challenge, and another reply to the same AUTH follows (RFC 4954 section 4)
}


class Answer(Enum):
    """The meaning of a reply to a command."""

    GOES_ON = auto()
    REFUSES = auto()
    OUT_OF_STEP = auto()


def answer(kind: type[Command] | None, code: int) -> Answer:
    """What a reply of this code says to a command of this kind (None: as a greeting)."""
    if code // 100 in (4, 5):
        return Answer.REFUSES
    goes_on = GOES_ON[kind]
    return Answer.GOES_ON if code // 100 in goes_on or code in goes_on else Answer.OUT_OF_STEP


# Where a reply leads, by what it answers: if it agrees (2yz, 3yz), and if it refuses. What is not here leads nowhere.
CLIENT_REPLIES: dict[ClientState, dict[type[Command], tuple[ClientState, ClientState]]] = {
    C.HELLO_SENT: {Ehlo: (C.READY, C.HELLO), Helo: (C.READY, C.HELLO)},
    C.DATA_SENT: {Data: (C.BODY, C.READY)},
    C.TLS_SENT: {StartTls: (C.TLS, C.READY)},
    C.MAIL: {Mail: (C.MAIL, C.READY)},  # refused before anything else was sent: no transaction
    C.AUTH: {Auth: (C.READY, C.READY)},
    C.QUITTING: {Quit: (C.CLOSED, C.CLOSED)},
}


@cache  # by what the tables have and by 400 codes: a few thousand answers at the very most
def after_reply(state: ClientState, kind: type[Command] | None, code: int) -> ClientState | None:
    """Where the client stands once a command of this kind (None: the greeting) is answered so; None: out of step."""
    said = answer(kind, code)
    if said is Answer.OUT_OF_STEP:
        return None
    if kind is None:
        return C.HELLO if code == 220 else C.QUITTING
    if state is C.AUTH and code == 334:  # a challenge
        return state
    agreed, refused = CLIENT_REPLIES.get(state, {}).get(kind, (state, state))
    return agreed if said is Answer.GOES_ON else refused


class ServerState(Enum):
    """The states of a server, by what it has agreed to."""

    __hash__ = object.__hash__

    GREETING = auto()  # nothing said yet, and nothing may have come
    FRESH = auto()  # greeted; EHLO or HELO is due
    REFUSING = auto()  # greeted with 554: only QUIT is taken (RFC 5321 section 3.1)
    READY = auto()
    MAIL = auto()
    RCPT = auto()
    CHUNKS = auto()
    BODY = auto()
    AUTH = auto()
    TLS = auto()  # 220 to STARTTLS: the handshake is due
    CLOSED = auto()


S = ServerState
# RFC 5321 section 4.1.4: these may come at any time, even before EHLO
_NEUTRAL = (Noop, Help, Vrfy, Expn)


def _taken(state: ServerState, **more: ServerState) -> dict[type[Command], ServerState]:
    return {
        **dict.fromkeys(_NEUTRAL, state),
        Ehlo: S.READY,
        Helo: S.READY,
        Rset: S.FRESH if state is S.FRESH else S.READY,
        Quit: S.CLOSED,
        **{_BY_NAME[name]: after for name, after in more.items()},
    }


_BY_NAME: dict[str, type[Command]] = {
    "mail": Mail,
    "rcpt": Rcpt,
    "data": Data,
    "bdat": Bdat,
    "tls": StartTls,
    "auth": Auth,
}

SERVER_MOVES: dict[ServerState, dict[type[Command], ServerState]] = {
    S.GREETING: {},
    S.FRESH: _taken(S.FRESH),
    S.REFUSING: {Quit: S.CLOSED},
    S.READY: _taken(S.READY, mail=S.MAIL, tls=S.TLS, auth=S.AUTH),
    S.MAIL: _taken(S.MAIL, rcpt=S.RCPT),
    S.RCPT: _taken(S.RCPT, rcpt=S.RCPT, data=S.BODY, bdat=S.CHUNKS),
    S.CHUNKS: _taken(S.CHUNKS, bdat=S.CHUNKS),
    S.BODY: {},
    S.AUTH: {},
    S.TLS: {},
    S.CLOSED: {},
}

# Where the end of a dialogue within a state leads, however it is answered: of a message, of AUTH, of a handshake (on
# a port that begins with TLS the greeting comes behind it)
SERVER_ENDS: dict[ServerState, ServerState] = {
    S.GREETING: S.GREETING,
    S.CHUNKS: S.READY,
    S.BODY: S.READY,
    S.AUTH: S.READY,
    S.TLS: S.FRESH,
}

# RFC 2920 section 3.1, RFC 3207 section 4 and RFC 4954 section 4: nothing may be sent behind these before their reply
_GROUP_ENDS = (Ehlo, Helo, Data, Vrfy, Expn, Noop, StartTls)
_NEVER_END = (Bdat, Quit)  # the octets of a chunk are part of their command; behind QUIT nothing is read


def after_greeting(reply: Reply) -> ServerState:
    """Where the server stands once it has greeted so."""
    if reply.is_positive:
        return S.FRESH
    return S.CLOSED if reply.code == 421 else S.REFUSING


def ends_group(command: Command, *, extended: bool) -> bool:
    """Whether a client must wait for the reply to this command before it says more.

    As Postfix 3.9 has it: without EHLO nobody has been offered PIPELINING, so every command ends its group.
    """
    if isinstance(command, _NEVER_END):
        return False
    if isinstance(command, Auth):  # PLAIN is known to end with its initial response: RFC 4954 section 4
        return command.initial is None or command.mechanism != "PLAIN"
    return not extended or isinstance(command, _GROUP_ENDS)
