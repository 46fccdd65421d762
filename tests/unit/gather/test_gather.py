"""Gathering a domain's facts: what is asked, what is not, and how many questions at once."""

import asyncio
from ipaddress import ip_address

import pytest

from postroad.dns import CachingResolver, RecordType, ZoneResolver, parse_zones
from postroad.gather import GatherSettings, gather, gather_more
from postroad.routing import Route, decide
from postroad.words.facts import Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.names import AddressLiteral
from postroad.words.snapshot import Snapshot

DOMAIN = "example.com"
V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
LITERAL = AddressLiteral(V4)


class Dictionary:
    """A resolver over a dict of (name, type) -> answer; what it has not has no data."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.asked = []
        self.under_way = 0
        self.most_under_way = 0

    async def resolve(self, name, kind):
        self.asked.append((name, kind.value))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return self.answers.get((name, kind.value), NoData())


def mx(*records):
    """MX records of the domain, as (preference, exchange)."""
    return {(DOMAIN, "MX"): Found(tuple(Mx(*record) for record in records))}


def run(answers, **settings):
    """Gather example.com from a dict."""
    resolver = Dictionary(answers)
    snapshot = asyncio.run(gather(DOMAIN, resolver, GatherSettings(**settings)))
    return snapshot, resolver


def test_each_exchanger_is_asked_for_both_families_once():
    """MX once, then A and AAAA of every distinct target, whatever families answer."""
    a, trouble = Found((V4,)), Temporary("SERVFAIL")
    answers = mx((20, "b"), (10, "a"), (30, "a")) | {("a", "A"): a, ("a", "AAAA"): trouble, ("b", "A"): NoName()}
    snapshot, resolver = run(answers)
    hosts = {"a": HostFacts(a, trouble), "b": HostFacts(NoName(), NoData())}
    assert Snapshot(DOMAIN, answers[DOMAIN, "MX"], hosts) == snapshot
    assert [("a", "A"), ("a", "AAAA"), ("b", "A"), ("b", "AAAA"), (DOMAIN, "MX")] == sorted(resolver.asked)


@pytest.mark.parametrize("nothing", [NoData(), NoName()])
def test_without_mx_the_domain_itself_is_asked_for(nothing):
    """No data or no name at MX: the domain's own addresses, under its own name."""
    snapshot, _ = run({(DOMAIN, "MX"): nothing, (DOMAIN, "A"): Found((V4,))})
    assert Snapshot(DOMAIN, nothing, {DOMAIN: HostFacts(Found((V4,)), NoData())}) == snapshot


@pytest.mark.parametrize("trouble", [Temporary("SERVFAIL"), Bogus("alias loop")])
def test_after_trouble_at_mx_nothing_more_is_asked(trouble):
    """Without the list of exchangers no address is of use."""
    snapshot, resolver = run({(DOMAIN, "MX"): trouble})
    assert Snapshot(DOMAIN, trouble) == snapshot
    assert [(DOMAIN, "MX")] == resolver.asked


def test_what_is_no_name_is_not_asked_for():
    """The null MX and an address in place of a name stay in the MX answer, and cost no question."""
    snapshot, resolver = run(mx((0, ""), (10, "192.0.2.1"), (10, "::1"), (20, "a")))
    assert {"a"} == set(snapshot.hosts)
    assert 3 == len(resolver.asked)


def test_a_literal_needs_no_dns():
    """user@[192.0.2.1]: nothing is asked."""
    resolver = Dictionary()
    assert Snapshot(LITERAL, NoData()) == asyncio.run(gather(LITERAL, resolver))
    assert [] == resolver.asked


def test_the_best_exchangers_are_asked_for_when_there_are_too_many():
    """A domain with ten thousand exchangers costs as many questions as the limit allows, best preference first."""
    snapshot, resolver = run(mx(*[(10_000 - n, f"h{n}") for n in range(10_000)]), max_hosts=3)
    assert ["h9999", "h9998", "h9997"] == list(snapshot.hosts)
    assert 7 == len(resolver.asked)


def test_questions_under_way_are_limited():
    """Never more at once than the settings say, and as many as they say."""
    _, resolver = run(mx(*[(10, f"h{n}") for n in range(50)]), in_flight=7)
    assert (7, 101) == (resolver.most_under_way, len(resolver.asked))


