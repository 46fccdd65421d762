"""The order of equals: odds are exact, draws follow them, limits leave no level unreached."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from itertools import groupby, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domains import T1, T2, T3, T4, T5, T6, domain, host

from postroad.routing import PROCEDURES, Dice, DropReason, RoutePolicy, StaticHost, decide, decide_static, draw, odds
from postroad.routing.order import Filling
from postroad.routing.policy import EqualsPolicy
from postroad.words.tls import Demand, Miss, TlsFailure, TlsLevel

RFC5321 = PROCEDURES["rfc5321"]
MISSED = Demand(TlsLevel.PROVEN, missed=Miss(TlsFailure.VALIDATION, "it is not listed"))
CHI_SQUARE_999 = {1: 10.83, 2: 13.82}  # 0.1 % points by degrees of freedom


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (T1, {"mail1": "1/2", "mail2": "1/2"}),
        (T2, {"mail": "1"}),
        (T3, {"mail1": "1/2", "mail2": "1/2"}),
        (T4, {"a": "1/2", "b": "1/2"}),
        (T5, {"a": "1", "b": "0"}),
        (T6, {"a": "1/3", "b": "1/3", "c": "1/3"}),
    ],
)
def test_equal_exchangers_share_the_first_contact(snapshot, expected):
    """Hosts of the lowest preference have equal odds, whatever their number of addresses; others have none."""
    assert {name: Fraction(share) for name, share in expected.items()} == odds(decide(snapshot), RFC5321).hosts


def test_within_a_host_the_first_address_takes_all():
    """The address the resolver gave first is first: one name with two addresses is no balance for such a sender."""
    shares = odds(decide(T2), RFC5321).addresses
    assert [Fraction(1), Fraction(0)] == list(shares.values())


def test_rfc974_keeps_the_order_of_the_answer():
    """Where the order of equals is the sender's choice, the first record of the answer takes all."""
    assert {"mail1": 1, "mail2": 0} == odds(decide(T1), PROCEDURES["rfc974"]).hosts


@pytest.mark.parametrize("snapshot", [T1, T3, T6], ids=["t1", "t3", "t6"])
def test_a_thousand_draws_follow_the_odds(snapshot):
    """The seeded draw agrees with the exact odds: chi-square below its 0.1 % point."""
    route = decide(snapshot)
    firsts = Counter(draw(route, RFC5321, Dice(seed)).targets[0].exchange for seed in range(1000))
    expected = {name: float(share * 1000) for name, share in odds(route, RFC5321).hosts.items() if share}
    chi_square = sum((firsts[name] - count) ** 2 / count for name, count in expected.items())
    assert set(expected) == set(firsts)
    assert chi_square < CHI_SQUARE_999[len(expected) - 1]


def test_same_seed_same_order():
    """A recorded seed replays the choice."""
    assert draw(decide(T6), RFC5321, Dice(7)) == draw(decide(T6), RFC5321, Dice(7))


def test_seed_draws_this_order_for_ever():
    """The draw depends on the seed alone, not on the version of Python: these orders must never change.

    Those of `random.Random` neither: records of older versions are drawn with it.
    """
    rows = {Dice(1): "abc", Dice(2): "cab", Random(1): "bca"}
    for dice, order in rows.items():
        drawn = dict.fromkeys(target.exchange for target in draw(decide(T6), RFC5321, dice).targets)
        assert order == "".join(drawn)


@pytest.mark.parametrize("names", ["".join(names) for names in permutations("abc")])
def test_order_of_dns_is_that_of_the_plan_or_means_nothing(names):
    """A sender that keeps the order given takes it as it is; to one that draws, the seed alone decides."""
    hosts = {name: host(f"192.0.2.{place}") for place, name in enumerate("abc", 1)}
    route = decide(domain(*((10, name) for name in names), **hosts))
    given_order, drawn = (draw(route, PROCEDURES[name], Dice(2)).targets for name in ("rfc974", "rfc5321"))
    assert (list(names), list("cab")) == ([each.exchange for each in given_order], [each.exchange for each in drawn])


def test_order_of_the_settings_means_nothing_to_a_draw():
    """Nor does it where one host stands there with several ports: the same seed draws the same order."""
    here = ip_address("192.0.2.1")
    drawn = []
    for ports in permutations((None, 24, 2500)):
        hosts = tuple(StaticHost(here, port) for port in ports)
        plan = draw(decide_static(hosts, "example.com", {}, RFC5321), RFC5321, Dice(1))
        drawn.append([each.port for each in plan.targets])
    assert [drawn[0]] * 6 == drawn


