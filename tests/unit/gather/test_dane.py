"""What DNSSEC vouches for of exchangers: the name under which TLSA records are looked for, and when nobody looks."""

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.dns import CachingResolver, RecordType, ServerAddress, WireSettings, ZoneResolver, parse_zones
from postroad.gather import GatherSettings, gather, gather_dane, gather_dane_of_hosts, gather_hosts, why_dane_is_off
from postroad.words.facts import Bogus, Found, HostFacts, Mx, NoData, NoName, Temporary, Tlsa
from postroad.words.policies import DaneFacts
from postroad.words.snapshot import Snapshot

HASH = "ab" * 32
TLSA = Tlsa(3, 1, 1, bytes.fromhex(HASH))
V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
SOA = "SOA ns.example. h.example. 1 2 3 4 60"
SIGNED = f"{SOA}\n@ DNSKEY 257 3 13 AAAA"
ROOT = f"$ORIGIN .\n$TTL 60\n@ {SIGNED}\n@ NS ns.example.\n"


def zone(origin, *lines, is_signed=True):
    """A zone, signed or not."""
    return f"$ORIGIN {origin}.\n$TTL 60\n@ {SIGNED if is_signed else SOA}\n" + "\n".join(lines) + "\n"


TLSA_25 = f"TLSA 3 1 1 {HASH}"


class Counting:
    """A resolver that writes down what it is asked, and has some answers of its own."""

    def __init__(self, inner, **answers):
        self._inner = inner
        self._answers = answers
        self.asked = []
        self.most = self._now = 0

    async def resolve(self, name, kind):
        self.asked.append((name, kind.value))
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        return self._answers.get(name) or await self._inner.resolve(name, kind)


def run(*zones, domain="example.com", answers=None, validates=True, caches=False):
    """What is found of a domain, and what was asked for it beyond MX and addresses."""
    counting = Counting(ZoneResolver(parse_zones({"all": "".join(zones)}), validates=validates), **(answers or {}))
    resolver = CachingResolver(counting, lambda: 0.0) if caches else counting

    async def story():
        snapshot = await gather(domain, resolver)
        before = len(counting.asked)
        return await gather_dane(snapshot, resolver), counting.asked[before:]

    return asyncio.run(story())


MX = "@ MX 10 mx"
HOST = "mx A 192.0.2.1"
RECORD = f"_25._tcp.mx {TLSA_25}"
ASKED = ("_25._tcp.mx.example.com", "TLSA")
NAMES = ("mx.example.com", "example.com")
FOUND = Found((TLSA,), 60, (), "_25._tcp.mx.example.com", authentic=True)


@pytest.mark.parametrize("caches", [False, True])
def test_a_signed_exchanger_is_asked_for_its_records(caches):
    """One question, at the name of the exchanger, which is also the name for the handshake."""
    found, asked = run(zone("example.com", MX, HOST, RECORD), caches=caches)
    expected = DaneFacts(is_mx_secure=True, base="mx.example.com", tlsa=FOUND, names=NAMES)
    assert ({"mx.example.com": expected}, [ASKED]) == (found, asked)


def test_without_records_the_denial_is_the_answer():
    """That there are none is vouched for as well."""
    found, asked = run(zone("example.com", MX, HOST))
    assert ([ASKED], NoName(60, (), authentic=True)) == (asked, found["mx.example.com"].tlsa)


@pytest.mark.parametrize(
    "zones",
    [
        (zone("example.com", MX, HOST, RECORD, is_signed=False),),
        (
            zone("example.com", "@ MX 10 mx.far.example."),
            zone("far.example", "mx A 192.0.2.1", RECORD, is_signed=False),
        ),
        (zone("example.com", HOST, RECORD, is_signed=False),),
        (zone("example.com", MX, RECORD),),
        (zone("example.com", "@ MX 0 ."),),
        (zone("example.com", "@ MX 10 192.0.2.1"),),
    ],
    ids=["unsigned", "unsigned host", "unsigned without MX", "no address", "null MX", "address for a name"],
)
def test_no_tlsa_is_asked_where_the_address_is_not_vouched_for(zones):
    """Some name servers never answer that question, and mail would wait for ever (RFC 7672 section 2.2.2, M1)."""
    found, asked = run(*zones)
    assert ([], set()) == (asked, {each.tlsa for each in found.values()} - {None})


