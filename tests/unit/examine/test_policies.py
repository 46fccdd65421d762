"""Policies beside an MX set: SPF, MTA-STS, TLSA; and each authoritative server asked for itself."""

import asyncio
from ipaddress import ip_address

from postroad.dns import PacedServers, ServerAddress, WireResolver, WireSettings, ZoneResolver, parse_zones
from postroad.examine.policies import gather_text
from postroad.examine.servers import NameServer, gather_drift, gather_servers, gather_wire
from postroad.gather import Fetched, gather, gather_more
from postroad.lab import Lab
from postroad.words.facts import Found, NoData, Tlsa
from postroad.words.policies import StsPolicy
from postroad.words.tls import TlsFailure

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
    return Fetched(POLICY.encode(), "text/plain")


async def unasked(_resolver, host, path):
    """A web server that nobody asks."""
    raise AssertionError((host, path))


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
    assert (StsPolicy("enforce", ("mail.example.com", "*.example.net"), 604800), "1", "") == (
        told.sts.policy,
        told.sts.id,
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
    told = texts(ZONE + '_mta-sts TXT "v=STSv1; id=2"\n', fetch_by=unasked)
    assert (None, ["several-records"]) == (told.sts.policy, [fault.kind.value for fault in told.sts.record_faults])


def test_what_is_wrong_with_a_policy_is_told():
    """A policy that senders cannot use says why, and each of its faults is kept."""

    async def odd(_resolver, _host, _path):
        return Fetched(POLICY.replace("enforce", "on").replace("604800", "long").encode(), "text/plain")

    told = texts(fetch_by=odd).sts
    assert (None, TlsFailure.STS_INVALID, ["mode", "max-age"]) == (
        told.policy,
        told.failure,
        [fault.kind.value for fault in told.policy_faults],
    )
    assert "is not a valid policy: line 2: its mode is 'on'" in told.why_not


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
