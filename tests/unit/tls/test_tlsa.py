"""DANE's associations: which of them decide, what is wrong with the others, and which certificates they mean."""

import hashlib
from datetime import UTC, datetime
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.signing import rsa_key

from postroad.tls.tlsa import matches, tlsa_faults, usable
from postroad.words.facts import Tlsa

KEYS = (
    rsa_key(2048),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP521R1()),
    ed25519.Ed25519PrivateKey.generate(),
    ed448.Ed448PrivateKey.generate(),
)
DIGESTS = {0: lambda octets: octets, 1: lambda octets: hashlib.sha256(octets).digest(),
           2: lambda octets: hashlib.sha512(octets).digest()}  # fmt: skip
SIZES = {1: 32, 2: 64}
ANY_TLSA = st.builds(Tlsa, st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.binary(max_size=70))


def certificate(key, name="mx.example.com", serial=1, names=()):
    """A self-signed certificate in DER, and its key."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(
        subject, subject, key.public_key(), serial, datetime(2020, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    signed = made.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else SHA256())
    der = signed.public_bytes(Encoding.DER)
    return der, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


CERTIFICATES = st.builds(
    certificate,
    st.sampled_from(KEYS),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=60),
    st.integers(1, 2**159 - 1),
    st.lists(st.from_regex(r"[a-z]{1,20}\.example", fullmatch=True), max_size=12),
)
SOUND, KEY_OF_SOUND = certificate(KEYS[1])
PARTS = {0: SOUND, 1: KEY_OF_SOUND}


def record(usage, selector, matching):
    """The record of the certificate above."""
    return Tlsa(usage, selector, matching, DIGESTS[matching](PARTS[selector]))


@settings(max_examples=examples(60 // stride(2)), deadline=None)
@given(CERTIFICATES, CERTIFICATES, st.sampled_from((2, 3)), st.sampled_from((0, 1)), st.sampled_from((0, 1, 2)))
def test_a_record_matches_its_certificate_and_no_other(one, other, usage, selector, matching):
    """Whatever the key, the names and the serial number: it is what the record says, or it does not match."""
    der, key = one
    made = Tlsa(usage, selector, matching, DIGESTS[matching](der if selector == 0 else key))
    assert ((made,), True) == (usable([made]), matches(made, der))
    same = one == other if selector == 0 else key == other[1]
    assert same == matches(made, other[0])


@settings(max_examples=examples(200))
@given(
    ANY_TLSA,
    st.binary(max_size=80) | st.sampled_from([SOUND[:-1], SOUND + b"\0", KEY_OF_SOUND, b"\x30\x80", b"\x30\x84"]),
)
def test_no_octets_are_a_certificate_by_chance(made, octets):
    """Whatever a record has and a server shows: they match where they are the same, and nothing raises."""
    same = made.selector == 0 and made.matching in DIGESTS and DIGESTS[made.matching](octets) == made.data
    assert same == matches(made, octets)


@settings(max_examples=examples(200 // stride(2)))
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 255), st.sampled_from((0, 1)))
def test_a_damaged_certificate_matches_only_by_what_is_whole(place, octet, selector):
    """One octet changed: the certificate is another, and its key the same or none."""
    damaged = SOUND[:place] + bytes((octet,)) + SOUND[place + 1 :]
    assert damaged == SOUND or not matches(record(3, 0, 1), damaged)
    if matches(record(3, selector, 1), damaged):
        assert PARTS[selector] in damaged


@pytest.mark.parametrize(
    "odd",
    [
        SOUND + b"\0",
        SOUND[:-1],
        b"\x31" + SOUND[1:],
        KEY_OF_SOUND + b"\0",
        KEY_OF_SOUND[:-1],
        b"\x31" + KEY_OF_SOUND[1:],
        b"\x30\x80" + KEY_OF_SOUND[2:],
        b"\x30\x85" + len(KEY_OF_SOUND[2:]).to_bytes(5) + KEY_OF_SOUND[2:],
    ],
    ids=lambda _: "odd",  # the key is another in each process of a run
)
def test_what_is_no_der_has_no_key(odd):
    """Something behind it, cut short, under another tag, of no length or of one that nothing has."""
    assert (False, True) == (matches(record(3, 1, 0), odd), any(tlsa_faults(Tlsa(3, 1, 0, odd))))
    assert any(tlsa_faults(Tlsa(3, 0, 0, odd)))


@pytest.mark.parametrize("octets", range(1, 5))
def test_a_length_may_have_as_many_octets_as_anything_needs(octets):
    """One to four."""
    longer = bytes((0x30, 0x80 + octets)) + len(KEY_OF_SOUND[2:]).to_bytes(octets) + KEY_OF_SOUND[2:]
    assert [] == list(tlsa_faults(Tlsa(3, 1, 0, longer)))


def test_the_key_of_a_certificate_of_version_1_is_found():
    """It has no version to be passed over (RFC 5280 section 4.1.2.1)."""
    third, key = certificate(KEYS[0])
    outer, inner = (int.from_bytes(third[at + 2 : at + 4]) - 5 for at in (0, 4))
    first = b"\x30\x82" + outer.to_bytes(2) + b"\x30\x82" + inner.to_bytes(2) + third[13:]
    assert x509.Version.v1 == x509.load_der_x509_certificate(first).version
    assert matches(Tlsa(3, 1, 0, key), first)


def test_what_a_sender_can_use():
    """Of all parameters, undefined ones too: usages 2 and 3, selectors 0 and 1, matching types 0 to 2."""
    expected = [(usage, selector, kind) for usage in (2, 3) for selector in (0, 1) for kind in (0, 1, 2)]
    found = []
    for usage, selector, kind in product(range(5), range(3), range(4)):
        data = DIGESTS.get(kind, bytes)(PARTS.get(selector, SOUND))
        if usable([Tlsa(usage, selector, kind, data)]):
            found.append((usage, selector, kind))
    assert expected == found


@given(st.lists(ANY_TLSA | st.sampled_from([record(*each) for each in product((2, 3), (0, 1), (0, 1, 2))]), max_size=8))
def test_what_decides_is_what_has_no_fault_and_nothing_stronger_beside_it(records):
    """RFC 7671 section 9: faulty records go first, then digests that are weaker than another of usage and selector."""
    sound = [each for each in dict.fromkeys(records) if not list(tlsa_faults(each))]
    beaten = {(each.usage, each.selector, 1) for each in sound if each.matching == 2}
    assert tuple(each for each in sound if (each.usage, each.selector, each.matching) not in beaten) == usable(records)


def test_the_strongest_digest_counts():
    """The example of RFC 7671 section 9: SHA-512 and the whole key do, SHA-256 of the same selector does not."""
    whole, short, long = (record(3, 1, kind) for kind in (0, 1, 2))
    other = record(3, 0, 1)
    assert (long, whole, other) == usable([short, long, whole, other, long])


def test_a_digest_of_the_wrong_length_makes_no_other_weaker():
    """A malformed record is left out before digests are compared."""
    short = record(3, 1, 1)
    assert (short,) == usable([Tlsa(3, 1, 2, b"\0" * 63), short])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Tlsa(1, 0, 1, b"\0" * 32), ["has usage 1; SMTP supports only 2 and 3"]),
        (Tlsa(3, 2, 1, b"\0" * 32), ["has selector 2; there are only 0, the certificate, and 1, its public key"]),
        (Tlsa(3, 1, 3, b""), ["has matching type 3; there are only 0, the whole, 1, SHA-256, and 2, SHA-512"]),
        (Tlsa(3, 1, 1, b"\0" * 31), ["has 31 octets of data; a SHA-256 digest (matching type 1) has 32"]),
        (Tlsa(3, 1, 2, b"\0" * 32), ["has 32 octets of data; a SHA-512 digest (matching type 2) has 64"]),
        (Tlsa(3, 0, 0, b""), ["has matching type 0, the whole certificate, but its data are not a certificate in DER"]),
        (Tlsa(3, 1, 0, SOUND), ["has matching type 0, the whole public key, but its data are not a public key in DER"]),
        (record(3, 1, 1), []),
    ],
)
def test_each_fault_in_words(made, expected):
    """What is wrong with a record, and what would be right."""
    assert expected == list(tlsa_faults(made))
