"""What a connection to each exchanger has to be: asks for what DANE and MTA-STS need, then `tls` decides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from postroad.dns import Resolver
from postroad.gather.dane import SMTP_PORT, gather_dane, gather_dane_of_hosts
from postroad.tls import AUTO, Known, Listing, Override, TlsMode, demanded
from postroad.words.facts import HostFacts, NoData, NoName, is_authentic
from postroad.words.names import AddressLiteral
from postroad.words.policies import DaneFacts, StsKnown
from postroad.words.snapshot import Snapshot
from postroad.words.tls import Demand

_BY_DANE = (TlsMode.AUTO, TlsMode.DANE, TlsMode.DANE_ONLY)
NO_FACTS: Mapping[str, DaneFacts] = {}


class Policies(Protocol):
    """Who knows the MTA-STS policies of domains."""

    async def known(self, domain: str) -> StsKnown:
        """The policy of a domain that holds now."""
        ...


@dataclass(frozen=True, slots=True)
class Demands:
    """What connections have to be, by exchanger, with what it was decided on, and how long that holds."""

    by_exchanger: Mapping[str, Demand] = field(default_factory=dict)
    dane: Mapping[str, DaneFacts] = field(default_factory=dict)
    sts: Mapping[str, StsKnown] = field(default_factory=dict)  # by policy domain (RFC 8461 section 3.4)

    @property
    def life_s(self) -> float:
        """How long the answers about TLSA records and policies hold; trouble is no answer."""
        answers = [facts.tlsa for facts in self.dane.values() if facts.tlsa is not None]
        lives = [getattr(answer, "ttl_s", 5) for answer in answers] + [known.life_s for known in self.sts.values()]
        return float(min(lives, default=float("inf")))


async def gather_demands(
    snapshot: Snapshot,
    resolver: Resolver,
    override: Override = AUTO,
    policies: Policies | None = None,
    *,
    port: int = SMTP_PORT,
) -> Demands:
    """What a connection to each exchanger of a domain has to be."""
    if isinstance(snapshot.domain, AddressLiteral):  # who wrote it says where mail goes
        names = override.names or (str(snapshot.domain.address),)
        return _decided((str(snapshot.domain),), replace(override, names=names), is_named=True)
    if not _may_have_route(snapshot):
        return _decided(snapshot.hosts, override, is_named=False)
    dane = gather_dane(snapshot, resolver, port=port) if override.mode in _BY_DANE else _nothing()
    known, facts = await asyncio.gather(_known((snapshot.domain,), override, policies), dane)
    sts = dict.fromkeys(snapshot.hosts, known[snapshot.domain])
    return _decided(snapshot.hosts, override, facts, sts, known, is_named=is_authentic(snapshot.mx))


async def gather_demands_of_hosts(
    named: Sequence[str],
    hosts: Mapping[str, HostFacts],
    resolver: Resolver,
    override: Override = AUTO,
    policies: Policies | None = None,
    *,
    port: int = SMTP_PORT,
) -> Demands:
    """The same for hosts that the settings name: the policy of each is that of its own name (RFC 8461 section 3.4).

    `hosts` has what was looked up of them; an address that is named has neither.
    """
    dane = gather_dane_of_hosts(hosts, resolver, port=port) if override.mode in _BY_DANE else _nothing()
    known, facts = await asyncio.gather(_known(hosts, override, policies), dane)
    return _decided(named, override, facts, known, known, is_named=True)


def _may_have_route(snapshot: Snapshot) -> bool:
    return bool(snapshot.mx.records) or isinstance(snapshot.mx, NoData | NoName)


def _decided(
    exchangers: Iterable[str],
    override: Override,
    dane: Mapping[str, DaneFacts] = NO_FACTS,
    sts: Mapping[str, StsKnown] | None = None,
    known: Mapping[str, StsKnown] | None = None,
    *,
    is_named: bool,
) -> Demands:
    nobody, demands = DaneFacts(), {}
    policies = {name: each.policy for name, each in (sts or {}).items() if each.policy}
    listings = {id(policy): Listing(policy.mx) for policy in {id(each): each for each in policies.values()}.values()}
    for name in exchangers:
        policy = policies.get(name)
        listing = listings[id(policy)] if policy else None
        demands[name] = demanded(Known(name, override, dane.get(name, nobody), policy, is_named, listing))
    return Demands(demands, dane, known or {})


async def _known(domains: Iterable[str], override: Override, policies: Policies | None) -> Mapping[str, StsKnown]:
    if override.mode is not TlsMode.AUTO or policies is None:
        return {domain: StsKnown() for domain in domains}
    names = tuple(domains)
    return dict(zip(names, await asyncio.gather(*map(policies.known, names)), strict=True))


async def _nothing() -> Mapping[str, DaneFacts]:
    return NO_FACTS
