"""Exact forecasts: shares, outcomes, attempts, delays and questions of one sender, and of a mix."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from postroad.simulation.model import Sender
from postroad.simulation.nouns import Blend, Case, Forecast


def forecast(case: Case, sender: Sender, *, examples: int = 3) -> Forecast:
    """What becomes of the first attempt of one message, exactly."""
    raise NotImplementedError


def blend(forecasts: Mapping[str, Forecast], weights: Mapping[str, Fraction]) -> Blend:
    """Several senders as one, each by its weight."""
    raise NotImplementedError
