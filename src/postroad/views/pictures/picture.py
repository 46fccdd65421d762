"""What is shown: the forecasts of one set of records, with the words around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroad.planning import Conditions, Machine, Scorecard, faults_of
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
    sender, example = _longest(card, view)
    return Picture(
        title=title,
        summary=summary,
        domain=domain,
        forecasts=card.whole.rows(mix),
        faults={mode: forecasts.rows(mix) for mode, forecasts in faults_of(card, view).items()},
        at_fault=str(card.busiest) if card.busiest else "",
        example=example,
        sender=sender,
        records=tuple(str(line) for line in card.records.lines),
    )


def _longest(card: Scorecard, view: Conditions) -> tuple[str, Example | None]:
    """A delivery of who waits longest; where nothing is down, with the busiest machine silent: that is what to see."""
    shown, lost, with_it = card.whole, list[Machine](), ""
    if card.silent and card.busiest and not view.down:
        shown, lost, with_it = card.silent, [card.busiest], f" with {card.busiest} silent"
    for name, _each in sorted(shown.by.items(), key=lambda row: -row[1].delay_worst_s):
        if examples := view.examples(card.records, name, lost, Mode.BLACKHOLE):
            return f"{name}{with_it}", max(examples, key=lambda example: len(example.steps))
    return f"{next(iter(shown.by))}{with_it}", None
