"""The pictures of a simulation as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from postroad.simulation.nouns import Example, Forecast, Step
from postroad.views.html.frame import SHADES, framed, scrolled, text
from postroad.views.pictures import labels
from postroad.views.pictures.axis import Axis, Span, folded
from postroad.views.pictures.bars import caption, parts, sentence
from postroad.views.pictures.columns import Column, columns_of, first_share, lost_columns
from postroad.views.pictures.labels import short
from postroad.views.pictures.picture import By, Picture
from postroad.words.inputs import InputError
from postroad.words.outcome import Result
from postroad.words.phrasebook import per_cent, seconds

NAME_ROOM = 48  # characters of a name in the timeline
FEW, MANY = 4, 10  # columns: up to FEW they are wide, from MANY on their headings stand upright


def page(picture: Picture, *others: Picture) -> str:
    """The whole file: the picture, and others beneath it."""
    sections = "".join(_section(each, index) for index, each in enumerate((picture, *others)))
    return framed(picture.title, f"{_hatches()}{sections}")


def save(picture: Picture, path: Path) -> None:
    """Write the page into a file.

    Raises:
        InputError: the file cannot be written; the text says why.
    """
    try:
        path.write_text(page(picture), encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path}: cannot be written: {problem.strerror or problem}") from problem


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
        + _unable(forecasts)
    )


def _share(forecast: Forecast, column: Column) -> str:
    if forecast.unable:
        return f'<td class="none">{labels.NONE}</td>'
    share = first_share(forecast, column)
    if not share:
        return '<td class="none">0</td>'
    return f'<td class="s{round(share * SHADES)}" title="{share} to {text(column.full)}">{text(per_cent(share))}</td>'


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
        + _unable(everything)
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
    table = (
        '<table class="time">\n'
        '<thead><tr><th scope="col">#</th><th scope="col">contact</th><th scope="col">from</th>'
        '<td class="track"></td><th scope="col">met</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n<tfoot><tr><td></td><td></td><td></td>{_ticks(axis)}<td></td></tr></tfoot>\n"
        "</table>\n"
    )
    return head + scrolled(mark, table)


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
    """A table of senders by servers."""
    size = "few" if len(heads) <= FEW else "many" if len(heads) >= MANY else ""
    columns = "".join(_heading(column) for column in heads)
    body = "".join(f'<tr><th scope="row">{text(sender)}</th>{"".join(cells)}</tr>\n' for sender, cells in rows)
    table = (
        f'<table class="{kind} {size}" aria-labelledby="{mark}">\n'
        f"<thead><tr><td></td>{columns}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
    )
    return scrolled(mark, table)


def _heading(column: Column) -> str:
    names, address, preference = column.head
    more = (address, f"preference {preference}" if preference else "", column.down or "")
    lines = "".join(f"<small>{text(line)}</small>" for line in more if line)
    return f'<th scope="col" title="{text(column.full)}">{text(names)}{lines}</th>'


def _unable(forecasts: By) -> str:
    return "".join(f'<p class="note">{labels.NONE} {text(line)}</p>\n' for line in labels.unable(forecasts.items()))
