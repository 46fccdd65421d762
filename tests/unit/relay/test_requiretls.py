"""REQUIRETLS from end to end: a client, a relay, and the next relay, each of which passes it on (RFC 8689)."""

import asyncio
import smtplib
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.support.relaying import MESSAGE, ZONE, house
from tests.support.talking import MemoryKeeper

from postroad import lab
from postroad.lab.certificate import server_context, trusting_context
from postroad.receive import ListenSettings, Receiver, ReceiveSettings, Tls
from postroad.words.mail import TlsWish

HERE = ip_address("127.0.0.1")
FOLDER = Path(lab.__file__).parent / "tls"
LAB = f"{ZONE}$ORIGIN lab.invalid.\nmail A 127.0.0.1\n"


@asynccontextmanager
async def next_relay(tls=Tls.STARTTLS):
    """Our own receiving end, as the host behind the relay; its port, and what it took."""
    keeper = MemoryKeeper()
    receiver = Receiver(ReceiveSettings("next.example", tls=server_context()), keeper)
    where = await receiver.open(ListenSettings(HERE, 0, tls))
    try:
        yield where.port, keeper.kept
    finally:
        await receiver.stop()


def settings(port, tls):
    """A relay with a certificate, and a route for all mail."""
    ours = f"[tls]\ncertificate = '{FOLDER / 'certificate.pem'}'\nkey = '{FOLDER / 'key.pem'}'\n"
    theirs = f"ca_file = '{FOLDER / 'certificate.pem'}'" if tls == "verify" else ""
    route = f"[[route]]\ndomains = ['*']\nnext_hop = 'mail.lab.invalid:{port}'\ntls = '{tls}'\n{theirs}"
    return f"{ours}{route}"


async def submit(it, content, *options, sender="me@example.net"):
    """Hand a message over under TLS, by Python's own client; what EHLO offered."""
    where = await it.relay.receiver.open(ListenSettings(HERE, 0, Tls.STARTTLS))

    def session():
        with smtplib.SMTP("127.0.0.1", where.port, "client.example") as client:
            client.ehlo()
            before = client.has_extn("requiretls")
            client._host = "mail.lab.invalid"
            client.starttls(context=trusting_context())
            client.ehlo()
            offered = before, client.has_extn("requiretls")
            client.sendmail(sender, ["ann@example.com"], content, mail_options=options)
            return offered

    return await asyncio.to_thread(session)


@pytest.mark.parametrize(
    ("field", "options", "wish"),
    [
        (b"", ["REQUIRETLS"], TlsWish.REQUIRED),
        (b"TLS-Required: No\r\n", ["REQUIRETLS"], TlsWish.REQUIRED),
        (b"TLS-Required: No\r\n", [], TlsWish.OPTIONAL),
        (b"", [], None),
    ],
)
def test_what_the_client_asks_reaches_the_next_relay(field, options, wish):
    """By MAIL or by the header, which goes on as it is; our client and our server understand each other."""

    async def story():
        async with next_relay() as (port, kept), house(settings(port, "verify"), zone=LAB) as it:
            offered = await submit(it, field + MESSAGE, *options)
            verdict = await it.verdict()
            ((arrival, content),) = kept
            return offered, str(verdict.result), arrival.envelope.tls, field in content, it.told.events

    *facts, events = asyncio.run(story())
    assert [(False, True), "delivered", wish, True] == facts
    told = [event.fields.get("tls_wish") for event in events if event.name == "receive.message.complete"]
    assert [wish and wish.value] == told


@pytest.mark.parametrize(
    ("tls", "port_tls", "status"), [("off", Tls.STARTTLS, "5.7.10"), ("opportunistic", Tls.NONE, "5.7.10")]
)
def test_route_that_cannot_be_proven_fails_it_at_once(tls, port_tls, status):
    """Whether we may not use TLS there, or the host has none; nothing is said of the mail."""

    async def story():
        async with next_relay(port_tls) as (port, kept), house(settings(port, tls), zone=LAB) as it:
            await submit(it, MESSAGE, "REQUIRETLS")
            return await it.verdict(), kept

    verdict, kept = asyncio.run(story())
    assert ("failed", status) == (str(verdict.result), verdict.failed[0].outcome.status)
    assert not [arrival for arrival, _ in kept if arrival.envelope.reverse_path]  # but perhaps the report
    assert verdict.failed[0].outcome.text.startswith("the sender requires TLS (REQUIRETLS), ")


def test_mail_with_a_null_reverse_path_goes_where_nothing_is_proven():
    """It is a report for all that anybody can say, whatever its body (RFC 8689 sections 4.2.1 and 5)."""

    async def story():
        async with next_relay(Tls.NONE) as (port, kept), house(settings(port, "opportunistic"), zone=LAB) as it:
            await submit(it, MESSAGE, "REQUIRETLS", sender="")
            verdict = await it.verdict()
            ((arrival, _),) = kept
            return str(verdict.result), arrival.envelope.tls

    assert ("delivered", None) == asyncio.run(story())
