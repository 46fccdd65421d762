"""The ports: limits on connections, deadlines, TLS and AUTH over loopback, and how it ends."""

import asyncio
import math
import smtplib
import socket
import ssl
from collections import Counter
from dataclasses import replace

import pytest
import uvloop
from tests.support.patience import PATIENCE_S
from tests.support.ports import LOOPBACK, SECURE, call, greeted, plain, secured
from tests.support.talking import ENVELOPE, HELLO, MESSAGE, SETTINGS, House, Talk, tell, until

from postroad.lab.certificate import NAME, trusting_context
from postroad.net import NetError, bind, connect
from postroad.receive import ListenSettings, Tls
from postroad.receive.policy import newcomer
from postroad.receive.shared import Shared
from postroad.words.mail import TlsWish


def limited(**limits):
    """The usual settings with other limits."""
    return replace(SETTINGS, limits=replace(SETTINGS.limits, **limits))


def later(seconds):
    """So much later by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


def test_password_under_starttls_opens_the_relay():
    """550 before, 250 after; the message says ESMTPSA, and its origin the user. AUTH is taken once."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            assert "AUTH PLAIN LOGIN" in await secured(client)
            assert ["250", "550", "250"] == await client.codes(ENVELOPE + b"RSET\r\n", 3)
            assert ["235"] == await client.codes(plain("ann", "secret"))
            assert ["503"] == await client.codes(plain("ann", "secret"))
            assert ["250", "250", "354"] == await client.codes(ENVELOPE + b"DATA\r\n", 3)
            assert ["250"] == await client.codes(MESSAGE + b".\r\n")
        ((arrival, content),) = house.keeper.kept
        assert b" with ESMTPSA (TLSv1.3 " in content
        assert "127.0.0.1 (client.example) by ESMTPSA as ann" == arrival.origin

    tell(story, SECURE)


@pytest.mark.parametrize("field", [b"", b"TLS-Required: No\r\n"])
def test_requiretls_under_tls_is_kept_and_says_more_than_the_header(field):
    """It is offered behind STARTTLS only; the field is ignored, and stays (RFC 8689 section 4.1)."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            assert "REQUIRETLS" in await secured(client)
            assert ["235"] == await client.codes(plain("ann", "secret"))
            required = ENVELOPE.replace(b"net>", b"net> REQUIRETLS")
            assert ["250", "250", "354"] == await client.codes(required + b"DATA\r\n", 3)
            assert ["250"] == await client.codes(field + MESSAGE + b".\r\n")
        ((arrival, content),) = house.keeper.kept
        assert (TlsWish.REQUIRED, True) == (arrival.envelope.tls, field in content)

    tell(story, SECURE)


def test_tls_from_the_first_octet():
    """A port with implicit TLS greets under it, and has no STARTTLS."""

    async def story(house):
        async with call(house, Tls.IMPLICIT) as client:
            await client.stream.start_tls(trusting_context(), NAME)
            offers = await greeted(client)
            assert (False, True) == ("STARTTLS" in offers, "AUTH" in offers)
            assert ["235"] == await client.codes(plain("ann", "secret", "ann"))

    tell(story, SECURE)


def test_starttls_forgets_the_user():
    """What was proved in the clear is worth nothing under TLS (RFC 3207 section 4.2): AUTH is due again."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            await greeted(client)
            assert ["235"] == await client.codes(plain("ann", "secret"))
            assert ["250", "250", "250"] == await client.codes(ENVELOPE + b"RSET\r\n", 3)
            assert ["220"] == await client.codes(b"STARTTLS\r\n")
            await client.stream.start_tls(trusting_context(), NAME)
            assert "AUTH PLAIN LOGIN" in (await client.ask(HELLO))[0]
            assert ["250", "550"] == await client.codes(ENVELOPE, 2)
            assert ["250", "235"] == [*await client.codes(b"RSET\r\n"), *await client.codes(plain("ann", "secret"))]

    tell(story, replace(SECURE, auth_in_clear_on_loopback=True))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_many_handshakes_at_once_all_succeed(runner):
    """A dozen clients in threads, on a port that begins with TLS: none loses its first octets."""

    async def story():
        house = House(SECURE)
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0, Tls.IMPLICIT))
        said = await asyncio.gather(*(asyncio.to_thread(noop_under_tls, where.port) for _ in range(12)))
        await house.receiver.stop()
        assert ([(250, 12)], []) == (list(Counter(said).items()), house.told("receive.tls.failed"))

    runner(story())


