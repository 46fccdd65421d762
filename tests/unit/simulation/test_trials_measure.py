"""Dice and estimates: fair, repeatable, and no surer than they may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.simulation.trials.dice import DrawKind, chance, key, throw
from postroad.simulation.trials.measure import Histogram, clustered, ratio, wilson
from postroad.simulation.trials.trial import Estimate

NUMBERS = np.arange(100_000, dtype=np.uint64)


def test_dice_are_splitmix():
    """The first numbers of the published generator with the seed 0: the same on any machine."""
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert expected == throw(0, np.array([1, 2, 3], dtype=np.uint64)).tolist()


def test_a_throw_depends_on_its_number_alone():
    """Whatever is thrown beside it: so slices may be cut anywhere."""
    start = key(7, DrawKind.ORDER)
    assert throw(start, NUMBERS)[500] == throw(start, NUMBERS[500:501])[0]


def test_streams_differ():
    """By seed, by purpose, and by place."""
    starts = {key(seed, draw, place) for seed in range(50) for draw in DrawKind for place in range(50)}
    assert 50 * len(DrawKind) * 50 == len(starts)


def test_throws_are_fair():
    """Chi-square over a hundred bins, and no correlation of neighbours or of two streams."""
    one, other = (chance(key(1, draw), NUMBERS) for draw in (DrawKind.ORDER, DrawKind.ANSWER))
    counts = np.bincount((one * 100).astype(int), minlength=100)
    assert 150 > ((counts - 1000) ** 2 / 1000).sum()  # 99 degrees of freedom: above 150 once in 1,000
    assert all(abs(np.corrcoef(one[:-1], each)[0, 1]) < 0.01 for each in (one[1:], other[1:]))


def test_wilson_of_half():
    """5 of 10: the figures of the textbook."""
    assert (0.5, 0.2366, 0.7634) == tuple(
        round(each, 4) for each in (wilson(5, 10).value, wilson(5, 10).low, wilson(5, 10).high)
    )


def test_what_never_happened_is_not_impossible():
    """None of ten: 0 to 28 %."""
    assert (0.0, 0.0) == (wilson(0, 10).value, wilson(0, 10).low)
    assert 0.2775 == pytest.approx(wilson(0, 10).high, abs=1e-4)
    assert (0.7225, 1.0) == (pytest.approx(wilson(10, 10).low, abs=1e-4), wilson(10, 10).high)


@given(st.integers(0, 1000), st.integers(1, 1000))
@settings(max_examples=examples(50))
def test_an_interval_holds_its_share(hits, more):
    """And stays between 0 and 1."""
    share = wilson(hits, hits + more)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_clusters_of_one_mind_count_once():
    """A hundred clusters of a hundred messages that all agree are as sure as a hundred messages."""
    tried = np.full(100, 100)
    agreed = clustered(np.where(np.arange(100) < 50, 100, 0), tried)
    assert agreed.high - agreed.low == pytest.approx(wilson(50, 100).high - wilson(50, 100).low, rel=0.02)
    assert wilson(5000, 10_000) == clustered(np.full(100, 50), tried)


def test_one_cluster_tells_nothing():
    """A single source that used one server says nothing of others."""
    assert Estimate(1.0, 0.0, 1.0) == clustered(np.array([5, 0]), np.array([5, 0]))


def test_a_mean_over_clusters():
    """The interval rests on the differences of clusters."""
    assert Estimate(2.0, 2.0, 2.0) == ratio(np.array([20, 40]), np.array([10, 20]))
    assert Estimate(2.0, 0.0, float("inf")) == ratio(np.array([20]), np.array([10]))
    assert Estimate(0.0, 0.0, 0.0) == ratio(np.array([0]), np.array([0]))


def test_quantiles_of_delays():
    """Right to half a percent, in constant memory; the worst is exact."""
    histogram = Histogram()
    for part in range(10):
        histogram.add(np.arange(part, 100_000, 10) / 7)
    delay = histogram.delay(Estimate(0, 0, 0))
    assert (50_000 / 7, 99_000 / 7) == (
        pytest.approx(delay.p50.value, rel=5e-3),
        pytest.approx(delay.p99.value, rel=5e-3),
    )
    assert delay.p50.low < delay.p50.value < delay.p50.high
    assert 99_999 / 7 == delay.worst_s


def test_no_delay_at_all():
    """Mail that went through at once waited 0 s, and where nothing was delivered there is no delay to tell."""
    histogram = Histogram()
    assert histogram.delay(Estimate(0, 0, 0)) is None
    histogram.add(np.zeros(3))
    assert (0.0, 0.0, 0.0) == (
        histogram.delay(Estimate(0, 0, 0)).p50.value,
        histogram.delay(Estimate(0, 0, 0)).p99.high,
        histogram.delay(Estimate(0, 0, 0)).worst_s,
    )
