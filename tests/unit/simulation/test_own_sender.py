"""Our own sender is not a model: what is forecast of it is what `routing` draws and walks, order by order."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from itertools import permutations, product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some
from tests.support.forecasts import snapshot

from postroad.routing import PROCEDURES, Refusal, WalkPolicy, decide, plan_of, turned, turns_of
from postroad.routing.policy import EqualsPolicy
from postroad.simulation import SENDERS, Case, DnsOrder, forecast
from postroad.simulation.own import CONNECT_TIMEOUT_S, GREETING_TIMEOUT_S, OwnSender, sums
from postroad.simulation.own.graph import asked
from postroad.smtp import Timeouts
from postroad.words.facts import Tlsa
from postroad.words.faults import Fault, Mode
from postroad.words.outcome import Result
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel

RFC5321 = PROCEDURES["rfc5321"]
FIELDS = ("first", "accepted", "outcome", "attempts_mean", "attempts_max", "delay_mean_s", "delay_worst_s", "taken")


def orders(level, policy):
    """All that `throw` can give for one preference."""
    places = range(len(level.exchangers))
    return list(permutations(places)) if policy.equals is EqualsPolicy.RANDOM else [tuple(places)]


def attempts(route, own):
    """Every turn and order of a route, walked, each as likely."""
    turns = range(turns_of(route) if own.turns else 1)
    thrown = list(product(*(orders(level, own.policy) for level in route.levels)))
    for turn in turns:
        seen = turned(route, turn)
        for throw in thrown:
            yield Fraction(1, len(turns) * len(thrown)), own.rehearse(seen, plan_of(seen, own.policy, throw))


def taker(attempt):
    """The address that took the message."""
    return next(each.target.address for each in reversed(attempt.contacts) if each.word == "delivered")


def added_up(route, own):
    """The figures of a forecast, by listing all there is."""
    sums = {name: defaultdict(Fraction) for name in ("first", "accepted", "outcome")}
    mean, delay_s, every, taken = Fraction(0), 0.0, [], []
    for chance, attempt in attempts(route, own):
        contacts = asked(attempt.contacts)
        if contacts:
            sums["first"][contacts[0].target.address] += chance
        sums["outcome"][attempt.result] += chance
        if attempt.result is Result.DELIVERED:
            sums["accepted"][taker(attempt)] += chance
            taken.append((float(chance), attempt.elapsed_ms / 1000))
        mean += chance * len(contacts)
        delay_s += float(chance) * attempt.elapsed_ms / 1000
        every.append((len(contacts), attempt.elapsed_ms / 1000))
    rest = (mean, max(most for most, _ in every), pytest.approx(delay_s), pytest.approx(max(late for _, late in every)))
    return dict(zip(FIELDS, (*map(dict, sums.values()), *rest, waits(taken)), strict=True))


def waits(taken):
    """How long mail takes that gets through, by the chance of each way; nothing where none does."""
    part = sum(chance for chance, _ in taken)
    if not part:
        return None
    mean_s = sum(chance * late for chance, late in taken) / part
    return pytest.approx((mean_s, max(late for _, late in taken)), abs=1e-9)


def told(route, own):
    """The same as it is forecast, by address."""
    found = own.foresee(route, DnsOrder.FIXED)
    by_address = {}
    for name in ("first", "accepted"):
        by_address[name] = defaultdict(Fraction)
        for target, share in getattr(found, name).items():
            by_address[name][target.address] += share
    outcome = {result: share for result, share in found.outcome.items() if share}
    taken = found.taken and (found.taken.mean_s, found.taken.worst_s)
    return {name: getattr(found, name) for name in FIELDS} | by_address | {"outcome": outcome, "taken": taken}


SHAPES = [levels for number in (1, 2, 3) for levels in product((10, 20), repeat=number)]
SMALL_MODES = (Mode.ACCEPT, Mode.REFUSE, Mode.BLACKHOLE, Mode.CLOSE, Mode.R450, Mode.R550)
CASES = [(levels, modes) for levels in SHAPES for modes in product(SMALL_MODES, repeat=len(levels))]


def test_no_small_case_is_told_otherwise_than_it_is_walked():
    """Every zone of up to three exchangers on two levels, each well, dead, silent or refusing: no difference.

    Every thirty-first of them; all in a whole run.
    """
    different = []
    for levels, modes in some(CASES, 31):
        records = [(level, f"mx{place}", f"192.0.2.{place}") for place, level in enumerate(levels)]
        down = {ip_address(f"192.0.2.{place}"): Fault(mode) for place, mode in enumerate(modes)}
        route, own = decide(snapshot(*records)), OwnSender(down)
        if added_up(route, own) != told(route, own):
            different.append((levels, modes))
    assert (1884, []) == (len(CASES), different)


def test_who_is_refused_beyond_the_limit_is_forecast_as_it_is_walked():
    """A host that cannot prove what is demanded defers the mail that another has refused, wherever it stands."""
    facts = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2", "192.0.2.3", "192.0.2.4"))
    route = decide(facts, demands={"a": MISSED})
    own = OwnSender({ip_address("192.0.2.2"): Fault(Mode.R550)}, replace(RFC5321, limit=2), turns=False)
    assert {Result.DEFERRED: Fraction(1)} == told(route, own)["outcome"] == added_up(route, own)["outcome"]


def test_an_overtaken_contact_is_asked_again_by_the_forecast_too():
    """The primary is silent, its backup says 450: a second contact with the primary is the third of the attempt."""
    facts = snapshot((10, "a", "192.0.2.1"), (20, "b", "192.0.2.2"))
    down = {ip_address("192.0.2.1"): Mode.BLACKHOLE, ip_address("192.0.2.2"): Mode.R450}
    assert (3, 31.0) == (
        (answer := forecast(Case(facts, "postroad", down=down), SENDERS["postroad"])).attempts_max,
        answer.delay_worst_s,
    )


ADDRESSES = [f"192.0.2.{n}" for n in range(1, 6)] + [f"2001:db8::{n}" for n in range(1, 4)]
MISSED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, missed=Miss(TlsFailure.VALIDATION, "it is not listed"))
DEMANDS = st.sampled_from(
    [
        MISSED,
        Demand(TlsLevel.ENCRYPTED, Authority.DANE),
        Demand(TlsLevel.PROVEN, Authority.MTA_STS, names=("mx1",)),
        Demand(TlsLevel.PROVEN, Authority.DANE, tlsa=(Tlsa(3, 1, 1, b"k" * 32),)),
        Demand(TlsLevel.PROVEN, Authority.DANE, tlsa=(Tlsa(2, 1, 1, b"k" * 32),)),
    ]
)
FAULTS = st.builds(Fault, st.sampled_from([*Mode, Mode.BLACKHOLE, Mode.BLACKHOLE]), st.sampled_from([0.5, 1.0, 40.0]))


@st.composite
def routes(draw):
    """A random zone of up to four exchangers, which may share addresses and be of both families."""
    addresses = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True)
    alone = st.builds(lambda number: [f"192.0.2.{number}"], st.integers(100, 199))
    records = draw(st.lists(st.tuples(st.sampled_from([10, 10, 20]), addresses | alone), min_size=1, max_size=4))
    demands = draw(st.dictionaries(st.sampled_from([f"mx{place}" for place in range(4)]), DEMANDS))
    facts = snapshot(*((level, f"mx{place}", *texts) for place, (level, texts) in enumerate(records)))
    route = decide(facts, demands=demands)
    assert not isinstance(route, Refusal)
    return route


@st.composite
def senders(draw, route):
    """Our sender in any setting, among at least two faults where there are so many addresses."""
    every = sorted({each for level in route.levels for host in level.exchangers for each in host.addresses}, key=str)
    bad = draw(st.lists(st.sampled_from(every), min_size=min(2, len(every)), unique=True))
    policy = replace(PROCEDURES[draw(st.sampled_from(["rfc5321", "rfc974"]))], limit=draw(st.sampled_from([100, 2, 4])))
    walk = draw(st.sampled_from([WalkPolicy(), WalkPolicy(greeting_patience_s=5.0), WalkPolicy(stagger_s=0.0)]))
    return OwnSender({each: draw(FAULTS) for each in bad}, policy, walk, tls=draw(st.booleans()))


@settings(max_examples=examples(120))
@given(st.data())
def test_the_forecast_is_every_draw_walked(data):
    """Random zones, two and more faults at a time: outcome, contacts, shares and delay are those of all orders."""
    route = data.draw(routes())
    own = data.draw(senders(route))
    assert added_up(route, own) == told(route, own)


@settings(max_examples=examples(80))
@given(st.data())
def test_the_ways_of_the_forecast_are_the_attempts_that_can_happen(data):
    """The same contacts in the same order at the same times, with the same chances, and no other."""
    route = data.draw(routes())
    own = data.draw(senders(route))
    walked, foreseen = defaultdict(Fraction), defaultdict(Fraction)
    for chance, attempt in attempts(route, own):
        walked[repr(attempt.contacts)] += chance
    for way in own.ways(route):
        foreseen[repr(way.contacts)] += way.chance
    assert [walked[each] for each in walked] == [foreseen.get(each) for each in walked]
    assert sum(foreseen.values()) == 1


@settings(max_examples=examples(30))
@given(st.data())
def test_a_draw_finds_its_way_in_the_forecast(data):
    """What a plan comes to is the way of the forecast that goes through its hosts: contact by contact."""
    route = data.draw(routes())
    own = replace(data.draw(senders(route)), turns=False)
    throw = tuple(data.draw(st.sampled_from(orders(level, own.policy))) for level in route.levels)
    plan = plan_of(route, own.policy, throw)
    assert own.rehearse(route, plan) == own.foretell(route, plan)


@pytest.mark.parametrize("order", [DnsOrder.FIXED, DnsOrder.ROTATE, DnsOrder.CACHED])
def test_the_sets_of_a_route_turn_in_step(order):
    """Two hosts of two addresses, each with one dead: both are at their dead one in the same turn, or neither is."""
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2"), (20, "b", "192.0.2.3", "192.0.2.4"))
    down = dict.fromkeys(map(ip_address, ("192.0.2.1", "192.0.2.2", "192.0.2.3")), Mode.REFUSE)
    answer = forecast(Case(facts, "postroad", order, down), SENDERS["postroad"])
    assert [Fraction(1, 2)] * 2 == [answer.first[ip_address(f"192.0.2.{n}")] for n in (1, 2)]
    assert Fraction(7, 2) == answer.attempts_mean


@pytest.mark.parametrize("order", [DnsOrder.ROTATE_APART, DnsOrder.RANDOM])
@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE, Mode.R450])
def test_sets_that_come_each_in_an_order_of_their_own_are_drawn_apart(order, mode):
    """Every order of every host's addresses that the answers may have, with every order of the hosts."""
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2", "192.0.2.3"), (10, "b", "192.0.2.4", "192.0.2.5"))
    down = {ip_address(f"192.0.2.{n}"): mode for n in (1, 2, 4)}
    route, own = decide(facts), OwnSender({address: Fault(mode) for address in down}, turns=False)
    rows = [
        [addresses for addresses in permutations(each.addresses) if order is DnsOrder.RANDOM or _turns(each, addresses)]
        for each in route.levels[0].exchangers
    ]
    mean = Fraction(0)
    for addresses in product(*rows):
        hosts = zip(route.levels[0].exchangers, addresses, strict=True)
        level = replace(route.levels[0], exchangers=tuple(replace(each, addresses=one) for each, one in hosts))
        found = own.foresee(replace(route, levels=(level,)), DnsOrder.FIXED)
        mean += found.attempts_mean / prod(map(len, rows))
    assert mean == forecast(Case(facts, "postroad", order, down), SENDERS["postroad"]).attempts_mean