def test_address_behind_two_equal_names_is_tried_once():
    """In t3 both names have both addresses: an order has two targets, and says what it left out."""
    plan = draw(decide(T3), RFC5321, Dice(1))
    assert (2, [DropReason.DUPLICATE_ADDRESS] * 2) == (len(plan.targets), [drop.reason for drop in plan.dropped])


def _policy(limit, equals=EqualsPolicy.RANDOM):
    return RoutePolicy("test", "test", equals, limit=limit)


def test_limit_reaches_every_level_once():
    """Eight addresses at the best preference do not use up the limit before the backup is reached."""
    many = domain((10, "a"), (20, "b"), a=host(*(f"192.0.2.{n}" for n in range(1, 9))), b=host("198.51.100.1"))
    plan = draw(decide(many, _policy(3)), _policy(3), Dice(1))
    assert [("a", "192.0.2.1"), ("a", "192.0.2.2"), ("b", "198.51.100.1")] == [
        (target.exchange, str(target.address)) for target in plan.targets
    ]
    assert [DropReason.LIMIT] * 6 == [drop.reason for drop in plan.dropped]


def test_host_that_is_refused_keeps_no_other_out():
    """Neither its name behind the same address, nor by a place within the limit: nobody connects to it."""
    hosts = {name: host(address) for name, address in (("a", "192.0.2.1"), ("b", "192.0.2.1"), ("c", "192.0.2.3"))}
    route = decide(domain((10, "a"), (20, "b"), (30, "c"), **hosts), demands={"a": MISSED})
    plan = draw(route, replace(RFC5321, limit=2), Dice(1))
    assert ["a", "b", "c"] == [target.exchange for target in plan.targets]


def test_a_level_where_all_are_refused_takes_no_place():
    """The second address of a host is within the limit: nobody connects to the backup."""
    hosts = {"a": host("192.0.2.1", "192.0.2.2"), "b": host("192.0.2.3")}
    route = decide(domain((10, "a"), (20, "b"), **hosts), demands={"b": MISSED})
    plan = draw(route, replace(RFC5321, limit=2), Dice(1))
    assert ["a", "a", "b"] == [target.exchange for target in plan.targets]


def test_a_level_of_known_addresses_takes_no_place():
    """Who has nothing new to offer needs no place of a limit: a third address has it."""
    names = {"a": host("192.0.2.1", "192.0.2.2", "192.0.2.3"), "b": host("192.0.2.1"), "c": host("192.0.2.4")}
    policy = _policy(3)
    plan = draw(decide(domain((10, "a"), (20, "b"), (30, "c"), **names), policy), policy, Dice(1))
    assert ["192.0.2.1", "192.0.2.2", "192.0.2.4"] == [str(target.address) for target in plan.targets]


def test_a_level_of_the_settings_that_repeats_addresses_takes_no_place():
    """There nothing is left out beforehand: a backup may be the same host again."""
    policy = _policy(3)
    rows = (("192.0.2.1", 0), ("192.0.2.2", 0), ("192.0.2.3", 0), ("192.0.2.1", 1), ("192.0.2.4", 2))
    hosts = tuple(StaticHost(ip_address(address), preference=preference) for address, preference in rows)
    plan = draw(decide_static(hosts, "example.com", {}, policy), policy, Dice(1))
    assert [0, 0, 2] == [target.preference for target in plan.targets]


LAYOUTS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(1, 12), min_size=1, max_size=3)), min_size=1)


def _layout(hosts):
    records = [(preference, f"h{number}") for number, (preference, _) in enumerate(hosts)]
    facts = {f"h{number}": host(*(f"192.0.2.{n}" for n in set(last))) for number, (_, last) in enumerate(hosts)}
    return domain(*records, **facts)


@given(LAYOUTS, st.sampled_from([None, 2, 3, 5]), st.sampled_from(EqualsPolicy), st.integers(0, 99))
def test_odds_sum_to_one_and_draws_keep_every_rule(hosts, limit, equals, seed):
    """Odds sum to one; a draw ascends, names no address twice, loses none without a reason, reaches each level."""
    policy = _policy(limit, equals)
    route = decide(_layout(hosts), policy)
    chances = odds(route, policy)
    plan = draw(route, policy, Dice(seed))
    preferences = [target.preference for target in plan.targets]
    addresses = [target.address for target in plan.targets]
    everything = {address for level in route.levels for each in level.exchangers for address in each.addresses}
    assert (1, 1) == (sum(chances.hosts.values()), sum(chances.addresses.values()))
    assert sorted(preferences) == preferences
    assert len(set(addresses)) == len(addresses)
    assert everything == set(addresses) | {drop.address for drop in plan.dropped}
    assert limit is not None or everything == set(addresses)
    assert limit is None or len(addresses) <= max(limit, len(route.levels))
    assert chances.hosts[plan.targets[0].exchange] > 0


