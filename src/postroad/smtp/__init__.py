"""SMTP as bytes and events, both ends, without I/O (floor 1), after the manner of h11.

Rule 1: what may be said when stands in the tables of `states`, and nowhere else.
Rule 2: bytes may come in any pieces: whole or one by one, the events are the same; but for a client that does not
    wait where it must (RFC 2920 section 3.1), which is sent away where that is seen.
Rule 3: a peer's nonsense is an event; an exception (`LocalProtocolError`) means that our own side broke the rules.
Rule 4: a line ends with CRLF, and a message with CRLF.CRLF. A bare CR or LF ends nothing (no smuggling).

Stops: `grammar` (commands), `wire` (lines, dots, newlines, replies), `states` (the tables), `events`; the client's end:
`client`, `timeouts`, `steps` (what is to be done), `transaction` (one message, as steps), `envelope` and `body` (its
parts); the server's: `commands` (octets that become them), `inbound` (the body of a message on its way in), `sasl`
(AUTH), `offer` (what is offered and refused), `server`.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.smtp.client import Capabilities, ClientEnd, LocalProtocolError, SessionOver, UnsafeContent
    from postroad.smtp.events import (
        Answered,
        AuthGiven,
        BodyComplete,
        BodyPiece,
        BodyRefused,
        Closed,
        Ending,
        ServerEvent,
        Unsolicited,
        Violation,
    )
    from postroad.smtp.grammar import (
        Auth,
        BadSyntax,
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
        parse_command,
    )
    from postroad.smtp.offer import ServerConfig
    from postroad.smtp.server import Server
    from postroad.smtp.states import ClientState, ServerState
    from postroad.smtp.steps import MORE, Break, Done, Expect, More, Step, Write
    from postroad.smtp.timeouts import Timeouts
    from postroad.smtp.transaction import Terms, Transaction, host_outcome
    from postroad.smtp.wire import NUL, Limits, canonical, format_reply

__getattr__, __dir__ = door(
    __name__,
    client="Capabilities ClientEnd LocalProtocolError SessionOver UnsafeContent",
    events="Answered AuthGiven BodyComplete BodyPiece BodyRefused Closed Ending ServerEvent Unsolicited Violation",
    grammar="Auth BadSyntax Bdat Command Data Ehlo EndOfData Expn Helo Help Mail Noop Quit Rcpt Rset StartTls Vrfy "
    "parse_command",
    offer="ServerConfig",
    server="Server",
    states="ClientState ServerState",
    timeouts="Timeouts",
    steps="MORE Break Done Expect More Step Write",
    transaction="Terms Transaction host_outcome",
    wire="NUL Limits canonical format_reply",
)
