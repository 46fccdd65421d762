"""Key files: what is taken, and a sentence for each that is not."""

from base64 import b64encode
from datetime import UTC, datetime
from itertools import count
from math import inf

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from hypothesis import given
from hypothesis import strategies as st
from tests.support.signing import ed25519_pem, pem, rsa_key, rsa_pem

from postroad.sign import SigningKey, read_key
from postroad.words.names import Unreadable

ED = ed25519_pem()
LINES = ED.count(b"\n")


def read(octets, domain="example.com", selector="s1"):
    """A key, or why it is none."""
    return read_key(octets, domain, selector)


@pytest.mark.parametrize(("octets", "expected"), [(ED, "ed25519-sha256"), (rsa_pem(), "rsa-sha256")])
def test_both_kinds(octets, expected):
    """RFC 8301 and 8463: the two algorithms there are."""
    found = read(octets)
    assert (expected, "s1._domainkey.example.com", -inf, inf) == (
        *(found.algorithm, found.name),
        *(found.not_before, found.not_after),
    )


def test_an_old_kind_of_file():
    """As opendkim-genkey and OpenSSL of old have written it."""
    octets = rsa_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert b"BEGIN RSA PRIVATE KEY" in octets
    assert 1024 == read(octets).bits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (-inf, inf)),
        ("Not-Before: 2026-12-01T00:00:00Z\n", (datetime(2026, 12, 1, tzinfo=UTC).timestamp(), inf)),
        ("not-after:2026-12-01\r\n", (-inf, datetime(2026, 12, 1, tzinfo=UTC).timestamp())),
        ("Not-Before: 2026-12-01T02:00:00+02:00\n", (datetime(2026, 12, 1, tzinfo=UTC).timestamp(), inf)),
        ("\ufeffNot-After: 2026-12-01\r\n", (-inf, datetime(2026, 12, 1, tzinfo=UTC).timestamp())),
        ("\n \t\n", (-inf, inf)),
    ],
)
def test_when_it_signs(text, expected):
    """Two lines in front of the key; a time without a zone is UTC, and empty lines are nothing."""
    found = read(text.encode() + ED)
    assert expected == (found.not_before, found.not_after)


def test_a_key_that_waits_for_its_record():
    """It does not sign until somebody writes when."""
    found = read(b"Not-Before: never\n" + ED)
    assert "waiting" == found.state(1e12)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "it is not a PEM file; it must be a private key"),
        (b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "it is not a PEM file; it must be a private key"),
        (b"-----BEGIN PUBLIC KEY-----\nx", "it is a public key, not a private key"),
        (b"-----BEGIN CERTIFICATE-----\nx", "it is a certificate, not a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nx", "it is damaged, or of a kind that is not known"),
        (ED[:60], "it is damaged, or of a kind that is not known"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "it is of the type EC, and DKIM has RSA and Ed25519"),
        (pem(ed448.Ed448PrivateKey.generate()), "it is of the type Ed448, and DKIM has RSA and Ed25519"),
        (b"Not-Before: soon\n" + ED, "Not-Before has no time; write "),
        (
            ED + b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            f"line {LINES + 1} is below the key, where",
        ),
        (b"Not-Before: 2026-12-02\nNot-After: 2026-12-01\n" + ED, "Not-After is not later than Not-Before"),
        (b"Not-Before: never\nNot-After: 2026-12-01\n" + ED, "Not-After is not later than Not-Before"),
    ],
    ids=count(),  # the keys are made anew in each process
)
def test_what_is_no_key(octets, expected):
    """Each in a sentence."""
    found = read(octets)
    assert isinstance(found, Unreadable)
    assert found.why.startswith(expected)


NO_TIMES = [
    *("Not-After 2020-01-01", "# Not-After: 2020-01-01", "Not-Afte: 2020-01-01", "NotAfter: 2020-01-01"),
    *("Not-After=2020-01-01", "Not\u2013After: 2020-01-01", "\u200bNot-After: 2020-01-01", "After: 2020-01-01"),
    *("a note", "# a note", "note: yes", "Bag Attributes", ": 2020-01-01", "\ufeff\ufeffNot-After: 2020-01-01"),
]


