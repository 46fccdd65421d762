"""An answer in sections as a page: all that a terminal shows, and what it has no room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from postroad.files import check_replaceable, not_written
from postroad.views.html.frame import framed, scrolled, text
from postroad.views.pictures.drawings import DRAWINGS
from postroad.views.pictures.svg import svg
from postroad.views.text.blocks import Styled, Table
from postroad.views.text.sections import HEADLINE, NOTE, AnswerSection, NamedPicture, Part, Sentences, ZoneLines

BEGINS = len("<!DOCTYPE html>")
_CLASSES = {HEADLINE: "summary", NOTE: "note"}


def page(title: str, sections: Iterable[AnswerSection]) -> str:
    """The whole file."""
    return framed(title, f"<h1>{text(title)}</h1>\n{''.join(map(_section, sections))}")


def save(whole: str, path: Path) -> None:
    """Write a page into a file.

    Raises:
        InputError: the file cannot be opened, or is no page; the text says why.
        UnwrittenError: the disk is full.
    """
    check_replaceable(path, whole[:BEGINS].encode())
    try:
        path.write_text(whole, encoding="utf-8")
    except OSError as problem:
        raise not_written(path, problem) from problem


def _section(section: AnswerSection) -> str:
    """A section under its heading; one without stands under those of its pictures."""
    head = f'<h2 id="{section.name}">{text(section.title)}</h2>\n' if section.title else ""
    numbers = count()
    return head + "".join(_part(part, section, f"{section.name}-{next(numbers)}") for part in section.parts)


def _part(part: Part, section: AnswerSection, mark: str) -> str:
    """`mark` is its own in the page."""
    match part:
        case Sentences((sentence,)):
            return f"<p>{text(sentence)}</p>\n"
        case Sentences(sentences):
            items = "".join(f"<li>{text(each)}</li>\n" for each in sentences)
            return f'<ul class="told">\n{items}</ul>\n'
        case ZoneLines(lines):
            whole = "\n".join(text(line.expandtabs()) for line in lines)
            return f"<pre>{whole}</pre>\n"
        case Table():
            return scrolled(section.name, _table(part))
        case NamedPicture(name, picture):
            sheet, level = DRAWINGS[name](picture), "h3" if section.title else "h2"
            head = f'<{level} id="{mark}">{text(sheet.title)}</{level}>\n'
            return head + scrolled(mark, svg(sheet, f"{mark}-picture"))
        case _:
            words, style = part if isinstance(part, tuple) else (part, "")
            return f'<p class="{_CLASSES[style]}">{text(words)}</p>\n' if style else f"<p>{text(words)}</p>\n"


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col"{_side(table, head)}>{text(head)}</th>' for head in table.heads)
    rows = "".join(_row(table, row) for row in table.rows)
    return f'<table class="numbers">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n'


def _row(table: Table, cells: Iterable[Styled]) -> str:
    words: Iterator[str] = (cell if isinstance(cell, str) else cell[0] for cell in cells)
    first = f'<th scope="row">{text(next(words))}</th>'
    rest = "".join(
        f"<td{_side(table, head)}>{text(cell)}</td>" for head, cell in zip(table.heads[1:], words, strict=True)
    )
    return f"<tr>{first}{rest}</tr>\n"


def _side(table: Table, head: str) -> str:
    """Numbers stand to the right, words to the left."""
    return "" if head in table.right else ' class="words"'
