"""What servers of the lab show, and its web server: the same octets everywhere, so that a zone can name the key."""

import asyncio
import ssl
from contextlib import suppress

import pytest

from postroad.build import policy_fetch, resolver_at
from postroad.build.contexts import https_context
from postroad.dns import parse_zones
from postroad.gather import PublishedPolicies, gather_sts_policy
from postroad.lab import AUTHORITY, CertificateKind, Lab, NoExchangerError, authority_file, lab_trust
from postroad.lab.certificate import AUTHORITY_KEY, LEAF_KEY, lab_chain, lab_context
from postroad.tls import association, judge, matches
from postroad.words.facts import Tlsa
from postroad.words.policies import StsPolicy
from postroad.words.tls import Authority, Demand, TlsFailure, TlsLevel

NOW = 1_800_000_000.0
NAMED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "policy", ("mx.example.com",))
LEAF, ANCHOR = (Tlsa(usage, 1, 1, bytes.fromhex(data)) for usage, data in ((3, LEAF_KEY), (2, AUTHORITY_KEY)))
ZONE = "$ORIGIN example.com.\n@ MX 10 mx\nmx A 192.0.2.11\nmx2 A 127.0.0.12\nmta-sts A 127.0.0.80\n"
POLICY = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("good", None),
        ("expired", TlsFailure.EXPIRED),
        ("foreign", TlsFailure.NOT_TRUSTED),
        ("wrong-name", TlsFailure.HOST_MISMATCH),
        ("self-signed", TlsFailure.NOT_TRUSTED),
    ],
)
def test_each_kind_has_one_fault(kind, failure):
    """To whoever trusts the lab's authority; all have the key that zones name."""
    chain = lab_chain(CertificateKind(kind), ("mx.example.com",))
    proof = judge(chain, NAMED, "mx.example.com", lab_trust(AUTHORITY), NOW)
    assert failure == (proof.miss.failure if proof.miss else None)
    assert LEAF == association(chain[0])
    assert (kind not in ("foreign", "self-signed")) == any(matches(ANCHOR, each) for each in chain)


def test_a_client_of_python_3_13_trusts_what_the_authority_has_signed():
    """Its usual context asks for all that RFC 5280 has an authority write."""
    client = ssl.create_default_context(cafile=authority_file())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    shown = lab_context(CertificateKind.GOOD, ("mx.example.com",))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname="mx.example.com")
    theirs = shown.wrap_bio(there, back, server_side=True)
    for each in (ours, theirs, ours):
        with suppress(ssl.SSLWantReadError):
            each.do_handshake()
    assert ours.getpeercert()["subjectAltName"] == (("DNS", "mx.example.com"),)


@pytest.mark.parametrize("authorities", [None, authority_file()])
def test_fetching_a_policy_is_as_strict_on_every_python(authorities, monkeypatch):
    """Python 3.13 asks of a web server's certificate what no other sender does."""
    strict = ssl.create_default_context(cafile=authority_file())
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    monkeypatch.setattr(ssl, "create_default_context", lambda **_how: strict)
    context = https_context(authorities)
    assert (False, True) == (bool(context.verify_flags & ssl.VERIFY_X509_STRICT), context.check_hostname)


def inside(story, **settings):
    """Run a story in a lab."""

    async def whole():
        async with Lab(parse_zones({"zone": ZONE}), **settings) as lab:
            return await story(lab)

    return asyncio.run(whole())


def test_certificates_are_by_address_as_written_or_moved():
    """The usual one for the others; alone, they are the only ones that offer TLS."""

    async def story(lab):
        return {str(address): kind.value for address, kind in lab.certificates.items()}

    alone = {"192.0.2.11": CertificateKind.GOOD}
    assert {"127.0.2.11": "good"} == inside(story, certificates=alone)
    everywhere = inside(story, certificates=alone, tls=CertificateKind.EXPIRED)
    assert {"127.0.2.11": "good", "127.0.0.12": "expired", "127.0.0.80": "expired"} == everywhere


def test_policy_is_served_as_it_is_now():
    """By HTTPS, with a certificate of the lab's authority; one that is taken away is not there any more."""

    async def story(lab):
        resolver = resolver_at(*lab.resolver_address)
        fetch_by = policy_fetch(authority_file(), port=lab.web.port, allow_loopback=True)
        first = await gather_sts_policy("example.com", resolver, fetch_by)
        lab.web.policies.clear()
        return first, await gather_sts_policy("example.com", resolver, fetch_by)

    first, second = inside(story, policies={"example.com": POLICY})
    assert StsPolicy("enforce", ("mx.example.com",), 604800) == first.policy
    assert (None, True) == (second.policy, "answers 404" in second.why_not)


def test_policy_that_takes_too_long_is_none():
    """Mail does not wait for it for ever; the budget is a setting."""

    async def story(lab):
        async def never(_resolver, _host, _path):
            await asyncio.Event().wait()

        lab.nameserver.zones = parse_zones({"zone": ZONE + '_mta-sts TXT "v=STSv1; id=1;"\n'})
        return await PublishedPolicies(resolver_at(*lab.resolver_address), never, 0.05).known("example.com")

    known = inside(story)
    assert (None, TlsFailure.STS_FETCH) == (known.policy, known.failure)


def test_policy_needs_a_host():
    """That the zone names."""
    with pytest.raises(NoExchangerError, match=r"no zone of this lab has an address of mta-sts.other.test"):
        Lab(parse_zones({"zone": ZONE}), policies={"other.test": POLICY})
