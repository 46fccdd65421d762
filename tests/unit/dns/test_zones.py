"""Answers from master files: what people paste, and what an authoritative server would make of it."""

import asyncio
from ipaddress import ip_address

import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from tests.support.examples import some

from postroad.dns import RecordType, ServerAddress, WireResolver, WireSettings, ZoneResolver, Zones, parse_zones
from postroad.lab import Nameserver
from postroad.words.facts import Bogus, Found, Mx, NoData, NoName, Temporary, is_authentic

EXAMPLE_COM = r"""
$ORIGIN example.com.
$TTL 300
@           SOA   ns1 hostmaster 1 7200 900 604800 60
            NS    ns1
            NS    ns.Example.NET.
            MX    20 MAIL2
            MX    10 mail1
            MX    10 192.0.2.1
ns1         A     192.0.2.53
mail1       A     192.0.2.12
            A     192.0.2.11
            AAAA  2001:db8::11
mail2  60   A     192.0.2.21
www         CNAME mail1
hop         CNAME www
far         CNAME www.example.net.
off         CNAME www.example.org.
gone        CNAME nothere
void        CNAME b.ent
loop        CNAME pool
pool        CNAME loop
a.b.ent     A     192.0.2.31
*.wild      MX    10 mail1
*.wild      CNAME-IS-NONE.wild TXT "x"
x.wild      A     192.0.2.41
*.star      CNAME mail1
sub         NS    ns1.sub
ns1.sub     A     192.0.2.54
null        MX    0 .
""".replace("*.wild      CNAME-IS-NONE.wild TXT", "*.wild      TXT")
EXAMPLE_NET = """
$ORIGIN example.net.
@ 3600 IN SOA ns hostmaster 1 7200 900 604800 600
ns 3600 IN A 192.0.2.99
www 3600 IN A 192.0.2.98
"""
MAIL1 = "mail1.example.com"
ZONES = ZoneResolver(parse_zones({"com": EXAMPLE_COM, "net": EXAMPLE_NET}))


def ask(resolver, name, kind="A"):
    """One question."""
    return asyncio.run(resolver.resolve(name, RecordType(kind)))


COM, NET = "mail.example.com", "mail.example.net"


def pasted(text):
    """A resolver over a few pasted lines."""
    zones = parse_zones({"pasted": text})
    assert isinstance(zones, Zones), zones
    return ZoneResolver(zones)


def found(*records, ttl_s=300, aliases=(), name):
    """Addresses and other words as Found."""
    parsed = tuple(ip_address(record) if isinstance(record, str) else record for record in records)
    return Found(parsed, ttl_s, aliases, name)


OFF = Temporary("no zone file has www.example.org", ("off.example.com",), "www.example.org")


