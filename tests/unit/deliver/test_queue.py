"""Whose turn it is: doors in turn, windows, and what one destination or one slow host may hold."""

from collections import Counter
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.delivering import NOON, POLICY, recipients
from tests.support.examples import examples, stride

from postroad.deliver import DeliverSettings, DeliveryRoute, QueueLimits
from postroad.deliver.course import AttemptOrder
from postroad.deliver.queue import Item, Queue
from postroad.pace import WindowPolicy
from postroad.routing import Plan, Refusal, Status
from postroad.spool import Parcel, StoredMail
from postroad.words.mail import Envelope
from postroad.words.outcome import Result
from postroad.words.trail import Target

HERE, THERE, FAR = (f"192.0.2.{number}" for number in (1, 2, 3))
WAY = DeliveryRoute(Refusal("x", Status.TEMPORARY, Result.DEFERRED, "4.4.4", ""), POLICY, DeliverSettings(), 60.0, "x")
NOWHERE = AttemptOrder(WAY)
FOREVER = float("inf")


@cache
def envelope(destination):
    """To one there."""
    return Envelope(None, recipients(f"ann@{destination}"))


def item(destination, number=1):
    """A parcel for a destination."""
    mail = StoredMail(f"m{number}", envelope(destination), NOON, number, 1)
    return Item(Parcel(number, destination, mail, NOON))


@cache
def course(address):
    """One that asks this address first."""
    return AttemptOrder(WAY, 0, Plan((Target("mx", ip_address(address), 10),)), first=address)


def queue(most=100, window=5, **limits):
    """An empty one, whose hosts have all shown that they answer."""
    policy = WindowPolicy(initial=window, most=20, dead_after=FOREVER)
    return Queue(QueueLimits(held=most, window=policy, **limits))


def put(it, destination, count=1, address=HERE, *, proved=True):
    """Admit and line up so many items before an address; they are returned."""
    items = [item(destination, number) for number in range(count)]
    for each in items:
        it.admit(each)
        it.line_up(each, course(address))
    if proved:
        it._doors[address].proved = True
        it._place(it._doors[address])
    return items


def finish(it, one, now, *, met_host):
    """It has been delivered, or not, and settled."""
    it.leave(one, now, met_host=met_host)
    it.forget(one)


def turns(it, count, now=0.0):
    """The destinations of the next items."""
    return [each.parcel.destination if each else None for each in (it.next(now) for _ in range(count))]


def test_destinations_take_turns_before_a_door():
    """One with much mail has one turn for each turn of another."""
    it = queue(window=20)
    put(it, "a", 4)
    put(it, "b", 2)
    assert ["a", "b", "a", "b", "a", "a", None] == turns(it, 7)


def test_doors_take_turns():
    """An address with much mail has one turn for each turn of another."""
    it = queue()
    put(it, "a", 4, HERE)
    put(it, "b", 2, THERE)
    assert ["a", "b", "a", "b", "a", "a", None] == turns(it, 7)


def test_address_has_as_many_at_once_as_its_window_is_wide():
    """The rest waits until one ends; success opens the window by and by."""
    it = queue(window=2)
    put(it, "a", 10)
    first, _second, none = it.next(0), it.next(0), it.next(0)
    assert none is None
    finish(it, first, 1.0, met_host=True)
    assert ["a", None] == turns(it, 2)


def test_window_opens_with_success_and_closes_with_failure():
    """After as many sessions as it is wide it is one wider; a failure takes that back."""
    it = queue(window=2)
    put(it, "a", 10)
    for _ in range(2):
        finish(it, it.next(0), 1.0, met_host=True)
    assert ["a", "a", "a", None] == turns(it, 4)
    it = queue(window=2)
    put(it, "a", 10)
    finish(it, it.next(0), 1.0, met_host=False)
    assert ["a", None] == turns(it, 2)


def test_unknown_host_is_met_by_one_delivery():
    """Only when it has shown that it answers does it get as many as its window allows."""
    it = queue()
    put(it, "a", 10, proved=False)
    first = it.next(0)
    assert it.next(0) is None
    finish(it, first, 1.0, met_host=True)
    assert ["a"] * 5 + [None] == turns(it, 6)


