"""Outcomes of mail as a bar: the same three parts in every picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

from postroad.simulation import Forecast
from postroad.words.outcome import Result
from postroad.words.phrasebook import per_cent, percent, seconds

WORTH_S = 1.0  # a wait shorter than this is not worth a word in a cell


def parts(forecast: Forecast) -> list[tuple[Result, Fraction, Fraction]]:
    """Each result that can happen: where its part of the bar begins, and how long it is (of 1)."""
    shares = [(result, forecast.outcome.get(result, Fraction(0))) for result in Result]
    starts = accumulate((share for _, share in shares), initial=Fraction(0))
    return [(result, start, share) for (result, share), start in zip(shares, starts, strict=False) if share]


def caption(forecast: Forecast) -> tuple[str, str]:
    """The per cent delivered, and the longest wait if it is worth a word."""
    if forecast.unable:
        return "", ""
    wait = seconds(forecast.delay_worst_s) if forecast.delay_worst_s >= WORTH_S else ""
    return per_cent(forecast.outcome.get(Result.DELIVERED, Fraction(0))), wait


def sentence(forecast: Forecast) -> str:
    """All of a bar in words."""
    if forecast.unable:
        return f"unable: {forecast.unable}"
    shares = ", ".join(f"{percent(share)} {result}" for result, _, share in parts(forecast))
    mean, worst = seconds(forecast.delay_mean_s), seconds(forecast.delay_worst_s)
    return f"{shares}; the attempt takes {mean} on average, {worst} at most"


def cells(forecast: Forecast, width: int) -> list[tuple[Result, int]]:
    """The bar in whole character cells, at least three: each part has one or more, and they fill the width."""
    shares = [(result, share) for result, _, share in parts(forecast)]
    counts = [max(1, int(share * width)) for _, share in shares]
    while counts and (missing := width - sum(counts)):
        largest = max(range(len(counts)), key=lambda index: shares[index][1] * width - counts[index])
        fullest = max(range(len(counts)), key=lambda index: counts[index])
        counts[largest if missing > 0 else fullest] += 1 if missing > 0 else -1
    return [(result, count) for (result, _), count in zip(shares, counts, strict=True)]
