"""Tells subscribers what happens: each has its own queue and thread, so that none can affect mail.

Whoever tells only appends to a queue that has an end. What a subscriber does with it, raise, stall or never come back,
happens in another thread, and costs nothing but its own events: those are counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from postroad.words.trace import Event

MOST = 10_000  # events that wait for a subscriber: five seconds of a relay at full speed
BATCH = 1000
GATHER_S = 0.02  # what happens within this time is handled in one go: one wake-up, and few writes, for many events
GOODBYE_S = 1.0  # at the end, for a subscriber to take what still waits: one that is stuck must not hold up the exit

LOST = "relay.events.lost"

Told = tuple[float, Event]
"""An event and when it was told."""


class Subscriber(Protocol):
    """Whoever wants to hear events."""

    def wants(self, event: Event) -> bool:
        """Whether it wants this one; called where mail is, so it is quick."""
        ...

    def take(self, batch: Sequence[Told]) -> None:
        """Handle some events, in the order they were told; called in a thread of its own."""
        ...


class Subscription:
    """A subscriber, what waits for it, and its thread. Where events are missing, one named LOST stands for them."""

    def __init__(self, name: str, subscriber: Subscriber, trouble: Callable[[Event], None], most: int = MOST) -> None:
        self.name = name
        self.lost = 0
        self._subscriber = subscriber
        self._trouble = trouble
        self._most = most
        self._waiting: deque[Told | threading.Event] = deque()
        self._missing = 0  # since the last event that found room
        self._news = threading.Event()
        self._is_awake = False  # `_news` is set, as far as those who tell know: it takes a lock to ask
        self._hurry = threading.Event()
        self._is_over = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def tell(self, told: Told) -> None:
        """Let it know, if there is room."""
        try:
            if not self._subscriber.wants(told[1]):
                return
        except Exception:  # noqa: BLE001, S110  # if it cannot say, it gets it
            pass
        if len(self._waiting) >= self._most:
            self._missing += 1
            self.lost += 1
            return
        if self._missing:
            self._tell_missing(told[0])
        self._waiting.append(told)
        if not self._is_awake:
            self._is_awake = True
            self._news.set()

    def flush(self, limit_s: float) -> bool:
        """Wait until all that was told so far is handled, for so long at most; whether it is."""
        done = threading.Event()
        self._waiting.append(done)
        self._hurry.set()
        self._news.set()
        return done.wait(limit_s)

    def close(self, limit_s: float = GOODBYE_S) -> None:
        """Let it finish what waits, for so long at most, and tell it nothing more."""
        if self._missing:
            self._tell_missing(time.time())
        self._is_over = True
        self.flush(limit_s)

    def _tell_missing(self, at: float) -> None:
        self._waiting.append((at, Event(LOST, {"count": self._missing})))
        self._missing = 0

    def _work(self) -> None:
        while not self._is_over or self._waiting:
            self._news.wait()
            self._hurry.wait(GATHER_S)
            self._news.clear()  # before the batch is taken: what is told from here on sets it again
            self._is_awake = False
            self._handle([self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))])
            if self._waiting:
                self._news.set()

    def _handle(self, items: Sequence[Told | threading.Event]) -> None:
        batch = [item for item in items if not isinstance(item, threading.Event)]
        try:
            if batch:
                self._subscriber.take(batch)
        except Exception as bug:  # noqa: BLE001  # whatever it is, it is the subscriber's own trouble
            self.lost += len(batch)
            if any(event.name != "relay.subscriber.failed" for _at, event in batch):  # or two would go on for ever
                self._trouble(Event("relay.subscriber.failed", {"name": self.name, "why": repr(bug)}))
        for item in items:
            if isinstance(item, threading.Event):
                self._hurry.clear()
                item.set()


class EventBus:
    """A listener that passes events on to its subscribers, and neither raises nor waits whatever they do."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._subscriptions: tuple[Subscription, ...] = ()

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        told = (self._wall(), event)
        for subscription in self._subscriptions:
            subscription.tell(told)

    def subscribe(self, name: str, subscriber: Subscriber, most: int = MOST) -> Subscription:
        """Tell a subscriber all that happens from now on."""
        subscription = Subscription(name, subscriber, self, most)
        self._subscriptions += (subscription,)
        return subscription

    def close(self, limit_s: float = GOODBYE_S) -> None:
        """Let them finish what waits, for so long at most each, and tell them nothing more."""
        subscriptions, self._subscriptions = self._subscriptions, ()
        for subscription in subscriptions:
            subscription.close(limit_s)