ANSWERS = [
        (
            "example.com",
            "MX",
            found(
                Mx(20, "mail2.example.com"),
                Mx(10, "mail1.example.com"),
                Mx(10, "192.0.2.1.example.com"),
                name="example.com",
            ),
        ),
        ("example.com", "NS", Found(("ns1.example.com", "ns.example.net"), 300, (), "example.com")),
        ("Mail1.Example.COM", "A", found("192.0.2.12", "192.0.2.11", name=MAIL1)),
        ("mail2.example.com", "A", found("192.0.2.21", ttl_s=60, name="mail2.example.com")),
        ("mail2.example.com", "AAAA", NoData(60)),
        ("nothere.example.com", "A", NoName(60)),
        ("null.example.com", "MX", found(Mx(0, ""), name="null.example.com")),
        # Aliases
        ("www.example.com", "AAAA", found("2001:db8::11", aliases=("www.example.com",), name=MAIL1)),
        (
            "hop.example.com",
            "AAAA",
            found("2001:db8::11", aliases=("hop.example.com", "www.example.com"), name=MAIL1),
        ),
        ("www.example.com", "MX", NoData(60, ("www.example.com",))),
        ("gone.example.com", "A", NoName(60, ("gone.example.com",))),
        ("void.example.com", "A", NoData(60, ("void.example.com",))),
        ("far.example.com", "A", found("192.0.2.98", aliases=("far.example.com",), name="www.example.net")),
        ("far.example.com", "AAAA", NoData(300, ("far.example.com",))),
        ("off.example.com", "A", OFF),
        (
            "loop.example.com",
            "A",
            Bogus(
                "alias loop: loop.example.com -> pool.example.com -> loop.example.com",
                ("loop.example.com", "pool.example.com"),
                "loop.example.com",
            ),
        ),
        ("www.example.com", "CNAME", Found(("mail1.example.com",), 300, (), "www.example.com")),
        # Names with nothing but names below exist, RFC 8020
        ("ent.example.com", "A", NoData(60)),
        ("b.ent.example.com", "A", NoData(60)),
        ("c.ent.example.com", "A", NoName(60)),
        # Wildcards, RFC 4592 section 2.2.1
        ("y.wild.example.com", "MX", found(Mx(10, "mail1.example.com"), name="y.wild.example.com")),
        ("z.y.wild.example.com", "MX", found(Mx(10, "mail1.example.com"), name="z.y.wild.example.com")),
        ("y.wild.example.com", "A", NoData(60)),
        ("x.wild.example.com", "MX", NoData(60)),
        ("y.x.wild.example.com", "MX", NoName(60)),
        ("wild.example.com", "MX", NoData(60)),
        ("*.wild.example.com", "TXT", Found(("x",), 300, (), "*.wild.example.com")),
        ("y.star.example.com", "AAAA", found("2001:db8::11", aliases=("y.star.example.com",), name=MAIL1)),
        # Delegations and beyond
        ("ns1.sub.example.com", "A", found("192.0.2.54", name="ns1.sub.example.com")),
        (
            "mail.sub.example.com",
            "A",
            Temporary(
                "no zone file has mail.sub.example.com: "
                "sub.example.com is delegated to other name servers"
            ),
        ),
        ("example.org", "MX", Temporary("no zone file has example.org")),
        ("com", "MX", Temporary("no zone file has com")),
        ("", "NS", Temporary("no zone file has the root")),
    ]  # fmt: skip


def test_zones_answer_as_an_authoritative_server_does():
    """RFC 1034 section 4.3.2 over all zones given, with the negative TTL of RFC 2308."""
    assert {(name, kind): expected for name, kind, expected in ANSWERS} == {
        (name, kind): ask(ZONES, name, kind) for name, kind, _ in ANSWERS
    }


def test_the_order_is_that_of_the_file_every_time():
    """Zone answers are never rotated: the same question has the same answer."""
    assert ask(ZONES, "example.com", "MX") == ask(ZONES, "example.com", "MX")


def test_three_thousand_records_are_read_in_order():
    """A giant RRset is no trouble. Every fifth record; all in a whole run."""
    numbers = some(range(3000), 5)
    resolver = pasted("".join(f"big.example. MX {n % 7} h{n}.example.\n" for n in numbers))
    records = ask(resolver, "big.example", "MX").records
    assert [(n % 7, f"h{n}.example") for n in numbers] == [(mx.preference, mx.exchange) for mx in records]


# What people paste


def test_a_few_absolute_lines_are_enough():
    """No $ORIGIN, no SOA, no TTL: an hour, and each highest owner is the top of what is known."""
    resolver = pasted("example.com. IN MX 10 mx.example.net.\nmx.example.net. IN A 192.0.2.1")
    assert found(Mx(10, "mx.example.net"), ttl_s=3600, name="example.com") == ask(resolver, "example.com", "MX")
    assert found("192.0.2.1", ttl_s=3600, name="mx.example.net") == ask(resolver, "mx.example.net")
    assert NoData() == ask(resolver, "mx.example.net", "AAAA")
    assert NoName() == ask(resolver, "www.example.com")
    assert Temporary("no zone file has example.net") == ask(resolver, "example.net")


def test_an_origin_is_a_top():
    """With $ORIGIN alone the domain itself is known, even where it has no record."""
    resolver = pasted("$ORIGIN example.com.\nmail A 192.0.2.1\n")
    assert NoData() == ask(resolver, "example.com", "MX")
    assert NoName() == ask(resolver, "www.example.com", "MX")
    assert NoData() == ask(pasted("$ORIGIN example.com."), "example.com", "MX")


def test_each_origin_is_for_the_lines_below_it():
    """A file may have several zones."""
    resolver = pasted("$ORIGIN example.com.\nmail A 192.0.2.1\n$ORIGIN example.net.\nmail A 192.0.2.2\n")
    expected = [found(f"192.0.2.{last}", ttl_s=3600, name=name) for last, name in ((1, COM), (2, NET))]
    assert expected == [ask(resolver, name) for name in (COM, NET)]


