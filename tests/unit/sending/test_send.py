"""Mail from programs, sent now: every kind of message, who gets it, and how it goes."""

import asyncio
import re
import threading
from dataclasses import fields
from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr
from inspect import getdoc
from pathlib import Path

import pytest

import postroad
from postroad.build import Sent, build_message
from postroad.build.mailer import Delivery
from postroad.words.mail import Mailbox
from postroad.words.outcome import Outcome, Result, Scope
from postroad.words.trail import Attempt

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "library.md"
LAB_ZONE = "$ORIGIN example.com.\n$TTL 60\n@ MX 10 mail1\n@ MX 20 mail2\nmail1 A 127.0.0.11\nmail2 A 127.0.0.12\n"
HEAD = {
    "From": "Ann Ärmel <ann@example.net>",
    "To": '"Bob, Jr." <bob@example.com>, cy@example.com',
    "Cc": "dee@example.org",
    "Bcc": "eve@example.org",
    "Subject": "Grüße",
}
TO_TWO = ["you@a.example", "you@b.example"]
TO = ["bob@example.com", "cy@example.com", "dee@example.org", "eve@example.org"]


def _modern():
    message = EmailMessage()
    for name, value in HEAD.items():
        message[name] = value
    message.set_content("Grüße\n")
    return message


def _compat(message):
    for name, value in HEAD.items():
        message[name] = value if value.isascii() else Header(value, "utf-8")
    message.replace_header("From", formataddr(("Ann Ärmel", "ann@example.net")))
    return message


def _parts():
    message = MIMEMultipart()
    message.attach(MIMEText("Grüße\n", "plain", "utf-8"))
    return _compat(message)


TEXT = "".join(f"{name}: {value}\n" for name, value in HEAD.items()) + "\nGrüße\n"
KINDS = {
    "bytes": TEXT.encode(),
    "text": TEXT,
    "EmailMessage": _modern(),
    "MIMEText": _compat(MIMEText("Grüße\n", "plain", "utf-8")),
    "MIMEMultipart": _parts(),
}


def test_every_kind_of_message_says_who_sends_it_and_who_gets_it():
    """Left out, the sender is the one of From, and recipients are those of To, Cc and Bcc: which is not sent along."""
    built = {kind: build_message(message, ..., None) for kind, message in KINDS.items()}
    expected = ("ann@example.net", TO)
    assert dict.fromkeys(KINDS, expected) == {
        kind: (str(made.envelope.reverse_path), [str(to.mailbox) for to in made.envelope.recipients])
        for kind, made in built.items()
    }
    for kind, made in built.items():
        head, _, body = made.content.partition(b"\r\n\r\n")
        assert (b"eve@", False) == (b"eve@", b"eve@" in made.content), kind
        assert b"cy@example.com" in head, kind
        assert body, kind
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", made.content), kind


def test_an_address_that_is_only_utf8_is_written_so():
    """RFC 6531: there is no ASCII form of a local part."""
    message = EmailMessage()
    message["From"], message["To"] = "ann@example.net", "jürgen@example.com"
    message.set_content("x\n")
    made = build_message(message, ..., None)
    assert (True, ["jürgen@example.com"]) == (
        made.envelope.smtputf8,
        [str(to.mailbox) for to in made.envelope.recipients],
    )


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        ("From: a@x.example, b@x.example\nSender: b@x.example", "b@x.example"),
        ("From: a@x.example\nResent-From: c@x.example", "c@x.example"),
        ("From: a@x.example\nSender: s@x.example\nResent-From: c@x.example\nResent-Sender: d@x.example", "d@x.example"),
    ],
)
def test_the_sender_is_who_sent_it_last(header, sender):
    """Sender before From; the Resent- fields before both (RFC 5322 sections 3.6.2 and 3.6.6)."""
    assert sender == str(build_message(f"{header}\n\nx\n", ..., "you@example.com").envelope.reverse_path)


def test_one_text_is_one_recipient_and_any_iterable_is_many():
    """Never the letters of an address; a name beside an address is passed over."""
    shapes = [
        "you@example.com",
        ["You <you@example.com>"],
        ("you@example.com", "<you@example.com>"),
        {"you@example.com"},
        (each for each in ["you@example.com"]),
    ]
    for shape in shapes:
        made = build_message("x", None, shape)
        assert (None, ["you@example.com"]) == (
            made.envelope.reverse_path,
            [str(to.mailbox) for to in made.envelope.recipients],
        )


