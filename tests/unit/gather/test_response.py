"""An HTTP response in octets: which body is whole, and why any other is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.gather.response import MAX_HEADER, MAX_OCTETS, HttpResponse, read_response

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def body_of(octets, *, is_ended=False):
    """The body, or why there is none."""
    response = read_response(octets, is_ended=is_ended)
    return response.why_not or response.body


@pytest.mark.parametrize(
    ("octets", "is_ended"),
    [
        (OK + b"\r\nbody", True),
        (OK.replace(b"\r", b"") + b"\nbody", True),
        (b"HTTP/1.1 103\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\nbody", True),
        (OK + b"Content-Encoding: identity\r\n\r\nbody", True),
        (OK + b"content-length: 4\r\n\r\nbody and more", False),
        (OK + b"Content-Length: 4, 4\r\nContent-Length:\r\n 4\r\n\r\nbody", False),
        (OK + b"Content-Length: 000000000000000000004\r\n\r\nbody", False),
        (CHUNKED + b"000000000000000000004\r\nbody\r\n0\r\n", False),
        (CHUNKED + b"2 ; x=y\r\nbo\r\n002\r\ndy\r\n0\r\n", False),
        (CHUNKED + b"4\nbody\n0\nTrailer: x", False),
    ],
)
def test_a_body_is_whole_by_its_length_its_chunks_or_the_goodbye_of_tls(octets, is_ended):
    """RFC 9112 section 6.3: each of the three ways to end; what comes behind the end is not read."""
    assert HttpResponse(200, "text/plain", b"body") == read_response(octets, is_ended=is_ended)


FULL = b"x" * MAX_OCTETS
HALF = b"8000\r\n" + FULL[: MAX_OCTETS // 2] + b"\r\n"


@pytest.mark.parametrize(
    ("full", "over"),
    [
        (OK + b"\r\n" + FULL, OK + b"\r\n" + FULL + b"x"),
        (OK + b"Content-Length: 65536\r\n\r\n" + FULL, OK + b"Content-Length: 65537\r\n\r\n" + FULL + b"x"),
        (CHUNKED + b"10000\r\n" + FULL + b"\r\n0\r\n", CHUNKED + b"10001\r\nx" + FULL + b"\r\n0\r\n"),
        (CHUNKED + HALF * 2 + b"0\r\n", CHUNKED + HALF * 2 + b"1\r\nx\r\n0\r\n"),
    ],
)
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(full, over):
    """64 KiB, however it is told how long it is; in chunks it is their sum that counts."""
    assert (FULL, "it is longer than 65536 octets") == (body_of(full, is_ended=True), body_of(over, is_ended=True))


REFUSED = [
    (b"", "the server has said nothing"),
    (b"SSH-2.0-x\r\n\r\n", "it begins with 'SSH-2.0-x'"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", "its header has no end"),
    (OK + b"X: " + b"y" * MAX_HEADER + b"\r\n\r\n", "its header has no end"),
    (OK + b"\r\n" + b"x" * (MAX_OCTETS + 1), "it is longer than 65536 octets"),
    (OK + b"Content-Length: 5\r\n\r\nbody", "it was cut off: 4 of 5 octets came"),
    (OK + b"Content-Length: 99999999999999999999\r\n\r\nx", "it is longer than 65536 octets"),
    (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx", "it is longer than 65536 octets"),
    (OK + b"Content-Length: -1\r\n\r\nx", "its Content-Length is not one number"),
    (OK + b"Content-Length: \xb2\r\n\r\nx", "its Content-Length is not one number"),
    (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "its Content-Length is not one number"),
    (OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b", "its Content-Encoding is gzip, and none was asked for"),
    (OK + b"Content-Encoding: identity, \x1b\r\n\r\nx", "its Content-Encoding is \\x1b, and none was asked for"),
    (CHUNKED.replace(b"chunked", b"gzip, chunked"), "its Transfer-Encoding is not chunked"),
    (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n"), "both Transfer-Encoding and Content-Length"),
    (CHUNKED + b"ffffffffffffffff\r\nx", "it is longer than 65536 octets"),
    (CHUNKED + b"4\r\nbody0\r\n\r\n", "the chunk that ends it did not come"),
    (CHUNKED + b"4\r\nbodyx\r\n0\r\n\r\n", "the chunk that ends it did not come"),
    (CHUNKED + b"-4\r\nbody\r\n0\r\n\r\n", "the chunk that ends it did not come"),
]


def test_any_other_body_is_refused_and_says_why():
    """RFC 9112 section 8: also after a goodbye what falls short of its own length is not whole."""
    told = [(octets, why, body_of(octets, is_ended=True)) for octets, why in REFUSED]
    assert [] == [(octets, said) for octets, why, said in told if why not in said]


@pytest.mark.parametrize(
    "octets", [OK + b"Content-Length: 4\r\n\r\nbody", CHUNKED + b"4\r\nbody\r\n0\r\n", OK + b"\r\nbody"]
)
def test_no_cut_makes_another_body(octets):
    """M3, wherever somebody on the way ends the connection: the whole body or none."""
    whole = read_response(octets, is_ended=True).body
    assert {b"", whole} >= {read_response(octets[:at], is_ended=False).body for at in range(len(octets) + 1)}


FIELDS = [b"Content-Length: ", b"Transfer-Encoding: chunked", b"Content-Type: \xff\x00"]
STARTS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 100", b"HTTP/1.0 404 x"]
NUMBERS = [b"-", b"0", b"9" * 20, b"9" * 4400, b"ffffffffffffffff"]
MARKS = [b":", b" ", b";", b",", b"\r", b"\n", b"\r\n", b"\r\n\r\n"]
lines = st.sampled_from(STARTS + FIELDS + NUMBERS + MARKS)
pieces = st.lists(lines | st.binary(max_size=5), max_size=30).map(b"".join)


@settings(max_examples=examples(300))
@given(
    st.binary(max_size=300) | pieces | st.sampled_from([OK, CHUNKED]).flatmap(lambda head: pieces.map(head.__add__)),
    st.booleans(),
)
def test_no_octets_of_a_server_raise(octets, is_ended):
    """H1: whatever they are, a body that is short enough, or why there is none."""
    response = read_response(octets, is_ended=is_ended)
    assert len(response.body) <= MAX_OCTETS
    assert not (response.body and response.why_not)
    assert response.status or response.why_not
