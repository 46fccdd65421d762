"""Both ends of a session, joined in memory or fed by hand."""

import base64
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.dialogues import ENVELOPE, HELLO, TRANSACTION, codes, greeted, line_of, serve
from tests.support.examples import examples, stride

from postroad.smtp import (
    AuthGiven,
    BadSyntax,
    Capabilities,
    ClientEnd,
    ClientState,
    Closed,
    Data,
    Ehlo,
    EndOfData,
    Helo,
    Limits,
    LocalProtocolError,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Server,
    ServerConfig,
    ServerState,
    StartTls,
    Unsolicited,
    Violation,
    canonical,
    format_reply,
    parse_command,
)
from postroad.smtp.client import read_capabilities
from postroad.smtp.commands import PLAIN, CommandReader
from postroad.smtp.envelope import mail_to, why_unable
from postroad.smtp.grammar import FORMATS, Vrfy
from postroad.smtp.offer import OUT_OF_ORDER, OUT_OF_STEP
from postroad.smtp.states import CLIENT_MOVES
from postroad.smtp.wire import DotReader, DotStuffer, stuff_dots
from postroad.words.mail import Envelope, Mailbox, Recipient, TlsWish
from postroad.words.reply import Reply

ANN = Mailbox("ann", "example.com")


def test_server_takes_a_pipelined_transaction():
    """Envelope and DATA in one flight, message and QUIT in the next: one reply each, and no doubled dots."""
    flights = [HELLO, TRANSACTION + b"DATA\r\n", b"..dot\r\nend\r\n.\r\nQUIT\r\n"]
    replies, ((envelope, content),) = serve(flights, pieces=1000)
    assert [220, 250, 250, 250, 354, 250, 221] == codes(replies)
    assert (b".dot\r\nend\r\n", ANN) == (content, envelope.recipients[0].mailbox)


SMUGGLED = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n\x00.\r\n",
    b"\n\n.\r\n",
    b"\r\r\n.\n",
]


@pytest.mark.parametrize("end", SMUGGLED)
def test_nothing_but_crlf_dot_crlf_ends_a_message(end):
    """The published smuggling variants are content: the commands behind them are never obeyed."""
    inside = b"Subject: x\r\n\r\nbody" + end + b"MAIL FROM:<evil@example.net>\r\nmore"
    config = ServerConfig("mx.example", refuse_unsafe=False)
    _, messages = serve(ENVELOPE + b"DATA\r\n" + inside + b"\r\n.\r\n", config)
    assert [inside.replace(b"\r\n.", b"\r\n") + b"\r\n"] == [content for _, content in messages]


@pytest.mark.parametrize("end", [*SMUGGLED, b"\r\n.\x00\r\n"])
def test_smuggled_end_refuses_the_message(end):
    """With the usual settings such a message is not taken at all."""
    inside = b"Subject: x\r\n\r\nbody" + end + b"MAIL FROM:<evil@example.net>\r\nmore\r\n.\r\n"
    replies, messages = serve(ENVELOPE + b"DATA\r\n" + inside)
    assert (554, []) == (codes(replies)[-1], messages)


def test_message_with_bare_newlines_is_refused():
    """RFC 5321 section 2.3.8: CR and LF come together or not at all."""
    replies, messages = serve(ENVELOPE + b"DATA\r\none\ntwo\r\n.\r\nNOOP\r\n")
    assert ([354, 554, 250], []) == (codes(replies)[-3:], messages)


@pytest.mark.parametrize("line", [b"NOOP\n", b"NO\rOP\r\n", b"MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\r\n"])
def test_bare_newline_in_a_command_is_refused(line):
    """A command with a bare CR or LF is not obeyed."""
    assert 500 == codes(serve(HELLO + line)[0])[2]


