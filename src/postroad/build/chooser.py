"""Where mail for a destination goes: by a route of the settings, for its domain or its exchangers, else by DNS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.dns import RecordType, Resolver
from postroad.gather import gather, gather_hosts
from postroad.routing import (
    Own,
    Picked,
    Refusal,
    Route,
    RoutePolicy,
    RouteTable,
    Source,
    StaticRoute,
    decide,
    decide_static,
    no_longer_there,
    noted,
    on_behalf,
)
from postroad.words.facts import Answer, Bogus, Mx, NoData, Snapshot, Temporary
from postroad.words.names import AddressLiteral, Destination

LONGEST_LIFE_S = 300.0
"""A way is asked for anew after this time at the latest; the resolver's cache keeps to the TTL besides."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A route or refusal, what DNS said of it, and the route of the settings that was taken, if any."""

    answer: Route | Refusal
    snapshot: Snapshot
    route: StaticRoute | None = None


class Chooser:
    """The choice of a way: a route that names the domain, else one for its exchangers, else that for `*`, else DNS."""

    def __init__(self, routes: Sequence[StaticRoute], resolver: Resolver, policy: RoutePolicy) -> None:
        self._table = RouteTable(routes)
        self._names = {route.name: route for route in routes if route.name}
        self._resolver = resolver
        self._policy = policy

    async def choose(self, destination: Destination, own: Own, named: str = "") -> Chosen:
        """Ask; whatever DNS does ends in the answer. `named` is the route it is to take after another one's refusal."""
        if named:
            route = self._names.get(named)
            if route is None:
                return Chosen(no_longer_there(named, destination), Snapshot(destination, NoData()))
            return await self._by(Picked(route, "the route before it was refused"), destination, own)
        picked = self._table.of_domain(destination)
        if picked is None and self._table.wants_exchangers and not isinstance(destination, AddressLiteral):
            return await self._by_exchangers(destination, own)
        picked = picked or self._table.of_all()
        return await self._by(picked, destination, own) if picked else await self._direct(destination, own)

    async def _by_exchangers(self, domain: str, own: Own) -> Chosen:
        mx: Answer[Mx] = await self._resolver.resolve(domain, RecordType.MX)
        if isinstance(mx, Temporary | Bogus):  # which route it takes cannot be known: none is a safe guess
            return await self._direct(domain, own)
        picked = self._table.of_exchangers(mx.records)
        if picked is None and not mx.records:
            direct = await self._direct(domain, own)
            if isinstance(direct.answer, Route) and direct.answer.source is Source.IMPLICIT:
                picked = self._table.of_exchangers([Mx(0, domain)])
        picked = picked or self._table.of_all()
        return await self._by(picked, domain, own, mx) if picked else await self._direct(domain, own)

    async def _by(
        self, picked: Picked[StaticRoute], destination: Destination, own: Own, mx: Answer[Mx] | None = None
    ) -> Chosen:
        route = picked.route
        if route.hosts:
            names = [each.host for each in route.hosts if isinstance(each.host, str)]
            hosts = await gather_hosts(names, self._resolver)
            snapshot = Snapshot(destination, mx or NoData(int(LONGEST_LIFE_S)), hosts)
            answer = decide_static(route.hosts, destination, hosts, self._policy, own)
        else:
            snapshot = await gather(route.mx_of or destination, self._resolver)
            answer = decide(snapshot, self._policy, own)
            answer = on_behalf(answer, destination) if route.mx_of else answer
        return Chosen(noted(answer, route, picked.why), snapshot, route)

    async def _direct(self, destination: Destination, own: Own) -> Chosen:
        snapshot = await gather(destination, self._resolver)
        return Chosen(decide(snapshot, self._policy, own), snapshot)
