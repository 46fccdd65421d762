"""Clients that are no mail clients, hostile ones and careless ones: what they are told, and that nothing is kept."""

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address

import pytest
import uvloop
from tests.support.talking import ENVELOPE, HELLO, MESSAGE, SETTINGS, House, flights, tell

from postroad.net import bind
from postroad.receive import ListenSettings
from postroad.routing import Alias, parse_target, resolve_aliases

DIALOGUE = HELLO + ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\nQUIT\r\n"
POST = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:25\r\nUser-Agent: curl/8.5.0\r\nContent-Length: 300\r\n\r\n" + DIALOGUE
CHUNK = b"BDAT %d LAST\r\n%b" % (len(MESSAGE), MESSAGE)


def later(seconds):
    """So much later by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


def test_web_client_sends_no_mail():
    """A form that posts a dialogue of SMTP to this machine is hung up on at its first line, and the log names it."""

    async def story(house):
        async with house.visit(hello=False) as client:
            assert ["220"] == [reply[:3] for reply in await client.hear()]
            client.stream.write(POST)
            assert ["221", ""] == [reply[:3] for reply in await client.hear(2)]
        assert [] == house.keeper.kept
        (told,) = house.told("receive.protocol.failed")
        assert ("127.0.0.1:40000", "POST / HTTP/1.1", "221") == (told["peer"], told["said"], told["why"][:3])
        assert house.told("receive.session.complete")[0]["why"].startswith("2.7.0 ")

    tell(story)


def test_whole_dialogue_in_one_flight_is_refused():
    """Who does not wait for EHLO's reply has not read what is offered: 554, the end, and nothing is kept."""

    async def story(house):
        async with house.visit(hello=False) as client:
            await client.hear()
            client.stream.write(DIALOGUE)
            assert ["554", ""] == [reply[:3] for reply in await client.hear(2)]
        assert ([], ["input behind EHLO"]) == (
            house.keeper.kept,
            [told["said"] for told in house.told("receive.protocol.failed")],
        )

    tell(story)


