"""Who is told what happens: whatever a subscriber does, mail goes its way, and what it missed is counted."""

import asyncio
import threading
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some, stride
from tests.support.relaying import MESSAGE, house

from postroad.relay.event_bus import LOST, EventBus
from postroad.words.trace import Event

STUCK = threading.Event()  # set when the tests are over


class Hearer:
    """A subscriber that notes what it hears."""

    def __init__(self):
        self.heard = []

    def wants(self, _event):
        """Everything."""
        return True

    def take(self, batch):
        """Note it."""
        self.heard += [event for _at, event in batch]


class Raising(Hearer):
    """One that cannot take anything."""

    def take(self, batch):
        """Fail, each time."""
        self.heard += [event.name for _at, event in batch]
        raise ValueError("a bug")


class Unsure(Hearer):
    """One that cannot say what it wants."""

    def wants(self, event):
        """Fail, each time."""
        raise KeyError(event.name)


class Leaving(Hearer):
    """One that ends its thread."""

    def take(self, _batch):
        """No more of this."""
        raise SystemExit


class Blocking(Hearer):
    """One that never comes back, or comes back when it is told to."""

    def __init__(self, until=STUCK):
        super().__init__()
        self.until = until
        self.entered = threading.Event()

    def take(self, batch):
        """Wait."""
        self.entered.set()
        self.until.wait()
        super().take(batch)


@pytest.fixture(scope="module", autouse=True)
def _released():
    yield
    STUCK.set()


def event(number):
    """One of many."""
    return Event("a.thing.complete", {"number": number})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("most", "kind"), some(product([0, 1, 10_000], [Hearer, Raising, Unsure, Leaving, Blocking]), 3)
)
def test_no_subscriber_changes_what_happens_to_mail(most, kind):
    """Whether it raises, blocks, ends or has no room: each message is accepted, delivered once, and settled.

    Every third of them, with all that a subscriber may do; all in a whole run.
    """

    async def story():
        bus = EventBus()
        bus.subscribe("odd", kind(), most)
        async with house() as it:
            it.told.others.append(bus)
            await it.submit("ann@example.com", "bob@example.net", content=MESSAGE, times=3)
            await it.told.until("deliver.parcel.complete", 6)
            left = (await it.relay.spool.stats(0)).messages
            bus.close(0.01)
            return len(it.lab.received), left, len(it.told.named("receive.message.complete"))

    assert (6, 0, 3) == asyncio.run(story())


def test_what_finds_no_room_is_counted_where_it_is_missing():
    """Between the last event that found room and the next one stands how many did not."""
    goes_on = threading.Event()
    slow, bus = Blocking(goes_on), EventBus()
    subscription = bus.subscribe("slow", slow, 3)
    bus(event(0))
    slow.entered.wait()
    for number in range(1, 8):
        bus(event(number))
    lost = subscription.lost
    goes_on.set()
    subscription.flush(10)
    bus(event(8))
    bus.close(10)
    said = [each.fields.get("number", each) for each in slow.heard]
    assert (4, [0, 1, 2, 3, Event(LOST, {"count": 4}), 8]) == (lost, said)


@settings(max_examples=examples(100 // stride(2)))
@given(bursts=st.lists(st.integers(0, 20), max_size=8), most=st.integers(1, 12))
def test_every_event_is_heard_or_counted(bursts, most):
    """In order, each at most once; those that are missing are exactly those said to be lost."""
    hearer, bus = Hearer(), EventBus()
    subscription = bus.subscribe("one", hearer, most)
    told = 0
    for size in bursts:
        for _ in range(size):
            bus(event(told))
            told += 1
        subscription.flush(10)
    bus.close(10)
    numbers = [each.fields["number"] for each in hearer.heard if each.name != LOST]
    lost = sum(each.fields["count"] for each in hearer.heard if each.name == LOST)
    assert sorted(set(numbers)) == numbers
    assert (told, lost) == (len(numbers) + lost, subscription.lost)


def test_end_does_not_wait_for_who_is_stuck():
    """It has its moment, and no more."""
    bus = EventBus()
    subscription = bus.subscribe("stuck", Blocking())
    bus(event(1))
    bus.close(0.01)
    assert not subscription.flush(0)


def test_end_leaves_nothing_unsaid():
    """What was told before it is handled, and what is told after it is not."""
    hearer, bus = Hearer(), EventBus()
    bus.subscribe("one", hearer)
    bus(event(1))
    bus.close(10)
    bus(event(2))
    assert [event(1)] == hearer.heard


def test_others_hear_of_a_subscriber_that_fails():
    """Its name and why, and its events are counted as lost; two that fail do not go on about each other."""
    raising, other, hearer, bus = Raising(), Raising(), Hearer(), EventBus()
    subscriptions = [bus.subscribe(name, each) for name, each in (("a", raising), ("b", other), ("c", hearer))]
    bus(event(1))
    for _ in range(3):
        for each in subscriptions:
            each.flush(10)
    bus.close(10)
    complaints = {each.fields["name"] for each in hearer.heard if each.name == "relay.subscriber.failed"}
    assert ({"a", "b"}, "ValueError('a bug')") == (complaints, hearer.heard[-1].fields["why"])
    assert all(subscription.lost for subscription in subscriptions[:2])
    assert 3 >= len(raising.heard)
