"""Splits a master file into entries, and reads the plain ones without dnspython (RFC 1035 section 5.1).

Nearly every line of a zone is a name, a type and a word or two. dnspython reads letter by letter, and takes a hundred
microseconds for that; here it takes a tenth. What is written in any other way is left to it, and what is wrong as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import dns.exception
import dns.ipv4
import dns.ipv6
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.ttl

from postroad.dns.answers import to_text
from postroad.dns.zones import Unmade

_MARKS = re.compile(r'\\.|"(?:[^"\\]|\\.)*"|;.*|[()]')
_BREAKS = re.compile(r"\r\n|\r|\n")
_PLAIN = re.compile(
    r"""(?P<owner>[A-Za-z0-9_*@.-]+)?[ \t]+
    (?:(?P<ttl>[0-9][0-9A-Za-z]*)[ \t]+)?(?:IN[ \t]+)?
    (?P<type>AAAA|A|MX|NS|CNAME|PTR|TXT)[ \t]+
    (?:(?P<preference>[0-9]{1,5})[ \t]+)?
    (?:(?P<word>[A-Za-z0-9_*@.:-]+)|(?P<quoted>"[ !\#-\[\]-~]{0,255}"(?:[ \t]+"[ !\#-\[\]-~]{0,255}")*))
    [ \t]*(?:;.*)?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_QUOTED = re.compile(r'"([^"]*)"')
_MX, _TXT = dns.rdatatype.MX, dns.rdatatype.TXT
_ADDRESSES: Mapping[dns.rdatatype.RdataType, Callable[[str], str]] = {
    dns.rdatatype.A: dns.ipv4.canonicalize,
    dns.rdatatype.AAAA: dns.ipv6.canonicalize,
}
_MOST_PREFERENCE = 65535
_CLASSES: Mapping[dns.rdatatype.RdataType, Callable[..., Any]] = {
    dns.rdatatype.A: dns.rdtypes.IN.A.A,
    dns.rdatatype.AAAA: dns.rdtypes.IN.AAAA.AAAA,
    dns.rdatatype.MX: dns.rdtypes.ANY.MX.MX,
    dns.rdatatype.NS: dns.rdtypes.ANY.NS.NS,
    dns.rdatatype.CNAME: dns.rdtypes.ANY.CNAME.CNAME,
    dns.rdatatype.PTR: dns.rdtypes.ANY.PTR.PTR,
    dns.rdatatype.TXT: dns.rdtypes.ANY.TXT.TXT,
}
_TYPES = {kind.name: kind for kind in _CLASSES}


class Entry(NamedTuple):
    """A line of a zone file, or several in parentheses; `closed` False: the last one is never closed."""

    number: int
    text: str
    closed: bool = True


class Owner(NamedTuple):
    """An owner name of a zone file, and its canonical form."""

    name: dns.name.Name
    text: str


class Plain(NamedTuple):
    """A record as its line says it: no owner or TTL means that of the line before. `value` has canonical names."""

    owner: Owner | None
    ttl_s: int | None
    record: Unmade
    value: str


def entries(text: str) -> Iterator[Entry]:
    """The entries of a master file that are neither empty nor a comment."""
    held: list[str] = []
    first = depth = 0
    lines = _BREAKS.split(text) if "\r" in text else text.split("\n")
    for number, line in enumerate(lines, 1):
        if not held and ("(" not in line or not (depth := _depth(line, 0)) > 0):
            if line and not line.isspace() and line[0] != ";":
                yield Entry(number, line)
        elif not held:
            first, held = number, [line]
        else:
            held.append(line)
            depth = _depth(line, depth)
            if depth <= 0:
                yield Entry(first, "\n".join(held))
                held = []
    if held:
        yield Entry(first, held[0], closed=False)


def _depth(line: str, depth: int) -> int:
    """How many parentheses are open behind a line; in quotes and comments they are none."""
    for mark in _MARKS.finditer(line):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
    return depth


class PlainLines:
    """A fast reader of plain zone file lines below one origin.

    Each name and each TTL is read once, however often it is written.
    """

    def __init__(self, origin: dns.name.Name, *, is_known: bool) -> None:
        self._origin = origin
        self._below = to_text(origin)
        self._takes_relative = is_known
        self._names: dict[str, Owner] = {}
        self._ttls: dict[str, int] = {}

    def read(self, line: str) -> Plain | None:
        """The record of a line; None where the line is not plain, or not right."""
        found = _PLAIN.fullmatch(line)
        if found is None:
            return None
        owner, ttl, kind, preference, word, quoted = found.groups()
        try:
            made = self._record(_TYPES[kind.upper()], preference, word, quoted)
            if made is None:
                return None
            return Plain(self.name(owner) if owner else None, self._ttl(ttl) if ttl else None, *made)
        except (dns.exception.DNSException, ValueError, KeyError):  # whoever reads it at length finds the words
            return None

    def _record(
        self, kind: dns.rdatatype.RdataType, preference: str | None, word: str | None, quoted: str | None
    ) -> tuple[Unmade, str] | None:
        if (preference is None) is (kind is _MX) or (quoted is None) is (kind is _TXT):
            return None
        if quoted is not None:
            strings = _QUOTED.findall(quoted)
            return _unmade(kind, tuple(each.encode("ascii") for each in strings)), " ".join(
                f'"{each}"' for each in strings
            )
        assert word is not None  # noqa: S101  # the expression has one of both
        if kind in _ADDRESSES:
            address = _ADDRESSES[kind](word)
            return _unmade(kind, address), address
        name, text = self.name(word)
        if preference is None:
            return _unmade(kind, name), text or "."
        number = int(preference)
        return (_unmade(kind, number, name), f"{number} {text or '.'}") if number <= _MOST_PREFERENCE else None

    def name(self, text: str) -> Owner:
        """A name, and its canonical form; KeyError or DNSException where it is none, or nobody says below what."""
        if text not in self._names:
            self._names[text] = self._read_name(text)
        return self._names[text]

    def _read_name(self, text: str) -> Owner:
        if "@" in text or ":" in text or ".." in text or text.startswith("."):
            if text != "@" or not self._takes_relative:
                raise KeyError(text)
            return Owner(self._origin, self._below)
        labels = text.encode("ascii").split(b".")
        if text.endswith("."):
            return Owner(dns.name.Name(labels), text[:-1].lower())
        if not self._takes_relative:
            raise KeyError(text)
        name = dns.name.Name((*labels, *self._origin.labels))
        return Owner(name, f"{text}.{self._below}".lower().removesuffix("."))  # below the root there is no more

    def _ttl(self, text: str) -> int:
        if text not in self._ttls:
            self._ttls[text] = dns.ttl.from_text(text)
        return self._ttls[text]


def _unmade(kind: dns.rdatatype.RdataType, *fields: object) -> Unmade:
    return Unmade(kind, _CLASSES[kind], fields)