WRONG = [
    (b"MAIL FROM:<a@b.example>\r\n", [503]),
    (HELLO + b"RCPT TO:<a@b.example>\r\n", [250, 503]),
    (b"RSET\r\nMAIL FROM:<a@b.example>\r\n", [250, 503]),
    (HELLO + b"RSET\r\nMAIL FROM:<a@b.example>\r\n", [250, 250, 250]),
    (b"HELO me.example\r\nMAIL FROM:<a@b.example>\r\n", [250, 250]),
    (HELLO + b"DATA\r\n", [250, 503]),
    (HELLO + b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\n", [250, 250, 503]),
    (HELLO + b"MAIL FROM:<a@b.example>\r\nDATA\r\n", [250, 250, 503]),
    (HELLO + b"STARTTLS\r\n", [250, 503]),
    (HELLO + b"AUTH PLAIN\r\n", [250, 504]),
    (HELLO + b"BOGUS\r\n", [250, 500]),
    (HELLO + b"MAIL FROM:<a b>\r\n", [250, 553]),
    (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<a b>\r\n", [250, 250, 553]),
    (HELLO + b"MAIL FROM:<a@b.example> WHAT=1\r\n", [250, 555]),
    (HELLO + b"MAIL FROM:<a@b.example> SIZE=99999999999\r\n", [250, 552]),
    (HELLO + b"MAIL FROM:<\xc3\xa9@b.example>\r\n", [250, 550]),
    (HELLO + b"VRFY ann\r\nEXPN list\r\nHELP\r\n", [250, 252, 502, 214]),
    (HELLO + b"\r\nNOOP\r\n", [250, 500, 250]),
    (HELLO + b"\nNOOP\r\n", [250, 500, 250]),
    (HELLO + b"RSET\r\nQUIT\r\n", [250, 250, 221]),
    (HELLO + b"X" * 5000 + b"\r\nNOOP\r\n", [250, 500, 250]),
    (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRSET\r\nDATA\r\n", [250, 250, 250, 250, 503]),
    (HELLO + b"MAIL FROM:<@x.example,@y.example:a@b.example>\r\n", [250, 250]),
    *(
        (HELLO + b"MAIL FROM:<a@b.example> " + name + b"=\r\n", [250, 501])
        for name in (b"REQUIRETLS", b"SMTPUTF8", b"SIZE", b"BODY", b"RET", b"ENVID", b"AUTH", b"WHAT")
    ),
    *(
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<a@b.example> " + name + b"=\r\n", [250, 250, 501])
        for name in (b"NOTIFY", b"ORCPT")
    ),
    (HELLO + b"BDAT 4\r\nNOOPNOOP\r\n", [250, 503, 250]),
]


def test_server_answers_what_is_out_of_order_or_wrong():
    """Each wrong command has its code, and the session goes on."""
    assert {lines: [220, *expected] for lines, expected in WRONG} == {
        lines: codes(serve(lines)[0]) for lines, _ in WRONG
    }


def test_chunks_make_a_message():
    """BDAT octets are content as they are, dots and all; the last chunk may be empty."""
    replies, ((_, content),) = serve(ENVELOPE + b"BDAT 5\r\n.a\r\n.BDAT 0 LAST\r\nQUIT\r\n")
    assert ([250, 250, 221], b".a\r\n.") == (codes(replies)[-3:], content)


@pytest.mark.parametrize("given_up", [b"BDAT 3\r\na\nb", b"BDAT 99\r\n" + b"x" * 99, b"BDAT 2\r\na\r"])
@pytest.mark.parametrize("end", [b"RSET\r\n", HELLO])
def test_message_that_is_given_up_spoils_no_other(given_up, end):
    """What was wrong with the chunks of one, or too much of them, is nothing to the next."""
    config = ServerConfig("mx.example", size=50)
    flights = [HELLO, TRANSACTION, given_up, end, TRANSACTION + b"BDAT 3 LAST\r\na\r\n"]
    replies, messages = serve(flights, config, pieces=1000)
    assert ([250, 250, 250], [b"a\r\n"]) == (codes(replies)[-3:], [content for _, content in messages])


def test_too_many_recipients_are_refused_one_by_one():
    """Beyond the limit each further recipient gets 452, the others stay."""
    config = ServerConfig("mx.example", max_recipients=1)
    assert [250, 452] == codes(serve(ENVELOPE + b"RCPT TO:<bob@example.com>\r\n", config)[0])[-2:]


def test_message_over_the_limit_is_swallowed_and_refused():
    """552 after the dot, and the session goes on."""
    config = ServerConfig("mx.example", size=10)
    replies, messages = serve(ENVELOPE + b"DATA\r\n" + b"x" * 100 + b"\r\n.\r\nNOOP\r\n", config)
    assert ([354, 552, 250], []) == (codes(replies)[-3:], messages)


def test_endless_errors_end_the_session():
    """A client that only errs is sent away."""
    config = ServerConfig("mx.example", limits=Limits(errors=3))
    assert [220, 500, 500, 500, 421] == codes(serve(b"X\r\n" * 9, config)[0])


def test_too_many_recipients_are_no_error_of_the_session():
    """However many more are refused with 452, the client goes on with those it has."""
    config = ServerConfig("mx.example", max_recipients=1, limits=Limits(errors=3))
    replies, messages = serve(ENVELOPE + b"RCPT TO:<b@example.com>\r\n" * 9 + b"DATA\r\n.\r\n", config)
    assert ([452] * 9 + [354, 250], 1) == (codes(replies)[4:], len(messages))


def test_auth_is_taken_once():
    """Who has proved a name cannot prove another (RFC 4954 section 4), and is not offered to."""
    server = greeted(ServerConfig("mx.example", auth=("PLAIN",)))
    server.receive(HELLO)
    assert b"250 AUTH PLAIN\r\n" in server.agree()
    assert isinstance(server.receive(b"AUTH PLAIN " + _b64("\0ann\0secret")), AuthGiven)
    server.agree()
    assert 503 == server.receive(b"AUTH PLAIN =\r\n").reply.code
    server.agree()
    server.receive(HELLO)
    assert b"AUTH PLAIN" not in server.agree()


def test_nothing_is_read_before_the_last_event_is_answered():
    """The server waits for its application."""
    server = greeted()
    server.receive(HELLO)
    assert (None, None) == (server.receive(b"MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\n"), server.receive())
    server.agree()
    assert (Mail(None), None) == (server.receive(), server.receive())
    server.reply(Reply(450, ("not now",)))
    assert OUT_OF_ORDER == server.receive().reply


def test_nothing_is_answered_that_was_not_asked():
    """An answer too many is a bug of the application, and is said so."""
    server = greeted()
    with pytest.raises(LookupError):
        server.agree()


def test_everything_said_in_the_clear_is_forgotten_under_tls():
    """After the handshake EHLO is due again, and STARTTLS is offered no more."""
    server = greeted(ServerConfig("mx.example", starttls=True))
    server.receive(HELLO)
    server.agree()
    assert StartTls() == server.receive(b"STARTTLS\r\n")
    assert server.agree().startswith(b"220 ")
    server.tls_started()
    assert 503 == server.receive(b"MAIL FROM:<>\r\n").reply.code
    server.agree()
    server.receive(HELLO)
    assert b"STARTTLS" not in server.agree()


def _b64(text):
    return base64.b64encode(text.encode()) + b"\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"AUTH PLAIN " + _b64("\0ann\0secret"),
        b"AUTH PLAIN\r\n" + _b64("\0ann\0secret"),
        b"AUTH LOGIN\r\n" + _b64("ann") + _b64("secret"),
        b"AUTH LOGIN " + _b64("ann") + _b64("secret"),
    ],
)
def test_auth_brings_name_and_password(lines):
    """PLAIN and LOGIN, with or without an initial response, end in one event."""
    server = greeted(ServerConfig("mx.example", auth=("PLAIN", "LOGIN")))
    for line in (HELLO + lines).splitlines(keepends=True):
        if not isinstance(event := server.receive(line), AuthGiven):
            server.agree()
    assert ("ann", "secret") == (event.username, event.password)
    assert isinstance(event, AuthGiven)
    assert "secret" not in repr(event)


def test_auth_may_be_cancelled():
    """A lone asterisk ends the dialogue (RFC 4954 section 4)."""
    config = ServerConfig("mx.example", auth=("PLAIN",))
    assert [250, 334, 501, 250] == codes(serve(HELLO + b"AUTH PLAIN\r\n*\r\nNOOP\r\n", config)[0])[1:]


STREAMS = st.lists(
    st.sampled_from(
        [
            HELLO, b"HELO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n", b"..x\r\n",
            b".\r\n", b"\r\n.\r\n", b"BDAT 3\r\nabc", b"BDAT 2 LAST\r\n\r\n", b"RSET\r\n", b"NOOP\n", b"QUIT\r\n",
            b"\r", b"\n", b".", b"x" * 5000, b"VRFY a\r\n", b"\xff\x00\r\n",
        ]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@settings(max_examples=examples(200 // stride(2)))
@given(STREAMS | st.binary(max_size=200), st.integers(1, 7))
def test_server_hears_the_same_whole_or_in_pieces(octets, size):
    """However the octets are cut, replies and messages are the same up to where a client does not wait as it must."""
    replies, messages = serve(octets, pieces=size)
    whole, taken = serve(octets, pieces=max(len(octets), 1))
    before, out_of_step, _ = whole.partition(format_reply(OUT_OF_STEP))
    assert (replies, messages) == (whole, taken) or out_of_step
    assert (before, taken) == (replies[: len(before)], messages[: len(taken)])


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"\r", b"\n", b".", b"a"])).map(b"".join), st.integers(1, 5))
@example(b"\r\n.x\r\n", 100)
@example(b"\r\n..\r\n.\r\n", 100)
def test_dots_come_back_as_they_went(body, size):
    """Stuffed and read in any pieces, a body is itself, with a CRLF at its end."""
    body = canonical(body)
    stuffer, reader = DotStuffer(), DotReader()
    wire = b"".join(stuffer.stuff(body[start : start + size]) for start in range(0, len(body), size)) + stuffer.end()
    pieces, behind = [], b""
    for start in range(0, len(wire), size):
        assert not reader.has_ended
        piece, behind = reader.read(wire[start : start + size])
        pieces.append(piece)
    assert stuff_dots(body) == wire
    expected = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert (expected, b"", True) == (b"".join(pieces), behind, reader.has_ended)


LOCALS = st.sampled_from(["ann", "a.b+c", '"quoted > local"', "caf\u00e9"])
BOXES = st.builds(Mailbox, LOCALS, st.sampled_from(["example.com", "xn--caf-dma.example"]))
XTEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
COMMANDS = st.one_of(
    st.builds(Ehlo, st.just("me.example")),
    st.builds(Helo, st.just("[192.0.2.1]")),
    st.builds(
        Mail,
        st.none() | BOXES,
        size=st.none() | st.integers(0, 10**9),
        body=st.sampled_from([None, "7BIT", "8BITMIME"]),
        smtputf8=st.booleans(),
        ret=st.sampled_from([None, "FULL", "HDRS"]),
        envid=st.none() | XTEXT,
        requiretls=st.booleans(),
    ),
    st.builds(
        Rcpt,
        st.builds(
            Recipient,
            BOXES | st.just(Mailbox("postmaster", "")),
            st.sampled_from([frozenset(), frozenset({"NEVER"}), frozenset({"SUCCESS", "DELAY"})]),
            st.none() | XTEXT.map("rfc822;{}".format),
        ),
    ),
    st.sampled_from([Data(), Quit(), StartTls()]),
)


@given(COMMANDS)
def test_command_comes_back_as_it_went(command):
    """Formatted and parsed, a command is itself."""
    assert command == parse_command(line_of(command).removesuffix(b"\r\n"))


PARTS = st.lists(
    st.sampled_from(
        [
            "a", "B.c", "@", "example.COM", "x1", "1", ".", "-", "<", ">", ":", " ", "SIZE=", " BODY=8BITMIME", " LAST",
            "99", '"', "\u00e9", "0" * 20, "x" * 64, "postmaster", " SIZE=7", "\x00", "@x:",
        ]
    ),
    max_size=8,
).map("".join)  # fmt: skip
PLAIN_LINES = [
    *("MAIL FROM:<a@b.example>", "MAIL FROM:<>", "RCPT TO:<A@B.example>", "BDAT 12", "DATA", "NOOP", "EHLO me.example"),
    *("MAIL FROM:<a@b.example> SIZE=5 BODY=8BITMIME", "BDAT 0 LAST", "RSET", "QUIT"),
]


@given(st.tuples(st.sampled_from([*PLAIN_LINES, "MAIL FROM:<", "RCPT TO:<", "BDAT ", "EHLO "]), PARTS).map("".join))
@example("MAIL FROM:<a@b.example> SIZE=" + "9" * 21)
def test_plain_command_is_read_as_any_other(line):
    """What one pattern sees is what the whole grammar finds; and it sees no more than one line."""
    octets, reader = line.encode(), CommandReader(4096)
    reader.feed(octets + b"\r\nRSET\r\n")
    if PLAIN.match(octets + b"\r\n"):
        assert (parse_command(octets), b"RSET\r\n") == (reader.command(), reader.clear())


@pytest.mark.parametrize("line", PLAIN_LINES)
def test_plain_command_is_seen_at_once(line):
    """What nearly all clients write needs no more than one look; the usual words are among it."""
    assert PLAIN.fullmatch(line.encode() + b"\r\n")


@given(st.binary(max_size=80))
def test_any_line_is_a_command_or_bad_syntax(line):
    """No line raises."""
    parsed = parse_command(line)
    assert not isinstance(parsed, BadSyntax) or parsed.reply.is_permanent


def client_at(state):
    """A client that has been brought to this point by a willing server."""
    client = ClientEnd()
    client.receive(b"220 hi\r\n")
    if state is ClientState.HELLO:
        return client
    client.send(Ehlo("me.example"))
    client.receive(b"250-mx.example\r\n250-SIZE 100\r\n250-PIPELINING\r\n250 starttls\r\n")
    return client


def test_replies_come_in_the_order_of_commands():
    """A flight of commands, replies in one piece: each to its own."""
    client = client_at(ClientState.READY)
    flight = [Mail(None), Rcpt(Recipient(ANN)), Data()]
    for command in flight:
        client.send(command)
    mail, rcpt, data = client.receive(b"250 ok\r\n550-no\r\n550 such user\r\n354 go\r\n")
    assert [250, "no such user", 354] == [mail.code, rcpt.text, data.code]
    assert (Data, ClientState.BODY) == (client.answered, client.state)
    assert b"..x\r\n.\r\n" == client.send_body(b".x\r\n") + client.end_body()
    assert ([Reply(250, ("ok",))], EndOfData) == (client.receive(b"250 ok\r\n"), client.answered)


def test_capabilities_are_read_in_any_case():
    """What EHLO offers."""
    offered = client_at(ClientState.READY).capabilities
    assert (100, True, True, False) == (offered.size, offered.pipelining, offered.starttls, offered.chunking)


def test_unasked_421_answers_no_command():
    """A reply nobody waits for is told as such, not paired with the next command."""
    assert [Unsolicited(Reply(421, ("bye",)))] == client_at(ClientState.READY).receive(b"421 bye\r\n")


@pytest.mark.parametrize("behind", [b"250 injected\r\n", b"2", b"250-in\r\n", b"garbage\r\n", b"\n", b"x" * 5000])
def test_octets_behind_the_reply_to_starttls_are_a_violation(behind):
    """Replies injected in the clear never answer a command under TLS."""
    client = client_at(ClientState.READY)
    client.send(StartTls())
    (event,) = client.receive(b"220 go\r\n" + behind)
    assert (Violation, []) == (type(event), client.receive(b"250 more\r\n"))


@pytest.mark.parametrize(
    "octets", [b"hello\r\n", b"250-a\r\n251 b\r\n", b"999 x\r\n", b"250-x\r\n" * 300, b"250 " + b"x" * 5000 + b"\r\n"]
)
def test_what_is_no_reply_is_a_violation(octets):
    """Nonsense, endless replies and overlong lines end the session with a typed event."""
    assert Violation is type(ClientEnd().receive(octets)[-1])


def test_end_of_the_connection_names_what_was_left_unanswered():
    """EOF tells which commands have no reply."""
    client = client_at(ClientState.READY)
    client.send(Mail(None))
    assert [Closed((Mail(None),))] == client.receive(b"")


@pytest.mark.parametrize("state", [ClientState.HELLO, ClientState.READY])
def test_moves_outside_the_table_are_our_own_error(state):
    """What the table does not have raises, and changes nothing."""
    for kind, made in {Mail: Mail(None), Rcpt: Rcpt(Recipient(ANN)), Data: Data(), EndOfData: EndOfData()}.items():
        client = client_at(state)
        if kind in CLIENT_MOVES[state]:
            continue
        with pytest.raises(LocalProtocolError):
            client.send(made)
        assert state is client.state


@settings(max_examples=examples(200 // stride(2)))
@given(
    st.binary(max_size=120)
    | st.lists(st.sampled_from([b"250-a\r\n", b"250 b\r\n", b"421 c\n", b"x\r\n"])).map(b"".join)
)
def test_client_hears_the_same_whole_or_byte_by_byte(octets):
    """However the octets are cut, the events are the same, and nothing is raised."""
    whole, single = ClientEnd(), ClientEnd()
    expected = whole.receive(octets) if octets else []
    assert expected == [event for octet in octets for event in single.receive(bytes([octet]))]


def test_greeting_is_an_event_of_its_own():
    """The first reply answers nothing."""
    client = ClientEnd()
    assert ([Reply(220, ("hi",))], ClientState.HELLO) == (client.receive(b"220 hi\r\n"), client.state)


@given(
    st.just(220) | st.integers(400, 599), st.lists(st.sampled_from(["ok", "2.0.0 fine", ""]), min_size=1, max_size=4)
)
def test_reply_comes_back_as_it_went(code, lines):
    """Formatted and read, a reply is itself."""
    (event,) = ClientEnd().receive(format_reply(Reply(code, tuple(lines))))
    assert Reply(code, tuple(lines)) == event


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"EHLO aaaaaaaaa\r\n", [Ehlo("aaaaaaaaa")]),
        (b"EHLO aaaaaaaaaa\r\n", ["5.5.2 line too long"]),
        (b"NOOP bbbbbbbbb\r\n", [Noop("bbbbbbbbb")]),
        (b"NOOP bbbbbbbbbb\r\n", ["5.5.2 line too long"]),
        (b"NOOP ccccccccccccccccc QUIT\r\nQUIT\r\n", ["5.5.2 line too long", Quit()]),
    ],
)
@pytest.mark.parametrize("cut", [5, 23, 100])
def test_line_over_the_limit_is_no_command(octets, expected, cut):
    """Sixteen octets here with its end, however a line is written and cut; what is left of a longer one is none."""
    reader, read = CommandReader(16), []
    for piece in (octets[:cut], octets[cut:]):
        reader.feed(piece)
        while command := reader.command():
            read.append(command.reply.text if isinstance(command, BadSyntax) else command)
    assert expected == read


