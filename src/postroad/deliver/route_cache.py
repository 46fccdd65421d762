"""The route to each destination, cached for as long as DNS allows, and its addresses rotated."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from postroad.deliver.settings import DeliverSettings
from postroad.routing import OnReject, Plan, Refusal, Route, RoutePolicy, Throw, plan_of, route_record, turned, turns_of
from postroad.spool import Parcel
from postroad.words.names import Address

MOST = 10_000  # destinations remembered
MOST_PLANS = 100  # orders remembered of one way


@dataclass(frozen=True, slots=True)
class DeliveryRoute:
    """The delivery route of a destination: the route or refusal, how to draw from it, and how to talk there.

    `life_s` is how long it may be remembered. Destinations with the same `key` share their exchangers, and so the
    number of deliveries at once. `name` is that of the route of our settings, if it has one, and `on_reject` what it
    does with mail that its hosts refuse.
    """

    answer: Route | Refusal
    policy: RoutePolicy
    settings: DeliverSettings
    life_s: float
    key: Hashable
    name: str = ""
    on_reject: OnReject | None = None
    record: str = field(default="", compare=False)
    turns: int = field(default=1, compare=False)  # after which its addresses stand as they did
    plans: dict[tuple[int, Throw], Plan] = field(default_factory=dict, compare=False, repr=False)

    def plan(self, route: Route, turn: int, thrown: Throw) -> Plan:
        """The order of its route that a throw means at a turn. There are few of them, so they are remembered."""
        seen = turn % self.turns, thrown
        plan = self.plans.get(seen)
        if plan is None:
            plan = plan_of(turned(route, turn), self.policy, thrown)
            if len(self.plans) < MOST_PLANS:
                self.plans[seen] = plan
        return plan

    @classmethod
    def of(
        cls, answer: Route | Refusal, policy: RoutePolicy, settings: DeliverSettings, life_s: float
    ) -> DeliveryRoute:
        """A way with its key and record."""
        record = json.dumps(route_record(answer), ensure_ascii=False, separators=(",", ":"))
        turns = turns_of(answer) if isinstance(answer, Route) else 1
        return cls(answer, policy, settings, life_s, _key(answer, settings), record=record, turns=turns)


WayKey = str | tuple[str, str]
"""What a way is remembered by: a destination; or one and the name of the route that its mail takes."""


def key_of(parcel: Parcel) -> WayKey:
    """The way that a parcel takes: by the settings, unless it was sent on to another route."""
    return (parcel.destination, parcel.routes[-1]) if parcel.routes else parcel.destination


class FindWay(Protocol):
    """What asks DNS and the settings for the way to a destination, given as text. Raises nothing for what DNS does."""

    def __call__(self, destination: str, named: str = "", /) -> Awaitable[DeliveryRoute]:
        """The way; by the route `named`, if that is decided."""
        ...


@dataclass(slots=True)
class _Known:
    way: DeliveryRoute
    ends: float
    turn: int = 0


class RouteCache:
    """The cache of delivery routes. `now` is the clock of the event loop."""

    def __init__(self, find: FindWay, now: Callable[[], float]) -> None:
        self._find = find
        self._now = now
        self._known: OrderedDict[WayKey, _Known] = OrderedDict()
        self._named: set[str] = set()  # routes that mail was sent on to

    def reload(self, find: FindWay) -> None:
        """Forget all: they are found by other settings now."""
        self._find = find
        self._known.clear()
        self._named.clear()

    def get(self, key: WayKey) -> DeliveryRoute | None:
        """The way, if it is remembered and still good."""
        known = self._known.get(key)
        return known.way if known and known.ends > self._now() else None

    async def find(self, key: WayKey) -> DeliveryRoute:
        """The way, asked for anew."""
        if isinstance(key, str):
            way = await self._find(key)
        else:
            way = await self._find(*key)
            self._named.add(key[1])
        before = self._known.pop(key, None)
        # An unchanged route goes on with its turns, so that a short TTL pins nothing
        turn = before.turn if before and before.way.answer == way.answer else 0
        self._known[key] = _Known(way, self._now() + way.life_s, turn)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return way

    def turn(self, key: WayKey, way: DeliveryRoute) -> int:
        """The number of the next use of a way."""
        known = self._known.get(key)
        if known is None or known.way is not way:
            return 0
        known.turn += 1
        return known.turn - 1

    def may_lead(self, destination: str, address: Address) -> bool:
        """Whether mail for a destination may go to an address: also if its way is not remembered."""
        known = self._known.get(destination)
        if known is None or _may_lead(known.way.answer, address):
            return True
        others = [self._known.get((destination, name)) for name in self._named]
        return any(other and _may_lead(other.way.answer, address) for other in others)


def _may_lead(answer: Route | Refusal, address: Address) -> bool:
    if isinstance(answer, Refusal):
        return True
    return any(address in each.addresses for level in answer.levels for each in level.exchangers)


def _key(answer: Route | Refusal, settings: DeliverSettings) -> Hashable:
    if isinstance(answer, Refusal):
        return str(answer.destination)
    names = frozenset((each.name, each.port) for level in answer.levels for each in level.exchangers)
    return names, settings.serial
