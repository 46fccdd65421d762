"""Reads an HTTP response in the octets that have come (RFC 9112): none raise, and what is not whole is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from postroad.words.visible import visible

MAX_OCTETS = 64 * 1024  # "a suggested maximum policy size is 64 kilobytes", RFC 8461 section 3.3
MAX_HEADER = 16 * 1024  # in front of it

# A lone LF may end a line too (RFC 9112 section 2.2)
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: .*)?", re.DOTALL)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(rb"[0-9]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r?\n")
_TOO_LONG = f"it is longer than {MAX_OCTETS} octets"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server has answered. A status of 0: nothing that can be used; `why_not`: why there is no whole body."""

    status: int = 0
    media_type: str = ""
    body: bytes = b""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Header:
    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    rest: bytes

    def values(self, name: bytes) -> list[bytes]:
        """All that fields of a name say, which may be a list each (RFC 9110 section 5.3)."""
        return [item.strip() for key, value in self.fields if key == name for item in value.split(b",")]


def read_response(octets: bytes, *, is_ended: bool) -> HttpResponse:
    """The response in octets; `is_ended`: the server has said, so that nobody else can have, that these are all."""
    header = _header(octets)
    if isinstance(header, str):
        return HttpResponse(why_not=header)
    body = _body(header, is_ended=is_ended)
    if isinstance(body, str):
        return HttpResponse(header.status, why_not=body)
    media_type = b", ".join(header.values(b"content-type")).partition(b";")[0].strip().lower().decode("latin-1")
    return HttpResponse(header.status, visible(media_type), body)


def _header(octets: bytes) -> _Header | str:
    """The header of the final response, or why there is none."""
    for begin, end, after in _headers(octets):
        first, *lines = _LINE_END.split(_FOLD.sub(b" ", octets[begin:end]))
        status = _STATUS.fullmatch(first)
        if status is None:
            return f"it begins with {repr(first[:60])[1:]}"
        if not status[1].startswith(b"1"):  # RFC 9110 section 15.2: any number of those may come in front
            pairs = (line.partition(b":") for line in lines)
            fields = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
            return _Header(int(status[1]), fields, octets[after:])
    return "its header has no end" if octets else "the server has said nothing"


def _headers(octets: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each header begins and ends, and where the octets after it begin."""
    begin = 0
    while end := _END_OF_HEADER.search(octets, begin, begin + MAX_HEADER):
        yield begin, end.start(), end.end()
        begin = end.end()


def _body(header: _Header, *, is_ended: bool) -> bytes | str:
    """The body, by the rules of RFC 9112 section 6.3; or why it is not to be used."""
    if encoded := set(header.values(b"content-encoding")) - {b"", b"identity"}:
        return f"its Content-Encoding is {visible(min(encoded).decode('latin-1'))[:40]}, and none was asked for"
    codings, lengths = header.values(b"transfer-encoding"), set(header.values(b"content-length"))
    if codings and lengths:
        return "its header has both Transfer-Encoding and Content-Length"
    if codings:
        if [coding.lower() for coding in codings] != [b"chunked"]:
            return "its Transfer-Encoding is not chunked"
        return _unchunked(header.rest)
    if lengths:
        return _counted(header.rest, lengths)
    if len(header.rest) > MAX_OCTETS:
        return _TOO_LONG
    if not is_ended:  # RFC 9112 section 9.8: who can end a connection could cut it where it pleases
        return "it was cut off: it has no Content-Length, and the connection ended without the close_notify of TLS"
    return header.rest


def _counted(octets: bytes, lengths: set[bytes]) -> bytes | str:
    """A body with a Content-Length, given once or the same each time."""
    digits = next(iter(lengths))
    if len(lengths) > 1 or not _LENGTH.fullmatch(digits):
        return "its Content-Length is not one number"
    length = _number(digits, 10)
    if length > MAX_OCTETS:
        return _TOO_LONG
    if len(octets) < length:  # RFC 9112 section 8
        return f"it was cut off: {len(octets)} of {length} octets came"
    return octets[:length]


def _unchunked(octets: bytes) -> bytes | str:
    """A body in chunks, whole once the chunk of size 0 has come (RFC 9112 section 8); trailers say nothing to us."""
    body, at = bytearray(), 0
    while chunk := _CHUNK.match(octets, at):
        size, begin = _number(chunk[1], 16), chunk.end()
        if size == 0:
            return bytes(body)
        at = begin + size
        body += octets[begin:at]
        if len(body) > MAX_OCTETS or size > MAX_OCTETS:
            return _TOO_LONG
        line_end = _LINE_END.match(octets, at)
        if line_end is None:
            break
        at = line_end.end()
    return "it was cut off, or its chunks are faulty: the chunk that ends it did not come"


def _number(digits: bytes, base: int) -> int:
    """A number; one far above every limit for what has more digits than Python reads, or than anybody should."""
    digits = digits.lstrip(b"0")
    return int(digits or b"0", base) if len(digits) <= 9 else 10**9
