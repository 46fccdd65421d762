"""How many contacts at once: the busy ones, and apart from them those that keep us waiting."""

import pytest

from postroad.deliver.places import APART, KEPT, Places, Stage


def begun(concurrency, *, proved):
    """How many begin until there is no room for another."""
    places = Places(concurrency)
    while places.has_room(proved=proved):
        places.begin(len(places), 0.0, Stage.BRISK if len(places) % 2 else Stage.YOUNG)
    return len(places)


@pytest.mark.parametrize("concurrency", range(1, 21))
def test_one_in_five_places_is_kept_for_who_has_proved_himself(concurrency):
    """Whatever the stages of those that are busy; where there is one place, anybody has it."""
    expected = (concurrency, max(1, concurrency - concurrency // 5))
    assert expected == (begun(concurrency, proved=True), begun(concurrency, proved=False))


def test_a_contact_is_young_and_after_its_greeting_brisk_for_a_while():
    """Without a greeting for 50 ms it waits; a second after its greeting its session is a slow one."""
    places = Places(10)
    places.begin("one", 10.0)
    assert [((), 10.05), (("one",), None)] == [places.age(now) for now in (10.0, 10.05)]
    assert places.greeted("one", 20.0)
    assert [((), 21.0), (("one",), None)] == [places.age(now) for now in (20.99, 21.0)]
    assert places.end("one")


def test_the_first_that_will_grow_old_says_when():
    """A greeting is read later than a contact begins, and lasts longer."""
    places = Places(10)
    places.begin("brisk", 0.0, Stage.BRISK)
    places.begin("young", 0.5)
    assert [0.55, 1.0] == [places.age(now)[1] for now in (0.5, 0.55)]


@pytest.mark.parametrize("stage", Stage)
def test_only_who_has_kept_us_waiting_counted_apart(stage):
    """Said of a contact when its host greets, and when it is over."""
    places = Places(10)
    places.begin("one", 0.0, stage)
    places.begin("other", 0.0, stage)
    is_old = stage in (Stage.WAITING, Stage.SLOW)
    assert (is_old, is_old, False) == (places.greeted("one", 1.0), places.end("other"), places.end("one"))


def test_a_contact_that_is_over_greets_nobody():
    """Its greeting comes late, and counts for nothing."""
    places = Places(10)
    assert (False, 0) == (places.greeted("gone", 1.0), len(places))


@pytest.mark.parametrize("concurrency", [1, 5])
@pytest.mark.parametrize("stage", [Stage.YOUNG, Stage.BRISK])
def test_where_too_many_keep_us_waiting_the_next_stay_busy(concurrency, stage):
    """Four for each place count apart; of those beyond none grows old, so that at last none begins."""
    places = Places(concurrency)
    for number in range(concurrency * (APART + 1)):
        places.begin(number, 0.0, stage)
    aged, again = places.age(100.0)
    assert (tuple(range(concurrency * 4)), None) == (aged, again)
    assert not places.has_room(proved=True)


def test_who_waits_for_greetings_leaves_room_by_the_same_measure():
    """Four in five of the waiting may be of hosts that have not proved themselves."""
    places, rooms = Places(KEPT), []
    for number in range(KEPT * APART):
        rooms.append((places.has_room(proved=False), places.has_room(proved=True)))
        places.begin(number, 0.0, Stage.WAITING)
    assert [(True, True)] * 16 + [(False, True)] * 4 == rooms
    assert not places.has_room(proved=True)
