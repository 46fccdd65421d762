"""Shares, times, sizes, counts and lists as people read them: the same words in every report, sentence and page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

STEP = 20  # parts that a rounded share is told in: five in a hundred each

_UNITS = ((2 * 86400, 86400, "d"), (2 * 3600, 3600, "h"), (120, 60, "min"), (0, 1, "s"))  # from what on, and how long
_WORDS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def percent(share: Fraction | float) -> str:
    """A share in per cent with at most one decimal; never 0 for something, nor 100 for less than all."""
    if 0 < share < Fraction(1, 2000):
        return "under 0.1 %"
    if Fraction(1999, 2000) <= share < 1:
        return "over 99.9 %"
    return f"{_bare(float(share * 100))} %"


def per_cent(share: Fraction | float) -> str:
    """The same in whole per cent, for a column whose head says so: "50", "<1", ">99"."""
    if 0 < share < Fraction(1, 200):
        return "<1"
    if Fraction(199, 200) <= share < 1:
        return ">99"
    return str(int(share * 100 + Fraction(1, 2)))


def interval(value: float, low: float, high: float) -> str:
    """An estimated share, with the interval that holds it: "50 % (49.1-50.9)"."""
    return f"{percent(value)} ({_bare(low * 100)}-{_bare(high * 100)})"


def between(low: float, high: float) -> str:
    """A share that lies between two: "40 to 60 %"."""
    return f"{per_cent(low)} to {per_cent(high)} %"


def about(share: Fraction) -> str:
    """A share that is known roughly, in steps of five; none and all are never rough."""
    if share in (0, 1):
        return percent(share)
    steps = round(share * STEP)
    if steps in (0, STEP):
        return "under 5 %" if steps == 0 else "over 95 %"
    return f"about {steps * 100 // STEP} %"


def seconds(span_s: float) -> str:
    """A length of time in the unit people would use: "250 ms", "90 s", "2.5 min", "5 d"."""
    if span_s <= 0:
        return "0 s"
    if span_s < 0.9995:
        return f"{span_s * 1000:.0f} ms" if span_s >= 0.001 else "under 1 ms"
    size_s, unit = next((size_s, unit) for least_s, size_s, unit in _UNITS if span_s >= least_s)
    number = span_s / size_s
    return f"{_bare(number) if number < 99.95 else f'{number:.0f}'} {unit}"


def rough_seconds(span_s: float) -> str:
    """A time that is known roughly."""
    return f"about {seconds(float(f'{span_s:.2g}'))}" if span_s else seconds(0)


def duration(span_s: float) -> str:
    """A length of time in full words, for a letter: "5 days", "1.5 hours"."""
    size_s, unit = next((each for each in _WORDS if span_s >= each[0]), _WORDS[-1])
    number = _bare(span_s / size_s)
    return f"{number} {unit}{'' if number == '1' else 's'}"


def moment(at: float) -> str:
    """Wall time, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def octets(size: int) -> str:
    """A size in its largest unit: "4.1 KiB"."""
    least, unit = next((each for each in _SIZES if size >= each[0]), (1, "octets"))
    return f"{size / least:.1f} {unit}" if least > 1 else counted(size, "octet")


def counted(number: int, noun: str, plural: str = "s") -> str:
    """A number of things: "1 address", "2 addresses"."""
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def listing(parts: Iterable[str], most: int = 0) -> str:
    """Some things with commas and a last "and"; beyond `most` the rest is counted."""
    every = list(parts)
    shown = every[:most] if most else every
    tail = [f"{len(every) - len(shown):,} more"] if len(every) > len(shown) else shown[-1:]
    head = shown if len(every) > len(shown) else shown[:-1]
    return f"{', '.join(head)} and {tail[0]}" if head else "".join(tail)


def _bare(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
