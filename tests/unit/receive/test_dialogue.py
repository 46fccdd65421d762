"""Sessions as dialogues: what is taken, from whom, and what each limit answers."""

import asyncio
from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.talking import ENVELOPE, HEAD, HELLO, MESSAGE, NOON, SETTINGS, tell

from postroad.receive import Arrival, PasswordHash
from postroad.routing import Alias, Aliases, parse_target, resolve_aliases
from postroad.spool import PIECE, SpoolError, Trouble
from postroad.words.mail import Mailbox, Recipient, TlsWish

OPEN = replace(SETTINGS, networks=(ip_network("0.0.0.0/0"),))
STRANGER = "192.0.2.7"
RECEIVED = (
    b"Received: from client.example ([127.0.0.1])\r\n"
    b"\tby relay.example with ESMTP\r\n"
    b"\tid id0\r\n"
    b"\tfor <ann@example.com>; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
)


def limited(**limits):
    """The usual settings with other limits."""
    return replace(SETTINGS, limits=replace(SETTINGS.limits, **limits))


def dialogue(octets, count, settings=SETTINGS, peer="127.0.0.1"):
    """Say all of it at once; the codes of so many replies, and what was kept."""

    async def story(house):
        async with house.visit(peer) as client:
            return await client.codes(octets, count), house.keeper.kept

    return tell(story, settings)


def test_message_is_kept_behind_our_received_field():
    """250 names the id; what is kept is our field and the message as it came, under its envelope."""

    async def story(house):
        async with house.visit() as client:
            assert ["250", "250", "354"] == await client.codes(ENVELOPE + b"DATA\r\n", 3)
            assert ["250 2.0.0 Ok: queued as id0"] == await client.ask(MESSAGE + b".\r\n")
            assert ["221", ""] == await client.codes(b"QUIT\r\n", 2)
        ((arrival, content),) = house.keeper.kept
        assert RECEIVED + MESSAGE == content
        envelope, origin = arrival.envelope, "127.0.0.1 (client.example) by ESMTP"
        assert Arrival("id0", envelope, NOON, len(content), origin) == arrival
        assert ("me@example.net", (Recipient(Mailbox("ann", "example.com")),)) == (
            str(envelope.reverse_path),
            envelope.recipients,
        )

    tell(story)


def test_many_messages_in_one_flight():
    """With CHUNKING a client may say everything at once: each message is kept, in order."""
    chunk = b"BDAT %d LAST\r\n%b" % (len(MESSAGE), MESSAGE)
    said, kept = dialogue((ENVELOPE + chunk) * 3 + b"QUIT\r\n", 10)
    assert (["250"] * 9 + ["221"], 3) == (said, len(kept))
    assert all(content.endswith(MESSAGE) for _, content in kept)


def test_stranger_relays_nothing():
    """Who is in no network is told so at RCPT; DATA has nobody to go to."""
    said, kept = dialogue(ENVELOPE + b"DATA\r\n", 3, peer=STRANGER)
    assert (["250", "550", "503"], []) == (said, kept)


def test_stranger_who_insists_is_sent_away():
    """Asking for a thousand recipients costs a few answers."""
    said, _ = dialogue(ENVELOPE * 1 + b"RCPT TO:<a@b.example>\r\n" * 999, 22, limited(errors=20), STRANGER)
    assert ["421", "550"] == sorted(set(said[1:]))[:2]


def test_parameters_reach_the_envelope():
    """8BITMIME, SMTPUTF8 and what RFC 3461 asks are kept with the message, and "with" names SMTPUTF8."""
    lines = (
        "MAIL FROM:<b\u00f6b@example.net> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb SIZE=100\r\n"
        "RCPT TO:<ann@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@example.com\r\nDATA\r\n"
    )
    said, ((arrival, content),) = dialogue(lines.encode() + MESSAGE + b".\r\n", 4)
    envelope, (recipient,) = arrival.envelope, arrival.envelope.recipients
    assert (["250", "250", "354", "250"], True, True) == (said, envelope.eight_bit, envelope.smtputf8)
    assert ("HDRS", "a+b", frozenset({"SUCCESS", "DELAY"}), "rfc822;x@example.com") == (
        envelope.ret,
        envelope.envid,
        recipient.notify,
        recipient.orcpt,
    )
    assert b" with UTF8SMTP\r\n" in content


