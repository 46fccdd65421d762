"""Mail is rewritten as it is accepted: once, before it is signed, whole or in pieces, of those who may relay."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.signing import key, policy, rsa_pem, verdicts
from tests.support.talking import HEAD, SETTINGS, tell

from postroad.rewrite import (
    HEADER_SIZE,
    AllowedSenders,
    Clients,
    FixedSender,
    Rewriting,
    parse_address_pattern,
    parse_sender_rules,
)
from postroad.spool import PIECE
from postroad.words.mail import parse_mailbox

HOST = "relay.example"
LOCAL = Clients((ip_network("127.0.0.0/8"),))
RULES = Rewriting(
    HOST,
    parse_sender_rules({"root@web3": "web3@example.com"}),
    (parse_mailbox("archive@example.org"),),
    (("X-Env", "staging"), ("X-Originating-IP", "")),
)
SMALL = 4096  # as large as a piece may be here
KEY = key("rsa", octets=rsa_pem())
MAIL = b"MAIL FROM:<%b>\r\nRCPT TO:<ann@example.com>\r\n"
LETTER = b"From: Web <root@web3>\r\nX-Originating-IP: 10.0.0.7\r\n" + HEAD


@pytest.fixture
def small_pieces(monkeypatch):
    """Another program verifies what is kept, and takes its time over large messages."""
    monkeypatch.setattr("postroad.receive.incoming.PIECE", SMALL)


def only(*patterns, header=False):
    """Rewriting that only says whom clients of this machine may send as."""
    read = tuple(map(parse_address_pattern, patterns))
    return Rewriting(HOST, allowed=(AllowedSenders(LOCAL, read, header),))


def sent(octets, count, rewriting, peer="127.0.0.1", **more):
    """The codes of the replies to a client, and what is kept."""

    async def story(house):
        async with house.visit(peer) as client:
            return await client.codes(octets, count), house.keeper.kept

    return tell(story, replace(SETTINGS, rewriting=rewriting, **more))


@pytest.mark.parametrize("body", [b"Hello.\r\n", b"x" * 78 + b"\r\n", b"as any other\r\n" * (SMALL // 8)])
@pytest.mark.usefixtures("small_pieces")
def test_mail_is_rewritten_before_it_is_signed(body):
    """Envelope, header and copy; the signature of what it has become holds; log and Received say what it was."""
    by_data = MAIL % b"root@web3" + b"DATA\r\n" + LETTER + body + b".\r\n"
    message = LETTER + body
    middle = len(message) // 2
    by_bdat = MAIL % b"root@web3" + b"BDAT %d\r\n%bBDAT %d LAST\r\n%b" % (
        *(middle, message[:middle]),
        *(len(message) - middle, message[middle:]),
    )
    contents = set()
    for octets in (by_data, by_bdat):
        codes, ((arrival, content),) = sent(octets, 4, RULES, signing=policy(KEY))
        assert ("250", len(content), [True]) == (codes[-1], arrival.size, verdicts(content, KEY))
        recipients = [(str(each.mailbox), each.notify) for each in arrival.envelope.recipients]
        assert [("ann@example.com", frozenset()), ("archive@example.org", frozenset({"NEVER"}))] == recipients
        assert "web3@example.com" == str(arrival.envelope.reverse_path)
        assert arrival.origin.endswith("sent as root@web3")
        assert b"\r\n\t(envelope-from <root@web3>);" in content
        contents.add(content.partition(b"From: ")[2])
    assert {b"Web <web3@example.com>\r\n" + HEAD.replace(b"\r\n\r\n", b"\r\nX-Env: staging\r\n\r\n") + body} == contents


def test_strangers_are_left_alone():
    """Who may not relay is refused as ever, and nothing of theirs is rewritten."""
    codes, kept = sent(MAIL % b"root@web3", 2, RULES, "192.0.2.7")
    assert (["250", "550"], []) == (codes, kept)


def test_too_long_a_header_is_refused():
    """It is said at the end of the message, and one that just fits is rewritten: it is in memory whole by then."""
    assert HEADER_SIZE + len(b"\r\n\r\n") < PIECE
    for octets, expected in ((HEADER_SIZE, "250"), (HEADER_SIZE + 1, "554")):
        header = b"From: root@web3\r\nX: "
        header += b"x" * (octets - len(header) - 2) + b"\r\n"
        codes, kept = sent(MAIL % b"root@web3" + b"DATA\r\n" + header + b"\r\nhi\r\n.\r\n", 4, RULES)
        assert (expected, expected == "250") == (codes[-1], bool(kept))


def test_who_may_send_as_whom():
    """553 to MAIL for a sender of others, 550 to the message for a From of others; reports pass, and other clients."""
    cases = [
        ("web@example.com", b"web@example.com", b"x@y.example", ["250", "250", "354", "250"]),
        ("web@example.com", b"", b"x@y.example", ["250", "250", "354", "250"]),
        ("example.org", b"web@example.com", b"x@y.example", ["553", "503", "503"]),
        ("*", b"web@example.com", b"x@y.example", ["250", "250", "354", "250"]),
        ("+example.com", b"web@example.com", b"a@example.com, b@EXAMPLE.com", ["250", "250", "354", "250"]),
        ("+example.com", b"web@example.com", b"a@example.com, b@y.example", ["250", "250", "354", "550"]),
        ("+example.com", b"web@example.com", b"a@example.com\r\nFrom: b@y.example", ["250", "250", "354", "550"]),
        ("+example.com", b"", b"whoever", ["250", "250", "354", "550"]),
        ("+example.com", b"web@example.com", b"a b", ["250", "250", "354", "550"]),
    ]
    for pattern, sender, author, expected in cases:
        rules = only(pattern.removeprefix("+"), header=pattern.startswith("+"))
        octets = MAIL % sender + b"DATA\r\n"
        if expected[0] == "250":
            octets += b"From: " + author + b"\r\n\r\n.\r\n"
        assert expected == sent(octets, len(expected), rules)[0], (pattern, sender, author)


def test_device_has_its_sender_whatever_it_says():
    """The first entry that is for it; the sender it has then is the one that is looked at."""
    scanner, other = (parse_mailbox(f"{name}@example.com") for name in ("scanner", "other"))
    rules = replace(
        only("scanner@example.com", header=True), fixed=(FixedSender(LOCAL, scanner), FixedSender(LOCAL, other))
    )
    codes, ((arrival, content),) = sent(MAIL % b"x@y" + b"DATA\r\nFrom: HP 3\r\n\r\n.\r\n", 4, rules)
    assert ("250", scanner) == (codes[-1], arrival.envelope.reverse_path)
    assert content.endswith(b"\r\nFrom: scanner@example.com\r\n\r\n")