def test_an_empty_line_is_an_unknown_command():
    """Its CR is not a bare one."""
    reader = CommandReader(4096)
    reader.feed(b"\r\n\n\r\n")
    said = [reader.command().reply.text for _ in range(3)]
    assert ["5.5.1 unknown command", "5.5.2 a bare CR or LF in a command", "5.5.1 unknown command"] == said


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"NOOP \xc3\xa9\r\nMAIL FROM:<me@example.net>\r\n", [250, 250]),
        (b"NOOP GET / HTTP/1.1\r\nNOOP\r\n", [250, 250]),
        (b"AUTH PLAIN\r\nAGFubgBzZWNyZXQ=\nNOOP\r\n", [334, 500, 250]),
    ],
)
def test_each_line_is_taken_for_itself(lines, expected):
    """One beyond ASCII, one that only quotes HTTP, one with a bare LF in AUTH: the next line does not pay for it."""
    config = ServerConfig("mx.example", auth=("PLAIN",))
    assert [220, 250, *expected] == codes(serve(HELLO + lines, config)[0])


@pytest.mark.parametrize("argument", ["a\nb", "a\rb", "a\r\nb", "a\n\rb", "\r\n.\r\nQUIT"])
def test_line_break_in_an_argument_is_our_own_error(argument):
    """Whatever the spool has: what we send is never read as two commands."""
    for kind in (Vrfy, Noop, Ehlo):
        client = client_at(ClientState.READY)
        if kind in CLIENT_MOVES[ClientState.READY]:
            with pytest.raises(LocalProtocolError, match="line break in an argument"):
                client.send(kind(argument))
            assert ClientState.READY is client.state


