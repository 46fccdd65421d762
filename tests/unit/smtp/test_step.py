"""Clients that are no clients of SMTP, or do not wait where they must: sent away, and nothing they said is obeyed."""

import base64

import pytest
from tests.support.dialogues import HELLO, TRANSACTION, codes, greeted

from postroad.smtp import (
    AuthGiven,
    BodyPiece,
    Closed,
    Server,
    ServerConfig,
)
from postroad.smtp.grammar import Auth, Bdat, Data, Ehlo, EndOfData, Expn, Helo, Mail, Noop, Quit, StartTls, Vrfy
from postroad.smtp.states import SERVER_ENDS, SERVER_MOVES, ServerState, ends_group
from postroad.words.reply import Reply

OFFERING = ServerConfig("mx.example", starttls=True, auth=("PLAIN", "LOGIN"))
SECRET = base64.b64encode(b"\0ann\0secret")


def answers(server, *flights):
    """Say flight after flight; the codes of the replies, and the violation if there was one."""
    said, violation = [], ""
    for flight in flights:
        event = server.receive(flight)
        while event and not isinstance(event, Closed):
            violation = violation or getattr(event, "violation", "")
            if isinstance(event, StartTls):
                said.append(server.reply(Reply(454, ("not now",))))
            elif not isinstance(event, BodyPiece):
                said.append(server.agree())
            event = server.receive()
    return codes(b"".join(said)), violation


OTHERS = [
    b"GET / HTTP/1.1",
    b"POST /mail HTTP/1.1",
    b"connect mx.example:25 HTTP/1.0",
    b"PRI * HTTP/2.0",
    b"OPTIONS sip:x SIP/2.0 HTTP/1.1",
    b"Host: 127.0.0.1:25",
    b"From: ann@example.com",
    b"X-Any:thing",
    b"GET",
]


@pytest.mark.parametrize("before", [(), (HELLO,), (HELLO, TRANSACTION)])
def test_another_protocol_is_hung_up_on(before):
    """221 and the end, at any point of a session: what follows is never read, and the log has the line."""
    for line in OTHERS:
        server = greeted()
        answers(server, *before)
        said, violation = answers(server, line + b"\r\n" + HELLO + TRANSACTION)
        assert ([221], line.decode(), ServerState.CLOSED) == (said, violation, server.state)


@pytest.mark.parametrize("line", [b"GETS / now", b"postpone", b"noop: 1", b"MAIL FROM :<a@b.example>", b": x"])
def test_what_is_only_wrong_is_no_other_protocol(line):
    """A command that does not exist, or is misspelt, is told so; only a word with a colon is a header line."""
    said, _ = answers(greeted(), HELLO, line + b"\r\n")
    assert [250, 221 if line.startswith(b"noop:") else said[1]] == said
    assert said[1] in (221, 500, 501)


def test_bare_newline_hides_no_other_protocol():
    """A request whose lines end with LF alone is one all the same."""
    assert [221] == answers(greeted(), b"GET / HTTP/1.0\n\n")[0]


def test_log_gets_no_more_than_the_beginning_of_a_line():
    """And nothing in it that is not printable ASCII."""
    _, violation = answers(greeted(), b"GET /\xc3\xa9\x1b" + b"x" * 900 + b"\r\n")
    assert (True, True) == (violation.isascii(), len(violation) < 100)


@pytest.mark.parametrize("octets", [HELLO, b"Q", HELLO + TRANSACTION])
def test_words_before_the_greeting_are_refused(octets):
    """RFC 5321 section 3.1: the client waits for 220. Who does not is told 554 5.5.0, and that was it."""
    server = Server(OFFERING)
    assert ([554], "input before the greeting") == answers(server, octets)
    assert Closed() == server.receive()


ENDING = [
    (HELLO, HELLO),
    (HELLO, b"HELO me.example\r\n"),
    (HELLO, b"NOOP\r\n"),
    (HELLO, b"VRFY ann\r\n"),
    (HELLO, b"EXPN list\r\n"),
    (HELLO, b"STARTTLS\r\n"),
    (HELLO, b"AUTH PLAIN\r\n"),
    (HELLO, b"AUTH LOGIN\r\n"),
    (HELLO, b"AUTH LOGIN YW5u\r\n"),
    (HELLO, b"DATA\r\n"),
]


@pytest.mark.parametrize(("before", "last"), ENDING)
def test_nothing_may_follow_what_ends_a_group(before, last):
    """RFC 2920 section 3.1: input in the same flight behind EHLO, DATA and their like is 554 5.5.0, and the end."""
    server = greeted(OFFERING)
    answers(server, before)
    said, violation = answers(server, TRANSACTION + last + b"MAIL FROM:<evil@example.net>\r\n")
    assert ([250, 250, 554], ServerState.CLOSED) == (said, server.state)
    assert f"input behind {last.split()[0].decode()}" == violation


