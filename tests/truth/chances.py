"""The chi-square test: could these counts have come from these chances."""

import math
from collections.abc import Hashable, Mapping
from fractions import Fraction

LEAST_P = 0.001
_LEAST_EXPECTED = 5.0  # below, the test says too much: such classes are thrown together


def could_be(counts: Mapping[Hashable, int], chances: Mapping[Hashable, Fraction]) -> str:
    """Nothing if the counts could have come from the chances, else why not."""
    impossible = [str(key) for key, count in counts.items() if count and not chances.get(key)]
    if impossible:
        return f"not possible in the model: {', '.join(impossible[:3])}"
    p = p_value(counts, chances)
    return "" if p > LEAST_P else f"p = {p:.1e}"


def p_value(counts: Mapping[Hashable, int], chances: Mapping[Hashable, Fraction]) -> float:
    """How likely counts this far from the expected ones, or further, are."""
    total = sum(counts.values())
    classes = [(counts.get(key, 0), float(chance) * total) for key, chance in chances.items()]
    large = [pair for pair in classes if pair[1] >= _LEAST_EXPECTED]
    small = [pair for pair in classes if pair[1] < _LEAST_EXPECTED]
    if small:
        large.append((sum(seen for seen, _ in small), sum(expected for _, expected in small)))
    square = sum((seen - expected) ** 2 / expected for seen, expected in large if expected)
    return _upper_tail(square, len(large) - 1)


def _upper_tail(square: float, freedom: int) -> float:
    """The chi-square distribution beyond a value, by the approximation of Wilson and Hilferty."""
    if freedom == 0 or square == 0:
        return 1.0
    spread = 2 / (9 * freedom)
    return math.erfc(((square / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(2 * spread)) / 2
