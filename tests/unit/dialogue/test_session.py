"""A session over a stream in memory: what a host offers decides how the message travels, and what it says is kept."""

import asyncio
from dataclasses import dataclass, field
from itertools import product

import pytest
from tests.support.answering import Host
from tests.support.idle import run_idle

from postroad.dialogue import ClientSettings, HostError, Message, Session
from postroad.net import pair
from postroad.smtp import BodyPiece, Server, ServerConfig, Timeouts
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Phase, Result, Scope
from postroad.words.reply import Reply

CONTENT = b"Subject: x\r\n\r\n.dot\r\n..dots\r\nlast line without end"
RECIPIENTS = tuple(Recipient(Mailbox(name, "example.com")) for name in ("ann", "bob"))
QUICK = Timeouts(greeting_s=0.05, mail_s=0.05, rcpt_s=0.05, data_s=0.05, dot_s=0.05)


def talk(host, *, chunking=True, envelope=None, timeouts=QUICK, content=CONTENT):
    """One session with the host; what recipients were told, or the HostError."""
    message = Message(envelope or Envelope(None, RECIPIENTS), content)

    async def main():
        ours, theirs = pair()
        served = asyncio.create_task(host.serve(theirs))
        session = Session(ours, ClientSettings(hostname="us.example.net", chunking=chunking, timeouts=timeouts))
        try:
            await session.greet()
            await session.hello()
            told = await session.deliver(message, tuple(range(len(message.envelope.recipients))))
            await session.quit()
        finally:
            ours.close()
            served.cancel()
        return {message.envelope.recipients[index].mailbox.local: outcome.result for index, outcome in told.items()}

    return run_idle(main())


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


ACCENTED = (Recipient(Mailbox("zo\u00eb", "example.com")), RECIPIENTS[1])
ASCII_ONLY = ServerConfig("mx", smtputf8=False)


@pytest.mark.parametrize(
    ("envelope", "content"),
    [
        (Envelope(None, ACCENTED, smtputf8=True), CONTENT),
        (Envelope(None, RECIPIENTS, smtputf8=True), b"Subject: \xc3\xab\r\n\r\n"),
    ],
)
def test_what_is_beyond_ascii_needs_smtputf8(envelope, content):
    """Without SMTPUTF8 at the host, an address or a header beyond ASCII cannot be sent there (RFC 6531)."""
    host = Host(config=ASCII_ONLY)
    assert {Result.FAILED} == set(talk(host, envelope=envelope, content=content).values())
    assert ["Ehlo", "Quit"] == host.heard


@pytest.mark.parametrize("chunking", [True, False])
def test_ascii_message_needs_no_smtputf8(chunking):
    """A client may say SMTPUTF8 of any message: where nothing is beyond ASCII, any host can take it."""
    envelope = Envelope(None, RECIPIENTS, smtputf8=True)
    assert BOTH == talk(Host(config=ASCII_ONLY), envelope=envelope, chunking=chunking)


def test_silent_host_times_out_in_its_phase():
    """Each phase has its limit; a host that never greets is given up in the phase greeting."""

    class Silent(Host):
        async def serve(self, stream):
            await stream.read()

    assert (Phase.GREETING, Result.DEFERRED, Scope.HOST) == _host_error(Silent())
    with pytest.raises(HostError, match="timed out after"):  # not that a connection kept open has brought nothing
        talk(Silent())


def test_large_message_is_sent_in_pieces():
    """A message of several pieces arrives whole, dots and all, by DATA and by BDAT."""
    content = b"Subject: big\r\n\r\n" + b".line that begins with a dot\r\n" * 40_000
    for chunking in (True, False):
        host = Host(config=ServerConfig("mx", chunking=chunking))
        assert (BOTH, True) == (talk(host, content=content, timeouts=Timeouts()), host.content == content)


MANY = tuple(Recipient(Mailbox(f"user{number}", "example.com")) for number in range(25))


@dataclass
class Small(Host):
    """A host that takes a few recipients in one transaction, and answers the others with one code."""

    code: int = 452
    most: int = 10
    transactions: list[list[str]] = field(default_factory=list)

    def _answer(self, name):
        if name == "Mail":
            self.transactions.append([])
        elif name.startswith("Rcpt") and len(self.transactions[-1]) >= self.most:
            return Reply(self.code, ("4.5.3 too many recipients",))
        elif name.startswith("Rcpt"):
            self.transactions[-1].append(name)
        return super()._answer(name)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("chunking", [True, False])
