"""How a session is driven: by what comes, without a task, and what takes time keeps the rest waiting in order."""

import asyncio
import select
import socket
import ssl

import pytest
import uvloop
from tests.support.patience import PATIENCE_S
from tests.support.ports import LOOPBACK, SECURE, call, greeted, plain, secured
from tests.support.talking import ENVELOPE, HELLO, MESSAGE, House, Talk, tell, until

from postroad.net import connect
from postroad.net.stream import BUFFERED
from postroad.receive import ListenSettings, Tls
from postroad.receive import session as session_module

CHUNK = b"BDAT %d LAST\r\n%b" % (len(MESSAGE), MESSAGE)
ALL_OF_IT = [HELLO, ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n"]


async def within(story, seconds=PATIENCE_S):
    """A story that must not hang."""
    async with asyncio.timeout(seconds):
        return await story


def test_connection_that_waits_has_no_task():
    """A thousand idle clients are a thousand sessions, and nothing else in the loop."""

    async def story(house):
        before = asyncio.all_tasks()
        async with house.visit() as client:
            for said in ALL_OF_IT:
                await client.ask(said)
            assert before == asyncio.all_tasks()

    tell(story)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_replies_of_a_flight_leave_in_one_write(runner):
    """Three commands and a chunk that is kept: four replies, one packet."""

    async def story():
        house = House()
        async with call(house, Tls.NONE) as client:
            await greeted(client)
            written = []
            (session,) = house.receiver._sessions
            write = session.connection.stream._transport.write
            session.connection.stream.write = lambda data: (written.append(data), write(data))
            assert ["250"] * 4 == await client.codes(ENVELOPE + CHUNK + b"RSET\r\n", 4)
            assert 1 == len(written)

    runner(within(story()))


def test_what_comes_during_the_commit_waits_its_turn():
    """A client may talk on while its message is kept: it is heard behind the 250, in order, octet by octet or not."""

    async def story(house):
        async with house.visit() as client:
            house.keeper.gate.clear()
            client.stream.write(ENVELOPE + CHUNK)
            await house.keeper.asked.wait()
            for octet in ENVELOPE + CHUNK + b"VRFY ann\r\n":
                client.stream.write(bytes([octet]))
                await asyncio.sleep(0)
            assert 0 == client.stream.waiting
            house.keeper.gate.set()
            replies = await client.hear(7)
        assert ["250 2.0.0 Ok: queued as id0", "250 2.0.0 Ok: queued as id1", "252"] == [
            replies[2],
            replies[5],
            replies[6][:3],
        ]

    tell(story)


def test_client_that_talks_on_during_the_commit_is_stopped():
    """Its octets stay with it: a slow disk does not fill memory."""

    async def story(house):
        async with call(house, Tls.NONE) as client:
            await greeted(client)
            house.keeper.gate.clear()
            client.stream.write(ENVELOPE + CHUNK)
            await house.keeper.asked.wait()
            client.stream.write(b"NOOP\r\n" * 4_000_000)
            for _ in range(300):
                await asyncio.sleep(0)
            (session,) = house.receiver._sessions
            assert session.connection.stream.waiting < 4 * BUFFERED
            house.keeper.gate.set()
            assert ["250"] * 3 == [reply[:3] for reply in await client.hear(3)]

    tell(story)


def test_stop_does_not_wait_for_a_message_that_is_being_kept():
    """The client hears nothing, and will come again; nothing is held any more."""

    async def story(house):
        async with call(house, Tls.NONE) as client:
            await greeted(client)
            house.keeper.gate.clear()
            await client.ask(ENVELOPE, 2)
            client.stream.write(CHUNK)
            await house.keeper.asked.wait()
            await house.receiver.stop()
            assert [""] == await client.hear()
            assert (0, 0) == (house.receiver.connections, house.receiver._shared.ledger.held)

    tell(story)


def test_message_kept_behind_the_end_of_its_session_is_told():
    """It will be delivered, though nobody hears of it: the log says where it came from."""

    async def story(house):
        async with call(house, Tls.NONE) as client:
            await greeted(client)
            house.keeper.gate.clear()
            client.stream.write(ENVELOPE + CHUNK)
            await house.keeper.asked.wait()
            await house.receiver.stop()
            house.keeper.gate.set()
            await until(lambda: house.told("receive.message.complete"))
            assert ([1], 0) == ([len(house.keeper.kept)], house.receiver._shared.ledger.held)

    tell(story)


@pytest.mark.parametrize("where", ["begin", "keep", "later"])
@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_bug_ends_its_own_connection_only(runner, where):
    """It is reported, the client is dropped, nothing is held, and others are served."""

    async def story():
        house, reported = House(), []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["exception"]))

        def broken(*_given):
            raise KeyError("bug")

        async with call(house, Tls.NONE) as client:
            await greeted(client)
            if where == "later":
                house.keeper.trouble = KeyError("bug")
            else:
                setattr(house.keeper, where, broken)
            client.stream.write(ENVELOPE + CHUNK)
            assert "" == (await client.hear(3))[-1]
            assert (["'bug'"], 0, 0) == (
                [str(problem) for problem in reported],
                house.receiver.connections,
                house.receiver._shared.ledger.held,
            )

    runner(within(story()))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_secured_session_is_driven_the_same_way(runner):
    """STARTTLS, AUTH and a message: handshake and password are waited for, then octets are heard again."""

    async def story():
        house = House(SECURE)
        before = asyncio.all_tasks()
        async with call(house, Tls.STARTTLS) as client:
            await secured(client)
            assert ["235"] == await client.codes(plain("ann", "secret"))
            for said, codes in ((ENVELOPE + b"DATA\r\n", ["250", "250", "354"]), (MESSAGE + b".\r\n", ["250"])):
                assert codes == await client.codes(said, len(codes))
            assert before == asyncio.all_tasks()
        assert 1 == len(house.keeper.kept)

    runner(within(story()))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_client_that_resets_is_forgotten(runner):
    """In a message, and while its message is kept: the session ends, and says why."""

    async def story():
        house = House()
        house.keeper.gate.clear()
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0))
        for said in (b"BDAT 100\r\nhalf a message", CHUNK):
            talk = Talk(await connect(LOOPBACK, where.port, timeout_s=PATIENCE_S))
            await greeted(talk)
            await talk.ask(ENVELOPE, 2)
            talk.stream.write(said)
            await until(lambda: house.receiver._shared.ledger.held)
            talk.stream.abort()
            house.keeper.gate.set()
            await until(lambda: house.receiver.connections == 0)
        await house.receiver.stop()
        assert (1, 1, 0) == (
            len(house.keeper.kept),
            len(house.told("receive.message.failed")),
            house.receiver._shared.ledger.held,
        )

    runner(within(story()))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_handshake_may_begin_before_the_server_has_turned_round(runner, monkeypatch):
    """The client's first octets may be there as soon as 220 is said: they are the handshake's, never clear ones."""
    monkeypatch.setattr(session_module, "BREATH", 1)  # STARTTLS is answered in a turn of its own

    async def story():
        house = House(SECURE)
        where = await house.receiver.open(ListenSettings(LOOPBACK, 0, Tls.STARTTLS))
        said = asyncio.create_task(asyncio.to_thread(code_under_starttls, where.port))
        await until(lambda: house.receiver.connections)
        (session,) = house.receiver._sessions
        stream = session.connection.stream
        handle, write = stream._transport.get_extra_info("socket").fileno(), stream._transport.write

        def write_and_wait(data):
            write(data)
            if b"Ready to start TLS" in data:
                select.select([handle], [], [], 5)
                del stream.write

        stream.write = write_and_wait
        assert b"250" == await said
        await house.receiver.stop()

    runner(within(story()))


def code_under_starttls(port):
    """The code that EHLO gets after the handshake; STARTTLS comes behind another command."""
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as clear:
        for said, last in ((b"", b"220 "), (HELLO, b"250 "), (b"RSET\r\nSTARTTLS\r\n", b"220 ")):
            clear.sendall(said)
            while last not in clear.recv(4096):
                pass
        with context.wrap_socket(clear) as secure:
            secure.sendall(HELLO)
            return secure.recv(4096)[:3]
