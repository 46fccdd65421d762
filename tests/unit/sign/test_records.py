"""The record of a key: what receivers make of any text, and whether it has our key."""

from base64 import b64encode

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.signing import ed25519_pem, key, record, rsa_pem

from postroad.dns import ZoneResolver, parse_zones
from postroad.sign import RecordFaultKind, judge, parse_record, record_of, strings_of, zone_text

ED = key(octets=ed25519_pem())
OTHER_ED = key(octets=ed25519_pem(1))
RSA = key(octets=rsa_pem(2048))
SHORT = key(octets=rsa_pem(1024))
LONG = key(octets=rsa_pem(3072))
TOO_SHORT = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy"
    "1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="
)
P = record_of(ED).rpartition("p=")[2]
RSA_P = record_of(RSA).rpartition("p=")[2]


def kinds(signing, *texts):
    """What is wrong with the records of a key."""
    return [fault.kind.value for fault in judge(signing, texts)]


@pytest.mark.parametrize("signing", [ED, RSA, LONG])
def test_our_own_record_is_right(signing):
    """What we print is what we look for, in our eyes and in those of dkimpy."""
    assert [] == kinds(signing, record_of(signing))
    assert record(signing).decode() == record_of(signing)
    assert dkim.load_pk_from_dns(b"x", dnsfunc=lambda *_, **__: record_of(signing).encode())


CASES = {
    "v=DKIM1; k=ed25519; p=": ["revoked"],
    "v=DKIM1; k=ed25519; p= ": ["revoked"],
    "v=DKIM1; k=ed25519": ["no-key"],
    "": ["form"],
    ";": ["form"],
    "v=spf1 mx -all": ["version", "no-key"],
    "google-site-verification": ["form"],
    f"v=DKIM1;; k=ed25519; p={P}": ["form"],
    f"v=DKIM1; note; k=ed25519; p={P}": ["form"],
    f"v=DKIM1; 1n=x; k=ed25519; p={P}": ["form"],
    f"v=DKIM1; n=\x01; k=ed25519; p={P}": ["form"],
    f"v=DKIM1; k=ed25519; p={P}; p={P}": ["duplicate-tag"],
    f"v=DKIM2; k=ed25519; p={P}": ["version"],
    f"k=ed25519; v=DKIM1; p={P}": ["version"],
    f"v=dkim1; k=ed25519; p={P}": ["version"],
    f"v=DKIM1; k=x25519; p={P}": ["key-type"],
    f"v=DKIM1; p={P}": ["key-type"],
    f"v=DKIM1; k=rsa; p={RSA_P}": ["key-type"],
    f"v=DKIM1; k=ed25519; p={RSA_P}": ["key"],
    f"v=DKIM1; k=ed25519; p={P[:-2]}": ["key"],
    f"v=DKIM1; k=ed25519; p={P[:-1]}!": ["key"],
    f"v=DKIM1; k=ed25519; p={P[:10]}!{P[10:]}": ["key"],
    f"v=DKIM1; k=ed25519; p={record_of(OTHER_ED).rpartition('p=')[2]}": ["different"],
    f"v=DKIM1; k=ed25519; h=sha1; p={P}": ["hash"],
    f"v=DKIM1; k=ed25519; s=tlsrpt; p={P}": ["service"],
    f"v=DKIM1; k=ed25519; t=y; p={P}": ["testing"],
    f"v=DKIM1; k=ed25519; h=sha1; s=x; t=s:y; p={P}": ["hash", "service", "testing"],
}
HARMLESS = [
    f"k=ed25519;p={P}",
    f" v = DKIM1 ;\tk = ed25519 ; p = {P[:10]} {P[10:20]}\r\n {P[20:]} ; ",
    f"v=DKIM1; h=sha1:sha256; s=tlsrpt : email; t=s; n=made of note; x=1; k=ed25519; p={P}",
    f"v=DKIM1; s=*; k=ed25519; p={P}",
]


def test_what_is_wrong_has_a_name():
    """Revoked, cut, of another type, with another key, not for mail, only tested: each is told apart."""
    assert CASES == {text: kinds(ED, text) for text in CASES}
    assert all(str(fault) for text in CASES for fault in judge(ED, [text]))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_the_standard_allows_is_right(text):
    """Blanks, folds, unknown tags, words beside ours, a last semicolon."""
    assert [] == kinds(ED, text)


def test_none_and_several():
    """No record is missing; of two nobody knows which one a receiver takes."""
    assert ["missing"] == kinds(ED)
    assert ["several-records"] == kinds(ED, record_of(ED), record_of(ED))


def test_the_size_of_a_key():
    """Below 1024 bits it is ignored, below 2048 that is advice and no fault that keeps anybody from believing it."""
    assert ["too-short"] == [each.kind.value for each in parse_record(f"p={TOO_SHORT}").faults]
    [fault] = judge(SHORT, [record_of(SHORT)])
    assert (RecordFaultKind.SHORT, False) == (fault.kind, fault.is_fatal)
    assert 1024 == parse_record(record_of(SHORT)).bits


def test_either_form_of_an_rsa_key():
    """The standard's words have it bare, everybody publishes the structure around it: the key is the same."""
    bare = b64encode(RSA.private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
    assert [] == kinds(RSA, f"v=DKIM1; p={bare}")


@settings(max_examples=examples(200 // stride(2)), deadline=None)
@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from([*"vkpshtny=;: \t\r\n", "DKIM1", "rsa", P, RSA_P, TOO_SHORT])).map("".join)
    )
)
def test_any_text_is_judged(text):
    """Whatever stands there is a value, never an exception, and only our key is right."""
    for signing in (ED, RSA):
        if not any(fault.is_fatal for fault in judge(signing, [text])):
            assert record_of(signing).rpartition("p=")[2] == parse_record(text).public


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_for_a_key_are_judged(octets):
    """What is no key is damaged, whatever its octets try."""
    for kind in ("rsa", "ed25519"):
        assert parse_record(f"v=DKIM1; k={kind}; p={b64encode(octets).decode()}").faults or len(octets) == 32


@settings(max_examples=examples(100), deadline=None)
@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=1200))
def test_a_zone_file_gives_back_what_was_written(text):
    """Strings of 255 octets at most, quoted; read again they are the same text."""
    assert text == "".join(strings_of(text))
    assert {255} >= {len(each) for each in strings_of(text)[:-1]}
    zones = parse_zones({"zone": f"$ORIGIN example.com.\n$TTL 60\ns._domainkey TXT {zone_text(text)}\n"})
    [line] = ZoneResolver(zones).zone_data.rrsets[next(iter(zones.rrsets))]
    assert text.encode() == b"".join(line.strings)
