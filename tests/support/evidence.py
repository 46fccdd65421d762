"""Evidence by hand: two exchangers and a backup, all well, to be broken one fact at a time."""

from dataclasses import replace
from ipaddress import ip_address

from postroad.routing import decide
from postroad.rules import Evidence, FileLine
from postroad.tls import read_policy, read_records
from postroad.words.facts import Found, HostFacts, Mx, NoData, Said, Tlsa, Wire
from postroad.words.policies import StsPolicy, StsPublished, Texts
from postroad.words.sessions import Certificate, Probe, Reach
from postroad.words.snapshot import Snapshot

NOW = 1_800_000_000.0
DAY_S = 86_400
HOUR_S = 3600
A1, A2, A3 = (ip_address(f"198.51.100.{each}") for each in (1, 2, 3))
SIX = ip_address("2001:db8::1")
MX = (Mx(10, "mx1.example.com"), Mx(10, "mx2.example.com"), Mx(20, "backup.example.net"))
ABLE = frozenset({"SIZE", "8BITMIME", "SMTPUTF8", "PIPELINING", "STARTTLS", "ENHANCEDSTATUSCODES"})
POLICY = StsPolicy("enforce", ("*.example.com", "backup.example.net"), 14 * DAY_S)
KEY = Tlsa(3, 1, 1, bytes(32))
TLSA = Found((KEY,), HOUR_S, authentic=True)


def host(*texts, ttl_s=HOUR_S):
    """The addresses of a name."""
    told = [ip_address(text) for text in texts]
    families = [tuple(each for each in told if each.version == version) for version in (4, 6)]
    return HostFacts(*(Found(each, ttl_s) if each else NoData() for each in families))


HOSTS = {"mx1.example.com": host(str(A1)), "mx2.example.com": host(str(A2)), "backup.example.net": host(str(A3))}


def snapshot(mx=MX, hosts=HOSTS, ttl_s=HOUR_S, *, authentic=False, **more):
    """What DNS said of example.com."""
    return Snapshot("example.com", Found(tuple(mx), ttl_s, authentic=authentic), hosts, **more)


def evidence(told=None, **more):
    """Evidence of example.com, by default of records alone."""
    told = told or snapshot()
    return Evidence(told, decide(told), NOW, **more)


def offline(told, *lines):
    """As a zone file tells it: TTLs are those of the zone."""
    return evidence(told, lines=lines or (FileLine("example.com", "MX", "10 mx1.example.com", "zone", 7, HOUR_S),))


def probe(address=A1, **more):
    """A session in which all went well."""
    name = {A1: "mx1.example.com", A2: "mx2.example.com", A3: "backup.example.net"}.get(address, "mx1.example.com")
    well = Probe(
        address,
        "quit",
        ok=True,
        greeting=f"{name} ESMTP",
        hello=name,
        capabilities=ABLE,
        size=50_000_000,
        tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
        certificate=Certificate((name,), NOW + 60 * DAY_S, is_trusted=True),
    )
    return replace(well, **more)


def failed(phase, why="", address=A1, **more):
    """A session that ended early."""
    return Probe(address, phase, ok=False, why=why, **more)


def probed(*probes, told=None, **more):
    """Evidence with sessions: those given, and good ones with the other addresses."""
    sessions = {each: probe(each) for each in (A1, A2, A3)} | {each.address: each for each in probes}
    return evidence(told, probes=sessions, **{"reach": Reach(port_25=True, ipv6=True)} | more)


def announced(policy=None, record="v=STSv1; id=1;", document=b"", **more):
    """What is published of MTA-STS: a record, and the policy, given or in a document."""
    read, told = read_records([record]), read_policy(document)
    faults = told.faults if document else ()
    return StsPublished(record, read.id, policy or told.policy, read.faults, faults, **more)


def texts(spf=(), sts=None, tlsa=None, tlsrpt=None, dkim=None):
    """Policies; reports are asked for unless said otherwise."""
    records = Found(tuple(spf), HOUR_S) if spf else NoData()
    sts = announced(sts) if isinstance(sts, StsPolicy) else sts
    reports = tlsrpt or Found(("v=TLSRPTv1; rua=mailto:x@example.com",), HOUR_S)
    return Texts(records, sts, tlsa or {}, reports, dkim or {})


def published(told=None, **more):
    """Evidence with policies."""
    return evidence(told, texts=texts(**more))


def said(server, address, mx=MX, serial=1, ttl_s=HOUR_S, **more):
    """What one name server said."""
    return Said(server, ip_address(address), serial, Found(tuple(mx), ttl_s), **more)


def drift(*servers, **more):
    """Evidence of what each name server says."""
    return evidence(said=servers, **more)


def wire(octets, *, is_cut=False, ttls=()):
    """Evidence of the MX answer as it travelled."""
    return evidence(wire=(Wire("example.com", "MX", octets, is_cut, ttls),))


def reverse(*names, address=A1, told=HOSTS, known=None, spf=()):
    """Evidence of the names of the first exchanger's address."""
    answer = Found(tuple(names), HOUR_S) if names else NoData()
    return evidence(snapshot(hosts=told, reverse={address: answer}), names=known or {}, texts=texts(spf=spf))
