"""A comparison of sets of records as a page."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.planning import Comparison, Difference
from postroad.views.html.frame import framed, scrolled, text
from postroad.views.html.pictures import embedded
from postroad.views.pictures.drawings import fault_bars, heat_map
from postroad.views.pictures.picture import Picture
from postroad.views.text.comparison import HEADS, headline, legend, lines, meaning, row, verdicts

TITLE = "MX records compared"


def page(comparison: Comparison, pictures: Iterable[Picture]) -> str:
    """The whole file; with a picture of each set."""
    return framed(
        TITLE,
        f'<h1>{TITLE}</h1>\n<p class="summary">{text(headline(comparison))}</p>\n'
        + _numbers(comparison)
        + _list(verdicts(comparison))
        + "".join(_difference(each) for each in comparison.differences)
        + "".join(_pictures(each, index) for index, each in enumerate(pictures)),
    )


def _pictures(picture: Picture, index: int) -> str:
    sheets = (heat_map(picture.forecasts), *((fault_bars(picture),) if picture.faults else ()))
    return f'<section class="picture">\n<h1>{text(picture.title)}</h1>\n{embedded(sheets, f"p{index}")}</section>\n'


def _numbers(comparison: Comparison) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    rows = "".join(_row(row(each)) for each in comparison.cards)
    table = f'<table class="numbers">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n'
    head = '<h2 id="numbers">The sets in numbers</h2>\n'
    return head + scrolled("numbers", table) + f'<p class="note">{text(legend(comparison))}</p>\n'


def _row(cells: Iterable[str]) -> str:
    name, *numbers = cells
    rest = "".join(f"<td>{text(cell)}</td>" for cell in numbers)
    return f'<tr><th scope="row">{text(name)}</th>{rest}</tr>\n'


def _list(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{text(each)}</li>\n" for each in sentences)
    return f'<ul class="told">\n{items}</ul>\n' if items else ""


def _difference(each: Difference) -> str:
    changed = "\n".join(text(line.expandtabs()) for line in lines(each))
    return f"<h2>{text(each.before)} → {text(each.after)}</h2>\n<pre>{changed}</pre>\n{_list(meaning(each))}"
