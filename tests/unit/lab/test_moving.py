"""Zones brought onto loopback."""

from ipaddress import IPv4Address, ip_address

import dns.name
import dns.rdatatype
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.dns import Zones, parse_zones
from postroad.lab.moving import NETWORK, bring_home


def home(*records, has_ipv6=True):
    """The records, below example.com, at home."""
    zones = parse_zones({"lab": "\n".join(["$ORIGIN example.com.", *records, ""])})
    assert isinstance(zones, Zones)
    return bring_home(zones, has_ipv6=has_ipv6)


def answered(at_home, name, kind="A"):
    """What a question for a name is answered, as text."""
    found = at_home.zones.lookup(dns.name.from_text(name), dns.rdatatype.from_text(kind))
    return [record.to_text() for rrset in found.answer for record in rrset]


def test_addresses_keep_their_last_three_parts():
    """192.0.2.11 is answered as 127.0.2.11, under every name that has it."""
    at_home = home("a A 192.0.2.11", "b A 192.0.2.11")
    assert {ip_address("192.0.2.11"): ip_address("127.0.2.11")} == at_home.moved
    assert ["127.0.2.11"] == answered(at_home, "a.example.com") == answered(at_home, "b.example.com")


def test_loopback_addresses_stay():
    """An address on loopback is served as it is and is not called moved."""
    at_home = home("a A 127.0.0.11")
    assert (ip_address("127.0.0.11"),) == at_home.served
    assert {} == at_home.moved


def test_addresses_that_meet_step_aside():
    """Two networks with the same last three parts stay two addresses, and nobody moves onto one that stays."""
    at_home = home("a A 192.0.2.1", "b A 198.0.2.1", "c A 127.0.2.1")
    assert ["127.0.2.2", "127.0.2.3", "127.0.2.1"] == [str(address) for address in at_home.served]


def test_the_order_of_a_set_is_kept():
    """Moving does not reorder."""
    assert ["127.0.2.3", "127.0.2.1"] == answered(home("a A 192.0.2.3", "a A 192.0.2.1"), "a.example.com")


def test_unspecified_stays_and_is_not_served():
    """0.0.0.0 is for senders to refuse, so it is answered and nobody is there."""
    at_home = home("a A 0.0.0.0")
    assert (["0.0.0.0"], ()) == (answered(at_home, "a.example.com"), at_home.served)


def test_only_the_loopback_of_ipv6_is_served():
    """Other IPv6 addresses are left out, by name; all of them on a machine without IPv6."""
    records = ("a AAAA ::1", "b AAAA 2001:db8::1")
    assert ((ip_address("::1"),), (("b.example.com", ip_address("2001:db8::1")),)) == (
        home(*records).served,
        home(*records).left_out,
    )
    assert ["a.example.com", "b.example.com"] == [name for name, _ in home(*records, has_ipv6=False).left_out]
    assert [] == answered(home(*records, has_ipv6=False), "a.example.com", "AAAA")


def test_reverse_names_move_along():
    """Where an address has a PTR record, the address it moved to has the same."""
    at_home = home("a A 192.0.2.11", "11.2.0.192.in-addr.arpa. PTR a")
    assert ["a.example.com."] == answered(at_home, "11.2.0.127.in-addr.arpa", "PTR")
    assert ["a.example.com."] == answered(at_home, "11.2.0.192.in-addr.arpa", "PTR")


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(st.integers(1, 2**32 - 1).map(IPv4Address), min_size=1, max_size=8, unique=True))
def test_every_address_gets_a_place_of_its_own(addresses):
    """However many addresses meet, each is on loopback and no two share a place."""
    served = home(*(f"a A {address}" for address in addresses)).served
    assert len(addresses) == len(set(served))
    assert all(place in NETWORK for place in served)