def _send(message="Subject: x\n\nx\n", **given):
    return asyncio.run(postroad.send(message, **{"sender": None, "recipients": "you@example.com", **given}))


def _unwritable():
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_payload("x", "utf-8")
    message.replace_header("Content-Transfer-Encoding", "8bit")
    message._payload = 5
    return message


def _hidden():
    message = MIMEText("x\n")
    message["From"] = "Ann Ärmel <ann@example.net>"
    return message


WRONG = {
    "message: 5 is not of type bytes, str or Message": lambda: _send(5),
    "message: the text contains lone surrogates": lambda: _send("\udcff"),
    "message: it cannot be written": lambda: _send(_unwritable()),
    "sender: 5 is not of type str": lambda: _send(sender=5),
    "sender: it is empty": lambda: _send(sender=""),
    "no address in From": lambda: _send(sender=...),
    "sender: .*EmailMessage": lambda: _send(_hidden(), sender=...),
    "From has 2 addresses": lambda: _send("From: a@x.example, b@x.example\n\nx\n", sender=...),
    "no recipient in To, Cc or Bcc": lambda: _send(recipients=None),
    "no recipient in recipients": lambda: _send(recipients=[]),
    "recipients: .*give several as a list": lambda: _send(recipients="a@example.com, b@example.com"),
    "recipients: b'x' is not": lambda: _send(recipients=b"x"),
    "recipients: 5 is not an address": lambda: _send(recipients=5),
    "recipients: 5 is not of type str": lambda: _send(recipients=[5]),
    "recipients: .*user@domain": lambda: _send(recipients="nobody"),
    "recipients: .*RCPT": lambda: _send(recipients="a@example.com>\r\nRCPT TO:<b@example.com"),
    "sender: .*DATA": lambda: _send(sender="a@example.com\r\nDATA"),
    "options: {} is not of type SendOptions": lambda: _send(options={}),
    "timeout_s: 0 is not above": lambda: postroad.SendOptions(timeout_s=0),
    "timeout_s: \"9\" is not a number|timeout_s: '9' is not": lambda: postroad.SendOptions(timeout_s="9"),
    "source: '192.0.2.1' is not a list": lambda: postroad.SendOptions(source="192.0.2.1"),
    "source: 'here' is not an IP address": lambda: postroad.SendOptions(source=["here"]),
    "source has IPv4 twice": lambda: postroad.SendOptions(source=["192.0.2.1", "192.0.2.2"]),
    "families: .5,. are not IP versions": lambda: postroad.SendOptions(families=(5,)),
    r"families: \(\) are not": lambda: postroad.SendOptions(families=()),
    "families has IPv6 twice": lambda: postroad.SendOptions(families=(6, 6)),
    "resolvers: 'here': write a name server as": lambda: postroad.SendOptions(resolvers=["here"]),
    "listener: 5 is not a plain function": lambda: postroad.SendOptions(listener=5),
    "listener: <function .* is not a plain": lambda: postroad.SendOptions(listener=_in_a_coroutine),
    "no TLS mode 'yes'; choose one of": lambda: postroad.SendOptions(tls="yes"),
    "no procedure 'rfc822'; choose one of": lambda: postroad.SendOptions(procedure="rfc822"),
    "hostname: ": lambda: postroad.SendOptions(hostname="me\r\nRCPT TO:<x@example.com>"),
    "login is for a smarthost": lambda: postroad.SendOptions(login=("a", "b")),
    "login: write a user": lambda: postroad.SendOptions(smarthost="mail.example.net", login=("a", "")),
    "login sends a password": lambda: postroad.SendOptions(smarthost="mail.example.net", login=("a", "b"), tls="auto"),
    "implicit_tls is for a smarthost": lambda: postroad.SendOptions(implicit_tls=True),
    "implicit_tls=True and tls": lambda: postroad.SendOptions(smarthost="a.example", implicit_tls=True, tls="off"),
    "tls_names is only used with": lambda: postroad.SendOptions(tls_names=["a.example"]),
    "smarthost: .*no port from 1": lambda: postroad.SendOptions(smarthost="mail.example.net:0"),
    "smarthost: .*two dots": lambda: postroad.SendOptions(smarthost="mail..example"),
    "idle_s: -1 is below": lambda: postroad.Client(idle_s=-1),
    "at_once: 0 is below": lambda: postroad.Client(at_once=0),
}


