"""Ports that swallow connection attempts."""

import asyncio
from ipaddress import ip_address

import pytest
from tests.support.patience import PATIENCE_S

from postroad.lab.blackhole import Blackhole
from postroad.net import NetError, NetErrorKind, bind, connect, listen

LOOPBACK = ip_address("127.0.0.1")


def test_a_blackhole_swallows_every_connection_attempt():
    """Several attempts at once all hang: none is answered, none refused."""

    async def story():
        sock = bind(LOOPBACK, 0)
        port = sock.getsockname()[1]
        hole = Blackhole(sock)
        await hole.open()
        attempts = [connect(LOOPBACK, port, timeout_s=0.2) for _ in range(5)]
        problems = await asyncio.gather(*attempts, return_exceptions=True)
        await hole.stop()
        assert [NetErrorKind.TIMEOUT] * 5 == [problem.kind for problem in problems]

    asyncio.run(story())


def test_a_closed_blackhole_frees_its_port():
    """After closing, the port can be listened on and answers."""

    async def story():
        sock = bind(LOOPBACK, 0)
        port = sock.getsockname()[1]
        hole = Blackhole(sock)
        await hole.open()
        await hole.stop()

        async def greet(stream):
            stream.write(b"220 here\r\n")

        listener = await listen(LOOPBACK, port, greet)
        stream = await connect(LOOPBACK, port, timeout_s=PATIENCE_S)
        assert b"220 here\r\n" == await stream.read()
        stream.close()
        await listener.stop()

    asyncio.run(story())


def test_a_system_that_answers_all_the_same_is_told(monkeypatch):
    """Where no number of connections fills the queue, opening says that there is no blackhole, and frees the port."""
    monkeypatch.setattr("postroad.lab.blackhole.MAX_FILLERS", 1)

    async def story():
        sock = bind(LOOPBACK, 0)
        with pytest.raises(NetError, match="no blackhole without root"):
            await Blackhole(sock).open()
        assert sock.fileno() == -1

    asyncio.run(story())
