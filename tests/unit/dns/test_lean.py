"""The lean decoder says what dnspython and the meaning of replies say, or nothing."""

import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride
from tests.support.lean_and_slow import both, query, slow
from tests.support.nameserver import SOA, reply

from postroad.dns import RecordType, lean
from postroad.words.facts import Found, Mx, NoData, NoName, Tlsa

MX, A, AAAA = RecordType.MX, RecordType.A, RecordType.AAAA
KINDS = [kind for kind in RecordType if kind is not RecordType.CNAME]
OWNERS = ("example.com", "mx1.example.com", "mx2.example.com", "www.example.com", "example.net", "com")
NS = "example.com. 300 IN NS ns.example.com."


def answered(name, kind, *records, **kwargs):
    """The octets of a well-formed reply."""
    return reply(dns.message.from_wire(b"\0\7" + query(name, kind).octets), *records, **kwargs).to_wire(
        want_shuffle=False
    )


@given(st.from_regex(r"([a-z0-9_-]{1,20}\.){0,6}[a-z]{1,9}", fullmatch=True), st.sampled_from(KINDS))
def test_a_question_is_the_one_dnspython_writes(name, kind):
    """Octet for octet, but for the id."""
    flags = dns.flags.RD | dns.flags.AD
    expected = dns.message.make_query(name, kind.value, use_edns=0, payload=1232, flags=flags).to_wire()
    assert expected[2:] == lean.question(name, kind, 1232).octets


@pytest.mark.parametrize(
    "name", ["", ".", "a.", "a..b", "*.a", "a\\.b", "A", "a" * 64, "a." * 127 + "a", "a\n", "\ud800"]
)
def test_a_name_out_of_the_ordinary_is_left_to_dnspython(name):
    """Nothing is guessed about escapes, capitals and what is no name at all."""
    assert lean.question(name, A, 1232) is None


@pytest.mark.parametrize(
    ("kind", "records", "kwargs", "expected"),
    [
        (MX, ["a.example. 300 IN MX 20 B.a.example.", "a.example. 300 IN MX 10 c.example."], {},
         Found((Mx(20, "b.a.example"), Mx(10, "c.example")), 300, (), "a.example")),
        (MX, ["a.example. 300 IN MX 0 ."], {}, Found((Mx(0, ""),), 300, (), "a.example")),
        (A, ["a.example. 60 IN CNAME b.example.", "b.example. 30 IN A 192.0.2.1"], {"flags": dns.flags.AD}, Found),
        (AAAA, ["a.example. 60 IN AAAA 2001:db8::1"], {"authority": ["example. 9 IN NS ns.example."]}, Found),
        (AAAA, [], {"authority": [SOA.replace("example.com.", "example.")]}, NoData(300)),
        (MX, [], {"rcode": "NXDOMAIN", "authority": [SOA.replace("example.com.", "example.")]}, NoName(300)),
        (MX, [], {}, NoData(0)),
    ],
)  # fmt: skip
def test_the_usual_is_read(kind, records, kwargs, expected):
    """Records, aliases and absence are read here, and mean the same as with dnspython."""
    fast, other = both(answered("a.example", kind, *records, **kwargs), "a.example", kind)
    assert fast == other
    assert isinstance(fast, expected) if isinstance(expected, type) else expected == fast


@pytest.mark.parametrize(
    ("records", "kwargs"),
    [
        ([], {"authority": ["example. 9 IN NS ns.example."]}),
        ([], {"rcode": "SERVFAIL"}),
        (["a.example. 9 IN MX 1 b.example."], {"rcode": "NXDOMAIN"}),
        (["a.example. 9 IN MX 1 b.example."], {"flags": dns.flags.TC}),
        (["a.example. 9 IN MX 1 b\\.c.example."], {}),
        (["a.example. 9 IN MX 1 b.example.", "a.example. 9 IN HINFO x y"], {}),
        (["a.example. 9 IN CNAME b.example."], {}),
        (["a.example. 9 IN CNAME a.example."], {}),
    ],
)
def test_the_unusual_is_left_to_dnspython(records, kwargs):
    """Referrals, trouble, contradictions, cut replies, odd names and types, aliases that lead out or round."""
    assert lean.read(answered("a.example", MX, *records, **kwargs), query("a.example", MX)) is None


def test_the_reply_to_another_question_is_none():
    """Another name, another type, no reply at all."""
    octets = answered("a.example", MX, "a.example. 9 IN MX 1 b.example.")
    assert lean.read(octets, query("b.example", MX)) is None
    assert lean.read(octets, query("a.example", A)) is None
    assert lean.read(b"\0\7" + query("a.example", MX).octets, query("a.example", MX)) is None


_DATA = {
    "A": "192.0.2.%d",
    "AAAA": "2001:db8::%d",
    "MX": "%d mx1.example.com.",
    "TXT": '"v=spf1 %d" "\\195\\164\\255"',
    "TLSA": f"3 1 1 0%d{'ab' * 31}",
}


@st.composite
def _records(draw):
    kind = draw(st.sampled_from([*_DATA, "CNAME", "NS", "PTR", "SOA"]))
    data = _DATA.get(kind, draw(st.sampled_from(OWNERS)) + ".")
    data = data % draw(st.integers(0, 3)) if "%" in data else data
    data += f" h.example. 1 2 3 4 {draw(st.integers(0, 900))}" if kind == "SOA" else ""
    return f"{draw(st.sampled_from(OWNERS))}. {draw(st.integers(0, 2**31 - 1))} IN {kind} {data}"


_sections = st.lists(_records(), max_size=5)


