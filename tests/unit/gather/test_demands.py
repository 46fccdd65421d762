"""From what a domain publishes to what a connection to each of its exchangers has to be."""

import asyncio

import pytest
from tests.unit.gather.test_dane import zone

from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import Demands, gather, gather_demands, gather_demands_of_hosts, gather_hosts
from postroad.tls import Override, TlsMode
from postroad.words.facts import Found, Temporary
from postroad.words.names import parse_destination
from postroad.words.policies import DaneFacts, StsKnown, StsPolicy
from postroad.words.tls import OPPORTUNISTIC, Authority

TLSA = "3 1 1 " + 64 * "a"
SECURE = zone(
    "example.com", "@ MX 10 mx1", "@ MX 20 mx2", "mx1 A 192.0.2.1", "mx2 A 192.0.2.2", f"_25._tcp.mx1 TLSA {TLSA}"
)
IMPLICIT = zone("implicit.test", "@ A 192.0.2.3", f"_25._tcp TLSA {TLSA}")
INSECURE = zone("plain.test", "@ MX 10 mx1.plain.test.", "mx1 A 192.0.2.1", is_signed=False)


class Published:
    """The policies of domains, and who asked."""

    def __init__(self, **policies):
        self.policies = policies
        self.asked = []

    async def known(self, domain):
        """Of all of them, as given."""
        self.asked.append(domain)
        mx = self.policies.get(domain.replace(".", "_").replace("-", "_"))
        return StsKnown(StsPolicy("enforce", mx, 86400), "1", 0.0, "") if mx else StsKnown()


def decided(domain, policies=None, mode=TlsMode.AUTO):
    """What connections have to be, and what that was decided on."""

    async def main():
        resolver = ZoneResolver(parse_zones({"a": SECURE, "b": INSECURE, "c": IMPLICIT}), validates=True)
        snapshot = await gather(parse_destination(domain), resolver)
        return await gather_demands(snapshot, resolver, Override(mode), policies)

    return asyncio.run(main())


def told(domain, policies=None, mode=TlsMode.AUTO):
    """By exchanger, who demands what."""
    return {name: demand.by for name, demand in decided(domain, policies, mode).by_exchanger.items()}


def test_each_exchanger_has_what_protects_it_most():
    """DANE where the host has it, else the policy of the domain: what no other mailer can express, host by host."""
    policies = Published(example_com=("*.example.com",))
    assert {"mx1.example.com": Authority.DANE, "mx2.example.com": Authority.MTA_STS} == told("example.com", policies)
    assert ["example.com"] == policies.asked


def test_domain_that_publishes_nothing_is_as_ever():
    """TLS where it is offered."""
    assert {"mx1.plain.test": Authority.NONE} == told("plain.test", Published())


@pytest.mark.parametrize(
    ("mode", "first", "asked"),
    [
        (TlsMode.DANE, Authority.DANE, []),
        (TlsMode.OPPORTUNISTIC, Authority.ROUTE, []),
        (TlsMode.AUTO, Authority.DANE, ["example.com"]),
    ],
)
def test_nothing_is_asked_that_does_not_count(mode, first, asked):
    """A route that says what TLS has to do needs no policy."""
    policies = Published(example_com=("*.example.com",))
    assert (first, asked) == (told("example.com", policies, mode)["mx1.example.com"], policies.asked)


def test_smarthost_has_the_policy_of_its_own_name():
    """Not of the domain whose mail it relays (RFC 8461 section 3.4)."""

    async def main():
        resolver = ZoneResolver(parse_zones({"a": SECURE, "b": INSECURE}), validates=True)
        hosts = await gather_hosts(["mx1.plain.test", "mx1.example.com"], resolver)
        return await gather_demands_of_hosts([*hosts, "192.0.2.1"], hosts, resolver, policies=policies)

    policies = Published(mx1_plain_test=("mx1.plain.test",))
    demands = asyncio.run(main()).by_exchanger
    by = {name: demand.by for name, demand in demands.items()}
    assert {"mx1.plain.test": Authority.MTA_STS, "mx1.example.com": Authority.DANE, "192.0.2.1": Authority.NONE} == by
    assert {True} == {demand.is_vouched for demand in demands.values()}  # by who wrote the settings


