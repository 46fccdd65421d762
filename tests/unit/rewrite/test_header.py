"""The header of a message: what is rewritten, and what stays octet by octet."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.rewrite import HEADER_SIZE, HeaderEdits, address_spans, edited, parse_sender_rules, readable_from
from postroad.words.mail import parse_mailbox

RULES = parse_sender_rules({".internal.example": "example.com", "root@web3": "web3@example.com"})
EDITS = HeaderEdits(RULES.rewritten, "web3", (("X-Env", "staging"), ("X-Originating-IP", "")))
PLAIN = replace(EDITS, values=())
FIXED = replace(PLAIN, fixed=parse_mailbox("printer@example.com"), keeps_reply_to=True)

OLD, NEW = b"ann@a.internal.example", b"ann@example.com"
FIELDS = [
    *(b"Ann <%b>", b"%b", b'"Ann, of <x>" <%b>', b"=?utf-8?q?=C3=84nn?= <%b>", b"Ann\r\n\t<%b>"),
    *(b"(an (\\) inner) one) %b (x)", b"Team: Ann <%b>, Bob <bob@x.example>;, c@d.example"),
    *(b"<@a.example,@b.example:%b>", b"A. N. Other <%b>", b",, %b ,", "Änn <%b>".encode(), b" < %b > "),
    *(b"x@y.example, \r\n Ann <%b>, root: ;", b"x@[192.0.2.1], %b", b"<>, %b, Ann <>", b"a.b@x.example, %b"),
]
ODD = [
    *(b"Ann <%b", b"Ann %b", b"<%b> x", b"(%b", b'"%b', b"a: b: %b;;", b"Ann <%b>>", b"%b;", b"Ann@Bob <%b>"),
    *(b"a\\b <%b>", b"G: %b", b"%b\xff@x, %b", b"undisclosed-recipients:;", b""),
    *(b": %b;", b"a@[192.0.2.1, %b", b"<@a,%b>", b"a@b@%b"),
]


@pytest.mark.parametrize("name", [b"From", b"sender", b"Reply-To ", b"Resent-From"])
def test_address_is_replaced_in_its_place(name):
    """Names, comments, groups, routes, folds and encoded words stay; what is no list of addresses stays whole."""
    cases = {name + b": " + value: b"%b" in value and value not in ODD for value in FIELDS + ODD}
    for field, is_changed in cases.items():
        message = field.replace(b"%b", OLD) + b"\r\nTo: " + OLD + b"\r\n\r\nFrom: " + OLD + b"\r\n"
        expected = message.replace(OLD, NEW, field.count(b"%b")) if is_changed else message
        assert expected == edited(message, PLAIN), field


def test_blanks_and_names_without_a_domain():
    """An address may have blanks and comments in it; a name alone is a user of this machine, if a rule is for it."""
    cases = {
        b"From: ann (x) @ a . internal (y) . example\r\n\r\n": b"From: ann@example.com\r\n\r\n",
        b"From: root\r\n\r\n": b"From: web3@example.com\r\n\r\n",
        b"From: bob\r\n\r\n": b"From: bob\r\n\r\n",
        "From: jürgen@a.internal.example\r\n\r\n".encode(): "From: jürgen@example.com\r\n\r\n".encode(),
    }
    assert cases == {message: edited(message, PLAIN) for message in cases}


def test_fields_are_set_and_left_out():
    """Set: once, behind the others. Left out: every one, with its folds. A message without a header gets one."""
    cases = {
        b"x-env : a\r\nX: y\r\nX-ORIGINATING-IP:\r\n 1\r\nX-Env: b\r\n\r\nhi": b"X: y\r\nX-Env: staging\r\n\r\nhi",
        b"\r\nhi\r\n": b"X-Env: staging\r\n\r\nhi\r\n",
        b"only text\r\n": b"X-Env: staging\r\n\r\nonly text\r\n",
        b"Subject: x": b"Subject: x\r\nX-Env: staging\r\n",
        b"": b"X-Env: staging\r\n",
    }
    assert cases == {message: edited(message, EDITS) for message in cases}


def test_fixed_sender_is_in_from_and_sender():
    """The name stays, what cannot be read or is missing is made; answers go to the old one, if that is asked for."""
    cases = {
        b"From: Scan <%b>\r\nSender: x@y.example\r\n\r\n"
        % OLD: b"From: Scan <printer@example.com>\r\nSender: printer@example.com\r\nReply-To: Scan <%b>\r\n\r\n" % NEW,
        b"From: HP Scanner 3\r\n\r\n": b"From: printer@example.com\r\n\r\n",
        b"Subject: x\r\n\r\n": b"Subject: x\r\nFrom: printer@example.com\r\n\r\n",
        b"From: a@b.example\r\nReply-To: c@d.example\r\n\r\n": b"From: printer@example.com\r\n"
        b"Reply-To: c@d.example\r\n\r\n",
        b"From: printer@example.com\r\n\r\n": b"From: printer@example.com\r\n\r\n",
    }
    assert cases == {message: edited(message, FIXED) for message in cases}


def test_line_that_grows_too_long_is_folded():
    """No line gets longer than RFC 5322 allows: a fold stands in front of each new address."""
    rules = parse_sender_rules({"a": "a-much-longer-name.example.com"})
    message = b"From: " + b", ".join([b"u%d@a" % number for number in range(100)]) + b"\r\n\r\n"
    made = edited(message, HeaderEdits(rules.rewritten, "host"))
    assert max(map(len, made.split(b"\r\n"))) <= 998
    expected = [f"u{number}@a-much-longer-name.example.com" for number in range(100)]
    assert expected == list(map(str, readable_from(made, "host")))


def test_too_long_a_header_is_not_rewritten():
    """Its size is the same whatever comes behind it."""
    head = b"X: " + b"x" * (HEADER_SIZE - 5) + b"\r\n"
    assert [True, False] == [edited(head + more + b"\r\nbody", EDITS) is None for more in (b"Y: y\r\n", b"")]


PARTS = st.sampled_from([
    *(b"From: ", b"Sender:", b"Reply-To: ", b"X-Env: ", b"X-Originating-IP: ", b"Subject: "),
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"<", b">", b"(", b")", b'"', b"\\", b",", b":", b";", b"@", b".", b" ", b"x"),
    *(OLD, NEW, b"root", b"root@web3", "ü".encode(), b"\xff"),
])  # fmt: skip


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(PARTS, max_size=25).map(b"".join), st.sampled_from([EDITS, FIXED, PLAIN]))
def test_twice_is_once_and_the_rest_stays(message, edits):
    """Whatever the octets: edited again they stay; the text is never touched, nor a field that no rule is about."""
    once = edited(message, edits)
    assert once == edited(once, edits)
    head, empty, text = message.partition(b"\r\n\r\n")
    assert once.endswith(text if empty else b"")
    if message.startswith(b"Subject: "):  # else it may be text from the first line on
        kept = [line for line in head.split(b"\r\n") if line.startswith(b"Subject: ")]
        assert [] == [line for line in kept if line not in once]


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(PARTS, max_size=20).map(b"".join))
def test_spans_are_what_they_say(octets):
    """Addresses stand in their order, none in another, and each is its span without blanks and comments."""
    text = octets.decode("latin-1")
    spans = address_spans(text) or ()
    assert all(before.end <= after.start for before, after in pairwise(spans))
    for span in spans:
        inside = text[span.start : span.end]
        assert span.text == inside or any(mark in inside for mark in " \t(\r")
