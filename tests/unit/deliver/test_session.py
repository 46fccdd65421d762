"""A session over a stream in memory: what a host offers decides how the message travels, and what it says is kept."""

import asyncio
from dataclasses import dataclass, field

import pytest

from postroad.deliver import DeliverSettings, Message, Timeouts
from postroad.deliver.session import HostError, Session
from postroad.net import pair
from postroad.smtp import NEED_DATA, BodyComplete, BodyPiece, Closed, Commanded, Server, ServerConfig
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Phase, Result, Scope
from postroad.words.reply import Reply

CONTENT = b"Subject: x\r\n\r\n.dot\r\n..dots\r\nlast line without end"
RECIPIENTS = tuple(Recipient(Mailbox(name, "example.com")) for name in ("ann", "bob"))
QUICK = Timeouts(greeting_s=0.05, mail_s=0.05, rcpt_s=0.05, data_s=0.05, dot_s=0.05)


@dataclass
class Host:
    """A server that answers as told: by the name of the command, or by "name argument"; "." is the message."""

    answers: dict[str, Reply | None] = field(default_factory=dict)
    config: ServerConfig = field(default_factory=lambda: ServerConfig("mx.example.com"))
    greeting: Reply | None = None
    heard: list[str] = field(default_factory=list)
    content: bytes = b""

    async def serve(self, stream):
        """Talk until the client is gone, or an answer of None says hang up."""
        server = Server(self.config)
        stream.write(server.greet(self.greeting))
        while True:
            server.feed(await stream.read())
            while (event := server.next_event()) is not NEED_DATA:
                if isinstance(event, Closed):
                    stream.close()
                    return
                if isinstance(event, BodyPiece):
                    self.content += event.data
                    continue
                name, usual = self._name(event)
                answer = self.answers.get(name, usual)
                if answer is None:
                    stream.close()
                    return
                stream.write(server.reply(answer))

    def _name(self, event):
        if isinstance(event, BodyComplete):
            self.heard.append(".")
            return ".", Reply(250, ("2.0.0 taken",))
        name = type(event.command).__name__ if isinstance(event, Commanded) else "?"
        self.heard.append(name)
        if name == "Rcpt":
            name = f"Rcpt {event.command.recipient.mailbox.local}"
        return name, event.reply


def talk(host, *, chunking=True, envelope=None, timeouts=QUICK, content=CONTENT):
    """One session with the host; what recipients were told, or the HostError."""
    message = Message(envelope or Envelope(None, RECIPIENTS), content)

    async def main():
        ours, theirs = pair()
        served = asyncio.create_task(host.serve(theirs))
        session = Session(ours, DeliverSettings("us.example.net", chunking=chunking, timeouts=timeouts))
        try:
            await session.greet()
            await session.hello("mx.example.com")
            told = await session.transaction(message, (0, 1))
            await session.quit()
        finally:
            ours.close()
            served.cancel()
        return {message.envelope.recipients[index].mailbox.local: outcome.result for index, outcome in told.items()}

    return asyncio.run(main())


BOTH = {"ann": Result.DELIVERED, "bob": Result.DELIVERED}


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("chunking", [True, False])
def test_message_arrives_as_it_was_sent(pipelining, chunking):
    """By DATA or BDAT, pipelined or not, the same octets arrive."""
    host = Host(config=ServerConfig("mx", pipelining=pipelining, chunking=chunking))
    end = b"" if chunking else b"\r\n"  # DATA cannot say that the last line has no end
    assert (BOTH, CONTENT + end) == (talk(host), host.content)


def test_small_message_goes_in_one_flight_with_its_envelope():
    """Where the host pipelines and chunks, MAIL, RCPT and the message need one round trip."""
    host = Host()
    talk(host)
    assert ["Ehlo", "Mail", "Rcpt", "Rcpt", ".", "Quit"] == host.heard


@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
def test_each_recipient_has_its_own_answer(pipelining, chunking):
    """One is refused at RCPT, the other gets the message."""
    config = ServerConfig("mx", pipelining=pipelining, chunking=chunking)
    host = Host({"Rcpt bob": Reply(550, ("5.1.1 no such user",))}, config)
    assert {"ann": Result.DELIVERED, "bob": Result.FAILED} == talk(host)


@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
def test_all_recipients_refused_sends_no_message(pipelining, chunking):
    """With nobody to take it the host never sees a message."""
    config = ServerConfig("mx", pipelining=pipelining, chunking=chunking)
    host = Host({"Rcpt ann": Reply(450, ("4.2.0 later",)), "Rcpt bob": Reply(550, ("5.1.1 no",))}, config)
    assert ({"ann": Result.DEFERRED, "bob": Result.FAILED}, b"") == (talk(host), host.content)


