"""Figures of a mix with what nobody knows of its weights: the extremes over all plausible mixes."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.plans import T1, planned

from postroad.planning.mix import Conditions, Mix
from postroad.planning.records import Records
from postroad.simulation import MIXES, SENDERS
from postroad.simulation.ranges import RANGES, Range, range_of

PAGE = Path(__file__).parents[3] / "docs" / "design" / "internet-mix.md"
TENTH = Fraction(1, 10)


def of(**percent):
    """Bounds in per cent."""
    return {name: (Fraction(low, 100), Fraction(high, 100)) for name, (low, high) in percent.items()}


@pytest.mark.parametrize("mix", RANGES)
def test_the_weights_of_a_mix_are_plausible_themselves(mix):
    """Each lies within its bounds, and every sender of the mix has some."""
    assert MIXES[mix].keys() == RANGES[mix].keys()
    assert [] == [name for name, (low, high) in RANGES[mix].items() if not low <= MIXES[mix][name] <= high]


def test_the_page_has_every_weight_with_its_bounds():
    """What is written of sources is written of these numbers."""
    rows = [line.strip("| ").split(" | ")[:4] for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    told = {name: tuple(map(int, numbers)) for name, *numbers in rows if numbers[0].isdecimal()}
    known = {
        name: tuple(int(part * 100) for part in (weight, *RANGES["internet"][name]))
        for name, weight in MIXES["internet"].items()
    }
    assert known == told


def test_the_extremes_give_what_is_free_to_one_end():
    """Half to three quarters of one sender, the rest of two others: worked out by hand."""
    bounds = of(a=(50, 75), b=(0, 30), c=(0, 30))
    values = {"a": Fraction(1), "b": Fraction(0), "c": Fraction(1, 2)}
    assert Range(Fraction(60, 100), Fraction(875, 1000)) == range_of(values, bounds)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 70), st.integers(0, 100)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_no_plausible_mix_lies_outside(senders, rng):
    """Any weights within the bounds give a figure within the range."""
    bounds = {str(n): (Fraction(low, 100), Fraction(low + more, 100)) for n, (low, more, _value) in enumerate(senders)}
    values = {str(n): Fraction(value, 100) for n, (_low, _more, value) in enumerate(senders)}
    if not sum(low for low, _high in bounds.values()) <= 1 <= sum(high for _low, high in bounds.values()):
        with pytest.raises(ValueError, match="sum to"):
            range_of(values, bounds)
        return
    found = range_of(values, bounds)
    free, weights = 1 - sum(low for low, _high in bounds.values()), {}
    for name in rng.sample(sorted(bounds), len(bounds)):
        low, high = bounds[name]
        given_to = min(free, high - low)
        weights[name], free = low + given_to, free - given_to
    assert found.low <= sum(weights[name] * values[name] for name in bounds) <= found.high


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (Fraction(1, 2), Fraction(1, 2), "50 %"),
        (Fraction(521, 1000), Fraction(605, 1000), "52 to 61 %"),
        (Fraction(0), Fraction(1, 1000), "0 to 1 %"),
        (Fraction(999, 1000), Fraction(1), "99 to 100 %"),
    ],
)
def test_a_range_is_told_in_whole_per_cent(low, high, text):
    """Rounded outward: what is told holds every plausible mix."""
    assert text == str(Range(low, high))


def test_a_mix_of_known_weights_has_one_number():
    """Senders named on the command line are all there are: nothing in their shares is assumed."""
    names = ("postfix", "dns-order")
    mix = Mix("", {name: SENDERS[name] for name in names}, dict.fromkeys(names, Fraction(1, 2)))
    found = Conditions(mix).look(Records.of(planned(T1)))
    first = next(iter(found.mix.first))
    assert "75 %" == mix.told(found.first_by(first))


def test_more_freedom_is_a_wider_range():
    """A sender in DNS order makes the share of the first of two equals uncertain by half its own."""
    values = {"rfc5321": Fraction(1, 2), "dns-order": Fraction(1)}
    widths = [
        range_of(values, {"rfc5321": (1 - n * TENTH, Fraction(1)), "dns-order": (Fraction(0), n * TENTH)})
        for n in range(4)
    ]
    assert all(two.high - one.high == TENTH / 2 for one, two in pairwise(widths))
