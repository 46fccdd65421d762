"""The senders known by name, each with its source, and the mixes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from postroad.pace import HealthPolicy
from postroad.routing import PROCEDURES, Status
from postroad.simulation.model import (
    Asks,
    Equals,
    Exhausted,
    Families,
    Inside,
    Later,
    Limits,
    Memory,
    Preference,
    Reuse,
    Sender,
    Then,
    Unit,
    Waits,
)
from postroad.words.faults import Mode
from postroad.words.outcome import Result

CONNECTING = (Mode.REFUSE, Mode.BLACKHOLE)
GREETING = (Mode.G421, Mode.G554, Mode.CLOSE)
ASKED = (Mode.R450, Mode.D451, Mode.E451)  # "not now", said to the message


def _after(connect: Then, greeting: Then, not_now: Then, no: Then, **others: Then) -> Mapping[Mode, Then]:
    """Reactions by phase: no connection; 421, 554 or a close for a greeting; 4yz to RCPT, DATA or dot; 550 to RCPT.

    `others` are single modes that differ, by their names in lower case.
    """
    table = dict.fromkeys(CONNECTING, connect) | dict.fromkeys(GREETING, greeting) | dict.fromkeys(ASKED, not_now)
    table |= {Mode.R550: no, Mode.DROP: not_now}
    return MappingProxyType(table | {Mode[name.upper()]: then for name, then in others.items()})


_REFUSING = MappingProxyType(dict.fromkeys((Status.NULL_MX, Status.NO_SUCH_DOMAIN, Status.NO_ADDRESS), Result.FAILED))
_PATIENT = MappingProxyType(dict.fromkeys(_REFUSING, Result.DEFERRED))
_LIBRARY = MappingProxyType(dict.fromkeys(Status, Result.DEFERRED))
"""A library has no queue: an error goes to its caller, who may try again, and so is counted as deferred."""

_NEXT, _HOST, _DEFER, _FAIL = Then.NEXT_ADDRESS, Then.NEXT_HOST, Then.DEFER, Then.FAIL


# The procedures try "each of the relevant addresses" one after the other, whatever "not now" they hear, and a
# rejection is the answer (RFC 5321 sections 5.1 and 4.2.1).
def _rfc(name: str) -> Sender:
    """A sender that does what one of routing's procedures says, and nothing else, one address after the other."""
    policy = PROCEDURES[name]
    return Sender(
        name,
        f"the procedure of RFC {name.removeprefix('rfc')}",
        policy.source,
        equals=Equals(policy.equals.value),
        families=Families.IN_TURN,
        limits=Limits(addresses=policy.limit, later=Later.ONE_WITHIN),
        reactions=_after(_NEXT, _NEXT, _HOST, _FAIL, drop=_DEFER, broken_starttls=Then.IN_CLEAR),
        refusals=frozenset({Mode.R550}),
        exhausted=Exhausted.ALL,
        drops_duplicates=True,
    )


_RFC5321 = _rfc("rfc5321")


def _like_rfc5321(name: str, title: str, source: str, **changes: Any) -> Sender:  # noqa: ANN401  # fields of Sender
    return replace(_RFC5321, name=name, title=title, source=source, **changes)


_POSTFIX = Sender(
    "postfix",
    "Postfix without cached connections",
    "measured, 2026: Postfix 3.7.11; src/smtp/smtp_addr.c:smtp_domain_addr, smtp_connect.c:smtp_connect_inet",
    unit=Unit.ADDRESS,
    families=Families.ALIKE,
    # smtp_mx_address_limit, smtp_mx_session_limit, smtp_balance_inet_protocols
    limits=Limits(addresses=5, sessions=2, family_share=True),
    reactions=_after(_NEXT, _NEXT, _NEXT, _FAIL, broken_starttls=_NEXT),
    waits=Waits(connect_s=30.0),  # smtp_connect_timeout
    takes_literals=True,
    mixed_null_is_null=True,  # src/dns/dns_lookup.c: DNS_NULLMX if any record is empty
    refused=_REFUSING,
)

