"""A sheet to draw on: tiles, words and lines at places in pixels, from the top left. `svg` and `figure` write it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Literal

from postroad.words.outcome import Result
from postroad.words.visible import defused

MARGIN = 24.0

Across = Literal["start", "middle", "end"]
Part = tuple[Result, float, float]


def breadth(letters: int, size: float = 13) -> float:
    """The pixels a text takes, with some air: an average letter is 0.6 of its size wide."""
    return letters * size * 0.6


@dataclass(frozen=True, slots=True)
class Box:
    """A filled box; `ink` names its colour: a result, `wait`, `line`, or `s0` to `s20` for a share."""

    x: float
    y: float
    width: float
    height: float
    ink: str


@dataclass(frozen=True, slots=True)
class Words:
    """Words whose middle is at `y`; upright ones run up the sheet from there."""

    x: float
    y: float
    text: str
    size: float = 13
    ink: str = "ink"
    across: Across = "start"
    is_bold: bool = False
    is_upright: bool = False


Shape = Box | Words


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished picture: what it is called, what it says in words, how large it is, and its shapes."""

    title: str
    told: str
    width: float
    height: float
    shapes: tuple[Shape, ...]

    def moved(self, down: float) -> tuple[Shape, ...]:
        """Its shapes, so far down another sheet."""
        return tuple(replace(shape, y=shape.y + down) for shape in self.shapes)


@dataclass(slots=True)
class SheetDraft:
    """A sheet that is being drawn, as wide as said; `y` is how far down it is used."""

    width: float
    y: float = 0.0
    shapes: list[Shape] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, ink: str) -> None:
        """A filled box."""
        self.shapes.append(Box(x, y, width, height, ink))

    def words(self, words: Words) -> None:
        """Words, made harmless."""
        self.shapes.append(replace(words, text=defused(words.text)))

    def lines(self, text: str, *, size: float = 13, ink: str = "ink", is_bold: bool = False) -> None:
        """Words over the whole width, in as many lines as they need."""
        for line in wrap(defused(text), max(10, int((self.width - 2 * MARGIN) / breadth(1, size)))) or [""]:
            self.shapes.append(Words(MARGIN, self.y + size * 0.75, line, size, ink, is_bold=is_bold))
            self.y += size * 1.5

    def bar(
        self, x: float, y: float, width: float, height: float, parts: Iterable[tuple[Result, float, float]]
    ) -> None:
        """A bar of parts, each a result, its begin and its length (of 1)."""
        for result, start, length in parts:
            self.box(x + start * width, y, length * width, height, result.value)

    def finish(self, title: str, told: str) -> Sheet:
        """Cut the sheet where it ends."""
        return Sheet(title, told, self.width, self.y, tuple(self.shapes))


def stacked(title: str, summary: str, sheets: Sequence[Sheet]) -> Sheet:
    """Several sheets beneath each other, under one title."""
    draft = SheetDraft(max(sheet.width for sheet in sheets), MARGIN)
    draft.lines(title, size=20, is_bold=True)
    draft.lines(summary, ink="muted")
    for sheet in sheets:
        draft.y += MARGIN
        draft.lines(sheet.title, size=15, is_bold=True)
        draft.shapes += sheet.moved(draft.y)
        draft.y += sheet.height
    draft.y += MARGIN
    return draft.finish(title, " ".join((summary, *(f"{sheet.title}: {sheet.told}" for sheet in sheets))))
