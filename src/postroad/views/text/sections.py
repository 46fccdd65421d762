"""A long answer consists of sections, which a terminal, a page and a Markdown file each show in their own way.

All three go through the same sections, so that none can lack what another has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroad.views.pictures.picture import Picture
from postroad.views.text.blocks import Block, Table, Verbatim

if TYPE_CHECKING:
    from postroad.views.pictures.pen import Drawing

HEADLINE, NOTE = "bold", "dim"
"""The styles of a line: the answer in a sentence, and what must be known to read the rest."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences, each of which stands alone."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZoneLines:
    """Lines of a zone file, as they are; with signs before them where they go and come.

    `is_whole`: they are records to be copied, which begin at the margin: a blank there would stand for an owner.
    """

    lines: tuple[str, ...]
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """What there is to see in a picture: `terminal` and `drawings` have a function of this name."""

    name: str
    picture: Picture


Part = Block | Sentences | ZoneLines | NamedPicture


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """A part of an answer. A terminal has its title where `is_titled`, and a blank line before it unless it `follows`.

    `is_for_pages`: a terminal and Markdown have not the room for it.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    is_titled: bool = False
    follows: bool = False
    is_for_pages: bool = False


def text(sections: Iterable[AnswerSection]) -> Iterator[Block | Drawing]:
    """For a terminal or a pipe."""
    for number, section in enumerate(each for each in sections if not each.is_for_pages):
        if number and not section.follows:
            yield ""
        if section.is_titled:
            yield section.title, HEADLINE
        for part in section.parts:
            match part:
                case Sentences(sentences):
                    yield from sentences
                case ZoneLines():
                    yield from _signed(part)
                case NamedPicture():
                    yield from _pictured(part)
                case _:
                    yield part


_STYLES = {"- ": "red", "+ ": "green"}


def _signed(part: ZoneLines) -> Iterator[Block]:
    for line in part.lines:
        shown = Verbatim(line if part.is_whole else f"  {line}")
        yield (shown, _STYLES[line[:2]]) if line[:2] in _STYLES else shown


def _pictured(part: NamedPicture) -> Iterator[Block | Drawing]:
    from postroad.views.pictures import terminal  # noqa: PLC0415  # a comparison has no need of it

    yield terminal.DRAWINGS[part.name](part.picture)


def markdown(sections: Iterable[AnswerSection]) -> str:
    """Fit to paste in a pull request."""
    told: list[str] = []
    for section in sections:
        if section.is_for_pages:
            continue
        told += ["", f"### {_plain(section.title)}"] if section.is_titled else []
        for part in section.parts:
            told += ["", *_in_markdown(part)]
    return "\n".join(told).lstrip("\n")


def _in_markdown(part: Part) -> Iterator[str]:
    match part:
        case Sentences(sentences):
            yield from (f"- {_plain(sentence)}" for sentence in sentences)
        case ZoneLines(lines, is_whole):
            yield from (f"```{'' if is_whole else 'diff'}", *lines, "```")
        case Table(heads, rows):
            for row in (heads, ["---"] * len(heads), *rows):
                cells = (_plain(cell if isinstance(cell, str) else cell[0]).replace("|", "\\|") for cell in row)
                yield f"| {' | '.join(cells)} |"
        case (words, style):
            yield f"**{_plain(words)}**" if style == HEADLINE else f"<sub>{_plain(words)}</sub>"
        case str():
            yield _plain(part)
        case NamedPicture():
            pass


def _plain(text: str) -> str:
    """A text in which nothing is markup: names of files stand in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
