"""Clients of Python's own library: many at once over TLS from the start, and one that speaks HTTP."""

import http.client
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.interop import places
from tests.interop.letters import hand_over
from tests.support.patience import PATIENCE_S

from postroad.lab.certificate import NAME, trusting_context

DIALOG = """HELO evil.example\r
MAIL FROM:<evil@home.example>\r
RCPT TO:<posted@box.example>\r
DATA\r
Subject: posted\r
\r
posted\r
.\r
QUIT\r
"""


class Proven(smtplib.SMTP_SSL):
    """It goes to an address, and asks for the name in the lab's certificate."""

    def _get_socket(self, host, port, timeout):
        plain = smtplib.SMTP._get_socket(self, host, port, timeout)
        return self.context.wrap_socket(plain, server_hostname=NAME)


def test_no_handshake_is_lost(relay, ports):
    """Sixty clients, twenty at a time, begin with TLS: each has its greeting and its reply to EHLO."""
    context = trusting_context()

    def greeted(_number):
        with Proven(places.RELAY, ports.implicit, "client.example", timeout=PATIENCE_S, context=context) as client:
            return client.ehlo()[0]

    with ThreadPoolExecutor(20) as pool:
        assert [250] * 60 == list(pool.map(greeted, range(60)))


def test_starttls_is_proven(relay, box, ports):
    """The certificate that STARTTLS shows is the one of the settings."""
    with smtplib.SMTP(places.RELAY, ports.relay, "client.example", timeout=PATIENCE_S) as client:
        client._host = NAME
        client.starttls(context=trusting_context())
        client.sendmail("me@home.example", ["proven@box.example"], "Subject: x\r\n\r\nx\r\n")
        assert isinstance(client.sock, ssl.SSLSocket)
    [kept] = box.wait("proven@box.example")
    assert "with ESMTPS " in kept.header


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_speaks_http_sends_no_mail(relay, box, ports, method):
    """A page that has a browser post an SMTP dialog to the relay gets nowhere (as Postfix has it)."""
    connection = http.client.HTTPConnection(places.RELAY, ports.relay, timeout=PATIENCE_S)
    connection.request(method, "/", body=DIALOG.replace("posted@", f"posted-{method.lower()}@"))
    with pytest.raises(http.client.BadStatusLine):
        connection.getresponse()
    connection.close()
    hand_over((places.RELAY, ports.relay), [last := f"after-{method.lower()}@box.example"])
    box.wait(last)
    assert [] == box.of(f"posted-{method.lower()}@box.example")
