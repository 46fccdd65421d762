"""The pictures laid out, each on a sheet of its own: who is contacted first, the faults side by side, one delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

from postroad.simulation import Example, Forecast, Step
from postroad.views.pictures import labels
from postroad.views.pictures.axis import UNIT_S, folded
from postroad.views.pictures.bars import caption, parts, sentence
from postroad.views.pictures.columns import Column, columns_of, legend
from postroad.views.pictures.folds import Folds, folds_of
from postroad.views.pictures.labels import short
from postroad.views.pictures.palette import SHADES
from postroad.views.pictures.picture import By, Picture
from postroad.views.pictures.sheet import MARGIN, Sheet, SheetDraft, Words, breadth, stacked
from postroad.words.outcome import Result
from postroad.words.phrasebook import percent, seconds
from postroad.words.trail import labelled

NARROWEST = 700.0
ROW, BAR_ROW, STEP_ROW = 28.0, 46.0, 44.0
COLUMN, COLUMNS = 72.0, 1060.0  # a column's least width; what all may take before their heads are turned upright
WIDE = 180.0  # of a column, where there is room
SENDER_ROOM, NAME_ROOM = 26, 30
MET_ROOM = 210.0
SHORTEST, LONGEST = 280.0, 660.0  # of the time axis


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the columns stand, and whether their heads are too long to lie flat."""

    left: float
    width: float
    heads: tuple[tuple[str, ...], ...]
    is_upright: bool

    @classmethod
    def of(cls, heads: Sequence[tuple[str, ...]], senders: Iterable[str], least: float = COLUMN) -> Grid:
        """As wide as names and heads need."""
        rows = max((len(short(sender, SENDER_ROOM)) for sender in senders), default=0)
        left = MARGIN + breadth(rows) + 14
        longest = max((len(line) for lines in heads for line in lines), default=0)
        count = max(len(heads), 1)
        flat = max(least, breadth(longest, 12) + 14, min(WIDE, (NARROWEST - MARGIN - left) / count))
        is_upright = flat * count > COLUMNS
        return cls(left, least if is_upright else flat, tuple(heads), is_upright)

    def at(self, index: int) -> float:
        """Where a column begins."""
        return self.left + index * self.width

    def draft(self) -> SheetDraft:
        """A sheet wide enough, with the heads drawn."""
        draft = SheetDraft(max(NARROWEST, self.at(len(self.heads)) + MARGIN), 6)
        if self.is_upright:
            draft.y += max(breadth(len("  ".join(lines)), 12) for lines in self.heads) + 6
        else:
            draft.y += 17.0 * max((len(lines) for lines in self.heads), default=0) + 6
        for index, lines in enumerate(self.heads):
            self._head(draft, self.at(index) + self.width / 2, lines)
        return draft

    def _head(self, draft: SheetDraft, middle: float, lines: tuple[str, ...]) -> None:
        if self.is_upright:
            text = "  ".join(line for line in lines if line)
            draft.words(Words(middle, draft.y - 6, text, 12, across="start", is_upright=True))
            return
        for number, line in enumerate(lines):
            y = draft.y - 6 - 17.0 * (len(lines) - number) + 8
            draft.words(Words(middle, y, line, 12, "muted" if number else "ink", "middle", not number))


def drawings(picture: Picture) -> list[Sheet]:
    """Each picture that there is something to draw for."""
    return [DRAWINGS[name](picture) for name in picture.names]


def poster(picture: Picture) -> Sheet:
    """All of the picture, top to bottom."""
    return stacked(picture.title, picture.summary, drawings(picture))


def heat_map(forecasts: By) -> Sheet:
    """Rows senders, columns servers, in each cell the per cent of messages that go there first."""
    columns = columns_of(forecasts.values())
    grid = Grid.of([_head(column) for column in columns], forecasts)
    draft = grid.draft()
    for sender, forecast in forecasts.items():
        _sender(draft, grid, sender, ROW / 2)
        for index, column in enumerate(columns):
            share, middle = column.share(forecast), grid.at(index) + grid.width / 2
            shade = round(float(share) * SHADES)
            if share:
                draft.box(grid.at(index) + 2, draft.y + 2, grid.width - 4, ROW - 4, f"s{shade}")
            ink = f"i{shade}" if share else "muted"
            draft.words(Words(middle, draft.y + ROW / 2, column.number(forecast), ink=ink, across="middle"))
        draft.y += ROW
    _notes(draft, [labels.circumstances(forecasts.values()), *legend(columns), *_exceptions(forecasts)])
    return draft.finish(f"{labels.TITLE_FIRST}, in per cent of messages", "; ".join(_shares(forecasts, columns)))


def _shares(forecasts: By, columns: Sequence[Column]) -> Iterable[str]:
    for sender, forecast in forecasts.items():
        if not forecast.unable:
            shares = [(column, column.share(forecast)) for column in columns]
            yield f"{sender}: {', '.join(f'{percent(share)} {column.full}' for column, share in shares if share)}"


def fault_bars(picture: Picture) -> Sheet:
    """Rows senders, columns faults of one machine: what becomes of the first attempt, and how long it waits."""
    folds = folds_of(picture.faults)
    grid = Grid.of([(head,) for head in folds.heads], [row.label for row in folds.rows], least=104.0)
    draft = grid.draft()
    for row in folds.rows:
        _sender(draft, grid, row.label, 14)
        for index, forecast in enumerate(row.cells):
            if forecast:
                _cell(draft, grid.at(index), grid.width, forecast, folds.longest_s)
        draft.y += BAR_ROW
    _key(draft)
    _notes(draft, folds.legend)
    return draft.finish(labels.title_of_faults(picture.at_fault), "; ".join(_told(folds)))


