"""Ways remembered: for as long as they live, and their turns kept while they stay the same."""

import asyncio
from ipaddress import ip_address

from tests.support.delivering import POLICY

from postroad.deliver import DeliverSettings, DeliveryRoute
from postroad.deliver.route_cache import RouteCache
from postroad.routing import Exchanger, Level, Refusal, Route, Status
from postroad.routing.rules import Source
from postroad.words.outcome import Result

SETTINGS = DeliverSettings()
TWO = (ip_address("192.0.2.1"), ip_address("192.0.2.2"))


def route(*addresses, name="mail.example.com"):
    """A route with one host at these addresses."""
    return Route("example.com", Source.MX, (Level(10, (Exchanger(name, addresses or TWO),)),))


class Finder:
    """Answers as told, and counts."""

    def __init__(self, answer, life_s=60.0):
        self.answer = answer
        self.life_s = life_s
        self.asked = 0

    async def __call__(self, _destination, _named=""):
        """The way."""
        self.asked += 1
        return DeliveryRoute.of(self.answer, POLICY, SETTINGS, self.life_s)


class Clock:
    """Moves by hand."""

    now = 0.0

    def __call__(self):
        """What time it is."""
        return self.now


def firsts(ways, way, count):
    """The address that each of the next uses begins with."""
    plans = (way.plan(way.answer, ways.turn("example.com", way), ((0,),)) for _ in range(count))
    return [str(plan.targets[0].address)[-1] for plan in plans]


def test_way_is_remembered_for_its_life():
    """Then it is asked for anew."""

    async def story():
        clock, find = Clock(), Finder(route())
        ways = RouteCache(find, clock)
        assert ways.get("example.com") is None
        way = await ways.find("example.com")
        clock.now = 59.9
        assert way is ways.get("example.com")
        clock.now = 60.0
        assert ways.get("example.com") is None

    asyncio.run(story())


def test_addresses_of_a_host_take_turns():
    """Each use begins with the next one; an unchanged answer goes on where the one before ended."""

    async def story():
        find = Finder(route())
        ways = RouteCache(find, Clock())
        first = firsts(ways, await ways.find("example.com"), 3)
        again = firsts(ways, await ways.find("example.com"), 3)
        find.answer = route(*reversed(TWO))
        changed = firsts(ways, await ways.find("example.com"), 1)
        return first, again, changed

    assert (["1", "2", "1"], ["2", "1", "2"], ["2"]) == asyncio.run(story())


def test_destinations_with_the_same_hosts_share_a_lane():
    """The names of the hosts and the settings make the key, whatever the addresses are today."""
    other = DeliverSettings()
    ways = [
        DeliveryRoute.of(answer, POLICY, settings, 60.0)
        for answer, settings in [
            (route(), SETTINGS),
            (route(TWO[0]), SETTINGS),
            (route(name="other.example.com"), SETTINGS),
            (route(), other),
        ]
    ]
    assert [True, False, False] == [ways[0].key == way.key for way in ways[1:]]


def test_refusal_is_a_way_too():
    """It is remembered, and its lane is its own."""
    refusal = Refusal("example.com", Status.TEMPORARY, Result.DEFERRED, "4.4.3", "SERVFAIL", Source.MX)
    assert "example.com" == DeliveryRoute.of(refusal, POLICY, SETTINGS, 5.0).key


def test_so_many_ways_are_remembered(monkeypatch):
    """The oldest are forgotten first."""
    monkeypatch.setattr("postroad.deliver.route_cache.MOST", 100)

    async def story():
        ways = RouteCache(Finder(route()), Clock())
        for number in range(101):
            await ways.find(f"d{number}")
        return ways.get("d0"), ways.get("d1") is not None

    assert (None, True) == asyncio.run(story())


def test_mail_on_another_route_is_woken_by_its_hosts():
    """An address concerns a destination if any of its ways that are remembered leads there."""

    async def story():
        find = Finder(route(TWO[0]))
        ways = RouteCache(find, Clock())
        await ways.find("example.com")
        before = ways.may_lead("example.com", TWO[1])
        find.answer = route(TWO[1], name="smart.example.net")
        await ways.find(("example.com", "smart"))
        return before, ways.may_lead("example.com", TWO[1]), ways.may_lead("example.com", TWO[0])

    assert (False, True, True) == asyncio.run(story())
