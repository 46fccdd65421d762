"""`postroad tls` with a real validator: zones that are signed, are not, and whose signatures are broken."""

import asyncio

import pytest
from tests.support.dnssec import Signed, SignedZone, validating

from postroad.build import Mailer, build_policy, build_resolver
from postroad.dns import WireSettings, parse_server, parse_zones
from postroad.examine import LookSettings, TlsResult, look
from postroad.lab import AUTHORITY, CertificateKind, Lab, lab_trust
from postroad.lab.certificate import LEAF_KEY
from postroad.views.text.protection import headline

HOSTS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.41\nmx2 A 127.0.0.42\n"
MATCH, MISMATCH = (f"_25._tcp.mx1 TLSA 3 1 1 {data}\n" for data in (LEAF_KEY, "00" * 32))
ZONES = (
    SignedZone("good.test", HOSTS + MATCH),
    SignedZone("wrong.test", HOSTS + MISMATCH),
    SignedZone("bogus.test", HOSTS + MATCH, Signed.BROKEN_TLSA),
    SignedZone("plain.test", HOSTS + MISMATCH, Signed.NO),
)


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    """The name server that validates."""
    with validating(tmp_path_factory.mktemp("protection"), *ZONES) as server:
        yield server


@pytest.mark.parametrize(
    ("domain", "first", "begins"),
    [
        ("good.test", TlsResult.PROVEN, "good.test: mail goes encrypted; 1 of 2 exchangers proves who it is"),
        ("wrong.test", TlsResult.PASSED_OVER, "wrong.test: mail goes to mx2.wrong.test; mx1.wrong.test is passed over"),
        ("bogus.test", TlsResult.PASSED_OVER, "bogus.test: mail goes to mx2.bogus.test; mx1.bogus.test is passed over"),
        ("plain.test", TlsResult.ENCRYPTED, "plain.test: mail goes encrypted; nothing proves who takes it"),
    ],
)
def test_what_would_happen_is_what_the_validator_lets_happen(validator, domain, first, begins):
    """T1 and T2: a record that does not match, one that cannot be had, and one that nobody vouches for."""

    async def story():
        zone = "$ORIGIN lab.test.\n" + HOSTS
        async with Lab(parse_zones({"zone": zone}), tls=CertificateKind.GOOD) as lab:
            mailer = Mailer(build_resolver(servers=[validator]), build_policy("rfc5321", allow_loopback=True))
            asked = WireSettings((parse_server(validator),))
            return await look(domain, mailer, LookSettings(asked, port=lab.port, trust=lab_trust(AUTHORITY)))

    seen = asyncio.run(story())
    assert ("", first, begins) == (seen.dane_off, seen.exchangers[0].result, headline(seen))
