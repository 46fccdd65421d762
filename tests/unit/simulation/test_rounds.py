"""What a sender adds once everybody was asked: the same again, after a rest."""

from fractions import Fraction
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.forecasts import BACKUP, EQUALS, snapshot
from tests.support.rounds import with_rounds

from postroad.models import SENDERS, read_sender
from postroad.simulation import Case
from postroad.simulation.paths import every_way
from postroad.words.faults import Mode
from postroad.words.outcome import Result


def contacts(name, facts, until_s, **down):
    """When which address was contacted, by its last number; one way is enough."""
    modes = {ip_address(f"192.0.2.{key[1:]}"): Mode(mode) for key, mode in down.items()}
    way = next(every_way(Case(facts, name, down=modes), SENDERS[name]))
    steps = with_rounds(way, SENDERS[name], until_s).steps
    return [(step.at_s, int(str(step.address).rpartition(".")[2])) for step in steps]


def test_opensmtpd_asks_again_while_another_is_silent():
    """After 15 s of rest, at the next beat of 2 s, then each 20 s, until the silent one gives up."""
    told = contacts("opensmtpd", BACKUP, 300, _1="g421", _2="blackhole")
    assert [(0, 1), (2, 2), (16, 1), (36, 1), (56, 1), (76, 1), (96, 1), (116, 1), (136, 1)] == told


def test_opensmtpd_ends_when_all_rest_and_nobody_is_silent():
    """Two refusals take 2 s: nobody is free again at the next beat."""
    assert [(0, 1), (2, 2)] == contacts("opensmtpd", EQUALS, 300, _1="refuse", _2="refuse")


def test_opensmtpd_never_ends_with_many_dead_addresses():
    """The first of eight is free again when the last was asked."""
    facts = snapshot((10, "a", *(f"192.0.2.{n}" for n in range(1, 9))))
    told = contacts("opensmtpd", facts, 21, **{f"_{n}": "refuse" for n in range(1, 9)})
    assert [(2 * n, n + 1) for n in range(8)] + [(16, 1), (18, 2), (20, 3)] == told


@pytest.mark.parametrize("spacing", ["", "waits.spacing_s = 2\n"])
def test_a_rest_needs_no_beat_and_no_second_rest(spacing):
    """A file may say how long the first rest is, and nothing else: then each address is asked twice."""
    sender = read_sender("own", f"{spacing}waits.overlap_s = 1\nrounds.first_s = 16\n")
    down = dict.fromkeys(map(ip_address, ("192.0.2.1", "192.0.2.2")), Mode.REFUSE) | {
        ip_address("192.0.2.3"): Mode.BLACKHOLE
    }
    facts = snapshot(*((10, f"mx{n}", f"192.0.2.{n}") for n in (1, 2, 3)))
    way = next(every_way(Case(facts, "own", down=down), sender))
    again = [step for step in with_rounds(way, sender, 1e9).steps[len(way.steps) :] if step.met is Mode.REFUSE]
    assert {step.address for step in again} == {ip_address("192.0.2.1"), ip_address("192.0.2.2")}
    assert len(again) == 2


def test_courier_begins_anew_where_nobody_could_be_reached():
    """A minute after the last one refused or gave up; after a reply it waits for its timetable."""
    assert [(0, 1), (60, 2), (120, 1), (180, 2)] == contacts("courier", BACKUP, 200, _1="blackhole", _2="refuse")
    assert [(0, 1), (0, 2)] == contacts("courier", BACKUP, 200, _1="refuse", _2="r450")


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from(list(Mode)), min_size=1, max_size=4), st.sampled_from(sorted(SENDERS)))
def test_later_rounds_only_add_contacts(modes, name):
    """Whoever is asked again was asked before, later, and the end is the same."""
    facts = snapshot(*((10, f"mx{n}", f"192.0.2.{n}") for n in range(1, len(modes) + 1)))
    down = {ip_address(f"192.0.2.{n}"): mode for n, mode in enumerate(modes, 1)}
    for way in every_way(Case(facts, name, down=down), SENDERS[name]):
        longer = with_rounds(way, SENDERS[name], 600.0)
        assert (way.steps, way.result, way.chance) == (longer.steps[: len(way.steps)], longer.result, longer.chance)
        assert {step.address for step in longer.steps} == {step.address for step in way.steps}
        times = [step.at_s for step in longer.steps]
        assert sorted(times) == times
        assert way.result is Result.DEFERRED or longer == way
        assert Fraction(0) < way.chance