def test_nothing_is_asked_of_a_resolver_that_does_not_validate():
    """Zones that are signed, and nobody who looks."""
    _, asked = run(zone("example.com", MX, HOST, RECORD), validates=False)
    assert [] == asked


@pytest.mark.parametrize("trouble", [Temporary("SERVFAIL", extended_error=6), Temporary("timeout"), Bogus("malformed")])
def test_trouble_is_an_answer(trouble):
    """Never taken for a lack of records (RFC 7672 section 2.1.2, M2), and nothing else is asked behind it."""
    found, asked = run(zone("example.com", MX, HOST, RECORD), answers={ASKED[0]: trouble})
    assert ([ASKED], trouble) == (asked, found["mx.example.com"].tlsa)


def test_an_unsigned_mx_set_may_name_signed_exchangers():
    """They are proven, but the domain is not: its name counts for nothing (RFC 7672 section 2.2.1, M8)."""
    unsigned = zone("example.com", "@ MX 10 mx.far.example.", is_signed=False)
    found, _ = run(unsigned, zone("far.example", "mx A 192.0.2.1", f"_25._tcp.mx {TLSA_25}"))
    facts = found["mx.far.example"]
    assert (False, "mx.far.example", ("mx.far.example",)) == (facts.is_mx_secure, facts.base, facts.names)
    assert (TLSA,) == facts.tlsa.records


ALIAS = "mx CNAME host.far.example."
FAR = "host A 192.0.2.1"
AT_END = f"_25._tcp.host {TLSA_25}"
END = ("_25._tcp.host.far.example", "TLSA")
PROBES = [("", "NS"), ("mx.example.com", "CNAME")]


@pytest.mark.parametrize(
    ("near", "far", "asked", "base"),
    [
        # (is the alias signed, has it records), (is its target signed, has it records)
        ((True, True), (True, True), [END], "host.far.example"),
        ((True, True), (True, False), [END, ASKED], "mx.example.com"),
        ((True, False), (True, False), [END, ASKED], None),
        ((True, True), (False, True), [*PROBES, ASKED], "mx.example.com"),
        ((True, False), (False, True), [*PROBES, ASKED], None),
        ((False, True), (True, True), PROBES, None),
        ((False, True), (False, True), PROBES, None),
    ],
)
@pytest.mark.parametrize("caches", [False, True])
def test_the_base_domain_of_an_alias(near, far, asked, base, caches):
    """All signed: the end of the alias and then the alias; else the alias, if signed (RFC 7672 section 2.2.2)."""
    zones = (
        ROOT,
        zone("example.com", "@ MX 10 mx", ALIAS, RECORD if near[1] else "", is_signed=near[0]),
        zone("far.example", FAR, AT_END if far[1] else "", is_signed=far[0]),
    )
    found, questions = run(*zones, caches=caches)
    facts = found["mx.example.com"]
    proven = facts.base if isinstance(facts.tlsa, Found) and facts.tlsa.authentic else None
    assert (asked, base) == (questions, proven)


@pytest.mark.parametrize("trouble", [Temporary("SERVFAIL"), Bogus("malformed")])
def test_trouble_at_the_end_of_an_alias_is_an_answer(trouble):
    """The alias, which has records as well, is not asked: that the end has none is what nobody has said."""
    zones = ROOT, zone("example.com", "@ MX 10 mx", ALIAS, RECORD), zone("far.example", FAR, AT_END)
    found, asked = run(*zones, answers={END[0]: trouble})
    assert ([END], "host.far.example", trouble) == (asked, (facts := found["mx.example.com"]).base, facts.tlsa)


def test_records_at_the_end_of_an_alias_that_nobody_vouches_for_do_not_count():
    """Then those of the alias do (RFC 7672 section 2.2.2)."""
    zones = ROOT, zone("example.com", "@ MX 10 mx", ALIAS, RECORD), zone("far.example", FAR, AT_END)
    found, asked = run(*zones, answers={END[0]: Found((TLSA,), 60, (), END[0], authentic=False)})
    assert ([END, ASKED], "mx.example.com") == (asked, found["mx.example.com"].base)


def test_where_the_alias_cannot_be_looked_up_nobody_can_say():
    """It may have been the one that is signed (RFC 7672 section 2.1.2)."""
    zones = (ROOT, zone("example.com", "@ MX 10 mx", ALIAS), zone("far.example", FAR, is_signed=False))

    class Failing(Counting):
        async def resolve(self, name, kind):
            answer = await super().resolve(name, kind)
            return Temporary("SERVFAIL") if kind is RecordType.CNAME else answer

    async def story():
        resolver = Failing(ZoneResolver(parse_zones({"all": "".join(zones)}), validates=True))
        return await gather_dane(await gather("example.com", resolver), resolver)

    facts = asyncio.run(story())["mx.example.com"]
    assert ("mx.example.com", Temporary("SERVFAIL")) == (facts.base, facts.tlsa)


