"""A list of domains is checked as each of them alone: what they share is looked up once, and changes no finding."""

import asyncio
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.dns import CachingResolver, ZoneResolver, parse_zones
from postroad.examine import CheckTerms, Sources, check_all
from postroad.examine.sources import ONE_RUN

DOMAINS = [f"d{number}.example.com" for number in range(3)]
HOSTS = ["mx1", "mx2", "mx3", "a.mx", "alias"]
TTLS = st.sampled_from([0, 30, 300, 3600, 700_000])
ADDRESSES = {
    "A": ["192.0.2.1", "192.0.2.2", "198.51.100.3", "203.0.113.4", "10.0.0.5", "127.0.0.1"],
    "AAAA": ["2001:db8::1", "2001:db8:1::2", "::1"],
}


@st.composite
def _zones(draw):
    lines = ["$ORIGIN example.com.", "@ 300 SOA ns1 host 1 1 1 1 300", "@ 300 NS ns1", "ns1 300 A 192.0.2.53"]
    if draw(st.booleans()):
        lines += ["alias 60 CNAME mx1"]
    for host in HOSTS[:-1]:
        for kind, addresses in ADDRESSES.items():
            chosen = draw(st.lists(st.sampled_from(addresses), max_size=3, unique=True))
            lines += [f"{host} {draw(TTLS)} {kind} {address}" for address in chosen]
    for domain in range(len(DOMAINS)):
        for host in draw(st.lists(st.sampled_from(HOSTS), max_size=4)):
            lines.append(f"d{domain} {draw(TTLS)} MX {draw(st.sampled_from([0, 10, 10, 20]))} {host}")
    lines += ["$ORIGIN 2.0.192.in-addr.arpa.", "1 60 PTR mx1.example.com.", "2 60 PTR host-2.example.net."]
    return "\n".join(lines) + "\n"


def _findings(zone, domains):
    """What a run finds in each domain, everything looked up at moments that are a minute apart."""
    moments = count(0.0, 60.0)
    resolver = CachingResolver(ZoneResolver(parse_zones({"zone": zone})), lambda: next(moments), ONE_RUN)
    sources = Sources(resolver, lambda: 1.8e9, fetch_by=None)

    async def checked():
        return {result.domain: result async for result in check_all(domains, sources, CheckTerms(), at_once=2)}

    return asyncio.run(checked())


@settings(max_examples=examples(18))
@given(_zones())
def test_a_list_is_checked_as_each_domain_alone(zone):
    """The same findings with the same words in the same order, the same servers, whoever was looked up before."""
    alone = {domain: result for domain in DOMAINS for domain, result in _findings(zone, [domain]).items()}
    assert alone == _findings(zone, DOMAINS)
