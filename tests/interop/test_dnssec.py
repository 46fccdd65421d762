"""DANE with a real validator: what Unbound says of zones that are signed, are not, and whose signatures are broken."""

import asyncio

import pytest
from tests.support.dnssec import Signed, SignedZone, validating

from postroad.build import build_resolver
from postroad.dns import RecordType, WireSettings, parse_server
from postroad.gather import gather, gather_dane, why_dane_is_off
from postroad.words.facts import Found, NoData, NoName, Temporary, is_authentic

HASH = "ab" * 32
TLSA = f"_25._tcp.mx TLSA 3 1 1 {HASH}"
HOST = "@ MX 10 mx\nmx A 127.0.0.1\n"
ZONES = (
    SignedZone(
        "signed.test", f"{HOST}{TLSA}\nalias MX 10 www\nwww CNAME mx\nhosted MX 10 out\nout CNAME mx.plain.test."
    ),
    SignedZone("bare.test", HOST),
    SignedZone("bogus.test", HOST + TLSA, Signed.BROKEN_TLSA),
    SignedZone("plain.test", HOST + TLSA, Signed.NO),
    SignedZone("customer.test", "@ MX 10 mx.signed.test.", Signed.NO),
    SignedZone("implicit.test", f"@ A 127.0.0.1\n_25._tcp TLSA 3 1 1 {HASH}"),
)


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    """The name server that validates."""
    with validating(tmp_path_factory.mktemp("dnssec"), *ZONES) as server:
        yield server


def found_of(validator, domain):
    """What DNSSEC vouches for of the one exchanger of a domain."""

    async def story():
        resolver = build_resolver(servers=[validator])
        return await gather_dane(await gather(domain, resolver), resolver)

    ((name, facts),) = asyncio.run(story()).items()
    return name, facts


@pytest.mark.parametrize(
    ("domain", "is_mx_secure", "exchange", "base", "kind"),
    [
        ("signed.test", True, "mx.signed.test", "mx.signed.test", Found),
        ("alias.signed.test", True, "www.signed.test", "mx.signed.test", Found),
        ("hosted.signed.test", True, "out.signed.test", "out.signed.test", NoName),
        ("bare.test", True, "mx.bare.test", "mx.bare.test", NoName),
        ("bogus.test", True, "mx.bogus.test", "mx.bogus.test", Temporary),
        ("plain.test", False, "mx.plain.test", "", type(None)),
        ("customer.test", False, "mx.signed.test", "mx.signed.test", Found),
        ("implicit.test", True, "implicit.test", "implicit.test", Found),
    ],
)
def test_what_is_found_of_an_exchanger(validator, domain, is_mx_secure, exchange, base, kind):
    """The cases of RFC 7672 section 2.2, as a validator of the field tells them apart."""
    name, facts = found_of(validator, domain)
    assert (exchange, is_mx_secure, base, kind) == (name, facts.is_mx_secure, facts.base, type(facts.tlsa))
    assert (kind in (Found, NoName)) == is_authentic(facts.tlsa)


def test_a_broken_signature_is_told_from_other_trouble(validator):
    """The validator's extended error is kept (RFC 8914), and said in words."""
    _, facts = found_of(validator, "bogus.test")
    assert (6, True) == (facts.tlsa.extended_error, facts.tlsa.is_dnssec_failure)
    assert f"{validator} says SERVFAIL: DNSSEC validation failed (extended error 6)" == facts.tlsa.why


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("signed.test", RecordType.MX, (Found, True)),
        ("signed.test", RecordType.TXT, (NoData, True)),
        ("nothing.signed.test", RecordType.A, (NoName, True)),
        ("out.signed.test", RecordType.A, (Found, False)),
        ("out.signed.test", RecordType.CNAME, (Found, True)),
        ("out.signed.test", RecordType.AAAA, (NoData, False)),
        ("plain.test", RecordType.MX, (Found, False)),
        ("plain.test", RecordType.TXT, (NoData, False)),
        ("nothing.plain.test", RecordType.A, (NoName, False)),
        ("", RecordType.NS, (Found, True)),
    ],
)
def test_every_answer_says_whether_it_is_vouched_for(validator, name, kind, expected):
    """AD comes with records, with their absence, and through aliases as far as all is signed (M9)."""
    answer = asyncio.run(build_resolver(servers=[validator]).resolve(name, kind))
    assert expected == (type(answer), is_authentic(answer))


def test_dane_is_on(validator):
    """The probe at the start of a relay."""
    asked = WireSettings((parse_server(validator),))
    assert "" == asyncio.run(why_dane_is_off(build_resolver(servers=[validator]), asked))