@settings(max_examples=examples(200 // stride(2)))
@given(
    st.sampled_from(OWNERS),
    st.sampled_from(KINDS),
    _sections,
    _sections,
    st.sampled_from(["NOERROR", "NXDOMAIN"]),
    st.sampled_from([0, dns.flags.AD]),
)
def test_well_formed_replies_mean_the_same_to_both(name, kind, records, authority, rcode, flags):
    """Whatever a well-formed reply has: the lean decoder agrees with dnspython or leaves it alone."""
    fast, other = both(answered(name, kind, *records, rcode=rcode, authority=authority, flags=flags), name, kind)
    assert fast is None or fast == other


_LABEL = st.sampled_from([b"\3mx1", b"\3MX2", b"\1a"])
_END = st.one_of(st.just(b"\0"), st.integers(0, 90).map(lambda at: (0xC000 | at).to_bytes(2)))
_NAME = st.builds(lambda labels, end: b"".join(labels) + end, st.lists(_LABEL, max_size=3), _END)
_RDATA = {
    MX: st.builds(lambda preference, name: preference + name, st.binary(min_size=2, max_size=2), _NAME),
    RecordType.NS: _NAME,
    RecordType.PTR: _NAME,
    A: st.binary(min_size=3, max_size=4),
    AAAA: st.just(bytes(16)),
    RecordType.TXT: st.sampled_from([b"", b"\0", b"\1a\1b", b"\2ab", b"\3ab", b"\1\xff", b"\2\xc3\xa4"]),
    # Digests of a wrong length are no records to dnspython
    RecordType.TLSA: st.sampled_from(
        [b"", b"\3\1", b"\3\1\0", b"\3\1\3a", b"\3\1\1" + bytes(32), b"\3\1\2" + bytes(64)]
    ),
}


@settings(max_examples=examples(300 // stride(3)))
@given(
    st.sampled_from(list(_RDATA)),
    st.data(),
    st.sampled_from([0x8180, 0x81A0, 0x8580]),
    st.integers(-1, 1),
    st.booleans(),
)
def test_records_written_by_strangers_mean_the_same_to_both(kind, data, flags, missing, has_opt):
    """Compressed in every way, said twice, cut off, counted wrong: never another meaning, and no exception."""
    asked = query("mail.example.com", kind)
    owner = st.sampled_from([b"\xc0\x0c", b"\xc0\x0c", b"\4mail\xc0\x11", b"\xc0\x11"])
    rdata = data.draw(st.lists(st.tuples(owner, st.integers(0, 2**31), _RDATA[kind]), max_size=4))
    records = b"".join(
        owner + asked.section[-4:] + ttl_s.to_bytes(4) + len(octets).to_bytes(2) + octets
        for owner, ttl_s, octets in rdata
    )
    counts = b"".join(count.to_bytes(2) for count in (1, max(0, len(rdata) + missing), 0, has_opt))
    opt = b"\0\0\x29\4\xd0" + bytes(6) if has_opt else b""
    octets = b"\0\7" + flags.to_bytes(2) + counts + asked.section + records + opt
    fast, other = both(octets, "mail.example.com", kind)
    assert fast is None or fast == other


@given(st.lists(st.binary(min_size=3, max_size=80), min_size=1, max_size=4, unique=True), st.booleans())
def test_associations_of_any_length_are_read(rdata, behind_alias):
    """A TLSA digest of the wrong length cannot be used, but is there: no other is lost by it (RFC 7671 section 9)."""
    asked = query("_25._tcp.mx.example.com", RecordType.TLSA)
    alias = b"\xc0\x0c\0\5\0\1" + (60).to_bytes(4) + b"\0\4\1t\xc0\x15"
    owner = b"\1t\xc0\x15" if behind_alias else b"\xc0\x0c"
    records = b"".join(
        owner + asked.section[-4:] + (60).to_bytes(4) + len(octets).to_bytes(2) + octets for octets in rdata
    )
    counts = b"".join(count.to_bytes(2) for count in (1, len(rdata) + behind_alias, 0, 0))
    octets = b"\0\7\x81\xa0" + counts + asked.section + (alias if behind_alias else b"") + records
    found = lean.read(octets, asked)
    assert (tuple(Tlsa(*each[:3], each[3:]) for each in rdata), True) == (found.records, found.authentic)


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(st.tuples(st.integers(2, 200), st.integers(0, 255)), max_size=4), st.integers(0, 3))
def test_damaged_replies_mean_the_same_to_both(edits, missing):
    """What the lean decoder reads out of broken octets, dnspython reads too; nothing raises."""
    lines = ["example.com. 300 IN CNAME b.example.com.", "b.example.com. 300 IN MX 5 mx1.example.com."]
    octets = bytearray(answered("example.com", MX, *lines, authority=[SOA, NS]))
    for place, value in edits:
        octets[place % len(octets)] = value
    fast, other = both(bytes(octets[: len(octets) - missing]), "example.com", MX)
    assert fast is None or fast == other


@given(st.binary(max_size=100))
def test_no_octets_raise(octets):
    """Not even after a good header and question."""
    asked = query("example.com", MX)
    header = b"\0\7\x81\x80\0\1\0\1\0\1\0\1" + asked.section
    assert lean.read(octets, asked) is None
    assert (fast := lean.read(header + octets, asked)) is None or fast == slow(header + octets, "example.com", MX)


def test_pointers_in_circles_and_in_long_rows_end():
    """A name that points to itself, or through a thousand pointers, is left alone."""
    asked = query("example.com", MX)
    header = b"\0\7\x81\x80\0\1\0\1\0\0\0\0" + asked.section
    start = len(header)
    row = b"".join((0xC000 | start + max(0, n - 1) * 2).to_bytes(2) for n in range(1000))
    assert lean.read(header + row, asked) is None
