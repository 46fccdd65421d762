"""Reads what is handed over on standard input. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

LONGEST_PIECE = 64 * 1024  # octets of a line read at a time


def bounded(file: BinaryIO, most: int) -> Iterator[bytes]:
    """The lines of a file, long ones in pieces, until there are more octets than the most."""
    while most >= 0 and (piece := file.readline(LONGEST_PIECE)):
        most -= len(piece)
        yield piece


def read(lines: Iterable[bytes], *, dot_ends: bool) -> bytes:
    """What is handed over: until a line with a single dot, if that ends it, else all."""
    return b"".join(_until_dot(lines) if dot_ends else lines)


def _until_dot(lines: Iterable[bytes]) -> Iterator[bytes]:
    begins = True
    for line in lines:
        if begins and line.rstrip(b"\r\n") == b".":
            return
        yield line
        begins = line.endswith(b"\n")