def test_the_highest_of_two_delegations_counts():
    """Of what is below it a server knows nothing, whatever stands there."""
    resolver = pasted("$ORIGIN example.com.\nb NS ns.example.net.\na.b NS ns.example.net.\n")
    why = "no zone file has x.a.b.example.com: b.example.com is delegated to other name servers"
    assert Temporary(why) == ask(resolver, "x.a.b.example.com")


def test_the_soa_says_where_a_zone_begins():
    """BIND writes `$ORIGIN .` and parents above the zone: only the SOA counts then."""
    resolver = pasted("$ORIGIN .\nexample.com 60 IN SOA a. b. 1 2 3 4 5\n$ORIGIN example.com.\nmail A 192.0.2.1\n")
    assert NoName(5) == ask(resolver, "www.example.com")
    assert Temporary("no zone file has example.org") == ask(resolver, "example.org")


def test_a_zone_below_another_answers_for_itself():
    """The closest top decides, whichever file came first."""
    parent = "$ORIGIN example.com.\n@ SOA a. b. 1 2 3 4 5\nsub NS ns.sub\n"
    child = "$ORIGIN sub.example.com.\n@ SOA a. b. 1 2 3 4 6\nmail A 192.0.2.1\n"
    resolver = ZoneResolver(parse_zones({"1": parent, "2": child}))
    assert NoName(6) == ask(resolver, "www.sub.example.com")
    assert found("192.0.2.1", ttl_s=3600, name="mail.sub.example.com") == ask(resolver, "mail.sub.example.com")


def test_files_add_up():
    """Records of one name may stand in several files; the same record twice is one."""
    resolver = ZoneResolver(
        parse_zones({"1": "a.example. A 192.0.2.1", "2": "a.example. A 192.0.2.2\na.example. A 192.0.2.1"})
    )
    assert found("192.0.2.1", "192.0.2.2", ttl_s=3600, name="a.example") == ask(resolver, "a.example")


def test_a_ttl_left_out_is_the_last_one_stated():
    """RFC 1035 section 5.1, and $TTL (RFC 2308 section 4) from where it stands."""
    resolver = pasted("a. A 192.0.2.1\nb. 60 A 192.0.2.1\nc. A 192.0.2.1\n$TTL 2h\nd. A 192.0.2.1\n")
    assert [3600, 60, 60, 7200] == [ask(resolver, name).ttl_s for name in "abcd"]


def test_an_address_for_an_exchanger_stays_the_name_it_spells():
    """`MX 10 192.0.2.1.` is a name of four labels; what to think of it is not for DNS to say."""
    assert (Mx(10, "192.0.2.1"),) == ask(pasted("example.com. MX 10 192.0.2.1."), "example.com", "MX").records


def test_names_beyond_ascii_are_read():
    """Unicode as IDNA 2008 has it, escapes as they are."""
    resolver = pasted("straße.example. MX 10 a\\.b\\255.example.\n")
    assert (Mx(10, r"a\.b\255.example"),) == ask(resolver, "xn--strae-oqa.example", "MX").records


def test_signatures_are_left_out():
    """A signed zone is read for its records; nothing here validates."""
    signature = "a.example. RRSIG {} 8 2 60 20300101000000 20200101000000 1 example. AAAA\n"
    resolver = pasted("a.example. A 192.0.2.1\n" + signature.format("A") + signature.format("AAAA"))
    assert found("192.0.2.1", ttl_s=3600, name="a.example") == ask(resolver, "a.example")


# What the lab serves on the wire


def lookup(name, kind):
    """A lookup as four lists of lines, code first."""
    answer = ZONES.zone_data.lookup(dns.name.from_text(name), dns.rdatatype.from_text(kind))
    sections = (answer.answer, answer.authority, ZONES.zone_data.additional(answer))
    return dns.rcode.to_text(answer.rcode), *[
        [line for rrset in part for line in str(rrset).splitlines()] for part in sections
    ]


SOA_LINE = "example.com. 300 IN SOA ns1.example.com. hostmaster.example.com. 1 7200 900 604800 60"


def test_mx_answers_bring_addresses_along():
    """The additional section has what the zones know of the exchangers."""
    code, answer, authority, additional = lookup("y.wild.example.com", "MX")
    assert ("NOERROR", []) == (code, authority)
    assert ["y.wild.example.com. 300 IN MX 10 mail1.example.com."] == answer
    assert [
        "mail1.example.com. 300 IN A 192.0.2.12",
        "mail1.example.com. 300 IN A 192.0.2.11",
        "mail1.example.com. 300 IN AAAA 2001:db8::11",
    ] == additional


