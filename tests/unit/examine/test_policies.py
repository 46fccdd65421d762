"""Policies beside an MX set: SPF, MTA-STS, TLSA; and each authoritative server asked for itself."""

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.dns import PacedServers, ServerAddress, WireResolver, WireSettings, ZoneResolver, parse_zones
from postroad.examine.https import MAX_OCTETS, Fetched, fetch, read_response
from postroad.examine.policies import gather_text, parse_policy
from postroad.examine.servers import NameServer, gather_drift, gather_servers, gather_wire
from postroad.gather import gather, gather_more
from postroad.lab import Lab
from postroad.lab.certificate import server_context, trusting_context
from postroad.net import listen
from postroad.words.facts import Found, NoData, Tlsa

ZONE = """$ORIGIN example.com.
@ SOA ns1 host 42 1 1 1 1
@ NS ns1
@ MX 10 mail
@ TXT "v=spf1 mx -all"
@ TXT "another-service=1"
ns1 A 127.0.0.1
mail A 127.0.0.11
_25._tcp.mail TLSA 3 1 0 00ff
_mta-sts TXT "v=STSv1; id=1"
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@example.com"
"""
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"


async def document(_resolver, host, path):
    """A web server that has the policy."""
    assert ("mta-sts.example.com", "/.well-known/mta-sts.txt") == (host, path)
    return Fetched(POLICY)


def texts(zone=ZONE, fetch_by=document):
    """What is published in a zone."""
    resolver = ZoneResolver(parse_zones({"zone": zone}))

    async def gathered():
        return await gather_text(await gather("example.com", resolver), resolver, fetch_by)

    return asyncio.run(gathered())


def test_all_policies_of_a_domain_are_told():
    """SPF without other texts, the policy of MTA-STS, TLSA by exchanger, and where reports go."""
    told = texts()
    assert ("v=spf1 mx -all",) == told.spf.records
    assert ("enforce", ("mail.example.com", "*.example.net"), 604800, "") == (
        told.sts.mode,
        told.sts.mx,
        told.sts.max_age_s,
        told.sts.why_not,
    )
    assert (Tlsa(3, 1, 0, b"\x00\xff"),) == told.tlsa["mail.example.com"].records
    assert isinstance(told.tlsrpt, Found)


def test_a_domain_without_policies_has_none():
    """Texts of other kinds are no SPF, and no record means no MTA-STS."""
    told = texts('$ORIGIN example.com.\n@ MX 10 mail\n@ TXT "v=spf10 nothing"\nmail A 192.0.2.1\n')
    assert isinstance(told.spf, NoData)
    assert told.sts is None


def test_two_records_of_mta_sts_are_none():
    """RFC 8461 section 3.1: more than one record means that no policy is there; nothing is fetched."""
    told = texts(ZONE + '_mta-sts TXT "v=STSv1; id=2"\n', fetch_by=None)
    assert told.sts.why_not.startswith("2 records")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("mode: enforce\nmx: a\nmax_age: 1\n", "version"),
        ("version: STSv1\nmode: on\nmx: a\nmax_age: 1\n", "mode"),
        ("version: STSv1\nmode: testing\nmx: a\nmax_age: long\n", "max_age"),
        ("version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told(text, why):
    """A policy that senders cannot use says why."""
    assert why in parse_policy("v=STSv1", text).why_not


@settings(max_examples=examples(50))
@given(st.text(max_size=200) | st.from_regex(r"(version|mode|mx|max_age): ?[^\n]*\n", fullmatch=True))
def test_any_text_is_a_policy_or_says_why_not(text):
    """Nothing a web server sends raises."""
    assert parse_policy("v=STSv1", text).mode is not None


@settings(max_examples=examples(50))
@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda body: b"HTTP/1.1 200 OK\r\n" + body))
def test_any_octets_are_a_response_or_say_why_not(octets):
    """Nothing a web server sends raises."""
    assert isinstance(read_response(octets, "https://example.com/"), Fetched)


def test_redirects_and_floods_are_refused():
    """RFC 8461 section 3.3: no redirect is followed; and a document has an end."""
    moved = read_response(b"HTTP/1.1 301 Moved\r\nLocation: https://example.net/\r\n\r\n", "here")
    assert "here answers 301, and only 200 is valid" == moved.why_not
    assert "longer than" in read_response(b"x" * (MAX_OCTETS + 1), "here").why_not


@pytest.mark.parametrize(("trusted", "why"), [(True, ""), (False, "TLS handshake failed")])
def test_a_document_comes_by_verified_https_only(trusted, why):
    """A real server on loopback: its certificate must be good for the host."""
    resolver = ZoneResolver(parse_zones({"zone": "$ORIGIN lab.invalid.\nmail A 127.0.0.21\n"}))

    async def serve(stream):
        await stream.start_tls(server_context(), None)
        await stream.read()
        stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    async def fetched():
        listener = await listen(ip_address("127.0.0.21"), 0, serve)
        try:
            context = trusting_context() if trusted else None
            return await fetch(resolver, "mail.lab.invalid", "/x", port=listener.port, context=context)
        finally:
            await listener.stop()

    told = asyncio.run(fetched())
    assert ("hello" if trusted else "") == told.text
    assert why in told.why_not


def test_each_authoritative_server_is_asked_for_itself():
    """Serial and MX set of every server, its address taken from DNS; and the sizes of the answers."""

    async def gathered():
        async with Lab(parse_zones({"zone": ZONE})) as lab:
            host, port = lab.resolver_address
            server = ServerAddress(ip_address(host), port)
            resolver = WireResolver(WireSettings((server,)))
            snapshot = await gather_more(await gather("example.com", resolver), resolver)
            servers, asker = await gather_servers(snapshot, resolver), PacedServers()
            said = await gather_drift("example.com", servers, asker, port)
            return servers, said, await gather_wire("example.com", ["mail.example.com"], server, asker)

    servers, said, wire = asyncio.run(gathered())
    assert (NameServer("ns1.example.com", ip_address("127.0.0.1")),) == servers
    assert [(42, True, "")] == [(each.serial, each.is_authoritative, each.why) for each in said]
    assert "mail.example.com" == said[0].mx.records[0].exchange
    assert [("MX", False), ("A", False), ("AAAA", False)] == [(each.kind, each.is_cut) for each in wire]
    assert (3600,) == wire[0].ttls


def test_a_name_below_the_zones_top_has_the_servers_above():
    """A domain that is no zone of its own is served by those of the zone it is in."""
    resolver = ZoneResolver(parse_zones({"zone": ZONE + "sub MX 10 mail\n"}))

    async def gathered():
        snapshot = await gather_more(await gather("sub.example.com", resolver), resolver)
        return await gather_servers(snapshot, resolver)

    assert ["ns1.example.com"] == [server.name for server in asyncio.run(gathered())]
