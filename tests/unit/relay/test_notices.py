"""What a relay says of its settings while it runs: whether DANE is on, and that an exception has had its day."""

import asyncio
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.support.patience import PATIENCE_S
from tests.support.relaying import Told

from postroad.config import read
from postroad.dns import ZoneResolver, parse_zones
from postroad.relay.journal import level_of
from postroad.relay.notices import Notices
from postroad.words.facts import Temporary
from postroad.words.trace import Event

DAY = timedelta(days=1)
LAST = date(2026, 12, 31)
ROOT = "$TTL 60\n. NS ns.example.\n. DNSKEY 257 3 13 AAAA\n"


class Calendar:
    """The day it is, which the story turns; whoever sleeps looks again then."""

    def __init__(self, day):
        self.day = day
        self._turned, self._asleep = asyncio.Event(), asyncio.Event()

    def today(self):
        """The day it is."""
        return self.day

    async def sleep(self, _limit_s):
        """Until the next day is turned to."""
        self._asleep.set()
        await self._turned.wait()
        self._turned.clear()

    async def turn(self, day):
        """Go to a day, and wait until that was seen."""
        await self._asleep.wait()
        self._asleep.clear()
        self.day = day
        self._turned.set()
        await self._asleep.wait()


class Resolver:
    """Says of the root what a resolver would: that it is vouched for, that it is not, or nothing."""

    def __init__(self, says):
        self._says = says
        self._zones = ZoneResolver(parse_zones({"root": ROOT}), validates=says == "on")

    async def resolve(self, name, kind):
        """An answer."""
        return Temporary("no answer") if self._says == "silent" else await self._zones.resolve(name, kind)


def settings(*days, servers="127.0.0.53"):
    """A relay with a route for each of these last days, None for one that is no exception."""
    routes = "".join(
        f"[[route]]\ndomains = ['d{number}.example']\nnext_hop = 'mail.example.net'\n"
        + (f"until = {day}\n" if day else "")
        for number, day in enumerate(days)
    )
    return read(f"hostname = 'relay.example.org'\ndns.resolvers = ['{servers}']\n{routes}", Path("relay.toml"))


@asynccontextmanager
async def noticing(config, calendar, says="on"):
    """Notices of a relay with these settings, and what they told."""
    told = Told()
    notices = Notices(told, calendar.today, calendar.sleep)
    async with asyncio.timeout(PATIENCE_S):
        notices.begin(config, Resolver(says))
        yield notices, told
    notices.close()


def over(told):
    """Which routes were told to be over."""
    return [fields["why"].partition(":")[0] for fields in told.named("relay.exception.over")]


def test_exception_is_told_on_the_day_after_its_last_one_and_once():
    """While the relay runs; on its last day it is one still."""

    async def story():
        calendar = Calendar(LAST - DAY)
        async with noticing(settings(LAST, None, LAST + DAY), calendar) as (_, told):
            heard = []
            for day in (LAST, LAST + DAY, LAST + DAY, LAST + 2 * DAY, LAST + 3 * DAY):
                await calendar.turn(day)
                heard.append(over(told))
            return heard, told.named("relay.exception.over")[0]["why"]

    heard, why = asyncio.run(story())
    assert [[], ["route[1]"], ["route[1]"], ["route[1]", "route[3]"], ["route[1]", "route[3]"]] == heard
    assert "route[1]: until = 2026-12-31 has passed; leave this exception out, or set a later day" == why


def test_exception_that_is_over_is_told_at_the_start_and_not_at_each_reload():
    """One with a later day has to end anew; a clock that was set back takes nothing back."""

    async def story():
        calendar = Calendar(LAST + DAY)
        async with noticing(settings(LAST), calendar) as (notices, told):
            await told.until("relay.exception.over")
            for day in (LAST, LAST + 5 * DAY, LAST):
                calendar._asleep.clear()
                notices.reload(settings(day), Resolver("on"))
                await calendar._asleep.wait()
            return over(told)

    assert ["route[1]", "route[1]"] == asyncio.run(story())


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (("on", "on"), []),
        (("off", "off", "off"), ["off"]),
        (("off", "on", "on", "off"), ["off", "on", "off"]),
        (("off", "silent", "off"), ["off"]),
        (("off", "silent", "on"), ["off", "on"]),
        (("silent", "off"), ["off"]),
        (("silent", "on"), []),
        (("far", "off"), ["off", "off"]),
        (("far", "far", "on"), ["off", "on"]),
    ],
)
def test_dane_is_said_to_be_off_or_on_when_that_changes(says, expected):
    """At the start, and after each reload; no answer changes nothing, another reason is news."""

    async def story():
        told, config = Told(), {"far": settings(servers="192.0.2.53")}
        notices = Notices(told)
        for word in says:
            notices.reload(config.get(word, settings()), Resolver("off" if word == "far" else word))
            await asyncio.gather(*notices._tasks)
        return [event.name.rpartition(".")[2] for event in told.events]

    assert expected == asyncio.run(story())


@pytest.mark.parametrize(
    ("name", "level"),
    [("relay.dane.off", "warning"), ("relay.dane.on", "info"), ("relay.exception.over", "warning")],
)
def test_what_is_wrong_is_a_warning(name, level):
    """In the log."""
    assert level == level_of(Event(name, {"why": "x"}))
