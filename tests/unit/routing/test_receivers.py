"""Routes by who receives: which exchangers of a domain decide, and which of several routes is the nearest."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.routing import Routes, StaticRoute
from postroad.words.facts import Mx
from postroad.words.names import Unreadable
from postroad.words.providers import parse_provider, provider_key, provider_keys, providers

MICROSOFT = "a-example.mail.protection.outlook.com"
OUTLOOK = "hotmail-com.olc.protection.outlook.com"
GOOGLE = "aspmx.l.google.com"
FILTER = "mx1.pphosted.com"
OWN = "mx.a.example"


def taken(routes, *records):
    """The name of the route that a domain with these MX records takes, and why; empty for none."""
    picked = Routes(routes).of_exchangers([Mx(*record) for record in records])
    return (picked.route.name, picked.why) if picked else ("", "")


def name(routes, *records):
    """Only the name."""
    return taken(routes, *records)[0]


PROVIDER = StaticRoute("provider", provider="microsoft")


@pytest.mark.parametrize(
    ("expected", "records"),
    [
        ("provider", [(0, MICROSOFT)]),
        ("provider", [(10, MICROSOFT), (20, OWN)]),
        ("provider", [(10, MICROSOFT), (10, OUTLOOK)]),
        ("provider", [(0, ""), (10, MICROSOFT)]),
        ("provider", [(5, "192.0.2.1"), (10, MICROSOFT)]),
        ("", [(10, FILTER), (20, MICROSOFT)]),
        ("", [(10, MICROSOFT), (10, OWN)]),
        ("", [(0, "")]),
        ("", []),
        ("", [(0, "outlook.com.a.example")]),
    ],
    ids=[
        "the only one",
        "a backup of their own",
        "two names of one company",
        "null MX beside it",
        "address beside it",
        "filter in front",
        "equals that disagree",
        "null MX",
        "no MX",
        "like it, not it",
    ],
)
def test_the_best_exchangers_decide(expected, records):
    """All of the lowest preference value: where the mail goes. A backup decides nothing, nor what is no host."""
    assert expected == name([PROVIDER], *records)


@pytest.mark.parametrize(
    ("expected", "exchange"),
    [
        ("exact", "a.b.mx.example"),
        ("near", "c.b.mx.example"),
        ("far", "b.mx.example"),
        ("far", "x.mx.example"),
        ("", "mx.example"),
        ("written", MICROSOFT),
        ("company", OUTLOOK),
    ],
)
def test_the_nearest_pattern_has_it(expected, exchange):
    """As with domains; what is written out beats what the list of providers knows."""
    routes = [
        StaticRoute("company", provider="microsoft"),
        StaticRoute("far", exchangers=(".mx.example",)),
        StaticRoute("near", exchangers=(".b.mx.example",)),
        StaticRoute("exact", exchangers=("a.b.mx.example",)),
        StaticRoute("written", exchangers=(".mail.protection.outlook.com",)),
    ]
    assert expected == name(routes, (10, exchange))


def test_why_is_said():
    """The exchangers that were looked at, and what they have in common."""
    routes = [PROVIDER, StaticRoute("pattern", exchangers=(".pphosted.com",))]
    assert f"mail for it goes to {MICROSOFT}, run by Microsoft 365" == taken(routes, (0, MICROSOFT))[1]
    assert f"mail for it goes to {FILTER}, which is in .pphosted.com" == taken(routes, (0, FILTER))[1]


@pytest.mark.parametrize(
    ("expected", "routes"),
    [
        (False, []),
        (False, [StaticRoute("domain", domains=("a.example", "*"))]),
        (True, [StaticRoute("pattern", exchangers=(".mx.example",))]),
        (True, [PROVIDER]),
        (True, [StaticRoute("domain", domains=("a.example",)), PROVIDER]),
    ],
)
def test_exchangers_are_looked_up_where_they_may_decide(expected, routes):
    """And nowhere else: it costs a question to DNS."""
    assert expected == Routes(routes).wants_exchangers


def test_a_domain_has_its_route_and_all_others_have_theirs():
    """Each with why; without one for all there is none."""
    routes = Routes([StaticRoute("domain", domains=("a.example",)), StaticRoute("all", domains=("*",))])
    picked = [routes.of_domain("a.example"), routes.of_all()]
    assert [("domain", "it is for a.example"), ("all", "it is for all other mail")] == [
        (each.route.name, each.why) for each in picked
    ]
    assert (None, None) == (routes.of_domain("b.example"), Routes([PROVIDER]).of_all())


@given(st.permutations([(10, MICROSOFT), (10, OUTLOOK), (20, GOOGLE), (20, OWN), (30, FILTER)]))
def test_the_order_of_dns_decides_nothing(records):
    """An answer may have its records in any order."""
    assert "provider" == name([PROVIDER, StaticRoute("google", provider="google")], *records)


def test_every_provider_can_be_named():
    """By a key that is its own, however it is written; and each of its exchangers takes the route."""
    for key, names in provider_keys().items():
        assert key == parse_provider(key.upper().replace("-", " "))
        hosts = [host for each in providers() if each.name in names for host in each.hosts]
        assert {"it"} == {name([StaticRoute("it", provider=key)], (10, f"mx1.{host}")) for host in hosts}, key


def test_a_company_is_no_provider_of_another():
    """A short name never is the name of somebody else's service."""
    companies = {each.company for each in providers()} - {""}
    assert set() == companies & {provider_key(each.name) for each in providers()}


@given(st.text(alphabet=string.printable, max_size=30))
def test_any_text_is_a_provider_or_a_sentence(text):
    """What is not known is told with what is."""
    answer = parse_provider(text)
    assert answer in provider_keys() or (isinstance(answer, Unreadable) and "not a known provider; " in answer.why)
