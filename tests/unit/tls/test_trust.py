"""What certificates prove: by an authority and a name, by an association, or nothing."""

from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from tests.support.certificates import NOON, issue, trusting
from tests.support.signing import rsa_key

from postroad.tls import NOBODY, judge, trust, why_untrusted
from postroad.words.facts import Tlsa
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel

NAME = "mx.example.com"
NOW = NOON.timestamp()
ROOT = issue(is_authority=True)
STRANGER = issue(is_authority=True, common_name="stranger")
MIDDLE = issue(by=ROOT, is_authority=True, common_name="middle")
GOOD = issue(NAME, by=MIDDLE)
OTHERS = issue("other.test", by=MIDDLE)
TRUST = trusting(ROOT)
DAY_S = 86400


def by_name(*names, by=Authority.MTA_STS):
    """A demand for a certificate that an authority vouches for."""
    return Demand(TlsLevel.PROVEN, by, "somebody asks", names or (NAME,))


def by_tlsa(*records):
    """A demand for a certificate that has one of these associations."""
    return Demand(TlsLevel.PROVEN, Authority.DANE, "TLSA", (NAME,), records)


def judged(issued, demand, trust=TRUST, now=NOW):
    """What a host with this certificate proves."""
    return judge(issued.chain, demand, NAME, trust, now)


def test_certificate_of_an_authority_proves_its_name():
    """Also by way of another that the host sends along."""
    proof = judged(GOOD, by_name())
    assert (TlsLevel.PROVEN, None, True) == (proof.level, proof.miss, proof.meets(by_name()))


@pytest.mark.parametrize(
    ("issued", "trust", "now", "failure", "why"),
    [
        (issue(NAME, by=STRANGER), TRUST, NOW, TlsFailure.NOT_TRUSTED, "is not trusted"),
        (issue(NAME), TRUST, NOW, TlsFailure.NOT_TRUSTED, "self-signed"),
        (GOOD, NOBODY, NOW, TlsFailure.NOT_TRUSTED, "is not trusted"),
        (GOOD, TRUST, NOW + 31 * DAY_S, TlsFailure.EXPIRED, "expired"),
        (GOOD, TRUST, NOW - 31 * DAY_S, TlsFailure.EXPIRED, "is not valid before"),
        (issue("other.test", by=ROOT), TRUST, NOW, TlsFailure.HOST_MISMATCH, f"is for other.test, not for {NAME}"),
        (issue(by=ROOT, common_name=NAME), TRUST, NOW, TlsFailure.HOST_MISMATCH, "is for no name"),
    ],
)
def test_what_a_certificate_lacks_has_a_kind_and_a_sentence(issued, trust, now, failure, why):
    """The receiving domain is told the kind, we the sentence; either way the connection is encrypted, and no more."""
    proof = judged(issued, by_name(), trust, now)
    assert (TlsLevel.ENCRYPTED, failure, True, False) == (
        proof.level,
        proof.miss.failure,
        why in proof.miss.why,
        proof.meets(by_name()),
    )


