"""The record and the policy of MTA-STS, read strictly: what RFC 8461 section 3 allows, and every fault of the rest."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.tls.sts import MAX_AGE_S, MOST_FAULTS, Listing, covers, read_policy, read_records
from postroad.words.policies import StsFaultKind, StsPolicy

GOOD = b"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n"
POLICY = StsPolicy("enforce", ("mail.example.com", "*.example.net"), 604800)
ALNUM = string.ascii_letters + string.digits


def kinds(octets):
    """The kinds of what is wrong with a policy."""
    return [fault.kind.value for fault in read_policy(octets).faults]


def test_the_policy_of_the_standard_is_read():
    """The example of RFC 8461 section 3.2."""
    assert (POLICY, ()) == (read_policy(GOOD).policy, read_policy(GOOD).faults)


@pytest.mark.parametrize(
    "octets",
    [
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b"\r\n", 2),
        GOOD.removesuffix(b"\n"),
        GOOD.replace(b"\n", b" \t\n"),
        GOOD.replace(b": ", b":"),
        GOOD.replace(b": ", b":\t "),
        GOOD.replace(b"version", b"x-new_key.1: what: ever \xe2\x80\xa8 it is\nversion"),
        b"max_age: 604800\nmx: a.example\nmode: enforce\nversion: STSv1\n",
    ],
)
def test_every_form_that_the_grammar_allows_is_a_policy(octets):
    """LF and CRLF mixed, blanks where they may stand, no final line end, unknown keys, and any order."""
    assert ("enforce", 604800, ()) == (
        read_policy(octets).policy.mode,
        read_policy(octets).policy.max_age_s,
        read_policy(octets).faults,
    )


FORBIDDEN = [
    (b"", "it has no line `version: STSv1`"),
    (GOOD.replace(b"STSv1", b"STSv2"), "line 1: its version is 'STSv2', and must be STSv1"),
    (GOOD.replace(b"STSv1", b"stsv1"), "line 1: its version is 'stsv1', and must be STSv1"),
    (GOOD.replace(b"version", b"Version"), "it has Version, but keys are case-sensitive"),
    (GOOD.replace(b"enforce", b"Enforce"), "line 2: its mode is 'Enforce', and must be one of enforce, testing"),
    (GOOD.replace(b"mode: enforce\n", b""), "it has no line `mode: ...`"),
    (GOOD.replace(b"604800", b"a week"), "line 5: its max_age is 'a week', and must be a number of seconds"),
    (GOOD.replace(b"604800", b"-1"), "line 5: its max_age is '-1'"),
    (GOOD.replace(b"604800", "٣".encode()), "line 5: its max_age is '٣'"),
    (GOOD.replace(b"604800", b"12345678901"), "line 5: its max_age is '12345678901'"),
    (GOOD.replace(b"max_age: 604800\n", b""), "it has no line `max_age: ...`"),
    (b"version: STSv1\nmode: testing\nmax_age: 1\n", "it names no mx, which mode testing requires"),
    (GOOD.replace(b"*.example.net", b"*.*.example.net"), "line 4: its mx '*.*.example.net' is not a host name"),
    (GOOD.replace(b"*.example.net", b"*"), "line 4: its mx '*'"),
    (GOOD.replace(b"*.example.net", b"m*.example.net"), "line 4: its mx 'm*.example.net'"),
    (GOOD.replace(b"*.example.net", b"-a.example.net"), "line 4: its mx '-a.example.net'"),
    (GOOD.replace(b"*.example.net", b"a" * 64 + b".net"), "line 4: its mx"),
    (GOOD.replace(b"*.example.net", b"a." * 126 + b"net"), "line 4: its mx"),
    (GOOD.replace(b"*.example.net", b"example.net."), "leave out the final dot"),
    (GOOD.replace(b"*.example.net", "bücher.example".encode()), "in their ASCII form (xn--)"),
    (GOOD.replace(b"*.example.net", b"a.example, b.example"), "line 4: its mx 'a.example, b.example'"),
    (b"\xef\xbb\xbf" + GOOD, "line 1: a byte order mark stands before the first key"),
    (GOOD + b"note: caf\xe9\n", "line 6: the line is not UTF-8"),
    (GOOD + b"note: a\x00b\n", "line 6: the value of note has a control character"),
    (GOOD + b"note: a\rb\n", "line 6: the value of note has a control character"),
    (GOOD + b"note:\n", "line 6: note has no value"),
    (GOOD + b" mode: none\n", "line 6: the line ' mode: none' is not of the form `key: value`"),
    (GOOD + b"mode : none\n", "line 6: the line 'mode : none' is not of the form `key: value`"),
    (b"<html>\n<p>Not here</p>\n", "line 1: the line '<html>' is not of the form"),
    (GOOD.replace(b"\n", b"\r"), "line 1: the value of version has a control character"),
    ("version: STSv1\u2028mode: none\u2028max_age: 1\n".encode(), "line 1: its version is"),
    (b"version: STSv1\x0bmode: none\x0cmax_age: 1\n", "line 1: the value of version has a control character"),
]


def test_what_the_grammar_forbids_is_no_policy_and_says_where():
    """Each fault names its line and what it has; what Unicode takes for the end of a line is none here."""
    told = [(octets, said, read_policy(octets)) for octets, said in FORBIDDEN]
    assert [] == [octets for octets, _, each in told if each.policy is not None or each.is_usable]
    fatal = [(said, [str(fault) for fault in each.faults if fault.is_fatal]) for _, said, each in told]
    assert [] == [(said, faults) for said, faults in fatal if not any(said in fault for fault in faults)]


@pytest.mark.parametrize(
    ("octets", "kind", "policy"),
    [
        (GOOD + b"mode: none\n", "duplicate", POLICY),
        (GOOD + b"max_age: never\n", "duplicate", POLICY),
        (GOOD + b"\n\r\n", "blank-line", POLICY),
        (GOOD.replace(b"604800", b"9999999999"), "max-age-long", StsPolicy("enforce", POLICY.mx, MAX_AGE_S)),
    ],
)
def test_what_can_mean_one_thing_only_is_told_and_does_no_harm(octets, kind, policy):
    """Of a key that stands twice the first counts; a year is the longest; a blank line means nothing."""
    assert (policy, {kind}) == (read_policy(octets).policy, set(kinds(octets)))


@pytest.mark.parametrize(
    ("octets", "is_sound"),
    [
        (GOOD.replace(b"604800", b"31557600"), True),
        (GOOD.replace(b"604800", b"31557601"), False),
        (GOOD.replace(b"*.example.net", b"a" * 63 + b".net"), True),
        (GOOD.replace(b"*.example.net", b"a" * 64 + b".net"), False),
        (GOOD.replace(b"*.example.net", b"a." * 125 + b"net"), True),
        (GOOD.replace(b"*.example.net", b"a." * 125 + b"nets"), False),
        (GOOD.replace(b"*.example.net", b"*." + b"a." * 125 + b"net"), True),
    ],
)
def test_limits_are_reached_without_a_fault(octets, is_sound):
    """A year (RFC 8461 section 3.2), 63 octets of a label and 253 of a name; what is over by one is told."""
    assert is_sound == (read_policy(octets).faults == ())


def test_what_stands_there_is_told_before_what_is_missing():
    """By line: who mends the file reads it from above."""
    told = read_policy(b"mode: Enforce\nmx: *\n")
    assert ["mode", "mx", "version", "max-age"] == [fault.kind.value for fault in told.faults]


def test_a_byte_order_mark_is_the_only_fault_of_what_is_good_behind_it():
    """Told once, not as a key that is written oddly as well."""
    assert ["byte-order-mark"] == kinds(b"\xef\xbb\xbf" + GOOD)


def test_mode_none_needs_no_exchanger():
    """RFC 8461 section 3.2: "required at least once, except when mode is none"."""
    assert StsPolicy("none", (), 86400) == read_policy(b"version: STSv1\nmode: none\nmax_age: 86400\n").policy


def test_a_page_of_faults_says_some_and_what_prevents_its_use_first():
    """A page of HTML has a fault in each line: not all are told, and the harmless ones least."""
    told = read_policy(b"\n" * 1000 + b"<p>\n" * 1000)
    assert (MOST_FAULTS, True) == (len(told.faults), told.faults[0].is_fatal)
    assert told.why_not


@pytest.mark.parametrize(
    "text", ["v=STSv1; id=a1;", "v=STSv1;id=a1", "v=STSv1;\tid=a1 ; ", "v=STSv1; x=y; id=a1; long-er.key_1=%:<>"]
)
def test_every_record_that_the_grammar_allows_has_its_id(text):
    """RFC 8461 section 3.1: any order, unknown fields, blanks around semicolons."""
    assert ("a1", ()) == (read_records([text]).id, read_records([text]).faults)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["v=STSv1; id=1", "v=STSv1; id=2"], StsFaultKind.SEVERAL_RECORDS),
        (["V=STSv1; id=1"], StsFaultKind.RECORD_VERSION),
        (["v=stsv1; id=1"], StsFaultKind.RECORD_VERSION),
        (["v=STSv1"], StsFaultKind.RECORD_VERSION),
        (["v=STSv1;"], StsFaultKind.RECORD_ID),
        (["v=STSv1; id="], StsFaultKind.RECORD_FIELD),
        (["v=STSv1; ID=1"], StsFaultKind.RECORD_ID),
        (["v=STSv1; id=a-b"], StsFaultKind.RECORD_ID),
        (["v=STSv1; id=" + "1" * 33], StsFaultKind.RECORD_ID),
        (["v=STSv1; id=ä"], StsFaultKind.RECORD_FIELD),
        (["v=STSv1; id=1;;"], StsFaultKind.RECORD_FIELD),
        (["v=STSv1; id=1; a b=c"], StsFaultKind.RECORD_FIELD),
        (["v=STSv1; id=1 2"], StsFaultKind.RECORD_FIELD),
        (["v=STSv1; id=1 "], StsFaultKind.RECORD_FIELD),
    ],
)
def test_a_malformed_record_announces_nothing_and_says_why(texts, kind):
    """RFC 8461 section 3.1: then senders MUST assume that there is no policy."""
    told = read_records(texts)
    assert (False, True) == (told.is_usable, kind in {fault.kind for fault in told.faults if fault.is_fatal})


def test_records_of_other_kinds_are_discarded():
    """A TXT record that begins otherwise is none of MTA-STS, however many there are; and does not make two of one."""
    assert None is read_records(["v=spf1 -all", "hello", ""])
    assert "1" == read_records(["v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=2", "v=STSv1 ; id=3"]).id


def test_a_blank_before_the_first_semicolon_counts_if_nothing_else_does():
    """The grammar allows it, the text beside it discards it among several (erratum 6285): told, and no harm alone."""
    told = read_records(["v=STSv1 ; id=a"])
    assert ("a", True, ["record-space"]) == (told.id, told.is_usable, [fault.kind.value for fault in told.faults])


def test_of_two_ids_the_first_counts():
    """RFC 8461 section 3.2, of records and policies: all entries except for the first SHALL be ignored."""
    told = read_records(["v=STSv1; id=a; id=b"])
    assert ("a", True, ["record-duplicate"]) == (told.id, told.is_usable, [fault.kind.value for fault in told.faults])


labels = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)
patterns = st.builds(lambda star, name: star + name, st.sampled_from(["", "*."]), names)
blanks = st.text(" \t", max_size=2)
RESERVED = {"version", "mode", "mx", "max_age"}
keys = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", fullmatch=True).filter(lambda key: key not in RESERVED)
visible = st.characters(min_codepoint=0x21, exclude_characters="\x7f", exclude_categories=("Cs",))
values = st.text(visible, min_size=1, max_size=8)


@st.composite
def policies(draw):
    """A policy, and a document of it as the grammar has it."""
    mode = draw(st.sampled_from(["enforce", "testing", "none"]))
    mx = draw(st.lists(patterns, min_size=mode != "none", max_size=4))
    age = draw(st.integers(0, MAX_AGE_S))
    fields = [("version", "STSv1"), ("mode", mode), ("max_age", str(age)), *(("mx", name) for name in mx)]
    others = draw(st.lists(st.tuples(keys, values), max_size=2, unique_by=lambda field: field[0]))
    lines = draw(st.permutations(fields + others))
    ends = [draw(st.sampled_from(["\n", "\r\n"])) for _ in lines]
    ends[-1] = draw(st.sampled_from(["", "\n", "\r\n"]))
    text = "".join(
        f"{key}:{draw(blanks)}{value}{draw(blanks)}{end}" for (key, value), end in zip(lines, ends, strict=True)
    )
    in_order = tuple(value.lower() for key, value in lines if key == "mx")
    return StsPolicy(mode, in_order, age), text.encode()


@settings(max_examples=examples(100 // stride(2)))
@given(policies())
def test_whatever_the_grammar_makes_is_read_as_it_was_meant(made):
    """Policies drawn from the grammar of RFC 8461 section 3.2 have no fault."""
    policy, octets = made
    assert (policy, ()) == (read_policy(octets).policy, read_policy(octets).faults)


@settings(max_examples=examples(150 // stride(3)))
@given(policies(), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=3))
@example((POLICY, GOOD), [(0, b"\xef\xbb\xbf")])
def test_of_any_octets_there_is_a_sound_policy_or_a_reason(made, changes):
    """Octets of a policy changed at random: what is still a policy is sound in each part, else a fault says why."""
    octets = bytearray(made[1])
    for place, some in changes:
        octets[place : place + 1] = some
    told = read_policy(bytes(octets))
    if told.policy is None:
        assert told.why_not
        return
    assert told.policy.mode in ("enforce", "testing", "none")
    assert 0 <= told.policy.max_age_s <= MAX_AGE_S
    assert told.policy.mx or told.policy.mode == "none"
    assert all(set(name) <= set(ALNUM + "-.*") for name in told.policy.mx)


@settings(max_examples=examples(100))
@given(st.lists(st.text(max_size=60) | st.from_regex(r"v=STSv1[ \t]?;[^\n]{0,60}", fullmatch=True), max_size=3))
def test_any_texts_are_a_record_or_none(texts):
    """Whatever stands in DNS: an id is letters and digits, else a fault says why, or none means to be a record."""
    told = read_records(texts)
    if told and told.is_usable:
        assert set(told.id) <= set(ALNUM)
        assert 1 <= len(told.id) <= 32
    assert told is None or told.is_usable or told.faults


@settings(max_examples=examples(100 // stride(2)))
@given(policies())
def test_another_reader_has_the_same_of_what_we_accept(made):
    """postfix-mta-sts-resolver reads each policy of the grammar as we do."""
    oracle = pytest.importorskip("postfix_mta_sts_resolver.utils")
    policy, octets = made
    text = octets.decode()
    if text.splitlines() != text.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        return  # it takes what Unicode calls the end of a line for one, and RFC 8461 does not
    told = oracle.parse_mta_sts_policy(text)
    mine = (policy.mode, policy.mx, policy.max_age_s)
    assert mine == (told["mode"], tuple(name.lower() for name in told["mx"]), int(told["max_age"]))


@settings(max_examples=examples(100 // stride(2)))
@given(labels, names)
def test_a_wildcard_stands_for_one_label(label, name):
    """RFC 8461 section 4.1: the whole left-most label, in any case, and neither none nor two of them."""
    assert covers(f"*.{name}", f"{label}.{name}".upper())
    assert not covers(f"*.{name}", name)
    assert not covers(f"*.{name}", f"{label}.{label}.{name}")
    assert covers(name, name.upper())
    assert not covers(name, f"{label}.{name}")


LABELS = st.sampled_from(["a", "b", "*", "A", "xn--a"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@given(st.lists(NAMES, max_size=6), NAMES)
def test_what_a_policy_lists_is_what_one_of_its_patterns_covers(patterns, name):
    """Looked up at once, by RFC 8461 section 4.1: a star is for one label, the left-most."""
    below = name.lower().partition(".")[2]
    meant = {name.lower(), f"*.{below}"} if below else {name.lower()}
    assert (name in Listing(patterns)) == any(pattern.lower() in meant for pattern in patterns)
