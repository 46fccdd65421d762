"""Where mail for a destination goes: by a static route if one names it, else by DNS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from postroad.deliver import DeliveryRoute
from postroad.dns import Resolver
from postroad.gather import Policies, gather, gather_demands, gather_demands_of_hosts, gather_hosts
from postroad.net import interface_addresses
from postroad.relay.settings import NextHop, RelaySettings
from postroad.routing import Own, by_domain, decide, decide_static, on_behalf, pick
from postroad.tls import Known, demanded
from postroad.words.facts import Found, NoData, NoName, Snapshot
from postroad.words.names import Address, AddressLiteral, Destination, parse_destination

LONGEST_LIFE_S = 300.0
"""A way is asked for anew after this time at the latest; the resolver's cache keeps to the TTL besides."""

TROUBLE_S = 5
"""How long the lack of an answer is remembered, as the resolver's cache does."""


OWN_LIFE_S = 60.0
"""How long the addresses of this machine are remembered: they change when a network comes or goes."""


class Finder:
    """The way to a destination: by a static route if one names it, else by DNS. `interfaces` are our own addresses."""

    def __init__(
        self,
        settings: RelaySettings,
        resolver: Resolver,
        interfaces: Callable[[], frozenset[Address]] = interface_addresses,
        now: Callable[[], float] = time.monotonic,
        policies: Policies | None = None,
    ) -> None:
        self._settings = settings
        self._usual = NextHop((), settings.deliver, tls=settings.tls)
        self._resolver = resolver
        self._policies = policies
        self._table: Mapping[str, NextHop] = by_domain(settings.next_hops)
        self._interfaces = interfaces
        self._now = now
        self._own_ends = float("-inf")
        listens = frozenset((each.address, each.port) for each in settings.listen)
        self._own = replace(settings.own, listens=listens, port=settings.deliver.port)

    async def __call__(self, destination_text: str) -> DeliveryRoute:
        """Ask; whatever DNS does ends in the answer."""
        destination = parse_destination(destination_text)
        assert isinstance(destination, str | AddressLiteral), destination  # noqa: S101  # it was read when it was accepted
        hop = pick(self._table, destination)
        return await self._by_hop(hop or self._usual, destination)

    async def _by_hop(self, hop: NextHop, destination: Destination) -> DeliveryRoute:
        policy, own = self._settings.policy, self._who_we_are()
        if hop.hosts:
            names = [each.host for each in hop.hosts if isinstance(each.host, str)]
            hosts = await gather_hosts(names, self._resolver)
            snapshot = Snapshot(destination, NoData(int(LONGEST_LIFE_S)), hosts)
            demands = await gather_demands_of_hosts(hosts, self._resolver, hop.tls, self._policies)
            by_host = {str(each.host): demanded(Known(str(each.host), hop.tls)) for each in hop.hosts}
            by_host |= demands.by_exchanger
            answer = decide_static(hop.hosts, destination, hosts, policy, own, by_host)
        else:
            snapshot = await gather(hop.mx_of or destination, self._resolver)
            demands = await gather_demands(snapshot, self._resolver, hop.tls, self._policies)
            answer = decide(snapshot, policy, own, demands.by_exchanger)
            if hop.mx_of:
                answer = on_behalf(answer, destination)
        return DeliveryRoute.of(answer, policy, hop.settings, max(min(_life_s(snapshot), demands.life_s), 1.0))

    def _who_we_are(self) -> Own:
        if self._now() >= self._own_ends:
            self._own_ends = self._now() + OWN_LIFE_S
            self._own = replace(self._own, interfaces=self._interfaces())
        return self._own


def _life_s(snapshot: Snapshot) -> float:
    """How long what was decided on a snapshot holds: as long as the shortest of its answers. Trouble is no answer."""
    answers = [snapshot.mx, *(answer for facts in snapshot.hosts.values() for answer in (facts.a, facts.aaaa))]
    lives = [answer.ttl_s if isinstance(answer, Found | NoData | NoName) else 5 for answer in answers]
    return float(min(max(min(lives, default=1), 1), LONGEST_LIFE_S))