@pytest.mark.parametrize(
    ("pattern", "name", "is_for"),
    [
        ("*.example.com", "mx.example.com", True),
        ("*.example.com", "MX.Example.com", True),
        ("*.example.com", "a.mx.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("m*.example.com", "mx.example.com", False),
        ("mx.*.com", "mx.example.com", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("mx.example.com", "mx.example.com.", True),
        ("*.0.2.1", "192.0.2.1", False),
    ],
)
def test_wildcard_stands_for_one_whole_label(pattern, name, is_for):
    """The left-most, below two others at least."""
    proof = judged(issue(pattern, by=ROOT), by_name(name))
    assert is_for == (proof.level is TlsLevel.PROVEN)


def test_common_name_counts_where_there_is_no_other():
    """Not for MTA-STS, which asks for a subject alternative name."""
    issued = issue(by=ROOT, common_name=NAME)
    proofs = {by: judged(issued, by_name(by=by)).level for by in (Authority.ROUTE, Authority.MTA_STS)}
    assert {Authority.ROUTE: TlsLevel.PROVEN, Authority.MTA_STS: TlsLevel.ENCRYPTED} == proofs


def test_common_name_is_not_asked_where_there_is_another_name():
    """Who is vouched for as another host is not this one because it calls itself so (RFC 6125 section 6.4.4)."""
    issued = issue("other.test", by=ROOT, common_name=NAME)
    assert TlsFailure.HOST_MISMATCH is judged(issued, by_name(by=Authority.ROUTE)).miss.failure


@pytest.mark.parametrize(
    ("at_s", "is_proven"), [(-30 * DAY_S - 1, False), (-30 * DAY_S, True), (30 * DAY_S, True), (30 * DAY_S + 1, False)]
)
def test_a_certificate_is_good_from_its_first_second_to_its_last(at_s, is_proven):
    """Both included, as OpenSSL has it."""
    lasting = issue(is_authority=True, days=(-300, 300))
    proof = judged(issue(NAME, by=lasting), by_name(), trusting(lasting), NOW + at_s)
    assert is_proven == (proof.level is TlsLevel.PROVEN)


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_key_that_dns_names_is_proof_whatever_else_is_wrong(selector, matching):
    """Expired, for another name, signed by nobody: usage 3 looks at nothing but the key (RFC 7671 section 5.1)."""
    issued = issue("other.test", days=(-30, -20))
    proof = judged(issued, by_tlsa(issued.tlsa(3, selector, matching)), NOBODY)
    assert (TlsLevel.PROVEN, f"TLSA 3 {selector} {matching} matches the certificate") == (proof.level, proof.how)


def test_one_association_that_matches_is_enough():
    """In the middle of a change of keys there are two."""
    assert TlsLevel.PROVEN is judged(GOOD, by_tlsa(STRANGER.tlsa(), GOOD.tlsa())).level


def test_association_that_does_not_match_says_which():
    """A trusted certificate does not help (RFC 7672 section 2.2)."""
    proof = judged(GOOD, by_tlsa(STRANGER.tlsa()))
    assert Miss(TlsFailure.VALIDATION, f"TLSA 3 1 1 of {NAME} does not match its certificate") == proof.miss


@pytest.mark.parametrize("anchor", [ROOT, MIDDLE])
def test_trust_anchor_in_the_chain_vouches_for_the_name(anchor):
    """Usage 2: an authority of its own or one in the middle, as long as the host sends it."""
    proof = judged(GOOD, by_tlsa(anchor.tlsa(2)), NOBODY)
    assert (TlsLevel.PROVEN, "TLSA 2 1 1 matches a trust anchor of the certificate") == (proof.level, proof.how)


@pytest.mark.parametrize(
    ("issued", "anchor", "now", "failure"),
    [
        (issue("other.test", by=MIDDLE), MIDDLE, NOW, TlsFailure.HOST_MISMATCH),
        (GOOD, MIDDLE, NOW + 31 * DAY_S, TlsFailure.EXPIRED),
        (GOOD, STRANGER, NOW, TlsFailure.VALIDATION),
        (OTHERS, OTHERS, NOW, TlsFailure.HOST_MISMATCH),  # what it has of its own is an anchor of itself
        (GOOD, GOOD, NOW + 31 * DAY_S, TlsFailure.EXPIRED),
    ],
)
def test_under_a_trust_anchor_name_and_dates_count(issued, anchor, now, failure):
    """RFC 7671 section 5.2."""
    assert failure is judged(issued, by_tlsa(anchor.tlsa(2)), NOBODY, now).miss.failure


def test_chain_with_a_foreign_trust_anchor_proves_nothing():
    """A host may send any certificates along: what counts is that its own is signed by the anchor."""
    issued = issue(NAME, by=STRANGER)
    issued.chain = (issued.der, MIDDLE.der, ROOT.der)
    assert TlsFailure.NOT_TRUSTED is judged(issued, by_tlsa(MIDDLE.tlsa(2)), NOBODY).miss.failure


def test_policy_in_testing_is_watched_and_lets_all_pass():
    """What it would miss is said, and mail goes."""
    demand = Demand(by=Authority.MTA_STS, why="testing", watched=by_name())
    bad, good = judged(issue("other.test", by=ROOT), demand), judged(GOOD, demand)
    assert (True, TlsFailure.HOST_MISMATCH, bad.miss.why) == (bad.meets(demand), bad.miss.failure, bad.how)
    assert (True, None, True) == (good.meets(demand), good.miss, good.meets(by_name()))


def test_exchanger_that_a_testing_policy_does_not_list_is_told_of():
    """Though it proves its name."""
    miss = Miss(TlsFailure.VALIDATION, "not listed")
    demand = Demand(watched=Demand(TlsLevel.PROVEN, missed=miss))
    proof = judged(GOOD, demand)
    assert (miss, True, "encrypted, but the certificate was not checked") == (
        proof.miss,
        proof.meets(demand),
        proof.how,
    )


CLIENT, SERVER = x509.ExtendedKeyUsageOID.CLIENT_AUTH, x509.ExtendedKeyUsageOID.SERVER_AUTH
SIGNING = x509.ExtendedKeyUsageOID.CODE_SIGNING
ANYTHING = x509.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


def _purposes(uses):
    return (x509.ExtendedKeyUsage(uses),) if uses else ()


@pytest.mark.parametrize(
    ("leaf", "authority", "is_proven"),
    [
        ((), (), True),
        ((SERVER, CLIENT), (SERVER,), True),
        ((ANYTHING,), (), True),
        ((CLIENT,), (), False),
        ((SERVER,), (SIGNING,), False),
    ],
)
def test_certificate_for_another_purpose_proves_nothing(leaf, authority, is_proven):
    """Of a client, or of who signs programs (RFC 5280 section 4.2.1.12)."""
    middle = issue(by=ROOT, is_authority=True, common_name="by purpose", extensions=_purposes(authority))
    proof = judged(issue(NAME, by=middle, extensions=_purposes(leaf)), by_name())
    assert is_proven == (proof.level is TlsLevel.PROVEN)
    assert is_proven or "is not for TLS servers" in proof.miss.why


@pytest.mark.parametrize(
    ("authority", "is_proven"), [((), True), ((SERVER,), True), ((SIGNING,), True), ((CLIENT, SIGNING), True)]
)
def test_what_the_last_authority_says_it_is_for_does_not_count(authority, is_proven):
    """It is trusted because we say so, not because of what it writes of itself."""
    root = issue(by=None, is_authority=True, common_name="odd root", extensions=_purposes(authority))
    proof = judged(issue(NAME, by=root), by_name(), trusting(root))
    assert is_proven == (proof.level is TlsLevel.PROVEN)


def test_certificate_that_is_trusted_itself_must_be_for_servers():
    """Where the chain has nothing but the host's own, there is no authority whose word does not count."""
    alone = {uses: issue(NAME, extensions=_purposes(uses)) for uses in ((SERVER,), (CLIENT,))}
    assert [TlsLevel.PROVEN, TlsLevel.ENCRYPTED] == [
        judged(issued, by_name(), trusting(issued)).level for issued in alone.values()
    ]


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        (partial(rsa_key, 1024), 1024),
        (partial(rsa_key, 2047), 2047),
        (partial(rsa_key, 2048), None),
        (partial(ec.generate_private_key, ec.SECP192R1()), 192),
        (partial(ec.generate_private_key, ec.SECP224R1()), None),
        (ed25519.Ed25519PrivateKey.generate, None),
    ],
)
def test_weak_key_proves_nothing(kind, bits):
    """What Debian's OpenSSL turns away: less than 112 bits of security; every other key is as good as any."""
    proof = judged(issue(NAME, by=ROOT, kind=kind), by_name())
    weak = (TlsFailure.NOT_TRUSTED, True) if bits else (None, False)
    assert weak == (proof.miss and proof.miss.failure, f"a key of {bits} bits" in proof.how)


