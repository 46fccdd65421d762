"""What protects mail to a domain, seen in the lab: every kind of demand, every kind of certificate, real sessions."""

import asyncio
from functools import cache

import pytest
from tests.support.examples import some

from postroad.build import Mailer, build_override, build_policy, policy_fetch, resolver_at
from postroad.dns import ServerAddress, WireSettings, ZoneResolver, parse_server, parse_zones
from postroad.examine import LookSettings, TlsResult, TlsVerdict, look
from postroad.gather import PublishedPolicies
from postroad.lab import CertificateKind, Lab, authority_file, parse_fault
from postroad.lab.certificate import AUTHORITY, AUTHORITY_KEY, LEAF_KEY, lab_trust
from postroad.views.text.protection import headline, sections
from postroad.views.text.sections import markdown
from postroad.words.names import parse_destination

SOA = "@ SOA ns h 1 2 3 4 60\n"
HEAD = f"$TTL 60\n$ORIGIN example.com.\n{SOA}"
SIGNED = f"{HEAD}@ DNSKEY 257 3 13 AAAA\n"
HOSTS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\n"
STS = 'mta-sts A 127.0.0.80\n_mta-sts TXT "v=STSv1; id=a1;"\n'
OTHER_KEY = "00" * 32
GOOD = CertificateKind.GOOD


def tlsa(host, *records):
    """TLSA records of a host."""
    return "".join(f"_25._tcp.{host} TLSA {record}\n" for record in records)


def policy(*mx, mode="enforce"):
    """A policy of MTA-STS."""
    return f"version: STSv1\nmode: {mode}\n" + "".join(f"mx: {each}\n" for each in mx) + "max_age: 604800\n"


def seen(zone, *, policies=None, kinds=None, faults=None, mode="auto", connects=True):
    """What is seen of example.com in the lab; of several stories about one set-up it is looked at for the first."""
    return _seen(zone, policies, tuple((kinds or {}).items()), tuple((faults or {}).items()), mode, connects)


@cache
def _seen(zone, policies, kinds, faults, mode, connects):

    async def story():
        kept = {"example.com": policies} if policies else {}
        chosen = {f"127.0.0.{place}": CertificateKind(kind) for place, kind in kinds}
        wrong = {f"127.0.0.{place}": parse_fault(fault) for place, fault in faults}
        lab = Lab(parse_zones({"zone": zone}), tls=GOOD, certificates=chosen, policies=kept, faults=wrong)
        async with lab:
            host, port = lab.resolver_address
            resolver, override = resolver_at(host, port), build_override(mode)
            fetch_by = policy_fetch(authority_file(), port=lab.web.port or 443, allow_loopback=True)
            mailer = Mailer(
                resolver,
                build_policy("rfc5321", allow_loopback=True),
                override_of=lambda _route: override,
                policies=PublishedPolicies(resolver, fetch_by),
            )
            asked = WireSettings((parse_server(f"{host}:{port}"),))
            settings = LookSettings(asked, connects, lab.port, "look.lab.invalid", lab_trust(AUTHORITY))
            found = await look("example.com", mailer, settings)
            assert 0 == sum(lab.counts("rcpt").values())
            return found

    return asyncio.run(story())


def results(found):
    """What would happen to mail at each exchanger, the best first."""
    return [each.result for each in found.exchangers]


MATCHING, DIFFERENT = f"3 1 1 {LEAF_KEY}", f"3 1 1 {OTHER_KEY}"
SECURE = SIGNED + HOSTS


