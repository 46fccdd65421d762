"""Opening connections: what the kernel says becomes a sentence and a kind."""

import asyncio
import contextlib
import errno
import gc
import os
import resource
import socket
import ssl
import struct
from ipaddress import ip_address
from itertools import product

import pytest
import uvloop
from tests.faults.deaf import deafen
from tests.support.examples import some
from tests.support.patience import PATIENCE_S

from postroad.lab.certificate import server_context, trusting_context
from postroad.net import Endpoint, NetError, NetErrorKind, bind, connect, listen
from postroad.net.tcp import _explained

LOOPBACK = ip_address("127.0.0.1")


async def ending(stream):
    """The end of a stream as its reader sees it: b"", or the kind of the error."""
    try:
        return await stream.read()
    except NetError as gone:
        return gone.kind


def test_refused_is_told_apart():
    """A port nobody listens on: refused, in words a person knows."""

    async def story():
        with bind(LOOPBACK, 0) as held, pytest.raises(NetError) as refused:
            await connect(LOOPBACK, held.getsockname()[1], timeout_s=PATIENCE_S)
        assert ("connection refused", NetErrorKind.REFUSED) == (refused.value.why, refused.value.kind)

    asyncio.run(story())


def test_source_address_is_used():
    """A connection comes from the source address asked for."""

    async def story():
        seen = asyncio.get_running_loop().create_future()

        async def handle(stream):
            seen.set_result(stream.peer.address)

        listener = await listen(LOOPBACK, 0, handle)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S, source=ip_address("127.0.0.9"))
        assert ip_address("127.0.0.9") == await seen == stream.local.address
        stream.close()
        await listener.stop()

    asyncio.run(story())


def test_foreign_source_address_is_our_own_fault():
    """A source address this machine does not have is no fault of the peer's."""

    async def story():
        with pytest.raises(NetError) as ours:
            await connect(LOOPBACK, 25, timeout_s=PATIENCE_S, source=ip_address("192.0.2.77"))
        assert NetErrorKind.LOCAL == ours.value.kind

    asyncio.run(story())


def test_taken_port_cannot_be_listened_on():
    """A second listener on a port is refused with the port in the sentence."""

    async def story():
        async def handle(stream):
            pass

        listener = await listen(LOOPBACK, 0, handle)
        with pytest.raises(NetError, match=str(listener.port)) as taken:
            await listen(LOOPBACK, listener.port, handle)
        assert NetErrorKind.LOCAL == taken.value.kind
        await listener.stop()

    asyncio.run(story())


def full_queue():
    """A listener whose accept queue is kept full: the next SYN is never answered (Linux)."""
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    filler = socket.create_connection(server.getsockname())
    return server, filler


def test_silence_times_out():
    """A host that never answers the SYN is given up after the time allowed."""

    async def story():
        server, filler = full_queue()
        with server, filler, pytest.raises(NetError) as silent:
            await connect(LOOPBACK, server.getsockname()[1], timeout_s=0.05)
        assert ("connection timed out", NetErrorKind.TIMEOUT) == (silent.value.why, silent.value.kind)

    asyncio.run(story())


def test_cancelled_connect_leaves_no_socket():
    """A connection attempt that is cancelled closes its socket: none is left for the collector to warn of."""

    async def story():
        server, filler = full_queue()
        with server, filler:
            attempt = asyncio.create_task(connect(LOOPBACK, server.getsockname()[1], timeout_s=PATIENCE_S))
            await asyncio.sleep(0)
            attempt.cancel()
            assert isinstance((await asyncio.gather(attempt, return_exceptions=True))[0], asyncio.CancelledError)

    gc.disable()  # so that all of it is young, and the rest need not be looked through
    try:
        asyncio.run(story())
        gc.collect(0)
    finally:
        gc.enable()


