"""Routes of the settings: who takes which, what they mean, and how weights share the mail."""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domains import NOWHERE, SERVFAIL, T1, T5, domain, host

from postroad.routing import (
    PROCEDURES,
    Exchanger,
    Level,
    Refusal,
    Route,
    StaticHost,
    by_domain,
    decide,
    decide_static,
    draw,
    explain_route,
    odds,
    on_behalf,
    pick,
    read_route,
    route_record,
)
from postroad.routing.rules import Source
from postroad.words.facts import HostFacts
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Result

RFC5321 = PROCEDURES["rfc5321"]
CHI_SQUARE_999 = {1: 10.83, 2: 13.82}  # 0.1 % points by degrees of freedom


@dataclass(frozen=True)
class For:
    """A route with nothing but its domains."""

    domains: tuple


EXACT, NEAR, FAR, ALL = For(("a.b.example",)), For((".b.example",)), For((".example", "other.test")), For(("*",))


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("a.b.example", EXACT),
        ("c.b.example", NEAR),
        ("x.a.b.example", NEAR),
        ("b.example", FAR),
        ("other.test", FAR),
        ("sub.other.test", ALL),
        ("example", ALL),
        (AddressLiteral(ip_address("192.0.2.1")), ALL),
    ],
)
def test_the_nearest_route_is_taken(destination, expected):
    """The domain itself beats the nearest domain above it, which beats those further up, which beat everything."""
    assert expected == pick(by_domain([ALL, FAR, NEAR, EXACT]), destination)


def test_without_a_route_dns_decides():
    """A destination that no route is for takes none."""
    assert None is pick(by_domain([EXACT, NEAR]), "elsewhere.test")


def test_the_first_of_two_routes_for_a_domain_has_it():
    """What two routes name goes to the one that stands first."""
    first, second = For(("example.com",)), For(("example.com", "*"))
    assert first is pick(by_domain([first, second]), "example.com")


def _weights(*weights):
    exchangers = (
        Exchanger(f"h{number}", (ip_address(f"192.0.2.{number + 1}"),), weight) for number, weight in enumerate(weights)
    )
    return Route("example.com", Source.STATIC, (Level(0, tuple(exchangers)),))


def test_weights_are_exact_odds():
    """Three to one is three quarters and one quarter."""
    assert {"h0": Fraction(3, 4), "h1": Fraction(1, 4)} == odds(_weights(3, 1), RFC5321).hosts


@pytest.mark.parametrize("weights", [(3, 1), (5, 3, 2)])
def test_a_thousand_draws_follow_the_weights(weights):
    """The seeded draw agrees with the exact odds: chi-square below its 0.1 % point."""
    route = _weights(*weights)
    firsts = Counter(draw(route, RFC5321, Random(seed)).targets[0].exchange for seed in range(1000))
    expected = {name: float(share * 1000) for name, share in odds(route, RFC5321).hosts.items()}
    assert CHI_SQUARE_999[len(weights) - 1] > sum((firsts[n] - count) ** 2 / count for n, count in expected.items())


def test_what_is_left_is_drawn_by_weight_again():
    """When the first host is down its mail goes to the others by their weights, not to the next in a list."""
    route = _weights(4, 3, 1)
    plans = [draw(route, RFC5321, Random(seed)) for seed in range(2000)]
    seconds = Counter(plan.targets[1].exchange for plan in plans if plan.targets[0].exchange == "h0")
    total = seconds.total()
    assert CHI_SQUARE_999[1] > sum(
        (seconds[name] - total * part) ** 2 / (total * part) for name, part in (("h1", 0.75), ("h2", 0.25))
    )


def test_weighted_draw_of_seed_one_is_this_for_ever():
    """A recorded seed replays under any Python: this order must never change."""
    assert ["h0", "h2", "h1"] == [target.exchange for target in draw(_weights(5, 3, 2), RFC5321, Random(1)).targets]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(0, 99))