def test_message_in_the_flight_of_its_data_is_refused():
    """The message may not come before the 354."""

    async def story(house):
        async with house.visit() as client:
            client.stream.write(ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n")
            assert ["250", "250", "554", ""] == [reply[:3] for reply in await client.hear(4)]
        assert [] == house.keeper.kept

    tell(story)


def test_words_before_the_greeting_are_the_last():
    """No 220 is said to a client that has spoken first."""

    async def story(house):
        async with house.visit(hello=False) as client:
            client.stream.write(HELLO)
            assert ["554 5.5.0 Error: SMTP protocol synchronization", ""] == await client.hear(2)

    tell(story)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_words_in_the_queue_of_the_port_come_before_the_greeting(runner):
    """What waits in the kernel when the connection is accepted was said before the greeting."""

    async def story():
        house, sock = House(), bind(ip_address("127.0.0.1"), 0)
        sock.listen()
        with socket.create_connection(sock.getsockname()) as client:
            client.sendall(HELLO)
            await house.receiver.open(ListenSettings(ip_address("127.0.0.1")), sock)
            client.settimeout(0)
            said = await asyncio.get_running_loop().sock_recv(client, 4096)
        await house.receiver.stop()
        assert b"554 5.5.0 " == said[:10]

    runner(story())


@pytest.mark.parametrize(
    "message",
    [
        b"BDAT 4 LAST\r\na\nb\n",
        b"BDAT 2\r\na\rBDAT 2 LAST\r\nbc",
        b"BDAT 2 LAST\r\na\r",
        b"BDAT 34 LAST\r\n\n.\r\nMAIL FROM:<evil@example.net>\r\n",
        b"DATA\r\na\r\r\n.\r\n",
        b"BDAT 36 LAST\r\n\r\n\x00.\r\nMAIL FROM:<evil@example.net>\r\n",
        b"DATA\r\na\r\n\x00.\r\nMAIL FROM:<evil@example.net>\r\n.\r\n",
        b"DATA\r\na\r\n.\x00\r\n.\r\n",
    ],
)
def test_unsafe_content_is_refused_at_every_door(message):
    """554 at the end of the message, the event names who sent it, and the next message is welcome."""

    async def story(house):
        async with house.visit() as client:
            refused = await client.codes(ENVELOPE + message, 3 + message.count(b"BDAT") - (b"BDAT" in message))
            assert ("554" if b"BDAT" in message else "354") == refused[-1]
            if b"DATA\r\n" in message:
                assert ["554"] == await client.codes(b"")
            assert ["250"] * 3 == await client.codes(ENVELOPE + CHUNK, 3)
        (told,) = house.told("receive.message.failed")
        assert (1, "me@example.net", "554 5.6.0") == (len(house.keeper.kept), told["sender"], told["why"][:9])

    tell(story)


def test_recipient_named_twice_is_kept_once():
    """The domain in any case, U-labels or not, or by an alias: one mailbox. The local part is exact."""
    addresses = (
        "ann@example.com", "ann@EXAMPLE.com", "Ann@example.com", "o@bücher.example", "o@xn--bcher-kva.example",
        "postmaster", "postmaster@relay.example", "ops@example.com", "ann@example.com",
    )  # fmt: skip
    lines = "".join(f"RCPT TO:<{address}>\r\n" for address in addresses).encode()
    aliases = resolve_aliases({"postmaster": Alias((parse_target("ops@example.com"),), "here")}, {"relay.example"})

    async def story(house):
        async with house.visit() as client:
            said = await client.codes(b"MAIL FROM:<> SMTPUTF8\r\n" + lines + CHUNK, 2 + len(addresses))
        assert ["250"] * (2 + len(addresses)) == said
        ((arrival, _),) = house.keeper.kept
        kept = [str(recipient.mailbox) for recipient in arrival.envelope.recipients]
        assert ["ann@example.com", "Ann@example.com", "o@xn--bcher-kva.example", "ops@example.com"] == kept

    tell(story, replace(SETTINGS, aliases=aliases))


@pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 200000\r\n"])
def test_body_that_drips_ends_with_the_session(begin):
    """Octets at the least rate, for ever: a while after the session's end it is 421, and nothing is kept."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE, 2)
            client.stream.write(begin)
            if begin == b"DATA\r\n":
                await client.hear()
            session = next(iter(house.receiver._sessions))
            session.connection.patience.ends_at = later(-179)
            client.stream.write(b"x" * 100_000)
            await client._is_heard()
            assert ["421 4.4.2 the session is too long", ""] == await late(house, client)
        assert ([], 0, 1) == (
            house.keeper.kept,
            house.receiver._shared.ledger.held,
            len(house.told("receive.message.failed")),
        )

    tell(story)


async def late(house, client):
    """Two seconds later: what the client is told then."""
    house.receiver.expire(later(0))
    await asyncio.sleep(0)
    assert 1 == house.receiver.connections
    house.receiver.expire(later(2))
    return await client.hear(2)


def test_empty_chunks_end_with_the_session():
    """`BDAT 0` again and again is no message: 421."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"BDAT 0\r\n", 3)
            session = next(iter(house.receiver._sessions))
            for _ in range(5):
                assert ["250"] == await client.codes(b"BDAT 0\r\n")
            session.connection.patience.ends_at = later(-179)
            assert ["250"] == await client.codes(b"BDAT 0\r\n")
            assert ["421 4.4.2 the session is too long", ""] == await late(house, client)

    tell(story, replace(SETTINGS, timeouts=replace(SETTINGS.timeouts, least_rate=0.001)))


def test_session_that_has_had_its_time_begins_no_other_message():
    """The message under way is kept and answered; then 421 at once."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            next(iter(house.receiver._sessions)).connection.patience.ends_at = later(-1)
            assert ["250", "421", ""] == await client.codes(MESSAGE + b".\r\n", 3)
        assert 1 == len(house.keeper.kept)

    tell(story)


def test_talk_of_the_tests_is_that_of_a_client():
    """The flights that other stories send are cut where RFC 2920 has it."""
    assert [HELLO, ENVELOPE + b"DATA\r\n", MESSAGE + b".\r\nQUIT\r\n"] == flights(DIALOGUE)
