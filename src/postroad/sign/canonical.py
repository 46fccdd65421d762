"""Headers and bodies as they are hashed (RFC 6376 section 3.4), and the hash of a body that comes in pieces."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from postroad.sign.fields import Field

_BLANKS = 4096  # empty lines hashed at a time


class Form(StrEnum):
    """A canonicalization: `simple` bears no change, `relaxed` bears changes of blanks and folds."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


def simple_field(field: Field) -> bytes:
    """A field as it is (RFC 6376 section 3.4.1)."""
    name, blanks, value = field
    return b"%b%b:%b\r\n" % (name, blanks, value)


def relaxed_field(field: Field) -> bytes:
    """A field with its name in lower case, unfolded, and each run of blanks as one (RFC 6376 section 3.4.2)."""
    name, _, value = field
    if b"\v" in value or b"\f" in value:  # blanks to Python, and text here
        words = [word for word in value.replace(b"\r\n", b"").replace(b"\t", b" ").split(b" ") if word]
    else:
        words = value.split()  # a CRLF stands in front of a blank
    return name.lower() + b":" + b" ".join(words) + b"\r\n"  # a third of what b"%b:%b" takes


class BodyHash:
    """The SHA-256 of a body in its canonical form; its octets may come in any cut, and are not kept.

    What is held is what the next octets decide on: whether blanks end a line, and whether empty lines end the body.
    """

    __slots__ = ("_empty_lines", "_hash", "_held", "_is_relaxed", "_is_started")

    def __init__(self, form: Form) -> None:
        self._hash = sha256()
        self._is_relaxed = form is Form.RELAXED
        self._is_started = False  # something of it was hashed
        self._held = b""  # a blank, a CR, or both
        self._empty_lines = 0  # CRLFs, of which the first ends a line if something is hashed

    def update(self, octets: bytes) -> None:
        """Some more of the body."""
        octets = self._held + octets
        if self._is_relaxed:
            octets = _relaxed(octets)
        end = len(octets) - octets.endswith(b"\r")
        if self._is_relaxed:
            end -= octets.endswith(b" ", 0, end)
        self._held = octets[end:]
        self._take(octets[:end] if self._held else octets)

    def digest(self) -> bytes:
        """The hash of all that came."""
        if self._held.endswith(b"\r"):
            self._take(self._held)  # a CR by itself ends no line: it is text
        # RFC 6376 section 3.4.3: an empty body is a CRLF; section 3.4.4: relaxed, it is nothing
        if self._is_started or not self._is_relaxed:
            self._hash.update(b"\r\n")
        return self._hash.digest()

    def _take(self, octets: bytes) -> None:
        """Hash the text, and count the CRLFs behind it."""
        end = len(octets.rstrip(b"\r\n"))
        count = (len(octets) - end) // 2
        if octets[end:] != b"\r\n" * count:  # a CR or an LF by itself is text
            end = len(octets)
            while octets.endswith(b"\r\n", 0, end):
                end -= 2
            count = (len(octets) - end) // 2
        text = octets[:end]
        if text:
            self._hash_empty_lines()
            self._hash.update(text)
            self._is_started = True
        self._empty_lines += count

    def _hash_empty_lines(self) -> None:
        while self._empty_lines:
            many = min(self._empty_lines, _BLANKS)
            self._hash.update(b"\r\n" * many)
            self._empty_lines -= many


def _relaxed(octets: bytes) -> bytes:
    """Each run of blanks as one, and none at the end of a line. Most octets have none of this to do."""
    if b"\t" in octets:
        octets = octets.replace(b"\t", b" ")
    if b" " not in octets:  # as in base64; two are looked for fifty times as long as one
        return octets
    while b"  " in octets:  # each time half of them
        octets = octets.replace(b"  ", b" ")
    return octets.replace(b" \r\n", b"\r\n") if b" \r\n" in octets else octets