def test_a_weighted_draw_has_each_host_once(weights, seed):
    """Odds sum to one, and no host is lost or drawn twice."""
    route = _weights(*weights)
    assert 1 == sum(odds(route, RFC5321).hosts.values())
    assert sorted(f"h{n}" for n in range(len(weights))) == sorted(
        target.exchange for target in draw(route, RFC5321, Random(seed)).targets
    )


def test_equal_weights_are_no_weights():
    """Two and two are drawn as one and one, by the same seed."""
    assert draw(_weights(1, 1), RFC5321, Random(5)) == draw(_weights(2, 2), RFC5321, Random(5))


def _static(*hosts, **facts):
    return decide_static(hosts, "example.com", facts, RFC5321)


def test_hosts_become_equal_exchangers():
    """Names are looked up, addresses taken as they are, loopback too; ports and weights come along."""
    route = _static(
        StaticHost(ip_address("127.0.0.1"), port=10025, weight=3),
        StaticHost("mail"),
        mail=host("192.0.2.1", "2001:db8::1"),
    )
    assert (
        Route(
            "example.com",
            Source.STATIC,
            (
                Level(
                    0,
                    (
                        Exchanger("127.0.0.1", (ip_address("127.0.0.1"),), 3, 10025),
                        Exchanger("mail", (ip_address("2001:db8::1"), ip_address("192.0.2.1"))),
                    ),
                ),
            ),
        )
        == route
    )
    assert route == read_route(route_record(route))


def test_one_host_with_two_ports_is_two_places():
    """The same host may stand there twice; its odds are both of them, and both are tried."""
    here = ip_address("127.0.0.1")
    route = _static(StaticHost(here, 2501, 3), StaticHost(here, 2502, 1))
    assert {("127.0.0.1", here): 1} == odds(route, RFC5321).addresses
    assert {2501, 2502} == {target.port for target in draw(route, RFC5321, Random(1)).targets}


def test_a_host_that_is_not_found_is_left_out_with_its_reason():
    """The others have its part."""
    route = _static(StaticHost("gone"), StaticHost("mail"), gone=NOWHERE, mail=host("192.0.2.1"))
    assert ["mail"] == [each.name for each in route.levels[0].exchangers]
    assert [("gone", "the name does not exist (NXDOMAIN)")] == [(drop.exchange, drop.text) for drop in route.dropped]


@pytest.mark.parametrize("facts", [NOWHERE, HostFacts(SERVFAIL, SERVFAIL)])
def test_no_host_at_all_defers(facts):
    """A slip in the settings makes mail wait, whatever DNS says of the name: it returns none."""
    refusal = _static(StaticHost("gone"), gone=facts)
    assert (Refusal, Result.DEFERRED, "4.4.4") == (type(refusal), refusal.result, refusal.enhanced)
    assert "no host of the route for example.com can be used: gone: " in refusal.text


def test_the_way_of_another_domain_keeps_its_levels():
    """`mx_of` takes another domain's exchangers, preferences and all, and says so."""
    route = on_behalf(decide(T5), "customer.example")
    assert ("customer.example", decide(T5).levels) == (route.destination, route.levels)
    assert "Note: a route in the settings sends it to the exchangers of example.com." in explain_route(route, RFC5321)


def test_the_way_of_a_domain_without_one_defers():
    """That the domain named in the settings takes no mail is no reason to return mail for another."""
    refusal = on_behalf(decide(domain((0, ""))), "customer.example")
    assert ("customer.example", Result.DEFERRED, "4.4.4") == (refusal.destination, refusal.result, refusal.enhanced)
    assert Result.FAILED == decide(domain((0, ""))).result


def test_weights_are_told():
    """The explanation says that a route names the hosts, and that weights decide."""
    assert [
        "A route in the settings names the hosts it goes to.",
        "First preference 0: h0 and h1, equals, drawn at random by their weight"
        " (RFC 5321 section 5.1 (random among equals: MUST)).",
        "First contact: 192.0.2.1 75 %, 192.0.2.2 25 %.",
    ] == explain_route(_weights(3, 1), RFC5321)


def test_dns_alone_names_no_weights():
    """Everything DNS names weighs one."""
    assert {1} == {each.weight for level in decide(T1).levels for each in level.exchangers}
