"""Where mail for a destination goes: by a route of the settings if one is for it, else by DNS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from postroad.build import LONGEST_LIFE_S, Choice, Chooser, Followed, follow
from postroad.deliver import DeliveryRoute
from postroad.dns import Resolver
from postroad.gather import Demands, Policies, gather_demands, gather_demands_of_hosts
from postroad.net import interface_addresses
from postroad.relay.settings import NextHop, RelaySettings
from postroad.relay.tls_reports import SessionWatch
from postroad.routing import Own, Refusal, StaticRoute, noted
from postroad.tls import Watch, watch_of
from postroad.words.facts import Found, NoData, NoName
from postroad.words.names import Address, AddressLiteral, Destination, parse_destination
from postroad.words.policies import DaneFacts, StsKnown
from postroad.words.snapshot import Snapshot

TROUBLE_S = 5
"""How long the lack of an answer is remembered, as the resolver's cache does."""


OWN_LIFE_S = 60.0
"""How long the addresses of this machine are remembered: they change when a network comes or goes."""


class Finder:
    """The way to a destination, and how to talk to the hosts there. `interfaces` are our own addresses."""

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
        self._usual = NextHop(StaticRoute(), settings.deliver, tls=settings.tls)
        self._resolver = resolver
        self._policies = policies
        self._sessions = sessions
        self._chooser = Chooser([hop.route for hop in settings.next_hops], resolver)
        self._hops: Mapping[int, NextHop] = {id(hop.route): hop for hop in settings.next_hops}
        self._interfaces = interfaces
        self._now = now
        self._own_ends = float("-inf")
        listens = frozenset((each.address, each.port) for each in settings.listen)
        self._own = replace(settings.own, listens=listens, port=settings.deliver.port)

    async def __call__(self, destination_text: str, named: str = "", /) -> DeliveryRoute:
        """Ask; whatever DNS does ends in the answer. `named` is the route to take, if that is decided."""
        destination = parse_destination(destination_text)
        assert isinstance(destination, str | AddressLiteral), destination  # noqa: S101  # it was read when it was accepted
        choice = await self._chooser.choose(destination, named)
        if isinstance(choice.picked, Refusal):
            return DeliveryRoute.of(choice.picked, self._settings.policy, self._settings.deliver, TROUBLE_S)
        hop = self._hop(choice.picked.route) if choice.picked else self._usual
        way, found = await self._by_hop(hop, destination, choice)
        if self._sessions:
            self._sessions.know((destination_text, named) if named else destination_text, _watches(hop, found))
        return way

    def _hop(self, route: StaticRoute) -> NextHop:
        """How to talk to its hosts; as is usual, to those that no setting names."""
        return self._hops.get(id(route)) or replace(self._usual, route=route)

    async def _by_hop(self, hop: NextHop, destination: Destination, choice: Choice) -> tuple[DeliveryRoute, Followed]:
        policy, own = self._settings.policy, self._who_we_are()
        found = await follow(hop.route, destination, self._resolver, policy, own, partial(self._demands, hop))
        answer, life_s = found.answer, min(_life_s(found.snapshot), found.demands.life_s, choice.life_s)
        if choice.picked and not isinstance(choice.picked, Refusal):
            answer = noted(answer, hop.route, choice.picked.why)
        way = DeliveryRoute.of(answer, policy, hop.settings, max(life_s, 1.0))
        if choice.picked:
            way = replace(way, name=hop.route.name, on_reject=hop.route.on_reject)
        return way, found

    async def _demands(self, hop: NextHop, snapshot: Snapshot, named: Sequence[str]) -> Demands:
        """What a connection to each exchanger has to be, or to each host that a route names."""
        if named:
            return await gather_demands_of_hosts(named, snapshot.hosts, self._resolver, hop.tls, self._policies)
        return await gather_demands(snapshot, self._resolver, hop.tls, self._policies)

    def _who_we_are(self) -> Own:
        if self._now() >= self._own_ends:
            self._own_ends = self._now() + OWN_LIFE_S
            self._own = replace(self._own, interfaces=self._interfaces())
        return self._own


def _watches(hop: NextHop, found: Followed) -> Mapping[str, Watch]:
    """How sessions with each exchanger count; hosts that a route names are their own policy domains."""
    demands, domain, hosts = found.demands, found.snapshot.domain, found.snapshot.hosts
    if isinstance(domain, AddressLiteral) and not hop.route.hosts:
        return {}
    nobody, nothing = DaneFacts(), StsKnown()
    watches = {}
    for name in hosts:
        whose = name if hop.route.hosts else str(domain)
        demand = demands.by_exchanger.get(name)
        dane, sts = demands.dane.get(name, nobody), demands.sts.get(whose, nothing)
        if demand and (watch := watch_of(whose, name, demand, dane, sts)):
            watches[name] = watch
    return watches


def _life_s(snapshot: Snapshot) -> float:
    """How long what was decided on a snapshot holds: as long as the shortest of its answers. Trouble is no answer."""
    answers = [snapshot.mx, *(answer for facts in snapshot.hosts.values() for answer in (facts.a, facts.aaaa))]
    lives = [answer.ttl_s if isinstance(answer, Found | NoData | NoName) else TROUBLE_S for answer in answers]
    return float(min(max(min(lives, default=1), 1), LONGEST_LIFE_S))
