"""A server that agrees to TLS reads nothing more in the clear, however fast its client is."""

import asyncio
import select
import socket
import ssl
import threading
from ipaddress import ip_address

import pytest
import uvloop
from tests.support.patience import PATIENCE_S

from postroad.lab.certificate import server_context
from postroad.net import listen

GO = b"220 go\r\n"


def _client(port, seen):
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
        assert GO == sock.recv(100)
        with context.wrap_socket(sock) as secure:
            seen.append(secure.recv(100))


async def _served():
    seen = []

    async def serve(stream):
        stream.write(GO)
        select.select(
            [stream._transport.get_extra_info("socket").fileno()], [], [], PATIENCE_S
        )  # its first octets are here
        await stream.start_tls(server_context(), None)
        stream.write(b"hidden")
        await stream.drain()

    async with asyncio.timeout(PATIENCE_S):
        listener = await listen(ip_address("127.0.0.1"), 0, serve)
        thread = threading.Thread(target=_client, args=(listener.port, seen))
        thread.start()
        await asyncio.to_thread(thread.join)
        await listener.stop()
    return seen


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_first_octets_of_the_handshake_are_never_clear_ones(loop):
    """They may be there before the server has done anything but say 220; the handshake has them all the same."""
    with asyncio.Runner(loop_factory=loop) as runner:
        assert [b"hidden"] == runner.run(_served())
