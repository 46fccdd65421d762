"""The policy of MTA-STS by verified HTTPS, from a real server on loopback: what is fetched, and why nothing is."""

import asyncio
import contextlib
import socket
from ipaddress import ip_address

import pytest
from tests.support.patience import PATIENCE_S

from postroad.build import verified_tls
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import HttpsSettings, fetch, gather_sts_policy, gather_sts_record
from postroad.gather.response import MAX_HEADER, MAX_OCTETS
from postroad.lab.certificate import server_context, trusting_context
from postroad.net import NetError, listen
from postroad.words.facts import Temporary
from postroad.words.policies import StsPolicy
from postroad.words.tls import TlsFailure

WHERE = ip_address("127.0.0.21")
ZONE = '$ORIGIN lab.invalid.\nmta-sts A 127.0.0.21\n_mta-sts TXT "v=STSv1; id=a1;"\n'
DOCUMENT = b"version: STSv1\r\nmode: enforce\nmx: mail.lab.invalid\r\nmax_age: 604800\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n\r\n"

COUNTED = PLAIN[:-2] + b"Content-Length: %d\r\n\r\n" % len(DOCUMENT) + DOCUMENT


def fetched(
    answer=PLAIN + DOCUMENT, *, context=None, trusting=None, zone=ZONE, allow_loopback=True, timeout_s=PATIENCE_S
):
    """What comes of asking a server that says this: octets, or a function of its stream."""

    async def serve(stream):
        with contextlib.suppress(NetError):  # the client has hung up
            await stream.start_tls(context or server_context(), None)
            await stream.read()
            if callable(answer):
                await answer(stream)
            else:
                stream.write(answer)
                await stream.drain()

    async def story():
        listener = await listen(WHERE, 0, serve)
        try:
            how = HttpsSettings(trusting or trusting_context(), timeout_s, listener.port, allow_loopback=allow_loopback)
            resolver = ZoneResolver(parse_zones({"zone": zone}))

            async def ask(resolver, host, path):
                return await fetch(resolver, host, path, how)

            return await gather_sts_policy("lab.invalid", resolver, ask)
        finally:
            await listener.stop()

    return asyncio.run(story())


def test_a_policy_comes_by_verified_https():
    """A 200 of text/plain from a host whose certificate is good for its name."""
    assert StsPolicy("enforce", ("mail.lab.invalid",), 604800) == fetched().policy


async def drip(stream):
    """An octet at a time, without an end."""
    while True:
        stream.write(b"H")
        await stream.drain()
        await asyncio.sleep(0.01)


async def chatter(stream):
    """Header fields without an end."""
    stream.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        stream.write(b"X: " + b"y" * 1000 + b"\r\n")
        await stream.drain()


def html(media_type):
    """A document of another type."""
    return PLAIN.replace(b"Text/Plain; charset=utf-8", media_type) + DOCUMENT


@pytest.mark.parametrize(
    ("answer", "failure", "why"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n", TlsFailure.STS_FETCH, "answers 301, and only 200"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n" + DOCUMENT, TlsFailure.STS_FETCH, "answers 404, and only 200"),
        (b"HTTP/1.1 206 Partial\r\n\r\n" + DOCUMENT, TlsFailure.STS_FETCH, "answers 206, and only 200"),
        (b"SSH-2.0-OpenSSH\r\n", TlsFailure.STS_FETCH, "has no usable answer"),
        (b"", TlsFailure.STS_FETCH, "has no usable answer"),
        (PLAIN[:-2] + b"Content-Length: 500\r\n\r\n" + DOCUMENT, TlsFailure.STS_FETCH, "has no usable answer"),
        (PLAIN + b"#" * (MAX_OCTETS + 1), TlsFailure.STS_FETCH, "is longer than 65536 octets"),
        (PLAIN + b"#" * (MAX_OCTETS + MAX_HEADER + 1), TlsFailure.STS_FETCH, "is longer than 65536 octets"),
        (PLAIN[:-2] + b"Content-Length: 99999999999999999999\r\n\r\nx", TlsFailure.STS_FETCH, "is longer than 65536"),
        (chatter, TlsFailure.STS_FETCH, "has no usable answer"),
        (html(b"text/html"), TlsFailure.STS_INVALID, "has the media type text/html, not text/plain"),
        (html(b"text/plainer"), TlsFailure.STS_INVALID, "has the media type text/plainer, not text/plain"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + DOCUMENT, TlsFailure.STS_INVALID, "has no media type, not text/plain"),
        (
            PLAIN + b"\xef\xbb\xbf" + DOCUMENT,
            TlsFailure.STS_INVALID,
            "is not a valid policy: line 1: a byte order mark",
        ),
        (PLAIN + b"<html>", TlsFailure.STS_INVALID, "is not a valid policy: line 1: the line '<html>'"),
    ],
)
def test_whatever_else_a_server_says_is_no_policy_and_says_why(answer, failure, why):
    """RFC 8461 section 3.3: no redirect is followed, only a 200 counts, and a document has an end."""
    told = fetched(answer)
    assert (None, failure) == (told.policy, told.failure)
    assert why in told.why_not


