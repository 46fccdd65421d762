"""Exim takes our mail, and we take Exim's."""

from itertools import product

import pytest
from tests.interop import places
from tests.interop.letters import BODIES, hand_over, message
from tests.support.examples import some

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("name", "tls"), some(product(BODIES, [False, True]), 5))
def test_exim_takes_what_we_send_unchanged(exim, box, send, name, tls):
    """In chunks, in the clear and by STARTTLS: Exim has the same octets.

    Every fifth of them; all in a whole run.
    """
    [outcome] = send([to := f"{name}-{tls}@exim.example"], message(name), tls="auto" if tls else "off")
    assert ("delivered", True) == (outcome.result, "id=" in outcome.text)
    [kept] = box.wait(to)
    assert BODIES[name] == kept.body
    assert f"with esmtp{'s' if tls else ''}" in kept.header


def test_each_recipient_has_what_exim_said_of_it(exim, box, send):
    """One is gone, one is to come later, one is delivered: each with its own reply."""
    sent = send(["gone@exim.example", "later@exim.example", "here@exim.example"])
    assert [("failed", "5.1.1"), ("deferred", "4.2.0"), ("delivered", "2.0.0")] == [
        (outcome.result, outcome.status) for outcome in sent
    ]
    assert [1] == [len(box.wait("here@exim.example"))]


@pytest.mark.parametrize("name", some(BODIES, 3, first=2))
def test_exim_sends_through_us(exim, relay, box, ports, name):
    """By STARTTLS and in chunks, as Exim does where it may: the octets arrive. Every third body."""
    hand_over((places.EXIM, ports.smtp), [to := f"exim-{name}@starttls.example"], message(name))
    [kept] = box.wait(to)
    assert BODIES[name] == kept.body
    assert "by relay.example with ESMTPS " in kept.header
