"""Faults side by side: rows and columns that are alike are one, so that what is left tells senders apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postroad.simulation.nouns import Forecast
from postroad.views.pictures import labels
from postroad.views.pictures.bars import WORTH_S
from postroad.views.pictures.picture import By
from postroad.words.faults import Mode


@dataclass(frozen=True, slots=True)
class Row:
    """Senders to whom the same happens at every fault, and what that is, by column."""

    names: tuple[str, ...]
    cells: tuple[Forecast | None, ...]

    @property
    def label(self) -> str:
        """The first of them, and how many more there are."""
        return self.names[0] + (f" +{len(self.names) - 1}" if len(self.names) > 1 else "")


@dataclass(frozen=True, slots=True)
class Folds:
    """The picture: its heads, its rows, and the longest wait in it."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def longest_s(self) -> float:
        """What the waits are drawn against."""
        return max((each.delay_worst_s for row in self.rows for each in row.cells if each), default=0.0)

    @property
    def legend(self) -> list[str]:
        """Who is in a row of several."""
        return [f"{row.label}: {', '.join(row.names)}" for row in self.rows if len(row.names) > 1]


def folds_of(faults: Mapping[Mode, By]) -> Folds:
    """Senders that can use the records, by what each fault does to them."""
    senders = dict.fromkeys(name for by in faults.values() for name, each in by.items() if not each.unable)
    columns: dict[tuple[object, ...], list[Mode]] = {}
    for mode, by in faults.items():
        columns.setdefault(tuple(_kind(by.get(name)) for name in senders), []).append(mode)
    shown = [modes[0] for modes in columns.values()]
    rows: dict[tuple[object, ...], list[str]] = {}
    for name in senders:
        rows.setdefault(tuple(_kind(faults[mode].get(name)) for mode in shown), []).append(name)
    return Folds(
        tuple(", ".join(labels.BRIEFLY[mode] for mode in modes) for modes in columns.values()),
        tuple(Row(tuple(names), tuple(faults[mode].get(names[0]) for mode in shown)) for names in rows.values()),
    )


def _kind(forecast: Forecast | None) -> tuple[object, ...]:
    """What tells one cell from another: its parts, and its wait where that is worth a word."""
    if forecast is None:
        return ()
    wait_s = round(forecast.delay_worst_s, 1) if forecast.delay_worst_s >= WORTH_S else 0.0
    return *(part for part in sorted((str(k), v) for k, v in forecast.outcome.items() if v)), wait_s