def _turns(host, addresses):
    at = addresses.index(host.addresses[0])
    return addresses[at:] + addresses[:at] == host.addresses


def test_forty_dead_equals_are_counted():
    """All silent: a contact each quarter of a second, and the last gives up half a minute after it began."""
    facts = snapshot(*((10, f"mx{n}", f"192.0.2.{n}") for n in range(1, 41)))
    down = dict.fromkeys((ip_address(f"192.0.2.{n}") for n in range(1, 41)), Mode.BLACKHOLE)
    answer = forecast(Case(facts, "postroad", DnsOrder.ROTATE, down), SENDERS["postroad"])
    assert (40, 39 * 0.25 + CONNECT_TIMEOUT_S) == (answer.attempts_max, answer.delay_worst_s)


HALF_DOWN = [
    [Mode.REFUSE, Mode.BLACKHOLE, Mode.MUTE, Mode.R450],
    [Mode.REFUSE, Mode.BLACKHOLE, Mode.G421, Mode.R450, Mode.R550, Mode.E451, Mode.MUTE, Mode.CLOSE],
]
EXACT = [(2.0734, 10.2056), (2.0855, 5.6352)]  # worked out once, in 49 and 9 seconds


@pytest.mark.parametrize(("modes", "exact"), some(zip(HALF_DOWN, EXACT, strict=True), 2, 1))
def test_half_down_in_ways_that_mix_badly_is_sampled_and_close(modes, exact):
    """A server that never greets makes attempts stand in thousands of ways: most of their chance is still counted.

    Once with eight such ways; with four, too, in a whole run.
    """
    addresses = [ip_address(f"192.0.2.{n}") for n in range(1, 101)]
    facts = snapshot(*((10, f"mx{number}", str(each)) for number, each in enumerate(addresses)))
    down = {each: modes[number % len(modes)] for number, each in enumerate(addresses[::2])}
    answer = forecast(Case(facts, "postroad", DnsOrder.FIXED, down), SENDERS["postroad"])
    assert answer.sampled
    assert dict.fromkeys(addresses, Fraction(1, 100)) == answer.first
    assert (1, 1) == (answer.outcome[Result.DELIVERED], sum(answer.accepted.values()))
    assert exact == pytest.approx((float(answer.attempts_mean), answer.delay_mean_s), rel=0.02)


