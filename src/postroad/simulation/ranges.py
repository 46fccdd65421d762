"""How far a figure of a mix may be off, because nobody knows how much mail each sender sends.

Each weight has bounds. The extremes over all mixes within them are exact: a figure is a sum of weights times what each
sender does, so the least mix gives all that its bounds leave free to those who do least, and the largest to those who
do most. Which bounds have a source, and which have none, is in docs/design/internet-mix.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType

from postroad.simulation.products import sum_of_products

Bounds = Mapping[str, tuple[Fraction, Fraction]]
"""The least and the largest weight of each sender."""


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the largest value of a figure over all plausible mixes."""

    low: Fraction
    high: Fraction

    @property
    def is_sure(self) -> bool:
        """Whether every mix gives the same."""
        return self.low == self.high

    def __str__(self) -> str:
        """In whole per cent, rounded outward: "52 to 61 %"; so never none for some, nor all for most."""
        low, high = floor(self.low * 100), ceil(self.high * 100)
        return f"{low} %" if low == high else f"{low} to {high} %"


def range_of(values: Mapping[str, Fraction], bounds: Bounds) -> Range:
    """The range of the sum of values times weights, over all weights within their bounds that sum to one.

    Raises:
        ValueError: no weights within these bounds sum to one.

    """
    return Range(_extreme(values, bounds, sign=1), _extreme(values, bounds, sign=-1))


def _extreme(values: Mapping[str, Fraction], bounds: Bounds, *, sign: int) -> Fraction:
    free = 1 - sum((low for low, _high in bounds.values()), Fraction(0))
    room = sum((high - low for low, high in bounds.values()), Fraction(0))
    if not 0 <= free <= room:
        raise ValueError("the least weights sum to more than one, or the largest to less")
    weights = {name: low for name, (low, _high) in bounds.items()}
    for name in sorted(bounds, key=values.__getitem__, reverse=sign < 0):
        low, high = bounds[name]
        given = min(free, high - low)
        weights[name] += given
        free -= given
    return sum_of_products((weight, values[name]) for name, weight in weights.items())


def _percents(**bounds: tuple[int, int]) -> Bounds:
    return MappingProxyType(
        {name.replace("_", "-"): (Fraction(low, 100), Fraction(high, 100)) for name, (low, high) in bounds.items()}
    )


RANGES: Mapping[str, Bounds] = MappingProxyType(
    {
        "internet": _percents(
            exchange_online=(10, 35),
            rfc5321=(5, 40),
            ipv4_only=(5, 40),
            exim=(10, 40),
            postfix=(8, 40),
            sendmail=(1, 5),
            dns_order=(0, 15),
            mx_connect=(0, 5),
            haraka=(0, 3),
            opensmtpd=(0, 1),
            first_mx_only=(0, 5),
        )
    }
)
"""The bounds of the mixes that are known by name; another mix is taken at its word."""