@pytest.mark.parametrize(
    ("extension", "parameter"),
    [
        ("smtputf8", b" SMTPUTF8"),
        ("eight_bit_mime", b" BODY=8BITMIME"),
        ("dsn", b" RET=HDRS"),
        ("dsn", b" ENVID=x"),
        ("auth", b" AUTH=<>"),
    ],
)
@pytest.mark.parametrize("is_offered", [True, False])
def test_parameter_of_an_extension_is_known_where_that_is_offered(extension, parameter, is_offered):
    """555 where it is not (RFC 5321 section 4.1.1.11); mail without it is taken by both."""
    offers = {"auth": ("PLAIN",) if is_offered else ()} if extension == "auth" else {extension: is_offered}
    config = ServerConfig("mx.example", **offers)
    for given_parameter, code in ((b"", 250), (parameter, 250 if is_offered else 555)):
        assert code == codes(serve(HELLO + b"MAIL FROM:<a@b.example>" + given_parameter + b"\r\n", config)[0])[2]


@pytest.mark.parametrize(
    ("config", "is_tls", "code"),
    [
        (ServerConfig("mx.example", requiretls=True), True, 250),
        (ServerConfig("mx.example", requiretls=True), False, 530),
        (ServerConfig("mx.example"), True, 555),
        (ServerConfig("mx.example"), False, 555),
    ],
)
def test_requiretls_is_offered_and_taken_under_tls_only(config, is_tls, code):
    """RFC 8689 section 2; the envelope keeps it, and a value it has none is refused."""
    server = greeted(config)
    server.is_tls = is_tls
    server.receive(HELLO)
    assert (code == 250) == (b"REQUIRETLS\r\n" in server.agree())
    refusal = server.receive(b"MAIL FROM:<a@b.example> requiretls\r\n")
    assert (code, refusal.requiretls if code == 250 else True) == (codes(server.agree())[0], True)
    assert (TlsWish.REQUIRED if code == 250 else None) == (server.opened and server.opened.envelope.tls)
    assert 501 == parse_command(b"MAIL FROM:<a@b.example> REQUIRETLS=1").reply.code