@settings(max_examples=examples(36))
@given(st.data(), st.integers(0, 3000))
def test_a_sampled_forecast_is_a_part_of_the_whole(data, steps):
    """However early it stops counting: first contacts are exact, chances sum to one, and nothing is new."""
    route = data.draw(routes())
    own = data.draw(senders(route))
    whole = told(route, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "MOST_STEPS", steps)
        part = told(route, own)
    assert whole["first"] == part["first"]
    assert 1 == sum(part["outcome"].values())
    assert not part["accepted"].keys() - whole["accepted"].keys()
    assert not part["outcome"].keys() - whole["outcome"].keys()
    assert part["attempts_max"] <= whole["attempts_max"]
    assert part["delay_worst_s"] <= whole["delay_worst_s"] + 1e-6


def test_a_route_with_too_many_turns_says_that_it_is_sampled():
    """Seven hosts whose numbers of addresses have no factor in common come round after 510,510 messages."""
    numbers = iter(range(1, 200))
    records = [
        (10, f"mx{size}", *(f"192.0.2.{next(numbers)}" for _ in range(size))) for size in (2, 3, 5, 7, 11, 13, 17)
    ]
    answer = forecast(Case(snapshot(*records), "postroad"), SENDERS["postroad"], examples=0)
    assert answer.sampled
    assert 1 == sum(answer.first.values())
    assert not forecast(Case(snapshot(*records[:3]), "postroad"), SENDERS["postroad"], examples=0).sampled


def test_the_relay_waits_for_a_connection_as_long_as_the_forecast_says():
    """One setting, said in two rooms that do not know each other."""
    assert (Timeouts().connect_s, Timeouts().greeting_s) == (CONNECT_TIMEOUT_S, GREETING_TIMEOUT_S)
