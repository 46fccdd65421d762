"""Headers and bodies as they are hashed: the examples of RFC 6376, and any cut of any body."""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, stride

from postroad.sign.canonical import BodyHash, Form, relaxed_field, simple_field
from postroad.sign.fields import fields_of

HEADER = b"A: X\r\nB : Y\t\r\n\tZ  \r\n"
BODIES = st.lists(
    st.sampled_from(
        [b"a", b"\xc3\xa4", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" \r\n", b".", b"\0", b"x" * 1200]
    )
).map(b"".join)


def hashed(form, *pieces):
    """The hash of a body that came in these pieces."""
    body = BodyHash(form)
    for piece in pieces:
        body.update(piece)
    return body.digest()


def by_the_book(form, body):
    """RFC 6376 sections 3.4.3 and 3.4.4, step by step, over the whole."""
    if form is Form.RELAXED:
        body = re.sub(rb"[ \t]+(?=\r\n|\Z)", b"", body)
        body = re.sub(rb"[ \t]+", b" ", body)
    body = re.sub(rb"(?:\r\n)*\Z", b"", body, count=1)
    return body + b"\r\n" if body or form is Form.SIMPLE else b""


def test_the_headers_of_the_standard():
    """RFC 6376 section 3.4.5: what both canonicalizations make of its header."""
    fields = fields_of(HEADER)
    each = [field for name in (b"a", b"b") for field in fields[name]]
    assert b"a:X\r\nb:Y Z\r\n" == b"".join(map(relaxed_field, each))
    assert HEADER == b"".join(map(simple_field, each))


@pytest.mark.parametrize(("form", "expected"), [(Form.RELAXED, b" C\r\nD E\r\n"), (Form.SIMPLE, b" C \r\nD \t E\r\n")])
def test_the_body_of_the_standard(form, expected):
    """The body of the same example: empty lines at its end do not count."""
    assert sha256(expected).digest() == hashed(form, b" C \r\nD \t E\r\n\r\n\r\n")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (Form.SIMPLE, b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="),
        (Form.RELAXED, b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ],
)
def test_an_empty_body(form, expected):
    """Its hashes stand in RFC 6376 sections 3.4.3 and 3.4.4."""
    assert expected == b64encode(hashed(form)) == b64encode(hashed(form, b"", b"\r\n", b"\r\n"))


@settings(max_examples=examples(100 // stride(2)))
@given(st.sampled_from(Form), BODIES, st.lists(st.integers(0, 60)))
@example(Form.RELAXED, b"a \r\n b", [1, 2, 3, 4, 5])
@example(Form.RELAXED, b"a \r\n\r\n", [3])
@example(Form.SIMPLE, b"\r\n\r\n\r\na\r\n", [1, 3, 5])
def test_any_cut_of_any_body(form, body, cuts):
    """In whatever pieces a body comes, its hash is that of its canonical form."""
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places)]
    assert sha256(by_the_book(form, body)).digest() == hashed(form, *pieces)


@given(st.sampled_from(Form), BODIES)
def test_octet_by_octet(form, body):
    """The finest cut there is."""
    assert hashed(form, body) == hashed(form, *(body[place : place + 1] for place in range(len(body))))


@settings(max_examples=examples(100 // stride(2)))
@given(BODIES, st.sampled_from([b"\r", b"\n", b"\r\r\n", b"\n\r"]), BODIES, st.sampled_from(Form))
def test_a_lone_cr_or_lf_is_text(before, lone, after, form):
    """No door lets one in; if one were there, it would be an octet like others, in any cut."""
    body = before + lone + after
    whole = hashed(form, body)
    assert whole == hashed(form, *(body[place : place + 1] for place in range(len(body))))


@given(st.sampled_from(Form), BODIES)
def test_the_last_line_end_may_be_missing(form, body):
    """A message without one gets it on its way, and its signature holds."""
    assert hashed(form, body) == hashed(form, body, b"\r\n")


def test_a_body_is_not_kept():
    """A megabyte of empty lines, or of blanks, are held as a number and an octet."""
    for blank in (b"\r\n", b" ", b"\t \r\n"):
        body = BodyHash(Form.RELAXED)
        for _ in range(16):
            body.update(blank * (65536 // len(blank)))
            assert len(body._held) <= 2


@pytest.mark.parametrize(
    "header",
    [
        *(b"From a@example.com\r\n", b"From: a\r\ntext\r\n", b" folded: from nothing\r\n", b": nameless\r\n"),
        *(b"From: a\rTo: b\r\n", b"From: a\nTo: b\r\n", b"Fr\xf6m: a\r\n", b"From: a\r\n\r\nTo: b\r\n"),
    ],
)
def test_a_header_with_a_line_that_is_no_field(header):
    """Readers differ in where such a header ends: none is taken apart."""
    assert None is fields_of(header)


@given(st.lists(st.tuples(st.sampled_from([b"A", b"b", b"X-Y"]), st.binary(max_size=12)), max_size=5))
def test_fields_are_the_header(fields):
    """Whatever their values, fields put together are the header that they were taken from."""
    values = [(name, b" " + re.sub(rb"[\r\n]", b"\r\n ", value)) for name, value in fields]
    header = b"".join(b"%b:%b\r\n" % pair for pair in values)
    found = fields_of(header)
    assert sorted(values) == sorted((name, value) for some in found.values() for name, _, value in some)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("begin", [b"a\n\n\r\n", b"a\r\r\r\n", b"\n\n\n\r\n\r\n", b"a\n\n"])
def test_a_line_end_by_itself_counts_for_no_empty_line(form, begin):
    """It is text, also where the octets that came so far end behind it."""
    whole = sha256(by_the_book(form, begin + b"b\r\n")).digest()
    assert whole == hashed(form, begin, b"b\r\n")
