"""aiosmtpd takes a bare LF for the end of a line: what another server could read as two messages must not reach it."""

import smtplib
from itertools import product

import pytest
from tests.interop import places
from tests.interop.letters import BODIES, message
from tests.support.examples import some
from tests.support.patience import PATIENCE_S

SMUGGLED = b"\r\nMAIL FROM:<evil@home.example>\r\nRCPT TO:<smuggled@box.example>\r\nDATA\r\nSubject: two\r\n\r\ntwo"
ENDS = [b"\n.\r\n", b"\r\n.\n", b"\n.\n", b"\r.\r\n", b"\r.\r", b"\r\n.\r", b"\r\r\n.\r\r\n"]


@pytest.mark.parametrize("name", some(BODIES, 2))
def test_aiosmtpd_takes_what_we_send_unchanged(box, send, name):
    """Whatever is in a message, aiosmtpd has the same octets. Every second body."""
    [outcome] = send([to := f"{name}@box.example"], message(name))
    assert "delivered" == outcome.result
    [kept] = box.wait(to)
    assert message(name) == kept.content


@pytest.mark.parametrize(("end", "by"), some(product(ENDS, ["DATA", "BDAT", "BDAT in two"]), 2))
def test_nothing_is_smuggled_through_us(relay, box, ports, by, end):
    """One message with what might end it within: refused, or it arrives as one; aiosmtpd never sees a second.

    Every second of them; all in a whole run.
    """
    number = f"{ENDS.index(end)}-{by.replace(' ', '-')}"
    content = b"Subject: one\r\n\r\none" + end + SMUGGLED.replace(b"smuggled", f"two-{number}".encode()).lstrip()
    with smtplib.SMTP(places.RELAY, ports.relay, "client.example", timeout=PATIENCE_S) as client:
        client.ehlo()
        _hand_over(client, by, content + b"\r\n", f"one-{number}@box.example")
        client.rset()
        client.sendmail("me@home.example", [last := f"last-{number}@box.example"], message("plain"))
    box.wait(last)
    assert [] == box.of(f"two-{number}@box.example")


def _hand_over(client, by, content, to):
    client.docmd("MAIL FROM:<me@home.example>")
    client.docmd(f"RCPT TO:<{to}>")
    if by == "DATA":
        client.docmd("DATA")
        client.send(content + b".\r\n")
        client.getreply()
        return
    first = len(content) if by == "BDAT" else content.index(b"one", 12) + 4  # within the end
    chunks = [chunk for chunk in (content[:first], content[first:]) if chunk]
    for number, chunk in enumerate(chunks, 1):
        client.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if number == len(chunks) else b"") + chunk)
        client.getreply()