def test_future_release_is_offered_with_its_limits():
    """RFC 4865: HOLDFOR or HOLDUNTIL, not both; nothing further ahead than was said, and nothing where it is off."""
    config = ServerConfig("mx.example", hold_s=3600, hold_until=1_700_003_600)
    server = greeted(config)
    server.receive(HELLO)
    offer = b"FUTURERELEASE 3600 2023-11-14T23:13:20Z\r\n"
    assert offer in server.agree()
    cases = {
        b"HOLDFOR=60": (60, None), b"holduntil=2023-11-14T23:13:20z": (None, 1_700_003_600.0),
        b"HOLDUNTIL=2023-11-15T00:13:20.5+01:00": 501, b"HOLDFOR=3600": (3600, None), b"HOLDFOR=3601": 501,
        b"HOLDFOR=0": 501, b"HOLDFOR=0000000060": 501, b"HOLDFOR=-1": 501, b"HOLDFOR": 501, b"HOLDUNTIL=": 501,
        b"HOLDUNTIL=2023-11-14": 501, b"HOLDUNTIL=2023-02-30T00:00:00Z": 501, b"HOLDUNTIL=2023-11-14T22:00:00": 501,
        b"HOLDFOR=60 HOLDUNTIL=2023-11-14T23:00:00Z": 501, b"HOLDFOR=60 HOLDFOR=60": 501,
        b"HOLDUNTIL=1969-12-31T23:59:59Z": (None, -1.0),
    }  # fmt: skip
    for parameter, expected in cases.items():
        event = server.receive(b"MAIL FROM:<a@b.example> " + parameter + b"\r\n")
        answer = server.agree()
        assert expected == ((event.hold_for, event.hold_until) if isinstance(event, Mail) else codes(answer)[0]), (
            parameter
        )
        server.receive(b"RSET\r\n")
        server.agree()
    off = greeted(ServerConfig("mx.example"))
    off.receive(HELLO)
    assert b"FUTURERELEASE" not in off.agree()
    off.receive(b"MAIL FROM:<a@b.example> HOLDFOR=60\r\n")
    assert [555] == codes(off.agree())