def test_stop_drops_open_connections():
    """A listener that stops ends its handlers and their connections, and frees the port at once."""

    async def story():
        started = asyncio.Event()

        async def handle(stream):
            started.set()
            await stream.read()

        listener = await listen(LOOPBACK, 0, handle)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
        await started.wait()
        await listener.stop()
        assert await ending(stream) in (b"", NetErrorKind.RESET)
        stream.close()
        again = await listen(LOOPBACK, listener.port, handle)
        await again.stop()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("turns", "begins_with_tls", "runner"), some(product(range(6), [False, True], [asyncio.run, uvloop.run]), 3)
)
def test_who_connects_while_a_port_is_stopped_is_not_left_waiting(turns, begins_with_tls, runner):
    """However far the loop has come with a connection: it is dropped, or was never taken.

    Every third; all in a whole run.
    """

    async def story():
        listener = await listen(LOOPBACK, 0, lambda stream: stream.read(), begins_with_tls=begins_with_tls)
        with socket.create_connection((str(LOOPBACK), listener.port), timeout=PATIENCE_S) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            await listener.stop()
            return await asyncio.to_thread(heard, client)

    assert runner(story()) == b""


def heard(client):
    """What a client hears; a reset is as good as an end."""
    with contextlib.suppress(ConnectionResetError):
        return client.recv(1)
    return b""


@contextlib.contextmanager
def no_more_files():
    """This process may open none, for a while."""
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("is_stopped", [False, True])
def test_port_that_finds_no_file_free_takes_connections_again(is_stopped, runner, monkeypatch):
    """Who came meanwhile has waited in the kernel's queue, and is served; not if it has been stopped."""
    monkeypatch.setattr("postroad.net.ports.ACCEPT_AGAIN_S", 3600.0 if is_stopped else 0.001)

    async def story():
        served = asyncio.Event()

        async def handle(_stream):
            served.set()

        listener = await listen(LOOPBACK, 0, handle, begins_with_tls=True)
        with socket.socket() as client:
            with no_more_files():
                client.connect((str(LOOPBACK), listener.port))
                while (paused := listener._paused) is None:  # noqa: ASYNC110  # nobody is told of it
                    await asyncio.sleep(0)
                if is_stopped:
                    await asyncio.sleep(0)  # it would be tried again in each turn
                    assert paused is listener._paused
            if not is_stopped:
                await served.wait()
        await listener.stop()
        assert (not is_stopped, True) == (served.is_set(), listener._paused.cancelled())

    runner(asyncio.wait_for(story(), PATIENCE_S))


def test_wake_up_for_nobody_is_no_pause():
    """Who woke the port has gone again: the next one is not kept waiting."""

    async def story():
        listener = await listen(LOOPBACK, 0, lambda stream: stream.read(), begins_with_tls=True)
        listener._accept()
        await listener.stop()
        assert listener._paused is None

    asyncio.run(story())


def test_failing_handler_is_reported_and_its_connection_dropped():
    """A bug in a handler reaches the loop's exception handler and does not leave the peer waiting."""

    async def story():
        problems = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context["exception"]))

        async def handle(stream):
            raise KeyError("bug")

        listener = await listen(LOOPBACK, 0, handle)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
        assert await ending(stream) in (b"", NetErrorKind.RESET)
        stream.close()
        await listener.stop()
        assert ["'bug'"] == [str(problem) for problem in problems]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        (errno.EHOSTUNREACH, NetErrorKind.UNREACHABLE, "no route to host"),
        (errno.ENETUNREACH, NetErrorKind.UNREACHABLE, "no route to host"),
        (errno.ETIMEDOUT, NetErrorKind.TIMEOUT, "connection timed out"),
        (errno.ECONNRESET, NetErrorKind.RESET, "connection reset by peer"),
        (errno.EPIPE, NetErrorKind.RESET, "connection reset by peer"),
        (errno.EMFILE, NetErrorKind.LOCAL, "too many open files"),
    ],
)
def test_kernel_errors_have_a_kind(code, kind, why):
    """Every error number the kernel gives for a connection has its kind and a sentence without numbers."""
    error = _explained(OSError(code, os.strerror(code)))
    assert (kind, why) == (error.kind, error.why)


