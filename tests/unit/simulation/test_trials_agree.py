"""Trials and the exact forecast are two ways to the same figures."""

import asyncio
from itertools import product, starmap

import pytest
from tests.support.examples import examples, some

from postroad.build import zone_of
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import gather
from postroad.models import SCHEDULES
from postroad.simulation import SENDERS, Case, DnsOrder, forecast, places
from postroad.simulation.trials import Estimate, Outage, Trial, Workload, run
from postroad.words.faults import Mode
from postroad.words.outcome import Result

MESSAGES = 2000
WIDE = 4.5 / 1.96  # misses once in 100,000: there are thousands of comparisons here
BOTH_FAMILIES = """
$ORIGIN example.com.
$TTL 300
@ MX 10 a
@ MX 10 b
@ MX 10 c
@ MX 20 d
a A 192.0.2.1
a AAAA 2001:db8::1
a A 192.0.2.2
b A 192.0.2.3
c AAAA 2001:db8::3
c A 192.0.2.4
c AAAA 2001:db8::4
d A 192.0.2.9
d AAAA 2001:db8::9
"""
ZONES = {name: zone_of(name).read_text() for name in ("t1", "t2", "t3", "t4", "t5", "t6")} | {"both": BOTH_FAMILIES}
NOTHING = Estimate(0.0, 0.0, 0.0)


@pytest.fixture(scope="module", params=ZONES)
def set_up(request):
    """Each reference set-up, and one with both families."""
    return request.param


@pytest.fixture(scope="module")
def snapshot(set_up):
    """Its records."""
    return asyncio.run(gather("example.com", ZoneResolver(parse_zones({"zone": ZONES[set_up]}))))


def faults(snapshot):
    """Nothing wrong, and all that changes who is contacted or when."""
    every = list(dict.fromkeys(place.address for place in places(snapshot)))
    yield {}
    yield {every[0]: Mode.REFUSE}
    yield {every[0]: Mode.BLACKHOLE}
    yield {every[0]: Mode.G421, every[-1]: Mode.G554}
    yield dict.fromkeys(every, Mode.R450)
    yield dict.fromkeys(every, Mode.G554)
    yield dict.fromkeys(every[:-1], Mode.BLACKHOLE)


def pairs(exact, tried):
    """Each exact figure with its estimate."""
    for name in ("first", "accepted"):
        for address in tried.first:
            yield float(getattr(exact, name).get(address, 0)), getattr(tried, name)[address]
    for result in Result:
        yield float(exact.outcome[result]), tried.outcome.get(result, NOTHING)
    yield float(exact.attempts_mean), tried.contacts
    if exact.taken:
        yield exact.taken.mean_s, tried.delay.mean


def held(true, estimate, wide=1.0):
    """Whether a widened interval holds the true figure."""
    low = estimate.value - (estimate.value - estimate.low) * wide
    high = estimate.value + (estimate.high - estimate.value) * wide
    return low - 1e-9 <= true <= high + 1e-9


