"""Which addresses become which."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.rewrite import parse_address_pattern, parse_sender_rules
from postroad.words.mail import parse_mailbox

HOSTS = ("web3", "web3.internal.example", "example.com", "a.example.com", "old.example")
USERS = ("root", "cron-1", "Bob", "www-data")
ADDRESSES = st.builds("{}@{}".format, st.sampled_from(USERS), st.sampled_from(HOSTS))
KEYS = st.one_of(
    ADDRESSES,
    st.sampled_from([*HOSTS, "*", ".internal.example", ".example.com", "root@*", "cron-*@web3", "bob@.example"]),
)
TARGETS = st.one_of(
    ADDRESSES, st.sampled_from([*HOSTS, "{host}@example.com", "{user}+{host}@old.example", "{user}@web3"])
)


def became(table, address):
    """The address that one becomes."""
    return str(parse_sender_rules(table).rewritten(parse_mailbox(address)))


def test_most_exact_rule_has_it():
    """A user goes before all users, a domain before those above it; what a rule writes, no other one changes."""
    table = {
        "root@web3": "web3@example.com",
        "root@*": "{user}-{host}@example.com",
        "bob@example.com": "robert@example.com",
        "kept@web9.internal.example": "kept@web9.internal.example",
        "cron-*@web3": "cron@example.com",
        "one@web3": "two@web3",
        "two@web3": "three@web3",
        ".internal.example": "example.com",
        "*": "alerts@example.com",
    }
    cases = {
        "root@web3": "web3@example.com",
        "Root@WEB3": "web3@example.com",
        "root@db.internal.example": "root-db@example.com",
        "ann@db.internal.example": "ann@example.com",
        "bob@db.internal.example": "robert@example.com",  # a rule for one address holds for what is written too
        "kept@web9.internal.example": "kept@web9.internal.example",
        "cron-7@web3": "cron@example.com",
        "one@web3": "three@web3",
        "three@web3": "three@web3",
        "ann@example.com": "ann@example.com",
        "ann@elsewhere.example": "alerts@example.com",
        "ann@[192.0.2.1]": "alerts@example.com",
        "root@[192.0.2.1]": "root@[192.0.2.1]",  # there is no host to name
        '"a b"@db.internal.example': '"a b"@example.com',
    }
    assert cases == {address: became(table, address) for address in cases}
    everybody = {"*": "alerts@example.com"}  # an address is an end, not its whole domain
    assert {"alerts@example.com"} == {became(everybody, f"{user}@example.com") for user in ("ann", "alerts")}


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(KEYS, TARGETS, max_size=5), ADDRESSES)
def test_twice_is_once(table, address):
    """Whatever the rules: what they have made of an address they leave."""
    try:
        rules = parse_sender_rules(table)
    except ValueError as problem:
        assert "circle" in str(problem) or "the same" in str(problem)  # noqa: PT017  # the only two there are
        return
    once = rules.rewritten(parse_mailbox(address))
    assert once == rules.rewritten(once)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"a@b@c": "x"}, "write an address"),
        ({"a b@c": "x.example"}, "write an address"),
        ({"web3": "no one@example.com"}, "write an address"),
        ({"web3": "{name}@example.com"}, "{user} and {host} stand"),
        ({"web3": "*"}, "write an address"),
        ({"web3": "ünï@example.com"}, "write an address"),
        ({"a@x": "b@x", "b@x": "a@x"}, '"a@x > b@x > a@x" is a circle'),
        ({"web3": "example.com", "WEB3": "example.org"}, "the same but for their case"),
    ],
)
def test_what_cannot_be_read_is_said(table, said):
    """Each error says which key, and what to write."""
    with pytest.raises(ValueError, match=r"write|circle|same") as problem:
        parse_sender_rules(table)
    assert said in str(problem.value)


def test_stars_fit_what_is_between():
    """A star is any characters, none too; case does not count."""
    fits = {
        ("c*n@x", "cron@x"), ("c*n@x", "cn@x"), ("*a*b*@x", "xaxbx@x"), ("CRON@X", "cron@x"), ("*", "a@[IPv6:::1]"),
        (".x", "a@b.x"), ("a@*", "a@anything.example"),
    }  # fmt: skip
    not_ = {("c*n@x", "cro@x"), ("*ab*@x", "aXb@x"), ("aa*a@x", "aa@x"), (".x", "a@x"), ("x", "a@b.x"), ("*x@y", "x@z")}
    read = {
        (pattern, address): parse_address_pattern(pattern).fits(parse_mailbox(address))
        for pattern, address in fits | not_
    }
    assert dict.fromkeys(fits, True) | dict.fromkeys(not_, False) == read
