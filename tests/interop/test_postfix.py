"""Postfix takes our mail, and we take Postfix's."""

import subprocess
from itertools import product

import pytest
from tests.interop import places
from tests.interop.letters import BODIES, hand_over, message
from tests.interop.packages import PEERS, environment
from tests.support.examples import some

pytestmark = pytest.mark.root


@pytest.mark.parametrize("name", some(BODIES, 2, first=1))
def test_postfix_takes_what_we_send_unchanged(postfix, box, send, name):
    """Whatever is in a message, Postfix has the same octets. Every second body."""
    [outcome] = send([to := f"{name}@postfix.example"], message(name))
    assert ("delivered", True) == (outcome.result, "queued as" in outcome.text)
    [kept] = box.wait(to)
    assert BODIES[name] == kept.body


def test_postfix_that_demands_tls_has_it(postfix, box, send):
    """Postfix notes TLS 1.3 where it lets nobody in without."""
    send(["tls@tls.example"])
    [kept] = box.wait("tls@tls.example")
    assert "using TLSv1.3" in kept.header


def test_postfix_takes_an_address_beyond_ascii(postfix, box, send):
    """SMTPUTF8, as Postfix understands it."""
    send(["jürgen@postfix.example"])
    [kept] = box.wait("jürgen@postfix.example")
    assert "UTF8SMTP" in kept.header


def test_each_recipient_has_what_postfix_said_of_it(postfix, box, send):
    """One is gone, one is to come later, one is delivered: each with its own reply."""
    sent = send(["gone@postfix.example", "later@postfix.example", "here@postfix.example"])
    assert [("failed", "5.1.1"), ("deferred", "4.2.0"), ("delivered", "2.0.0")] == [
        (outcome.result, outcome.status) for outcome in sent
    ]
    assert [1] == [len(box.wait("here@postfix.example"))]


def test_recipients_beyond_the_limit_of_postfix_follow_at_once(postfix, box, send):
    """Postfix takes five recipients in a transaction; twelve are delivered in one attempt."""
    everybody = [f"r{number}@five.example" for number in range(12)]
    sent = send(everybody)
    assert {"delivered"} == {outcome.result for outcome in sent}
    assert [2, 5, 5] == sorted(len(kept.recipients) for kept in box.wait(*everybody))


def test_report_tells_the_sender_what_postfix_said(postfix, relay, box, ports):
    """By way of the relay: the recipient who is gone comes back to the sender, with the words of Postfix."""
    hand_over((places.RELAY, ports.relay), ["gone@postfix.example"], sender="reported@home.example")
    [report] = box.wait("reported@home.example")
    assert ("<>", True) == (report.sender, b"550 5.1.1" in report.content)
    assert b"no such user here" in report.content


@pytest.mark.parametrize(
    ("name", "way"), some(product(["dots", "eight-bit", "large"], ["clear", "starttls", "implicit"]), 4)
)
def test_postfix_sends_through_us(postfix, relay, box, ports, way, name):
    """In the clear, by STARTTLS and over TLS from the start: the octets arrive, and we say how they came.

    Each way, and each body, once; all of each in a whole run.
    """
    hand_over((places.POSTFIX, ports.smtp), [to := f"{name}@{way}.example"], message(name))
    [kept] = box.wait(to)
    assert BODIES[name] == kept.body
    assert f"by relay.example with {'ESMTP' if way == 'clear' else 'ESMTPS'} " in kept.header


def test_postfix_sends_to_many_through_us(postfix, relay, box, ports):
    """Sixty recipients: Postfix makes transactions of fifty, and each recipient has one message."""
    everybody = [f"many{number}@starttls.example" for number in range(60)]
    hand_over((places.POSTFIX, ports.smtp), everybody)
    arrived = [recipient for kept in box.wait(*everybody) for recipient in kept.recipients]
    assert sorted(everybody) == sorted(arrived)


def test_smtp_source_is_served(postfix, relay, box, ports):
    """Postfix's load generator, ten at a time: each message arrives once."""
    command = [PEERS / "usr/sbin/smtp-source", "-4", "-d", "-N", "-s", "10", "-m", "40", "-l", "3000"]
    command += ["-f", "me@home.example", "-t", "source@box.example", f"inet:{places.RELAY}:{ports.relay}"]
    subprocess.run(command, env=environment(), check=True)
    everybody = [f"{number}source@box.example" for number in range(1, 41)]
    assert 40 == len(box.wait(*everybody))