@pytest.mark.parametrize("code", [452, 552])
def test_one_recipient_too_many_goes_in_the_next_transaction(pipelining, chunking, code):
    """RFC 5321 section 4.5.3.1.10: after 452 to RCPT, or 552 in its place, the rest follows at once."""
    host = Small(config=ServerConfig("mx", pipelining=pipelining, chunking=chunking), code=code)
    told = talk(host, envelope=Envelope(None, MANY), chunking=chunking)
    assert ({Result.DELIVERED}, 25) == (set(told.values()), len(told))
    assert [10, 10, 5] == [len(taken) for taken in host.transactions]
    assert 25 == len({name for taken in host.transactions for name in taken})


def test_a_transaction_has_a_hundred_recipients_at_most():
    """Every host must take that many (RFC 5321 section 4.5.3.1.8), so no more are offered to it at once."""
    host = Small(most=1000)
    recipients = tuple(Recipient(Mailbox(f"user{number}", "example.com")) for number in range(230))
    assert {Result.DELIVERED} == set(talk(host, envelope=Envelope(None, recipients)).values())
    assert [100, 100, 30] == [len(taken) for taken in host.transactions]


@pytest.mark.parametrize(("code", "expected"), [(452, Result.DEFERRED), (552, Result.FAILED)])
def test_full_mailbox_is_no_crowd(code, expected):
    """With nobody else accepted in the transaction, 452 and 552 are about the recipient, and stand."""
    host = Host({"Rcpt bob": Reply(code, ("x.2.2 mailbox full",))})
    assert {"ann": Result.DELIVERED, "bob": expected} == talk(host)
    assert ["Mail", "Rcpt", "Rcpt", ".", "Mail", "Rcpt"] == host.heard[1:7]


@pytest.mark.parametrize(
    "content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r", b"x" * 70_000 + b"\n.\r\nMAIL FROM:<>\r\n", b"\r\n\x00.\r\n"]
)
@pytest.mark.parametrize("chunking", [True, False])
def test_unsafe_content_never_leaves(content, chunking):
    """Whatever the spool has, a bare CR or LF or a NUL is not sent; the host gets no whole message, by DATA or BDAT."""
    host = Host(config=ServerConfig("mx", chunking=chunking, refuse_unsafe=False))
    assert {"ann": Result.FAILED, "bob": Result.FAILED} == talk(host, content=content)
    assert "." not in host.heard


@pytest.mark.parametrize("at", ["Ehlo", "Mail", "Rcpt ann"])
def test_host_one_reply_ahead_loses_nothing(at):
    """A reply too many shifts all that follow: refused at its end, the message is not called delivered."""
    for extra, pipelining, chunking in product((b"250 ok\r\n", b"354 go\r\n", b"550 no\r\n"), *[(True, False)] * 2):
        config = ServerConfig("mx", pipelining=pipelining, chunking=chunking)
        host = Host({".": Reply(554, ("5.7.1 spam",))}, config, extra={at: extra})
        try:
            told = talk(host)
        except HostError:
            told = {}
        assert Result.DELIVERED not in told.values(), (extra, pipelining, chunking)


def test_host_with_our_own_name_is_not_sent_to():
    """At port 25 a host that calls itself as we do is we: mail would go in circles."""
    host = Host(config=ServerConfig("us.example.net"))
    assert (Phase.EHLO, Result.DEFERRED, Scope.HOST) == _host_error(host)


class Watched:
    """A stream whose peer acknowledges or does not, and which counts how often it is asked."""

    def __init__(self, stream, is_unheard, signs):
        self._stream = stream
        self._is_unheard = is_unheard
        self._signs = signs

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def is_unheard(self, _after_s):
        self._signs.append(self._is_unheard)
        return self._is_unheard


