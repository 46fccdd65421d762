"""For each rule of mechanics, sessions and policy: what it finds, and a near miss at which it keeps still."""

from dataclasses import replace

from tests.support.evidence import (
    A1,
    A2,
    A3,
    ABLE,
    DAY_S,
    HOSTS,
    HOUR_S,
    KEY,
    MX,
    NOW,
    POLICY,
    SIX,
    TLSA,
    announced,
    drift,
    evidence,
    failed,
    host,
    offline,
    probe,
    probed,
    published,
    reverse,
    said,
    snapshot,
    texts,
    wire,
)
from tests.support.signing import key, rsa_pem

from postroad.rules import FileLine
from postroad.sign import record_of
from postroad.words.facts import Found, HostFacts, Mx, NoData, Temporary
from postroad.words.sessions import Certificate

LINES = [
    FileLine("mx1.example.com", "A", f"198.51.100.{each}", "zone", each, ttl_s) for each, ttl_s in ((1, 60), (2, 300))
]
SAME = [
    FileLine("mx1.example.com", "A", "198.51.100.1", "zone", 1, 60),
    FileLine("www.example.com", "A", "x", "zone", 2, 300),
]
ELEVEN = [Mx(10, f"mx{each}.example.com") for each in range(11)]
ONE_SERVER, TWO_SERVERS = (Found(tuple(f"ns{each}.example.net" for each in range(1, 1 + count))) for count in (1, 2))
OTHER_MX = (*MX[:2], Mx(20, "old.example.net"))
TURNED = (MX[1], MX[0], MX[2])
DOCUMENT = b"version: STSv1\nmode: enforce\nmx: *.example.com\nmx: backup.example.net\nmax_age: 1209600\n"
SHORT = replace(POLICY, max_age_s=DAY_S - 1)
UNSIGNED = replace(TLSA, authentic=False)
SIGNED = snapshot(authentic=True)
SMALL = {"size": 1_000_000}

ED25519_RECORD = "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def keyed(*records):
    """A zone with these records at a selector."""
    return published(dkim={"s1._domainkey.example.com": Found(records)})


def certified(ends_in_s=60 * DAY_S, names=("mx1.example.com",), **more):
    """A session with this certificate."""
    shown = Certificate(names, NOW + ends_in_s, **{"is_trusted": True} | more)
    return probed(probe(certificate=shown))


def lacking(keyword, *who):
    """Sessions in which some addresses do not offer a keyword."""
    return probed(*(probe(each, capabilities=ABLE - {keyword}) for each in who))


