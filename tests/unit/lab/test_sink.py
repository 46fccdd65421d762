"""Exchangers of the lab, and each of their faults as a sender sees it: raw SMTP over loopback."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from cryptography.x509 import load_der_x509_certificate
from tests.support.idle import run_idle
from tests.support.patience import PATIENCE_S

from postroad.lab.certificate import NAME, server_context, trusting_context
from postroad.lab.sink import Habits, LabExchanger
from postroad.net import NetError, NetErrorKind, connect
from postroad.words.faults import Fault, Mode

ADDRESS = ip_address("127.0.0.31")
MESSAGE = b"Subject: lines\r\n\r\n..a dot in front\r\nthe end\r\n"


@dataclass
class Sender:
    """The least of a client: says a line, reads a reply."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self):
        """One reply, its lines joined; "" if the connection ended."""
        lines = []
        with contextlib.suppress(ConnectionResetError):
            while line := (await self.reader.readline()).decode():
                lines.append(line.rstrip())
                if line[3:4] != "-":
                    break
        return "\n".join(lines)

    async def say(self, line):
        """Send a line, read the reply."""
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def greeted(self):
        """The codes of the greeting and of EHLO."""
        return [(await self.reply())[:3], (await self.say("EHLO sender.example"))[:3]]

    async def codes(self, *lines):
        """The reply code of each line said."""
        return [(await self.say(line))[:3] for line in lines]

    async def send(self, recipient="user@example.org"):
        """A whole message; the code of each reply."""
        codes = await self.codes("MAIL FROM:<me@example.com>", f"RCPT TO:<{recipient}>", "DATA")
        if codes[-1] == "354":
            self.writer.write(MESSAGE)
            codes += await self.codes(".")
        return codes


