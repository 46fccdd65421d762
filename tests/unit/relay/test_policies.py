"""MTA-STS in a relay: whose policy counts, what mail does under it, and that a restart does not forget it."""

import asyncio
from pathlib import Path

import pytest
from tests.support.relaying import ZONE, House, house

from postroad.build import documents, steady
from postroad.config import read
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import Fetched
from postroad.relay import relay_settings
from postroad.relay.finder import Finder
from postroad.spool.memory import MemorySpool
from postroad.words.policies import StsKnown, StsPolicy
from postroad.words.tls import Authority

RECORD = """
$ORIGIN example.com.
_mta-sts TXT "v=STSv1; id=a1;"
mta-sts A 127.0.0.80
"""


def document(*mx, mode="enforce"):
    """A policy on its web server."""
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx), "max_age: 604800"]
    return Fetched("\n".join(lines).encode(), "text/plain")


@pytest.fixture
def web(monkeypatch):
    """The web server of all policies, which says what it is told to."""

    class Web:
        says = document("nobody.example.com")

    async def fetch(_resolver, _host, _path, settings):
        assert settings.allow_loopback
        return Web.says

    monkeypatch.setattr(documents, "fetch", fetch)
    return Web


async def sent(it: House):
    """What becomes of a message to example.com."""
    await it.submit("ann@example.com")
    verdict = await it.verdict()
    return (verdict.delivered or verdict.left or verdict.failed)[0].outcome


def test_no_mail_goes_past_an_enforced_policy_also_after_a_restart(web):
    """T6: no exchanger is listed, so it waits; the policy leaves DNS and HTTPS, the relay ends, and it still waits."""

    async def story():
        spool = MemorySpool()
        spool.close = lambda: asyncio.sleep(0)  # it outlives the relay, as a disk does
        async with house(spool=spool, zone=ZONE + RECORD) as it:
            first = await sent(it)
        web.says = Fetched(why_not="answers 404, and only 200 is valid")
        async with house(spool=spool, zone=ZONE) as it:
            second = await sent(it)
            assert it.taken() == {}
        return first, second

    for outcome in asyncio.run(story()):
        assert ("deferred", "4.7") == (outcome.result, outcome.status[:3])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("deliver.mta_sts = false", document("nobody.example.com")),
        ("deliver.tls = 'dane'", document("nobody.example.com")),
        ("", document("nobody.example.com", mode="testing")),
        ("", document(mode="none")),
        ("", Fetched(why_not="answers 404, and only 200 is valid")),
        ("", Fetched(b"<html>", "text/plain")),
    ],
)
def test_mail_goes_on_where_no_policy_is_enforced(web, settings, says):
    """Turned off by either setting; in testing; withdrawn; not to be had; no policy at all."""
    web.says = says

    async def story():
        async with house(settings, zone=ZONE + RECORD) as it:
            return await sent(it)

    assert "delivered" == asyncio.run(story()).result


class Published:
    """The policies of names, and who was asked about."""

    def __init__(self):
        self.asked = []

    async def known(self, domain):
        """One that lists nobody, for a while."""
        self.asked.append(str(domain))
        return StsKnown(StsPolicy("enforce", ("mx.listed.test",), 86400), "1", 0.0, life_s=7.0)


ROUTES = """
$TTL 60
$ORIGIN example.com.
@ SOA ns host 1 1 1 1 60
@ MX 10 mx
mx A 192.0.2.1
smart MX 10 mx
smart A 192.0.2.2
"""


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("", ["example.com"]),
        ("[[route]]\ndomains = ['*']\nmx_of = 'smart.example.com'", ["smart.example.com"]),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'smart.example.com'", ["smart.example.com"]),
        ("[[route]]\ndomains = ['*']\nnext_hop = '192.0.2.7'", []),
        ("[[route]]\ndomains = ['*']\ntls = 'opportunistic'", []),
    ],
)
def test_the_policy_is_that_of_the_next_hop(route, asked):
    """RFC 8461 section 3.4: of a smarthost that of its own name; an address has none; a setting comes first."""
    settings = relay_settings(read(f"hostname = 'relay.example.org'\n{route}\n", Path("relay.toml")))
    published = Published()
    finder = Finder(settings, ZoneResolver(parse_zones({"zone": ROUTES})), policies=published)
    way = asyncio.run(finder("example.com"))
    assert asked == published.asked
    assert (7.0 if asked else 60.0 if route.endswith("'opportunistic'") else 300.0) == way.life_s
    by = {exchanger.demand.by for level in way.answer.levels for exchanger in level.exchangers}
    assert ({Authority.MTA_STS} if asked else by) == by


def test_the_clock_that_nobody_sets_goes_on():
    """It is not the time of day, and does not go back."""
    first = steady()
    assert 0 <= first <= steady() < 1e9
