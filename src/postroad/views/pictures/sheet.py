"""A sheet to draw on by matplotlib: rectangles and text at places in inches, from the top left, growing downward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from postroad.views.pictures import palette
from postroad.words.outcome import Result
from postroad.words.visible import defused

MARGIN = 0.4
HATCHES = {Result.DELIVERED: "", Result.DEFERRED: "/////", Result.FAILED: "xxxxx"}


def breadth(letters: int, points: float = 9) -> float:
    """The inches a text takes, with some air: an average letter of the face is 0.6 of its size wide."""
    return letters * points * 0.6 / 72


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the sheet."""

    x: float
    y: float
    width: float
    height: float


class Sheet:
    """The sheet, as wide as said; `y` is how far down it is used."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.y = MARGIN
        self.figure = Figure(facecolor=palette.PAPER)
        self._axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()

    def finish(self) -> Figure:
        """Cut the sheet where it ends."""
        height = self.y + MARGIN
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(height, 0)
        self.figure.set_size_inches(self.width, height)
        return self.figure

    def text(  # noqa: PLR0913  # each has a default and is written by name
        self,
        x: float,
        y: float,
        words: str,
        *,
        points: float = 9,
        colour: str = palette.INK,
        across: Literal["left", "center", "right"] = "left",
        bold: bool = False,
        upright: bool = False,
    ) -> None:
        """Words with the middle of their height at `y`; upright ones run up the sheet from `y`."""
        self._axes.text(
            x,
            y,
            "\n".join(defused(line) for line in words.split("\n")),
            fontsize=points,
            color=colour,
            ha=across,
            ma="left" if upright else "center",
            va="bottom" if upright else "center",
            rotation=90 if upright else 0,
            fontweight="bold" if bold else "normal",
        )

    def lines(self, words: str, *, points: float = 9, colour: str = palette.INK, bold: bool = False) -> None:
        """Words over the whole width, in as many lines as they need."""
        for line in wrap(defused(words), int((self.width - 2 * MARGIN) / breadth(1, points))) or [""]:
            self.text(MARGIN, self.y + points / 144, line, points=points, colour=colour, bold=bold)
            self.y += points * 1.5 / 72

    def tile(self, box: Box, colour: str) -> None:
        """A filled box."""
        self._axes.add_patch(Rectangle((box.x, box.y), box.width, box.height, facecolor=colour, linewidth=0))

    def bar(self, box: Box, parts: Sequence[tuple[Result, float, float]]) -> None:
        """A bar of parts, each a result, its begin and its length (of 1); each result has its pattern."""
        for result, start, length in parts:
            part = Rectangle((box.x + start * box.width, box.y), length * box.width, box.height, linewidth=0)
            part.set(facecolor=palette.RESULTS[result], edgecolor=palette.PAPER, hatch=HATCHES[result])
            self._axes.add_patch(part)

    def upright_line(self, x: float, top: float, bottom: float) -> None:
        """A hair line."""
        self._axes.plot([x, x], [top, bottom], color=palette.LINE, linewidth=0.8, zorder=0)
