"""Master files read into zones: what is plain and what is not, what is included, and all that is wrong at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.dns import ZoneFault, ZoneProblem, ZoneResolver, Zones, load_zones, master, parse_zones

GOOD = "$ORIGIN example.net.\n@ MX 10 mail\nmail A 192.0.2.1\n"
OWNERS = st.sampled_from(["@", "mail", "Mail", "a.b", "x.example.org.", "*.wild", "", "", "3", "IN", "A"])
TTLS = st.sampled_from(["", "", "60", "1h", "0", "3x"])
VALUES = [
    "A 192.0.2.1", "a 192.0.2.01", "A 192.0.2", "AAAA 2001:DB8::1", "AAAA ::ffff:192.0.2.1", "MX 10 mail",
    "MX 010 Mail.Example.COM.", "MX 0 .", "MX 65536 mail", "MX mail", "NS @", "CNAME www", "PTR mail.",
    "A 10 192.0.2.1",
    'TXT "v=spf1 mx -all"', 'TXT "a" "b c"', "TXT bare", 'TXT "\\"', "MX 10 a..b", "MX 10 .a", 'A "192.0.2.1"',
    "CNAME a@b", "MX 10 " + "x" * 64, "SRV 0 0 25 mail", "RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA",
]  # fmt: skip
LINES = st.builds(
    lambda owner, ttl, kind, value: " ".join(part for part in (owner or " ", ttl, kind, value) if part),
    OWNERS, TTLS, st.sampled_from(["", "IN", "in", "CH"]), st.sampled_from(VALUES),
) | st.sampled_from(["$ORIGIN sub", "$ORIGIN other.example.", "$TTL 7", "; a comment"])  # fmt: skip


def told(zones):
    """What was read, or what is wrong, without the words."""
    if isinstance(zones, ZoneProblem):
        return [(each.file, each.line) for each in zones.faults]
    sets = {(str(name), kind): (rrset.ttl, list(map(str, rrset))) for (name, kind), rrset in zones.rrsets.items()}
    return zones.lines, sets, zones.tops


@settings(max_examples=examples(200 // stride(2)))
@given(st.lists(LINES, max_size=8))
def test_a_plain_line_is_read_as_dnspython_reads_it(lines):
    """Parentheses around nothing make a line one that is read at length, and change nothing else."""
    at_length = "".join(line + ("\n" if line[0] in "$;" else " ( )\n") for line in lines)
    assert told(parse_zones({"z": "$ORIGIN e.\n" + at_length})) == told(
        parse_zones({"z": "$ORIGIN e.\n" + "\n".join(lines)})
    )


FAULTS = [
    ("\nmail A 192.0.2.1", 2, "'mail' is a relative name"),
    ("@ A 192.0.2.1\n\n\n", 1, "'@' is a relative name"),
    ("; comment\na.example. MX 10 mail\n; more\n", 2, 'add a line like "$ORIGIN example.com." on top'),
    ("$ORIGIN example\n", 1, "'example' is a relative name"),
    (
        "a.example. MX 10",
        1,
        "is not a valid MX record; write a preference from 0 to 65535 and a host name, as in `@ MX 10 mail`",
    ),
    ("a.example. MX mail.\n\n", 1, "'a.example. MX mail.' is not a valid MX record"),
    ("a.example. MX 10 a. b.\n", 1, "is not a valid MX record"),
    ("a.example. A 192.0.2\n", 1, "is not a valid A record; write an IPv4 address, as in `mail A 192.0.2.1`"),
    ("a.example. FOO 1\n", 1, "there is no such record type"),
    ("\na.example. MX ( 10\n mail.\n", 2, "the parenthesis that is opened here is never closed"),
    ("a..example. A 192.0.2.1\n", 1, "two dots in a row"),
    ("\n a.example. A 192.0.2.1\n", 2, "begins with a blank"),
    (" A 192.0.2.1\n", 1, "the first record begins with a blank, and so has no name"),
    ("a.example. A 192.0.2.1\n$INCLUDE /etc/hosts\n", 2, "only a zone that is a file includes others"),
    ("a.example. A 192.0.2.1\na.example. CNAME b.\nb. A 192.0.2.1\n", 2, "a CNAME and other records"),
    ("a.example. CNAME b.\na.example. MX 10 b.\n", 2, "a CNAME and other records"),
    ("a.example. CNAME b.\na.example. CNAME c.\n", 2, "two CNAMEs"),
    ("a.example. CH TXT x\n", 1, "only records of the class IN"),
    ("$TTL soon\n", 1, "this is not a TTL"),
    ("$DATE\n", 1, "there is no such directive"),
    ("<html>\n", 1, "write a name, a type and a value"),
    (f"{'x' * 64}. A 192.0.2.1\n", 1, "longer than 63 characters"),
]


def test_a_fault_is_told_with_its_line():
    """File, line and what is wrong there, and what to write."""
    for text, line, why in FAULTS:
        (fault,) = parse_zones({"good": GOOD, "bad.zone": text}).faults
        assert ("bad.zone", line) == (fault.file, fault.line), text
        assert why in fault.why
        assert str(fault).startswith(f"bad.zone:{line}: ")


def test_all_faults_are_told_at_once():
    """Of all files, each with its line; what is right between them hides none."""
    problem = parse_zones({"a": GOOD + "x A 1\n\ny FOO\n", "b": GOOD + "z MX z\nmail A 192.0.2.9\n"})
    assert [("a", 4), ("a", 6), ("b", 4)] == [(each.file, each.line) for each in problem.faults]
    assert 3 == len(str(problem).splitlines())


def test_relative_names_without_an_origin_are_one_fault():
    """One line makes them all good."""
    assert 1 == len(parse_zones({"z": "a A 192.0.2.1\n" * 50}).faults)


def test_what_is_no_zone_at_all_is_not_told_line_by_line():
    """A hundred faults are enough to see that it is another file."""
    problem = parse_zones({"z": "$ORIGIN e.\n" + "a A x\n" * 1000})
    assert (101, "more than 100 lines are wrong; what comes after was not read") == (
        len(problem.faults), problem.faults[-1].why
    )  # fmt: skip


@given(st.text(alphabet='a.@ \n\r\t;()"\\$019*MXCNAMETLORIG', max_size=80) | st.text(max_size=40))
def test_any_text_is_zones_or_a_problem(text):
    """Whatever is pasted, nothing raises."""
    assert isinstance(parse_zones({"fuzz": "$ORIGIN a.\n" + text}), Zones | ZoneProblem)


@settings(max_examples=examples(200 // stride(2)))
@given(st.binary(max_size=60))
def test_any_octets_are_zones_or_a_problem(tmp_path_factory, octets):
    """Whatever is in a file, nothing raises, and what is told can be written."""
    path = tmp_path_factory.mktemp("zone") / "z"
    path.write_bytes(b"$ORIGIN a.\n" + octets)
    loaded = load_zones([path])
    assert isinstance(loaded, ZoneResolver) or str(loaded).encode()


def test_files_are_read_from_disk(tmp_path):
    """Paths come in, a resolver comes out; a mark some editors write is no part of the text."""
    path = tmp_path / "a.zone"
    path.write_bytes(b"\xef\xbb\xbfa.example. A 192.0.2.1\r\nb.example. A 192.0.2.2\r\n")
    lines = load_zones([path]).zone_data.lines
    assert [("a.example", "192.0.2.1", 1), ("b.example", "192.0.2.2", 2)] == [
        (each.owner, each.value, each.number) for each in lines
    ]


def test_files_that_cannot_be_read_are_told_together(tmp_path):
    """No such file, no text: all of them at once, with what is wrong in the others."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    said = str(load_zones([tmp_path / "none", tmp_path / "binary"])).splitlines()
    how = "give the path of a zone file that this user may read"
    assert f"{tmp_path / 'none'}: cannot be read: No such file or directory; {how}" == said[0]
    assert "is not UTF-8; save the file as UTF-8" in said[1]