def test_what_cannot_be_sent_is_refused_before_anybody_is_asked():
    """Each as an InputError that says what and where; a password is in none of them."""
    for why, call in WRONG.items():
        with pytest.raises(postroad.InputError, match=why):
            call()


def test_every_option_is_documented():
    """`help` and the page have each field, and a password is never shown."""
    names = {field.name for field in fields(postroad.SendOptions)}
    assert sorted(names) == sorted(re.findall(r"^\| `([a-z_0-9]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert set() == names - set(re.findall(r"^ {4}(\w+):", getdoc(postroad.SendOptions), re.MULTILINE))
    shown = repr(postroad.SendOptions(smarthost="mail.example.net:465", login=("ann", "s3cret")))
    assert ("mail.example.net:465" in shown, "s3cret" in shown) == (True, False)


def test_a_smarthost_gets_a_password_over_verified_tls_only():
    """At once on port 465, by STARTTLS elsewhere, and nothing of it is said in the clear."""
    from postroad.sending.client import _mailer

    found = {}
    for host in ("mail.example.net:465", "mail.example.net:587"):
        options = postroad.SendOptions(zones=[], resolvers=["127.0.0.1"], smarthost=host, login=("ann", "s3cret"))

        async def made(options=options):
            mailer = _mailer(options)
            return mailer.deliver, str(mailer.override_of(None).mode)

        deliver, mode = asyncio.run(made())
        found[host] = deliver.implicit_tls, deliver.walk.clear_after_tls_failure, mode, deliver.login.user
    assert {
        "mail.example.net:465": (True, False, "verify", "ann"),
        "mail.example.net:587": (False, True, "verify", "ann"),
    } == found


async def _in_a_coroutine(event):
    """No listener: nobody would await it."""


def _options(lab, **more):
    host, port = lab.resolver
    return postroad.SendOptions(resolvers=[f"{host}:{port}"], port=lab.port, **more)


def test_a_client_keeps_its_connections(postroad_lab):
    """Three messages over one, though each is drawn anew; a fault meanwhile costs a try, and no mail."""
    lab = postroad_lab(LAB_ZONE)
    heard = []

    async def main():
        async with postroad.Client(_options(lab, listener=heard.append), idle_s=3600) as client:
            sent = [await client.send(_modern(), recipients="you@example.com") for _ in range(3)]
            lab.set_fault("127.0.0.11", "refuse")
            return [*sent, await client.send("x", sender=None, recipients=["you@example.com"])], client

    sent, client = asyncio.run(main())
    assert ["delivered"] * 4 == [str(each.result) for each in sent]
    assert 1 == len({received.peer for received in lab.received[:3]})
    assert "127.0.0.12" == str(lab.received[3].address)
    assert [False, True, True] == [each.deliveries[0].attempt.contacts[0].reused for each in sent[:3]]
    assert 4 == sum(event.name == "deliver.attempt.complete" for event in heard)
    assert re.fullmatch(r"<Sent: delivered you@example.com: 250 [^\n]*>", repr(sent[0]))
    with pytest.raises(RuntimeError, match=r"async with postroad\.Client"):
        asyncio.run(client.send("x", sender=None, recipients="you@example.com"))


def test_a_listener_that_fails_stops_no_mail(postroad_lab, caplog):
    """Whoever did not hear that mail was delivered would send it twice; the loop logs it as for any callback."""
    lab = postroad_lab(LAB_ZONE)
    heard = []

    def fail(event):
        heard.append(event.name)
        raise ValueError("of the program")

    sent = postroad.send_sync(_modern(), recipients="you@example.com", options=_options(lab, listener=fail))
    contact = ["deliver.contact.started", "deliver.contact.complete"]
    assert ["deliver.attempt.started", *contact, "deliver.attempt.complete"] == heard
    assert ("delivered", 1) == (sent.result, len(lab.received))
    assert [f"The listener of postroad.SendOptions failed at {name}" for name in heard] == caplog.messages


def test_a_client_belongs_to_a_loop(postroad_lab):
    """In another one it says so; what is under way when it is closed arrives, and its connections end with it."""
    lab = postroad_lab(LAB_ZONE)
    heard = []

    def elsewhere(client):
        with pytest.raises(RuntimeError, match="open in another event loop"):
            asyncio.run(client.send("x", sender=None, recipients="you@example.com"))

    async def main():
        begun = asyncio.Event()
        options = _options(lab, listener=lambda event: heard.append(event.name) or begun.set())
        async with postroad.Client(options, idle_s=3600) as client:
            await asyncio.to_thread(elsewhere, client)
            sending = asyncio.create_task(client.send("x", sender=None, recipients="you@example.com"))
            await begun.wait()
            with pytest.raises(RuntimeError, match="open already"):
                await client.__aenter__()
            pool = client._mailer.pool
        return await sending, pool.resting

    sent, resting = asyncio.run(main())
    assert ("delivered", 0) == (sent.result, resting)


def _delivery(domain, *, refused):
    result, text = (Result.FAILED, "550 no") if refused else (Result.DELIVERED, "250 Ok")
    outcome = Outcome(result, Scope.RECIPIENT, text, "")
    return Delivery((Mailbox("a", domain),), None, Attempt(domain, (outcome,), (), None, 0.0))


def test_a_result_is_one_short_line():
    """However many recipients and destinations: what went wrong comes first, the rest is counted."""
    sent = Sent(tuple(_delivery(f"{number}.example", refused=number == 11) for number in range(12)))
    assert repr(sent).startswith("<Sent: failed a@11.example: 550 no; delivered a@0.example: 250 Ok; ")
    assert repr(sent).endswith("delivered a@8.example: 250 Ok; and 2 more outcomes>")


def test_a_smarthost_gets_all_mail(postroad_lab):
    """Whatever the domain, in place of its exchangers; over the IP versions and from the address that are chosen."""
    lab = postroad_lab(LAB_ZONE)
    options = _options(lab, smarthost=f"127.0.0.12:{lab.port}", source=["127.0.0.9"], families=[4])
    to = ["you@example.com", "me@elsewhere.example"]
    sent = postroad.send_sync("x", sender="me@example.net", recipients=to, options=options)
    assert ["delivered"] * 2 == [str(outcome.result) for outcome in sent.outcomes.values()]
    assert {("127.0.0.12", "127.0.0.9")} == {(str(each.address), str(each.peer.address)) for each in lab.received}


@pytest.mark.parametrize("fault", ["mute", "blackhole"])
def test_a_time_limit_ends_everything_that_is_under_way(postroad_lab, fault):
    """What is not done by then is deferred, and says why; the trail shows how far it came."""
    lab = postroad_lab("$ORIGIN example.com.\n@ MX 10 mail1\nmail1 A 127.0.0.11\n", faults={"127.0.0.11": fault})
    sent = postroad.send_sync("x", sender=None, recipients="you@example.com", options=_options(lab, timeout_s=0.05))
    outcome = sent.outcomes["you@example.com"]
    assert ("deferred", True) == (outcome.result, "time limit for the whole delivery" in outcome.text)


def test_nothing_blocks_a_loop_by_mistake(postroad_lab):
    """A coroutine that calls the blocking twin hears what to write; a thread beside a loop may."""
    lab = postroad_lab(LAB_ZONE)
    found = []

    def in_thread():
        found.append(postroad.send_sync("x", sender=None, recipients="you@example.com", options=_options(lab)))

    async def main():
        with pytest.raises(RuntimeError, match=r"write: await postroad.send\(...\)"):
            postroad.send_sync("x", sender=None, recipients="you@example.com")
        with pytest.raises(RuntimeError, match=r"write: await postroad.enqueue\(...\)"):
            postroad.enqueue_sync("x", sender=None, recipients="you@example.com")
        thread = threading.Thread(target=in_thread)
        thread.start()
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert ["delivered"] == [str(sent.result) for sent in found]


def test_a_silent_destination_takes_no_time_of_others(postroad_lab):
    """They are under way at once: the second has its mail while the first still waits."""
    zone = "$ORIGIN example.\na MX 10 mail.a\nmail.a A 127.0.0.11\nb MX 10 mail.b\nmail.b A 127.0.0.12\n"
    lab = postroad_lab(zone, faults={"127.0.0.11": "blackhole"})

    async def main():
        reached = asyncio.Event()
        options = _options(lab, listener=lambda event: event.name == "deliver.attempt.complete" and reached.set())
        sending = asyncio.create_task(postroad.send("x", sender=None, recipients=TO_TWO, options=options))
        await reached.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(main())
    assert [["you@b.example"]] == [[str(to.mailbox) for to in each.envelope.recipients] for each in lab.received]