def test_only_a_host_that_holds_mail_is_sent_what_is_for_later():
    """Any other would deliver it at once."""
    envelope = Envelope(None, (), release_at=1_700_003_600.0)
    holds, others = (read_capabilities(Reply(250, ("mx.example", word))) for word in ("FUTURERELEASE 9 x", "DSN"))
    assert (None, "5.5.4") == (
        why_unable(holds, envelope, 1, smtputf8=False),
        why_unable(others, envelope, 1, smtputf8=False).status,
    )
    line = FORMATS[Mail](mail_to(holds, envelope, 1, smtputf8=False))
    assert "MAIL FROM:<> HOLDUNTIL=2023-11-14T23:13:20Z" == line


@pytest.mark.parametrize("is_tls", [True, False])
def test_host_that_offers_requiretls_in_the_clear_offers_nothing(is_tls):
    """Anyone on the way could have written it; under TLS, by STARTTLS or from the start, it is believed."""
    client = ClientEnd()
    client.is_tls = is_tls
    client.receive(b"220 hi\r\n")
    client.send(Ehlo("me.example"))
    client.receive(b"250-mx\r\n250-requiretls\r\n250 DSN\r\n")
    assert (is_tls, True) == (client.capabilities.requiretls, client.capabilities.dsn)


def test_mail_says_requiretls_where_the_sender_requires_it_and_the_host_offers_it():
    """A bounce goes without where it is not offered; other mail is not sent there at all."""
    offered, other = Capabilities(requiretls=True), Capabilities()
    for path, wish in itertools.product((ANN, None), (None, *TlsWish)):
        envelope = Envelope(path, (), tls=wish)
        said = mail_to(offered, envelope, 1, smtputf8=False), mail_to(other, envelope, 1, smtputf8=False)
        assert [wish is TlsWish.REQUIRED, False] == [each.requiretls for each in said]
        unable = why_unable(other, envelope, 1, smtputf8=False)
        assert ("5.7.30" if path and wish is TlsWish.REQUIRED else None) == (unable and unable.status)
        assert why_unable(offered, envelope, 1, smtputf8=False) is None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL FROM:<a@b.example> SIZE=" + b"0" * 18 + b"42\r\n", 250),
        (b"MAIL FROM:<a@b.example> SIZE=" + b"0" * 19 + b"42\r\n", 501),  # 20 digits: RFC 1870 section 3
        (b"MAIL FROM:<>\r\nRCPT TO:<a@b.example> ORCPT=nothing\r\n", 501),
        (b"AUTH\r\n", 501),
        (b"AUTH PLAIN YQ== more\r\n", 501),
    ],
)
def test_values_of_parameters_have_a_form(line, code):
    """501 says that it is not this one."""
    config = ServerConfig("mx.example", auth=("PLAIN",))
    assert code == codes(serve(HELLO + line, config)[0])[-1]


