"""The way to a destination, as a relay finds it: it knows itself, however the records name it."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from postroad.config import read
from postroad.dns import ZoneResolver, parse_zones
from postroad.relay import relay_settings
from postroad.relay.finder import OWN_LIFE_S, Finder
from postroad.routing import Refusal
from postroad.words.outcome import Result

ZONE = """
$TTL 60
$ORIGIN example.com.
@ MX 10 mx
mx CNAME relay.example.org.
backed MX 10 good
backed MX 20 here
good A 192.0.2.9
here A 192.0.2.1
nat A 203.0.113.1
$ORIGIN example.org.
relay A 198.51.100.1
"""
HERE = frozenset({ip_address("127.0.0.1"), ip_address("192.0.2.1")})


class Machine:
    """Addresses that may change, and a clock."""

    def __init__(self, addresses=HERE):
        self.addresses = addresses
        self.asked = 0
        self.at = 0.0

    def __call__(self):
        """What the system says of its interfaces."""
        self.asked += 1
        return self.addresses

    def now(self):
        """The clock."""
        return self.at


def find(destination, text="", machine=None):
    """What is decided for a destination."""
    settings = relay_settings(read(f"hostname = 'relay.example.org'\n{text}\n", Path("relay.toml")))
    machine = machine or Machine()
    finder = Finder(settings, ZoneResolver(parse_zones({"zone": ZONE})), machine, machine.now)
    return asyncio.run(finder(destination)).answer


def route(hop):
    """A route for all mail."""
    return f"[[listen]]\naddress = '0.0.0.0'\n[[route]]\ndomains = ['*']\nnext_hop = '{hop}'"


@pytest.mark.parametrize(
    ("destination", "text"),
    [
        ("example.com", ""),
        ("here.example.com", ""),
        ("[192.0.2.1]", ""),
        ("nat.example.com", "own = ['203.0.113.1']"),
        ("good.example.com", "own = ['good.example.com']"),
    ],
    ids=["alias of our name", "address of an interface", "literal", "address of the router", "other name"],
)
def test_mail_that_would_come_back_fails_at_once(destination, text):
    """It goes round not once: 5.4.6, whichever way the records lead here."""
    answer = find(destination, text)
    assert ("5.4.6", Result.FAILED) == (answer.enhanced, answer.result)


def test_a_backup_sends_to_better_ones_only():
    """Our own address at 20 ends the list there."""
    answer = find("backed.example.com")
    assert [(10, "good.example.com")] == [(level.preference, level.exchangers[0].name) for level in answer.levels]


@pytest.mark.parametrize(
    ("hop", "is_ours"),
    [
        ("here.example.com", True),
        ("here.example.com:25", True),
        ("127.0.0.1:25", True),
        ("127.0.0.1:10025", False),
        ("here.example.com:10025", False),
        ("good.example.com", False),
    ],
)
def test_a_route_to_our_own_port_leads_nowhere(hop, is_ours):
    """The mail waits and the reason says why; a filter at another port of this machine has its mail."""
    answer = find("example.net", route(hop))
    assert is_ours == isinstance(answer, Refusal)
    if is_ours:
        assert (Result.DEFERRED, True) == (answer.result, "mail sent there would come back" in answer.text)


def test_addresses_of_the_machine_are_remembered_for_a_minute():
    """A network that comes later is known a minute later, and the system is not asked for each message."""
    settings = relay_settings(read("hostname = 'relay.example.org'", Path("relay.toml")))
    machine = Machine(frozenset())
    finder = Finder(settings, ZoneResolver(parse_zones({"zone": ZONE})), machine, machine.now)

    def is_refused():
        return isinstance(asyncio.run(finder("here.example.com")).answer, Refusal)

    before = [is_refused(), is_refused()]
    machine.addresses = HERE
    machine.at = OWN_LIFE_S
    assert ([False, False], True, 2) == (before, is_refused(), machine.asked)


def test_a_lab_on_another_port_is_not_us():
    """Exchangers of a test have addresses of this machine, and their port is not 25."""
    settings = relay_settings(read("hostname = 'relay.example.org'\ndeliver.port = 2525", Path("relay.toml")))
    finder = Finder(settings, ZoneResolver(parse_zones({"zone": ZONE})), Machine())
    assert not isinstance(asyncio.run(finder("here.example.com")).answer, Refusal)
