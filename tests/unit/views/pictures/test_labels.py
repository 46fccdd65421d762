"""Numbers in words, bars in parts, time on an axis, colours with contrast."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import drawn

from postroad.planning.scorecard import FAULTS
from postroad.simulation import DnsOrder
from postroad.views.pictures import labels, palette
from postroad.views.pictures.axis import folded
from postroad.views.pictures.bars import cells, sentence
from postroad.views.pictures.folds import folds_of
from postroad.words.faults import Mode
from postroad.words.outcome import Result


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


def test_what_is_alike_is_folded():
    """Senders to whom every fault does the same are one row; one that cannot use the records is none."""
    folds = folds_of(drawn.t1_faults())
    assert ["postroad", "postfix +1", "dns-order"] == [row.label for row in folds.rows]
    assert ("refuses", "silent", "greets 554") == folds.heads
    assert ["postfix +1: postfix, exim"] == folds.legend


def test_faults_that_do_the_same_are_one_column():
    """Its head has the first, the legend both."""
    same = drawn.t1_faults()[Mode.REFUSE]
    folds = folds_of({Mode.REFUSE: same, Mode.G421: same})
    assert (("refuses +1",), "refuses +1: refuses, greets 421") == (folds.heads, folds.legend[0])


def test_every_fault_shown_has_a_head():
    """A fault put beside the others wants a word here."""
    assert set(FAULTS) == set(labels.BRIEFLY)
