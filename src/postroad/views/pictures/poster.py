"""The pictures laid out on one sheet: title, heat map, survival bars, timeline. All measures are inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.simulation.nouns import Example, Forecast, Step
from postroad.views.pictures import labels, palette
from postroad.views.pictures.axis import folded
from postroad.views.pictures.bars import caption, parts
from postroad.views.pictures.columns import Column, columns_of, first_share, lost_columns
from postroad.views.pictures.labels import short
from postroad.views.pictures.picture import By, Picture
from postroad.views.pictures.sheet import MARGIN, Box, Sheet, breadth
from postroad.words.outcome import Result
from postroad.words.phrasebook import per_cent, seconds

NARROWEST = 7.4
ROW, BAR_ROW, STEP_ROW = 0.29, 0.43, 0.46
COLUMN, COLUMNS = 0.74, 11.0  # the least width of a column; what all may take before their headings are turned upright
WIDE = 2.0  # of a column, where there is room
SENDER_ROOM, NAME_ROOM = 26, 30
MET_ROOM = 2.2
SHORTEST, LONGEST = 3.0, 7.0  # of the time axis


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns of a grid stand, and whether their headings are too long to lie flat."""

    left: float
    width: float
    upright: bool
    longest: int  # letters of the longest heading

    def at(self, index: int) -> float:
        """Where a column begins."""
        return self.left + index * self.width


def poster(picture: Picture) -> Sheet:
    """All of the picture, top to bottom."""
    heads = columns_of(picture.forecasts.values())
    lost = lost_columns(picture.lost)
    longest = max((len(line) for column in (*heads, *lost) for line in _heading(column)), default=0)
    count = max(len(heads), len(lost), 1)
    rows = max((len(short(sender, SENDER_ROOM)) for sender in picture.forecasts), default=0)
    left = MARGIN + breadth(rows) + 0.15
    flat = max(COLUMN, breadth(longest) + 0.16, min(WIDE, (NARROWEST - left) / count))
    upright = flat * count > COLUMNS
    layout = Layout(left, COLUMN if upright else flat, upright, longest)
    timeline = _beside(picture.example) + SHORTEST + MET_ROOM if picture.example else 0
    sheet = Sheet(max(NARROWEST, layout.at(count), timeline) + MARGIN)
    sheet.lines(picture.title, points=15, bold=True)
    sheet.lines(picture.summary, points=10, colour=palette.MUTED)
    _heat_map(sheet, layout, heads, picture.forecasts)
    if lost:
        _survival(sheet, layout, lost)
    if picture.example:
        _timeline(sheet, picture.example, picture.sender)
    return sheet


def _heat_map(sheet: Sheet, layout: Layout, heads: Sequence[Column], forecasts: By) -> None:
    _title(sheet, f"{labels.TITLE_FIRST}, in per cent of messages", labels.circumstances(forecasts.values()))
    _headings(sheet, layout, heads)
    for sender, forecast in forecasts.items():
        middle = sheet.y + ROW / 2
        sheet.text(layout.left - 0.15, middle, short(sender, SENDER_ROOM), across="right")
        for index, column in enumerate(heads):
            share = first_share(forecast, column)
            tile = palette.shade(float(share)) if share else palette.PAPER
            if share:
                sheet.tile(Box(layout.at(index) + 0.02, sheet.y + 0.02, layout.width - 0.04, ROW - 0.04), tile)
            number, ink = per_cent(share), palette.ink_on(tile) if share else palette.MUTED
            words = labels.NONE if forecast.unable else number
            sheet.text(layout.at(index) + layout.width / 2, middle, words, colour=ink, across="center")
        sheet.y += ROW
    _unable(sheet, forecasts)


def _survival(sheet: Sheet, layout: Layout, lost: dict[Column, By]) -> None:
    everything = {sender: forecast for by in lost.values() for sender, forecast in by.items()}
    _title(sheet, labels.TITLE_LOST, labels.circumstances(each for by in lost.values() for each in by.values()))
    _legend(sheet)
    _headings(sheet, layout, list(lost))
    for sender in everything:
        sheet.text(layout.left - 0.15, sheet.y + 0.13, short(sender, SENDER_ROOM), across="right")
        for index, by in enumerate(lost.values()):
            if sender in by:
                _bar(sheet, layout.at(index), layout.width, by[sender])
        sheet.y += BAR_ROW
    _unable(sheet, everything)