@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("pipelining", [True, False])
def test_refused_reverse_path_is_told_to_all(pipelining, chunking):
    """A refusal at MAIL is about the message, so every recipient hears it."""
    config = ServerConfig("mx", pipelining=pipelining, chunking=chunking)
    host = Host({"Mail": Reply(451, ("4.7.1 not now",))}, config)
    assert {"ann": Result.DEFERRED, "bob": Result.DEFERRED} == talk(host)


@pytest.mark.parametrize("pipelining", [True, False])
def test_refusal_at_data_is_told_to_all(pipelining):
    """A 5yz to DATA fails the message for those that were accepted."""
    host = Host({"Data": Reply(554, ("5.7.1 no",))}, ServerConfig("mx", pipelining=pipelining, chunking=False))
    assert {"ann": Result.FAILED, "bob": Result.FAILED} == talk(host)


def test_host_without_ehlo_is_greeted_by_helo():
    """RFC 5321 section 3.2: refused EHLO, a client falls back to HELO, and uses no extension."""
    host = Host({"Ehlo": Reply(502, ("5.5.1 what?",))})
    assert BOTH == talk(host)
    assert ["Ehlo", "Helo", "Mail", "Rcpt", "Rcpt", "Data", ".", "Quit"] == host.heard


def _host_error(host, **how):
    with pytest.raises(HostError) as caught:
        talk(host, **how)
    return caught.value.phase, caught.value.outcome.result, caught.value.outcome.scope


@pytest.mark.parametrize("code", [421, 450, 521, 554])
def test_greeting_that_refuses_is_the_hosts(code):
    """No 220, no mail here now: the host's matter, deferred, whatever the class of the code."""
    host = Host(greeting=Reply(code, ("no",)))
    assert (Phase.GREETING, Result.DEFERRED, Scope.HOST) == _host_error(host)


def test_421_in_the_middle_is_the_hosts():
    """421 to any command means the host is closing: another one may be asked."""
    host = Host({"Mail": Reply(421, ("4.3.2 closing",))}, ServerConfig("mx", pipelining=False))
    assert (Phase.MAIL, Result.DEFERRED, Scope.HOST) == _host_error(host)


def test_lost_connection_before_the_message_is_the_hosts():
    """A host that hangs up at RCPT has not got the message."""
    host = Host({"Rcpt ann": None}, ServerConfig("mx", pipelining=False))
    assert (Phase.RCPT, Result.DEFERRED, Scope.HOST) == _host_error(host)


@pytest.mark.parametrize("chunking", [True, False])
def test_lost_reply_to_the_final_dot_is_unsettled(chunking):
    """Without a reply to the final dot the host may have the message: deferred, and nobody else is asked."""
    host = Host({".": None}, ServerConfig("mx", chunking=chunking))
    assert {"ann": Result.DEFERRED, "bob": Result.DEFERRED} == talk(host)


def test_message_too_large_for_the_host_is_not_offered():
    """SIZE at EHLO is believed: no transaction is begun."""
    host = Host(config=ServerConfig("mx", size=10))
    assert {"ann": Result.FAILED, "bob": Result.FAILED} == talk(host)
    assert ["Ehlo", "Quit"] == host.heard


def test_address_beyond_ascii_needs_smtputf8():
    """Without SMTPUTF8 at the host such a message cannot be sent there (RFC 6531)."""
    envelope = Envelope(None, RECIPIENTS, smtputf8=True)
    host = Host(config=ServerConfig("mx", smtputf8=False))
    assert {"ann": Result.FAILED, "bob": Result.FAILED} == talk(host, envelope=envelope)


def test_silent_host_times_out_in_its_phase():
    """Each phase has its limit; a host that never greets is given up in the phase greeting."""

    class Silent(Host):
        async def serve(self, stream):
            await stream.read()

    assert (Phase.GREETING, Result.DEFERRED, Scope.HOST) == _host_error(Silent())


def test_large_message_is_sent_in_pieces():
    """A message of several pieces arrives whole, dots and all, by DATA and by BDAT."""
    content = b"Subject: big\r\n\r\n" + b".line that begins with a dot\r\n" * 40_000
    for chunking in (True, False):
        host = Host(config=ServerConfig("mx", chunking=chunking))
        assert (BOTH, True) == (talk(host, content=content, timeouts=Timeouts()), host.content == content)
