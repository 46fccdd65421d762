"""A TLS handshake that never ends is ended by whoever gives it up, on every loop."""

import asyncio
import ssl
from ipaddress import ip_address

import pytest
import uvloop
from tests.support.patience import PATIENCE_S

from postroad.net import NetError, NetErrorKind, connect


async def _given_up():
    """The trouble of a handshake at a host that says nothing, its stream aborted while it waits."""
    writers = []
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    async with silent:
        stream = await connect(ip_address("127.0.0.1"), silent.sockets[0].getsockname()[1], timeout_s=PATIENCE_S)
        context = ssl._create_unverified_context()
        asyncio.get_running_loop().call_later(0.01, stream.abort)
        with pytest.raises(NetError) as trouble:
            async with asyncio.timeout(PATIENCE_S):
                await stream.start_tls(context, None)
        for writer in writers:
            writer.close()
        return trouble.value.kind


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_handshake_that_is_given_up_ends(loop):
    """The loop may tell nobody that the connection was aborted; the handshake fails all the same, as one of TLS."""
    with asyncio.Runner(loop_factory=loop) as runner:
        assert NetErrorKind.TLS == runner.run(_given_up())