_ALL = (
    Sender(
        "postroad",
        "Postroad",
        "this program: routing.decide, routing.turned, routing.draw and routing.Walk",
        ours=True,
        memory=Memory(frozenset((*CONNECTING, *GREETING)), HealthPolicy().first_penalty_s),
        reuse=Reuse(messages=100, for_s=300.0, idle_s=2.0, drawn=True),
    ),
    _rfc("rfc974"),
    _rfc("rfc1123"),
    _rfc("rfc2821"),
    _RFC5321,
    _POSTFIX,
    replace(
        _POSTFIX,
        name="postfix-reuse",
        title="Postfix as installed: connections are kept while mail waits",
        # smtp_connection_cache_on_demand, smtp_connection_reuse_time_limit, smtp_connection_cache_time_limit
        reuse=Reuse(messages=None, for_s=300.0, idle_s=2.0, busy_only=True),
    ),
    Sender(
        "exim",
        "Exim",
        "measured, 2026: Exim 4.96; src/host.c:host_find_bydns, src/transports/smtp.c (hosts_max_try)",
        inside=Inside.RANDOM,
        families=Families.V6_PASS,
        limits=Limits(addresses=5, later=Later.ONE_BEYOND),
        reactions=_after(_NEXT, _NEXT, _NEXT, _FAIL, broken_starttls=Then.IN_CLEAR),
        refusals=frozenset({Mode.G554}),  # "DEFER if host->next else FAIL"
        exhausted=Exhausted.LAST,
        drops_duplicates=True,
        memory=Memory(frozenset((*CONNECTING, *GREETING)), 900.0),  # the retry rule as installed: F,2h,15m
        implicit_on_nxdomain=False,
        refused=_REFUSING,
    ),
    Sender(
        "sendmail",
        "sendmail",
        "measured, 2026: sendmail 8.17.1.9; domain.c:getmxrr, deliver.c (tryhost)",
        reactions=_after(_NEXT, _HOST, _HOST, _FAIL, broken_starttls=_HOST),
        refusals=frozenset({Mode.G554}),
        exhausted=Exhausted.LAST,
        reuse=Reuse(messages=None, for_s=None, idle_s=300.0, busy_only=True),  # one queue run is one pick for all
        asks=Asks(mx=2, domain_a=1, domain_aaaa=1, a=1, aaaa=3, eager=False),
        refused=_REFUSING,
    ),
    Sender(
        "opensmtpd",
        "OpenSMTPD, with nothing under way",
        "measured, 2026: OpenSMTPD 6.8.0p2; smtpd/mta.c:mta_find_route, mta_route_disable",
        equals=Equals.GIVEN,
        reactions=_after(_NEXT, _NEXT, _DEFER, _FAIL, broken_starttls=Then.IN_CLEAR),
        waits=Waits(overlap_s=2.0, spacing_s=2.0),
        drops_duplicates=True,
        memory=Memory(frozenset((*CONNECTING, *GREETING)), 15.0),  # 15 s times the square of the penalty
        reuse=Reuse(messages=100, for_s=None, idle_s=10.0),
        implicit_on_nxdomain=False,
        takes_literals=True,
        refused=MappingProxyType({**_PATIENT, Status.NO_SUCH_DOMAIN: Result.FAILED}),
    ),
    Sender(
        "chasquid",
        "chasquid",
        "measured, 2026: chasquid 1.11; internal/courier/smtp.go, and net.Dialer of Go",
        limits=Limits(hosts=5),
        reactions=_after(_NEXT, _HOST, _HOST, _FAIL, broken_starttls=Then.IN_CLEAR),
        waits=Waits(connect_s=60.0, per_host=True, fallback_s=0.3),
        asks=Asks(eager=False),
        refused=_PATIENT,
    ),
    Sender(
        "haraka",
        "Haraka",
        "measured, 2026: Haraka 3.3.1; haraka-net-utils/lib/get_mx.js, outbound/hmail.js",
        equals=Equals.ONE_SWAP_PASS,
        reactions=_after(_NEXT, _DEFER, _DEFER, _FAIL, g554=_FAIL, close=_NEXT, drop=_NEXT, broken_starttls=_NEXT),
        waits=Waits(connect_s=30.0),
        takes_literals=True,
        refused=MappingProxyType({**_REFUSING, Status.NO_ADDRESS: Result.DEFERRED}),
    ),
    Sender(
        "dma",
        "dma (DragonFly Mail Agent)",
        "measured, 2026: dma 0.13; dns.c, net.c",
        equals=Equals.GIVEN,
        families=Families.V6_LEVEL,  # getaddrinfo for each exchanger, then sorted by preference and family
        # A close after the greeting is a reset or an end of file, as it happens: "permanent" or a loop without end
        reactions=_after(_NEXT, _NEXT, _NEXT, _FAIL, g554=_FAIL, close=_FAIL),
        implicit_on_nxdomain=False,
        takes_literals=True,
        refused=MappingProxyType({**_PATIENT, Status.NO_SUCH_DOMAIN: Result.FAILED}),
    ),
    Sender(
        "mx-connect",
        "mx-connect (ZoneMTA's library)",
        "measured, 2026: mx-connect 1.6.0; lib/get-connection.js:getConnection",
        equals=Equals.GIVEN,
        families=Families.V4_FIRST,
        limits=Limits(addresses=20),  # MAX_MX_HOSTS
        reactions=_after(_NEXT, _DEFER, _DEFER, _DEFER),
        drops_duplicates=True,
        takes_literals=True,
        refused=_LIBRARY,
    ),
    Sender(
        "node-sendmail",
        "sendmail of npm",
        "measured, 2026: sendmail 1.6.1 of npm; its sort gives a boolean for an order, so there is none",
        equals=Equals.GIVEN,
        families=Families.IN_TURN,
        preference=Preference.IGNORED,
        reactions=_after(_NEXT, _DEFER, _DEFER, _DEFER, broken_starttls=_DEFER),
        waits=Waits(hurry_s=0.25),  # net.connect of Node: autoSelectFamily
        asks=Asks(eager=False),
        implicit_on_nodata=False,
        implicit_on_nxdomain=False,
        refused=_LIBRARY,
    ),
    Sender(
        "slimta",
        "python-slimta",
        "measured, 2026: python-slimta 5.0.5; relay/smtp/mx.py:choose_mx",
        equals=Equals.BY_ATTEMPT,
        limits=Limits(hosts=1),
        # The ten seconds are for the connection to the host: one silent address uses them up
        reactions=_after(_NEXT, _DEFER, _DEFER, _FAIL, blackhole=_DEFER, g554=_FAIL, broken_starttls=_DEFER),
        waits=Waits(connect_s=10.0),
        asks=Asks(eager=False),
        caches_mx=True,
        takes_literals=True,
        refused=MappingProxyType({**_PATIENT, Status.NO_SUCH_DOMAIN: Result.FAILED}),
    ),
    Sender(
        "twisted",
        "twisted.mail",
        "measured, 2026: Twisted 26.10.0; mail/relaymanager.py compares records, which have no order",
        equals=Equals.GIVEN,
        families=Families.V4_ONLY,
        limits=Limits(addresses=1, hosts=1),
        reactions=_after(_DEFER, _DEFER, _DEFER, _DEFER),
        asks=Asks(aaaa=0, eager=False),
        implicit_on_nodata=False,
        implicit_on_nxdomain=False,
        refused=_LIBRARY,
        fails_on_equals=True,
    ),
    Sender(
        "first-mx-only",
        "a sender that uses the first MX record only",
        "a question about MX set-ups: reddoxx uses only the first record, another only if it does not answer",
        equals=Equals.GIVEN,
        reactions=_after(_NEXT, _DEFER, _DEFER, _FAIL, g554=_FAIL),
        refused=_REFUSING,
    ),
    _like_rfc5321(
        "dns-order", "a sender that takes equals in DNS order", "tools that do not shuffle", equals=Equals.GIVEN
    ),
    _like_rfc5321(
        "alphabetical", "a sender that takes equals by name", "tools that sort records", equals=Equals.ALPHABETICAL
    ),
    _like_rfc5321(
        "highest-first",
        "a sender that begins with the last backup",
        "spam that hopes for a backup with weaker filters",
        preference=Preference.DESCENDING,
    ),
    _like_rfc5321("ipv4-only", "a sender without IPv6", "RFC 5321, with A records only", families=Families.V4_ONLY),
    _like_rfc5321("ipv6-only", "a sender without IPv4", "RFC 5321, with AAAA records only", families=Families.V6_ONLY),
)

SENDERS: Mapping[str, Sender] = MappingProxyType({sender.name: sender for sender in _ALL})
"""Every sender with a name, ours first."""

MIXES: Mapping[str, Mapping[str, Fraction]] = MappingProxyType(
    {
        "internet": MappingProxyType(
            {
                name: Fraction(percent, 100)
                for name, percent in {
                    "rfc5321": 50,
                    "exim": 22,
                    "postfix": 15,
                    "sendmail": 2,
                    "dns-order": 5,
                    "mx-connect": 2,
                    "haraka": 1,
                    "opensmtpd": 1,
                    "first-mx-only": 2,
                }.items()
            }
        )
    }
)
"""Mixes of senders, their weights summing to one.

"internet" is an assumption, not a measurement: nobody publishes which software sends how much mail. Half of it stands
for the large providers, who say nothing of their senders and are taken at the word of RFC 5321. Of the other half some
four fifths are divided as a survey of servers that tell their name (Security Space, December 2023: Exim 56 %, Postfix
38 %, sendmail 3 %), though it counts receiving machines and not messages; the rest are senders without any shuffle.
"""
