"""Where mail for a destination goes: by a route of the settings if one is for it, else by DNS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from postroad.build import LONGEST_LIFE_S, Chooser
from postroad.deliver import DeliveryRoute
from postroad.dns import Resolver
from postroad.net import interface_addresses
from postroad.relay.settings import RelaySettings
from postroad.routing import Own
from postroad.words.facts import Found, NoData, NoName, Snapshot
from postroad.words.names import Address, AddressLiteral, parse_destination

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
    ) -> None:
        self._settings = settings
        self._chooser = Chooser([hop.route for hop in settings.next_hops], resolver, settings.policy)
        self._of_route = {id(hop.route): hop.settings for hop in settings.next_hops}
        self._interfaces = interfaces
        self._now = now
        self._own_ends = float("-inf")
        listens = frozenset((each.address, each.port) for each in settings.listen)
        self._own = replace(settings.own, listens=listens, port=settings.deliver.port)

    async def __call__(self, destination_text: str, named: str = "", /) -> DeliveryRoute:
        """Ask; whatever DNS does ends in the answer. `named` is the route to take, if that is decided."""
        destination = parse_destination(destination_text)
        assert isinstance(destination, str | AddressLiteral), destination  # noqa: S101  # it was read when it was accepted
        chosen = await self._chooser.choose(destination, self._who_we_are(), named)
        route = chosen.route
        settings = self._of_route[id(route)] if route else self._settings.deliver
        way = DeliveryRoute.of(chosen.answer, self._settings.policy, settings, _life_s(chosen.snapshot))
        return replace(way, name=route.name, on_reject=route.on_reject) if route else way

    def _who_we_are(self) -> Own:
        if self._now() >= self._own_ends:
            self._own_ends = self._now() + OWN_LIFE_S
            self._own = replace(self._own, interfaces=self._interfaces())
        return self._own


def _life_s(snapshot: Snapshot) -> float:
    """How long what was decided on a snapshot holds: as long as the shortest of its answers. Trouble is no answer."""
    answers = [snapshot.mx, *(answer for facts in snapshot.hosts.values() for answer in (facts.a, facts.aaaa))]
    lives = [answer.ttl_s if isinstance(answer, Found | NoData | NoName) else TROUBLE_S for answer in answers]
    return float(min(max(min(lives, default=1), 1), LONGEST_LIFE_S))