def hung_up_on(octets):
    """What comes of a policy after which the connection is cut between two TLS records."""

    async def cut(stream):
        stream.write(octets)
        await stream.drain()
        stream._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)  # whoever is on the way can do that

    return fetched(cut)


def test_a_policy_that_was_cut_off_is_not_kept():
    """M3: a max_age of 86400 that ends after 86 is none: a document ends by its own length or by close_notify."""
    told = hung_up_on(PLAIN + DOCUMENT[:-5])
    assert (None, TlsFailure.STS_FETCH) == (told.policy, told.failure)
    assert "it was cut off: it has no Content-Length" in told.why_not
    assert StsPolicy("enforce", ("mail.lab.invalid",), 604800) == hung_up_on(COUNTED).policy


def test_a_server_that_drips_is_given_up_as_a_whole():
    """The limit is of all that is done for one document, not of each octet."""
    told = fetched(drip, timeout_s=0.2)
    assert (TlsFailure.STS_FETCH, True) == (told.failure, "not received within" in told.why_not)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trusting": verified_tls()}, "self-signed certificate"),
        ({"context": server_context("expired.pem")}, "TLS handshake failed"),
        ({"zone": ZONE + "lab2 A 127.0.0.1\n"}, ""),
    ],
)
def test_a_certificate_that_proves_nothing_is_a_failure_of_its_own(changes, why):
    """Not trusted or expired: reports name it apart (RFC 8460 section 4.3.2.2)."""
    told = fetched(**changes)
    assert (TlsFailure.STS_WEBPKI if why else None) == told.failure
    assert why in told.why_not


def test_a_certificate_for_another_name_is_none():
    """It must be good for the policy's host, which is not the domain itself, nor below it twice."""

    async def story():
        async def serve(stream):
            with contextlib.suppress(NetError):
                await stream.start_tls(server_context(), None)

        listener = await listen(WHERE, 0, serve)
        try:
            resolver = ZoneResolver(parse_zones({"zone": "$ORIGIN other.invalid.\nmta-sts A 127.0.0.21\n"}))
            how = HttpsSettings(trusting_context(), 5.0, listener.port, allow_loopback=True)
            return await fetch(resolver, "mta-sts.other.invalid", "/x", how)
        finally:
            await listener.stop()

    told = asyncio.run(story())
    assert (True, b"") == (told.is_untrusted, told.octets)
    assert "Hostname mismatch" in told.why_not


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.21", "a loopback address"),
        ("0.0.0.0", "the unspecified address"),
        ("169.254.169.254", "a link-local address"),
        ("255.255.255.255", "not the address of one host"),
    ],
)
def test_nobody_has_us_ask_this_machine_or_its_network(address, why):
    """Whoever publishes a policy chooses the address of its host: none is asked that mail would not go to either."""
    told = fetched(zone=ZONE.replace("127.0.0.21", address), allow_loopback=False)
    assert (TlsFailure.STS_FETCH, True) == (told.failure, f"{address}: {why}" in told.why_not)


def test_a_host_without_address_or_with_dns_in_trouble_says_so():
    """Nothing to connect to is told, and that nobody knows is told otherwise."""
    assert "mta-sts.lab.invalid has no address" == fetched(zone="$ORIGIN lab.invalid.\n_mta-sts TXT x\n").why_not

    class Broken:
        async def resolve(self, _name, _kind):
            return Temporary("SERVFAIL")

    told = asyncio.run(fetch(Broken(), "mta-sts.lab.invalid", "/x", HttpsSettings(trusting_context())))
    assert "mta-sts.lab.invalid cannot be found: SERVFAIL" == told.why_not


def test_the_policy_of_a_parent_is_never_asked_for():
    """RFC 8461 section 3.4: only the name itself has a policy."""
    resolver = ZoneResolver(parse_zones({"zone": ZONE + "sub A 127.0.0.1\n"}))
    assert None is asyncio.run(gather_sts_record("sub.lab.invalid", resolver))
    assert "a1" == asyncio.run(gather_sts_record("lab.invalid", resolver)).id
