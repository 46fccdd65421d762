"""Numbers in words, bars in parts, time on an axis, colours with contrast."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import drawn

from postroad.show import labels, palette
from postroad.show.axis import folded
from postroad.show.bars import cells, sentence
from postroad.show.columns import columns_of, lost_columns
from postroad.simulation import DnsOrder
from postroad.words.faults import Mode
from postroad.words.outcome import Result


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(0), "0"), (Fraction(1, 1000), "<1"), (Fraction(1, 3), "33"), (Fraction(1, 200), "1"),
        (Fraction(999, 1000), ">99"), (Fraction(1), "100"),
    ],
)  # fmt: skip
def test_a_share_is_whole_but_never_nothing_for_something(share, text):
    """Zero and a hundred are said only where they are exact."""
    assert text == labels.percent(share)


@pytest.mark.parametrize(
    ("span_s", "text"),
    [
        (0, "0 s"), (0.08, "80 ms"), (1, "1 s"), (2.25, "2.2 s"), (30.08, "30 s"), (119, "119 s"), (135, "2.2 min"),
        (300, "5 min"), (7200, "2 h"), (5 * 86400, "5 d"),
    ],
)  # fmt: skip
def test_a_time_has_the_unit_people_use(span_s, text):
    """Milliseconds to days."""
    assert text == labels.seconds(span_s)


def test_every_way_to_behave_has_words():
    """A new mode wants a word here."""
    assert set(Mode) == set(labels.MET)


def test_every_order_of_answers_has_words():
    """A new order wants a word here."""
    assert set(DnsOrder) == set(labels.ORDERS)


@given(st.text(max_size=60), st.integers(5, 30))
def test_a_shortened_name_fits_and_is_harmless(text, room):
    """Whatever the name is, it fits, and has no character that a terminal obeys."""
    assert len(labels.short(text, room)) <= room
    assert labels.short(text, room).isprintable()


@given(st.tuples(*[st.integers(0, 1000)] * 3).filter(any), st.integers(3, 20))
def test_a_bar_fills_its_width_and_hides_nothing(weights, width):
    """Each result that can happen has a cell, and all cells together are the width."""
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    counts = dict(cells(drawn.forecast({}, shares), width))
    assert width == sum(counts.values())
    assert {result for result, share in zip(Result, shares, strict=True) if share} == set(counts)
    assert all(counts.values())


def test_a_bar_in_words():
    """What a tooltip says."""
    one = drawn.forecast({}, (drawn.HALF, drawn.HALF, 0), delay_mean_s=15.0, delay_worst_s=30.0)
    said = "50 % delivered, 50 % deferred; the attempt takes 15 s on average, 30 s at most"
    assert said == sentence(one)


def test_the_axis_shows_milliseconds_beside_minutes():
    """A contact of 80 ms after one of 30 s can be seen, and they meet where one ends and the other begins."""
    first, second = folded(drawn.WAITS.steps).spans
    assert 0.0 == first.left
    assert first.right == second.left
    assert 0.05 < second.right - second.left < 0.2


def test_the_axis_keeps_overlaps():
    """A race is drawn as a race: the third contact begins before the second ends."""
    _, second, third, *_ = folded(drawn.RACE.steps).spans
    assert second.left < third.left < second.right < third.right


times = st.floats(0, 1e5, allow_nan=False)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=8))
def test_the_axis_never_runs_backward(spans):
    """Every contact lies within the axis and has a length, and ticks are in order."""
    steps = [drawn.step("a", "192.0.2.1", Mode.REFUSE, at_s, waited_s) for at_s, waited_s in spans]
    axis = folded(steps)
    assert all(0 <= span.left <= span.right <= 1 + 1e-9 for span in axis.spans)
    assert sorted(tick.at for tick in axis.ticks) == [tick.at for tick in axis.ticks]
    assert list(axis.thinned(0.2))[-1] == axis.ticks[-1]


@pytest.mark.parametrize("ramp", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_numbers_on_tiles_can_be_read(ramp):
    """The contrast of each number with its tile is at least 4.5, as WCAG asks."""
    tiles = [palette.shade(percent / 100, ramp) for percent in range(101)]
    assert all(palette.contrast(palette.ink_on(tile), tile) >= 4.5 for tile in tiles)


def test_more_is_darker_on_paper_and_lighter_in_the_dark():
    """The ramps go one way, so they can be read in grey."""
    for ramp, ground in ((palette.LIGHT, "#ffffff"), (palette.DARK, "#000000")):
        contrasts = [palette.contrast(palette.shade(percent / 100, ramp), ground) for percent in range(101)]
        assert sorted(contrasts) == contrasts


def test_lost_servers_stand_in_the_order_of_the_heat_map():
    """And a key that is no address stands for itself, last."""
    lost = {"all of them": {}, **dict(reversed(drawn.t1_lost().items()))}
    known = columns_of(drawn.t1_forecasts().values())
    assert [*(column.key for column in known), "all of them"] == [column.key for column in lost_columns(lost)]
