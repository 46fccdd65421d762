"""Whom `sendmail -t` reads from a header: what people write, and what attackers do."""

from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.build.draft import Origin
from postroad.build.draft import finish_draft as finish
from postroad.build.draft import parse_draft as parse_message
from postroad.words.addresslist import addresses_in, places_in
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable

DEEP = 20_000
ORIGIN = Origin("relay.example.net", "cron", 1000, "", "ID", 1_000_000_000.0)


MEANT = [
    ("a@example.org, b@example.org", ["a@example.org", "b@example.org"]),
    ('"Doe, J." <j@example.org>', ["j@example.org"]),
    ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", ["pete@silly.test"]),
    ("A Group(Some people):Chris <c@public.example>, joe@example.org;", ["c@public.example", "joe@example.org"]),
    ("undisclosed-recipients:;", []),
    ("mary @ example . net", ["mary@example.net"]),
    ("<@relay.example,@other.example:user@example.org>", ["user@example.org"]),
    ("user@[IPv6:2001:db8::1]", ["user@[IPv6:2001:db8::1]"]),
    ('"a, b"@example.org', ['"a, b"@example.org']),
    ('"a . b"@example.org', ['"a . b"@example.org']),
    ("a@example.org;b@example.org", ["a@example.org", "b@example.org"]),
    ("<>, ,", []),
    ("root", ["root"]),
    ("grüße <ü@bücher.example>", ["ü@bücher.example"]),
    ("<a@example.org> b@example.org", ["a@example.org b@example.org"]),
    ("a@x Bcc: c@y", ["a@x Bcc: c@y"]),
    (f"{'(' * DEEP}{')' * DEEP} a@example.org", ["a@example.org"]),
    (f"{'<' * DEEP}", Unreadable("<" + "<" * 40, "it is not closed")),
    (f"{'(' * DEEP}a@example.org", Unreadable("(" * 40, "it is not closed")),
    ('"Doe <j@example.org>', Unreadable('"Doe <j@example.org>', "it is not closed")),
    ("<a@example.org", Unreadable("<a@example.org", "it is not closed")),
    ("a@[192.0.2.1", Unreadable("[192.0.2.1", "it is not closed")),
]


def test_addresses_are_those_that_are_meant():
    """Names, comments as deep as they are, groups, routes, literals; what is no address is left for its reader."""
    assert dict(MEANT) == {text: addresses_in(text) for text, _ in MEANT}


@given(st.text("a@. <>\t\r\n\x1c\u2003é'=", max_size=12))
@settings(max_examples=examples(500))
def test_one_address_is_read_as_it_is_in_a_list(text):
    """The short way for the usual field finds what the long way does, which a comma asks for."""
    assert places_in(f"{text},") == places_in(text) or "<" in text


@given(st.text("ab@. \t'=", max_size=8), st.text("ab@.'=", max_size=8), st.text(" \t\r\n", max_size=3))
@settings(max_examples=examples(500))
def test_an_address_behind_a_name_is_read_as_it_is_in_a_list(name, address, blanks):
    """The same for one in brackets."""
    text = f"{blanks}{name}<{address}>{blanks}"
    assert places_in(f"{text},") == places_in(text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "Joe", '"Doe, J."', "(c (d) e)", "=?utf-8?q?x?="]),
            st.builds("{}@{}.example".format, st.text("aZ09.+-", min_size=1, max_size=8), st.text("az", min_size=1)),
        )
    )
)
def test_plain_lists_are_read_as_python_reads_them(people):
    """For what is written well, the reading is that of email.utils."""
    text = ", ".join(f"{name} <{address}>" for name, address in people)
    assert [address for _name, address in getaddresses([text]) if address] == addresses_in(text)


@settings(max_examples=examples(200))
@given(st.text(st.sampled_from('ab@.,;:<>()[]"\\ \t\r\n')))
def test_any_text_is_read(text):
    """Addresses, or the place where something begins and does not end."""
    read = addresses_in(text)
    assert isinstance(read, Unreadable) or all(read)


@pytest.mark.parametrize(
    "header", [b"To: a@x\rBcc: c@y\n\n", b"To: friends\rBcc: c@y\r\n\r\n", b"Subject: x\rTo: c@y\nTo: a@x\n\n"]
)
def test_a_carriage_return_begins_no_header(header):
    """A CR that ends no line is a blank in what is sent, and nobody is read from such a header."""
    draft = parse_message(header + b"text\n")
    assert 0 == sum(field.lower().startswith((b"bcc", b"to: c@y")) for field in draft.fields)
    with pytest.raises(InputError, match="CR inside a line"):
        draft.recipients()


def test_line_ends_made_twice_are_line_ends():
    """CR CR LF, as programs write that make CRLF of what had it, ends a line and the header."""
    draft = parse_message(b"To: a@example.org\r\r\nSubject: x\r\r\n\r\r\ntext\r\r\n")
    assert ["a@example.org"] == draft.recipients()
    assert (b"To: a@example.org\r\n", b"Subject: x\r\n") == draft.fields


@given(st.lists(st.sampled_from([b"To: a@b", b"Bcc: c@d", b"x", b" ", b"\r", b"\n", b"\r\n", b":", b"."])))
def test_the_header_that_is_sent_is_the_header_that_was_read(parts):
    """Taken apart again, what is sent has the same fields in the same order: no line end makes one more."""
    draft = parse_message(b"".join(parts))
    sent = parse_message(finish(draft, ORIGIN, None))
    ours = len(sent.fields) - len([field for field in draft.fields if not field.lower().startswith(b"bcc")])
    assert ours <= 4
    assert [field for field in draft.fields if not field.lower().startswith(b"bcc")] == list(sent.fields[ours:])
    assert draft.rest == sent.rest