@pytest.mark.parametrize(
    ("zone", "more", "expected", "verdict"),
    [
        (HEAD + HOSTS, {}, [TlsResult.ENCRYPTED] * 2, TlsVerdict.GOES),
        (HEAD + HOSTS, {"faults": {11: "no-starttls"}}, [TlsResult.CLEAR, TlsResult.ENCRYPTED], TlsVerdict.GOES),
        (HEAD + HOSTS, {"faults": {11: "broken-starttls"}}, [TlsResult.CLEAR, TlsResult.ENCRYPTED], TlsVerdict.GOES),
        (HEAD + HOSTS, {"faults": {11: "refuse", 12: "g421"}}, [TlsResult.UNKNOWN] * 2, TlsVerdict.UNKNOWN),
        (SECURE + tlsa("mx1", MATCHING), {}, [TlsResult.PROVEN, TlsResult.ENCRYPTED], TlsVerdict.GOES),
        (SECURE + tlsa("mx1", DIFFERENT), {}, [TlsResult.PASSED_OVER, TlsResult.ENCRYPTED], TlsVerdict.GOES_ELSEWHERE),
        (SECURE + tlsa("mx1", DIFFERENT) + tlsa("mx2", DIFFERENT), {}, [TlsResult.PASSED_OVER] * 2, TlsVerdict.WAITS),
        (SECURE + tlsa("mx1", DIFFERENT, MATCHING), {}, [TlsResult.PROVEN, TlsResult.ENCRYPTED], TlsVerdict.GOES),
        (SECURE + tlsa("mx1", f"2 1 1 {AUTHORITY_KEY}"), {}, [TlsResult.PROVEN, TlsResult.ENCRYPTED], TlsVerdict.GOES),
        (SECURE + tlsa("mx1", f"0 0 1 {OTHER_KEY}"), {}, [TlsResult.ENCRYPTED] * 2, TlsVerdict.GOES),
        (
            SECURE + tlsa("mx1", f"0 0 1 {OTHER_KEY}"),
            {"faults": {11: "no-starttls"}},
            [TlsResult.PASSED_OVER, TlsResult.ENCRYPTED],
            TlsVerdict.GOES_ELSEWHERE,
        ),
        (HEAD + HOSTS + tlsa("mx1", DIFFERENT), {}, [TlsResult.ENCRYPTED] * 2, TlsVerdict.GOES),
        (HEAD + HOSTS + STS, {"policies": policy("*.example.com")}, [TlsResult.PROVEN] * 2, TlsVerdict.GOES),
        (
            HEAD + HOSTS + STS,
            {"policies": policy("mx2.example.com")},
            [TlsResult.PASSED_OVER, TlsResult.PROVEN],
            TlsVerdict.GOES_ELSEWHERE,
        ),
        (
            HEAD + HOSTS + STS,
            {"policies": policy("*.example.com", mode="testing"), "kinds": {11: "wrong-name"}},
            [TlsResult.ENCRYPTED, TlsResult.PROVEN],
            TlsVerdict.GOES,
        ),
        (HEAD + HOSTS + STS, {"policies": policy("mx", mode="none")}, [TlsResult.ENCRYPTED] * 2, TlsVerdict.GOES),
        (HEAD + HOSTS, {"mode": "dane-only"}, [TlsResult.PASSED_OVER] * 2, TlsVerdict.WAITS),
        (HEAD + HOSTS, {"mode": "off"}, [TlsResult.CLEAR] * 2, TlsVerdict.GOES),
        (HEAD + HOSTS, {"mode": "verify"}, [TlsResult.PROVEN] * 2, TlsVerdict.GOES),
        (HEAD + HOSTS, {"connects": False}, [TlsResult.NOT_ASKED] * 2, TlsVerdict.NOT_ASKED),
        (HEAD + "@ MX 0 .\n", {}, [], TlsVerdict.NO_ROUTE),
    ],
)
def test_what_would_happen_to_mail(zone, more, expected, verdict):
    """At each exchanger, and to mail as a whole; nobody is named as a recipient."""
    found = seen(zone, **more)
    assert (expected, verdict) == (results(found), found.verdict)


@pytest.mark.parametrize("kind", some(CertificateKind, 2, 1))
def test_certificate_that_its_tlsa_record_vouches_for_proves_the_host_whatever_is_wrong_with_it(kind):
    """T3: expired, self-signed, for another name, of an unknown authority (RFC 7672 section 3.1.1).

    Every second kind; all in a whole run.
    """
    found = seen(SECURE + tlsa("mx1", MATCHING), kinds={11: kind})
    assert TlsResult.PROVEN is found.exchangers[0].result


@pytest.mark.parametrize("kind", CertificateKind)
def test_certificate_that_its_policy_asks_for_must_be_good(kind):
    """MTA-STS trusts authorities: all but the good one keep mail away."""
    found = seen(HEAD + HOSTS + STS, policies=policy("*.example.com"), kinds={11: kind})
    expected = TlsResult.PROVEN if kind is GOOD else TlsResult.PASSED_OVER
    assert expected is found.exchangers[0].result


@pytest.mark.parametrize("kind", [CertificateKind.EXPIRED, CertificateKind.WRONG_NAME])
def test_certificate_under_a_trust_anchor_must_be_in_time_and_for_the_host(kind):
    """RFC 7672 section 3.1.2: usage 2 looks at dates and names."""
    found = seen(SECURE + tlsa("mx1", f"2 1 1 {AUTHORITY_KEY}"), kinds={11: kind})
    assert TlsResult.PASSED_OVER is found.exchangers[0].result


def test_dane_failing_is_not_made_good_by_a_policy():
    """T9 (RFC 8461 section 2): what DANE refuses MTA-STS does not let through."""
    zone = SECURE + tlsa("mx1", DIFFERENT) + STS
    found = seen(zone, policies=policy("*.example.com"))
    assert [TlsResult.PASSED_OVER, TlsResult.PROVEN] == results(found)


