"""The words of a client and a server, for the tests of both ends."""

from postroad.smtp import (
    BodyComplete,
    BodyPiece,
    Closed,
    Mail,
    Server,
    ServerConfig,
    ServerState,
)
from postroad.smtp.grammar import FORMATS, WORDS

HELLO = b"EHLO me.example\r\n"

TRANSACTION = b"MAIL FROM:<me@example.net>\r\nRCPT TO:<ann@example.com>\r\n"

ENVELOPE = HELLO + TRANSACTION


def greeted(config=None):
    """A server that has said its first word."""
    server = Server(config or ServerConfig("mx.example"))
    server.greet()
    return server


def serve(octets, config=None, pieces=1):
    """Feed a server, flight by flight, in pieces of a size, with the usual answers; the replies, and what it took."""
    server = Server(config or ServerConfig("mx.example"))
    replies, messages, content = [server.greet()], [], b""
    flights = [octets] if isinstance(octets, bytes) else octets
    cut = [flight[start : start + pieces] for flight in flights for start in range(0, len(flight), pieces)]
    for piece in [*cut, b""]:
        event = server.receive(piece)
        while event and not isinstance(event, Closed):
            content = b"" if isinstance(event, Mail) else content + getattr(event, "data", b"")
            if isinstance(event, BodyComplete):
                messages.append((server.transaction.envelope, content))
            if not isinstance(event, BodyPiece):
                replies.append(server.agree())
            more, event = server.has_more or server.state is ServerState.CLOSED, server.receive()
            assert more or event is None, "there was no more, it said"
    return b"".join(replies), messages


def codes(replies):
    """The codes of the replies, one each."""
    return [int(line[:3]) for line in replies.decode().splitlines() if line[3:4] != "-"]


def line_of(command):
    """The line of a command, as a client writes it in any state."""
    return WORDS.get(type(command)) or FORMATS[type(command)](command).encode() + b"\r\n"