def test_slow_exchanger_costs_only_its_own_mail():
    """Its places are its own: what was drawn for others finds theirs free, however much waits for it."""
    it = queue(most=10_000, window=5)
    put(it, "a", 500, HERE)
    put(it, "a", 500, THERE)
    stuck = [it.next(0) for _ in range(10)]
    served = Counter()
    for each in stuck:
        served[each.door.where] += 1
    for _ in range(100):
        each = next(one for one in stuck if one.door.where == THERE)
        stuck.remove(each)
        finish(it, each, 1.0, met_host=True)
        while each := it.next(1.0):
            stuck.append(each)
            served[each.door.where] += 1
    assert (5, True) == (served[HERE], served[THERE] > 100)


def test_too_many_for_one_address_wait_in_the_spool():
    """Beyond a number the queue takes no more for it; the time it names grows with what waits, and others go on."""
    it = queue(waiting=3)
    put(it, "a", 3, HERE)
    late = item("a", 4)
    it.admit(late)
    assert not it.line_up(late, course(HERE))
    assert it.line_up(late, course(THERE))
    assert 10.0 == it.wait_s(HERE)
    it._doors[HERE].pace_s = 20.0
    assert (60.0, 10.0) == (it.wait_s(HERE), it.wait_s(FAR))


def test_tar_pits_leave_room_for_others():
    """Two hundred hosts that take connections and say nothing: a moment later fresh mail elsewhere begins at once."""
    it = queue(most=10_000, concurrency=20)
    for number in range(200):
        put(it, f"pit{number}", 5, f"10.0.{number}.1", proved=False)
    now = 0.0
    for _ in range(100):
        while it.next(now):
            pass
        now += 0.01
        it.age(now)
    put(it, "new", 1, FAR, proved=False)
    put(it, "known", 1, THERE)
    begun = []
    for _ in range(10):
        while each := it.next(now):
            begun.append(each.parcel.destination)
        now += 0.01
        it.age(now)
    assert "known" in begun


def test_hosts_that_drip_cannot_take_the_places_of_the_others():
    """Sessions that last grow old and count apart; some places are kept for hosts that have proved themselves."""
    it = queue(most=10_000, concurrency=20)
    for number in range(300):
        put(it, f"drip{number}", 1, f"10.{number // 200}.{number % 200}.1", proved=False)
    now = 0.0
    for _ in range(60):
        while each := it.next(now):
            it.greeted(each, now)
        now += 0.1
        it.age(now)
    put(it, "known", 4, THERE)
    assert ["known"] * 4 == turns(it, 4, now)


def test_who_asks_no_host_waits_for_no_place():
    """A refusal by DNS, or mail whose hosts are all unhealthy, is settled at once."""
    it = queue(concurrency=1)
    put(it, "a", 2)
    it.next(0)
    other = item("b")
    it.admit(other)
    it.line_up(other, NOWHERE)
    assert it.next(0) is other
    finish(it, other, 0.0, met_host=None)
    assert 2 == it.size


def test_no_destination_holds_more_than_is_left_to_the_others():
    """Half of all, while it is alone: then it is full, and others still find room."""
    it = queue(most=10)
    for number in range(5):
        assert it.has_room_for("a")
        it.admit(item("a", number))
    assert (False, True, {"a"}, 5) == (it.has_room_for("a"), it.has_room_for("b"), it.full_destinations(), it.room)


def test_no_more_is_claimed_than_doors_take():
    """Of a long queue for two hosts so much is in memory as they may have waiting, and half of that is claimed."""
    it = queue(most=10_000, waiting=8)
    two = AttemptOrder(
        WAY, 0, Plan((Target("mx", ip_address(HERE), 10), Target("my", ip_address(THERE), 10))), first=HERE
    )
    assert (set(), True) == (it.full_destinations(), it.is_low("a"))
    for number in range(4):
        one = item("a", number)
        it.admit(one)
        it.line_up(one, two)
    assert ({"a"}, False, True) == (it.full_destinations(), it.is_low("a"), it.has_room_for("a"))
    for number in range(4, 16):
        it.admit(item("a", number))
    assert not it.has_room_for("a")


