"""Who may relay, who may authenticate, who counts as one client."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from postroad.receive import PasswordHash, ReceiveSettings
from postroad.receive.limits import ConnectionCount, Ledger, Rate
from postroad.receive.policy import may_authenticate, newcomer, relay_refusal

SETTINGS = ReceiveSettings("relay.example")
WITH_USERS = replace(SETTINGS, users={"ann": PasswordHash(b"s", b"k")})


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("192.0.2.7", False),
        ("2001:db8::1", False),
        ("::ffff:192.0.2.7", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
    ],
)
def test_relay_is_open_to_loopback_only(address, is_open):
    """Without a word in the settings nobody but this machine relays."""
    assert is_open == (relay_refusal(newcomer(ip_address(address)), SETTINGS) is None)


def test_networks_replace_loopback():
    """What the settings name is all there is: this machine too must be named."""
    settings = replace(SETTINGS, networks=(ip_network("192.0.2.0/24"),))
    answers = [relay_refusal(newcomer(ip_address(address)), settings) for address in ("192.0.2.7", "127.0.0.1")]
    assert [None, 550] == [answer and answer.code for answer in answers]


def test_user_relays_from_anywhere():
    """Who has proved a name may relay; who could is told so."""
    stranger = newcomer(ip_address("192.0.2.7"))
    assert relay_refusal(replace(stranger, user="ann"), WITH_USERS) is None
    assert "5.7.1 relaying denied: authenticate first" == relay_refusal(stranger, WITH_USERS).text


@pytest.mark.parametrize(
    ("address", "is_tls", "setting", "expected"),
    [
        ("192.0.2.7", False, False, False),
        ("192.0.2.7", True, False, True),
        ("127.0.0.1", False, False, False),
        ("127.0.0.1", False, True, True),
        ("192.0.2.7", False, True, False),
    ],
)
def test_passwords_are_taken_where_nobody_listens(address, is_tls, setting, expected):
    """Under TLS, or within this machine if the settings say so."""
    client = replace(newcomer(ip_address(address)), is_tls=is_tls)
    assert expected == may_authenticate(client, replace(WITH_USERS, auth_in_clear_on_loopback=setting))


def test_without_users_nobody_authenticates():
    """AUTH that nobody could pass is not offered."""
    assert not may_authenticate(replace(newcomer(ip_address("192.0.2.7")), is_tls=True), SETTINGS)


def test_addresses_of_one_ipv6_network_are_one_client():
    """A host with a /64 has no more connections than one with a single address."""
    parties = [newcomer(ip_address(text)).party for text in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")]
    assert [True, False] == [parties[0] == other for other in parties[1:]]


def test_rate_fills_evenly():
    """A minute's worth at once, then one for each share of a minute; the quiet are forgotten."""
    rate = Rate()
    assert [True, True, False] == [rate.spend("a", 2, 0.0) for _ in range(3)]
    assert [False, True, False] == [rate.spend("a", 2, now) for now in (29.0, 30.0, 31.0)]
    assert rate.spend("b", 2, 31.0)
    rate.sweep(91.0)
    assert {} == rate._buckets


def test_tally_forgets_who_left():
    """Counts return to nothing."""
    tally = ConnectionCount()
    tally.enter("a")
    assert (1, 1, 0) == (tally.total, tally.of("a"), tally.of("b"))
    tally.leave("a")
    assert (0, {}) == (tally.total, dict(tally._each))


def test_ledger_holds_no_more_than_its_most():
    """What is too much is not held at all."""
    ledger = Ledger(10)
    assert [True, False, True] == [ledger.take(octets) for octets in (8, 3, 2)]
    ledger.give(10)
    assert 0 == ledger.held
