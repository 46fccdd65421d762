"""Whose turn it is: parcels in memory, each in the queue of the address that was drawn for it first. Pure.

An address has as many deliveries at once as its window is wide, so a slow one keeps the mail drawn for it waiting and
no other's: the shares stay as drawn, and the others go at their own pace. Before a door the destinations take turns,
and the doors take turns among themselves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from postroad.deliver.course import AttemptOrder
from postroad.deliver.places import Places
from postroad.deliver.settings import QueueLimits
from postroad.pace import FairRound, Window, WindowPolicy
from postroad.spool import Parcel

LOW = 4  # with less than one in so many of what its doors take, more is claimed for a destination
FRESH_S = 30.0  # so lately a host that answered is known to answer
IDLE_DOORS = 10_000  # windows remembered of addresses that have nothing to do


@dataclass(slots=True, eq=False)
class Item:
    """A claimed parcel in memory, with the order drawn for it once its route is known; `term` is that of its lease."""

    parcel: Parcel
    term: int = 0
    course: AttemptOrder | None = None
    door: AddressQueue | None = None
    is_under_way: bool = False


@dataclass(slots=True, eq=False)
class AddressQueue:
    """The queue of parcels for one address.

    `old` counts deliveries there that have lasted long, `pace_s` is the time for one.
    """

    where: str  # the address as text
    window: Window
    lines: dict[str, deque[Item]] = field(default_factory=dict)  # by destination
    turns: FairRound[str] = field(default_factory=FairRound)
    waiting: int = 0
    old: int = 0
    proved: bool = False
    turn: bool | None = None  # whether it has turns among the trusted or the others; None: it has none now
    pace_s: float = 0.0
    left_at: float = 0.0

    @property
    def is_trusted(self) -> bool:
        """Whether its host has shown that it answers, and keeps nobody waiting now."""
        return self.proved and not self.old

    @property
    def has_room(self) -> bool:
        """Whether another delivery may begin. A host that has not shown yet that it answers gets one."""
        return (self.proved or self.window.in_flight == 0) and self.window.has_room

    def begin(self, now: float) -> None:
        """A delivery begins. Where none was under way, the time before it says nothing about the host's pace."""
        if not self.window.in_flight:
            self.left_at = now
        self.window.begin()

    def end(self, now: float, *, met_host: bool | None) -> None:
        """A delivery has ended: how long one after the other takes, the last few counting most.

        `met_host`: whether any host had a session with us; None says nothing about them.
        """
        self.pace_s += (now - self.left_at - self.pace_s) / 16
        self.left_at = now
        if met_host is None:
            self.window.abandoned()
        elif met_host:
            self.proved = True
            self.window.succeeded()
        else:
            self.window.failed()
            self.proved = self.proved and self.window.size > 1

    def push(self, item: Item) -> None:
        """One more waits."""
        destination = item.parcel.destination
        self.lines.setdefault(destination, deque()).append(item)
        self.turns.add(destination)
        self.waiting += 1

    def pop(self) -> Item:
        """The one whose turn it is."""
        destination = self.turns.next()
        assert destination is not None  # noqa: S101  # whoever asks has seen that something waits
        line = self.lines[destination]
        item = line.popleft()
        if not line:
            del self.lines[destination]
            self.turns.discard(destination)
        self.waiting -= 1
        return item

    def clear(self) -> list[Item]:
        """Everything that waits, taken out."""
        items = [item for line in self.lines.values() for item in line]
        self.lines.clear()
        self.turns = FairRound()
        self.waiting = 0
        return items


class Doors(OrderedDict[str, AddressQueue]):
    """The queues by address, as text. Of those that have nothing to do only so many are remembered."""

    def at(self, where: str, policy: WindowPolicy) -> AddressQueue:
        """The door of an address; a new one, if there is none yet."""
        door = self.get(where)
        if door is None:
            door = self[where] = AddressQueue(where, Window(policy))
            self._forget_idle()
        return door

    def _forget_idle(self) -> None:
        """Drop the oldest door that has nothing to do, if there are too many; busy ones go to the end."""
        for _ in range(len(self) - IDLE_DOORS):
            where, door = next(iter(self.items()))
            if door.waiting or door.window.in_flight:
                self.move_to_end(where)
            else:
                del self[where]


