"""The pictures of a simulation as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from postroad.views.html.frame import framed, scrolled, text
from postroad.views.pictures.drawings import drawings
from postroad.views.pictures.picture import Picture
from postroad.views.pictures.sheet import Sheet
from postroad.views.pictures.svg import svg
from postroad.words.inputs import InputError


def page(picture: Picture, *others: Picture) -> str:
    """The whole file: the picture, and others beneath it."""
    return framed(picture.title, "".join(_section(each, index) for index, each in enumerate((picture, *others))))


def save(picture: Picture, path: Path) -> None:
    """Write the page into a file.

    Raises:
        InputError: the file cannot be written; the text says why.
    """
    try:
        path.write_text(page(picture), encoding="utf-8")
    except OSError as problem:
        raise InputError(f"{path}: cannot be written: {problem.strerror or problem}") from problem


def embedded(sheets: Iterable[Sheet], mark: str) -> str:
    """Each picture under its heading."""
    return "".join(
        f'<h2 id="{mark}-{index}">{text(sheet.title)}</h2>\n'
        + scrolled(f"{mark}-{index}", svg(sheet, f"{mark}-{index}-picture"))
        for index, sheet in enumerate(sheets)
    )


def _section(picture: Picture, index: int) -> str:
    """One picture; ids begin with its number."""
    return (
        f'<section class="picture">\n<h1>{text(picture.title)}</h1>\n<p class="summary">{text(picture.summary)}</p>\n'
        f'<p class="quiet">{text(picture.domain)}</p>\n{embedded(drawings(picture), f"p{index}")}'
        f"{_records(picture.records)}</section>\n"
    )


def _records(records: Sequence[str]) -> str:
    lines = "\n".join(text(line.expandtabs()) for line in records)
    return f"<h2>Records</h2>\n<pre>{lines}</pre>\n" if lines else ""
