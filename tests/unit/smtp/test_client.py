"""The client's end of a session where it does not go as usual: refused early, asked to go on, out of its table."""

import pytest

from postroad.smtp import (
    Auth,
    Bdat,
    Capabilities,
    ClientEnd,
    ClientState,
    Data,
    Ehlo,
    EndOfData,
    Helo,
    LocalProtocolError,
    Mail,
    Noop,
    Quit,
    Rcpt,
    StartTls,
    Unsolicited,
    Violation,
)
from postroad.smtp.client import SessionOver
from postroad.words.mail import Mailbox, Recipient
from postroad.words.reply import Reply

ANN = Recipient(Mailbox("ann", "example.com"))


def ready(*commands):
    """A client that has said EHLO, and these, each answered with 250, or 354 to DATA."""
    client = ClientEnd()
    client.receive(b"220 hi\r\n")
    for command in (Ehlo("me.example"), *commands):
        client.send(command)
        client.receive(b"354 go\r\n" if isinstance(command, Data) else b"250 mx\r\n")
    return client


@pytest.mark.parametrize("code", [250, 354, 399, 400, 421, 452, 500, 552])
@pytest.mark.parametrize("chunking", [True, False])
def test_a_host_may_refuse_early_but_not_agree_early(code, chunking):
    """In the middle of the content only 4yz and 5yz mean it, but for 421, and either is the end of the session."""
    client = ready(Mail(None), Rcpt(ANN))
    client.send(Bdat(5) if chunking else Data())
    if not chunking:
        client.receive(b"354 go\r\n")
    reply = Reply(code, ("x",))
    is_answer = code >= 400 and code != 421
    assert [reply if is_answer else Unsolicited(reply)] == client.receive(b"%d x\r\n" % code)
    assert ((Bdat if chunking else EndOfData) if is_answer else client.answered) is client.answered
    assert (ClientState.CLOSED, []) == (client.state, client.receive(b"250 more\r\n"))
    with pytest.raises(SessionOver):
        client.send_chunk(b"x") if chunking else client.send_body(b"x")


def test_a_refusal_that_could_be_of_another_command_answers_none():
    """While replies to the envelope are due, one in the middle of the content is out of step."""
    client = ready()
    client.send(Mail(None), Rcpt(ANN), Bdat(5, last=True))
    assert [Unsolicited(Reply(550, ("x",)))] == client.receive(b"550 x\r\n")


@pytest.mark.parametrize("piece", [b"123456", b"12345"])
def test_a_chunk_is_what_was_announced_and_no_more(piece):
    """What is over would be taken for a command (RFC 3030 section 2)."""
    client = ready(Mail(None), Rcpt(ANN))
    client.send(Bdat(5))
    if len(piece) > 5:
        with pytest.raises(LocalProtocolError, match="6 octets where 5 were announced"):
            client.send_chunk(piece)
    else:
        assert (piece, 0) == (client.send_chunk(piece), client.owed)


@pytest.mark.parametrize("code", [400, 500, 502, 504])
@pytest.mark.parametrize("hello", [Ehlo("me.example"), Helo("me.example")])
def test_a_host_that_refuses_a_hello_offers_nothing_yet(code, hello):
    """It is to be greeted otherwise: only an agreement says what there is."""
    client = ClientEnd()
    client.receive(b"220 hi\r\n")
    client.send(hello)
    client.receive(b"%d no\r\n" % code)
    assert (None, ClientState.HELLO) == (client.capabilities, client.state)


def test_what_is_offered_stays_so():
    """Until the next hello; after HELO it is nothing."""
    client, offered = ClientEnd(), []
    client.receive(b"220 hi\r\n")
    for command in (Ehlo("me"), Noop(), Helo("me")):
        client.send(command)
        client.receive(b"250-mx\r\n250 DSN\r\n")
        offered.append(client.capabilities)
    assert [Capabilities("MX".lower(), dsn=True)] * 2 + [Capabilities()] == offered


def test_a_challenge_is_answered_and_nothing_else():
    """The same AUTH has another reply; before the challenge and behind its end there is nothing to say."""
    client = ready()
    with pytest.raises(LocalProtocolError):
        client.auth_response("YQ==")
    client.send(Auth("LOGIN"))
    client.receive(b"334 VXNlcm5hbWU6\r\n")
    assert (b"YQ==\r\n", ClientState.AUTH) == (client.auth_response("YQ=="), client.state)
    client.receive(b"334 UGFzc3dvcmQ6\r\n")
    client.receive(b"235 ok\r\n")
    assert (Auth, ClientState.READY) == (client.answered, client.state)
    with pytest.raises(LocalProtocolError):
        client.auth_response("YQ==")


def test_what_was_said_in_the_clear_is_forgotten():
    """Behind the handshake a hello is due; without STARTTLS there is none to be done (RFC 3207 section 4.2)."""
    client = ready()
    assert not client.is_tls
    with pytest.raises(LocalProtocolError, match="no TLS was agreed on"):
        client.tls_started()
    client.send(StartTls())
    client.receive(b"220 go\r\n")
    client.tls_started()
    assert (True, None, ClientState.HELLO) == (client.is_tls, client.capabilities, client.state)


@pytest.mark.parametrize(
    ("command", "called"),
    [(None, "a new connection"), (Mail(None), "MAIL"), (Quit(), "QUIT"), (EndOfData(), "the final dot")],
)
def test_a_reply_that_fits_nothing_is_told_with_what_it_should_answer(command, called):
    """So that the log says at which step the host went astray."""
    client = ClientEnd() if command is None else ready()
    if isinstance(command, EndOfData):
        client = ready(Mail(None), Rcpt(ANN), Data())
        client.end_body()
    elif command:
        client.send(command)
    assert [Violation(f"354 x is not an answer to {called}")] == client.receive(b"354 x\r\n")