class Queue:
    """The parcels in memory: an item is admitted and lined up, `next` begins it, it leaves, and is forgotten."""

    def __init__(self, limits: QueueLimits) -> None:
        self.limits = limits
        self.places = Places(limits.concurrency)
        self.size = 0
        self.waiting = 0  # items that are not begun
        self._doors = Doors()
        # The doors that have something to do and room for it: those of trusted hosts, and the others
        self._turns: dict[bool, FairRound[str]] = {True: FairRound(), False: FairRound()}
        self._ready = {True: 0, False: 0}  # how many those are
        self._last = False  # which of the two had the last turn
        self._at_once: deque[Item] = deque()  # no host is asked for these
        self._by_destination: dict[str, int] = {}
        self._spread: dict[str, int] = {}  # over so many doors goes the mail of a destination

    def limit(self, limits: QueueLimits) -> None:
        """Other limits from now on, for the windows that are there as well: what is under way goes on."""
        self.limits = limits
        self.places.concurrency = limits.concurrency
        for door in self._doors.values():
            door.window.limit(limits.window)
            self._place(door)

    @property
    def room(self) -> int:
        """How many more parcels may be held."""
        return self.limits.held - self.size

    def has_room_for(self, destination: str) -> bool:
        """Whether a parcel for this destination may enter.

        None may hold more than is left to all others, nor more than its doors take.
        """
        held = self._by_destination.get(destination, 0)
        return held < self.limits.held - self.size and held < self._share(destination)

    def full_destinations(self) -> set[str]:
        """Those for which nothing is claimed now: what waits before their doors will do for a while."""
        room = self.room
        return {name for name, held in self._by_destination.items() if held >= min(room, self._share(name) // LOW)}

    def is_low(self, destination: str) -> bool:
        """Whether more may be claimed for a destination."""
        return self._by_destination.get(destination, 0) < self._share(destination) // LOW

    def _share(self, destination: str) -> int:
        return self.limits.waiting * self._spread.get(destination, 1)

    def admit(self, item: Item) -> None:
        """Count an item; it does not wait for its turn yet, for its way may not be known."""
        self.size += 1
        destination = item.parcel.destination
        self._by_destination[destination] = self._by_destination.get(destination, 0) + 1

    def line_up(self, item: Item, course: AttemptOrder) -> bool:
        """Let an item wait for its turn; False if too many wait for the same address: it should wait in the spool."""
        item.course = course
        self._spread[item.parcel.destination] = max(1, len(course.plan.targets))
        if course.first is None:
            self._at_once.append(item)
            self.waiting += 1
            return True
        door = self._doors.at(course.first, self.limits.window)
        if door.waiting >= self.limits.waiting:
            return False
        item.door = door
        door.push(item)
        self.waiting += 1
        self._place(door)
        return True

    def begin(self, item: Item, course: AttemptOrder, now: float) -> bool:
        """Begin an item that has just come, if nobody waits where it goes and there is room: it lines up nowhere."""
        where = course.first
        if where is None:
            item.course = course
            return True
        door = self._doors.get(where) or self._doors.at(where, self.limits.window)
        if door.waiting or not door.has_room or not self.places.has_room(proved=door.is_trusted):
            return False
        item.course, item.door = course, door
        door.begin(now)
        self.places.begin(item, now)
        return True

    def next(self, now: float) -> Item | None:
        """The item whose turn it is, its delivery begun; None if there is none now."""
        if self._at_once:
            self.waiting -= 1
            return self._at_once.popleft()
        for trusted in (not self._last, self._last):
            if self._ready[trusted] and self.places.has_room(proved=trusted):
                self._last = trusted
                where = self._turns[trusted].next()
                assert where is not None  # noqa: S101  # there are some
                return self._begin(self._doors[where], now)
        return None

    def greeted(self, item: Item, now: float) -> None:
        """Its host, or another of its course, has greeted."""
        if self.places.greeted(item, now) and item.door:
            item.door.old -= 1
            self._place(item.door)

    def age(self, now: float) -> float | None:
        """Count what lasts long apart; when to ask again (None: nothing is under way that will)."""
        aged, again = self.places.age(now)
        for item in aged:
            if isinstance(item, Item) and item.door:
                item.door.old += 1
                self._place(item.door)
        return again

    def leave(self, item: Item, now: float, *, met_host: bool | None) -> None:
        """A delivery has ended. `met_host`: see Door.end."""
        door, item.door = item.door, None
        if door is None:
            return
        if self.places.end(item):
            door.old -= 1
        door.end(now, met_host=met_host)
        if door.waiting:
            self._place(door)

    def forget(self, item: Item) -> None:
        """An item is settled."""
        self.size -= 1
        destination = item.parcel.destination
        held = self._by_destination[destination] - 1
        if held:
            self._by_destination[destination] = held
        else:
            del self._by_destination[destination]
            self._spread.pop(destination, None)

    def evict(self, where: str) -> list[Item]:
        """Take out what waits for an address: its host has failed, and each may have another to go to."""
        door = self._doors.get(where)
        if door is None:
            return []
        items = door.clear()
        self.waiting -= len(items)
        self._place(door)
        for item in items:
            item.door = None
        return items

    def drop_waiting(self) -> list[Item]:
        """Take out all that waits: the relay ends."""
        items = list(self._at_once)
        self._at_once.clear()
        for door in self._doors.values():
            items += door.clear()
            self._place(door)
        self.waiting = 0
        return items

    def knows(self, where: str, now: float) -> bool:
        """Whether a delivery to this address is under way, or a host there answered one a moment ago."""
        door = self._doors.get(where)
        return door is not None and (door.window.in_flight > 0 or (door.proved and now < door.left_at + FRESH_S))

    @property
    def is_held_up(self) -> bool:
        """Whether an item could begin if fewer contacts were busy."""
        return self._ready[True] > 0 or self._ready[False] > 0

    def wait_s(self, where: str | None) -> float:
        """How long a parcel may wait that comes now to this address: by what it has served lately."""
        door = self._doors.get(where) if where else None
        return min(max(door.waiting * door.pace_s, 10.0), 600.0) if door else 10.0

    def _begin(self, door: AddressQueue, now: float) -> Item:
        item = door.pop()
        self.waiting -= 1
        door.begin(now)
        self.places.begin(item, now)
        self._place(door)
        return item

    def _place(self, door: AddressQueue) -> None:
        """Let a door have turns exactly if it has something to do and room for it."""
        turn = door.is_trusted if door.waiting and door.has_room else None
        if turn is door.turn:
            return
        if door.turn is not None:
            self._turns[door.turn].discard(door.where)
            self._ready[door.turn] -= 1
        if turn is not None:
            self._turns[turn].add(door.where)
            self._ready[turn] += 1
        door.turn = turn
