"""What is shown: the forecasts of one set of records, with the words around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.planning import Conditions, Scorecard, faults_of
from postroad.simulation import Example, Forecast
from postroad.words.faults import Mode

By = Mapping[str, Forecast]
"""Forecasts by sender, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: `forecasts` by sender; `faults`: what they are with one server at fault, `at_fault`, in each way.

    `example` is drawn as the timeline; `sender` says whose delivery it is. `records` are zone lines as text.
    """

    title: str
    summary: str
    domain: str
    forecasts: By
    faults: Mapping[Mode, By] = field(default_factory=dict)
    at_fault: str = ""
    example: Example | None = None
    sender: str = ""
    records: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What there is to see, by the names that `terminal` and `drawings` know."""
        rest = {"fault_bars": bool(self.faults), "timeline": self.example is not None}
        return ("heat_map", *(name for name, is_there in rest.items() if is_there))

    @property
    def delivery(self) -> Example:
        """The example, where `names` has the timeline."""
        assert self.example  # noqa: S101  # else nobody draws it
        return self.example


def picture_of(title: str, card: Scorecard, view: Conditions, summary: str = "") -> Picture:
    """What is to be seen of one set of records."""
    mix, domain = view.mix.name, str(card.records.snapshot.domain)
    rows = card.whole.rows(mix)
    name, longest, with_it = _longest(card, view)
    return Picture(
        title=title,
        summary=summary,
        domain=domain,
        forecasts=rows,
        faults={mode: forecasts.rows(mix) for mode, forecasts in faults_of(card, view).items()},
        at_fault=str(card.busiest) if card.busiest else "",
        example=max(longest.examples, key=lambda example: len(example.steps), default=None),
        sender=f"{name}{with_it}",
        records=tuple(str(line) for line in card.records.lines),
    )


def _longest(card: Scorecard, view: Conditions) -> tuple[str, Forecast, str]:
    """The sender that waits longest; where nothing is down, with the busiest machine silent: that is what to see."""
    shown, with_it = card.whole, ""
    if card.silent and card.busiest and not view.down:
        shown, with_it = card.silent, f" with {card.busiest} silent"
    name, longest = max(shown.by.items(), key=lambda row: (bool(row[1].examples), row[1].delay_worst_s))
    return name, longest, with_it