CASES = {
    "mx-ttl-low": (offline(snapshot(ttl_s=59)), offline(snapshot(ttl_s=60))),
    "mx-ttl-high": (offline(snapshot(ttl_s=DAY_S + 1)), offline(snapshot(ttl_s=DAY_S))),
    "address-ttl-high": (
        offline(snapshot(hosts=HOSTS | {"mx1.example.com": host(str(A1), ttl_s=2 * DAY_S)})),
        offline(snapshot(hosts=HOSTS | {"www.example.com": host(str(A1), ttl_s=2 * DAY_S)})),
    ),
    "ttl-mixed": (offline(snapshot(), *LINES), offline(snapshot(), *SAME)),
    "answer-truncated": (wire(1233), wire(1232)),
    "answer-over-512": (wire(513), wire(512)),
    "ns-single": (evidence(snapshot(servers=ONE_SERVER)), evidence(snapshot(servers=TWO_SERVERS))),
    "ns-one-network": (
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.2.200")),
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1")),
    ),
    "ns-no-answer": (
        drift(said("ns1", "192.0.2.1"), replace(said("ns2", "192.0.3.1"), mx=None, why="REFUSED")),
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1")),
    ),
    "ns-lame": (
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1", is_authoritative=False)),
        drift(said("ns1", "192.0.2.1"), replace(said("ns2", "192.0.3.1", is_authoritative=False), mx=None)),
    ),
    "ns-mx-differ": (
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1", OTHER_MX)),
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1", TURNED, ttl_s=1)),
    ),
    "ns-serials-differ": (
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1", serial=2)),
        drift(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1", OTHER_MX, serial=2)),
    ),
    "ptr-missing": (reverse(), reverse("mx1.example.com")),
    "ptr-unconfirmed": (reverse("mx2.example.com"), reverse("mx1.example.com")),
    "ptr-several": (reverse("mx1.example.com", "a.example.com"), reverse("mx1.example.com", "mx1.example.com")),
    "ptr-generic": (reverse("1-100-51-198.isp.example"), reverse("mx-198-51.example.com")),
    "smtp-no-answer": (probed(failed("connect", "timeout")), probed(failed("greeting", "timeout"))),
    "smtp-greeting-refused": (probed(failed("greeting", "554 no")), probed(failed("greeting", "421 busy"))),
    "smtp-greeting-deferred": (probed(failed("greeting", "421 busy")), probed(failed("greeting", "554 no"))),
    "smtp-no-greeting": (probed(failed("greeting", "no reply within 30 s")), probed(failed("greeting", "421 busy"))),
    "smtp-greeting-slow": (probed(probe(greeting_ms=5001.0)), probed(probe(greeting_ms=5000.0))),
    "smtp-ehlo-refused": (probed(failed("ehlo", "502 no")), probed(failed("greeting", "421 busy"))),
    "smtp-name-not-full": (probed(probe(hello="localhost")), probed(probe(hello="[198.51.100.1]"))),
    "smtp-name-elsewhere": (probed(probe(hello="mx2.example.com")), probed(probe(hello="never-asked.example"))),
    "smtp-capabilities-differ": (lacking("SMTPUTF8", A3), lacking("SMTPUTF8", A1, A2, A3)),
    "smtp-size-differs": (probed(probe(A3, **SMALL)), probed(*(probe(each, **SMALL) for each in (A1, A2, A3)))),
    "smtp-no-8bitmime": (lacking("8BITMIME", A1, A2, A3), lacking("8BITMIME", A1, A2)),
    "smtp-no-size": (lacking("SIZE", A1, A2, A3), probed(probe(size=None))),
    "smtp-no-enhanced-codes": (lacking("ENHANCEDSTATUSCODES", A1, A2, A3), lacking("ENHANCEDSTATUSCODES", A1)),
    "smtp-open-relay": (probed(probe(takes_strangers=True)), probed(probe(takes_strangers=False))),
    "smtp-postmaster": (probed(probe(takes_postmaster=False)), probed(probe(takes_postmaster=None))),
    "smtp-recipients-differ": (
        probed(probe(takes_unknown=False), probe(A3, takes_unknown=True)),
        probed(*(probe(each, takes_unknown=True) for each in (A1, A2, A3))),
    ),
    "spf-several": (
        published(spf=("v=spf1 mx -all", "v=spf1 -all")),
        published(spf=("v=spf1 mx -all", "v=spf10 -all", "another text")),
    ),
    "spf-mx-over-ten": (
        published(snapshot(ELEVEN), spf=("v=spf1 mx/24 -all",)),
        published(snapshot(ELEVEN), spf=("v=spf1 mx:example.net -all",)),
    ),
    "spf-mx-void": (
        published(snapshot(ELEVEN, {f"mx{each}.example.com": host() for each in range(3)}), spf=("v=spf1 +mx -all",)),
        published(snapshot(ELEVEN, {f"mx{each}.example.com": host() for each in range(2)}), spf=("v=spf1 +mx -all",)),
    ),
    "sts-mx-uncovered": (
        published(sts=replace(POLICY, mx=("mx1.example.com", "backup.example.net"))),
        published(sts=POLICY),
    ),
    "sts-backup-uncovered": (published(sts=replace(POLICY, mx=("*.example.com",))), published(sts=POLICY)),
    "sts-mx-extra": (published(sts=replace(POLICY, mx=(*POLICY.mx, "*.mail.example.com"))), published(sts=POLICY)),
    "sts-no-policy": (
        published(sts=announced(why_not="404")),
        published(sts=announced(document=DOCUMENT[15:], why_not="no version")),
    ),
    "sts-record-unreadable": (
        published(sts=announced(record="v=STSv1; id=2026-01-01;")),
        published(sts=announced(record="v=STSv1;x=y; id=20260101")),
    ),
    "sts-policy-invalid": (
        published(sts=announced(document=DOCUMENT[15:], why_not="no version")),
        published(sts=announced(document=DOCUMENT + b"mode: testing\n")),
    ),
    "sts-ambiguous": (
        published(sts=announced(document=DOCUMENT + b"mode: testing\n")),
        published(sts=announced(document=DOCUMENT + b"new: 1\n")),
    ),
    "sts-mode": (published(sts=replace(POLICY, mode="testing")), published(sts=POLICY)),
    "sts-max-age": (published(sts=SHORT), published(sts=replace(SHORT, mode="none"))),
    "tlsa-without-dnssec": (
        published(SIGNED, tlsa={"mx1.example.com": UNSIGNED}),
        published(SIGNED, tlsa={"mx1.example.com": TLSA}),
    ),
    "tlsa-mx-unsigned": (published(tlsa={"mx1.example.com": TLSA}), published(SIGNED, tlsa={"mx1.example.com": TLSA})),
    "tlsa-mixed": (
        published(SIGNED, tlsa={"mx1.example.com": TLSA, "mx2.example.com": NoData()}),
        published(SIGNED, tlsa={"mx1.example.com": NoData(), "mx2.example.com": NoData()}),
    ),
    "tlsa-usage": (
        published(SIGNED, tlsa={"mx1.example.com": replace(TLSA, records=(replace(KEY, usage=1),))}),
        published(SIGNED, tlsa={"mx1.example.com": replace(TLSA, records=(replace(KEY, usage=2),))}),
    ),
    "tlsa-unusable": (
        published(SIGNED, tlsa={"mx1.example.com": replace(TLSA, records=(replace(KEY, data=bytes(31)),))}),
        published(SIGNED, tlsa={"mx1.example.com": replace(TLSA, records=(replace(KEY, usage=1),))}),
    ),
    "tlsa-lookup": (
        published(SIGNED, tlsa={"mx1.example.com": TLSA, "mx2.example.com": Temporary("SERVFAIL")}),
        published(SIGNED, tlsa={"mx1.example.com": TLSA, "mx2.example.com": TLSA}),
    ),
    "tlsa-misplaced": (
        published(SIGNED, tlsa={"example.com": TLSA}),
        published(SIGNED, tlsa={"example.com": NoData(), "mx1.example.com": TLSA}),
    ),
    "spf-syntax": (published(spf=("v=spf1 ip6:192.0.2.1 -all",)), published(spf=("v=spf1 ip6:::ffff:192.0.2.1 -all",))),
    "spf-all-pass": (published(spf=("v=spf1 ALL",)), published(spf=("v=spf1 ~all",))),
    "sts-host-missing": (
        published(sts=announced(host=host())),
        published(sts=announced(host=HostFacts(Temporary("timeout"), NoData()))),
    ),
    "tlsrpt-record-unreadable": (
        published(tlsrpt=Found(("v=TLSRPTv1; rua=http://example.com/",))),
        published(tlsrpt=Found(("v=TLSRPTv1; rua=mailto:tls@example.com?subject=tls",))),
    ),
    "dkim-record-unusable": (keyed("v=DKIM1; k=rsa"), keyed("v=DKIM1; p=")),
    "dkim-several": (keyed(ED25519_RECORD, "v=DKIM1; p="), keyed(ED25519_RECORD)),
    "dkim-testing": (keyed(f"t=y:s; {ED25519_RECORD}"), keyed(f"t=s; {ED25519_RECORD}")),
    "dkim-key-short": (keyed(record_of(key())), keyed(record_of(key(octets=rsa_pem(2048))))),
    "tlsrpt-missing": (published(sts=POLICY, tlsrpt=NoData()), published(tlsrpt=NoData())),
    "tls-not-offered": (
        probed(probe(tls=None, certificate=None, capabilities=ABLE - {"STARTTLS"})),
        probed(failed("ehlo", "502 no")),
    ),
    "tls-broken": (probed(failed("starttls", "bad record", capabilities=ABLE)), probed(failed("ehlo", "502 no"))),
    "tls-old": (probed(probe(tls="TLSv1.1 AES128-SHA")), probed(probe(tls="TLSv1.2 AES128-SHA"))),
    "certificate-expired": (certified(-1.0), certified(1.0)),
    "certificate-expires-soon": (certified(13 * DAY_S), certified(14 * DAY_S)),
    "certificate-untrusted": (
        certified(is_trusted=False, why_not="self-signed"),
        certified(-1.0, is_trusted=False, why_not="expired"),
    ),
    "certificate-name": (certified(names=("example.com",)), certified(names=("*.example.com",))),
}

WELL = probed(
    told=snapshot(authentic=True, servers=TWO_SERVERS, reverse={A1: Found(("mx1.example.com",), HOUR_S)}),
    texts=texts(("v=spf1 mx -all",), POLICY, dict.fromkeys(HOSTS, TLSA)),
    said=(said("ns1", "192.0.2.1"), said("ns2", "192.0.3.1")),
)
"""All is asked for, and all is well."""

BY_IPV6 = snapshot(hosts=HOSTS | {"mx1.example.com": host(str(A1), str(SIX))})
"""The first exchanger has an IPv6 address too."""

EDGES = [
    ("smtp-greeting-slow", probed(probe(greeting_ms=30_000.0))),
    ("smtp-greeting-slow", probed(probe(greeting_ms=30_001.0))),
    ("spf-mx-over-ten", published(snapshot(ELEVEN[:10]), spf=("v=spf1 mx -all",))),
    ("sts-max-age", published(sts=replace(POLICY, max_age_s=DAY_S))),
    ("certificate-expires-soon", certified(14 * DAY_S - 1)),
    ("ns-one-network", drift(said("ns1", "192.0.2.0"), said("ns2", "192.0.2.255"))),
    ("ns-one-network", drift(said("ns1", "192.0.2.255"), said("ns2", "192.0.3.0"))),
]
"""Cases beside a threshold, where those above are not at its very edge."""