def noop_under_tls(port):
    """The code that NOOP gets."""
    with smtplib.SMTP_SSL("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=PATIENCE_S) as client:
        return client.noop()[0]


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_handshake_that_fails_is_told(runner):
    """Octets that are no handshake, or a client that goes: one event with the peer and why, one for the session."""

    async def story():
        house = House(SECURE)
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0, Tls.IMPLICIT))
        talk = Talk(await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S))
        talk.stream.write(HELLO)
        while await talk._read():
            pass
        gone = await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S)
        peers = [str(stream.local) for stream in (talk.stream, gone)]
        gone.close()
        await until(lambda: len(house.told("receive.session.complete")) == 2)
        talk.stream.close()
        await house.receiver.stop()
        told = house.told("receive.tls.failed")
        assert peers == [event["peer"] for event in told]
        assert all(event["why"].startswith("TLS handshake failed: ") for event in told)
        assert 0 == house.receiver.connections

    runner(story())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_handshakes_that_hang_are_counted_and_end(runner):
    """Clients that connect and say nothing count as connections, and are dropped when their time is over."""

    async def story():
        limits, times = replace(SECURE.limits, connections_each=2), replace(SECURE.timeouts, tls_s=0.2)
        house = House(replace(SECURE, limits=limits, timeouts=times))
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0, Tls.IMPLICIT))
        silent = [await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S) for _ in range(2)]
        await until(lambda: house.receiver.connections == 2)
        surplus = Talk(await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S))
        assert [""] == await surplus.hear()
        assert 1 == len(house.told("receive.session.failed"))
        assert ["", ""] == [(await Talk(stream).hear())[0] for stream in silent]
        assert ["TLS handshake timed out"] * 2 == [event["why"] for event in house.told("receive.tls.failed")]
        for stream in (*silent, surplus.stream):
            stream.close()
        await house.receiver.stop()

    runner(story())


def test_wrong_passwords_end_the_session():
    """535 for a wrong password, an unknown user, a name acted for; 421 at the third."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            await secured(client)
            tries = [plain("ann", "wrong"), plain("bob", "secret"), plain("ann", "secret", "bob")]
            assert ["535", "535", "421"] == [(await client.codes(line))[0] for line in tries]
        assert ["ann", "bob", "ann"] == [fields["user"] for fields in house.told("receive.auth.failed")]

    tell(story, SECURE)


def test_address_that_guesses_waits():
    """Beyond so many wrong passwords a minute not even the right one is looked at."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            await secured(client)
            assert ["535"] == await client.codes(plain("ann", "wrong"))
            assert ["454"] == await client.codes(plain("ann", "secret"))

    tell(story, replace(SECURE, limits=replace(SECURE.limits, auth_failures_rate=1)))


def test_handshake_that_never_comes_is_given_up():
    """A client that says STARTTLS and then nothing is dropped."""

    async def story(house):
        async with call(house, Tls.STARTTLS) as client:
            await greeted(client)
            await client.ask(b"STARTTLS\r\n")
            assert [""] == await client.hear()
        assert ["TLS handshake timed out"] == [fields["why"] for fields in house.told("receive.session.complete")]
        assert ["TLS handshake timed out"] == [fields["why"] for fields in house.told("receive.tls.failed")]

    tell(story, replace(SECURE, timeouts=replace(SECURE.timeouts, tls_s=0.01)))


def test_connections_have_a_limit_in_all():
    """One too many is told 421 4.3.2 and closed; when another has left it may come."""

    async def story(house):
        async with house.visit("192.0.2.1"), house.visit("192.0.2.2", hello=False) as surplus:
            assert ["421 4.3.2", ""] == [reply[:9] for reply in await surplus.hear(2)]
        async with house.visit("192.0.2.2"):
            assert 1 == house.receiver.connections

    tell(story, limited(connections=1))


def test_connections_have_a_limit_for_each_client():
    """One address too often is told 421 4.7.0; another one is welcome."""

    async def story(house):
        async with house.visit("2001:db8::1"), house.visit("2001:db8::2", hello=False) as surplus:
            assert ["421 4.7.0", ""] == [reply[:9] for reply in await surplus.hear(2)]
            async with house.visit("192.0.2.2"):
                assert 2 == house.receiver.connections

    tell(story, limited(connections_each=1))


def test_silent_client_is_sent_away():
    """After 300 seconds: 421 and the end; not after 299."""

    async def story(house):
        async with house.visit() as client:
            await asyncio.sleep(0)
            house.receiver.expire(later(299))
            assert ["250"] == await client.codes(b"NOOP\r\n")
            house.receiver.expire(later(301))
            assert ["421 4.4.2 timeout", ""] == await client.hear(2)

    tell(story)


def test_octets_one_by_one_buy_no_time():
    """A command that never ends is late as if nothing had come."""

    async def story(house):
        async with house.visit() as client:
            session = next(iter(house.receiver._sessions))
            before = session.deadline
            for _ in range(5):
                client.stream.write(b"N")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert before == pytest.approx(session.deadline)

    tell(story)


def test_message_that_drips_runs_out_of_time():
    """Within a message octets buy time at the least rate: 100 octets a second, 180 seconds at most."""

    async def story(house):
        async with house.visit() as client:
            session = next(iter(house.receiver._sessions))
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            client.stream.write(b"x" * 50)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert 180 == pytest.approx(session.deadline - later(0), abs=1)
            session.connection.patience.late_at = later(10)
            client.stream.write(b"x" * 200)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert 12 == pytest.approx(session.deadline - later(0), abs=1)
            house.receiver.expire(later(13))
            assert ["421"] == [reply[:3] for reply in await client.hear()]

    tell(story)


