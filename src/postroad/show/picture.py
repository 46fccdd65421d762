"""What is shown: the forecasts of one set of records, with the words around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.simulation.nouns import Example, Forecast

By = Mapping[str, Forecast]
"""Forecasts by sender, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: `forecasts` by sender, `lost` by the server that is lost (its address, as text), then by sender.

    `example` is drawn as the timeline; `sender` says whose delivery it is. `records` are zone lines as text.
    """

    title: str
    summary: str
    domain: str
    forecasts: By
    lost: Mapping[str, By] = field(default_factory=dict)
    example: Example | None = None
    sender: str = ""
    records: tuple[str, ...] = ()