@pytest.mark.parametrize("is_unheard", [True, False])
def test_host_gone_under_a_resting_connection_is_known_soon(is_unheard):
    """What a silent host has not even acknowledged was sent to nobody; one that acknowledges may take a while."""
    signs = []

    async def main():
        ours, theirs = pair()
        ours = Watched(ours, is_unheard, signs)
        host = Host()
        served = asyncio.create_task(host.serve(theirs))
        timeouts = Timeouts(resting_s=0.02, resting_most_s=0.1)
        session = Session(ours, ClientSettings(hostname="us.example.net", timeouts=timeouts))
        message = Message(Envelope(None, RECIPIENTS), CONTENT)
        try:
            await session.greet()
            await session.hello()
            await session.deliver(message, (0, 1))
            served.cancel()
            with pytest.raises(HostError) as caught:
                await session.deliver(message, (0, 1))
        finally:
            session.close()
        return session.is_gone, caught.value.phase, len(signs) > 1

    assert (True, Phase.MAIL, not is_unheard) == run_idle(main())


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 idle for too long\r\n"])
def test_end_heard_while_a_connection_rested_is_no_answer(farewell):
    """It was said before the next message was begun: at MAIL, with nobody told anything, so it is asked anew."""

    async def main():
        ours, theirs = pair()
        served = asyncio.create_task(Host().serve(theirs))
        session = Session(ours, ClientSettings(hostname="us.example.net", timeouts=QUICK))
        message = Message(Envelope(None, RECIPIENTS), CONTENT)
        try:
            await session.greet()
            await session.hello()
            await session.deliver(message, (0, 1))
            served.cancel()
            theirs.write(farewell)
            theirs.close()
            await asyncio.sleep(0)
            with pytest.raises(HostError) as caught:
                await session.deliver(message, (0, 1))
        finally:
            session.close()
        return caught.value.phase, session.told

    assert (Phase.MAIL, {}) == run_idle(main())


@dataclass
class Hasty(Host):
    """A host that answers the message before it has all of it; then it hangs up, or swallows the rest."""

    hangs_up: bool = False
    says: bytes = b"250 2.0.0 taken\r\n"

    async def serve(self, stream):
        """As others do up to the first piece of the message."""
        server = Server(self.config)
        stream.write(server.greet())
        while True:
            event = server.receive(await stream.read())
            while event and not isinstance(event, BodyPiece):
                stream.write(server.agree())
                event = server.receive()
            if event:
                break
        stream.write(self.says)
        await asyncio.sleep(0)
        if self.hangs_up:
            stream.abort()
        while await stream.read():
            pass


LARGE = b"Subject: big\r\n\r\n" + b"a line of some octets\r\n" * 100_000


@pytest.mark.parametrize("hangs_up", [True, False])
@pytest.mark.parametrize("chunking", [True, False])
def test_reply_before_the_end_of_the_message_is_no_receipt(chunking, hangs_up):
    """A 250 that came while most of the message was still here says nothing of it: the host is out of step."""
    host = Hasty(config=ServerConfig("mx", chunking=chunking), hangs_up=hangs_up)
    assert (Result.DEFERRED, Scope.HOST) == _host_error(host, content=LARGE, timeouts=Timeouts())[1:]


@pytest.mark.parametrize("chunking", [True, False])
def test_refusal_before_the_end_of_the_message_counts(chunking):
    """A host need not read a message to its end to refuse it."""
    host = Hasty(config=ServerConfig("mx", chunking=chunking), says=b"552 5.3.4 too large\r\n")
    assert {"ann": Result.FAILED, "bob": Result.FAILED} == talk(host, content=LARGE, timeouts=Timeouts())


@pytest.mark.parametrize("chunking", [True, False])
def test_receipt_counts_though_the_host_says_more_than_it_was_asked(chunking):
    """Each recipient has its answer and gets no second copy; the session is over, for its replies are not ours."""
    host = Host(config=ServerConfig("mx", chunking=chunking), extra={".": b"250 2.0.0 once more\r\n"})

    async def main():
        ours, theirs = pair()
        served = asyncio.create_task(host.serve(theirs))
        session = Session(ours, ClientSettings(hostname="us.example.net", timeouts=QUICK))
        try:
            await session.greet()
            await session.hello()
            with pytest.raises(HostError) as caught:
                await session.deliver(Message(Envelope(None, RECIPIENTS), CONTENT), (0, 1))
        finally:
            session.close()
            served.cancel()
        return caught.value.outcome.result, {index: outcome.result for index, outcome in session.told.items()}

    assert (Result.DEFERRED, {0: Result.DELIVERED, 1: Result.DELIVERED}) == run_idle(main())