def _told(folds: Folds) -> Iterable[str]:
    for row in folds.rows:
        cells = (
            f"{head}: {sentence(each)}"
            for head, each in zip(map(", ".join, folds.columns), row.cells, strict=True)
            if each
        )
        yield f"{', '.join(row.names)}: {'. '.join(cells)}"


def _cell(draft: SheetDraft, x: float, width: float, forecast: Forecast, longest_s: float) -> None:
    """The bar of what becomes of mail, and beneath it the wait: each stretch as long as the logarithm of its time."""
    number, wait = caption(forecast)
    draft.bar(x + 6, draft.y + 7, width - 12, 12, [(result, float(a), float(b)) for result, a, b in parts(forecast)])
    draft.words(Words(x + 6, draft.y + 33, number, 11))
    if wait:
        room = (width - 12) * log1p(forecast.delay_worst_s / UNIT_S) / log1p(longest_s / UNIT_S)
        draft.box(x + 6, draft.y + 20, room, 4, "wait")
        draft.words(Words(x + width - 6, draft.y + 33, wait, 11, "muted", "end"))


def _key(draft: SheetDraft) -> None:
    x = MARGIN
    draft.y += 8
    for ink, words in (*((result.value, text) for result, text in labels.RESULTS.items()), ("wait", "longest wait")):
        height = 4.0 if ink == "wait" else 12.0
        draft.box(x, draft.y + 8 - height / 2, 28, height, ink)
        draft.words(Words(x + 36, draft.y + 8, words, 12))
        x += 36 + breadth(len(words), 12) + 20
    draft.y += 24
    _notes(draft, [labels.BESIDE])


def timeline(example: Example, sender: str) -> Sheet:
    """One delivery on a time axis: each contact with its server, what it met, and how long that took."""
    steps = labels.shown(example.steps)
    axis = folded([step for _, step in steps]) if steps else None
    left = _beside(steps)
    draft = SheetDraft(max(NARROWEST, left + SHORTEST + MET_ROOM + MARGIN), 4)
    room = min(draft.width - MARGIN - MET_ROOM - left, LONGEST)
    bottom = draft.y + STEP_ROW * len(steps)
    for tick in axis.thinned(60 / room) if axis else ():
        draft.box(left + tick.at * room, draft.y, 1, bottom - draft.y, "line")
        draft.words(Words(left + tick.at * room, bottom + 10, seconds(tick.time_s), 11, "muted", "middle"))
    for (index, step), span in zip(steps, axis.spans if axis else (), strict=True):
        _contact(draft, index, step)
        result = example.result if index == labels.decides(example) else Result.DEFERRED
        width = max((span.right - span.left) * room, 4.0)
        draft.box(left + span.left * room, draft.y + STEP_ROW / 2 - 9, width, 18, result.value)
        met = f"{labels.MET[step.met]}, {seconds(step.waited_s)}"
        draft.words(Words(left + room + 14, draft.y + STEP_ROW / 2, met, 12))
        draft.y += STEP_ROW
    draft.y += 24
    _notes(draft, [labels.manner(example)])
    told = "; ".join(f"{labelled(step.exchange, str(step.address))} {labels.MET[step.met]}" for _, step in steps)
    return draft.finish(labels.headline(example, sender), told or labels.ending(example))


def _contact(draft: SheetDraft, index: int, step: Step) -> None:
    middle = draft.y + STEP_ROW / 2
    draft.words(Words(MARGIN, middle - 8, f"{index + 1}", 12, "muted"))
    draft.words(Words(MARGIN + 28, middle - 8, short(step.exchange, NAME_ROOM)))
    draft.words(Words(MARGIN + 28, middle + 9, _where(step), 11, "muted"))


def _beside(steps: Sequence[tuple[int, Step]]) -> float:
    """Where the time axis begins: right of all names and addresses."""
    sides = (max(breadth(len(short(step.exchange, NAME_ROOM))), breadth(len(_where(step)), 11)) for _, step in steps)
    return MARGIN + 28 + max(sides, default=0) + 20


def _where(step: Step) -> str:
    return f"{step.address}, preference {step.preference}"


def _sender(draft: SheetDraft, grid: Grid, sender: str, middle: float) -> None:
    draft.words(Words(grid.left - 14, draft.y + middle, short(sender, SENDER_ROOM), across="end"))


def _head(column: Column) -> tuple[str, str, str]:
    """Names; address; preference, and how it is down."""
    names, address, preference = column.head
    return names, address, " ".join(filter(None, (f"preference {preference}" if preference else "", column.down)))


def _notes(draft: SheetDraft, notes: Iterable[str]) -> None:
    draft.y += 6
    for note in notes:
        draft.lines(note, size=12, ink="muted")


def _exceptions(forecasts: By) -> list[str]:
    unable = (f"{labels.NONE} {line}" for line in labels.unable(forecasts.items()))
    return [*unable, *labels.sampled(forecasts.items())]


DRAWINGS: Mapping[str, Callable[[Picture], Sheet]] = {
    "heat_map": lambda picture: heat_map(picture.forecasts),
    "fault_bars": fault_bars,
    "timeline": lambda picture: timeline(picture.delivery, picture.sender),
}
"""The pictures by name."""