@pytest.mark.parametrize("doors", [0, 1, 3])
def test_a_destination_holds_what_its_doors_take_and_more_is_claimed_below_a_fourth(doors):
    """Four for each door here, and four where nobody is asked; what is settled makes room for as many."""
    it = queue(most=10_000, waiting=4)
    targets = tuple(Target("mx", ip_address(f"192.0.2.{last}"), 10) for last in range(doors))
    items = [item("a", number) for number in range(4 * max(doors, 1))]
    it.admit(items[0])
    it.line_up(items[0], replace(NOWHERE, plan=Plan(targets)))
    rooms, lows = [], []
    for each in items[1:]:
        rooms.append(it.has_room_for("a"))
        lows.append(it.is_low("a"))
        it.admit(each)
    share = max(doors, 1)
    assert ([True] * (4 * share - 1), False) == (rooms, it.has_room_for("a"))
    assert [held < share for held in range(1, 4 * share)] == lows
    for each in items:
        it.forget(each)
    assert (True, True, set()) == (it.has_room_for("a"), it.is_low("a"), it.full_destinations())


def test_who_asks_no_host_begins_at_once():
    """There is nothing to wait for, and nothing is taken."""
    it, one = queue(concurrency=1), item("a")
    it.admit(one)
    assert (True, 0, 0) == (it.begin(one, NOWHERE, 0.0), it.waiting, len(it.places))


def test_the_last_room_is_for_any_destination():
    """One that has nothing in memory yet may have it; when it is taken there is none."""
    it = queue(most=1)
    assert it.has_room_for("a")
    it.admit(item("b"))
    assert not it.has_room_for("a")


def test_what_waits_is_counted_wherever_it_waits():
    """Before a door or before none, until it begins, is evicted or dropped."""
    it, counts = queue(), []

    def count(_done=None):
        counts.append(it.waiting)

    other = item("b")
    it.admit(other)
    count(put(it, "a", 3))
    count(it.line_up(other, NOWHERE))
    count(it.next(0))
    count(it.next(0))
    count(it.evict(HERE))
    count(put(it, "a", 2))
    count(it.drop_waiting())
    assert [3, 4, 3, 2, 0, 2, 0] == counts


def test_an_item_that_waits_says_so():
    """Before a door, or before none: it is not to wait in the spool."""
    it = queue()
    assert [True, True] == [it.line_up(item("a"), way) for way in (NOWHERE, course(HERE))]


def test_hosts_that_have_proved_themselves_take_turns_with_the_others():
    """One of each, the proved first."""
    it = queue()
    for number in range(3):
        put(it, f"new{number}", 1, f"10.0.0.{number}", proved=False)
    put(it, "known", 3, THERE)
    assert ["known", "new0", "known", "new1", "known", "new2"] == turns(it, 6)


def test_a_host_that_fails_until_one_is_left_has_to_prove_itself_again():
    """While its window is wider it is only met by fewer."""
    it = queue(window=3)
    put(it, "a", 10)
    proved = []
    for met_host in (False, False, False, True):
        finish(it, it.next(0), 1.0, met_host=met_host)
        proved.append(it._doors[HERE].proved)
    assert [True, True, False, True] == proved
    new = queue()
    put(new, "a", 1, proved=False)
    finish(new, new.next(0), 1.0, met_host=False)
    assert not new._doors[HERE].proved


def test_a_host_that_keeps_one_waiting_is_not_trusted_until_it_greets_it():
    """What was young 50 ms ago counts apart, and its host with those that have shown nothing."""
    it = queue()
    put(it, "a", 3)
    late = it.next(0.0)
    door, trusted = it._doors[HERE], []
    trusted.append((door.is_trusted, door.turn))
    assert (0.05, None) == (it.age(0.0), it.age(0.05))
    trusted.append((door.is_trusted, door.turn))
    it.greeted(late, 0.1)
    trusted.append((door.is_trusted, door.turn))
    assert [(True, True), (False, False), (True, True)] == trusted