def test_certificate_that_the_libraries_cannot_read_is_a_miss():
    """An x400Address among its names: each library has errors of its own."""
    x400 = x509.UnrecognizedExtension(x509.OID_ISSUER_ALTERNATIVE_NAME, bytes.fromhex("3005a303300100"))
    odd = issue(NAME, by=ROOT, extensions=(x400,))
    for demand in (by_name(), by_tlsa(ROOT.tlsa(2))):
        proof = judged(odd, demand)
        assert (TlsLevel.ENCRYPTED, TlsFailure.NOT_TRUSTED) == (proof.level, proof.miss.failure)
        assert "cannot be read" in proof.miss.why
    octets = GOOD.der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020105"), 1)
    proof = judge((octets,), by_name(), NAME, TRUST, NOW)
    assert (TlsLevel.ENCRYPTED, TlsFailure.NOT_TRUSTED) == (proof.level, proof.miss.failure)
    assert "" != why_untrusted((octets,), TRUST, NOW)


def test_however_many_anchors_and_copies_a_host_shows_the_chain_is_built_once(monkeypatch):
    """Else one domain would hold up the mail of all others for seconds (RFC 7671 section 5.2)."""
    calls = []
    monkeypatch.setattr(trust, "_broken", lambda chain, *_: calls.append(len(chain)) or None)
    anchors = [issue(by=ROOT, is_authority=True, common_name=f"anchor {number}") for number in range(30)]
    chain = (GOOD.der, *[each.der for each in anchors] * 3)
    records = [each.tlsa(2, selector, 2) for each in anchors for selector in (0, 1)]
    assert TlsLevel.PROVEN is judge(chain, by_tlsa(*records), NAME, TRUST, NOW).level
    assert [trust.MOST_CERTIFICATES] == calls
    judge(chain, Demand(TlsLevel.PROVEN, Authority.DANE, "TLSA", ("x.test",), tuple(records)), NAME, TRUST, NOW)
    assert 1 == len(calls)  # a name that does not fit needs no chain


@given(st.lists(st.binary(max_size=400), max_size=3), st.booleans())
def test_no_octets_of_a_host_raise(chain, has_tlsa):
    """Whatever it shows as certificates, the answer is a miss."""
    records = (Tlsa(3, 1, 1, bytes(32)), Tlsa(2, 0, 1, bytes(32)), Tlsa(2, 1, 0, b"")) if has_tlsa else ()
    proof = judge(tuple(chain), by_tlsa(*records), NAME, TRUST, NOW)
    assert (TlsLevel.ENCRYPTED, False) == (proof.level, proof.miss is None)


@given(st.data())
def test_damaged_certificate_is_no_proof_and_no_accident(data):
    """One octet changed anywhere: a signature no longer fits, or it cannot be read."""
    octets = bytearray(GOOD.der)
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    proof = judge((bytes(octets), *GOOD.chain[1:]), by_name(), NAME, TRUST, NOW)
    assert TlsLevel.ENCRYPTED is proof.level
