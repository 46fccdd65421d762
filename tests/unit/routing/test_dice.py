"""What a seed means: the same numbers everywhere, each with the same chance, also from seeds that follow each other."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domains import T6

from postroad.routing import PROCEDURES, Dice, decide, draw

RFC5321 = PROCEDURES["rfc5321"]
CHI_SQUARE_999 = {1: 10.83, 2: 13.82, 5: 20.52, 6: 22.46, 11: 31.26, 99: 148.23}  # the 0.1 % points


def chi_square(counted, kinds):
    """How far counts are from all being the same."""
    expected = sum(counted.values()) / len(kinds)
    return sum((counted[kind] - expected) ** 2 / expected for kind in kinds)


def test_numbers_are_those_of_splitmix64():
    """The first ones from seed 0, as its authors' own program has them: a record can be read in another language."""
    dice = Dice(0)
    drawn = [dice.randrange(1 << 64) for _ in range(3)]
    assert [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F] == drawn


def test_the_first_number_that_is_over_is_thrown_again():
    """There is no room for it below: with it 0 would be likelier than the others, if only by one in 2 ** 64."""
    assert 0x6E789E6AA1B965F4 == Dice(0).randrange(0xE220A8397B1DCDAF)


@given(st.integers(), st.integers(1, 1 << 64))
def test_number_is_below_its_stop(seed, stop):
    """Whatever the seed, a negative or a huge one too; and the same again from the same seed."""
    assert 0 <= Dice(seed).randrange(stop) < stop
    assert Dice(seed).randrange(stop) == Dice(seed).randrange(stop)


def test_what_is_over_is_thrown_again():
    """Of three quarters of all numbers none is twice as likely: a fourth of the throws are thrown again."""
    parts = Counter(Dice(seed).randrange(3 << 62) >> 62 for seed in range(6000))
    assert [True, True, True] == [abs(parts[part] - 2000) < 5 * 36.5 for part in range(3)]


@pytest.mark.parametrize("sides", [2, 3, 7, 12, 100])
@pytest.mark.parametrize("step", [1, 2, 1 << 20])
def test_first_number_of_seeds_in_a_row_is_fair(sides, step):
    """An attempt's seed is the message's plus the number of the attempt: first numbers must not follow the seeds."""
    counted = Counter(Dice(7 + seed * step).randrange(sides) for seed in range(3000))
    assert chi_square(counted, range(sides)) < CHI_SQUARE_999[sides - 1]


def test_each_order_of_equals_has_the_same_chance():
    """Not only who is first: all six orders of three equals."""
    route = decide(T6)
    names = tuple(exchanger.name for exchanger in route.levels[0].exchangers)
    assert 3 == len(names)
    orders = Counter(
        tuple(dict.fromkeys(target.exchange for target in draw(route, RFC5321, Dice(seed)).targets))
        for seed in range(1000)
    )
    assert chi_square(orders, list(permutations(names))) < CHI_SQUARE_999[5]


def test_second_attempt_does_not_follow_the_first():
    """Whoever was first for one seed is first for the next one half of the time."""
    same = sum(Dice(seed).randrange(2) == Dice(seed + 1).randrange(2) for seed in range(10_000))
    assert abs(same - 5000) < 5 * 50