@pytest.mark.parametrize("front", ["", "\n", "Not-Before: 2019-01-01\n"])
def test_a_line_that_is_no_time(front):
    """A time that is misspelt is never taken for a note, so that no key signs beyond the day somebody wrote."""
    why = (
        f"line {front.count(chr(10)) + 1} is not one that a key file may have; write it as"
        ' "Not-Before: 2026-12-01T00:00:00Z" or "Not-After: 2026-12-01T00:00:00Z", or delete it'
    )
    found = {line: read(f"{front}{line}\n".encode() + ED) for line in NO_TIMES}
    assert dict.fromkeys(NO_TIMES, why) == {
        line: each.why if isinstance(each, Unreadable) else each for line, each in found.items()
    }


@pytest.mark.parametrize("line", ["Not-After: 2020-01-01", "Not-Before: never", "Replaces: old", "# a note"])
def test_a_line_below_the_key(line):
    """Nothing is read there, so nothing may stand there."""
    expected = (
        f"line {LINES + 1} is below the key, where nothing is read; move it above the line -----BEGIN, or delete it"
    )
    assert expected == read(ED + line.encode() + b"\n").why


def test_what_a_key_replaces_is_read():
    """Selectors, in any case and with any blanks between them."""
    assert ("2026a", "2026b") == read(b"Replaces:  2026a 2026B \n" + ED).replaces
    assert () == read(ED).replaces


@pytest.mark.parametrize("line", [b"Replaces 2026a\n", b"Not-Before tomorrow\n", b"Replaces\n"])
def test_a_line_without_a_colon_says_nothing(line):
    """It is no note either: there are none."""
    assert isinstance(read(line + ED), Unreadable)


def test_a_key_that_ends_as_it_begins_is_refused():
    """It would never sign; one that ends a second later does."""
    lines = b"Not-Before: 2026-12-01T00:00:00Z\nNot-After: 2026-12-01T00:00:0%dZ\n"
    assert [Unreadable, SigningKey] == [type(read(lines % second + ED)) for second in (0, 1)]


@pytest.mark.parametrize("word", ["Not-After", "Not-Before", "Replaces"])
def test_a_line_that_is_there_twice(word):
    """Nobody knows which of the two is meant."""
    again = word.upper()
    found = read(f"{word}: 2019-01-01\n{again}: 2020-01-01\n".encode() + ED)
    assert (f"{again}: 2020-01-01", f"line 2 has {word} again; delete one of the two lines") == (found.text, found.why)


@pytest.mark.parametrize("bits", [1024, 2048])
def test_a_key_for_pss_only(bits):
    """It can sign as DKIM has it, but its record names another algorithm, and verifiers refuse that."""
    der = rsa_key(bits).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    plain, pss = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300b06092a864886f70d01010a")
    der = b"\x30\x82" + (len(der) - 6).to_bytes(2) + der[4:].replace(plain, pss, 1)  # as OpenSSL writes it
    lines = [b64encode(der)[at:][:64] for at in range(0, len(b64encode(der)), 64)]
    octets = b"-----BEGIN PRIVATE KEY-----\n" + b"\n".join(lines) + b"\n-----END PRIVATE KEY-----\n"
    assert read(octets).why.startswith("it is of the type RSA-PSS, and DKIM has RSA and Ed25519 only; make one")


def test_a_key_that_is_locked():
    """A relay has nobody to ask for the passphrase."""
    octets = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    assert "it is encrypted; remove the passphrase with: openssl pkey -in OLD -out NEW" == read(octets).why


@pytest.mark.parametrize(
    ("domain", "selector"), [("example..com", "s"), ("example.com", "a b"), ("example.com", "x" * 64)]
)
def test_names_that_dns_cannot_have(domain, selector):
    """A domain or a selector that no record can have."""
    assert read(ED, domain, selector).why.startswith("its domain or selector is not a valid DNS name")


@given(st.binary(max_size=300), st.integers(0, 200))
def test_whatever_a_file_holds(noise, place):
    """A key or a sentence, never an exception."""
    for octets in (noise, ED[:place] + noise + ED[place:], noise + ED):
        assert isinstance(read(octets), SigningKey | Unreadable)


@pytest.mark.parametrize("names", [b"\x1b[31m a b", b"a..b", b"x" * 64, b"\xff", b"2026a \x00"])
def test_what_a_key_replaces_are_selectors(names):
    """Anything else was never written by a rotation."""
    assert "names no selectors" in read(b"Replaces: " + names + b"\n" + ED).why