def test_a_comment_may_be_in_any_encoding(tmp_path):
    """Old zones have Latin-1 in their comments; in a name it would be another name."""
    path = tmp_path / "a.zone"
    path.write_bytes(
        "$ORIGIN e.\n; für Besucher\na A 192.0.2.1 ; für alle\nb ( A ; für\n 192.0.2.2 )\n".encode("latin-1")
    )
    assert 2 == len(load_zones([path]).zone_data.lines)
    path.write_bytes("$ORIGIN e.\nfür A 192.0.2.1\n".encode("latin-1"))
    (fault,) = load_zones([path]).faults
    assert 2 == fault.line
    assert fault.why.endswith("is not UTF-8; save the file as UTF-8")


# $INCLUDE, RFC 1035 section 5.1


@pytest.fixture
def folder(tmp_path):
    """A zone that includes a file beside it."""
    (tmp_path / "zones" / "hosts").mkdir(parents=True)
    (tmp_path / "outside.zone").write_text("secret A 192.0.2.9\n")
    (tmp_path / "zones" / "hosts" / "mail").write_text("$TTL 5\nmail A 192.0.2.1\n$ORIGIN deep\nx A 192.0.2.2\n")
    return tmp_path / "zones"


def zone(folder, *lines):
    """The zone with these lines, read."""
    (folder / "a.zone").write_text("\n".join(["$ORIGIN example.com.", "$TTL 60", *lines, ""]))
    return load_zones([folder / "a.zone"])


def test_a_zone_includes_files_below_its_folder(folder):
    """Their records are its own, with the file they stand in; origin and TTL are its own again behind them."""
    lines = zone(folder, "@ MX 10 mail", "$INCLUDE hosts/mail ; ours", "last A 192.0.2.3").zone_data.lines
    assert [
        ("example.com", 60, "a.zone", 3),
        ("mail.example.com", 5, "mail", 2),
        ("x.deep.example.com", 5, "mail", 4),
        ("last.example.com", 60, "a.zone", 5),
    ] == [(each.owner, each.ttl_s, each.file.rpartition("/")[2], each.number) for each in lines]


