"""Signatures as dkimpy, another program, verifies them: over odd messages, with each kind of key and form."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some, stride
from tests.support.signing import ed25519_pem, key, policy, verdicts

from postroad.sign import Form, MessageSigner
from postroad.sign.signature import SEALED, SIGNED

NOW = 1_700_000_000.0
KEYS = (key("rsa"), key("ed", octets=ed25519_pem()))
BLANKS = st.sampled_from([b"", b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t", b" \r\n  "])
WORDS = st.one_of(
    st.sampled_from([b"x", b"Re:", b"x" * 1100, b"=?utf-8?q?=C3=A4?=", b"<a@b>", b";", b"\xff", "ünïcode".encode()]),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=0x10FFFF, exclude_categories=["Cs", "Zs", "Cc"]), max_size=9
    ).map(str.encode),
)
VALUES = st.lists(st.one_of(BLANKS, WORDS), max_size=6).map(b"".join)
NAMES = st.sampled_from([*SEALED[1:], *SIGNED[1:], "received", "X-Other", "SUBJECT", "cc", "Bcc", "DKIM-Filter"])
FIELDS = st.lists(st.tuples(NAMES, BLANKS, VALUES), max_size=12)
LINES = st.lists(st.one_of(BLANKS.filter(lambda blank: b"\r" not in blank), WORDS), max_size=5).map(b"".join)
BODIES = st.one_of(
    st.lists(LINES, max_size=8).map(b"\r\n".join), st.sampled_from([b"", b"\r\n", b"\r\n\r\n\r\n", b" ", b".\r\n.."])
)
FORMS = st.sampled_from([(head, body) for head in Form for body in Form])


def message_of(fields, place, body, ends):
    """A message with From somewhere among its other fields."""
    lines = [b"%b:%b%b\r\n" % (name.encode(), blank, value) for name, blank, value in fields]
    lines.insert(min(place, len(lines)), b"From:  A\r\n <a@example.com>\r\n")
    return b"".join(lines) + b"\r\n" + body + (b"\r\n" if ends else b"")


@settings(max_examples=examples(450 // stride(5)))
@given(FIELDS, st.integers(0, 12), BODIES, st.booleans(), FORMS)
def test_another_program_verifies_every_signature(fields, place, body, ends, forms):
    """Missing and repeated fields, folds, blanks, octets beyond ASCII, long lines, bodies without an end."""
    signed = policy(*KEYS, header=forms[0], body=forms[1]).signed(message_of(fields, place, body, ends), NOW)
    arrived = signed if signed.endswith(b"\r\n") else signed + b"\r\n"  # as SMTP has it (RFC 5321 section 4.1.1.4)
    assert [True, True] == verdicts(arrived, *KEYS)


@settings(max_examples=examples(100 // stride(2)))
@given(FIELDS, BODIES, FORMS, st.lists(st.integers(0, 3000), max_size=5))
def test_any_cut_of_a_message(fields, body, forms, cuts):
    """In whatever pieces a message streams past, its signature is that of the whole."""
    message = message_of(fields, 3, body, ends=True)
    sign = policy(KEYS[1], header=forms[0], body=forms[1])
    signer = sign.begin(message, NOW)
    places = [0, *sorted(min(cut, len(message)) for cut in cuts), len(message)]
    for start, end in pairwise(places):
        signer.feed(message[start:end])
    assert sign.signed(message, NOW) == signer.fields(NOW) + message


LETTER = (
    b"Received: from x\r\nFrom: A <a@example.com>\r\nTo: you@example.org\r\nSubject: an offer\r\n"
    b"Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nContent-Transfer-Encoding: 8bit\r\n\r\nBest regards\r\n"
)


@pytest.mark.parametrize("form", Form)
def test_each_changed_octet_is_noticed(form):
    """Another letter anywhere in a signed field or in the body, and no signature holds.

    Every seventh octet; all in a whole run.
    """
    signed = policy(KEYS[1], header=form, body=form).signed(LETTER, NOW)
    start = signed.index(b"From: A")
    places = [place for place in range(start, len(signed)) if signed[place : place + 1].isalnum()]
    changed = {place: signed[:place] + b"~" + signed[place + 1 :] for place in some(places, 7)}
    held = [place for place, octets in changed.items() if verdicts(octets, KEYS[1]) == [True]]
    assert [] == held


@pytest.mark.parametrize("name", SEALED)
def test_no_field_can_be_added(name):
    """A second Subject above the first is what a reader might show: each sealed field is named once too often."""
    signed = policy(KEYS[1]).signed(LETTER, NOW)
    assert [True] == verdicts(signed, KEYS[1])
    above = signed.replace(b"Received:", name.encode() + b": x@example.com\r\nReceived:", 1)
    below = signed.replace(b"\r\n\r\n", b"\r\n" + name.encode() + b": x@example.com\r\n\r\n", 1)
    assert ([False], [False]) == (verdicts(above, KEYS[1]), verdicts(below, KEYS[1]))


@pytest.mark.parametrize(
    "name", ["Received", "Return-Path", "Bcc", "List-Id", "List-Unsubscribe", "ARC-Seal", "X-Spam"]
)
def test_what_others_may_add(name):
    """Relays and lists add these: the signature holds."""
    signed = policy(KEYS[1]).signed(LETTER, NOW)
    assert [True] == verdicts(name.encode() + b": added\r\n" + signed, KEYS[1])


def test_the_tags():
    """Each tag that must be there, none that should not: no l=, which lets text be added, no x= unless it is wanted."""
    field = policy(KEYS[0]).signed(LETTER, NOW).partition(b"\r\nReceived")[0].decode()
    tags = dict(tag.strip().split("=", 1) for tag in re.sub(r"\r\n\s+", " ", field).partition(":")[2].split(";"))
    assert ["v", "a", "c", "d", "s", "t", "h", "bh", "b"] == list(tags)
    assert ("1", "rsa-sha256", "relaxed/relaxed", "example.com", "rsa", "1700000000") == tuple(tags.values())[:6]
    wanted = [name for name in SEALED for _ in range(2 if f"\r\n{name}:".encode() in LETTER else 1)]
    assert [*wanted, "Content-Transfer-Encoding"] == re.sub(r"\s", "", tags["h"]).split(":")


def test_an_expiry_if_it_is_wanted():
    """x= is t= and the time that was asked for."""
    signed = policy(KEYS[1], valid_s=3600).signed(LETTER, NOW)
    assert b"; t=1700000000; x=1700003600;\r\n" in signed


@settings(max_examples=examples(100 // stride(2)))
@given(FIELDS)
def test_lines_are_folded(fields):
    """No line of a signature is longer than people's screens, and each but the first begins with a blank."""
    message = message_of(fields[:6], 0, b"x", ends=True)
    front = policy(*KEYS).signed(message, NOW).removesuffix(message)
    lines = front.removesuffix(b"\r\n").split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert 2 == sum(line.startswith(b"DKIM-Signature: ") for line in lines)
    assert all(line[:1] == b"\t" for line in lines if not line.startswith(b"DKIM-Signature: "))