@pytest.mark.parametrize("by", ["DATA", "BDAT"])
@pytest.mark.parametrize(
    ("head", "wish"),
    [
        (b"Subject: x\r\nTLS-Required: No\r\n\r\n", TlsWish.OPTIONAL),
        (b"tls-required :\r\n no\r\n\r\n", TlsWish.OPTIONAL),
        (b"TLS-Required: Yes\r\n\r\n", None),
        (b"Subject: x\r\n\r\nTLS-Required: No\r\n", None),
        (b"How are you?\r\nTLS-Required: No\r\n\r\n", None),  # text: no header, which ours is put in front of
    ],
)
def test_header_may_say_that_tls_is_optional(by, head, wish):
    """It is seen while it comes, and kept with the envelope (RFC 8689 section 4.1); the field stays in the message."""
    message = head + b"How are you?\r\n"
    body = b"DATA\r\n" + message + b".\r\n" if by == "DATA" else b"BDAT %d LAST\r\n%b" % (len(message), message)
    _, ((arrival, content),) = dialogue(ENVELOPE + body, 4 if by == "DATA" else 3)
    assert (wish, True) == (arrival.envelope.tls, content.endswith(message))


def test_requiretls_in_the_clear_is_refused_where_nothing_is_done_yet():
    """530 says how to get it; RFC 8689 section 2 forbids the client to ask."""
    said, kept = dialogue(b"EHLO c\r\nMAIL FROM:<me@example.net> REQUIRETLS\r\n", 2)
    assert (["250", "530"], []) == (said, kept)


def test_null_reverse_path_is_fine():
    """Reports come from nobody."""
    said, ((arrival, _),) = dialogue(b"MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n" + MESSAGE + b".\r\n", 4)
    assert ("250", None) == (said[-1], arrival.envelope.reverse_path)


ALIASES = resolve_aliases({"postmaster": Alias((parse_target("ops@example.com"),), "here")}, {"relay.example"})


@pytest.mark.parametrize("peer", ["127.0.0.1", "203.0.113.9"])
@pytest.mark.parametrize("address", [b"Postmaster", b"postmaster@RELAY.example"])
def test_mail_for_postmaster_goes_where_the_alias_says(peer, address):
    """RFC 5321 section 4.5.1: it is taken from everyone, needs no domain, and what is kept has one."""
    talk = b"MAIL FROM:<>\r\nRCPT TO:<" + address + b">\r\nDATA\r\n" + MESSAGE + b".\r\n"
    said, ((arrival, _),) = dialogue(talk, 4, replace(SETTINGS, aliases=ALIASES), peer)
    assert ("250", "ops@example.com") == (said[-1], str(arrival.envelope.recipients[0].mailbox))


def test_a_recipient_who_is_named_twice_gets_the_message_once():
    """Two copies would be delivered, each with a report of its own."""
    talk = ENVELOPE + b"RCPT TO:<ann@EXAMPLE.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n" + MESSAGE + b".\r\n"
    said, ((arrival, _),) = dialogue(talk, 6)
    assert ("250", ["ann", "bob"]) == (said[-1], [each.mailbox.local for each in arrival.envelope.recipients])


def test_local_name_without_alias_is_refused_at_once():
    """There are no mailboxes here: who says 250 would lose the mail and its report."""
    talk = b"MAIL FROM:<me@example.net>\r\nRCPT TO:<root@relay.example>\r\nRCPT TO:<Postmaster>\r\n"
    settings = replace(SETTINGS, aliases=Aliases(frozenset({"relay.example"})))
    assert (["250", "550", "550"], []) == dialogue(talk, 3, settings)


def test_vrfy_says_neither_yes_nor_no():
    """252, as RFC 5321 section 3.5.3 has it."""
    assert ["252"] == dialogue(b"VRFY ann\r\n", 1)[0]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n\x00.\r\n", b"\r\r\n.\n"])
def test_nothing_is_smuggled(end):
    """Whatever other servers take for the end of a message, the commands behind it are never obeyed."""
    evil = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nevil\r\n.\r\n"
    _, kept = dialogue(ENVELOPE + b"DATA\r\n" + HEAD + b"text" + end + evil, 4)
    assert [] == kept


