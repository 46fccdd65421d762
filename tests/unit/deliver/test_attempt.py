"""An attempt against the lab: real connections, a trail that says where it went."""

import asyncio
import sys
from ipaddress import ip_address

from postroad.build import Mailer, build_message, build_policy, opportunistic_tls
from postroad.deliver import DeliverSettings
from postroad.dns import ServerAddress, WireResolver, WireSettings, parse_zones
from postroad.lab import Fault, Lab, Mode
from postroad.net import NetError, NetErrorKind
from postroad.words.outcome import Result, Scope

ZONE = """
$ORIGIN example.com.
$TTL 60
@ MX 10 mail1
@ MX 20 mail2
mail1 A 127.0.0.11
mail2 A 127.0.0.12
"""
CONTENT = b"Subject: hello\r\n\r\n.leading dot and \xff\r\n"


def send(faults=None, *, to=("user@example.com",), tls=False, zone=ZONE):
    """Send one message among these faults; the answer, and what the exchangers took."""

    async def main():
        zones = parse_zones({"zone": zone})
        async with Lab(
            zones, faults={address: Fault(mode) for address, mode in (faults or {}).items()}, tls=tls
        ) as lab:
            host, port = lab.resolver_address
            resolver = WireResolver(WireSettings((ServerAddress(ip_address(host), port),)))
            settings = DeliverSettings(port=lab.port, tls=opportunistic_tls() if tls else None)
            mailer = Mailer(
                resolver, build_policy("rfc5321", allow_loopback=True), deliver=settings, listener=events.append
            )
            sent = await mailer.send(build_message(CONTENT, "me@example.net", to), seed=1)
            return sent, lab.received

    events = []
    sent, received = asyncio.run(main())
    return sent, received, [event.name for event in events]


def trail(sent):
    """Address and ending of each contact."""
    contacts = [contact for delivery in sent.deliveries for contact in delivery.attempt.contacts]
    return [(str(contact.target.address), contact.word, str(contact.phase)) for contact in contacts]


def test_message_arrives_octet_by_octet():
    """What was given is what the exchanger has, under the envelope given."""
    sent, (received,), _ = send()
    assert (Result.DELIVERED, CONTENT) == (sent.result, received.content)
    assert "me@example.net" == str(received.envelope.reverse_path)


def test_backup_takes_over_and_the_trail_says_so():
    """A refused primary leads to the backup at once."""
    sent, received, _ = send({"127.0.0.11": Mode.REFUSE})
    assert [("127.0.0.11", "deferred", "connect"), ("127.0.0.12", "delivered", "dot")] == trail(sent)
    assert ["127.0.0.12"] == [str(message.address) for message in received]


def test_steps_are_told_in_order():
    """Listeners hear of the attempt and of each contact, started and complete."""
    *_, names = send()
    assert [
        "deliver.attempt.started",
        "deliver.contact.started",
        "deliver.contact.complete",
        "deliver.attempt.complete",
    ] == names


def test_starttls_is_used_where_it_is_offered():
    """The contact says over which TLS the message went."""
    sent, _, _ = send(tls=True)
    assert sent.deliveries[0].attempt.contacts[0].tls.startswith("TLSv1.")


def test_broken_starttls_is_followed_by_the_clear():
    """The same address takes it in the clear after its handshake failed."""
    sent, _, _ = send({"127.0.0.11": Mode.BROKEN_STARTTLS}, tls=True)
    assert [("127.0.0.11", "deferred", "starttls"), ("127.0.0.11", "delivered", "dot")] == trail(sent)


def test_recipients_of_several_domains_have_an_attempt_each():
    """One message to two domains is two deliveries; a domain that takes no mail fails on its own."""
    zone = ZONE + "$ORIGIN example.org.\n@ MX 0 .\n"
    sent, received, _ = send(to=("a@example.com", "b@example.org", "c@example.com"), zone=zone)
    results = {mailbox: outcome.result for mailbox, outcome in sent.outcomes.items()}
    delivered = {"a@example.com": Result.DELIVERED, "c@example.com": Result.DELIVERED}
    assert delivered | {"b@example.org": Result.FAILED} == results
    assert (1, 2) == (len(received), len(received[0].envelope.recipients))


def test_our_own_trouble_is_not_the_hosts(monkeypatch):
    """A machine that is out of sockets learns nothing about the host it could not ask."""

    async def refuse(*_arguments, **_options):
        raise NetError("too many open files", NetErrorKind.LOCAL)

    monkeypatch.setattr(sys.modules["postroad.deliver.attempting"], "connect", refuse)  # its name is a function's too
    sent, _, _ = send()
    assert [Scope.US] * 2 == [contact.host.scope for contact in sent.deliveries[0].attempt.contacts]