def _bar(sheet: Sheet, x: float, width: float, forecast: Forecast) -> None:
    number, wait = caption(forecast)
    if not number:
        sheet.text(x + 0.06, sheet.y + 0.13, labels.NONE, colour=palette.MUTED)
        return
    pieces = [(result, float(start), float(length)) for result, start, length in parts(forecast)]
    sheet.bar(Box(x + 0.06, sheet.y + 0.07, width - 0.12, 0.13), pieces)
    sheet.text(x + 0.06, sheet.y + 0.28, number, points=7.5)
    sheet.text(x + width - 0.06, sheet.y + 0.28, wait, points=7.5, colour=palette.MUTED, across="right")


def _legend(sheet: Sheet) -> None:
    x = MARGIN
    for result, words in labels.RESULTS.items():
        sheet.bar(Box(x, sheet.y, 0.3, 0.13), [(result, 0.0, 1.0)])
        sheet.text(x + 0.38, sheet.y + 0.065, words, points=8)
        x += 0.38 + breadth(len(words), 8) + 0.25
    sheet.text(x, sheet.y + 0.065, labels.BESIDE, points=8, colour=palette.MUTED)
    sheet.y += 0.3


def _timeline(sheet: Sheet, example: Example, sender: str) -> None:
    steps = labels.shown(example.steps)
    _title(sheet, labels.headline(example, sender), labels.manner(example))
    if not steps:
        return
    left = _beside(example)
    room = min(sheet.width - MARGIN - MET_ROOM - left, LONGEST)
    axis = folded([step for _, step in steps])
    top, bottom = sheet.y, sheet.y + STEP_ROW * len(steps)
    for tick in axis.thinned(0.6 / room):
        sheet.upright_line(left + tick.at * room, top, bottom)
        sheet.text(
            left + tick.at * room, bottom + 0.1, seconds(tick.time_s), points=8, colour=palette.MUTED, across="center"
        )
    for (index, step), span in zip(steps, axis.spans, strict=True):
        middle = sheet.y + STEP_ROW / 2
        sheet.text(MARGIN, middle - 0.075, f"{index + 1}", colour=palette.MUTED)
        sheet.text(MARGIN + 0.3, middle - 0.075, short(step.exchange, NAME_ROOM))
        sheet.text(MARGIN + 0.3, middle + 0.085, _where(step), points=7.5, colour=palette.MUTED)
        result = example.result if index == labels.decides(example) else Result.DEFERRED
        width = max((span.right - span.left) * room, 0.04)
        sheet.bar(Box(left + span.left * room, middle - 0.09, width, 0.18), [(result, 0.0, 1.0)])
        sheet.text(left + room + 0.15, middle, f"{labels.MET[step.met]}, {seconds(step.waited_s)}")
        sheet.y += STEP_ROW
    sheet.y += 0.2


def _beside(example: Example) -> float:
    """Where the time axis begins: right of all names and addresses."""
    sides = [(short(step.exchange, NAME_ROOM), _where(step)) for _, step in labels.shown(example.steps)]
    return MARGIN + max((max(breadth(len(name)), breadth(len(where), 7.5)) for name, where in sides), default=0) + 0.5


def _where(step: Step) -> str:
    return f"{step.address}, preference {step.preference}"


def _title(sheet: Sheet, words: str, more: str) -> None:
    sheet.y += 0.3
    sheet.lines(words, points=11, bold=True)
    sheet.lines(more, points=8.5, colour=palette.MUTED)
    sheet.y += 0.08


def _headings(sheet: Sheet, layout: Layout, heads: Sequence[Column]) -> None:
    lines = [_heading(column) for column in heads]
    if layout.upright:
        sheet.y += breadth(layout.longest, 8.5) + 0.05
        for index, words in enumerate(lines):
            middle = layout.at(index) + layout.width / 2
            sheet.text(middle, sheet.y - 0.05, "\n".join(words), points=8, across="center", upright=True)
        return
    for place in range(3):
        points, colour = (8.0, palette.MUTED) if place else (9.0, palette.INK)
        for index, words in enumerate(lines):
            middle = layout.at(index) + layout.width / 2
            sheet.text(
                middle, sheet.y + 0.08, words[place], points=points, colour=colour, across="center", bold=not place
            )
        sheet.y += 0.17
    sheet.y += 0.03


def _heading(column: Column) -> tuple[str, str, str]:
    """Names; address; preference, and how it is down."""
    names, address, preference = column.head
    return names, address, " ".join(filter(None, (f"preference {preference}" if preference else "", column.down)))


def _unable(sheet: Sheet, forecasts: By) -> None:
    sheet.y += 0.06
    for line in labels.unable(forecasts.items()):
        sheet.lines(f"{labels.NONE} {line}", points=8, colour=palette.MUTED)
