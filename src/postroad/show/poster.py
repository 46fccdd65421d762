"""The pictures laid out on one sheet: title, heat map, survival bars, timeline. All measures are inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.show import labels, palette
from postroad.show.axis import folded
from postroad.show.bars import caption, parts
from postroad.show.labels import percent, seconds, short
from postroad.show.picture import By, Picture
from postroad.show.servers import Server, first_share, lost_servers, servers
from postroad.show.sheet import MARGIN, Box, Sheet, breadth
from postroad.simulation.nouns import Example, Forecast, Step
from postroad.words.outcome import Result

NARROWEST = 7.8
ROW, BAR_ROW, STEP_ROW = 0.29, 0.43, 0.46
COLUMN, COLUMNS = 0.74, 11.0  # the least width of a column; what all may take before their headings are turned upright
WIDE = 2.0  # of a column, where there is room
SENDER_ROOM, NAME_ROOM = 26, 30
MET_ROOM = 2.2
LONGEST = 7.0  # of the time axis


@dataclass(frozen=True, slots=True)
class Columns:
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
    heads = servers(picture.forecasts.values())
    lost = lost_servers(picture.lost)
    longest = max((len(line) for server in (*heads, *lost) for line in _heading(server)), default=0)
    count = max(len(heads), len(lost), 1)
    rows = max((len(short(sender, SENDER_ROOM)) for sender in picture.forecasts), default=0)
    left = MARGIN + breadth(rows) + 0.15
    flat = max(COLUMN, breadth(longest) + 0.16, min(WIDE, (NARROWEST - MARGIN - left) / count))
    upright = flat * count > COLUMNS
    columns = Columns(left, COLUMN if upright else flat, upright, longest)
    sheet = Sheet(max(NARROWEST, columns.at(count) + MARGIN))
    sheet.lines(picture.title, points=15, bold=True)
    sheet.lines(picture.summary, points=10, colour=palette.MUTED)
    _heat_map(sheet, columns, heads, picture.forecasts)
    if lost:
        _survival(sheet, columns, lost)
    if picture.example:
        _timeline(sheet, picture.example, picture.sender)
    return sheet


def _heat_map(sheet: Sheet, columns: Columns, heads: Sequence[Server], forecasts: By) -> None:
    _title(sheet, f"{labels.TITLE_FIRST}, in per cent of messages", labels.circumstances(forecasts.values()))
    _headings(sheet, columns, heads)
    for sender, forecast in forecasts.items():
        middle = sheet.y + ROW / 2
        sheet.text(columns.left - 0.15, middle, short(sender, SENDER_ROOM), across="right")
        for index, server in enumerate(heads):
            share = first_share(forecast, server)
            tile = palette.shade(float(share)) if share else palette.PAPER
            if share:
                sheet.tile(Box(columns.at(index) + 0.02, sheet.y + 0.02, columns.width - 0.04, ROW - 0.04), tile)
            number, ink = percent(share), palette.ink_on(tile) if share else palette.MUTED
            words = labels.NONE if forecast.unable else number
            sheet.text(columns.at(index) + columns.width / 2, middle, words, colour=ink, across="center")
        sheet.y += ROW
    _unable(sheet, forecasts)


def _survival(sheet: Sheet, columns: Columns, lost: dict[Server, By]) -> None:
    everything = {sender: forecast for by in lost.values() for sender, forecast in by.items()}
    _title(sheet, labels.TITLE_LOST, labels.circumstances(each for by in lost.values() for each in by.values()))
    _legend(sheet)
    _headings(sheet, columns, list(lost))
    for sender in everything:
        sheet.text(columns.left - 0.15, sheet.y + 0.13, short(sender, SENDER_ROOM), across="right")
        for index, by in enumerate(lost.values()):
            if sender in by:
                _bar(sheet, columns.at(index), columns.width, by[sender])
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
    longest = max(max(len(short(step.exchange, NAME_ROOM)), len(_where(step))) for _, step in steps)
    left = MARGIN + breadth(longest, 8.5) + 0.45
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


def _where(step: Step) -> str:
    return f"{step.address}, preference {step.preference}"


def _title(sheet: Sheet, words: str, more: str) -> None:
    sheet.y += 0.3
    sheet.lines(words, points=11, bold=True)
    sheet.lines(more, points=8.5, colour=palette.MUTED)
    sheet.y += 0.08


def _headings(sheet: Sheet, columns: Columns, heads: Sequence[Server]) -> None:
    lines = [_heading(server) for server in heads]
    if columns.upright:
        sheet.y += breadth(columns.longest, 8.5) + 0.05
        for index, words in enumerate(lines):
            middle = columns.at(index) + columns.width / 2
            sheet.text(middle, sheet.y - 0.05, "\n".join(words), points=8, across="center", upright=True)
        return
    for place in range(3):
        points, colour = (8.0, palette.MUTED) if place else (9.0, palette.INK)
        for index, words in enumerate(lines):
            middle = columns.at(index) + columns.width / 2
            sheet.text(
                middle, sheet.y + 0.08, words[place], points=points, colour=colour, across="center", bold=not place
            )
        sheet.y += 0.17
    sheet.y += 0.03


def _heading(server: Server) -> tuple[str, str, str]:
    """Names, address, preference and how it is down."""
    preference = f"preference {server.preference}" if server.preferences else ""
    address = server.key if server.names else ""
    return server.name if server.names else server.key, address, f"{preference} {server.down or ''}".strip()


def _unable(sheet: Sheet, forecasts: By) -> None:
    sheet.y += 0.06
    for line in labels.unable(forecasts.items()):
        sheet.lines(f"{labels.NONE} {line}", points=8, colour=palette.MUTED)