@pytest.mark.parametrize("line", [b"MAIL FROM:<>\r\n", b"RSET\r\n", b"HELP\r\n", b"HELO me.example\r\n"])
@pytest.mark.parametrize("hello", [b"", b"HELO me.example\r\n"])
def test_without_ehlo_nothing_may_be_pipelined(hello, line):
    """Nobody has offered PIPELINING to a client that said HELO, or nothing yet (as Postfix 3.9 has it)."""
    server = greeted()
    answers(server, hello) if hello else None
    assert 554 == answers(server, line + b"NOOP\r\n")[0][-1]


@pytest.mark.parametrize(
    "flights",
    [
        (HELLO, TRANSACTION + b"DATA\r\n", b"x\r\n.\r\nQUIT\r\n"),
        (HELLO, TRANSACTION + b"DATA\r\n", b"x\r\n.\r\n" + TRANSACTION + b"DATA\r\n", b"y\r\n.\r\n"),
        (HELLO, TRANSACTION + b"BDAT 3\r\nx\r\nBDAT 0 LAST\r\n" + TRANSACTION + b"BDAT 3 LAST\r\ny\r\nQUIT\r\n"),
        (HELLO, b"RSET\r\n" + TRANSACTION + b"RSET\r\nQUIT\r\n"),
        (HELLO, b"AUTH PLAIN " + SECRET + b"\r\n" + TRANSACTION + b"DATA\r\n", b"x\r\n.\r\n"),
        (b"HELO me.example\r\n", *TRANSACTION.splitlines(keepends=True), b"DATA\r\n", b"x\r\n.\r\n", b"QUIT\r\n"),
        (HELLO, b"QUIT\r\nand more"),
    ],
)
def test_what_may_be_pipelined_is_taken(flights):
    """Envelopes in one flight, chunks with their envelope, commands behind the final dot, MAIL behind AUTH PLAIN."""
    said, violation = answers(greeted(OFFERING), *flights)
    assert ("", True) == (violation, all(code // 100 in (2, 3) for code in said))


def test_group_ends_are_those_of_the_rfcs():
    """Each command, after EHLO: may more follow it in its flight?"""
    samples = [
        Ehlo("a"),
        Helo("a"),
        Data(),
        Vrfy("a"),
        Expn("a"),
        Noop(),
        StartTls(),
        Auth("PLAIN"),
        Auth("LOGIN", "YQ=="),
    ]
    assert [True] * len(samples) == [ends_group(command, extended=True) for command in samples]
    others = [Mail(None), Bdat(1), Quit(), Auth("PLAIN", "YQ==")]
    assert [False] * len(others) == [ends_group(command, extended=True) for command in others]


def test_each_state_is_left_by_the_tables():
    """A state without moves has an end, but for REFUSING's QUIT and CLOSED; no line is ever the end of a message."""
    stuck = {state for state in ServerState if not SERVER_MOVES[state] and state not in SERVER_ENDS}
    assert {ServerState.CLOSED} == stuck
    assert not any(EndOfData in moves for moves in SERVER_MOVES.values())


@pytest.mark.parametrize(
    "line", ["RCPT TO:<o@bücher.example>", "MAIL FROM:<o@bücher.example>", "MAIL FROM:<ö@b.example>"]
)
def test_address_beyond_ascii_without_smtputf8_is_refused(line):
    """Domain or local part: 553 to RCPT and 550 to MAIL without SMTPUTF8 (RFC 6531 section 3.5); with it, accepted."""
    plain, asked = greeted(), greeted()
    before = TRANSACTION if line.startswith("RCPT") else b""
    lines = f"{line}\r\n".encode()
    assert (553 if before else 550) == answers(plain, HELLO, before + lines)[0][-1]
    if before:
        before = before.replace(b"net>", b"net> SMTPUTF8")
    else:
        lines = lines.replace(b">", b"> SMTPUTF8")
    assert 250 == answers(asked, HELLO, before + lines)[0][-1]


@pytest.mark.parametrize(
    "line",
    [
        b"RCPT TO:<bob@example.com> NOTIFY=SUCCESS\r\n",
        b"RCPT TO:<bob@example.com> ORCPT=rfc822;bob@example.com\r\n",
    ],
)
def test_notify_without_dsn_is_a_parameter_not_offered(line):
    """555 where DSN is off; the transaction goes on with the recipients it has."""
    for dsn, expected in ((True, 250), (False, 555)):
        server = greeted(ServerConfig("mx.example", dsn=dsn))
        assert [250, 250, 250, expected] == answers(server, HELLO, TRANSACTION + line)[0]
        assert (1 if expected == 555 else 2) == len(server.transaction.recipients)


def test_auth_has_its_state():
    """While AUTH is under way no line is a command; its end, good or bad, leads back."""
    server = greeted(OFFERING)
    answers(server, HELLO, b"AUTH LOGIN\r\n")
    assert ServerState.AUTH is server.state
    assert ([501], ServerState.READY) == (answers(server, b"QUIT!\r\n")[0], server.state)
    assert isinstance(server.receive(b"AUTH PLAIN " + SECRET + b"\r\n"), AuthGiven)
    server.reply(Reply(535, ("no",)))
    assert (False, ServerState.READY) == (server.is_authenticated, server.state)
    assert Noop() == server.receive(b"NOOP\r\n")