@pytest.mark.parametrize("most", [9, 10, 11])
def test_message_of_the_greatest_size_is_taken(most):
    """The limit is the size of the greatest message, not of the smallest that is refused."""
    replies, messages = serve([HELLO, TRANSACTION, b"BDAT 10 LAST\r\n12345678\r\n"], ServerConfig("mx", size=most))
    assert (250 if most >= 10 else 552, int(most >= 10)) == (codes(replies)[-1], len(messages))


@pytest.mark.parametrize(
    ("code", "state"),
    [(220, ServerState.FRESH), (421, ServerState.CLOSED), (521, ServerState.REFUSING), (554, ServerState.REFUSING)],
)
def test_greeting_decides_what_may_follow(code, state):
    """A server that says 421 hangs up; one that says 554 waits for QUIT (RFC 5321 section 3.1)."""
    server = Server(ServerConfig("mx.example"))
    server.greet(Reply(code, ("as you see",)))
    assert state is server.state


@pytest.mark.parametrize("is_offered", [True, False])
@pytest.mark.parametrize("is_used", [True, False])
def test_eight_bits_are_announced_where_they_are_and_are_offered(is_offered, is_used):
    """BODY=8BITMIME says both (RFC 6152 section 2)."""
    offered, envelope = Capabilities(eight_bit_mime=is_offered), Envelope(ANN, (), eight_bit=is_used)
    mail = mail_to(offered, envelope, 10, smtputf8=False)
    assert ("8BITMIME" if is_offered and is_used else None) == mail.body
