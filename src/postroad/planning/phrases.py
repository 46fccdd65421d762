"""Numbers and lists in words, the same in every sentence of this room."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

_UNITS = (
    (2 * 86400, 86400, "days"),
    (2 * 3600, 3600, "h"),
    (120, 60, "min"),
    (0, 1, "s"),
)  # from what on, and how long
STEP = 20  # parts that a rounded share is told in: five in a hundred each


def percent(share: Fraction) -> str:
    """A share in per cent with at most one decimal; never 0 for something, nor 100 for less than all."""
    if 0 < share < Fraction(1, 2000):
        return "under 0.1 %"
    if Fraction(1999, 2000) < share < 1:
        return "over 99.9 %"
    return f"{float(share * 100):.1f}".removesuffix(".0") + " %"


def about(share: Fraction) -> str:
    """A share that is known roughly, in steps of five; none and all are never rough."""
    if share in (0, 1):
        return percent(share)
    steps = round(share * STEP)
    if steps in (0, STEP):
        return "under 5 %" if steps == 0 else "over 95 %"
    return f"about {steps * 100 // STEP} %"


def seconds(span_s: float) -> str:
    """A time in the unit people would use."""
    if span_s < 1:
        return f"{span_s * 1000:.0f} ms"
    unit_s, name = next((unit_s, name) for least_s, unit_s, name in _UNITS if span_s >= least_s)
    return f"{span_s / unit_s:.1f}".removesuffix(".0") + f" {name}"


def rough_seconds(span_s: float) -> str:
    """A time that is known roughly."""
    return f"about {seconds(float(f'{span_s:.2g}'))}" if span_s else seconds(0)


def named(number: int, noun: str, plural: str = "s") -> str:
    """A number of things."""
    return f"{number} {noun}{'' if number == 1 else plural}"


def listing(parts: Iterable[str]) -> str:
    """Some things with commas and a last "and"."""
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