def test_tls_errors_in_mid_stream_are_of_kind_tls():
    """A TLS record that cannot be read is a TLS error, not a reset."""
    assert NetErrorKind.TLS == _explained(ssl.SSLError(1, "bad record mac")).kind


@pytest.mark.parametrize(("address", "text"), [("192.0.2.1", "192.0.2.1:25"), ("2001:db8::1", "[2001:db8::1]:25")])
def test_endpoints_read_as_people_write_them(address, text):
    """An IPv6 endpoint has brackets."""
    assert text == str(Endpoint(ip_address(address), 25))


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_peer_that_resets_before_it_is_seen_is_nobodys_trouble(runner):
    """A port scan connects and resets at once: no handler fails for it, nothing is reported as a bug."""

    async def story():
        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
        listener = await listen(LOOPBACK, 0, lambda stream: stream.read())
        with socket.create_connection(("127.0.0.1", listener.port)) as scanner:
            scanner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)).abort()
        await listener.stop()
        assert [] == reported

    runner(story())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
@pytest.mark.parametrize(("is_dead", "after_s", "is_unheard"), [
    (False, 100, False), (True, 100, True), (True, 0.1, False),
])  # fmt: skip
def test_host_that_acknowledges_nothing_is_known(is_dead, after_s, is_unheard, runner):
    """Once its kernel has had the time that ours gives a segment; one that is silent alone acknowledges."""

    async def story():
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            stream = await connect(LOOPBACK, server.getsockname()[1], timeout_s=PATIENCE_S)
            host, _ = await loop.sock_accept(server)
            with host:
                await loop.sock_sendall(host, b"220 ready")
                await stream.read()  # so the connection is there for both
                if is_dead:
                    deafen(host)
                stream.write(b"MAIL")
                if not is_dead:
                    await loop.sock_recv(host, 4)
                assert is_unheard == stream.is_unheard(after_s)
                stream.abort()

    runner(story())


def test_port_that_is_taken_is_our_own_fault():
    """Nobody shares one."""
    with bind(LOOPBACK, 0) as first:
        first.listen()
        with pytest.raises(NetError):
            bind(LOOPBACK, first.getsockname()[1])


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_small_writes_leave_at_once(runner):
    """TCP_NODELAY is on at both ends: no reply waits for the acknowledgement of the one before."""

    async def story():
        seen = asyncio.get_running_loop().create_future()

        async def handle(stream):
            seen.set_result(nodelay(stream))

        listener = await listen(LOOPBACK, 0, handle)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
        assert [True, True] == [await seen, nodelay(stream)]
        stream.close()
        await listener.stop()

    def nodelay(stream):
        sock = stream._transport.get_extra_info("socket")
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

    runner(story())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("is_cut", [True, False])
def test_an_end_that_the_peer_has_said_is_told_from_a_cut(is_cut, runner):
    """Both end what is read, for mail servers often say no goodbye; only close_notify proves that it is all."""

    async def story():
        async def serve(stream):
            await stream.start_tls(server_context(), None)
            stream.write(b"all")
            await stream.drain()
            if is_cut:  # as who is on the way can: behind one TLS record, in front of the next
                with socket.socket(fileno=os.dup(stream._transport.get_extra_info("socket").fileno())) as same:
                    same.shutdown(socket.SHUT_WR)
                await asyncio.sleep(0)

        listener = await listen(LOOPBACK, 0, serve)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
        await stream.start_tls(trusting_context(), "mta-sts.lab.invalid")
        octets = [await stream.read(), await ending(stream)]
        said = stream.has_said_goodbye
        stream.abort()
        await listener.stop()
        return octets, said

    assert ([b"all", b""], not is_cut) == runner(story())
