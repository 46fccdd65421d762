"""The pages: answered to whoever calls us by our own name, in time, whatever the others at the port do."""

import asyncio
import http.client
import socket
import threading
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.patience import PATIENCE_S

from postroad.relay import pages as module
from postroad.relay.pages import Page, PageServer

LOOPBACK = ip_address("127.0.0.1")


def broken():
    """A page that cannot be made."""
    raise ValueError("a bug")


@asynccontextmanager
async def serving():
    """Pages at a port."""
    server = PageServer({"/page": lambda: Page(b"well\n"), "/broken": broken}, lambda: {"relay.example.org"})
    port = server.open(LOOPBACK, 0)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield port
    finally:
        await server.close()


def ask(port, method="GET", path="/page", **headers):
    """What is answered: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def asked(*each, **headers):
    """The answer to one request."""

    async def story():
        async with serving() as port:
            return await asyncio.to_thread(ask, port, *each, **headers)

    return asyncio.run(story())


def said(octets):
    """All that is answered to these octets, and then to a good request."""

    async def story():
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(octets)
            writer.write_eof()
            try:
                answer = await reader.read()
            except ConnectionResetError:
                answer = b""
            writer.close()
            return answer, (await asyncio.to_thread(ask, port))[2]

    return asyncio.run(story())


def test_head_is_get_without_the_page():
    """The same fields, its length among them (RFC 9110 section 9.3.2)."""
    (status, fields, body), (_, same, page) = asked("HEAD"), asked("GET")
    assert (200, b"", b"well\n") == (status, body, page)
    assert fields | {"date": ""} == same | {"date": ""}


def test_nothing_says_what_program_it_is():
    """No Server field, no version."""
    _, fields, _ = asked()
    assert {"date", "content-type", "content-length", "cache-control", "x-content-type-options", "connection"} == set(
        fields
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"])
def test_pages_can_be_read_only(method):
    """405, with what is allowed (RFC 9110 section 15.5.6)."""
    status, fields, _ = asked(method)
    assert (405, "GET, HEAD") == (status, fields["allow"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9925", 200),
        ("127.0.0.1", 200),
        ("192.0.2.1:80", 200),
        ("[::1]:9925", 200),
        ("[2001:db8::1]", 200),
        ("localhost:9925", 200),
        ("LOCALHOST.", 200),
        ("relay.localhost", 200),
        ("relay.example.org:9925", 200),
        ("Relay.Example.Org", 200),
        ("attacker.example", 421),
        ("attacker.example:9925", 421),
        ("127.0.0.1.attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("relay.example.org.attacker.example", 421),
    ],
)
def test_only_who_calls_us_by_our_name_is_answered(host, status):
    """A web page whose name leads here (DNS rebinding) has a browser say that name: 421."""
    assert status == asked(Host=host)[0]


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /page HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /page?x=1 HTTP/1.0\r\n\r\n", b"200"),
        (b"GET http://127.0.0.1/page HTTP/1.1\r\nHost: attacker.example\r\n\r\n", b"200"),
        (b"GET http://attacker.example/page HTTP/1.1\r\nHost: localhost\r\n\r\n", b"421"),
        (b"GET /page HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /page HTTP/1.1\r\nHost: localhost\r\nHost: attacker.example\r\n\r\n", b"400"),
        (b"GET /page\r\n\r\n", b"400"),
        (b"GET /page HTTP/2.0\r\n\r\n", b"400"),
        (b"EHLO me\r\n\r\n", b"400"),
        (b"GET /other HTTP/1.0\r\n\r\n", b"404"),
        (b"GET /broken HTTP/1.0\r\n\r\n", b"500"),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.0\r\n\r\n", b"431"),
    ],
)
def test_each_request_has_its_answer(octets, status):
    """Good or bad; and the next client has his."""
    answer, next_page = said(octets)
    assert (status, b"well\n") == (answer[9:12], next_page)


@settings(max_examples=examples(100 // stride(2)))
@given(st.binary(max_size=200))
def test_octets_that_are_no_request_disturb_nobody(octets):
    """They are answered 400 or not at all."""
    answer, next_page = said(octets)
    assert (answer[:12] in {b"", b"HTTP/1.1 400"}, b"well\n") == (True, next_page)


def test_clients_that_say_nothing_hold_nobody_up():
    """Many more than there is room for, each silent within its request: the next one is answered at once."""

    async def story():
        async with serving() as port:
            silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * module.MOST)]
            for sock in silent:
                sock.sendall(b"GET /page HT")
            answer = await asyncio.to_thread(ask, port)
            for sock in silent:
                sock.close()
            return answer[2]

    assert b"well\n" == asyncio.run(story())


def test_client_that_is_too_slow_is_dropped(monkeypatch):
    """However it drips, it has so long in all."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)

    async def story():
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /page HT")
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

    assert b"" == asyncio.run(story())


def test_a_server_may_be_closed_while_it_begins(monkeypatch):
    """A relay that ended as soon as it had begun said so with a traceback of this thread."""
    begun, is_asked, start = threading.Event(), threading.Event(), asyncio.start_server

    async def begin(*arguments, **settings):
        begun.set()
        is_asked.wait(PATIENCE_S)
        await asyncio.sleep(0)
        return await start(*arguments, **settings)

    async def story():
        server = PageServer({})
        server.open(LOOPBACK, 0)
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0)
        is_asked.set()
        await closing

    monkeypatch.setattr(asyncio, "start_server", begin)
    asyncio.run(story())