def test_endless_session_ends():
    """After an hour of small talk the client is sent away, however lively."""

    async def story(house):
        async with house.visit() as client:
            assert ["250"] == await client.codes(b"NOOP\r\n")
            next(iter(house.receiver._sessions)).connection.patience.ends_at = later(1)
            await client.codes(b"NOOP\r\n")
            house.receiver.expire(later(2))
            assert ["421"] == await client.codes(b"", 1)

    tell(story)


def test_client_that_takes_no_reply_is_dropped():
    """First it is told to go; if that does not reach it, the connection is cut."""

    async def story(house):
        sock = bind(LOOPBACK, 0)  # both sides have room for few replies
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0), sock)
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(0)
            await loop.sock_connect(client, (str(where.address), where.port))
            for octets in (HELLO, b"RSET\r\n" * 4000):
                assert (await loop.sock_recv(client, 1000)).startswith(b"2")
                await loop.sock_sendall(client, octets)
            (session,) = house.receiver._sessions
            await until(session.connection.stream._transport.get_write_buffer_size)
            counts = []
            for _ in range(2):
                house.receiver.expire(later(1000))
                for _ in range(10):
                    await asyncio.sleep(0)
                counts.append(house.receiver.connections)
        await house.receiver.stop()
        assert [1, 0] == counts

    tell(story, limited(idle_commands=10**9))


def test_drain_ends_the_idle_and_lets_messages_finish():
    """421 at once for who only waits; a message under way is kept and answered first."""

    async def story(house):
        house.keeper.gate.clear()
        async with house.visit() as idle, house.visit() as busy:
            assert ["250", "250", "354"] == await busy.codes(ENVELOPE + b"DATA\r\n", 3)
            busy.stream.write(MESSAGE + b".\r\n")
            await house.keeper.asked.wait()
            draining = asyncio.create_task(house.receiver.drain(10))
            assert ["421 4.3.2 shutting down, try again later", ""] == await idle.hear(2)
            house.keeper.gate.set()
            assert ["250", "421"] == [reply[:3] for reply in await busy.hear(2)]
            await draining
        assert 1 == len(house.keeper.kept)

    tell(story)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("tls", [Tls.IMPLICIT, Tls.STARTTLS])
def test_drain_waits_for_no_handshake(tls, runner):
    """Who has yet to say its first word under TLS is dropped: it would be told to come again, if it said one at all."""

    async def story():
        house = House(SECURE)
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0, tls))
        talk = Talk(await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S))
        if tls is Tls.STARTTLS:
            await greeted(talk)
            assert ["220"] == await talk.codes(b"STARTTLS\r\n")
        await until(lambda: house.receiver.connections)
        await house.receiver.drain(math.inf)
        assert [""] == await talk.hear()
        talk.stream.close()
        assert ["4.3.2 shutting down, try again later"] == [
            event["why"] for event in house.told("receive.session.complete")
        ]

    runner(asyncio.wait_for(story(), PATIENCE_S))


def test_drain_has_its_limit():
    """A message that never ends does not hold the end up."""

    async def story(house):
        async with call(house, Tls.NONE) as client:
            await greeted(client)
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            await house.receiver.drain(0.01)
            assert 0 == house.receiver.connections
            assert [""] == await client.hear()

    tell(story)


def test_newcomers_are_turned_away_while_draining():
    """421 4.3.2 to who comes in the last moment."""

    async def story(house):
        await house.receiver.drain(0)
        async with house.visit(hello=False) as client:
            assert ["421", ""] == [reply[:3] for reply in await client.hear(2)]

    tell(story)


def test_port_is_held_by_one_receiver():
    """A second one is refused."""

    async def story(house):
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0))
        with pytest.raises(NetError):
            await House().receiver.open(ListenSettings(LOOPBACK, where.port))
        await house.receiver.stop()

    tell(story)


def test_socket_may_be_given():
    """One bound already, as systemd hands it over."""

    async def story(house):
        sock = bind(LOOPBACK, 0)
        port = sock.getsockname()[1]
        assert (LOOPBACK, port) == await house.receiver.open(ListenSettings(LOOPBACK), sock)
        stream = await connect(LOOPBACK, port, timeout_s=PATIENCE_S)
        assert ["220 relay.example ESMTP"] == await Talk(stream).hear()
        stream.close()
        await house.receiver.stop()

    tell(story)


@pytest.mark.parametrize("tls", Tls)
@pytest.mark.parametrize("settings", [SECURE, SETTINGS])
def test_starttls_is_offered_where_it_can_be_done(tls, settings):
    """On a port that is for it, and with a certificate."""
    expected = tls is Tls.STARTTLS and settings is SECURE
    assert expected == Shared(settings, None, None).offer(tls, newcomer(LOOPBACK)).starttls
