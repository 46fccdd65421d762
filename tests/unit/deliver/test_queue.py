"""Whose turn it is: lanes in turn, windows, and places at addresses."""

from ipaddress import ip_address
from random import Random

from delivering import NOON, POLICY, recipients

from postroad.deliver import DeliverSettings, Way
from postroad.deliver.queue import IDLE_LANES, Item, Queue
from postroad.pace import WindowPolicy
from postroad.routing import Refusal, Status
from postroad.spool import Mail, Parcel
from postroad.words.mail import Envelope
from postroad.words.outcome import Result

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")
SETTINGS = DeliverSettings()


def item(destination, number=1):
    """A parcel for a destination."""
    envelope = Envelope(None, recipients(f"ann@{destination}"))
    return Item(Parcel(number, destination, Mail(f"m{number}", envelope, NOON, number, 1), NOON))


def way(key):
    """A way with nothing to it but its lane."""
    refusal = Refusal(key, Status.TEMPORARY, Result.DEFERRED, "4.4.4", "", None)
    return Way(refusal, POLICY, SETTINGS, 60.0, key)


def queue(most=100, window=5, per_address=50):
    """An empty one."""
    return Queue(most, WindowPolicy(initial=window, most=20), per_address)


def put(it, destination, count=1):
    """Admit and line up so many items; they are returned."""
    items = [item(destination, number) for number in range(count)]
    for each in items:
        it.admit(each)
        it.line_up(each, way(destination))
    return items


def turns(it, count):
    """The destinations of the next items."""
    return [each.parcel.destination if each else None for each in (it.next() for _ in range(count))]


def test_lanes_take_turns():
    """A destination with much mail has one turn for each turn of another."""
    it = queue()
    put(it, "a", 4)
    put(it, "b", 2)
    assert ["a", "b", "a", "b", "a", "a", None] == turns(it, 7)


def test_lane_has_as_many_at_once_as_its_window_is_wide():
    """The rest waits until one ends; success opens the window by and by."""
    it = queue(window=2)
    put(it, "a", 10)
    first, _second, none = it.next(), it.next(), it.next()
    assert none is None
    it.finish(first, met_host=True)
    assert ["a", None] == turns(it, 2)


def test_window_opens_with_success_and_closes_with_failure():
    """After as many sessions as it is wide it is one wider; a failure takes that back."""
    it = queue(window=2)
    put(it, "a", 10)
    for _ in range(2):
        it.finish(it.next(), met_host=True)
    assert ["a", "a", "a", None] == turns(it, 4)
    it = queue(window=2)
    put(it, "a", 10)
    it.finish(it.next(), met_host=False)
    assert ["a", None] == turns(it, 2)


def test_no_destination_holds_more_than_is_left_to_the_others():
    """Half of all, while it is alone: then it is full, and others still find room."""
    it = queue(most=10)
    for number in range(5):
        assert it.has_room_for("a")
        it.admit(item("a", number))
    assert (False, True, {"a"}, 5) == (it.has_room_for("a"), it.has_room_for("b"), it.full_destinations(), it.room)


def test_finished_items_make_room():
    """What is settled counts no more."""
    it = queue(most=10)
    items = put(it, "a", 5)
    for _ in items:
        it.finish(it.next(), met_host=None)
    assert (10, set(), 0) == (it.room, it.full_destinations(), it.size)


def test_place_at_an_address_goes_to_who_waits_longest():
    """With one place the second and third are parked, and have it one after the other."""
    it = queue(per_address=1)
    put(it, "a", 3)
    first, second, third = it.next(), it.next(), it.next()
    assert [True, False, False] == [it.enter(each, HERE) for each in (first, second, third)]
    assert it.next() is None
    it.finish(first, met_host=True)
    assert it.next() is second
    assert it.enter(second, HERE)
    it.finish(second, met_host=True)
    assert (third, True) == (it.next(), it.enter(third, HERE))


def test_place_that_is_not_used_is_handed_on():
    """One that had waited for an address goes to another after all: the next one parked is not forgotten."""
    it = queue(per_address=1)
    put(it, "a", 3)
    first, second, third = it.next(), it.next(), it.next()
    for each in (first, second, third):
        it.enter(each, HERE)
    it.finish(first, met_host=True)
    assert it.next() is second
    assert it.enter(second, THERE)
    assert it.next() is third
    assert it.enter(third, HERE)


def test_who_is_parked_is_not_overtaken():
    """A place that becomes free belongs to who waits for it, not to who comes just then."""
    it = queue(per_address=1)
    put(it, "a", 3)
    first, second, third = it.next(), it.next(), it.next()
    it.enter(first, HERE)
    it.enter(second, HERE)
    it.finish(first, met_host=True)
    assert not it.enter(third, HERE)
    assert it.next() is second


def test_who_needs_no_place_is_let_in():
    """A delivery that asks no host, or a finished one, holds nothing."""
    it = queue(per_address=1)
    put(it, "a", 2)
    first, second = it.next(), it.next()
    assert it.enter(first, None)
    assert it.enter(first, HERE)
    it.finish(first, met_host=None)
    assert it.enter(second, HERE)


def test_all_that_waits_is_dropped_at_the_end():
    """In lanes, parked, or unparked and not yet begun again; what is under way is not."""
    it = queue(window=4, per_address=1)
    items = put(it, "a", 6)
    under_way, unparked, parked, busy = (it.next() for _ in range(4))
    for each in (under_way, unparked, parked):
        it.enter(each, HERE)
    it.enter(busy, THERE)
    it.finish(under_way, met_host=True)
    assert {id(each) for each in (unparked, parked, *items[4:])} == {id(each) for each in it.drop_waiting()}
    assert it.next() is None


def test_places_and_rooms_always_add_up():
    """Whatever happens in whatever order, nobody waits for a free place, and in the end nothing is left."""
    rng = Random(1)
    it = queue(most=1000, window=20, per_address=2)
    items = [each for name in "abc" for each in put(it, name, 40)]
    begun, done = [], 0
    while done < len(items):
        nxt = it.next()
        if nxt and it.enter(nxt, rng.choice([HERE, THERE, None])):
            begun.append(nxt)
        elif begun and (nxt is None or rng.random() < 0.5):
            it.finish(begun.pop(rng.randrange(len(begun))), met_host=rng.choice([True, None]))
            done += 1
        assert all(it._at_address.get(address, 0) == it._per_address for address in it._parked)
    assert (0, {}, {}) == (it.size, it._at_address, it._parked)


def test_idle_lanes_are_forgotten_busy_ones_are_not():
    """A relay that has seen many domains remembers the windows of so many."""
    it = queue(most=10**6)
    busy = put(it, "busy")[0]
    assert it.next() is busy
    for number in range(IDLE_LANES + 10):
        (idle,) = put(it, f"d{number}")
        it.next()
        it.finish(idle, met_host=True)
    assert len(it._lanes) <= IDLE_LANES + 1
    assert "busy" in it._lanes
