"""Who we are: mail is never sent to where it would come back from, nor to a machine's own inner addresses."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domains import DOMAIN, domain, host

from postroad.routing import (
    PROCEDURES,
    DropReason,
    Own,
    Refusal,
    Route,
    StaticHost,
    Status,
    decide,
    decide_static,
    embedded,
)
from postroad.words.facts import Found, HostFacts, NoData, NoName
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot

RFC5321 = PROCEDURES["rfc5321"]
HERE = ip_address("192.0.2.1")
ANY_V4, ANY_V6, LOOPBACK = ip_address("0.0.0.0"), ip_address("::"), ip_address("127.0.0.1")
FORMS = {
    "mapped": lambda v4: f"::ffff:{v4}",
    "compatible": lambda v4: f"::{v4}",
    "NAT64": lambda v4: f"64:ff9b::{v4}",
    "6to4": lambda v4: f"2002:{int(IPv4Address(v4)) >> 16:x}:{int(IPv4Address(v4)) & 0xFFFF:x}::1",
}
BAD = {
    "127.0.0.1": DropReason.LOOPBACK,
    "127.255.0.9": DropReason.LOOPBACK,
    "169.254.0.1": DropReason.LINK_LOCAL,
    "169.254.169.254": DropReason.LINK_LOCAL,
    "0.0.1.1": DropReason.UNSPECIFIED,
    "224.0.0.1": DropReason.NOT_UNICAST,
    "240.0.0.1": DropReason.NOT_UNICAST,
    "255.255.255.255": DropReason.NOT_UNICAST,
}
PLAIN = {"::": DropReason.UNSPECIFIED, "::1": DropReason.LOOPBACK, "fe80::1": DropReason.LINK_LOCAL,
         "febf:ffff::1": DropReason.LINK_LOCAL, "ff02::1": DropReason.NOT_UNICAST}  # fmt: skip
NEVER = {
    **BAD,
    **PLAIN,
    **{form(v4): reason for form in FORMS.values() for v4, reason in BAD.items()},
}


def test_inner_addresses_are_never_targets():
    """As the address of an exchanger, of a domain without MX, and as a literal: in clear and inside IPv6."""
    for address, reason in NEVER.items():
        parsed = ip_address(address)
        snapshots = [domain((10, "a"), a=host(address)), domain(example_com=host(address))]
        for snapshot in [*snapshots, Snapshot(AddressLiteral(parsed), NoData())]:
            refusal = decide(snapshot)
            assert (Status.NO_ADDRESS, [(parsed, reason)]) == (
                refusal.status,
                [(drop.address, drop.reason) for drop in refusal.dropped],
            )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_what_stands_inside_a_good_address_is_no_fault(form):
    """An address that has an ordinary IPv4 address in it is one like others."""
    assert isinstance(decide(domain((10, "a"), a=host(form("192.0.2.1")))), Route)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(v4=st.integers(2, 2**32 - 1).map(IPv4Address))
def test_embedded_address_is_taken_out(form, v4):
    """All four ways of writing IPv4 inside IPv6 are read back."""
    assert v4 == embedded(ip_address(form(v4)))


@pytest.mark.parametrize("text", ["::", "::1", "2001:db8::7f00:1", "64:ff9b:1::7f00:1", "192.0.2.1", "fe80::7f00:1"])
def test_other_addresses_have_none_inside(text):
    """They are what they are."""
    assert ip_address(text) == embedded(ip_address(text))


ALIASED = Found((ip_address("198.51.100.1"),), aliases=("mx", "www"), name="us")


@pytest.mark.parametrize(
    "facts",
    [
        HostFacts(ALIASED, NoData()),
        HostFacts(NoData(), replace(ALIASED, records=(ip_address("2001:db8::1"),))),
        HostFacts(NoData(aliases=("mx", "us")), NoName()),
    ],
    ids=["A", "AAAA", "no address"],
)
def test_exchanger_that_is_an_alias_of_us_is_us(facts):
    """The names on the way of an alias count as the one that is listed: there the list ends."""
    answer = decide(domain((10, "good"), (20, "mx"), good=host("192.0.2.9"), mx=facts), RFC5321, Own(frozenset({"us"})))
    assert ([10], [("mx", DropReason.OWN_HOST)]) == (
        [level.preference for level in answer.levels],
        [(drop.exchange, drop.reason) for drop in answer.dropped],
    )


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"])
def test_exchanger_with_an_address_of_this_machine_is_us(address):
    """Whatever it is called, and however its address is written; nobody need name it in the settings."""
    refusal = decide(domain((10, "mx"), mx=host(address)), RFC5321, Own(interfaces=frozenset({HERE})))
    assert (Status.LOOP, Result.FAILED, "5.4.6") == (refusal.status, refusal.result, refusal.enhanced)


def test_our_loopback_is_no_exchanger_of_ours():
    """Loopback is left out for what it is: an exchanger there ends no list."""
    own = Own(interfaces=frozenset({LOOPBACK}), listens=frozenset({(LOOPBACK, 25)}))
    route = decide(domain((10, "bad"), (20, "good"), bad=host("127.0.0.2"), good=host("192.0.2.9")), RFC5321, own)
    assert ["good"] == [each.name for level in route.levels for each in level.exchangers]


def test_another_port_means_a_test():
    """There other servers have addresses of this machine; only those at which we listen ourselves are us."""
    own = Own(interfaces=frozenset({HERE}), port=2525)
    assert [False, True] == [
        each.is_exchanger(HERE) for each in (own, replace(own, listens=frozenset({(ANY_V4, 2525)})))
    ]


@pytest.mark.parametrize(
    ("listens", "host_", "port", "is_ours"),
    [
        (LOOPBACK, "127.0.0.1", 25, True),
        (LOOPBACK, "127.0.0.1", None, True),
        (LOOPBACK, "::ffff:127.0.0.1", 25, True),
        (LOOPBACK, "127.0.0.1", 10025, False),
        (LOOPBACK, "127.0.0.2", 25, False),
        (LOOPBACK, "192.0.2.1", 25, False),
        (HERE, "192.0.2.1", 25, True),
        (HERE, "127.0.0.1", 25, False),
        (HERE, "203.0.113.1", 25, True),
        (LOOPBACK, "203.0.113.1", 25, False),
        (ANY_V4, "192.0.2.1", 25, True),
        (ANY_V4, "127.0.0.7", 25, True),
        (ANY_V4, "0.0.0.0", 25, True),
        (ANY_V4, "203.0.113.1", 25, True),
        (ANY_V4, "192.0.2.9", 25, False),
        (ANY_V4, "::1", 25, False),
        (ANY_V6, "::1", 25, True),
        (ANY_V6, "2001:db8::1", 25, True),
        (ANY_V6, "192.0.2.1", 25, False),
    ],
)
def test_next_hop_that_is_our_own_port_is_left_out(listens, host_, port, is_ours):
    """Mail sent there would come back; another port of this machine, as of a content filter, is another program."""
    own = Own(
        addresses=frozenset({ip_address("203.0.113.1")}),
        interfaces=frozenset({HERE, LOOPBACK, ip_address("2001:db8::1")}),
        listens=frozenset({(listens, 25)}),
    )
    answer = decide_static((StaticHost(ip_address(host_), port),), DOMAIN, {}, RFC5321, own)
    assert is_ours == isinstance(answer, Refusal)
    if is_ours:
        assert (Result.DEFERRED, "4.4.4", DropReason.OWN_HOST) == (
            answer.result,
            answer.enhanced,
            answer.dropped[0].reason,
        )
        assert "port 25: mail sent there would come back" in answer.text


def test_other_addresses_of_a_next_hop_are_used():
    """A name that leads to us and to others leads to the others; weights stay."""
    own = Own(interfaces=frozenset({HERE}), listens=frozenset({(ANY_V4, 25)}))
    route = decide_static((StaticHost("pair", 25, 3),), DOMAIN, {"pair": host("192.0.2.1", "192.0.2.9")}, RFC5321, own)
    assert [(("192.0.2.9",), 3)] == [
        (tuple(map(str, each.addresses)), each.weight) for each in route.levels[0].exchangers
    ]
    assert [(HERE, DropReason.OWN_HOST)] == [(drop.address, drop.reason) for drop in route.dropped]
