"""The pictures as one HTML file that needs nothing else: no network, no script. In the dark it is dark.

Whatever comes from outside goes through `text`. A page that were tricked all the same could load nothing: its
Content-Security-Policy allows its own style sheet and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from postroad.show import labels, palette
from postroad.show.axis import Axis, Span, folded
from postroad.show.bars import caption, parts, sentence
from postroad.show.columns import Column, columns_of, first_share, lost_columns
from postroad.show.labels import percent, seconds, short
from postroad.show.picture import By, Picture
from postroad.simulation.nouns import Example, Forecast, Step
from postroad.words.inputs import InputError
from postroad.words.outcome import Result
from postroad.words.visible import defused

SHADES = 20  # classes of colour between no share and all
NAME_ROOM = 48  # characters of a name in the timeline
FEW, MANY = 4, 10  # columns: up to FEW they are wide, from MANY on their headings stand upright


def page(picture: Picture, *others: Picture) -> str:
    """The whole file: the picture, and others beneath it."""
    sections = "".join(_section(each, index) for index, each in enumerate((picture, *others)))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(picture.title)}</title>\n<style>\n{_style()}</style>\n</head>\n"
        f"<body>\n{_hatches()}<main>\n{sections}</main>\n</body>\n</html>\n"
    )


def save(picture: Picture, path: Path) -> None:
    """Write the page into a file.

    Raises:
        InputError: the file cannot be written; the text says why.
    """
    try:
        path.write_text(page(picture), encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path}: cannot be written: {problem.strerror or problem}") from problem


def text(words: str) -> str:
    """Words from outside, harmless between tags and in a quoted attribute."""
    return escape(defused(words))


def _style() -> str:
    """The style sheet, with a class for each shade on paper and in the dark."""
    plain = files("postroad.show").joinpath("page.css").read_text(encoding="utf-8")
    return f"{plain}{_shades(palette.LIGHT)}@media (prefers-color-scheme: dark) {{\n{_shades(palette.DARK)}}}\n"


def _shades(ramp: tuple[str, ...]) -> str:
    tiles = [palette.shade(step / SHADES, ramp) for step in range(SHADES + 1)]
    return "".join(
        f".s{step} {{ background: {tile}; color: {palette.ink_on(tile)}; }}\n" for step, tile in enumerate(tiles)
    )


def _hatches() -> str:
    """The patterns that tell results apart without colour."""
    paths = {Result.DEFERRED: "M-2 10L10 -2M-2 2L2 -2M6 10L10 6", Result.FAILED: "M0 0L8 8M8 0L0 8"}
    return (
        '<svg width="0" height="0" aria-hidden="true"><defs>'
        + "".join(
            f'<pattern id="{result}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" '
            f'class="{result}"/><path d="{path}" class="stripe"/></pattern>'
            for result, path in paths.items()
        )
        + "</defs></svg>\n"
    )


def _section(picture: Picture, index: int) -> str:
    """One picture; ids begin with its number."""
    return "".join(
        (
            f'<section class="picture">\n<h1>{text(picture.title)}</h1>\n',
            f'<p class="summary">{text(picture.summary)}</p>\n',
            f'<p class="quiet">{text(picture.domain)}</p>\n',
            _heat_map(picture.forecasts, f"first-{index}"),
            _survival(picture, f"lost-{index}") if picture.lost else "",
            _timeline(picture.example, picture.sender, f"time-{index}") if picture.example else "",
            _records(picture.records) if picture.records else "",
            "</section>\n",
        )
    )


def _heat_map(forecasts: By, mark: str) -> str:
    heads = columns_of(forecasts.values())
    rows = ((sender, [_share(forecast, column) for column in heads]) for sender, forecast in forecasts.items())
    return (
        _title(mark, f"{labels.TITLE_FIRST}, in per cent of messages", labels.circumstances(forecasts.values()))
        + _grid("heat", mark, heads, rows)
        + _notes(forecasts)
    )


def _share(forecast: Forecast, column: Column) -> str:
    if forecast.unable:
        return f'<td class="none">{labels.NONE}</td>'
    share = first_share(forecast, column)
    if not share:
        return '<td class="none">0</td>'
    return f'<td class="s{round(share * SHADES)}" title="{share} to {text(column.full)}">{text(percent(share))}</td>'


def _survival(picture: Picture, mark: str) -> str:
    lost = lost_columns(picture.lost)
    everything = {sender: forecast for by in lost.values() for sender, forecast in by.items()}
    rows = ((sender, [_outcome(by.get(sender)) for by in lost.values()]) for sender in everything)
    cases = (each for by in lost.values() for each in by.values())
    key = "".join(f"<li>{_bar([(result, 0.0, 1.0)])}{words}</li>" for result, words in labels.RESULTS.items())
    return (
        _title(mark, labels.TITLE_LOST, labels.circumstances(cases))
        + f'<ul class="key">{key}<li class="quiet">{labels.BESIDE}</li></ul>\n'
        + _grid("lost", mark, list(lost), rows)
        + _notes(everything)
    )


def _outcome(forecast: Forecast | None) -> str:
    if forecast is None or forecast.unable:
        return f'<td class="none">{labels.NONE}</td>'
    number, wait = caption(forecast)
    bar = _bar([(result, float(start), float(length)) for result, start, length in parts(forecast)])
    words = f'<div class="under">{text(number)}<span>{text(wait)}</span></div>'
    return f'<td title="{text(sentence(forecast))}">{bar}{words}</td>'


def _bar(pieces: Iterable[tuple[Result, float, float]]) -> str:
    return f'<svg class="bar" aria-hidden="true">{"".join(_piece(*piece) for piece in pieces)}</svg>'


def _piece(result: Result, start: float, length: float) -> str:
    paint = 'class="delivered"' if result is Result.DELIVERED else f'fill="url(#{result})"'
    return f'<rect x="{start:.2%}" width="{length:.2%}" height="100%" {paint}/>'


def _timeline(example: Example, sender: str, mark: str) -> str:
    head = _title(mark, labels.headline(example, sender), labels.manner(example))
    if not example.steps:
        return head
    steps = labels.shown(example.steps)
    axis = folded([step for _, step in steps])
    rows = "".join(
        _contact(index, step, span, example.result if index == labels.decides(example) else Result.DEFERRED)
        for (index, step), span in zip(steps, axis.spans, strict=True)
    )
    return (
        f'{head}<div class="wide" tabindex="0" role="region" aria-labelledby="{mark}">\n<table class="time">\n'
        '<thead><tr><th scope="col">#</th><th scope="col">contact</th><th scope="col">from</th>'
        '<td class="track"></td><th scope="col">met</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n<tfoot><tr><td></td><td></td><td></td>{_ticks(axis)}<td></td></tr></tfoot>\n"
        "</table>\n</div>\n"
    )


def _contact(index: int, step: Step, span: Span, result: Result) -> str:
    name, where = text(step.exchange), text(f"{step.address}, preference {step.preference}")
    bar = _piece(result, span.left, max(span.right - span.left, 0.004))
    return (
        f'<tr><td class="number">{index + 1}</td>'
        f'<th scope="row" title="{name}">{text(short(step.exchange, NAME_ROOM))}<small>{where}</small></th>'
        f'<td class="number">{text(seconds(step.at_s))}</td>'
        f'<td class="track"><svg height="16" aria-hidden="true">{bar}</svg></td>'
        f"<td>{labels.MET[step.met]}<small>for {text(seconds(step.waited_s))}</small></td></tr>\n"
    )


def _ticks(axis: Axis) -> str:
    marks = "".join(
        f'<line x1="{tick.at:.2%}" x2="{tick.at:.2%}" y1="0" y2="5"/>'
        f'<text x="{tick.at:.2%}" y="18" text-anchor="middle">{text(seconds(tick.time_s))}</text>'
        for tick in axis.thinned(0.18)
    )
    ground = '<line x1="0" x2="100%" y1="0" y2="0"/>'
    return f'<td class="track"><svg height="22" aria-hidden="true">{ground}{marks}</svg></td>'


def _records(records: Sequence[str]) -> str:
    lines = "\n".join(text(line.expandtabs()) for line in records)
    return f"<h2>Records</h2>\n<pre>{lines}</pre>\n"


def _title(mark: str, words: str, more: str) -> str:
    return f'<h2 id="{mark}">{text(words)}</h2>\n<p class="quiet">{text(more)}</p>\n'


def _grid(kind: str, mark: str, heads: Sequence[Column], rows: Iterable[tuple[str, list[str]]]) -> str:
    """A table of senders by servers. It scrolls sideways by itself, and so takes the focus for the arrow keys."""
    size = "few" if len(heads) <= FEW else "many" if len(heads) >= MANY else ""
    columns = "".join(_heading(column) for column in heads)
    body = "".join(f'<tr><th scope="row">{text(sender)}</th>{"".join(cells)}</tr>\n' for sender, cells in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-labelledby="{mark}">\n'
        f'<table class="{kind} {size}" aria-labelledby="{mark}">\n'
        f"<thead><tr><td></td>{columns}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _heading(column: Column) -> str:
    names, address, preference = column.head
    more = (address, f"preference {preference}" if preference else "", column.down or "")
    lines = "".join(f"<small>{text(line)}</small>" for line in more if line)
    return f'<th scope="col" title="{text(column.full)}">{text(names)}{lines}</th>'


def _notes(forecasts: By) -> str:
    unable = (f"{labels.NONE} {line}" for line in labels.unable(forecasts.items()))
    lines = (*unable, *labels.sampled(forecasts.items()))
    return "".join(f'<p class="note">{text(line)}</p>\n' for line in lines)
