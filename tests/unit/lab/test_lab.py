"""A lab as a whole: names, addresses and exchangers that belong together."""

import asyncio
from ipaddress import ip_address

import dns.asyncquery
import dns.message
import pytest
from tests.support.patience import PATIENCE_S

from postroad.dns import Zones, parse_zones
from postroad.lab import Fault, Lab, Mode
from postroad.lab.sink import LabExchanger
from postroad.net import NetError, NetErrorKind, connect

ZONE = """
$ORIGIN example.com.
@  MX 10 a
@  MX 10 b
a  A 192.0.2.11
b  A 127.0.0.12
b  A 127.0.0.13
c  AAAA 2001:db8::1
"""


def zones(text=ZONE):
    """The zone, parsed."""
    parsed = parse_zones({"lab": text})
    assert isinstance(parsed, Zones)
    return parsed


def inside(story, **settings):
    """Run a story in a lab."""

    async def whole():
        async with asyncio.timeout(PATIENCE_S), Lab(zones(), **settings) as lab:
            await story(lab)

    asyncio.run(whole())


async def deliver(lab, address):
    """One message, in one go; the last octets said."""
    stream = await connect(ip_address(address), lab.port, timeout_s=PATIENCE_S)
    said = await stream.read()
    for flight in (
        b"EHLO me.example\r\n",
        b"MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n",
        b"hello\r\n.\r\nQUIT\r\n",
    ):
        stream.write(flight)
        said = await stream.read()
    while more := await stream.read():
        said += more
    stream.close()
    return said


def test_the_port_is_chosen_where_connections_come_from(monkeypatch):
    """At 127.0.0.1 many are taken for a while; at the other addresses of loopback hardly one is."""
    held, hold = [], LabExchanger.hold
    monkeypatch.setattr(LabExchanger, "hold", lambda it: held.append(str(it.address)) or hold(it))

    async def story():
        async with Lab(zones("$ORIGIN example.com.\n@ MX 1 a\na A 127.0.0.11\na A 127.0.0.1\n")):
            pass

    asyncio.run(story())
    assert "127.0.0.1" == held[0]


def test_names_lead_to_exchangers():
    """The nameserver answers with addresses at which, on the lab's port, an exchanger greets: moved ones too."""

    async def story(lab):
        where, port = lab.resolver_address
        query = dns.message.make_query("a.example.com", "A")
        (answer,) = (await dns.asyncquery.udp(query, where, port=port)).answer[0]
        assert "127.0.2.11" == answer.address == str(lab.moved[ip_address("192.0.2.11")])
        assert b"221" in await deliver(lab, answer.address)

    inside(story)


def test_received_messages_are_kept_in_order_and_counted_by_address():
    """All messages of all exchangers in the order they came, and how many each took."""

    async def story(lab):
        for address in ("127.0.0.13", "127.0.0.12", "127.0.0.13"):
            await deliver(lab, address)
        assert ["127.0.0.13", "127.0.0.12", "127.0.0.13"] == [str(received.address) for received in lab.received]
        assert {"127.0.2.11": 0, "127.0.0.12": 1, "127.0.0.13": 2} == {
            str(address): count for address, count in lab.counts().items()
        }

    inside(story)


def test_without_keep_messages_are_only_counted():
    """Nothing is kept, all is counted."""

    async def story(lab):
        await deliver(lab, "127.0.0.12")
        assert ([], 1) == (lab.received, sum(lab.counts().values()))

    inside(story, keep=False)


def test_faults_are_given_by_written_or_moved_address():
    """Before it is up and while it runs, an exchanger is named by either of its addresses."""

    async def story(lab):
        assert Mode.REFUSE == lab.at("127.0.2.11").fault.mode
        with pytest.raises(NetError) as refused:
            await connect(ip_address("127.0.2.11"), lab.port, timeout_s=PATIENCE_S)
        assert NetErrorKind.REFUSED == refused.value.kind
        await lab.set_fault("192.0.2.11", Fault())
        assert b"221" in await deliver(lab, "127.0.2.11")

    inside(story, faults={"192.0.2.11": Fault(Mode.REFUSE)})


@pytest.mark.parametrize("address", ["192.0.2.99", "no address"])
def test_unknown_addresses_are_refused(address):
    """A fault for nobody is a mistake of the test that gave it."""
    with pytest.raises(KeyError, match=address):
        Lab(zones(), faults={address: Fault()})


def test_what_was_moved_or_left_out_is_told():
    """Addresses that could not be served as written are told when the lab comes up."""
    told = []

    async def story(lab):
        pass

    inside(story, listener=told.append)
    assert [
        ("lab.address.moved", {"written": "192.0.2.11", "address": "127.0.2.11"}),
        ("lab.address.left-out", {"name": "c.example.com", "address": "2001:db8::1"}),
    ] == [(event.name, event.fields) for event in told]


def test_a_wanted_port_is_used_or_its_absence_said():
    """A port asked for is the port of all, and two labs cannot share it on the same addresses."""

    async def story(lab):
        with pytest.raises(NetError, match=str(lab.port)):
            async with Lab(zones(), port=lab.port):
                pass

    inside(story)


def test_tls_is_for_all():
    """With tls every exchanger offers STARTTLS."""

    async def story(lab):
        stream = await connect(ip_address("127.0.0.12"), lab.port, timeout_s=PATIENCE_S)
        await stream.read()
        stream.write(b"EHLO me.example\r\n")
        assert b"STARTTLS" in await stream.read()
        stream.close()

    inside(story, tls=True)
