"""Numbers and lists in words, the same in every sentence of a simulation."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction


def percent(share: Fraction) -> str:
    """A share in per cent with at most one decimal; never 0 for something, nor 100 for less than all."""
    if 0 < share < Fraction(1, 2000):
        return "under 0.1 %"
    if Fraction(1999, 2000) < share < 1:
        return "over 99.9 %"
    return f"{float(share * 100):.1f}".removesuffix(".0") + " %"


def seconds(span_s: float) -> str:
    """A time in the unit people would use."""
    if span_s < 1:
        return f"{span_s * 1000:.0f} ms"
    return (
        f"{span_s:.1f} s".replace(".0 s", " s") if span_s < 120 else f"{span_s / 60:.1f} min".replace(".0 min", " min")
    )


def named(number: int, noun: str, plural: str = "s") -> str:
    """A number of things."""
    return f"{number} {noun}{'' if number == 1 else plural}"


def listing(parts: Iterable[str]) -> str:
    """Some things with commas and a last "and"."""
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
