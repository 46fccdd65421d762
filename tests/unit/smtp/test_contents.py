"""The octets of a message: whichever command brings them, in whatever pieces, one object has seen them all."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.dialogues import ENVELOPE, HELLO, TRANSACTION, codes, greeted, serve
from tests.support.examples import examples, stride

from postroad.smtp import BodyPiece, Limits, ServerConfig
from postroad.smtp.wire import NewlineCheck

CONTENTS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\x00"]), max_size=12).map(b"".join)


def alone(octets):
    """Whether a CR or LF stands alone, by the letter of RFC 5321 section 2.3.8."""
    return re.search(rb"\r(?!\n)|(?<!\r)\n", octets) is not None


def unsafe(octets):
    """Whether a receiver could see the end of a message in it that is none: a newline alone, or a NUL."""
    return alone(octets) or b"\x00" in octets


def by_chunks(content, sizes):
    """The content by BDAT, cut into chunks of these sizes, with the rest in the last one."""
    lines = b""
    for size in sizes:
        piece, content = content[:size], content[size:]
        lines += b"BDAT %d\r\n%b" % (len(piece), piece)
    return lines + b"BDAT %d LAST\r\n%b" % (len(content), content)


@settings(max_examples=examples(100 // stride(2)))
@given(CONTENTS, st.lists(st.integers(0, 4), max_size=6))
@example(b"a\r\nb", [2])
@example(b"a\r", [1])
@example(b"\r", [])
@example(b"\r\n", [1, 0])
def test_newline_alone_is_found_in_any_pieces(content, sizes):
    """However a message is cut, the answer is that of the whole: a CR and its LF may come in two pieces."""
    check, rest, found = NewlineCheck(), content, False
    for size in sizes:
        found = check.is_bare(rest[:size]) or found
        rest = rest[size:]
    found = check.is_bare(rest) or found
    assert alone(content) == (found or check.ends_bare)


@settings(max_examples=examples(100 // stride(2)))
@given(CONTENTS, st.lists(st.integers(0, 4), max_size=4), st.integers(1, 30))
@example(b"\n.\r\nMAIL FROM:<evil@example.net>\r\n", [], 1)
@example(b"one\r", [3], 4)
@example(b"one\r\ntwo", [4], 7)
@example(b"\r\n\x00.\r\nMAIL FROM:<evil@example.net>\r\n", [2], 5)
@example(b"\r\n.\x00\r\n", [], 1)
def test_chunks_let_nothing_unsafe_in(content, sizes, pieces):
    """By BDAT a bare CR, LF or NUL is refused with 554 5.6.0, across chunks and packets, and the session goes on."""
    replies, messages = serve([HELLO, TRANSACTION + by_chunks(content, sizes) + b"NOOP\r\n"], pieces=pieces)
    expected = [554, 250] if unsafe(content) else [250, 250]
    assert (expected, [] if unsafe(content) else [content]) == (codes(replies)[-2:], [taken for _, taken in messages])


@settings(max_examples=examples(100 // stride(2)))
@given(CONTENTS.filter(lambda content: b"." not in content), st.integers(1, 9))
@example(b"\r\n\x00.\r\nMAIL FROM:<evil@example.net>", 3)
@example(b"\r\n.\x00\r\nMAIL FROM:<evil@example.net>", 1)
def test_data_lets_nothing_unsafe_in(content, pieces):
    """By DATA the same, across packets: a CR in front of the final dot is a bare one."""
    flights = [HELLO, TRANSACTION + b"DATA\r\n", content + b"\r\n.\r\nNOOP\r\n"]
    replies, messages = serve(flights, pieces=pieces)
    expected = content + b"\r\n"
    assert [554 if unsafe(expected) else 250, 250] == codes(replies)[-2:]
    assert ([] if unsafe(expected) else [expected]) == [taken for _, taken in messages]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\nb", b"a bare CR or LF in the message (RFC 5321 section 2.3.8)"),
        (b"a\nb\x00", b"a NUL octet in the message (RFC 2045 section 2.8)"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 1000])
def test_refusal_of_unsafe_content_has_its_status(content, words, pieces):
    """5.6.0: it is the content that is wrong; the same words however it comes."""
    replies, _ = serve([HELLO, TRANSACTION + by_chunks(content, [])], pieces=pieces)
    assert b"554 5.6.0 " + words == replies.splitlines()[-1]


def test_unsafe_content_of_the_greatest_size_is_refused_as_unsafe():
    """Not as too large: its size is welcome."""
    replies, _ = serve([HELLO, TRANSACTION + by_chunks(b"a\nb", [])], ServerConfig("mx.example", size=3))
    assert b"554 5.6.0 a bare CR or LF in the message (RFC 5321 section 2.3.8)" == replies.splitlines()[-1]


def test_next_message_does_not_pay_for_the_last_one():
    """A lone CR at the end of one message, or of one given up, does not spoil the next."""
    broken, given_up = by_chunks(b"a\r", []), b"BDAT 1\r\n\rRSET\r\n"
    last = by_chunks(b"\r\nx", [])
    replies, messages = serve(ENVELOPE + broken + TRANSACTION + given_up + TRANSACTION + last)
    assert ([554, 250], [b"\r\nx"]) == ([codes(replies)[4], codes(replies)[-1]], [taken for _, taken in messages])


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([10], [250]), ([11], [552]), ([5, 5], [250, 250]), ([5, 6], [250, 552]), ([11, 0], [250, 552])],
)
def test_chunks_are_counted(sizes, expected):
    """Over the limit by one octet, in one chunk or several, is 552 at the end; the limit itself is welcome."""
    *first, last = sizes
    chunks = b"".join(b"BDAT %d\r\n%b" % (size, b"x" * size) for size in first)
    octets = ENVELOPE + chunks + b"BDAT %d LAST\r\n%b" % (last, b"x" * last)
    replies, messages = serve(octets, ServerConfig("mx.example", size=10))
    assert (expected, expected[-1] == 250) == (codes(replies)[4:], bool(messages))
    assert all(len(content) == 10 for _, content in messages)


@pytest.mark.parametrize("flights", [[b"DATA\r\n", b"a\nb\r\n.\r\n"], [by_chunks(b"a\nb", [])]])
def test_refused_messages_are_errors_of_the_client(flights):
    """Two are allowed here, by DATA or BDAT: with the third one the session ends."""
    config = ServerConfig("mx.example", limits=Limits(errors=2))
    replies, _ = serve([HELLO, *[TRANSACTION + flights[0], *flights[1:]] * 3], config, pieces=100)
    assert [554, 554, 421] == [code for code in codes(replies) if code in (554, 421)]


@settings(max_examples=examples(200 // stride(2)))
@given(CONTENTS, st.integers(1, 30))
@example(b"\na", 1)
@example(b"a\r\nb", 1)
def test_pieces_have_octets_of_a_message_that_may_yet_be_taken(content, pieces):
    """None is empty, and from the first one that is unsafe on nothing is handed on before the end."""
    server = greeted(ServerConfig("mx.example"))
    for line in (HELLO, *TRANSACTION.splitlines(keepends=True), b"DATA\r\n"):
        server.receive(line)
        server.agree()
    given = []
    for start in range(0, len(content), pieces):
        event = server.receive(content[start : start + pieces])
        given += [event.data] if isinstance(event, BodyPiece) else []
    seen = b"".join(given).removesuffix(b"\r")  # whether that one stands alone is not known yet
    assert (False, False) == (b"" in given, unsafe(seen))
