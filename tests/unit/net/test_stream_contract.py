"""The contract of a stream, word for word for every implementation and both event loops."""

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import uvloop
from tests.support.patience import PATIENCE_S

from postroad.lab.certificate import NAME, server_context, trusting_context
from postroad.net import NetError, NetErrorKind, connect, listen, pair
from postroad.net.stream import BUFFERED

LOOPBACK = ip_address("127.0.0.1")


@asynccontextmanager
async def joined_by_tcp():
    """A connection over loopback."""
    accepted, done = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def handle(stream):
        accepted.set_result(stream)
        await done.wait()

    listener = await listen(LOOPBACK, 0, handle)
    client = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
    try:
        yield client, await accepted
    finally:
        client.abort()
        done.set()
        await listener.stop()


@asynccontextmanager
async def joined_in_memory():
    """A connection without a network."""
    yield pair()


WIRES = {"tcp": joined_by_tcp, "memory": joined_in_memory}
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=[("tcp", "asyncio"), ("tcp", "uvloop"), ("memory", "asyncio")], ids="-".join)
def over(request):
    """Run a story over two joined streams."""
    wire, loop = request.param

    def run(story, wire=wire):
        async def whole():
            async with asyncio.timeout(PATIENCE_S), WIRES[wire]() as (client, server):
                await story(client, server)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(whole())

    run.wire = wire
    return run


async def until(is_so):
    """Let the others run until it is so."""
    while not is_so():  # noqa: ASYNC110  # no event tells of it
        await asyncio.sleep(0)


async def rest(turns=100):
    """Let the others run for a while."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def read_exactly(stream, count):
    """As many octets, in as many reads as it takes."""
    data = bytearray()
    while len(data) < count:
        piece = await stream.read()
        assert piece, "ended early"
        data += piece
    return data


def test_bytes_arrive_in_order_both_ways(over):
    """What one end writes the other reads, in order, in both directions at once."""

    async def story(client, server):
        client.write(b"EHLO a\r\n")
        client.write(b"MAIL FROM:<>\r\n")
        server.write(b"220 b\r\n")
        assert b"EHLO a\r\nMAIL FROM:<>\r\n" == await read_exactly(server, 22)
        assert b"220 b\r\n" == await read_exactly(client, 7)

    over(story)


def test_ends_are_named(over):
    """Each end knows its own address and the other's."""

    async def story(client, server):
        assert (client.local, client.peer) == (server.peer, server.local)
        assert LOOPBACK == client.peer.address
        assert client.tls is None

    over(story)


def test_close_sends_what_was_written_and_then_ends(over):
    """After close the peer reads all that was written, then b"" for ever."""

    async def story(client, server):
        client.write(b"x" * 1000)
        client.close()
        assert b"x" * 1000 == await read_exactly(server, 1000)
        assert [b"", b""] == [await server.read(), await server.read()]

    over(story)


def test_abort_is_a_reset_or_an_end_to_the_peer(over):
    """A peer that aborts is gone: reading ends, with or without the word reset, and never hangs."""

    async def story(client, server):
        server.write(b"unread by the client, so the kernel answers with a reset")
        await server.drain()
        client.abort()
        assert await ending(server) in (b"", NetErrorKind.RESET)

    over(story)


def test_drain_fails_once_the_peer_is_gone(over):
    """Writing to a peer that has gone does not raise; a drain soon does."""

    async def story(client, server):
        client.abort()
        with pytest.raises(NetError) as gone:
            await overflow(server)
        assert NetErrorKind.RESET == gone.value.kind

    over(story)


def test_own_close_ends_own_reading(over):
    """A task that waits for octets is woken when its own side closes."""

    async def story(client, server):
        reading = asyncio.create_task(client.read())
        await asyncio.sleep(0)
        client.close()
        assert b"" == await reading

    over(story)


def test_drain_waits_for_a_slow_reader(over):
    """A writer cannot fill memory: drain waits until the reader has read, and loses nothing on the way."""
    size = 64 * BUFFERED

    async def story(client, server):
        async def write():
            for _ in range(64):
                client.write(b"x" * BUFFERED)
                await client.drain()

        writing = asyncio.create_task(write())
        for _ in range(200):
            await asyncio.sleep(0)
        assert not writing.done()
        assert server._inbox.size < 4 * BUFFERED
        await read_exactly(server, size)
        await writing

    over(story)


