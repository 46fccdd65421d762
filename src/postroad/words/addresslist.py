"""The addresses in a header field such as To, read without recursion: comments may be nested at any depth. Pure.

It takes what people and programs write beyond RFC 5322 section 3.4: empty places in a list, a semicolon between
addresses, a name without a domain. What has no end (a comment, a quoted text, a bracket) is refused: nobody can say who
was meant by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from postroad.words.names import Unreadable

_PIECE = re.compile(
    r"""(?P<comment>\()|(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<literal>\[[^\]]*+\])|(?P<open>["\[])"""
    r"""|(?P<blank>\s++)|(?P<mark>[<>,;:])|(?P<text>[^\s()"\[<>,;:]++|\))""",
    re.DOTALL,
)
# One address, behind a name or not, as nearly all mail has it: found in a tenth of the time, and as the rest finds it
_ONE = re.compile(r"""\s*+(?:[^()"\[<>,;:@]*+<([^\s()"\[<>,;:]++)>|([^\s()"\[<>,;:]++))\s*+""")
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_SHOWN = 40  # characters of a field that an error quotes

NOBODY = "<>"
"""An address that is nobody's, as that of reports."""

Piece = tuple[str, str]


class _Endless(Exception):  # noqa: N818  # said of the text; the caller makes an Unreadable of it
    """Where something begins that does not end."""


@dataclass(slots=True)
class _Entry:
    """One place of a list while it is read: the words outside of brackets, and those in them."""

    words: list[str] = field(default_factory=list)
    inside: list[str] | None = None
    address: str | None = None
    is_doubtful: bool = False

    def take(self, kind: str, text: str) -> None:
        """The next piece."""
        if text == "<" and self.inside is None:
            if self.address is not None:  # a comma is missing: what came before was no name
                self.is_doubtful = True
                self.words = [f"{self.address or NOBODY} "]
            else:
                self.words = []
            self.inside = []
        elif text == ">" and self.inside is not None:
            self.address, self.inside = "".join(self.inside), None
        elif text == ":" and self.inside is not None:  # behind a route, which is passed over (RFC 5321 section 3.6.1)
            self.inside = []
        elif text == ":" and "@" not in "".join(self.words):
            self.words = []  # they were the name of a group
        elif self.inside is None:
            self.words.append(" " if kind == "blank" else text)
        elif kind != "blank":
            self.inside.append(text)

    def result(self) -> str:
        """The address; `<>` for one that is nobody's, and empty where there is none."""
        words = _without_blanks("".join(self.words).strip())
        if self.address is None:
            return words
        if self.is_doubtful:
            return f"{words} {self.address or NOBODY}"
        if "@" in words:  # "<a@b> c@d": a comma is missing
            return f"{self.address} {words}".strip()
        return self.address or NOBODY


def addresses_in(text: str) -> list[str] | Unreadable:
    """The addresses of a list with names, comments and groups (RFC 5322 section 3.4), and routes (section 4.4)."""
    places = places_in(text)
    return places if isinstance(places, Unreadable) else [place for place in places if place != NOBODY]


def places_in(text: str) -> list[str] | Unreadable:
    """The same with each place of the list that has brackets, though nobody is in them: `<>`."""
    if one := _ONE.fullmatch(text):
        return [one[1] or one[2]]
    found, entry = [], _Entry()
    try:
        for kind, piece in _pieces(text):
            if kind == "mark" and piece in ",;" and entry.inside is None:
                found.append(entry.result())
                entry = _Entry()
            else:
                entry.take(kind, piece)
    except _Endless as trouble:
        return Unreadable(str(trouble), "it is not closed")
    if entry.inside is not None:
        return Unreadable("<" + "".join(entry.inside)[:_SHOWN], "it is not closed")
    return [address for address in (*found, entry.result()) if address]


def _pieces(text: str) -> Iterator[Piece]:
    """The text in pieces, without its comments."""
    place = 0
    while place < len(text):
        piece = _PIECE.match(text, place)
        assert piece  # noqa: S101  # every character is in one of the classes
        kind = piece.lastgroup or ""
        if kind == "open":
            raise _Endless(text[place : place + _SHOWN])
        if kind == "comment":
            place = _behind_comment(text, place)
            yield "blank", " "
        else:
            place = piece.end()
            yield kind, piece[0]


def _behind_comment(text: str, start: int) -> int:
    """Where a comment ends, those inside it counted (RFC 5322 section 3.2.2)."""
    depth = 0
    for mark in _IN_COMMENT.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    raise _Endless(text[start : start + _SHOWN])


def _without_blanks(text: str) -> str:
    """`a @ b . c` as `a@b.c` (RFC 5322 section 4.4), but for what is in quotes."""
    quoted = re.split(r'("(?:[^"\\]|\\.)*+")', text)
    return "".join(part if place % 2 else re.sub(r" *([@.]) *", r"\1", part) for place, part in enumerate(quoted))
