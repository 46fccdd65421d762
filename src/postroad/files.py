"""Files that people name, read whole (floor 2): never more of one than a bound, and secrets only from safe places.

A name may lead to a device without an end, or to a file of many gigabytes; an error is better than no memory.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from postroad.words.names import Unreadable

MOST = 64 * 1024**2  # octets; a zone file of a million records has less


def read_octets(path: Path | str, most: int = MOST) -> bytes | Unreadable:
    """A file whole, or why it cannot be had."""
    try:
        with Path(path).open("rb") as file:
            return read_stream(file, str(path), most)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        return _unreadable(str(path), problem)


def read_stream(file: BinaryIO, name: str, most: int = MOST) -> bytes | Unreadable:
    """What is left of an open file, as standard input."""
    try:
        octets = file.read(most + 1)
    except OSError as problem:
        return _unreadable(name, problem)
    return octets if len(octets) <= most else Unreadable(name, f"has more than {most} octets")


def read_text(source: Path | str | BinaryIO, most: int = MOST) -> str | Unreadable:
    """A file of text, with or without a byte order mark."""
    octets = read_octets(source, most) if isinstance(source, Path | str) else read_stream(source, "-", most)
    if isinstance(octets, Unreadable):
        return octets
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        return Unreadable(str(source), f"is no UTF-8 at octet {problem.start}; save the file as UTF-8")


def trusted_text(path: Path, most: int = MOST) -> str | Unreadable:
    """A file of text that says who may send mail, or as whom: refused where every user of the machine can change it."""
    if _mode(path) & stat.S_IWOTH:
        return Unreadable(str(path), f"can be changed by every user of this machine; say: chmod o-w {path}")
    return read_text(path, most)


def _unreadable(name: str, problem: Exception) -> Unreadable:
    return Unreadable(name, f"cannot be read: {getattr(problem, 'strerror', None) or problem}")


def _mode(path: Path) -> int:
    """The permissions of a plain file; 0 for what is none, or is not there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return 0
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else 0