def test_bare_newline_refuses_the_message_and_not_the_session():
    """554, and the next message is welcome."""
    wrong = ENVELOPE + b"DATA\r\none\ntwo\r\n.\r\n"
    said, kept = dialogue(wrong + ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n", 8)
    assert (["554", "250"], 1) == ([said[3], said[7]], len(kept))


@pytest.mark.parametrize(("subject", "needs_it"), [(b"plain", False), (b"zo\xc3\xab", True)])
def test_smtputf8_is_kept_only_where_something_is_beyond_ascii(subject, needs_it):
    """A client may say it of any message; one that is all ASCII can go to every host."""
    mail = b"EHLO me\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
    _, kept = dialogue(mail + b"Subject: " + subject + b"\r\n\r\nhi\r\n.\r\n", 4)
    assert [needs_it] == [arrival.envelope.smtputf8 for arrival, _ in kept]


def test_message_that_has_hopped_too_often_is_refused():
    """One Received field more than the limit: it goes in circles."""
    hops = [field * count + MESSAGE for field in (b"Received: x\r\n", b"Received \t: x\r\n") for count in (3, 4)]
    said = [dialogue(ENVELOPE + b"DATA\r\n" + hop + b".\r\n", 4, limited(hops=3))[0][3] for hop in hops]
    assert ["250", "554"] * 2 == said


@pytest.mark.parametrize(
    ("settings", "octets", "expected"),
    [
        (limited(recipients=1), ENVELOPE + b"RCPT TO:<bob@example.com>\r\n", ["250", "250", "452"]),
        (limited(size=100), b"MAIL FROM:<> SIZE=101\r\n", ["552"]),
        (limited(size=100), ENVELOPE + b"DATA\r\n" + b"x" * 200 + b"\r\n.\r\n", ["250", "250", "354", "552"]),
        (limited(rate=1), b"MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n", ["250", "250", "450"]),
        (limited(errors=1), b"X\r\nX\r\n", ["500", "421", ""]),
        (limited(idle_commands=2), b"NOOP\r\nRSET\r\n", ["250", "421", ""]),
        (limited(octets=100), ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n", ["250", "250", "354", "452"]),
        (
            limited(messages=1),
            (ENVELOPE + b"BDAT 3 LAST\r\nx\r\n") * 2,
            ["250", "250", "250", "421", ""],
        ),
    ],
)
def test_each_limit_has_its_reply(settings, octets, expected):
    """Too many recipients, octets, messages, errors, idle words."""
    assert expected == dialogue(octets, len(expected), settings)[0]


def test_memory_is_given_back_whatever_happens():
    """Messages kept, refused, dropped half way and reset: nothing is held in the end."""

    async def story(house):
        for octets in (
            ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n",
            ENVELOPE + b"DATA\r\none\ntwo\r\n.\r\n",
            ENVELOPE + b"DATA\r\nhalf",
            ENVELOPE + b"BDAT 4\r\nhalfRSET\r\n",
            ENVELOPE + b"BDAT 4\r\nhalfQUIT\r\n",
            ENVELOPE + b"DATA\r\n" + b"Received: x\r\n" * 101 + b"\r\n.\r\n",
        ):
            async with house.visit() as client:
                await client.ask(octets, 3)
        assert (0, 0, 1) == (house.receiver._shared.ledger.held, house.receiver.connections, len(house.keeper.kept))

    tell(story)


def test_big_message_goes_in_pieces():
    """Of 6 MiB only a piece and a read are in memory at a time; what is kept is all of it."""
    body = b"0123456789abcde\r\n" * (6 * 1024 * 1024 // 17)

    async def story(house):
        held = []
        write = house.keeper.write

        async def watched(id_, piece):
            held.append(house.receiver._shared.ledger.held)
            assert len(piece) <= PIECE
            await write(id_, piece)

        house.keeper.write = watched
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            for start in range(0, len(body), 200_000):
                client.stream.write(body[start : start + 200_000])
                await client.stream.drain()
            assert ["250"] == await client.codes(b".\r\n")
        ((arrival, content),) = house.keeper.kept
        assert (len(content), True) == (arrival.size, content.endswith(body))
        assert max(held) <= PIECE + 512 * 1024
        assert len(content) > 6_000_000

    tell(story)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Trouble.FULL, "452 4.3.1"),
        (Trouble.READ_ONLY, "452 4.3.1"),
        (Trouble.LOCKED, "451 4.3.0"),
        (Trouble.CLOSED, "451 4.3.0"),
    ],
)
def test_spool_in_trouble_keeps_the_session(kind, expected):
    """No room, or no spool: not now; the same session succeeds when the trouble is over."""

    async def story(house):
        async with house.visit() as client:
            house.keeper.trouble = SpoolError(kind, "trouble")
            refused = await client.ask(ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n", 4)
            house.keeper.trouble = None
            kept = await client.ask(ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n", 4)
        assert (expected, "250 2.0.0") == (refused[3][:9], kept[3][:9])

    tell(story)


def test_spool_that_fills_within_a_big_message():
    """The pieces written are thrown away, the rest is swallowed, the reply comes at the end."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            line = b"x" * 70 + b"\r\n"
            for count in range(20):
                if count == 10:
                    house.keeper.trouble = SpoolError(Trouble.FULL, "full")
                client.stream.write(line * 1000)
                await client.stream.drain()
                await asyncio.sleep(0)
            assert ["452"] == await client.codes(b".\r\n")
        assert (["id0"], {}, 0) == (house.keeper.discarded, house.keeper.pieces, house.receiver._shared.ledger.held)

    tell(story)


def test_client_that_leaves_within_a_big_message_leaves_nothing():
    """Its pieces are discarded."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            client.stream.write(b"x" * 70 + b"\r\n" + b"y" * 2 * PIECE)
        assert (["id0"], []) == (house.keeper.discarded, house.keeper.kept)
        assert 1 == len(house.told("receive.message.failed"))

    tell(story)


def test_client_gone_before_the_reply_has_sent_its_mail():
    """What was whole is kept, whether or not anybody hears the 250."""

    async def story(house):
        house.keeper.gate.clear()
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n", 3)
            client.stream.write(MESSAGE + b".\r\n")
            await house.keeper.asked.wait()
            client.stream.abort()
            house.keeper.gate.set()
        assert 1 == len(house.keeper.kept)

    tell(story)


def test_garbage_is_answered_a_breath_at_a_time():
    """A hundred thousand words in one read do not keep other sessions waiting, and end at the limit."""

    async def story(house):
        async with house.visit() as noisy, house.visit() as quiet:
            noisy.stream.write(b"RCPT TO:<a@b.example>\r\n" * 10_000)
            assert ["250"] == await quiet.codes(b"NOOP\r\n")
            assert "421" == (await noisy.hear(21))[-1][:3]

    tell(story)


def test_steps_are_told():
    """Who came, what was kept, what was refused and why, and how it ended."""

    async def story(house):
        async with house.visit() as client:
            await client.ask(ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n", 4)
            await client.ask(ENVELOPE + b"DATA\r\n\n\r\n.\r\nQUIT\r\n", 5)
        names = [event.name.removeprefix("receive.") for event in house.events]
        assert ["session.started", "message.complete", "message.failed", "session.complete"] == names
        (complete,) = house.told("receive.message.complete")
        assert ("id0", ["ann@example.com"], len(RECEIVED + MESSAGE)) == (
            complete["id"],
            complete["recipients"],
            complete["size"],
        )
        assert 0.0 <= complete["elapsed_s"] < 20.0
        assert {"peer": "127.0.0.1:40000", "messages": 1, "why": ""} == house.told("receive.session.complete")[0]

    tell(story)


def test_new_settings_hold_for_new_sessions():
    """Who is connected keeps what was in force; who comes next has the new."""

    async def story(house):
        async with house.visit(STRANGER) as before:
            house.receiver.settings = OPEN
            async with house.visit(STRANGER) as after:
                assert [["250", "550"], ["250", "250"]] == [await who.codes(ENVELOPE, 2) for who in (before, after)]

    tell(story)


def test_auth_in_the_clear_is_neither_offered_nor_taken():
    """Not even where the client is of this machine, unless the settings say so."""

    async def story(house):
        async with house.visit() as client:
            (offers,) = await client.ask(HELLO)
            assert "AUTH" not in offers
            assert ["504"] == await client.codes(b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n")

    tell(story, replace(SETTINGS, users={"ann": PasswordHash(b"s", b"k")}))
