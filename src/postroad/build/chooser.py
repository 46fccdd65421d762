"""Which route of the settings mail takes, by its domain or by its exchangers, and what that route means for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from postroad.dns import RecordType, Resolver
from postroad.gather import Demands, gather, gather_hosts
from postroad.routing import (
    Own,
    Picked,
    Refusal,
    Route,
    RoutePolicy,
    Routes,
    StaticRoute,
    by_hand,
    decide,
    decide_static,
    no_longer_there,
    on_behalf,
)
from postroad.words.facts import Answer, Bogus, Found, Mx, NoData, NoName, Temporary
from postroad.words.names import AddressLiteral, Destination
from postroad.words.snapshot import Snapshot

LONGEST_LIFE_S = 300.0
"""A way is asked for anew after this time at the latest; the resolver's cache keeps to the TTL besides."""

AskDemands = Callable[[Snapshot, Sequence[str]], Awaitable[Demands]]
"""Asks what TLS has to prove at each exchanger of a snapshot; or at these hosts, where a route names them."""


async def no_demands(_snapshot: Snapshot, _named: Sequence[str]) -> Demands:
    """For who does not talk to them: nothing is asked."""
    return Demands()


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a route leads: what was looked up, what it means, and what TLS has to prove there."""

    snapshot: Snapshot
    answer: Route | Refusal
    demands: Demands


@dataclass(frozen=True, slots=True)
class Choice:
    """The route that mail takes and why, None for none; or why it cannot be known. It holds for so many seconds."""

    picked: Picked[StaticRoute] | Refusal | None
    life_s: float = LONGEST_LIFE_S


class Chooser:
    """The choice of a route: one that names the domain, else one for its exchangers, else the one for `*`."""

    def __init__(self, routes: Sequence[StaticRoute], resolver: Resolver) -> None:
        self._table = Routes(routes)
        self._names = {route.name: route for route in routes if route.name}
        self._resolver = resolver

    async def choose(self, destination: Destination, named: str = "") -> Choice:
        """Ask; whatever DNS does ends in the answer. `named` is the route it is to take, if that is decided."""
        if named:
            if route := self._names.get(named):
                return Choice(Picked(route, "the hosts of another route refused the mail, or somebody moved it"))
            if route := by_hand(named):
                return Choice(Picked(route, "somebody moved the mail to it"))
            return Choice(no_longer_there(named, destination))
        picked = self._table.of_domain(destination)
        if picked is None and self._table.wants_exchangers and not isinstance(destination, AddressLiteral):
            return await self._by_exchangers(destination)
        return Choice(picked or self._table.of_all())

    async def _by_exchangers(self, domain: str) -> Choice:
        mx: Answer[Mx] = await self._resolver.resolve(domain, RecordType.MX)
        match mx:
            case Temporary() | Bogus():  # which route it takes cannot be known, and no guess is safe
                answer = decide(Snapshot(domain, mx))
                return Choice(answer if isinstance(answer, Refusal) else None, 0.0)
            case Found(records=records):
                pass
            case NoData():  # its own name is the exchanger, RFC 5321 section 5.1
                records = (Mx(0, domain),)
            case NoName():
                records = ()
        return Choice(self._table.of_exchangers(records) or self._table.of_all(), mx.ttl_s)


async def follow(
    route: StaticRoute | None,
    destination: Destination,
    resolver: Resolver,
    policy: RoutePolicy,
    own: Own,
    demands: AskDemands = no_demands,
) -> Followed:
    """Go where a route leads, or DNS without one."""
    if route and route.hosts:
        names = [each.host for each in route.hosts if isinstance(each.host, str)]
        hosts = await gather_hosts(names, resolver)
        snapshot = Snapshot(destination, NoData(int(LONGEST_LIFE_S)), hosts)
        wanted = await demands(snapshot, [str(each.host) for each in route.hosts])
        answer = decide_static(route.hosts, destination, hosts, policy, own, wanted.by_exchanger)
        return Followed(snapshot, answer, wanted)
    mx_of = route.mx_of if route else ""
    snapshot = await gather(mx_of or destination, resolver)
    wanted = await demands(snapshot, ())
    answer = decide(snapshot, policy, own, wanted.by_exchanger)
    return Followed(snapshot, on_behalf(answer, destination) if mx_of else answer, wanted)
