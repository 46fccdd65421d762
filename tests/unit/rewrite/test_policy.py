"""Whose mail is rewritten how, and who may send as whom."""

from ipaddress import ip_address, ip_network

from postroad.rewrite import (
    AllowedSenders,
    Clients,
    FixedSender,
    Rewriting,
    SenderIdentity,
    parse_address_pattern,
    parse_sender_rules,
)
from postroad.words.mail import Envelope, Recipient, parse_mailbox
from postroad.words.reply import Reply

HOST = "relay.example"
SOMEBODY = SenderIdentity(ip_address("192.0.2.7"))
ANN, BOB, ME = (parse_mailbox(f"{name}@example.com") for name in ("ann", "bob", "me"))
COPY = Recipient(BOB, frozenset({"NEVER"}))


def test_users_networks_and_local_users_are_told_apart():
    """A user is no local user of that name; `*` is any; several entries add up; {user} is one's own name."""
    own = AllowedSenders(Clients(users=frozenset("*")), (parse_address_pattern("{user}@example.com"),))
    web = AllowedSenders(Clients(users=frozenset({"web"})), (parse_address_pattern("shop@example.com"),))
    cron = AllowedSenders(Clients(local_users=frozenset({"backup"})), (parse_address_pattern("b@example.com"),))
    rules = Rewriting(HOST, allowed=(own, web, cron))
    cases = {
        (("web", None), "web@example.com"): True,
        (("web", None), "shop@example.com"): True,
        (("Ann", None), "ann@example.com"): True,
        (("ann", None), "shop@example.com"): False,
        (("*", None), "ann@example.com"): False,
        (("backup", None), "b@example.com"): False,
        ((None, "backup"), "b@example.com"): True,
        ((None, "backup"), "web@example.com"): False,
    }
    found = {
        (who, sender): rules.of(SenderIdentity(user=who[0], local_user=who[1])).refusal(parse_mailbox(sender)) is None
        for who, sender in cases
    }
    assert cases == found
    refusal = rules.of(SenderIdentity(local_user="backup")).refusal(parse_mailbox("x@y.example"))
    assert "553 5.7.1 <x@y.example>: Sender address rejected: not owned by local user backup" == str(refusal)
    header = Rewriting(HOST, allowed=(AllowedSenders(cron.clients, cron.senders, header=True),))
    header = header.of(SenderIdentity(local_user="backup"))
    assert (550, "5.7.1 the From") == ((said := header.content(b"X: y\r\n\r\n")).code, said.text[:14])
    assert isinstance(header.content(b"From: b@example.com\r\n\r\n"), bytes)
    assert isinstance(header.content(b"From: b@example.com, x@y.example\r\n\r\n"), Reply)


def test_what_is_said_is_ascii():
    """A sender or a user with other characters is not quoted."""
    rules = Rewriting(HOST, allowed=(AllowedSenders(Clients(users=frozenset("*")), ()),))
    said = rules.of(SenderIdentity(user="jürgen")).refusal(parse_mailbox("ü@example.com"))
    assert "553 5.7.1 Sender address rejected: not owned by user" == str(said)


def test_envelope_has_its_sender_and_its_copy():
    """The null reverse-path stays, and has no copy; who is there already is not there twice; nothing else changes."""
    rules = parse_sender_rules({"web3": "example.com"})
    rewriter = Rewriting(HOST, rules, always_bcc=(BOB,)).of(SOMEBODY)
    of_me = Envelope(parse_mailbox("me@web3"), (Recipient(ANN),), envid="x")
    cases = {
        of_me: Envelope(ME, (Recipient(ANN), COPY), envid="x"),
        Envelope(ME, (Recipient(ANN),)): Envelope(ME, (Recipient(ANN), COPY)),
        Envelope(ME, (Recipient(BOB),)): Envelope(ME, (Recipient(BOB),)),
        Envelope(parse_mailbox("me@web3"), (Recipient(BOB),)): Envelope(ME, (Recipient(BOB),)),
        Envelope(None, (Recipient(ANN),)): Envelope(None, (Recipient(ANN),)),
    }
    assert cases == {envelope: rewriter.envelope(envelope) for envelope in cases}
    assert None is rewriter.sender(None)
    assert None is rewriter.refusal(None)


def test_fixed_sender_is_that_of_the_first_entry_that_fits():
    """By network, by user, by local user; the old From becomes Reply-To only where that is asked for."""
    net = Clients((ip_network("192.0.2.0/28"), ip_network("2001:db8::/32")))
    fixed = (FixedSender(net, ANN, keeps_reply_to=True), FixedSender(Clients(users=frozenset({"web"})), BOB))
    rules = Rewriting(HOST, fixed=fixed)
    identities = {
        SOMEBODY: ANN,
        SenderIdentity(ip_address("2001:db8::1"), "web"): ANN,
        SenderIdentity(ip_address("192.0.2.77"), "web"): BOB,
        SenderIdentity(local_user="web"): None,
        SenderIdentity(ip_address("192.0.2.77")): None,
    }
    made = {who: rewriter and rewriter.sender(ME) for who in identities for rewriter in (rules.of(who),)}
    assert identities == made
    old = b"From: x@y.example\r\n\r\n"
    assert b"From: ann@example.com\r\nReply-To: x@y.example\r\n\r\n" == rules.of(SOMEBODY).content(old)
    assert b"From: bob@example.com\r\n\r\n" == rules.of(SenderIdentity(user="web")).content(old)


def test_settings_that_say_nothing_do_nothing():
    """Each part by itself is something."""
    parts = [
        {"rules": parse_sender_rules({"*": "a@b.example"})},
        {"rules": parse_sender_rules({"a@c.example": "a@b.example"})},
        *({"always_bcc": (BOB,)}, {"headers": (("X-Env", ""),)}),
    ]
    assert [True] * 4 == [
        bool(Rewriting(HOST, **part)) and bool(Rewriting(HOST, **part).of(SOMEBODY)) for part in parts
    ]
    assert (False, None) == (bool(Rewriting(HOST)), Rewriting(HOST).of(SOMEBODY))
