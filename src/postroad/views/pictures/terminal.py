"""The pictures in a terminal: with colour or without, at any width. Headings that do not fit become numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import log1p

from rich.text import Text

from postroad.simulation import Example, Forecast, Step
from postroad.views.pictures import labels, palette
from postroad.views.pictures.axis import UNIT_S, Axis, Span, folded
from postroad.views.pictures.bars import caption, cells
from postroad.views.pictures.columns import Column, columns_of, legend
from postroad.views.pictures.folds import folds_of
from postroad.views.pictures.labels import short
from postroad.views.pictures.pen import QUIET, Cell, Drawing, Pen, grid
from postroad.views.pictures.picture import By, Picture
from postroad.words.outcome import Result
from postroad.words.phrasebook import seconds
from postroad.words.trail import labelled
from postroad.words.visible import defused

HEIGHTS = " ▁▂▃▄▅▆▇█"  # a share without colour
CAPTION = 14  # columns beside a bar: " >99 ▆59.5 min"


def heat_map(forecasts: By) -> Drawing:
    """Rows senders, columns servers, in each cell the per cent of messages that go there first."""
    columns = columns_of(forecasts.values())
    told = tuple(legend(columns))

    def lines(pen: Pen) -> Iterator[Text]:
        yield Text(f"{labels.TITLE_FIRST}: per cent of messages", "bold")
        yield Text(labels.circumstances(forecasts.values()), QUIET)
        rows = {sender: [_share(pen, each, column) for column in columns] for sender, each in forecasts.items()}
        yield from grid(pen, columns, rows, Cell(7 if told else 5, "center"))
        yield from (Text(line, QUIET) for line in told)
        yield from (Text(f"{labels.NONE} {line}", QUIET) for line in labels.unable(forecasts.items()))

    return Drawing(lines)


def fault_bars(picture: Picture) -> Drawing:
    """For each fault of one server, by sender: what the first attempt comes to, and how long it waits."""
    folds = folds_of(picture.faults)

    def lines(pen: Pen) -> Iterator[Text]:
        yield Text(labels.title_of_faults(picture.at_fault), "bold")
        yield _legend(pen)
        yield Text(labels.BESIDE, QUIET)
        width = _bar_width(pen, len(folds.heads))
        drawn = {row.label: [_bar(pen, each, width, folds.longest_s) for each in row.cells] for row in folds.rows}
        yield from grid(pen, [Column(head) for head in folds.heads], drawn, Cell(width + CAPTION, "left"))
        yield from (Text(defused(line), QUIET) for line in folds.legend)

    return Drawing(lines)


def timeline(example: Example, sender: str = "") -> Drawing:
    """One delivery on a time axis: each contact with its server, what it met, and how long that took."""

    def lines(pen: Pen) -> Iterator[Text]:
        yield Text(labels.headline(example, sender), "bold")
        yield Text(labels.manner(example), QUIET)
        if not example.steps:
            return
        steps = labels.shown(example.steps)
        axis = folded([step for _, step in steps])
        sides = [_sides(index, step) for index, step in steps]
        left, right = (max(len(side[at]) for side in sides) for at in (0, 1))
        room = pen.width - left - right - 4
        own_line = room < 24  # too long for one line: names go above their bars
        left, room = (2, pen.width - right - 6) if own_line else (left, room)
        for (index, _), span, (name, met) in zip(steps, axis.spans, sides, strict=True):
            if own_line:
                yield Text(name)
            result = example.result if index == labels.decides(example) else Result.DEFERRED
            bar = _stretch(pen, span, result, max(room, 8))
            yield Text.assemble(f"{'' if own_line else name:<{left}}", "  ", bar, "  ", met)
        yield _ticks(axis, left, max(room, 8))

    return Drawing(lines)


def _share(pen: Pen, forecast: Forecast, column: Column) -> Text:
    """A cell of the heat map: the number on its colour, or beside a block as high as the share."""
    if forecast.unable:
        return Text(labels.NONE, QUIET)
    share, number = column.share(forecast), column.number(forecast)
    if not share:
        return Text(number, QUIET)
    if pen.colour:
        tile = palette.shade(float(share), palette.DARK)  # most terminals are dark, and none says so
        return Text(number, f"{palette.ink_on(tile)} on {tile}")
    height = "" if pen.ascii_only else HEIGHTS[max(1, round(share * 8))] + " "
    return Text(f"{height}{number:>3}")


def _bar(pen: Pen, forecast: Forecast | None, width: int, longest_s: float) -> Text:
    """A cell: the bar, the per cent delivered, the longest wait behind a block as high as its logarithm."""
    if forecast is None:
        return Text(labels.NONE, QUIET)
    number, wait = caption(forecast)
    bar = [pen.bar(result, count) for result, count in cells(forecast, width)]
    block = ""
    if wait and not pen.ascii_only:
        block = HEIGHTS[max(1, round(8 * log1p(forecast.delay_worst_s / UNIT_S) / log1p(longest_s / UNIT_S)))]
    return Text.assemble(*bar, f" {number:>3} ", (f"{block}{wait}", QUIET))


def _bar_width(pen: Pen, columns: int) -> int:
    """As long as all columns fit side by side, between 3 and 10."""
    return min(10, max(3, (pen.width - 20) // max(columns, 1) - CAPTION - 1))


def _legend(pen: Pen) -> Text:
    """What the parts of a bar mean."""
    return Text.assemble(
        *(part for result, word in labels.RESULTS.items() for part in (pen.bar(result, 2), f" {word}  "))
    )


def _sides(index: int, step: Step) -> tuple[str, str]:
    """What stands left and right of a contact's bar."""
    name = f"{index + 1:>2}  {labelled(short(step.exchange, 32), str(step.address))} {step.preference}"
    return name, f"{labels.MET[step.met]}, {seconds(step.waited_s)}"


def _stretch(pen: Pen, span: Span, result: Result, room: int) -> Text:
    """A contact's bar at its place on the axis."""
    left = min(round(span.left * room), room - 1)
    count = max(1, round(span.right * room) - left)
    return Text.assemble(" " * left, pen.bar(result, count), " " * (room - left - count))


def _ticks(axis: Axis, indent: int, room: int) -> Text:
    """The seconds beneath the bars: each label ends where its moment is, the first begins there."""
    line = [" "] * (room + 8)
    for tick in axis.thinned(10 / room):
        label = seconds(tick.time_s)
        at = min(round(tick.at * room), room - 1) if tick.at < 1 else room - len(label)
        line[at : at + len(label)] = label
    return Text(" " * (indent + 2) + "".join(line), QUIET)


DRAWINGS: Mapping[str, Callable[[Picture], Drawing]] = {
    "heat_map": lambda picture: heat_map(picture.forecasts),
    "fault_bars": fault_bars,
    "timeline": lambda picture: timeline(picture.delivery, picture.sender),
}
"""The pictures by name."""