def test_absence_brings_the_soa():
    """NXDOMAIN and no data, behind an alias too."""
    assert ("NXDOMAIN", [], [SOA_LINE], []) == lookup("nothere.example.com", "A")
    assert ("NOERROR", [], [SOA_LINE], []) == lookup("ent.example.com", "A")
    alias = "gone.example.com. 300 IN CNAME nothere.example.com."
    assert ("NXDOMAIN", [alias], [SOA_LINE], []) == lookup("gone.example.com", "A")


def test_what_is_elsewhere_is_refused_or_referred():
    """Names of no zone are refused, those of a delegated one referred, an alias out of the zones is all there is."""
    assert ("REFUSED", [], [], []) == lookup("example.org", "A")
    servers, glue = ["sub.example.com. 300 IN NS ns1.sub.example.com."], ["ns1.sub.example.com. 300 IN A 192.0.2.54"]
    assert ("NOERROR", [], servers, glue) == lookup("mail.sub.example.com", "A")
    assert ("NOERROR", ["off.example.com. 300 IN CNAME www.example.org."], [], []) == lookup("off.example.com", "A")


def test_a_loop_is_served_and_ends():
    """A real server gives the chain as far as it went."""
    code, answer, _, _ = lookup("loop.example.com", "A")
    assert "NOERROR" == code
    assert 12 >= len(answer) >= 2


def test_each_record_knows_its_line():
    """The zones tell where each record stands, in canonical names, so that a finding can point at it."""
    zones = parse_zones({"a.zone": "$ORIGIN Example.COM.\n; a comment\n@ MX 10 Mail\n\nmail A 192.0.2.1\n@ MX 0 .\n"})
    told = [(line.owner, line.kind, line.value, line.file, line.number) for line in zones.lines]
    assert [
        ("example.com", "MX", "10 mail.example.com", "a.zone", 3),
        ("mail.example.com", "A", "192.0.2.1", "a.zone", 5),
        ("example.com", "MX", "0 .", "a.zone", 6),
    ] == told


SIGNED = """
$TTL 300
signed.example.     SOA   ns.example. h.example. 1 7200 900 604800 60
signed.example.     DNSKEY 257 3 13 AAAA
signed.example.     MX    10 mx.signed.example.
mx.signed.example.  A     192.0.2.1
in.signed.example.  CNAME mx.signed.example.
out.signed.example. CNAME mx.plain.example.
*.w.signed.example. MX    10 mx.signed.example.
plain.example.      SOA   ns.example. h.example. 1 7200 900 604800 60
mx.plain.example.   A     192.0.2.2
to.plain.example.   CNAME mx.signed.example.
sub.signed.example. NS    ns.elsewhere.example.
"""
VOUCHED_FOR = [
    ("signed.example", "MX", True),
    ("signed.example", "A", True),
    ("nothing.signed.example", "A", True),
    ("a.w.signed.example", "MX", True),
    ("in.signed.example", "A", True),
    ("in.signed.example", "AAAA", True),
    ("out.signed.example", "A", False),
    ("out.signed.example", "AAAA", False),
    ("mx.plain.example", "A", False),
    ("plain.example", "MX", False),
    ("nothing.plain.example", "A", False),
    ("to.plain.example", "A", False),
]


@pytest.mark.parametrize(("name", "kind", "expected"), VOUCHED_FOR)
def test_what_dnssec_would_vouch_for_in_tests(name, kind, expected):
    """A zone with a DNSKEY is signed, for those who ask for that; the lab's name server says the same with AD."""
    zones = parse_zones({"zones": SIGNED})

    async def by_wire():
        server = Nameserver(zones)
        await server.start()
        try:
            where = server.endpoint
            resolver = WireResolver(WireSettings((ServerAddress(where.address, where.port),)))
            return await resolver.resolve(name, RecordType(kind))
        finally:
            await server.stop()

    answer = ask(ZoneResolver(zones, validates=True), name, kind)
    assert expected == is_authentic(answer)
    assert answer == asyncio.run(by_wire())


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind, _ in VOUCHED_FOR])
def test_a_zone_file_proves_nothing(name, kind):
    """Whoever reads records from a file, signed or not, has nobody who vouches for them."""
    assert not is_authentic(ask(ZoneResolver(parse_zones({"zones": SIGNED})), name, kind))