def test_aliases_of_an_unsigned_domain_cost_nothing_more_without_a_validator():
    """Whether an alias is signed is asked only of who could know: that is asked first."""
    zones = (zone("example.com", "@ MX 10 mx", ALIAS), zone("far.example", FAR), ROOT)
    _, asked = run(*zones, validates=False)
    assert [("", "NS")] == asked


def test_names_for_a_trust_anchor():
    """The base domain, the domain, the end of the domain's alias, and the exchanger (RFC 7672 section 3.2.2, M5)."""
    zones = (
        zone("example.org", "exchange CNAME mail.example.com."),
        zone("example.com", "mail MX 10 mx", ALIAS, "mail CNAME-NOT TXT x".replace("CNAME-NOT ", "")),
        zone("far.example", FAR, AT_END),
    )
    found, _ = run(*zones, domain="exchange.example.org")
    facts = found["mx.example.com"]
    assert ("host.far.example", "exchange.example.org", "mail.example.com", "mx.example.com") == facts.names


def test_a_domain_without_mx_is_its_own_exchanger():
    """What is not there is vouched for, too; the names are those of the host."""
    found, asked = run(zone("example.com", "@ A 192.0.2.1", f"_25._tcp {TLSA_25}"))
    facts = found["example.com"]
    assert (True, "example.com", ("example.com",)) == (facts.is_mx_secure, facts.base, facts.names)
    assert [("_25._tcp.example.com", "TLSA")] == asked


@pytest.mark.parametrize("nothing", [NoData, NoName])
@pytest.mark.parametrize("authentic", [False, True])
def test_the_lack_of_mx_is_as_secure_as_its_denial(nothing, authentic):
    """RFC 7672 section 2.1.3 (M9)."""
    host = HostFacts(Found((V4,), name="example.com"), NoData())
    snapshot = Snapshot("example.com", nothing(authentic=authentic), {"example.com": host})
    found = asyncio.run(gather_dane(snapshot, Counting(None)))
    assert authentic == found["example.com"].is_mx_secure


def test_one_secure_address_is_enough():
    """An attacker who takes AD from one family must not turn DANE off."""
    host = HostFacts(Found((V4,), name="mx.example.com"), Found((V6,), name="mx.example.com", authentic=True))
    snapshot = Snapshot("example.com", Found((Mx(10, "mx.example.com"),)), {"mx.example.com": host})
    resolver = Counting(None, **{ASKED[0]: FOUND})
    assert FOUND == asyncio.run(gather_dane(snapshot, resolver))["mx.example.com"].tlsa


def test_a_host_whose_name_is_too_long_has_none():
    """No record can be there, so that is no trouble."""
    name = ".".join(["a" * 60] * 4) + ".com"
    host = HostFacts(Found((V4,), name=name, authentic=True), NoData())
    snapshot = Snapshot("example.com", Found((Mx(10, name),), authentic=True), {name: host})
    resolver = Counting(None)
    assert {name: DaneFacts(is_mx_secure=True)} == asyncio.run(gather_dane(snapshot, resolver))
    assert [] == resolver.asked


def test_the_longest_name_that_a_record_can_have_is_asked():
    """253 octets, the port and the protocol before it included."""
    name = ".".join(["a" * 60] * 3 + ["a" * 61])
    assert 253 == len(f"_25._tcp.{name}")
    host = HostFacts(Found((V4,), name=name, authentic=True), NoData())
    snapshot = Snapshot("example.com", Found((Mx(10, name),), authentic=True), {name: host})
    resolver = Counting(None, **{f"_25._tcp.{name}": NoName(60)})
    asyncio.run(gather_dane(snapshot, resolver))
    assert [(f"_25._tcp.{name}", "TLSA")] == resolver.asked


