"""Faults side by side: rows and columns that are alike are one, so that what is left tells senders apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postroad.simulation import Forecast
from postroad.views.pictures import labels
from postroad.views.pictures.bars import WORTH_S
from postroad.views.pictures.picture import By
from postroad.words.faults import Mode


@dataclass(frozen=True, slots=True)
class FoldedRow:
    """Senders to whom the same happens at every fault, and what that is, by column."""

    names: tuple[str, ...]
    cells: tuple[Forecast | None, ...]

    @property
    def label(self) -> str:
        """The first of them, and how many more there are."""
        return short_for(self.names)


@dataclass(frozen=True, slots=True)
class Folds:
    """The picture: the faults of each column, and the rows."""

    columns: tuple[tuple[str, ...], ...]
    rows: tuple[FoldedRow, ...]

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns in short."""
        return tuple(short_for(names) for names in self.columns)

    @property
    def longest_s(self) -> float:
        """What the waits are drawn against."""
        return max((each.delay_worst_s for row in self.rows for each in row.cells if each), default=0.0)

    @property
    def legend(self) -> list[str]:
        """What is in a column or a row of several."""
        several = (names for names in (*self.columns, *(row.names for row in self.rows)) if len(names) > 1)
        return [f"{short_for(names)}: {', '.join(names)}" for names in several]


def short_for(names: tuple[str, ...]) -> str:
    """The first of them, and how many more there are."""
    return names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "")


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
        tuple(tuple(labels.BRIEFLY[mode] for mode in modes) for modes in columns.values()),
        tuple(FoldedRow(tuple(names), tuple(faults[mode].get(names[0]) for mode in shown)) for names in rows.values()),
    )


def _kind(forecast: Forecast | None) -> tuple[object, ...]:
    """What tells one cell from another: its parts, and its wait where that is worth a word."""
    if forecast is None:
        return ()
    wait_s = round(forecast.delay_worst_s, 1) if forecast.delay_worst_s >= WORTH_S else 0.0
    return *(part for part in sorted((str(k), v) for k, v in forecast.outcome.items() if v)), wait_s
