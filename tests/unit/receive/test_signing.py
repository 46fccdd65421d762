"""Mail is signed as it is accepted: over DATA and BDAT, small and large, and only for those who may relay."""

import asyncio
from dataclasses import replace
from functools import cache
from itertools import product

import pytest
from tests.support.examples import some
from tests.support.signing import ed25519_pem, key, policy, rsa_pem, verdicts
from tests.support.talking import ENVELOPE, HEAD, NOON, SETTINGS, tell

from postroad.receive import PasswordHash
from postroad.routing import Alias, parse_target, resolve_aliases
from postroad.sign import MessageSigner

KEYS = (key("rsa", octets=rsa_pem()), key("ed", octets=ed25519_pem()))
SIGNING = replace(SETTINGS, signing=policy(*KEYS))
LETTER = b"From: Ann <ann@example.com>\r\n" + HEAD
PIECE = 4096  # here: as much as a head may need, and much less than the relay has in memory
SEVERAL = (b"as-any-other-line-" * 40 + b"\r\n") * 20
BY_DATA, BY_BDAT = "DATA", "BDAT"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Another program verifies what is kept, and takes its time over large messages."""
    monkeypatch.setattr("postroad.receive.incoming.PIECE", PIECE)


def said(message, how):
    """A message as a client sends it, and how many replies that takes."""
    if how == BY_DATA:
        stuffed = message.replace(b"\r\n.", b"\r\n..")
        return ENVELOPE + b"DATA\r\n" + stuffed + b".\r\n", 4
    middle = len(message) // 3
    chunk = b"BDAT %d\r\n%bBDAT %d LAST\r\n%b"
    return ENVELOPE + chunk % (middle, message[:middle], len(message) - middle, message[middle:]), 4


def kept(message, how=BY_DATA, settings=SIGNING, peer="127.0.0.1", to=ENVELOPE):
    """What is kept of a message, and what was told."""

    async def story(house):
        octets, count = said(message, how)
        async with house.visit(peer) as client:
            replies = await client.codes(octets.replace(ENVELOPE, to), count)
        ((arrival, content),) = house.keeper.kept
        assert ("250", len(content)) == (replies[-1], arrival.size)
        told = [event.fields for event in house.events if event.name.startswith(("receive.message", "receive.sign"))]
        return content, told

    return tell(story, settings)


BODIES = {
    "empty": b"",
    "usual": b"Hello.\r\n",
    "dots": b"..\r\n.a\r\n",
    "blanks": b"a \t b  \r\n\r\n\r\n",
    "long line": b"x" * 3000 + b"\r\n",
    "8-bit": "ünïcode\r\n".encode(),
    "one piece": b"x" * (PIECE - 40) + b"\r\n",
    "several": SEVERAL,
    "empty lines": b"\r\n" * PIECE + b"end\r\n",
}


@pytest.mark.parametrize(("how", "what"), some(product([BY_DATA, BY_BDAT], BODIES), 2))
def test_what_is_kept_is_what_was_signed(how, what):
    """The signatures stand in front of all, our own fields are behind them, and both hold.

    Each body in one of both ways; in both in a whole run.
    """
    body = BODIES[what]
    content, (told,) = kept(LETTER + body, how)
    assert content.startswith(b"DKIM-Signature: v=1; a=rsa-sha256;")
    assert content.endswith(LETTER + body)
    assert [True, True] == verdicts(content, *KEYS)
    assert "example.com" == told["signed"]


def test_both_ways_in_are_one():
    """The same octets, whichever way they came."""
    message = LETTER + SEVERAL
    by_data, by_bdat = (kept(message, how)[0] for how in (BY_DATA, BY_BDAT))
    assert by_data == by_bdat


@cache
def ours_before_the_body():
    """How many octets there are in front of a body, with the fields that we add."""
    return len(kept(LETTER, settings=SETTINGS)[0])


@pytest.mark.parametrize("length", [PIECE // 2, *some(range(3 * PIECE - 2, 3 * PIECE + 11), 4, first=2)])
def test_a_message_without_a_last_line_end_gets_one(length):
    """BDAT can bring one. Wherever its pieces end, it is kept as it was signed; `length` is with the fields we add.

    Every fourth length about the end of a piece, that one among them; all in a whole run.
    """
    ours = ours_before_the_body()
    for end in (b"no end \t", b"an end\r\n"):
        message = LETTER + b"x" * (length - ours - len(end)) + end
        content, _ = kept(message, BY_BDAT)
        assert content.endswith(message if message.endswith(b"\n") else message + b"\r\n")
        assert [True, True] == verdicts(content, *KEYS)


def test_fields_that_we_add_are_signed():
    """Date and Message-ID stand in h= as often as they are there, and once more."""
    content, _ = kept(b"From: ann@example.com\r\n\r\nHello\r\n")
    assert b":Date:Date:" in content.replace(b"\r\n\t ", b"")
    assert [True, True] == verdicts(content, *KEYS)
    assert [False, False] == verdicts(content.replace(b"\r\nDate: Tue", b"\r\nDate: Wed"), *KEYS)


def test_what_strangers_send_is_never_signed():
    """Postmaster takes mail from everyone: who says to be of our domain there gets no signature for it."""
    aliases = resolve_aliases({"postmaster": Alias((parse_target("ops@example.com"),), "here")}, {"relay.example"})
    settings = replace(SIGNING, aliases=aliases)
    to = b"MAIL FROM:<x@example.com>\r\nRCPT TO:<postmaster>\r\n"
    signed, unsigned = (
        kept(LETTER + b"x\r\n", settings=settings, peer=peer, to=to)[0] for peer in ("127.0.0.1", "203.0.113.9")
    )
    assert (True, False) == (b"DKIM-Signature" in signed, b"DKIM-Signature" in unsigned)


def test_who_has_authenticated_is_signed_for(monkeypatch):
    """A user from anywhere is one of ours."""
    monkeypatch.setattr("postroad.receive.verifier.verify", lambda *_: True)
    users = {"ann": PasswordHash(b"salt", b"hash")}
    settings = replace(SIGNING, networks=(), users=users, auth_in_clear_on_loopback=True)

    async def story(house):
        async with house.visit() as client:
            assert ["235"] == await client.codes(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n")
            assert "250" == (await client.codes(*said(LETTER + b"x\r\n", BY_DATA)))[-1]
        return house.keeper.kept[0][1]

    assert [True, True] == verdicts(tell(story, settings), *KEYS)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (HEAD, "'From': there is no such field"),
        (b"From: a@example.com\r\nFrom: b@example.com\r\n" + HEAD, "'From': there are several of these fields"),
        (b"From: a@example.com\r\nno field\r\n" + HEAD, "its header has a line that is not a header field"),
        (b"From: a@example.com\r\nX: " + b"x" * 2**19 + b"\r\n\r\n", "its header is longer than 256 KiB"),
        (b"Text without a header.\r\n", "'From': there is no such field"),
    ],
)
def test_what_cannot_be_signed_is_kept_and_told(message, why):
    """It goes out as it came, and the log has its id and what is odd about it."""
    content, (complete, failed) = kept(message)
    assert (False, {"id": complete["id"], "why": why}) == (content.startswith(b"DKIM"), failed)


def test_mail_of_other_domains_is_nothing_to_tell():
    """A relay has mail of many domains, and keys of some."""
    content, told = kept(b"From: a@example.net\r\n" + HEAD)
    assert (False, 1, False) == (content.startswith(b"DKIM"), len(told), "signed" in told[0])


def test_the_time_is_that_of_the_received_field():
    """A signature is as old as the message is with us."""
    assert f"t={NOON:.0f};".encode() in kept(LETTER)[0]


def test_a_bug_in_signing_keeps_nobody_waiting(monkeypatch):
    """The connection ends without a 250, and nothing is kept unsigned."""

    def broken(_signer, _now):
        raise ZeroDivisionError

    async def story(house):
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with house.visit() as client:
            replies = await client.ask(*said(LETTER + b"x\r\n", BY_DATA))
        return replies[-1], house.keeper.kept

    monkeypatch.setattr(MessageSigner, "fields", broken)
    assert ("", []) == tell(story, SIGNING)