def test_exchanger_that_an_enforced_policy_leaves_out_is_passed_over_though_dane_holds():
    """T9, the other way (decision 32): names are the policy's business, certificates that of DANE."""
    found = seen(SECURE + tlsa("mx1", MATCHING) + STS, policies=policy("mx2.example.com"))
    assert [TlsResult.PASSED_OVER, TlsResult.PROVEN] == results(found)


def test_each_tlsa_record_says_whether_it_counts_and_what_it_matches():
    """Unusable ones, ones beside a stronger digest, and what matches now."""
    sha512 = "3 1 2 " + "11" * 64
    found = seen(SECURE + tlsa("mx1", MATCHING, sha512, f"1 1 1 {LEAF_KEY}"))
    told = [(str(each.record)[:5], each.why_not, bool(each.matches)) for each in found.exchangers[0].tlsa]
    assert [
        ("3 1 1", "a stronger digest is there", True),
        ("3 1 2", "", False),
        ("1 1 1", "it has usage 1; SMTP supports only 2 and 3", True),
    ] == told


def test_record_to_publish_is_told_where_none_matches():
    """A postmaster can copy it."""
    text = markdown(sections(seen(SECURE + tlsa("mx1", DIFFERENT))))
    assert f"\\_25.\\_tcp.mx1.example.com. TLSA 3 1 1 {LEAF_KEY}".replace("\\", "") in text


@pytest.mark.parametrize(
    ("zone", "more", "expected"),
    [
        (HEAD + HOSTS, {}, "example.com: mail goes encrypted; nothing proves who takes it"),
        (HEAD + HOSTS, {"faults": {11: "no-starttls"}},
         "example.com: mail goes to some in the clear; nothing proves who takes it"),
        (SECURE + tlsa("mx1", MATCHING), {}, "example.com: mail goes encrypted; 1 of 2 exchangers proves who it is"),
        (SECURE + tlsa("mx1", MATCHING) + tlsa("mx2", MATCHING), {},
         "example.com: mail goes, and every exchanger proves who it is"),
        (SECURE + tlsa("mx1", DIFFERENT), {},
         "example.com: mail goes to mx2.example.com; mx1.example.com is passed over"),
        (HEAD + HOSTS, {"mode": "dane-only"},
         "example.com: mail is deferred (4.7.5); mx1.example.com and mx2.example.com are passed over"),
        (HEAD + HOSTS, {"connects": False},
         "example.com: no exchanger was contacted; this is what each one has to prove"),
        (HEAD + HOSTS, {"faults": {11: "refuse", 12: "close"}, "mode": "dane-only"},
         "example.com: mail is deferred (4.7.5); mx1.example.com and mx2.example.com are passed over"),
        (HEAD + HOSTS, {"faults": {11: "refuse", 12: "g421"}},
         "example.com: what would happen to mail is unknown: "
         "no session with mx1.example.com and mx2.example.com"),
        (HEAD + "@ MX 0 .\n", {}, "example.com accepts no mail: its only MX is the null MX (RFC 7505) (5.1.10)"),
    ],
)  # fmt: skip
def test_answer_begins_with_what_would_happen(zone, more, expected):
    """In one sentence."""
    assert expected == headline(seen(zone, **more))


def test_policy_that_cannot_be_fetched_is_a_finding_and_mail_goes():
    """RFC 8461 section 3.3: as without one; its owner should know."""
    found = seen(HEAD + HOSTS + STS)
    assert (TlsVerdict.GOES, True, [TlsResult.ENCRYPTED] * 2) == (found.verdict, found.has_findings, results(found))


def test_zone_that_will_be_signed_shows_what_dane_will_demand():
    """A file proves nothing; with a DNSKEY record it is looked at as if it were signed already."""

    async def story(zone):
        resolver = ZoneResolver(parse_zones({"zone": zone}), validates=True)
        mailer = Mailer(resolver, build_policy("rfc5321", allow_loopback=True))
        return await look("example.com", mailer, LookSettings(connects=False))

    signed, bare = (asyncio.run(story(zone)) for zone in (SECURE + tlsa("mx1", MATCHING), HEAD + HOSTS))
    assert (1, "") == (len(signed.exchangers[0].demand.tlsa), signed.dane_off)
    assert "DANE is off: none of these zones has a DNSKEY record, so they count as unsigned" == bare.dane_off


def test_far_resolver_is_said_to_turn_dane_off():
    """What DNSSEC says could be forged on the way from there."""

    class Wire:
        async def resolve(self, name, kind):
            return await ZoneResolver(parse_zones({"zone": HEAD + HOSTS})).resolve(name, kind)

    async def story():
        far = WireSettings((ServerAddress(parse_destination("[192.0.2.53]").address, 53),))
        return await look("example.com", Mailer(Wire()), LookSettings(far, connects=False))

    assert asyncio.run(story()).dane_off.startswith("DANE is off: 192.0.2.53")
