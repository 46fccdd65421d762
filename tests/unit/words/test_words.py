"""The nouns: what they read, what they refuse and why."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.words.mail import Mailbox, Recipient, distinct, parse_mailbox
from postroad.words.names import (
    SHOWN,
    AddressLiteral,
    Unreadable,
    is_address_like,
    parse_destination,
    parse_domain,
    to_unicode,
)
from postroad.words.reply import Reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM.", "example.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("_smtp.example", "_smtp.example"),
        ("localhost", "localhost"),
    ],
)
def test_domain_has_one_form(text, expected):
    """A-labels, lower case, no final dot."""
    assert expected == parse_domain(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "missing"),
        (".", "missing"),
        ("a..b", "two dots in a row"),
        ("a b.example", "a character no domain name has"),
        ("-a.example", "a character no domain name has"),
        ("192.0.2.1", "in brackets: [192.0.2.1]"),
        (f"{'a' * 64}.example", "longer than 63"),
        (f"{'a.' * 130}example", "longer than 253"),
        ("\u2603\ufe0f\u200b.example", "not an internationalised domain name"),
    ],
)
def test_unreadable_domain_says_why(text, why):
    """What is not a domain name comes with the reason."""
    answer = parse_domain(text)
    assert isinstance(answer, Unreadable)
    assert why in answer.why


@pytest.mark.parametrize("text", ["[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_literal_comes_back_as_it_went(text):
    """Address literals in the form of RFC 5321 section 4.1.3."""
    answer = parse_destination(text)
    assert isinstance(answer, AddressLiteral)
    assert text == str(answer)


@pytest.mark.parametrize("text", ["[192.0.2.1", "[]", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[IPv6:fe80::1%eth0]"])
def test_other_brackets_are_unreadable(text):
    """IPv6 needs its tag, IPv4 has none, zones have no place."""
    assert isinstance(parse_destination(text), Unreadable)


@pytest.mark.parametrize("text", ["Ann@example.com", '"a b"@example.com', "caf\u00e9@example.com", "a@[192.0.2.1]"])
def test_mailbox_keeps_its_local_part(text):
    """The local part is kept as written; it is not ours to change."""
    assert text == str(parse_mailbox(f" <{text}> "))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ann", "user@domain"),
        ("@example.com", "user@domain"),
        ("a b@example.com", "needs quoting"),
        ("a..b@example.com", "needs quoting"),
        (f"{'a' * 65}@example.com", "longer than 64"),
        ("a@b..c", "two dots"),
    ],
)
def test_unreadable_mailbox_says_why(text, why):
    """What is no mailbox comes with the reason."""
    answer = parse_mailbox(text)
    assert isinstance(answer, Unreadable)
    assert why in answer.why


@given(st.text(max_size=40))
def test_any_text_is_a_mailbox_or_unreadable(text):
    """Nothing raises, and no mailbox holds a line end."""
    answer = parse_mailbox(text)
    assert isinstance(answer, Unreadable) or not {"\r", "\n"} & set(str(answer))
    assert isinstance(answer, Mailbox | Unreadable)


ADDRESSES = st.lists(
    st.sampled_from(["a", "B1", "-", "_", ".", "@", '"', "+", " ", "1", "\u00e9", "x" * 63, "x.x." * 62, "[192.0.2.1]"])
).map("".join)


@given(st.tuples(ADDRESSES, ADDRESSES).map("@".join))
@example("x" * 64 + "@a")
@example("x" * 65 + "@a")
@example("a@" + "x" * 64)
@example("a@" + "x." * 126 + "x")
@example("a@" + "x." * 126 + "xx")
@example("a@192.0.2.1")
@example("a@b.c1")
def test_plain_mailbox_is_read_as_any_other(text):
    """What is seen at once is what is found step by step, as it is for a text with a blank in front."""
    seen, found = parse_mailbox(text), parse_mailbox(f" {text}")
    assert found == seen or found.why == seen.why


@given(st.text(min_size=1, max_size=8), st.text(max_size=8))
@example("a b", "@x")
@example("a", "@[1")
def test_an_error_quotes_the_beginning_of_a_text(often, end):
    """However long an address is, why it cannot be read is a sentence of bounded length (escapes are ten wide)."""
    for text in (often * 2000 + end, end + often * 2000, f"x@{often * 2000}", f"x@{often * 2000}.{end}"):
        read = parse_mailbox(text)
        assert not isinstance(read, Unreadable) or len(str(read)) < 2 * 10 * (SHOWN + 3) + 200


def test_address_in_the_place_of_a_name_is_seen():
    """As in `MX 10 192.0.2.1`."""
    assert [True, True, False] == [is_address_like(name) for name in ("192.0.2.1", "1.2.3", "mail1.example")]


def test_people_read_unicode():
    """A-labels are shown as the letters they stand for; broken ones as they are."""
    assert ["b\u00fccher.example", "xn--a.example"] == [
        to_unicode(n) for n in ("xn--bcher-kva.example", "xn--a.example")
    ]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [(550, "5.1.1 no such user", "5.1.1"), (550, "4.1.1 odd", None), (250, "2.0.0", "2.0.0"), (250, "ok", None)],
)
def test_enhanced_code_must_agree_with_the_code(code, text, expected):
    """An enhanced code of another class than the reply is not believed (RFC 2034)."""
    assert expected == Reply(code, (text,)).enhanced


LOCALS = st.sampled_from(["ann", "Ann", "bob"])


@given(st.lists(st.tuples(LOCALS, st.sampled_from(["a.example", "b.example"]), st.booleans())))
def test_distinct_keeps_the_first_of_each(drawn):
    """Each mailbox once, in the order they came, as it was first said."""
    recipients = [
        Recipient(Mailbox(local, domain), frozenset({"NEVER"} if never else ())) for local, domain, never in drawn
    ]
    kept = distinct(recipients)
    assert list(dict.fromkeys(each.mailbox for each in recipients)) == [each.mailbox for each in kept]
    assert all(next(each for each in recipients if each.mailbox == one.mailbox) is one for one in kept)


def test_octets_of_another_encoding_are_named_as_that():
    """A file's name or a word of the command line in Latin-1, as Python has it."""
    assert "it is not valid UTF-8" in parse_domain(b"b\xfcro.example".decode("utf-8", "surrogateescape")).why
    for char in ("\udcfc", "\ud800", "\udfff"):
        assert "not valid UTF-8" in parse_mailbox(f"b{char}ro@example.com").why
        assert "not valid UTF-8" in parse_mailbox(f'"b{char} ro"@example.com').why