@contextlib.asynccontextmanager
async def dialled(exchanger):
    """A sender connected to an exchanger."""
    reader, writer = await asyncio.open_connection(str(exchanger.address), exchanger.port)
    try:
        yield Sender(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def facing(story, mode=Mode.ACCEPT, seconds=0.0, *, runner=asyncio.run, **habits):
    """Run a story with an exchanger; what its listener was told."""
    told = []

    async def whole():
        exchanger = LabExchanger(ADDRESS, habits=Habits(listener=told.append, **habits), fault=Fault(mode, seconds))
        await exchanger.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await story(exchanger)
        finally:
            await exchanger.stop()

    runner(whole())
    return told


def test_a_message_is_kept_with_its_envelope_and_octets():
    """What was sent is kept, the doubled dot taken off, with envelope, sender's address and no TLS."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            assert ["220", "250"] == await sender.greeted()
            assert ["250", "250", "354", "250"] == await sender.send()
            assert ["221"] == await sender.codes("QUIT")
        (received,) = exchanger.received
        assert MESSAGE.replace(b"..", b".") == received.content
        assert "me@example.com" == str(received.envelope.reverse_path)
        assert ["user@example.org"] == [str(recipient.mailbox) for recipient in received.envelope.recipients]
        assert (ADDRESS, None) == (received.address, received.tls)

    facing(story)


def test_messages_may_be_counted_only():
    """Without keep nothing is stored and all is counted, over one connection or several."""

    async def story(exchanger):
        for _ in range(2):
            async with dialled(exchanger) as sender:
                await sender.greeted()
                await sender.send()
                await sender.send()
                await sender.say("QUIT")
        assert ([], 4, 2) == (exchanger.received, exchanger.counts["received"], exchanger.counts["connected"])

    facing(story, keep=False)


def test_every_step_is_told():
    """The listener hears of the connection, the greeting, each recipient, the message and the end."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            await sender.send()
            await sender.say("QUIT")

    told = facing(story)
    assert ["connected", "greeted", "rcpt", "received", "closed"] == [
        event.name.removeprefix("lab.smtp.") for event in told
    ]
    assert {str(ADDRESS)} == {event.fields["address"] for event in told}


def test_refuse_holds_the_port_and_answers_nobody():
    """Connections are refused, at once."""

    async def story(exchanger):
        with pytest.raises(NetError) as refused:
            await connect(ADDRESS, exchanger.port, timeout_s=PATIENCE_S)
        assert NetErrorKind.REFUSED == refused.value.kind

    facing(story, Mode.REFUSE)


def test_blackhole_swallows_connections():
    """Connections hang until the sender gives up."""

    async def story(exchanger):
        with pytest.raises(NetError) as hung:
            await connect(ADDRESS, exchanger.port, timeout_s=0.2)
        assert NetErrorKind.TIMEOUT == hung.value.kind

    facing(story, Mode.BLACKHOLE)


@pytest.mark.parametrize(("mode", "code"), [(Mode.G421, "421"), (Mode.G554, "554"), (Mode.CLOSE, "220")])
def test_unfriendly_greetings(mode, code):
    """421 and 554 in place of 220, or 220 and gone."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            assert code == (await sender.reply())[:3]
            if mode is not Mode.G554:
                assert "" == await sender.reply()

    facing(story, mode)


def test_after_554_only_quit_is_served():
    """A host that takes no mail waits for QUIT and answers everything else 503 (RFC 5321 section 3.1)."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            assert ["554", "503"] == await sender.greeted()
            assert ["503", "221"] == await sender.codes("MAIL FROM:<>", "QUIT")

    facing(story, Mode.G554)


def test_slow_greets_late_and_then_behaves():
    """After the delay all is as usual."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(greeting := asyncio.ensure_future(sender.greeted())), 0.02)
            assert ["220", "250"] == await greeting
            assert ["250", "250", "354", "250"] == await sender.send()

    facing(story, Mode.SLOW, 0.05, runner=run_idle)


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (Mode.R450, ["250", "450", "503"]),
        (Mode.R550, ["250", "550", "503"]),
        (Mode.D451, ["250", "250", "451"]),
        (Mode.E451, ["250", "250", "354", "451"]),
        (Mode.TARPIT, ["250", "250", "354", "250"]),
        (Mode.NO_STARTTLS, ["250", "250", "354", "250"]),
        (Mode.BROKEN_STARTTLS, ["250", "250", "354", "250"]),
    ],
)
def test_faults_inside_a_transaction(mode, codes):
    """Each fault speaks at its command and nowhere else, and only what got a 250 counts as received."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            assert ["220", "250"] == await sender.greeted()
            assert codes == await sender.send()
            assert (codes[-1] == "250") == bool(exchanger.received)

    facing(story, mode)


def test_drop_takes_the_message_and_says_nothing():
    """After the dot the connection ends without a reply, and the message has been taken: a duplicate if sent again."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            assert ["250", "250", "354", ""] == await sender.send()
        assert 1 == len(exchanger.received)

    facing(story, Mode.DROP)


def test_tarpit_delays_each_reply_of_a_pipeline():
    """Commands sent in one go are answered one by one, each late."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            sender.writer.write(b"MAIL FROM:<>\r\nRCPT TO:<user@example.org>\r\nNOOP\r\n")
            started = asyncio.get_running_loop().time()
            assert ["250", "250", "250"] == [(await sender.reply())[:3] for _ in range(3)]
            assert asyncio.get_running_loop().time() - started >= 0.03

    facing(story, Mode.TARPIT, 0.01)


def test_pipelined_envelope_leaves_in_one_write():
    """A whole envelope in one segment is answered in order."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            sender.writer.write(b"MAIL FROM:<>\r\nRCPT TO:<user@example.org>\r\nDATA\r\n")
            assert ["250", "250", "354"] == [(await sender.reply())[:3] for _ in range(3)]

    facing(story)


async def upgraded(exchanger):
    """EHLO, STARTTLS and the handshake, by the house's own stream."""
    stream = await connect(exchanger.address, exchanger.port, timeout_s=PATIENCE_S)
    await stream.read()
    stream.write(b"EHLO sender.example\r\n")
    offers = await stream.read()
    stream.write(b"STARTTLS\r\n")
    assert (await stream.read()).startswith(b"220")
    await stream.start_tls(trusting_context(), NAME)
    return stream, offers


def test_starttls_is_offered_and_works():
    """With TLS the session begins anew under it, and the message knows by what it came."""

    async def story(exchanger):
        stream, offers = await upgraded(exchanger)
        assert b"STARTTLS" in offers
        stream.write(b"EHLO sender.example\r\n")
        assert b"STARTTLS" not in await stream.read()
        stream.write(b"MAIL FROM:<>\r\nRCPT TO:<user@example.org>\r\nDATA\r\n")
        while not (await stream.read()).rstrip().rpartition(b"\n")[2].startswith(b"354"):
            pass
        stream.write(MESSAGE + b".\r\n")
        await stream.read()
        assert stream.tls == exchanger.received[0].tls
        stream.close()

    facing(story, tls=server_context())


def test_broken_starttls_answers_220_and_then_garbage():
    """The handshake fails on garbage."""

    async def story(exchanger):
        with pytest.raises(NetError) as broken:
            await upgraded(exchanger)
        assert NetErrorKind.TLS == broken.value.kind

    facing(story, Mode.BROKEN_STARTTLS, tls=server_context())


@pytest.mark.parametrize(("mode", "tls"), [(Mode.NO_STARTTLS, True), (Mode.ACCEPT, False)])
def test_starttls_is_not_offered(mode, tls):
    """Neither by that fault, nor by an exchanger made without TLS; asking for it all the same is refused."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.reply()
            assert "STARTTLS" not in await sender.say("EHLO sender.example")
            assert (await sender.say("STARTTLS"))[:1] == "5"

    facing(story, mode, tls=server_context() if tls else None)


def test_faults_change_in_an_open_session():
    """A fault set while a session is open is felt at the next command, and passes as it came."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            await exchanger.set_fault(Fault(Mode.R450))
            assert ["250", "450"] == await sender.codes("MAIL FROM:<>", "RCPT TO:<user@example.org>")
            await exchanger.set_fault(Fault())
            assert ["250"] == await sender.codes("RCPT TO:<user@example.org>")

    facing(story)


@pytest.mark.parametrize(
    ("mode", "kind"), [(Mode.REFUSE, NetErrorKind.REFUSED), (Mode.BLACKHOLE, NetErrorKind.TIMEOUT)]
)
def test_an_exchanger_dies_and_comes_back(mode, kind):
    """Refuse and blackhole drop open sessions; taking the fault away brings the same port back."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            await exchanger.set_fault(Fault(mode))
            assert "" == await sender.reply()
        with pytest.raises(NetError) as dead:
            await connect(ADDRESS, exchanger.port, timeout_s=0.2)
        assert kind == dead.value.kind
        await exchanger.set_fault(Fault())
        async with dialled(exchanger) as sender:
            assert ["220", "250"] == await sender.greeted()

    facing(story)


def test_a_sender_that_vanishes_ends_the_session():
    """A connection that ends in the middle of a message leaves nothing behind."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            await sender.codes("MAIL FROM:<>", "RCPT TO:<user@example.org>", "DATA")
            sender.writer.write(b"half a mess")
        assert [] == exchanger.received

    assert "lab.smtp.closed" == facing(story)[-1].name


def test_ports_held_are_taken():
    """Two exchangers cannot hold one port."""

    async def story(exchanger):
        with pytest.raises(NetError):
            LabExchanger(ADDRESS, exchanger.port).hold()

    facing(story)


@pytest.mark.parametrize(
    ("mode", "replies"),
    [
        (Mode.STARTTLS_454, ["454", "250", "250", "354", "250"]),
        (Mode.STARTTLS_554, ["554", "250", "250", "354", "250"]),
        (Mode.STARTTLS_CLOSE, [""]),
        (Mode.STARTTLS_220_CLOSE, ["220", ""]),
    ],
)
def test_starttls_is_offered_and_goes_wrong(mode, replies):
    """Refused, the session goes on in the clear; else it is closed, before the reply or behind it."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.reply()
            assert "STARTTLS" in await sender.say("EHLO sender.example")
            said = await sender.codes("STARTTLS")
            said += await sender.send() if len(replies) > 2 else [await sender.reply()] if said != [""] else []
            assert replies == said

    facing(story, mode)


@pytest.mark.parametrize(
    ("mode", "is_over"), [(Mode.STARTTLS_GOOD, False), (Mode.STARTTLS_EXPIRED, True), (Mode.TLS_MISMATCH, False)]
)
def test_a_certificate_that_proves_nothing(mode, is_over):
    """Offered also where the lab has no TLS: nobody has signed it, it has expired, or it is for another host."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            await sender.greeted()
            assert ["220"] == await sender.codes("STARTTLS")
            await sender.writer.start_tls(ssl._create_unverified_context())
            shown = sender.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            assert is_over == (load_der_x509_certificate(shown).not_valid_after_utc.year < 2026)
            assert ["250"] == await sender.codes("EHLO sender.example")

    facing(story, mode)


def test_a_greeting_that_never_comes():
    """The connection stands, and nothing is said until the sender goes."""

    async def story(exchanger):
        async with dialled(exchanger) as sender:
            sender.writer.write(b"EHLO sender.example\r\n")
            await asyncio.sleep(0)
            sender.writer.write_eof()
            assert "" == await sender.reply()

    assert "lab.smtp.greeted" not in {event.name for event in facing(story, Mode.MUTE)}
