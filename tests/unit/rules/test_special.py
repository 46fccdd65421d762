"""Addresses and names set aside, and who runs a name."""

from ipaddress import ip_address

import pytest

from postroad.rules.special import _PREFIXES, SpecialKind, kind_of, purpose_of
from postroad.words.providers import operator_of, provider_of, providers


def test_a_block_is_of_its_kind_to_its_edges():
    """The first and the last address of each block of the registries."""
    edges = {address: (kind, what) for network, kind, what in _PREFIXES for address in (network[0], network[-1])}
    assert edges == {address: kind_of(address) for address in edges}


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "192.0.1.255", "192.0.3.0", "198.20.0.0", "2606:4700::1", "101::1", "3ffe::"]
)
def test_a_host_on_the_internet_is_of_no_kind(text):
    """Nothing is said of the addresses beside."""
    assert kind_of(ip_address(text)) is None


def test_every_kind_has_a_block():
    """No rule looks for what there is not."""
    assert set(SpecialKind) == {kind for _network, kind, _what in _PREFIXES}


@pytest.mark.parametrize(
    ("name", "domain", "is_special"),
    [
        ("mail.local", "firm.de", True),
        ("mail.corp.local", "corp.local", False),
        ("mail.example.org", "firm.de", True),
        ("mail.example.org", "firm.test", False),
        ("nas.home.arpa", "firm.de", True),
        ("home.arpa.firm.de", "firm.de", False),
        ("mail.lan", "corp.internal", False),
        ("x.invalid", "firm.de", False),
        ("localhost", "firm.de", False),
    ],
)
def test_a_special_name_is_at_home_among_its_like(name, domain, is_special):
    """Who publishes for an inside domain may name its inside; `invalid` and `localhost` are cases of their own."""
    assert is_special == bool(purpose_of(name, domain))


def test_the_longest_suffix_tells_the_provider():
    """One name of Yandex stands for many machines, its other names do not."""
    assert "one-mx" == provider_of("mx.yandex.net").kind
    assert "mailboxes" == provider_of("backup.yandex.net").kind
    assert provider_of("notyandex.net") is None


def test_each_provider_is_written_whole():
    """Kinds are known, sources are told, and no suffix stands twice."""
    hosts = [host for provider in providers() for host in provider.hosts]
    assert len(hosts) == len(set(hosts))
    assert {"one-mx", "filter", "mailboxes"} == {provider.kind for provider in providers()}
    assert all(provider.source and provider.read for provider in providers())


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("mx1.firm.co.uk", "firm.co.uk"),
        ("mx1.firm.com.br", "firm.com.br"),
        ("mx1.example.kyoto.jp", "example.kyoto.jp"),
        ("mx1.me.github.io", "me.github.io"),
        ("mx1.firm.xn--55qx5d.cn", "firm.xn--55qx5d.cn"),
        ("mx1.firm.test", "firm.test"),
        ("co.uk", "co.uk"),
        ("mta7.am0.yahoodns.net", "Yahoo"),
    ],
)
def test_an_operator_is_a_provider_or_a_registered_name(name, operator):
    """By the public suffix list, its private part and its internationalised suffixes too."""
    assert operator == operator_of(name)
