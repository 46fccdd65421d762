"""Whose key signs a message: that of its author's domain, and nobody's where the header says it in two ways."""

import pytest
from tests.support.signing import DOMAIN, ed25519_pem, key, policy, rsa_pem

from postroad.sign import HEADER, KeyState, Unsigned, whole_lines

NOW = 1_700_000_000.0
DAY_S = 86400.0
ED = ed25519_pem()


def signers(header, *keys, now=NOW, **how):
    """The domain and the selectors that sign a message, or why none does."""
    signer = policy(*(keys or (key(octets=ED),)), **how).begin(header + b"\r\nbody\r\n", now)
    return signer.why if isinstance(signer, Unsigned) else (signer.domain, [each.selector for each in signer._keys])


OURS = (DOMAIN, ["s1"])
NO_KEY = "there is no key of {}".format


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"From: a@example.com\r\n", OURS),
        (b"from : A (home) <a@EXAMPLE.com.>\r\n", OURS),
        (b'From: "b@example.net, c" <a@example.com>\r\n', OURS),
        (b"From: =?utf-8?q?b=40example=2Enet?=\r\n <a@example.com>\r\n", OURS),
        (b"From: a@example.net\r\nSender: a@example.com\r\n", NO_KEY("example.net")),
        (b"From: a@sub.example.com\r\n", NO_KEY("sub.example.com")),
        (b"From: a@xample.com\r\n", NO_KEY("xample.com")),
        (b"From: a@example.com, b@example.net\r\nSender: a@example.com\r\n", OURS),
        (b"From: a@example.com, b@example.net\r\nSender: b@example.net\r\n", NO_KEY("example.net")),
    ],
)
def test_the_domain_of_the_author(header, expected):
    """The domain of From exactly, whatever its name says; of several authors the Sender's."""
    assert expected == signers(header)


TWO_WAYS = [
    b"To: a@example.com\r\n",
    b"From: a@example.com\r\nFrom: a@example.com\r\n",
    b"From: a@example.com\r\nFROM : b@example.net\r\n",
    b"From: a@example.com, b@example.com\r\n",
    b"From: a@example.com, b@example.com\r\nSender: a@example.com, b@example.com\r\n",
    b"From: a@example.com, b@example.com\r\nSender: a@example.com\r\nSender: b@example.com\r\n",
    b"From: undisclosed:;\r\n",
    b"From:\r\n",
    b"From: <a@example.com\r\n",
    b"From: <b@example.net> a@example.com\r\n",
    b"From: <b@example.net><a@example.com>\r\n",
    b"From: <a@example.com> x <b@example.net>\r\n",
    b"From: <a@example.com>(x)<b@example.net>\r\n",
    *(b"From: a@example.com, <>\r\n", b"From: <>, a@example.com\r\n", b"From: x <>, a@example.com\r\n"),
    *(b"From: <cron><a@example.com>\r\n", b"From: cron <> <a@example.com>\r\n", b"From: <><a@example.com>\r\n"),
    *(b"From: <a@example.com><cron>\r\n", b"From: <a@example.com><>\r\n", b"From: <>\r\n"),
    b"From: a@[192.0.2.1]\r\n",
    b"From: cron\r\n",
    b"From: a@ex\xffample.com\r\n",
    b"From: a@example.com\r\nno field\r\n",
    b"From: a@example.com\r\nX: " + b"x" * HEADER + b"\r\n",
    b"",
]


