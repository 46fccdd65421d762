"""Files that people name, read whole (floor 2): never more of one than a bound, and secrets only from safe places.

A name may lead to a device without an end, or to a file of many gigabytes; an error is better than no memory. What a
setting names is read again and again, unattended: it is a plain file, for at a pipe the reader would wait for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from postroad.words.inputs import InputError
from postroad.words.names import Unreadable

MOST = 64 * 1024**2  # octets; a zone file of a million records has less
_PIECE = 256 * 1024  # octets; nearly every file has less
_NOT_PLAIN = "is not a regular file"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class UnwrittenError(Exception):
    """The error that a file could be opened, and not be written: the text says which, and why."""


def read_octets(path: Path | str, most: int = MOST) -> bytes | Unreadable:
    """A file whole, or why it cannot be had."""
    try:
        with Path(path).open("rb") as file:
            return _read_short(file, str(path), most)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        return _unreadable(str(path), problem)


def read_stream(file: BinaryIO, name: str, most: int = MOST) -> bytes | Unreadable:
    """What is left of an open file, as standard input."""
    try:
        octets = _read(file, min(_PIECE, most + 1))
        if len(octets) == _PIECE:  # who asks for 64 MiB at once has the kernel map them, and take them away again
            octets += _read(file, most + 1 - _PIECE)
    except OSError as problem:
        return _unreadable(name, problem)
    return octets if len(octets) <= most else _too_long(name, most)


def read_text(source: Path | str | BinaryIO, most: int = MOST) -> str | Unreadable:
    """A file of text, with or without a byte order mark."""
    octets = read_octets(source, most) if isinstance(source, Path | str) else read_stream(source, "-", most)
    return octets if isinstance(octets, Unreadable) else _decoded(octets, str(source))


def check_replaceable(path: Path, begins: bytes) -> None:
    """Nothing, or that a file is there which is not of the kind about to be written: a zone, a sender, a message.

    Raises:
        InputError: it is of another kind, and stays as it is.

    """
    if not path.is_file():
        return  # it is not there, or is a device: whoever opens it has the words for that
    there = read_octets(path)
    if isinstance(there, Unreadable) or (there and not there.startswith(begins)):
        raise InputError(f"{path}: there is a file of another kind already; give another name, or remove it")


def not_written(path: Path, problem: OSError) -> Exception:
    """What to raise where a file is not written: a full disk is no slip of whoever named it."""
    told = f"{path}: cannot be written: {problem.strerror or problem}"
    return UnwrittenError(told) if problem.errno in _FULL else InputError(told)


def plain_octets(path: Path, most: int = MOST) -> bytes | Unreadable:
    """A plain file whole; nothing else, at which a reader could wait for ever."""
    return _plain_octets(path, most, 0, "")


def plain_text(path: Path, most: int = MOST) -> str | Unreadable:
    """A plain file of text; nothing else, as `plain_octets`."""
    octets = plain_octets(path, most)
    return octets if isinstance(octets, Unreadable) else _decoded(octets, str(path))


def private_octets(path: Path, most: int = MOST) -> bytes | Unreadable:
    """A plain file with a secret: refused where every user of the machine can read or change it."""
    why = f"can be read by every user of this machine; run: chmod o-rwx {path}"
    return _plain_octets(path, most, stat.S_IROTH | stat.S_IWOTH, why)


def _plain_octets(path: Path, most: int, forbidden: int, why: str) -> bytes | Unreadable:
    try:
        with open(path, "rb", opener=_at_once) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return Unreadable(str(path), _NOT_PLAIN)
            if about.st_mode & forbidden:
                return Unreadable(str(path), why)
            return _read_short(file, str(path), most)
    except (OSError, ValueError) as problem:
        return _unreadable(str(path), problem)


def why_not_plain(path: Path) -> str:
    """Why a file that others open for us, by its name, is none to be opened: it is there, and no plain file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # whoever opens it has the words for that
        return ""
    return "" if stat.S_ISREG(mode) else _NOT_PLAIN


def trusted_text(path: Path, most: int = MOST) -> str | Unreadable:
    """A file of text that says who may send mail, or as whom: refused where every user of the machine can change it."""
    why = f"can be changed by every user of this machine; run: chmod o-w {path}"
    octets = _plain_octets(path, most, stat.S_IWOTH, why)
    return octets if isinstance(octets, Unreadable) else _decoded(octets, str(path))


def _read(file: BinaryIO, most: int) -> bytes:
    """Octets; an error where there are none yet, and nobody waits, as in some plain files of /proc."""
    octets: bytes | None = file.read(most)
    if octets is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return octets


def _read_short(file: BinaryIO, name: str, most: int) -> bytes | Unreadable:
    """As `read_stream`; nothing is read of one that says it is too long. One that says it is short may grow."""
    return _too_long(name, most) if os.fstat(file.fileno()).st_size > most else read_stream(file, name, most)


def _decoded(octets: bytes, name: str) -> str | Unreadable:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        return Unreadable(name, f"is not valid UTF-8 at octet {problem.start}; save the file as UTF-8")


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: a pipe would have its opener wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _too_long(name: str, most: int) -> Unreadable:
    return Unreadable(name, f"has more than {most} octets")


def _unreadable(name: str, problem: Exception) -> Unreadable:
    return Unreadable(name, f"cannot be read: {getattr(problem, 'strerror', None) or problem}")