def test_an_origin_may_have_letters_beyond_ascii():
    """As any name: it is read as IDNA, also where a letter is k or s when case is ignored."""
    zones = parse_zones({"z": "$ORIGIN \u212aelvin.example.\n@ MX 10 ma\u017fs\n"})  # the Kelvin sign, the long s
    assert told(zones) == told(parse_zones({"z": "$ORIGIN kelvin.example.\n@ MX 10 mass\n"}))


def test_what_is_included_may_have_an_origin_of_its_own(folder):
    """As $INCLUDE FILE ORIGIN."""
    lines = zone(folder, "$INCLUDE hosts/mail sub").zone_data.lines
    assert ["mail.sub.example.com", "x.deep.sub.example.com"] == [each.owner for each in lines]


@pytest.mark.parametrize("name", ["../outside.zone", "/etc/hosts", "link", "hosts/../../outside.zone"])
def test_nothing_outside_of_the_folder_is_included(folder, name):
    """By no path and no link: a zone that somebody sent reads no file of ours."""
    (folder / "link").symlink_to(folder.parent / "outside.zone")
    (fault,) = zone(folder, f"$INCLUDE {name}").faults
    assert (3, True) == (fault.line, "only files below it are included" in fault.why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "No such file"),
        ("hosts", "Is a directory"),
        ("a.zone", "more than 16 deep"),
        ("", "write $INCLUDE FILE"),
        ("hosts/mail a..b", "is not an origin"),
    ],
)
def test_what_cannot_be_included_is_told(folder, name, why):
    """With the line that asks for it; a file that includes itself ends."""
    fault = zone(folder, f"$INCLUDE {name}").faults[0]
    assert why in fault.why


def test_files_that_include_many_have_a_bound(folder, monkeypatch):
    """Ten that include ten each, and so on, would never end."""
    monkeypatch.setattr(master, "MOST_INCLUDED", 20)
    (folder / "b").write_text("$INCLUDE c\n" * 10)
    (folder / "c").write_text("; nothing\n")
    assert "more than 20 files are included" in str(zone(folder, *["$INCLUDE b"] * 10))


def test_a_fault_in_an_included_file_is_told_there(folder):
    """With that file and its line."""
    (folder / "hosts" / "bad").write_text("\nx A y\n")
    assert [
        ZoneFault(
            str(folder / "hosts/bad"),
            2,
            "'x A y' is not a valid A record; write an IPv4 address, as in `mail A 192.0.2.1`",
        )
    ] == list(zone(folder, "$INCLUDE hosts/bad").faults)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@ MX 65536 mail", "a preference from 0 to 65535"),
        ("@ 99999999999 MX 10 mail", "a TTL is 4294967295 seconds at most"),
        ("$TTL 99999999999", "a TTL is 4294967295 seconds at most"),
        ("$GENERATE 1-5 @ MX 10 m$", "a name, a type and a value of one word"),
        (f"$ORIGIN {'x' * 64}.example.", "a part of a name is longer than 63 characters"),
    ],
)
def test_a_limit_that_is_passed_is_named(line, why):
    """Who reads the sentence knows what to write."""
    (fault,) = parse_zones({"zone": f"$ORIGIN example.com.\n{line}\n"}).faults
    assert (2, True) == (fault.line, why in fault.why)


def test_a_binary_file_is_one_fault(tmp_path):
    """Not one for each of its lines."""
    file = tmp_path / "some.zone"
    file.write_bytes(b"\x7fELF\0\n" * 200)
    (fault,) = load_zones([file]).faults
    assert (0, True) == (fault.line, "binary" in fault.why)


@pytest.mark.parametrize(
    "line",
    [
        "a TLSA 3 1 1 zz",
        "a TLSA 3",
        "@ DNSKEY 257 3 13 A",
        "a 60 IN DS 1 2",
        "_x._tcp SRV 1 2",
        "@ CAA x",
        "a tlsa 3 1 1 z",
    ],
)
def test_record_of_tls_or_dnssec_that_is_none_is_told_with_one_that_is(line):
    """In our words, not in those of a library; what is shown as right is taken."""
    (fault,) = parse_zones({"zone": f"$ORIGIN example.com.\n{line}\n"}).faults
    kind = next(word for word in line.upper().split() if word in ("TLSA", "DNSKEY", "DS", "SRV", "CAA"))
    said, _, shown = fault.why.partition("; write ")
    assert f"{line!r} is not a valid {kind} record" == said
    right = shown.partition("`")[2].rstrip("`").replace("...", "00").replace("0a1b2c00", "00" * 32)
    assert not isinstance(parse_zones({"zone": f"$TTL 60\n$ORIGIN example.com.\n{right}\n"}), ZoneProblem)