def test_who_can_be_read_in_two_ways_signs_nothing():
    """No author, two authors, or a header in which readers find different ones: no signature, and that is odd."""
    ways = [(head, policy(key(octets=ED)).begin(head + b"\r\nbody\r\n", NOW)) for head in TWO_WAYS]
    assert [] == [(head, each) for head, each in ways if not (isinstance(each, Unsigned) and each.is_odd)]


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("sub.example.com", OURS),
        ("a.b.sub.example.com", OURS),
        ("own.example.com", ("own.example.com", ["o1"])),
        ("below.own.example.com", ("own.example.com", ["o1"])),
        ("waiting.example.com", OURS),
        ("notexample.com", NO_KEY("notexample.com")),
    ],
)
def test_subdomains_if_it_is_set(author, expected):
    """The nearest domain above with a key that signs."""
    own, waiting = key("o1", "own.example.com", ED), key("w1", "waiting.example.com", b"Not-Before: never\n" + ED)
    header = f"From: a@{author}\r\n".encode()
    assert expected == signers(header, key(octets=ED), own, waiting, subdomains=True)


def test_names_in_unicode():
    """RFC 8616: a domain in any script is compared, and stands in d= and s=, as A-labels."""
    ours = key("schlüssel", "bücher.example", ED)
    assert ("xn--schlssel-95a", "xn--bcher-kva.example") == (ours.selector, ours.domain)
    header = "From: a@Bücher.example\r\n".encode()
    assert ("xn--bcher-kva.example", ["xn--schlssel-95a"]) == signers(header, ours)
    signed = policy(ours).signed(header + b"\r\nx\r\n", NOW)
    assert b"\td=xn--bcher-kva.example;\r\n\ts=xn--schlssel-95a; t=" in signed


def test_several_keys_and_rsa_first():
    """All active keys sign: RSA first, as some hosts look at one signature only."""
    keys = key("ed", octets=ED), key("rsa", octets=rsa_pem()), key("old", octets=rsa_pem())
    assert (DOMAIN, ["rsa", "old", "ed"]) == signers(b"From: a@example.com\r\n", *keys)


def test_a_key_takes_over_at_its_time():
    """One is retired at the moment in which the other begins: at each moment one of them signs."""
    change = b"2023-11-14T22:13:20Z"
    old = key("old", octets=b"Not-After: " + change + b"\n" + ED)
    new = key("new", octets=b"Not-Before: " + change + b"\n" + ED)
    at = [NOW - DAY_S, NOW - 1, NOW, NOW + DAY_S]
    assert [["old"], ["old"], ["new"], ["new"]] == [
        signers(b"From: a@example.com\r\n", old, new, now=moment)[1] for moment in at
    ]
    states = [(old.state(moment), new.state(moment)) for moment in at[1:3]]
    assert [(KeyState.ACTIVE, KeyState.WAITING), (KeyState.RETIRED, KeyState.ACTIVE)] == states


def test_the_reason_is_no_trouble_where_there_is_no_key():
    """Mail of domains that are not ours is in order, and unsigned."""
    assert Unsigned("there is no key of example.net", is_odd=False) == policy(key(octets=ED)).begin(
        b"From: a@example.net\r\n\r\n", NOW
    )


def test_a_message_without_a_body():
    """The header may be all there is, with or without its last line end."""
    sign = policy(key(octets=ED))
    fronts = {
        sign.signed(message, NOW).removesuffix(whole_lines(message))
        for message in (b"From: a@example.com", b"From: a@example.com\r\n")
    }
    assert 1 == len(fronts)
    assert fronts.pop().startswith(b"DKIM-Signature: ")


def test_a_long_body_is_no_long_header():
    """What is begun with may have all of the message; only the header has a limit."""
    begun = b"From: a@example.com\r\n\r\n" + b"x" * HEADER
    assert not isinstance(policy(key(octets=ED)).begin(begun, NOW), Unsigned)


def test_a_header_may_be_as_long_as_the_limit():
    """And a message without a body, too."""
    header = b"From: a@example.com\r\nX: "
    full = header + b"x" * (HEADER - len(header) - 4) + b"\r\n\r\n"
    assert [False, True] == [
        isinstance(policy(key(octets=ED)).begin(each, NOW), Unsigned) for each in (full, full.replace(b"x", b"xx", 1))
    ]