def test_a_static_host_has_its_port_and_whoever_wrote_it_vouches_for_its_name():
    """The name of the records has the port (RFC 7672 section 2.2.3)."""
    resolver = ZoneResolver(
        parse_zones({"all": zone("example.com", "gw A 192.0.2.1", f"_587._tcp.gw {TLSA_25}")}), validates=True
    )

    async def story():
        hosts = await gather_hosts(["gw.example.com"], resolver)
        return await gather_dane_of_hosts(hosts, resolver, port=587)

    facts = asyncio.run(story())["gw.example.com"]
    assert (True, (TLSA,), ("gw.example.com",)) == (facts.is_mx_secure, facts.tlsa.records, facts.names)


def test_many_exchangers_are_asked_for_a_few_at_a_time():
    """However many a domain has: the limits are those of the addresses."""
    lines = [line for n in range(150) for line in (f"@ MX {n} h{n}", f"h{n} A 192.0.2.1")]
    resolver = Counting(ZoneResolver(parse_zones({"all": zone("example.com", *lines)}), validates=True))

    async def story():
        snapshot = await gather("example.com", resolver)
        resolver.asked, resolver.most = [], 0
        return await gather_dane(snapshot, resolver, GatherSettings(in_flight=7))

    found = asyncio.run(story())
    assert (100, 100, 7) == (len(found), len(resolver.asked), resolver.most)


ANSWERS = st.sampled_from(
    [NoData(), NoName(authentic=True), Temporary("x"), Bogus("y"), FOUND, Found((TLSA,), name="z"),
     Found((V4,), name="mx.example.com", authentic=True), Found((V4,), aliases=("mx.example.com",), name="a.example"),
     Found((V4,), aliases=("mx.example.com",), name="a.example", authentic=True), Found((), name="mx.example.com")]
)  # fmt: skip


@settings(max_examples=examples(200))
@given(ANSWERS, ANSWERS, ANSWERS, st.lists(ANSWERS, min_size=1))
def test_whatever_is_answered_there_are_few_questions_and_facts_that_fit(mx, a, aaaa, answers):
    """At most four questions for an exchanger; trouble ends them; records that count are vouched for."""
    turns = []

    class Any:
        async def resolve(self, name, kind):
            turns.append((name, kind.value))
            return answers[len(turns) % len(answers)]

    domain = "example.com" if isinstance(mx, NoData | NoName) else "mx.example.com"
    chosen = Found((Mx(10, domain),), authentic=mx.authentic) if isinstance(mx, Found) else mx
    snapshot = Snapshot("example.com", chosen, {domain: HostFacts(a, aaaa)})
    found = asyncio.run(gather_dane(snapshot, Any()))
    secure = any(isinstance(each, Found) and each.records and each.authentic for each in (a, aaaa))
    kinds = [kind for _, kind in turns]
    assert kinds in [[], ["TLSA"], ["TLSA", "TLSA"], ["NS"], ["NS", "CNAME"], ["NS", "CNAME", "TLSA"]]
    assert not (secure and "NS" in kinds)
    for facts in found.values():
        assert (facts.base == "") == (facts.tlsa is None)


@pytest.mark.parametrize(
    ("servers", "trust_ad", "validates", "expected"),
    [
        ("127.0.0.1", False, True, ""),
        ("192.0.2.1", True, True, ""),
        ("192.0.2.1 127.0.0.1", False, True, ""),
        ("127.0.0.1", False, False,
         "DANE is off: the resolver at 127.0.0.1:53 does not validate; turn DNSSEC validation on there"),
        ("192.0.2.1 192.0.2.2", False, True,
         "DANE is off: 192.0.2.1:53 and 192.0.2.2:53 are not on this machine, and what DNSSEC says could be forged on"
         " the way; run a validating resolver here, or set dns.trust_ad = true if the way is safe"),
    ],
)  # fmt: skip
def test_why_dane_is_off(servers, trust_ad, validates, expected):
    """Who is not believed is not even asked; who does not vouch for the root vouches for nothing (T12)."""
    resolver = Counting(ZoneResolver(parse_zones({"root": ROOT}), validates=validates))
    asked = WireSettings(tuple(ServerAddress(ip_address(each)) for each in servers.split()), trust_ad=trust_ad)
    assert expected == asyncio.run(why_dane_is_off(resolver, asked))
    assert ([] if "not on this machine" in expected else [("", "NS")]) == resolver.asked


def test_a_resolver_that_is_down_does_not_turn_dane_off():
    """It may validate when it answers."""
    resolver = Counting(ZoneResolver(parse_zones({"all": zone("example.com", HOST)}), validates=True))
    asked = WireSettings((ServerAddress(ip_address("127.0.0.1")),))
    assert asyncio.run(why_dane_is_off(resolver, asked)) is None