def test_trials_hold_the_exact_figures(set_up, snapshot):
    """Shares, outcomes, contacts and waits of the first attempt, in every order of DNS, under every kind of fault.

    Each fault has one order, the next fault the next one. A sender has one fault of some set-ups, the next sender and
    the next set-up the next ones; each has them all in a whole run.
    A sender that keeps an answer in its process is exact within one TTL only: for it the order stays fixed.
    """
    missed = []
    for turn, sender in enumerate(SENDERS.values()):
        for number, down in some(enumerate(faults(snapshot), turn), 29, turn + 5 * list(ZONES).index(set_up)):
            order = DnsOrder.FIXED if sender.caches_mx else list(DnsOrder)[(number + turn // 3) % len(DnsOrder)]
            exact = forecast(Case(snapshot, sender.name, order, down), sender, examples=0)
            outages = tuple(Outage(address, mode) for address, mode in down.items())
            load = Workload(MESSAGES, sources=MESSAGES)
            tried = run(Trial(snapshot, sender, load, order, outages=outages, schedule=SCHEDULES["none"]), seed=1)
            assert exact.unable == tried.unable
            if not exact.unable:
                missed += [(sender.name, down, each) for each in pairs(exact, tried) if not held(*each, WIDE)]
    assert [] == missed


SOME_PAIRS = [pair for number, pair in enumerate(product(Mode, repeat=2)) if number % 5 == 0]


def test_trials_of_ours_hold_the_exact_figures_under_two_faults(set_up, snapshot):
    """A fifth of all pairs, which has each fault first and second: late, silent and refusing ones beside each other.

    Each set-up has some of them, the next set-up the next ones; each has them all in a whole run.
    """
    every = list(dict.fromkeys(place.address for place in places(snapshot)))
    sender, load, missed = SENDERS["postroad"], Workload(1000, sources=1000), []
    for number, pair in some(enumerate(SOME_PAIRS), 31, 5 * list(ZONES).index(set_up)):
        order, down = list(DnsOrder)[number % len(DnsOrder)], dict(zip((every[0], every[-1]), pair, strict=True))
        exact = forecast(Case(snapshot, sender.name, order, down), sender, examples=0)
        outages = tuple(starmap(Outage, down.items()))
        tried = run(Trial(snapshot, sender, load, order, outages=outages, schedule=SCHEDULES["none"]), seed=1)
        missed += [(order, pair, each) for each in pairs(exact, tried) if not held(*each, WIDE)]
    assert [] == missed
    assert set(Mode) == {pair[0] for pair in SOME_PAIRS} == {pair[1] for pair in SOME_PAIRS}


def test_an_outage_between_two_contacts_is_met_by_the_second():
    """The primary is silent; its backup, asked a second later, has been down for half of that."""
    snapshot = asyncio.run(gather("example.com", ZoneResolver(parse_zones({"zone": ZONES["t5"]}))))
    first, second = list(dict.fromkeys(place.address for place in places(snapshot)))[:2]
    load = Workload(1, over_s=1e-9)
    late = (Outage(first, Mode.BLACKHOLE), Outage(second, Mode.G554, from_s=0.5))
    early = (Outage(first, Mode.BLACKHOLE), Outage(second, Mode.G554, until_s=0.5))
    results = [
        run(Trial(snapshot, SENDERS["postroad"], load, outages=each, schedule=SCHEDULES["none"]), 1).outcome
        for each in (late, early)
    ]
    assert [0.0, 1.0] == [each[Result.DELIVERED].value for each in results]


@pytest.mark.parametrize(
    ("sender", "order", "load"),
    [
        ("rfc5321", DnsOrder.FIXED, Workload(500)),
        ("dns-order", DnsOrder.CACHED, Workload(1000, over_s=3600 * 4, sources=1)),  # 48 TTLs, a cluster each
        ("dns-order", DnsOrder.CACHED, Workload(1000, over_s=3600, sources=100)),  # a source is a cluster
        ("postfix-reuse", DnsOrder.FIXED, Workload(80, over_s=0.05, sources=40, session_s=0.015)),
    ],
)
def test_of_a_hundred_intervals_ninety_five_hold(sender, order, load):
    """As they claim, whether messages are independent or share their luck."""
    snapshot = asyncio.run(gather("example.com", ZoneResolver(parse_zones({"zone": ZONES["t1"]}))))
    number = examples(200)  # of fewer none may miss, as chance has it
    tried = (run(Trial(snapshot, SENDERS[sender], load, order), seed) for seed in range(number))
    holding = sum(0.5 in next(iter(each.first.values())) for each in tried)
    assert 0.89 * number <= holding < number


@pytest.mark.parametrize("name", ["rfc5321", "sendmail", "postroad", "twisted"])
def test_questions_agree_without_a_cache(name):
    """Each attempt asks for all it needs when nothing is kept."""
    snapshot = asyncio.run(gather("example.com", ZoneResolver(parse_zones({"zone": ZONES["t5"]}))))
    exact = forecast(Case(snapshot, name), SENDERS[name]).questions
    tried = run(Trial(snapshot, SENDERS[name], Workload(100, sources=100), ttl_s=0), seed=1).questions
    assert tuple(map(float, (exact.mx, exact.a, exact.aaaa))) == (tried.mx, tried.a, tried.aaaa)