@pytest.mark.parametrize(("proved", "is_slow"), [(True, False), (True, True), (False, False)])
def test_who_has_just_come_has_a_kept_place_only_at_a_trusted_host(proved, is_slow):
    """The places kept for hosts that have proved themselves are not for one that keeps another waiting now."""
    it = queue(concurrency=5)
    put(it, "known", 1, proved=proved)
    finish(it, it.next(0.0), 0.0, met_host=proved)
    door = it._doors[HERE]
    door.old = int(is_slow)
    for number in range(4):
        put(it, f"new{number}", 1, f"10.0.0.{number}", proved=False)
        it.next(0.0)
    late = item("late")
    it.admit(late)
    assert (proved and not is_slow) == it.begin(late, course(HERE), 0.0)


def test_contacts_hold_up_what_could_begin_but_for_them():
    """Mail before doors that have room, trusted or not; not what waits for its own door, nor nothing."""
    it, held_up = queue(window=1, concurrency=1), []
    held_up.append(it.is_held_up)
    put(it, "new", 2, HERE, proved=False)
    held_up.append(it.is_held_up)
    it.next(0.0)
    held_up.append(it.is_held_up)
    put(it, "known", 1, THERE)
    held_up.append(it.is_held_up)
    assert [False, True, False, True] == held_up


def test_a_host_is_known_while_it_is_asked_and_half_a_minute_after_it_answered():
    """Whatever came of it, one is under way there; one that failed is not known when that is over."""
    it, known = queue(), []
    for met_host in (True, False):
        address = HERE if met_host else THERE
        put(it, "a", 1, address, proved=False)
        known.append(it.knows(address, 0.0))
        one = it.next(0.0)
        known.append(it.knows(address, 99.0))
        finish(it, one, 100.0, met_host=met_host)
        known += [it.knows(address, now) for now in (129.9, 130.0)]
    assert [False, True, True, False, False, True, False, False] == known
    assert not it.knows(FAR, 0.0)


def test_the_pace_of_a_host_is_that_of_its_last_deliveries():
    """Each counts for a sixteenth; what waits is sent back for ten minutes at most."""
    it = queue(waiting=1000)
    put(it, "a", 999)
    finish(it, it.next(0.0), 160.0, met_host=True)
    assert (10.0, 600.0) == (it._doors[HERE].pace_s, it.wait_s(HERE))


def test_finished_items_make_room():
    """What is settled counts no more."""
    it = queue(most=10)
    items = put(it, "a", 5)
    for _ in items:
        finish(it, it.next(0), 0.0, met_host=None)
    assert (10, set(), 0, 0) == (it.room, it.full_destinations(), it.size, len(it.places))


def test_all_that_waits_is_dropped_at_the_end():
    """Before doors or on its way to none; what is under way is not."""
    it = queue(window=1)
    items = put(it, "a", 6)
    nowhere = item("b")
    it.admit(nowhere)
    it.line_up(nowhere, NOWHERE)
    assert it.next(0) is nowhere
    under_way = it.next(0)
    assert {id(each) for each in items} - {id(under_way)} == {id(each) for each in it.drop_waiting()}
    assert it.next(0) is None


def test_places_and_rooms_always_add_up():
    """Whatever happens in whatever order, nobody waits for a free place, and in the end nothing is left."""
    rng, now = Random(1), 0.0
    it = queue(most=1000, window=3, concurrency=7)
    items = [each for name in "abc" for address in (HERE, THERE) for each in put(it, name, 40, address, proved=False)]
    begun, done = [], 0
    while done < len(items):
        now += rng.random() * 0.1
        nxt = it.next(now)
        if nxt:
            begun.append(nxt)
            if rng.random() < 0.7:
                it.greeted(nxt, now)
        else:
            assert begun
        if begun and (nxt is None or rng.random() < 0.5):
            finish(it, begun.pop(rng.randrange(len(begun))), now, met_host=rng.choice([True, True, None, False]))
            done += 1
        it.age(now)
    assert (0, 0, 0) == (it.size, len(it.places), it.waiting)
    assert all(door.old == 0 and door.window.in_flight == 0 for door in it._doors.values())