@given(LAYOUTS, st.integers(0, 99))
def test_addresses_of_a_host_keep_the_order_given(hosts, seed):
    """The draw shuffles hosts, never the addresses of one: the resolver ordered them (RFC 5321 section 5.1)."""
    route = decide(_layout(hosts))
    given_order = {each.name: list(each.addresses) for level in route.levels for each in level.exchangers}
    for name, group in groupby(draw(route, RFC5321, Dice(seed)).targets, key=lambda target: target.exchange):
        drawn = [target.address for target in group]
        assert [address for address in given_order[name] if address in drawn] == drawn


POOLS = st.lists(
    st.tuples(st.integers(1, 2), st.lists(st.integers(1, 4), min_size=1, max_size=2)), min_size=2, max_size=5
)


@given(POOLS, st.sets(st.integers(0, 4)), st.sampled_from([None, 2, 3]), st.data())
def test_plans_that_stand_alike_go_on_alike(hosts, refused, limit, data):
    """Whatever was given to them so far: what a forecast takes for one may not differ in any host to come."""
    policy = _policy(limit)
    route = decide(_layout(hosts), policy, demands={f"h{number}": MISSED for number in refused})
    given_hosts = [(level.preference, each) for level in route.levels for each in level.exchangers]
    behind = Counter(address for _, each in given_hosts for address in each.addresses)
    shared = frozenset(address for address, count in behind.items() if count > 1)
    count = data.draw(st.integers(0, len(given_hosts)))
    orders = [data.draw(st.permutations(given_hosts)) for _ in range(2)]
    to_come = [each for each in given_hosts if each not in orders[0][:count] and each not in orders[1][:count]]
    plans = [Filling(route, policy) for _ in orders]
    for plan, order in zip(plans, orders, strict=True):
        for preference, each in order[:count]:
            plan.add(preference, each)
    one, other = (plan.standing(shared) for plan in plans)
    if not shared and (limit is None or len(behind) <= limit):
        assert None is one is other
    if one == other:
        for preference, each in to_come:
            have_place = [plan.has_place_for(preference, each) for plan in plans]
            taken = [plan.add(preference, each) for plan in plans]
            assert taken[0] == taken[1]
            assert [bool(each) for each in taken] == have_place


def test_plans_that_differ_in_what_stands_behind_several_names_stand_apart():
    """What one of them has already, the other still tries; what stands behind one name alone tells none apart."""
    hosts = {"a": host("192.0.2.1"), "b": host("192.0.2.1"), "c": host("192.0.2.3"), "d": host("192.0.2.4")}
    route = decide(domain(*((10, name) for name in hosts), **hosts))
    exchangers = {each.name: each for each in route.levels[0].exchangers}
    standings = []
    for order in ("ca", "da", "c", "d"):
        plan = Filling(route, RFC5321)
        for name in order:
            plan.add(10, exchangers[name])
        standings.append(plan.standing(frozenset(exchangers["a"].addresses)))
    assert (standings[0], standings[2]) == (standings[1], standings[3])
    assert standings[0] != standings[2]


def test_a_fork_goes_on_as_its_plan_would_and_leaves_it_alone():
    """Its own targets are those behind the fork: the beginning is known."""
    hosts = {"a": host("192.0.2.1"), "b": host("192.0.2.1", "192.0.2.2"), "c": host("192.0.2.3")}
    route = decide(domain(*((10, name) for name in hosts), **hosts))
    a, b, c = route.levels[0].exchangers
    plan = Filling(route, RFC5321)
    plan.add(10, a)
    fork = plan.fork()
    assert ["192.0.2.2"] == [str(each.address) for each in fork.add(10, b)]
    plan.add(10, c)
    assert [["a", "c"], ["b"]] == [[each.exchange for each in one.plan.targets] for one in (plan, fork)]
    assert plan.has_place_for(10, b)


def test_plans_that_are_full_stand_alike():
    """However much was left out, and whatever stands behind one name alone: a forecast goes through one of them."""
    alone = {f"h{n}": host(*(f"192.0.2.{n}{last}" for last in range(n))) for n in (1, 2, 3)}
    route = decide(domain((10, "h1"), (10, "h2"), (10, "h3"), **alone), _policy(2))
    standings = []
    for order in permutations(route.levels[0].exchangers, 2):
        plan = Filling(route, _policy(2))
        for each in order:
            plan.add(10, each)
        standings.append(plan.standing(frozenset()))
    assert [(0, frozenset({10}), frozenset())] * 6 == standings
