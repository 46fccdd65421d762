"""Where mail for a destination goes: by a static route if one names it, else by DNS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from postroad.deliver import DeliveryRoute
from postroad.dns import Resolver
from postroad.gather import Demands, Policies, gather, gather_demands, gather_demands_of_hosts, gather_hosts
from postroad.net import interface_addresses
from postroad.relay.settings import NextHop, RelaySettings
from postroad.relay.tls_reports import SessionWatch
from postroad.routing import Own, by_domain, decide, decide_static, on_behalf, pick
from postroad.tls import Known, demanded, watch_of
from postroad.words.facts import Found, NoData, NoName, Snapshot
from postroad.words.names import Address, AddressLiteral, Destination, parse_destination
from postroad.words.policies import DaneFacts, StsKnown

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
        sessions: SessionWatch | None = None,
    ) -> None:
        self._settings = settings
        self._usual = NextHop((), settings.deliver, tls=settings.tls)
        self._resolver = resolver
        self._policies = policies
        self._sessions = sessions
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
        return await self._by_hop(hop or self._usual, destination, destination_text)

    async def _by_hop(self, hop: NextHop, destination: Destination, destination_text: str) -> DeliveryRoute:
        policy, own = self._settings.policy, self._who_we_are()
        if hop.hosts:
            names = [each.host for each in hop.hosts if isinstance(each.host, str)]
            hosts = await gather_hosts(names, self._resolver)
            snapshot = Snapshot(destination, NoData(int(LONGEST_LIFE_S)), hosts)
            demands = await gather_demands_of_hosts(hosts, self._resolver, hop.tls, self._policies)
            by_host = {str(each.host): demanded(Known(str(each.host), hop.tls)) for each in hop.hosts}
            by_host |= demands.by_exchanger
            self._watch(destination_text, demands, {name: name for name in names})
            answer = decide_static(hop.hosts, destination, hosts, policy, own, by_host)
        else:
            snapshot = await gather(hop.mx_of or destination, self._resolver)
            demands = await gather_demands(snapshot, self._resolver, hop.tls, self._policies)
            domain = snapshot.domain
            if isinstance(domain, str):
                self._watch(destination_text, demands, dict.fromkeys(snapshot.hosts, domain))
            answer = decide(snapshot, policy, own, demands.by_exchanger)
            if hop.mx_of:
                answer = on_behalf(answer, destination)
        return DeliveryRoute.of(answer, policy, hop.settings, max(min(_life_s(snapshot), demands.life_s), 1.0))

    def _watch(self, destination: str, demands: Demands, domains: Mapping[str, str]) -> None:
        """Have sessions counted under the policy of each exchanger's policy domain, if anything is counted."""
        if self._sessions is None:
            return
        nobody, nothing = DaneFacts(), StsKnown()
        watches = {
            name: watch_of(domain, name, demand, demands.dane.get(name, nobody), demands.sts.get(domain, nothing))
            for name, domain in domains.items()
            if (demand := demands.by_exchanger.get(name))
        }
        self._sessions.know(destination, {name: watch for name, watch in watches.items() if watch})

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