def test_idle_doors_are_forgotten_busy_ones_are_not(monkeypatch):
    """A relay that has seen many addresses remembers the windows of so many."""
    monkeypatch.setattr("postroad.deliver.queue.IDLE_DOORS", 100)
    it = queue(most=10**6)
    put(it, "busy", 1, HERE)
    busy = it.next(0)
    for number in range(110):
        put(it, f"d{number}", 1, str(ip_address(0x0A000000 + number)))
        finish(it, it.next(0), 0.0, met_host=True)
    assert len(it._doors) <= 101
    assert busy.door.where in it._doors


def test_other_limits_hold_from_then_on():
    """More or fewer contacts at once, by a word."""
    it = queue(concurrency=1)
    put(it, "a", 3)
    assert ["a", None] == turns(it, 2)
    it.limit(replace(it.limits, concurrency=3))
    assert ["a", "a", None] == turns(it, 3)


def test_pace_of_a_host_leaves_out_the_time_nobody_asked():
    """After an hour without mail a host is as quick as it was: what waits for it does not rest for an hour."""
    it = queue(waiting=1000)
    put(it, "a", 100)
    now = 3600.0
    for _ in range(100):
        one = it.next(now)
        now += 0.01
        finish(it, one, now, met_host=True)
    assert 0.005 < it._doors[HERE].pace_s < 0.011


def test_who_has_just_come_overtakes_nobody():
    """A door that has room again belongs to who waits before it."""
    it = queue(concurrency=1)
    put(it, "a", 2)
    first = it.next(0)
    finish(it, first, 1.0, met_host=True)
    late = item("b")
    it.admit(late)
    assert not it.begin(late, course(HERE), 1.0)
    assert ["a"] == turns(it, 1, 1.0)


def filled(nodes, limits):
    """As many queues, each with mail for one address that has shown it answers, and all begun that may be."""
    queues = [Queue(limits) for _ in range(nodes)]
    for each in queues:
        put(each, "a.example", 40)
        begin_all(each)
    return queues


def begin_all(it):
    """Begin what may begin; all that is under way."""
    while it.next(NOON):
        pass
    return sum(door.window.in_flight for door in it._doors.values())


@settings(max_examples=examples(100 // stride(2)))
@given(
    most=st.integers(1, 30),
    initial=st.integers(1, 30),
    nodes=st.integers(1, 15),
    before=st.integers(1, 40),
    ends=st.lists(st.booleans(), max_size=60),
)
def test_all_relays_together_give_an_address_what_one_alone_would(most, initial, nodes, before, ends):
    """However many they were before and however wide their windows had opened; one each is the least there is."""
    limits = QueueLimits(window=WindowPolicy(min(initial, most), most, FOREVER), concurrency=1000)
    queues = filled(nodes, limits.shared_by(before))
    for each in queues:
        each.limit(limits.shared_by(nodes))
    for number, met in enumerate(ends):
        it = queues[number % nodes]
        window = it._doors[HERE].window
        if window.in_flight:
            window.succeeded() if met else window.failed()
    under_way = 0
    for each in queues:
        window = each._doors[HERE].window
        window.in_flight = 0
        each._doors[HERE].proved = True
        each._place(each._doors[HERE])
        under_way += begin_all(each)
    assert under_way <= max(most, nodes)


def test_window_opens_again_when_another_relay_goes():
    """What is under way goes on; then fewer begin, and when the other has gone as many as before, by and by."""
    it = queue(window=5)
    put(it, "a.example", 100)
    begin_all(it)
    it.limit(it.limits.shared_by(5))
    window = it._doors[HERE].window
    assert (5, 4, None) == (window.in_flight, window.size, it.next(NOON))
    it.limit(QueueLimits(held=100, window=WindowPolicy(5, 20, FOREVER)))
    for _ in range(200):
        window.succeeded()
        begin_all(it)
    assert 20 == window.size


def test_what_a_machine_can_do_is_not_divided():
    """Its own contacts, its memory, its queues."""
    limits = QueueLimits()
    assert limits == replace(limits.shared_by(4), window=limits.window)
    assert (1, 5) == (limits.shared_by(4).window.initial, limits.shared_by(4).window.most)
