"""One question to one server: the answer, its size, whether it was cut, and who may say so."""

import asyncio
from ipaddress import ip_address

from tests.support.idle import run_idle
from tests.support.nameserver import nameserver

from postroad.dns import RecordType, ServerAddress, ask_server, parse_zones
from postroad.lab import Lab
from postroad.words.facts import Bogus, Found, Mx, Temporary

SMALL = "$ORIGIN example.com.\n@ SOA ns1 host 7 1 1 1 1\n@ MX 10 mail1\nmail1 A 127.0.0.11\n"
LARGE = "$ORIGIN example.com.\n" + "".join(
    f"@ MX 10 an-exchanger-with-a-long-name-number-{number}\n" for number in range(60)
)


def ask(zone, kind=RecordType.MX):
    """What the lab's nameserver says of example.com."""

    async def asked():
        async with Lab(parse_zones({"zone": zone})) as lab:
            host, port = lab.resolver_address
            return await ask_server(ServerAddress(ip_address(host), port), "example.com", kind)

    return asyncio.run(asked())


def test_an_answer_that_fits_is_told_with_its_size():
    """A small answer comes whole, and its octets are counted."""
    told = ask(SMALL)
    assert (Mx(10, "mail1.example.com"),) == told.answer.records
    assert not told.is_cut
    assert 50 < told.octets < 200


def test_a_cut_answer_is_fetched_whole():
    """What does not fit into 1232 octets is cut by UDP; the size is that of the whole."""
    told = ask(LARGE)
    assert isinstance(told.answer, Found)
    assert 60 == len(told.answer.records)
    assert told.is_cut
    assert 1232 < told.octets


def test_a_server_speaks_for_itself():
    """The lab's server is authoritative, and has a serial."""
    told = ask(SMALL, RecordType.SOA)
    assert told.is_authoritative
    assert 7 == told.answer.records[0].serial


def test_a_server_that_is_not_there_is_a_fact():
    """Nobody at the port: temporary, never an exception."""
    told = asyncio.run(
        ask_server(ServerAddress(ip_address("127.0.0.1"), 9), "example.com", RecordType.MX, timeout_s=0.2)
    )
    assert isinstance(told.answer, Temporary)


def test_a_reply_that_cannot_be_read_is_named_as_such():
    """A server asked directly that sends octets which are no message is not called silent."""

    async def asked():
        async with nameserver(lambda query, _over: query.to_wire()[:9]) as server:
            return server.server, await ask_server(server.server, "example.com", RecordType.MX, timeout_s=0.1)

    server, told = run_idle(asked())
    assert isinstance(told.answer, Bogus)
    assert told.answer.why.startswith(f"{server} sent a reply that cannot be used: ")