def test_cancelled_read_loses_nothing(over):
    """A read that was cancelled leaves the octets for the next."""

    async def story(client, server):
        reading = asyncio.create_task(server.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        client.write(b"late")
        assert b"late" == await read_exactly(server, 4)

    over(story)


def test_ear_hears_what_a_reader_would_read(over):
    """What was there before it listened, what comes then, and the end once; and it costs no task."""

    async def story(client, server):
        heard = []
        client.write(b"before, ")
        await until(lambda: server.waiting)
        server.listen(heard.append)
        client.write(b"after")
        client.close()
        await until(lambda: b"" in heard)
        await rest()
        assert (b"before, after", 1, None) == (b"".join(heard), heard.count(b""), server.trouble)

    over(story)


def test_ear_that_goes_away_leaves_the_rest_to_a_reader(over):
    """Who has heard enough loses nothing, and may listen again."""

    async def story(client, server):
        heard = []

        def hear(data):
            heard.append(data)
            server.listen(None)

        server.listen(hear)
        for word in (b"one", b"two"):
            client.write(word)
            await until(lambda: heard)
        assert b"two" == await read_exactly(server, 3)
        server.listen(hear)
        client.write(b"three")
        await until(lambda: len(heard) == 2)
        client.close()
        assert ([b"one", b"three"], b"") == (heard, await server.read())

    over(story)


def test_peer_that_takes_nothing_is_not_heard(over):
    """Whoever does not read the answers is asked no further: memory does not fill with them."""

    async def story(client, server):
        heard = []

        def answer(data):
            heard.append(data)
            server.write(b"x" * 64 * BUFFERED)

        server.listen(answer)
        client.write(b"one")
        await until(lambda: heard)
        client.write(b"two")
        await rest()
        assert [b"one"] == heard
        await read_exactly(client, 64 * BUFFERED)
        await until(lambda: len(heard) == 2)

    over(story)


def test_ear_is_told_of_an_end_however_it_comes(over):
    """A peer that is gone with what it did not take, or our own abort: b"" and nothing more."""

    async def story(client, server):
        ends = ([], [])
        for stream, heard in zip((client, server), ends, strict=True):
            stream.listen(heard.append)
        server.listen(None)
        server.write(b"x" * 64 * BUFFERED)
        server.listen(ends[1].append)
        client.abort()
        await until(lambda: all(ends) and not any(heard[-1] for heard in ends))
        assert [1, 1] == [heard.count(b"") for heard in ends]

    over(story)


def test_two_readers_are_a_bug(over):
    """Two tasks reading one stream would tear its octets apart, so the second is told."""

    async def story(client, server):
        first = asyncio.create_task(server.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await server.read()
        first.cancel()

    over(story)


def test_close_and_abort_may_come_again(over):
    """Closing what is closed does nothing."""

    async def story(client, server):
        for stream in (client, server):
            stream.close()
            stream.abort()
            stream.close()
            stream.write(b"into the void")

    over(story)


def test_clear_octets_before_the_handshake_are_refused(over):
    """Octets sent in the clear and found before the handshake are never taken for TLS's: the connection ends."""

    async def story(client, server):
        client.write(b"MAIL FROM:<mallory@example.org>\r\n")
        await client.drain()
        while not server._inbox.size:  # noqa: ASYNC110  # a stream tells nobody but its reader, and nothing may be read
            await asyncio.sleep(0)
        with pytest.raises(NetError, match="unencrypted data") as refused:
            await server.start_tls(server_context(), None)
        assert NetErrorKind.TLS == refused.value.kind

    over(story)


async def ending(stream):
    """The end of a stream as its reader sees it: b"", or the kind of the error."""
    try:
        return await stream.read()
    except NetError as gone:
        return gone.kind


async def overflow(stream):
    """Write until the stream objects."""
    while True:
        stream.write(b"x" * 1000)
        await stream.drain()
        await asyncio.sleep(0)


def upgrade(client, server, context, name):
    """Both handshakes at once."""
    return asyncio.gather(
        client.start_tls(context, name), server.start_tls(server_context(), None), return_exceptions=True
    )


def test_tls_carries_on_the_same_stream(over):
    """After the upgrade both ends name protocol and cipher and go on as before, in order, with flow control."""

    async def story(client, server):
        assert [None, None] == await upgrade(client, server, trusting_context(), NAME)
        assert client.tls == server.tls
        assert client.tls.startswith("TLSv1.3 TLS_")
        client.write(b"x" * BUFFERED)
        client.write(b"EHLO again\r\n")
        assert b"EHLO again\r\n" == (await read_exactly(server, BUFFERED + 12))[BUFFERED:]
        server.close()
        assert b"" == await client.read()

    if over.wire == "tcp":
        over(story)


def test_tls_failure_says_why(over):
    """A certificate for another name ends the connection with OpenSSL's sentence and the kind tls."""

    async def story(client, server):
        failure, _ = await upgrade(client, server, trusting_context(), "mail.example.org")
        assert NetErrorKind.TLS == failure.kind
        assert "Hostname mismatch" in failure.why
        with pytest.raises(NetError):
            await client.read()

    if over.wire == "tcp":
        over(story)


def test_tls_against_garbage_fails(over):
    """A server that answers the handshake with something else is a TLS failure, not a crash."""

    async def story(client, server):
        upgrading = asyncio.create_task(client.start_tls(trusting_context(), NAME))
        await server.read()
        server.write(b"500 what?\r\n")
        with pytest.raises(NetError) as failure:
            await upgrading
        assert NetErrorKind.TLS == failure.value.kind

    if over.wire == "tcp":
        over(story)
