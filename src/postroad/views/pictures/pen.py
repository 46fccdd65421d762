"""How lines are drawn in a terminal: what it can show, and a grid of senders by servers that always fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions
from rich.text import Text

from postroad.views.pictures import palette
from postroad.views.pictures.columns import Column
from postroad.views.pictures.labels import short
from postroad.words.outcome import Result

WIDEST = 120  # columns; a picture wider than this is no clearer
SENDER_ROOM = 20
QUIET = "dim"
GLYPHS = {Result.DELIVERED: "█", Result.DEFERRED: "▒", Result.FAILED: "x"}
PLAIN = {Result.DELIVERED: "#", Result.DEFERRED: "~", Result.FAILED: "x"}  # where only ASCII can be shown


@dataclass(frozen=True, slots=True)
class Pen:
    """The abilities of the terminal: its width in columns, colour or not, more than ASCII or not."""

    width: int
    colour: bool
    ascii_only: bool

    def bar(self, result: Result, count: int) -> tuple[str, str]:
        """A part of a bar, with its style."""
        return (PLAIN if self.ascii_only else GLYPHS)[result] * count, palette.RESULTS[result]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A renderable: lines drawn with the pen that the console turns out to have."""

    draw: Callable[[Pen], Iterator[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw for this console (rich's protocol)."""
        colour = console.color_system is not None and not console.no_color
        for line in self.draw(Pen(min(options.max_width, WIDEST), colour, options.ascii_only)):
            if not colour:  # blanks at the end of a line may be a tile
                line.rstrip()
            yield line


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell of a grid wants: its least width, and where its text stands."""

    width: int
    align: Literal["left", "center"]


def grid(pen: Pen, columns: Sequence[Column], rows: Mapping[str, Sequence[Text]], cell: Cell) -> Iterator[Text]:
    """Rows with a heading for each column.

    All columns side by side under their names if they fit; else in blocks one beneath the other; names longer
    than a cell become numbers then, with a legend.
    """
    left = max((len(short(sender, SENDER_ROOM)) for sender in rows), default=0) + 2
    left = max(left, len("preference") + 2)
    heads = [_heading(column) for column in columns]
    longest = max((len(line) for head in heads for line in head), default=0)
    room = pen.width - left
    numbered = False
    width = max(cell.width, longest)
    if len(columns) * (width + 1) > room and longest > cell.width:
        numbered, width = True, cell.width
        heads = [(str(number), "", "", head[3]) for number, head in enumerate(heads, start=1)]
    across = max(1, room // (width + 1))
    for start in range(0, len(columns), across):
        block = slice(start, start + across)
        yield Text()
        yield from _headings(heads[block], left, Cell(width, cell.align))
        for sender, drawn in rows.items():
            yield _row(Text(f"{short(sender, SENDER_ROOM):<{left}}"), drawn[block], Cell(width, cell.align))
    if numbered:
        yield Text()
        yield from (Text(f"{number:>3}  {_legend(column)}", QUIET) for number, column in enumerate(columns, start=1))


def _heading(column: Column) -> tuple[str, ...]:
    """Names, address, preference; and how it is down."""
    return *column.head, column.down or ""


def _legend(column: Column) -> str:
    names, address, preferences = column.head
    return " ".join(filter(None, (preferences, names, f"[{address}]" if address else "")))


def _headings(heads: Sequence[tuple[str, ...]], left: int, cell: Cell) -> Iterator[Text]:
    styles = ("bold", QUIET, QUIET, QUIET)
    for label, style, line in zip(("", "", "preference", "down"), styles, zip(*heads, strict=True), strict=True):
        if any(line):
            yield _row(Text(f"{label:<{left}}", QUIET), [Text(word, style) for word in line], cell)


def _row(label: Text, drawn: Sequence[Text], cell: Cell) -> Text:
    line = Text().append_text(label)
    for each in drawn:
        padded = each.copy()
        padded.align(cell.align, cell.width)
        line.append_text(padded).append(" ")
    return line