def test_a_rewriter_in_the_middle_is_noticed():
    """What a mailing list does to a message: a tag in the subject, a footer below."""
    signed = policy(*KEYS).signed(LETTER, NOW)
    tagged, footed = signed.replace(b"an offer", b"[list] an offer"), signed + b"-- \r\nthe list\r\n"
    assert [[True, True], [False, False], [False, False]] == [
        verdicts(each, *KEYS) for each in (signed, tagged, footed)
    ]


def test_what_relays_may_do_to_blanks():
    """Relaxed: a header folded anew, blanks at line ends, and empty lines at the end change nothing."""
    signed = policy(*KEYS).signed(LETTER, NOW)
    other = signed.replace(b"Subject: an offer", b"SUBJECT:  an\r\n\toffer ").replace(b"Best ", b"Best  ") + b"\r\n\r\n"
    assert [True, True] == verdicts(other, *KEYS)


def test_a_hundred_megabytes_take_no_memory():
    """What a signer holds while a body streams past is its header, however long the body is."""
    signer = policy(KEYS[1]).begin(LETTER, NOW)
    assert isinstance(signer, MessageSigner)
    signer.feed(LETTER)
    for _ in range(100):
        signer.feed(b"as any other line\r\n" * 1000)
    assert {"_body", "_covered", "_keys", "_skip", "_valid_s", "domain"} == set(MessageSigner.__slots__)
    assert len(signer._body._held) <= 2