def test_giving_up_leaves_nothing_behind():
    """A gathering that is cancelled half way ends its questions."""

    async def story():
        begun = asyncio.Event()

        class Stuck(Dictionary):
            async def resolve(self, name, kind):
                if kind is RecordType.MX:
                    return await super().resolve(name, kind)
                begun.set()
                return await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(gather(DOMAIN, Stuck(mx((10, "a"), (20, "b"))), GatherSettings(in_flight=1)))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert {asyncio.current_task()} == asyncio.all_tasks()

    asyncio.run(story())


def test_a_zone_file_is_enough_for_a_route():
    """From pasted lines to a route, with no network."""
    zones = parse_zones({"pasted": "$ORIGIN example.com.\n@ MX 10 a\n@ MX 20 b\na A 192.0.2.1\nb A 192.0.2.2\n"})
    route = decide(asyncio.run(gather(DOMAIN, ZoneResolver(zones))))
    assert isinstance(route, Route)
    assert ["a.example.com", "b.example.com"] == [host.name for level in route.levels for host in level.exchangers]


# For people


def more(answers, destination=DOMAIN, **settings):
    """Gather, and gather more."""

    async def story():
        resolver = Dictionary(answers)
        snapshot = await gather(destination, resolver)
        resolver.asked.clear()
        return await gather_more(snapshot, resolver, GatherSettings(**settings)), resolver.asked

    return asyncio.run(story())


def test_more_has_name_servers_names_and_their_addresses():
    """NS of the domain, PTR of every address, and A and AAAA of all names learnt: forward-confirmed or not is seen."""
    names = Found(("a", "alias"))
    answers = mx((10, "a")) | {
        ("a", "A"): Found((V4,)),
        ("a", "AAAA"): Found((V6,)),
        (V4.reverse_pointer, "PTR"): names,
        (V6.reverse_pointer, "PTR"): NoName(),
        (DOMAIN, "NS"): Found(("ns",)),
        ("ns", "A"): Found((V4,)),
    }
    snapshot, asked = more(answers)
    assert Found(("ns",)) == snapshot.servers
    assert {V4: names, V6: NoName()} == snapshot.reverse
    assert ["a", "ns", "alias"] == list(snapshot.hosts)
    assert HostFacts(Found((V4,)), NoData()) == snapshot.hosts["ns"]
    assert ("a", "A") not in asked


def test_more_of_a_literal_is_its_name():
    """An address literal has no name servers; its address may have a name."""
    answers = {(V4.reverse_pointer, "PTR"): Found(("a",)), ("a", "A"): Found((V4,))}
    snapshot, asked = more(answers, LITERAL)
    assert (None, {V4: Found(("a",))}) == (snapshot.servers, snapshot.reverse)
    assert HostFacts(Found((V4,)), NoData()) == snapshot.hosts["a"]
    assert 3 == len(asked)


def test_more_is_limited_too():
    """Thousands of addresses with thousands of names cost what the limits allow."""
    many = tuple(ip_address(f"10.0.{n // 250}.{n % 250}") for n in range(1000))
    names = Found(tuple(f"n{n}" for n in range(1000)))
    answers = mx((10, "a")) | {("a", "A"): Found(many)} | {(one.reverse_pointer, "PTR"): names for one in many}
    snapshot, asked = more(answers, max_addresses=5, max_hosts=4)
    assert (5, 1 + 4) == (len(snapshot.reverse), len(snapshot.hosts))
    assert 5 + 1 + 2 * 4 == len(asked)


def test_domains_that_share_an_exchanger_ask_for_it_once_and_share_its_turns():
    """Through a cache: one question a host and family for all domains, each domain with its own first address."""
    resolver = Dictionary({
        **{(f"d{n}.example", "MX"): Found((Mx(10, "mx.example"),), 300) for n in range(4)},
        ("mx.example", "A"): Found((V4, ip_address("192.0.2.2")), 300),
        ("mx.example", "AAAA"): NoData(300),
    })  # fmt: skip

    async def story():
        cache = CachingResolver(resolver, lambda: 0.0)
        return [(await gather(f"d{n}.example", cache)).hosts["mx.example"] for n in range(4)]

    hosts = asyncio.run(story())
    assert ["192.0.2.1", "192.0.2.2"] * 2 == [str(facts.a.records[0]) for facts in hosts]
    assert [NoData(300)] * 4 == [facts.aaaa for facts in hosts]
    assert 6 == len(resolver.asked)
