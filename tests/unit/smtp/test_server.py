"""The server's end of a session: what its application answers is what holds."""

import base64

import pytest
from tests.support.dialogues import HELLO, TRANSACTION, codes, greeted, serve

from postroad.smtp import AuthGiven, Closed, Server, ServerConfig, ServerState
from postroad.smtp.sasl import SaslExchange
from postroad.words.reply import Reply


@pytest.mark.parametrize("code", [250, 251, 354, 450, 550])
def test_what_is_agreed_to_in_other_words_is_agreed_to(code):
    """A positive reply of the application moves the session on; any other leaves it where it was."""
    server = greeted()
    server.receive(HELLO)
    server.agree()
    server.receive(b"MAIL FROM:<me@example.net>\r\n")
    said = server.reply(Reply(code, ("2.1.0 as you like",)))
    is_taken = code < 400
    assert (b"%d 2.1.0 as you like\r\n" % code, is_taken) == (said, server.opened is not None)
    assert (ServerState.MAIL if is_taken else ServerState.READY) is server.state


@pytest.mark.parametrize("octets", [b"", HELLO])
def test_the_end_of_the_connection_is_told_when_all_is_answered(octets):
    """And told again to whoever asks again."""
    server = greeted()
    if octets:
        server.receive(octets)
    assert (None if octets else Closed()) == server.receive(b"")
    if octets:
        server.agree()
    assert (Closed(), Closed(), True) == (server.receive(), server.receive(), server.has_more)


def test_nothing_waits_behind_what_is_answered():
    """Who reads on only where there may be more need not ask in vain."""
    server, more = greeted(), []
    for octets in (HELLO, TRANSACTION, None):
        server.receive(octets)
        server.agree()
        more.append(server.has_more)
    server.receive(b"DATA\r\n")
    server.agree()
    server.receive(b"x\r\n.\r\n")
    more.append(server.has_more)
    assert ([False, True, False, False], False) == (more, Server(ServerConfig("mx.example")).has_more)


def test_who_was_known_in_the_clear_is_a_stranger_under_tls():
    """Nothing said before the handshake counts (RFC 3207 section 4.2): not the hello, not the password."""
    server = greeted(ServerConfig("mx.example", starttls=True, auth=("PLAIN",)))
    for line in (HELLO, b"AUTH PLAIN " + base64.b64encode(b"\0ann\0secret") + b"\r\n", b"STARTTLS\r\n"):
        server.receive(line)
        server.agree()
    before = (server.is_authenticated, server.is_extended, server.client_name, server.is_tls)
    server.tls_started()
    after = (server.is_authenticated, server.is_extended, server.client_name, server.is_tls)
    assert ((True, True, "me.example", False), (False, False, "", True)) == (before, after)


def test_challenges_ask_for_what_their_mechanism_has():
    """PLAIN says all at once and is asked nothing (RFC 4616); LOGIN is asked for a name, then for a password."""
    asked = {kind: base64.b64decode(SaslExchange(kind).begin(None).lines[0]) for kind in ("PLAIN", "LOGIN")}
    assert {"PLAIN": b"", "LOGIN": b"Username:"} == asked
    login = SaslExchange("LOGIN")
    login.begin(None)
    assert Reply(334, (base64.b64encode(b"Password:").decode(),)) == login.hear(base64.b64encode(b"ann"))
    assert AuthGiven("LOGIN", "", "ann", "secret") == login.hear(base64.b64encode(b"secret"))


@pytest.mark.parametrize(("body", "is_eight_bit"), [(b"", False), (b" BODY=7BIT", False), (b" BODY=8BITMIME", True)])
def test_an_envelope_has_eight_bits_if_its_client_says_so(body, is_eight_bit):
    """By BODY at MAIL (RFC 6152)."""
    server = greeted()
    for line in (HELLO, b"MAIL FROM:<me@example.net>" + body + b"\r\n"):
        server.receive(line)
        server.agree()
    assert is_eight_bit == server.transaction.envelope.eight_bit


@pytest.mark.parametrize(("size", "code"), [(9, 250), (10, 250), (11, 552)])
def test_the_greatest_size_may_be_announced(size, code):
    """One more is refused before the message comes (RFC 1870 section 6.1)."""
    lines = HELLO + b"MAIL FROM:<me@example.net> SIZE=%d\r\n" % size
    assert code == codes(serve(lines, ServerConfig("mx.example", size=10))[0])[-1]


@pytest.mark.parametrize("is_offered", [True, False])
def test_chunks_are_taken_where_they_are_offered(is_offered):
    """Elsewhere they are passed over, and the session goes on."""
    replies, messages = serve(
        [HELLO, TRANSACTION + b"BDAT 4 LAST\r\nNOOPNOOP\r\n"], ServerConfig("mx.example", chunking=is_offered)
    )
    assert ([250 if is_offered else 502, 250], is_offered) == (codes(replies)[-2:], bool(messages))


def test_all_is_offered_that_needs_no_settings():
    """Fifty MiB, and each extension but those that need a certificate or passwords."""
    words = "ENHANCEDSTATUSCODES|SIZE 52428800|PIPELINING|8BITMIME|SMTPUTF8|CHUNKING|DSN"
    server = greeted()
    server.receive(HELLO)
    assert ["mx.example", *words.split("|")] == [line[4:].decode() for line in server.agree().splitlines()]


@pytest.mark.parametrize(
    ("given", "code"),
    [(b"\0ann\0secret", 235), (b"ann\0secret", 501), (b"ann", 501), (b"\xff\0ann\0secret", 501), (None, 501)],
)
def test_what_is_no_name_and_password_is_501(given, code):
    """Neither base64 that is none nor too few parts is a wrong password (RFC 4954 section 4)."""
    said = base64.b64encode(given) if given else b"!!"
    replies, _ = serve(HELLO + b"AUTH PLAIN " + said + b"\r\n", ServerConfig("mx.example", auth=("PLAIN",)))
    assert code == codes(replies)[-1]


def test_helo_is_answered_with_the_name_alone():
    """Nothing is offered to who did not ask (RFC 5321 section 4.1.1.1)."""
    assert b"220 mx.example ESMTP\r\n250 mx.example\r\n" == serve(b"HELO me.example\r\n")[0]
