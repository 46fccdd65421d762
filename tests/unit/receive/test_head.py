"""What is read in the head of a message, and what is put in front of it."""

from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.receive.headers import Hop, Stamp, format_date, prefix, protocol, read_head, received
from postroad.words.mail import Mailbox

ADDRESS, NOON = ip_address("192.0.2.7"), 1_700_000_000.0
HOP = Hop("client.example", ADDRESS, "relay.example", "ESMTPS")
STAMP = Stamp("id1", NOON)


def front(message, *, completes=True):
    """Our fields in front of a message."""
    return prefix(read_head(message), HOP, STAMP, completes=completes)


def read(message):
    """The message with our fields in front, as Python's parser has it."""
    return message_from_bytes(front(message) + message, policy=policy.SMTP)


def test_received_field_says_who_how_and_when():
    """From, by, with, id, for and the date stand as RFC 5321 section 4.4 has them."""
    hop = Hop("client.example", ADDRESS, "relay.example", "ESMTPS", "TLSv1.3 X")
    expected = (
        "Received: from client.example ([192.0.2.7])\r\n"
        "\tby relay.example with ESMTPS (TLSv1.3 X)\r\n"
        "\tid id1\r\n"
        "\tfor <a@b.example>; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    )
    assert expected == received(hop, Stamp("id1", NOON, Mailbox("a", "b.example")))


@pytest.mark.parametrize("name", ["a(b", "x;y", "caf\u00e9.example", "<script>", "x" * 300, "[1.2.3.4", "a=b"])
def test_name_that_is_none_is_not_repeated(name):
    """A client that calls itself nonsense gets its address for a name: nothing is smuggled into a header."""
    said = received(Hop(name, ADDRESS, "relay.example", "ESMTPS"), STAMP)
    assert said.startswith("Received: from [192.0.2.7] ([192.0.2.7])\r\n")


@pytest.mark.parametrize("name", ["client.example", "my_host", "[192.0.2.7]", "[IPv6:2001:db8::1]"])
def test_name_is_repeated_as_said(name):
    """Names and address literals stand as the client gave them."""
    said = received(Hop(name, ip_address("2001:db8::1"), "relay.example", "ESMTPS"), STAMP)
    assert said.startswith(f"Received: from {name} ([IPv6:2001:db8::1])\r\n")


def test_missing_date_and_message_id_are_added():
    """A message that has neither gets both; its own fields stand untouched behind."""
    message = read(b"Subject: x\r\n\r\nbody\r\n")
    assert ["Received", "Date", "Message-ID", "Subject"] == message.keys()
    assert ("<id1@relay.example>", "body\r\n") == (message["Message-ID"], message.get_payload())
    assert NOON == parsedate_to_datetime(message["Date"]).timestamp()


@pytest.mark.parametrize("fields", [b"DATE: x\r\nmessage-id: y\r\n", b"Date : x\r\nMessage-ID\t: y\r\n"])
def test_date_and_message_id_that_are_there_stay(fields):
    """In any case, and with the blanks older programs put before the colon."""
    assert front(fields) == received(HOP, STAMP).encode()


def test_date_in_the_body_is_no_field():
    """What stands behind the empty line is not read."""
    assert not read_head(b"Subject: x\r\n\r\nDate: y\r\n").has_date


def test_relay_that_does_not_complete_adds_received_only():
    """With the setting off the message keeps its gaps."""
    assert front(b"A: b\r\n", completes=False) == received(HOP, STAMP).encode()


@pytest.mark.parametrize("message", [b"Hello Ann,\r\nhow are you?\r\n", b" folded: no\r\n\r\nx\r\n", b"no colon"])
def test_text_without_a_header_becomes_the_body(message):
    """A message that begins with text gets an empty line, so none of it is taken for a field."""
    assert read(message).get_payload() == message.decode()


@pytest.mark.parametrize("message", [b"\r\nbody\r\n", b""])
def test_empty_header_stays_empty(message):
    """A message that begins with its empty line, or has nothing at all, needs no other."""
    assert ("" if not message else "body\r\n") == read(message).get_payload()


def test_hops_are_counted_in_the_header_only():
    """Received fields in any case, not those quoted in the body or folded into another field."""
    message = b"Received: a\r\nRECEIVED: b\r\nX: c\r\n received: d\r\n\r\nReceived: e\r\n"
    assert 2 == read_head(message).hops


@given(st.lists(st.sampled_from([b"", b" ", b"\t", b" \t  "]), max_size=8))
def test_hops_are_counted_with_obsolete_blanks(blanks):
    """Blanks in front of the colon hide no hop (RFC 5322 section 4.5.8): mail in circles would pass the limit."""
    message = b"".join(b"Received%b: from a\r\n" % blank for blank in blanks) + b"Subject: x\r\n\r\n"
    assert len(blanks) == read_head(message).hops


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"extended": False}, "SMTP"),
        ({}, "ESMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"tls": True, "authenticated": True}, "ESMTPSA"),
        ({"authenticated": True}, "ESMTPA"),
        ({"smtputf8": True}, "UTF8SMTP"),
        ({"smtputf8": True, "tls": True, "authenticated": True}, "UTF8SMTPSA"),
    ],
)
def test_protocol_is_named_as_registered(facts, expected):
    """The words of RFC 3848 and RFC 6531."""
    usual = {"extended": True, "tls": False, "authenticated": False, "smtputf8": False}
    assert expected == protocol(**{**usual, **facts})


@given(st.integers(0, 4_000_000_000))
def test_date_is_read_back_by_others(at):
    """Python's own reader finds the moment again."""
    assert at == parsedate_to_datetime(format_date(at)).timestamp()


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"Received: x\r\n", b"\r\n", b"a", b"Date:", b":"])).map(b"".join)
)
def test_message_is_all_there_behind_the_prefix(message):
    """Whatever the octets, the prefix is whole lines, and a header of its own or the beginning of one."""
    assert front(message).startswith(b"Received: ")
    assert front(message).endswith(b"\r\n")
