"""TLS from the first octet, as smarthosts have it at port 465 (RFC 8314 section 3.3)."""

import asyncio
from ipaddress import ip_address

import pytest
from tests.support.answering import Host
from tests.support.patience import PATIENCE_S

from postroad.build import opportunistic_tls
from postroad.dialogue import ClientSettings, HostError, Message, Session
from postroad.lab.certificate import NAME, lab_trust, server_context
from postroad.net import connect, listen
from postroad.smtp import ServerConfig, Timeouts
from postroad.tls import NOBODY
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.outcome import Phase, Result
from postroad.words.tls import Demand, TlsLevel

LIMITS = Timeouts(starttls_s=5)
LOOPBACK = ip_address("127.0.0.1")
MESSAGE = Message(Envelope(None, (Recipient(Mailbox("ann", "example.com")),)), b"Subject: x\r\n\r\nhi\r\n")


def send(trust, name=NAME, *, speaks_tls=True):
    """One message to a host that begins with TLS, or does not; what was told, and what secured it."""
    host = Host(config=ServerConfig("mx.example.com", starttls=True))

    async def serve(stream):
        if speaks_tls:
            await stream.start_tls(server_context(), None)
        await host.serve(stream)

    async def main():
        listener = await listen(LOOPBACK, 0, serve)
        stream = await connect(LOOPBACK, listener.port, timeout_s=PATIENCE_S)
        settings = ClientSettings(tls=opportunistic_tls(), trust=trust, implicit_tls=True, timeouts=LIMITS)
        session = Session(stream, settings, name, Demand(TlsLevel.PROVEN, names=(name,)))
        try:
            await session.greet()
            await session.hello()
            return (await session.deliver(MESSAGE, (0,)))[0].result, session.tls, host.heard
        finally:
            session.close()
            await listener.stop()

    return asyncio.run(main())


def test_handshake_comes_before_the_greeting():
    """The session is under TLS from its first octet, and asks for no STARTTLS."""
    result, tls, heard = send(lab_trust())
    assert (Result.DELIVERED, True, ["Ehlo", "Mail", "Rcpt", "."]) == (result, "TLS" in tls, heard)


@pytest.mark.parametrize(("trust", "name"), [(NOBODY, NAME), (lab_trust(), "other.test")])
def test_host_that_cannot_prove_its_name_gets_nothing(trust, name):
    """An unknown authority or another name ends the session after the handshake."""
    with pytest.raises(HostError) as caught:
        send(trust, name)
    assert (Phase.STARTTLS, Result.DEFERRED) == (caught.value.phase, caught.value.outcome.result)


def test_host_that_speaks_in_the_clear_gets_nothing():
    """A greeting where a handshake was due ends the session."""
    with pytest.raises(HostError) as caught:
        send(lab_trust(), speaks_tls=False)
    assert Phase.STARTTLS is caught.value.phase
