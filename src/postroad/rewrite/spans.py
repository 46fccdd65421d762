"""Where the addresses of a field stand: each is replaced in its place, and names, comments and folds stay around it.

RFC 5322 section 3.4 with the obsolete forms of section 4.4: groups, routes, empty places, blanks within an address.
What does not follow it is nobody's: the whole field stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t]|\r\n[ \t])++)|(?P<quoted>"(?:[^"\\\r\n]|\\[^\r\n]|\r\n[ \t])*+")"""
    r"""|(?P<literal>\[[^\[\]\\\r\n]*+\])|(?P<mark>[<>,;:@.])|(?P<open>\()"""
    r"""|(?P<atom>[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~\x80-\xff]++)"""
)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_WORDS = ("atom", "quoted")


@dataclass(frozen=True, slots=True)
class AddressSpan:
    """An address within a text: where it begins and ends, and what it says without blanks and comments."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def is_word(self) -> bool:
        return self.kind in _WORDS


class _Odd(Exception):  # noqa: N818  # said of the text; the caller gives None for it
    """The text does not follow the grammar."""


_END = _Token("end", "", -1)


def address_spans(text: str) -> tuple[AddressSpan, ...] | None:
    """The addresses of a list, in their order; None if it cannot be read as one. Octets are characters here."""
    try:
        return tuple(_AddressList(_tokens(text)).spans())
    except _Odd:
        return None


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise _Odd
        kind = token.lastgroup or ""
        if kind == "open":
            place = _behind_comment(text, place)
            continue
        place = token.end()
        if kind != "blank":
            found.append(_Token(token[0] if kind == "mark" else kind, token[0], token.start()))
    return [*found, _END]


def _behind_comment(text: str, start: int) -> int:
    """Where a comment ends, those inside it counted: they may be nested at any depth."""
    depth = 0
    for mark in _IN_COMMENT.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    raise _Odd


class _AddressList:
    """The reader of a list, token by token."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._in_group = False

    def spans(self) -> list[AddressSpan]:
        """All of it."""
        found: list[AddressSpan] = []
        while self._next is not _END:
            if self._next.kind == ",":
                self._at += 1
            elif self._next.kind == ";" and self._in_group:
                self._at += 1
                self._in_group = False
            else:
                found += self._entry()
        if self._in_group:
            raise _Odd
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _entry(self) -> list[AddressSpan]:
        """An address with or without a name, or the beginning of a group."""
        start = self._at
        while self._next.is_word or self._next.kind == ".":  # a name may have dots (obs-phrase)
            self._at += 1
        if self._next.kind == ":" and self._at > start and not self._in_group:
            self._at += 1
            self._in_group = True
            return []
        if self._next.kind == "<":
            self._at += 1
            found = self._in_brackets()
        else:
            self._at = start
            found = [self._address()]
        if self._next.kind not in (",", "end") and not (self._next.kind == ";" and self._in_group):
            raise _Odd
        return found

    def _in_brackets(self) -> list[AddressSpan]:
        if self._next.kind == "@":
            self._skip_route()
        found = [] if self._next.kind == ">" else [self._address()]
        self._take(">")
        return found

    def _skip_route(self) -> None:
        """Of RFC 5322 section 4.4: passed over, and kept."""
        while self._next.kind in ("@", ","):
            self._at += 1
            if self._tokens[self._at - 1].kind == "@":
                self._domain()
        self._take(":")

    def _address(self) -> AddressSpan:
        """A local part, and a domain if it has one: a name alone is a user of this machine."""
        start = self._at
        self._word()
        while self._next.kind == ".":
            self._at += 1
            self._word()
        if self._next.kind == "@":
            self._at += 1
            self._domain()
        tokens = self._tokens[start : self._at]
        end = tokens[-1].start + len(tokens[-1].text)
        return AddressSpan(tokens[0].start, end, "".join(token.text for token in tokens))

    def _domain(self) -> None:
        if self._next.kind == "literal":
            self._at += 1
            return
        self._take("atom")
        while self._next.kind == ".":
            self._at += 1
            self._take("atom")

    def _word(self) -> None:
        if not self._next.is_word:
            raise _Odd
        self._at += 1

    def _take(self, kind: str) -> None:
        if self._next.kind != kind:
            raise _Odd
        self._at += 1
