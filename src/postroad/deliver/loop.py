"""The delivery loop: takes parcels in turn and has each delivered. This file awaits; others decide what to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from postroad.deliver.bounce import Reporter
from postroad.deliver.deliveries import Deliveries
from postroad.deliver.exits import Exits
from postroad.deliver.feed import Feed
from postroad.deliver.hosts import Hosts
from postroad.deliver.hurry import Hurry
from postroad.deliver.neighbours import Neighbours
from postroad.deliver.pool import Pool
from postroad.deliver.queue import Item, Queue
from postroad.deliver.route_cache import DeliveryRoute, FindWay, RouteCache, WayKey, key_of
from postroad.deliver.settings import LoopSettings
from postroad.deliver.world import Tasks, World
from postroad.spool import Claims, Parcel
from postroad.words.names import Address


class Loop:
    """The delivery loop: it delivers what the spool has.

    Draws come from the seed of each message, not from the dice of the world.
    """

    def __init__(self, spool: Claims, find: FindWay, reporter: Reporter, settings: LoopSettings, world: World) -> None:
        self.settings = settings
        self._world = world
        self._now = asyncio.get_running_loop().time
        self._tasks = Tasks()
        self._ways = RouteCache(find, self._now)
        self._pool = Pool(settings.reuse, self._now)
        self.queue = Queue(settings.queue)
        self.hosts = Hosts(settings.health, self._pool, self._now, self._changed)
        self._neighbours = Neighbours(spool, self.hosts, self._knows, world, self._now)
        self._feed = Feed(spool, self.queue, self._claimed, world, self._now)
        self._hurry = Hurry(spool, self.hosts, self._tasks, world, self._now)
        self._exits = Exits(settings.schedule, reporter, self._feed, self.hosts, self._tasks, world)
        self._deliveries = Deliveries(self._feed, self._ways, self.hosts, self._exits, self._tasks, self._pump)
        self.pressure = self._deliveries.pressure
        self._unrouted: dict[WayKey, list[Item]] = {}
        self._is_pumping = False
        self._aging: asyncio.TimerHandle | None = None
        self._is_draining = False
        self._nodes = 1  # relays that share the spool

    def has_room_for(self, destinations: Collection[str]) -> bool:
        """Whether a fresh message may be claimed at once, rather than rest in the spool first."""
        if self._is_draining or not self._world.lease.runs:
            return False
        for name in destinations:  # noqa: SIM110  # a generator is a call more for each
            if not self.queue.has_room_for(name):
                return False
        return True

    def take(self, parcels: Collection[Parcel]) -> None:
        """Deliver parcels that this node has claimed."""
        for parcel in parcels:
            item = Item(parcel, self._world.lease.term)
            self.queue.admit(item)
            self._enter(item)
        if self.queue.waiting:
            self._pump()

    def _claimed(self, parcels: Collection[Parcel]) -> None:
        self._world.tell("deliver.claim.complete", parcels=parcels)
        self.take(parcels)

    @property
    def in_flight(self) -> int:
        """Deliveries in progress."""
        return self._deliveries.count

    @property
    def resting(self) -> int:
        """Connections that wait for another message."""
        return self._pool.resting

    def reload(self, settings: LoopSettings, find: FindWay, reporter: Reporter) -> None:
        """Deliveries that begin from now on have other settings; the health of hosts is kept."""
        self.settings = settings
        self._ways.reload(find)
        self._exits.schedule, self._exits.reporter = settings.schedule, reporter
        self._pool.policy = settings.reuse
        self.queue.limit(settings.queue.shared_by(self._nodes))
        self._feed.poll_s, self._feed.schedule = settings.poll_s, settings.schedule
        self._pump()

    def share(self, nodes: int) -> None:
        """So many relays deliver from the spool now: together they give a host no more than one alone would."""
        if nodes != self._nodes:
            self._nodes = nodes
            self._neighbours.talk.share(nodes)
            self.queue.limit(self.settings.queue.shared_by(nodes))
            self._pump()

    def lease(self, asked_at: float, until: float) -> None:
        """The lease of what is claimed was renewed, after it was asked for at this time of `steady`."""
        self._world.lease.renew(asked_at, until)

    def look(self) -> None:
        """There may be something new in the spool: look now, not at the next poll."""
        self._feed.look()

    async def run(self) -> None:
        """Feed from the spool until drained."""
        self._feed.poll_s, self._feed.schedule = self.settings.poll_s, self.settings.schedule
        await self._feed.run()

    async def drain(self, limit_s: float) -> int:
        """Begin nothing new, let deliveries under way end, then give up the rest; how many were given up."""
        self._is_draining = True
        self._feed.stop()
        await self._give_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._until_quiet()
        given_up = self._deliveries.count
        self._deliveries.stop()
        await self._tasks.cancel()
        if self._aging:
            self._aging.cancel()
        self._neighbours.talk.close()
        self.hosts.probes.close()
        await self._pool.close()
        await self._give_back()
        return given_up

    async def _until_quiet(self) -> None:
        while self._deliveries.count or self._exits.pending or self._tasks:
            self._tasks.changed.clear()
            await self._tasks.changed.wait()

    async def _give_back(self) -> None:
        """What waits here goes back to the spool."""
        waiting = [*self.queue.drop_waiting(), *(item for items in self._unrouted.values() for item in items)]
        self._unrouted.clear()
        await self._feed.give_back([item.parcel for item in waiting])

    def _enter(self, item: Item) -> None:
        """Draw its course, or find the way first: once for all that wait for the same."""
        parcel = item.parcel
        key = key_of(parcel) if parcel.routes else parcel.destination  # a call less for nearly all
        way = self._ways.get(key)
        if way:
            self._line_up(item, way)
        elif key in self._unrouted:
            self._unrouted[key].append(item)
        else:
            self._unrouted[key] = [item]
            self._tasks.spawn(self._route(key))

    async def _route(self, key: WayKey) -> None:
        try:
            way = await self._ways.find(key)
        except Exception as bug:  # noqa: BLE001  # one domain must not end the relay
            for item in self._unrouted.pop(key, []):
                self._deliveries.put_off(item, bug)
            return
        for item in self._unrouted.pop(key, []):
            self._line_up(item, way)
        self._pump()

    def _line_up(self, item: Item, way: DeliveryRoute) -> None:
        try:
            course = item.course = self._deliveries.course(item.parcel, way)
        except Exception as bug:  # noqa: BLE001  # as in _route
            self._deliveries.put_off(item, bug)
            return
        if course.unhealthy and course.is_blocked and self._exits.block(item, course):
            self._hurry.look()
            return
        if not self._is_draining and self.queue.begin(item, course, self._now()):
            self._deliveries.begin(item)
        elif not self.queue.line_up(item, course):
            self._exits.give_back(item, course)

    def _pump(self) -> None:
        """Begin what may begin now, and come back when what is under way has grown old."""
        if not self.queue.waiting or self._is_pumping:  # what is begun may end at once
            return
        self._is_pumping = True
        again = self.queue.age(self._now())
        while not self._is_draining and (item := self.queue.next(self._now())):
            self._deliveries.begin(item)
        self._is_pumping = False
        if again is not None and self._aging is None and not self._is_draining and self.queue.is_held_up:
            self._aging = asyncio.get_running_loop().call_at(again, self._age)

    def _knows(self, address: Address) -> bool:
        return self.queue.knows(str(address), self._now())

    def _age(self) -> None:
        self._aging = None
        self._pump()

    def _changed(self, address: Address, *, is_healthy: bool) -> None:
        """A host became unhealthy, or is healthy again: then all mail that waits for it is due now."""
        self._world.tell("deliver.host.recovered" if is_healthy else "deliver.host.failed", address=str(address))
        self._neighbours.talk.look()
        if is_healthy:
            self._tasks.spawn(self._feed.wake(lambda name: self._ways.may_lead(name, address)))
            return
        for item in self.queue.evict(str(address)):
            if item.course:
                self._line_up(item, item.course.way)
