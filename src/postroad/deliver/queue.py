"""Whose turn it is: parcels in memory, in one lane for each set of exchangers, served round and round.

A slow set keeps its own mail waiting and nobody else's: it has as many deliveries at once as its window is wide, and
no more of the memory than is left to all the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from postroad.deliver.ways import Way
from postroad.pace import Turns, Window, WindowPolicy
from postroad.spool import Parcel
from postroad.words.names import Address

IDLE_LANES = 10_000  # windows remembered of sets that have nothing waiting


@dataclass(slots=True)
class Item:
    """A claimed parcel in memory, with its way once that is known."""

    parcel: Parcel
    way: Way | None = None
    lane: Lane | None = None
    place: Address | None = None  # where it has one of the deliveries at once


@dataclass(slots=True)
class Lane:
    """What waits for one set of exchangers."""

    key: Hashable
    window: Window
    waiting: deque[Item] = field(default_factory=deque)


class Queue:
    """The parcels in memory: at most `most`. An item enters by `admit`, leaves by `finish`."""

    def __init__(self, most: int, window: WindowPolicy, per_address: int) -> None:
        self.most = most
        self._window = window
        self._per_address = per_address
        self._lanes: OrderedDict[Hashable, Lane] = OrderedDict()
        self._turns: Turns[Hashable] = Turns()
        self._by_destination: dict[str, int] = {}
        self._at_address: dict[Address, int] = {}
        self._parked: dict[Address, deque[Item]] = {}
        self._unparked: deque[Item] = deque()
        self.size = 0

    def limit(self, most: int, window: WindowPolicy, per_address: int) -> None:
        """Other limits from now on; lanes that are there keep their windows."""
        self.most, self._window, self._per_address = most, window, per_address

    @property
    def room(self) -> int:
        """How many more parcels may be held."""
        return self.most - self.size

    def has_room_for(self, destination: str) -> bool:
        """Whether a parcel for this destination may enter: none may hold more than is left to all others."""
        return self._by_destination.get(destination, 0) < self.room

    def full_destinations(self) -> set[str]:
        """Those that hold as much as they may."""
        return {name for name, count in self._by_destination.items() if count >= self.room}

    def admit(self, item: Item) -> None:
        """Count an item; it is not yet in a lane, for its way may not be known."""
        self.size += 1
        destination = item.parcel.destination
        self._by_destination[destination] = self._by_destination.get(destination, 0) + 1

    def line_up(self, item: Item, way: Way) -> None:
        """Let an item wait for its turn."""
        lane = self._lanes.get(way.key)
        if lane is None:
            lane = self._lanes[way.key] = Lane(way.key, Window(self._window))
            self._forget_idle()
        item.way, item.lane = way, lane
        lane.waiting.append(item)
        if lane.window.has_room:
            self._turns.add(way.key)

    def next(self) -> Item | None:
        """The item whose turn it is, its delivery begun; None if there is none now."""
        if self._unparked:
            return self._unparked.popleft()
        key = self._turns.next()
        if key is None:
            return None
        lane = self._lanes[key]
        item = lane.waiting.popleft()
        lane.window.begin()
        if not lane.waiting or not lane.window.has_room:
            self._turns.discard(key)
        return item

    def enter(self, item: Item, address: Address | None) -> bool:
        """Take a place at an address, for any other; False if all are taken: parked, `next` has it once one is free."""
        if item.place == address:
            return True
        self._leave(item)
        if address is None:
            return True
        there = self._at_address.get(address, 0)
        if there >= self._per_address:
            self._parked.setdefault(address, deque()).append(item)
            return False
        self._at_address[address] = there + 1
        item.place = address
        return True

    def finish(self, item: Item, *, met_host: bool | None) -> None:
        """An item is settled. `met_host`: whether any host had a session with us; None says nothing about them."""
        self._leave(item)
        self.size -= 1
        destination = item.parcel.destination
        held = self._by_destination.pop(destination) - 1
        if held:
            self._by_destination[destination] = held
        if item.lane:
            self._feed_back(item.lane, met_host=met_host)

    def drop_waiting(self) -> list[Item]:
        """Take out all that waits, in lanes or for a place: the relay ends."""
        parked = [item for items in self._parked.values() for item in items]
        items = [*self._unparked, *parked, *(item for lane in self._lanes.values() for item in lane.waiting)]
        self._unparked.clear()
        self._parked.clear()
        for lane in self._lanes.values():
            lane.waiting.clear()
            self._turns.discard(lane.key)
        return items

    def _leave(self, item: Item) -> None:
        """Give back its place: to whoever is parked for it, so that a place never stands free while one waits."""
        address, item.place = item.place, None
        if address is None:
            return
        parked = self._parked.get(address)
        if parked:
            heir = parked.popleft()
            heir.place = address
            self._unparked.append(heir)
            if not parked:
                del self._parked[address]
            return
        self._at_address[address] -= 1
        if not self._at_address[address]:
            del self._at_address[address]

    def _feed_back(self, lane: Lane, *, met_host: bool | None) -> None:
        if met_host is None:
            lane.window.abandoned()
        elif met_host:
            lane.window.succeeded()
        else:
            lane.window.failed()
        if lane.waiting and lane.window.has_room:
            self._turns.add(lane.key)

    def _forget_idle(self) -> None:
        """Drop the oldest lane that is idle, if there are too many; busy ones go to the end."""
        for _ in range(len(self._lanes) - IDLE_LANES):
            key, lane = next(iter(self._lanes.items()))
            if lane.waiting or lane.window.in_flight:
                self._lanes.move_to_end(key)
            else:
                del self._lanes[key]
