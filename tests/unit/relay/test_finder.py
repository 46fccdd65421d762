"""The way to a destination, as a relay finds it: it knows itself, however the records name it."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from postroad.config import read
from postroad.dns import RecordType, ZoneResolver, parse_zones
from postroad.relay import relay_settings
from postroad.relay.finder import OWN_LIFE_S, Finder
from postroad.routing import Refusal
from postroad.words.facts import Temporary
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


RECEIVERS = """
$TTL 60
$ORIGIN example.com.
hosted MX 0 hosted-com.mail.protection.outlook.com.
backed MX 10 backed-com.mail.protection.outlook.com.
backed MX 20 good
filtered MX 10 mx1.pphosted.com.
filtered MX 20 filtered-com.mail.protection.outlook.com.
alone A 192.0.2.9
nothing MX 0 .
good A 192.0.2.9
$ORIGIN outlook.com.
hosted-com.mail.protection A 192.0.2.21
backed-com.mail.protection A 192.0.2.22
filtered-com.mail.protection A 192.0.2.23
$ORIGIN pphosted.com.
mx1 A 192.0.2.24
$ORIGIN example.net.
smart A 192.0.2.31
other A 192.0.2.32
"""
ROUTES = """
[[route]]
name = "smart"
provider = "microsoft"
hosts = [{host = "smart.example.net", port = 587, preference = 10}, {host = "other.example.net", preference = 20}]
[[route]]
name = "friends"
domains = ["backed.example.com"]
direct = true
on_reject = {match = "5.7.1", route = "last"}
[[route]]
name = "alone"
exchangers = [".example.com"]
next_hop = "other.example.net"
[[route]]
name = "last"
next_hop = "other.example.net"
"""


def way(destination, text=ROUTES, named="", zone=RECEIVERS, resolver=None):
    """The way to a destination by these routes."""
    settings = relay_settings(read(f"hostname = 'relay.example.org'\n{text}\n", Path("relay.toml")))
    finder = Finder(settings, resolver or ZoneResolver(parse_zones({"zone": zone})), Machine())
    return asyncio.run(finder(destination, named))


def told(way):
    """The name of the route, and the hosts by preference."""
    levels = [(level.preference, [each.name for each in level.exchangers]) for level in way.answer.levels]
    return way.name, levels


MAILBOX = "filtered-com.mail.protection.outlook.com"


@pytest.mark.parametrize(
    ("destination", "name", "levels"),
    [
        ("hosted.example.com", "smart", [(10, ["smart.example.net"]), (20, ["other.example.net"])]),
        (
            "backed.example.com",
            "friends",
            [(10, ["backed-com.mail.protection.outlook.com"]), (20, ["good.example.com"])],
        ),
        ("filtered.example.com", "", [(10, ["mx1.pphosted.com"]), (20, [MAILBOX])]),
        ("alone.example.com", "alone", [(0, ["other.example.net"])]),
        ("[192.0.2.9]", "", [(0, ["[192.0.2.9]"])]),
    ],
    ids=["by provider", "domain beats provider", "filter in front", "implicit MX", "literal"],
)
def test_who_receives_decides(destination, name, levels):
    """A domain's exchangers choose the route, unless a route names the domain; a literal has none."""
    assert (name, levels) == told(way(destination))


def test_the_default_is_for_what_no_exchanger_decides():
    """`*` comes last: also for domains that take no mail, as ever."""
    default = ROUTES + "[[route]]\nname = 'all'\ndomains = ['*']\nnext_hop = 'smart.example.net'"
    names = [way(to, default).name for to in ("hosted.example.com", "filtered.example.com", "nothing.example.com")]
    assert ["smart", "all", "all"] == names


def test_a_route_says_why_it_is_taken():
    """In a note, with the exchangers that decided."""
    note = way("hosted.example.com").answer.notes[0]
    why = "mail for it goes to hosted-com.mail.protection.outlook.com, run by Microsoft 365"
    assert ("static-route", f'the route "smart" takes it, because {why}') == (note.kind, note.text)


class NoMx(ZoneResolver):
    """One that cannot say who receives."""

    async def resolve(self, name, kind):
        """SERVFAIL for MX."""
        return Temporary("SERVFAIL") if kind is RecordType.MX else await super().resolve(name, kind)


def test_without_an_answer_no_route_is_guessed():
    """Mail waits while its exchangers are not known: `*` could be the wrong way; a domain that is named needs none."""
    default = ROUTES + "[[route]]\nname = 'all'\ndomains = ['*', 'named.test']\nnext_hop = 'smart.example.net'"
    resolver = NoMx(parse_zones({"zone": RECEIVERS}))
    answer = way("hosted.example.com", default, resolver=resolver).answer
    assert (Result.DEFERRED, "4.4.3") == (answer.result, answer.enhanced)
    assert "all" == way("named.test", default, resolver=resolver).name


def test_a_route_can_be_named():
    """As mail does that another one's hosts refused; with what it does in turn on a refusal."""
    assert ("last", [(0, ["other.example.net"])]) == told(way("hosted.example.com", named="last"))
    assert "last" == way("backed.example.com").on_reject.route


def test_mail_waits_for_a_route_that_is_gone():
    """A slip in the settings must not return it."""
    answer = way("hosted.example.com", named="gone").answer
    assert (Result.DEFERRED, True) == (
        answer.result,
        'the route "gone", which the settings no longer have' in answer.text,
    )


@pytest.mark.parametrize(("place", "address"), [("192.0.2.7:2525", "192.0.2.7"), ("[2001:db8::7]:25", "2001:db8::7")])
def test_a_place_chosen_by_hand_is_a_route(place, address):
    """What `queue move --route` writes: no setting names it, and TLS is as usual there."""
    found = way("hosted.example.com", named=place)
    [level] = found.answer.levels
    [exchanger] = level.exchangers
    assert (place, (ip_address(address),), int(place.rpartition(":")[2])) == (
        found.name,
        exchanger.addresses,
        exchanger.port,
    )
    assert "somebody moved the mail to it" in found.answer.notes[0].text
    by_name = way("hosted.example.com", named="other.example.net:2525").answer
    assert [("other.example.net", 2525)] == [(each.name, each.port) for each in by_name.levels[0].exchangers]