def test_domain_without_mx_is_protected_as_its_own_exchanger():
    """That it has no MX records is no reason to ask for less."""
    assert {"implicit.test": Authority.DANE} == told("implicit.test")


def test_what_was_decided_on_is_kept_with_the_decision():
    """For reports, and for how long it holds: the facts of each exchanger, and the policy of the domain."""
    demands = decided("example.com", Published(example_com=("*.example.com",)))
    assert ({"mx1.example.com", "mx2.example.com"}, ["example.com"]) == (set(demands.dane), list(map(str, demands.sts)))
    assert ("*.example.com",) == demands.sts["example.com"].policy.mx


@pytest.mark.parametrize("domain", ["[192.0.2.1]", "nowhere.test"])
def test_destination_without_exchangers_has_no_demands(domain):
    """An address literal, or no domain at all."""
    assert all(by is OPPORTUNISTIC.by for by in told(domain, Published()).values())


@pytest.mark.parametrize(("names", "asked"), [((), ("192.0.2.1",)), (("mail.example.net",), ("mail.example.net",))])
def test_an_address_proves_itself_or_the_names_that_our_settings_say(names, asked):
    """`verify` for an address literal: nobody else could say what its certificate is to be for."""

    async def main():
        snapshot = await gather(parse_destination("[192.0.2.1]"), resolver := ZoneResolver(parse_zones({})))
        return await gather_demands(snapshot, resolver, Override(TlsMode.VERIFY, names))

    demands = asyncio.run(main())
    [demand] = demands.by_exchanger.values()
    assert (asked, True, float("inf")) == (demand.names, demand.is_vouched, demands.life_s)


@pytest.mark.parametrize(
    ("answer", "sts_s", "life_s"),
    [
        (Found((), 30.0, authentic=True), 60.0, 30.0),
        (Found((), 90.0, authentic=True), 60.0, 60.0),
        (Temporary("SERVFAIL"), 60.0, 5.0),
        (None, 60.0, 60.0),
        (None, float("inf"), float("inf")),
    ],
)
def test_a_demand_holds_as_long_as_all_that_it_was_decided_on(answer, sts_s, life_s):
    """The TLSA records, and the policy; trouble is asked about again in seconds."""
    demands = Demands({}, {"mx": DaneFacts(tlsa=answer), "b": DaneFacts()}, {"d": StsKnown(life_s=sts_s)})
    assert life_s == demands.life_s


class Counted(tuple):
    """Patterns that count how often they are read."""

    __slots__ = ()
    read = 0

    def __iter__(self):
        type(self).read += 1
        return super().__iter__()


def test_policy_is_read_once_for_all_exchangers_of_a_domain():
    """It may have thousands of lines, and the domain a hundred exchangers: the event loop waits for each look-up."""
    names = [f"mx{number}.example.com" for number in range(100)]
    many = zone("example.com", *(f"@ MX 10 {name}." for name in names), *(f"{name}. A 192.0.2.1" for name in names))
    patterns = Counted((*(f"*.{number}.test" for number in range(1000)), *names[:50]))

    async def main():
        resolver = ZoneResolver(parse_zones({"a": many}))
        snapshot = await gather(parse_destination("example.com"), resolver)
        Counted.read = 0
        return await gather_demands(snapshot, resolver, Override(), Published(example_com=patterns))

    demands = asyncio.run(main()).by_exchanger
    assert (1, 50, 50) == (
        Counted.read,
        sum(demand.missed is None for demand in demands.values()),
        sum(demand.missed is not None for demand in demands.values()),
    )
