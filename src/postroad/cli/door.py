"""The only way to the screen: these streams replace stdout and stderr while a command runs.

Nothing goes round it, be it the help, an error of the command line, or a progress bar: what a terminal would obey is
written out, but for line breaks and the colours of ours. A stream that cannot be written ends the command as it ends
others: by SIGPIPE where nobody reads any more, else with a sentence and EX_IOERR.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase, TextIOWrapper
from typing import NoReturn, TextIO, cast

from postroad.words.visible import defused

EX_IOERR = 74  # sysexits.h

KEPT = "\n\t"
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")  # ECMA-48 section 8.3.117 (SGR): it paints, and moves nothing
MOVES = re.compile(r"(\x1b\[(?:[0-9;]*[mAHGK]|\?25[lh])|\r)")  # beside it what a progress bar draws itself anew with


class Unwritable(OSError):  # noqa: N818  # a state of a stream, as Misuse is one of a command line
    """The error that a standard stream cannot be written.

    Its errno stays unset: typer answers to EPIPE by itself, with 1.
    """

    def __init__(self, name: str, problem: OSError) -> None:
        super().__init__(f"{name} cannot be written: {problem.strerror or problem}")
        self.is_unread = problem.errno == errno.EPIPE


class OutputStream(TextIOBase):
    """A standard stream that writes out what its encoding lacks.

    What its encoding does not have is written out, too. It takes no octets, only text.
    """

    def __init__(self, stream: TextIO, title: str) -> None:
        super().__init__()
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        self._stream = stream
        self._title = title
        self._ours = COLOUR

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute in typeshed, read-only in CPython
        """As the stream has it."""
        return self._stream.encoding

    def fileno(self) -> int:
        """As the stream has it: rich asks it for the width of the terminal."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is there to be written."""
        return True

    def write(self, text: str) -> int:
        """Write what is fit to be shown; `Unwritable` if it cannot be."""
        try:
            return self._stream.write(fit(text, self._ours))
        except OSError as problem:
            raise Unwritable(self._title, problem) from None

    def flush(self) -> None:
        """As `write`."""
        try:
            self._stream.flush()
        except OSError as problem:
            raise Unwritable(self._title, problem) from None

    @contextmanager
    def moving(self) -> Iterator[None]:
        """While something draws itself anew, the cursor may be moved."""
        self._ours = MOVES
        try:
            yield
        finally:
            self._ours = COLOUR


def send(octets: bytes) -> None:
    """Octets as they are, for another program: they go round the streams, which are for people."""
    try:
        sys.stdout.flush()
        while octets:
            octets = octets[os.write(1, octets) :]
    except Unwritable:
        raise
    except OSError as problem:
        raise Unwritable("standard output", problem) from None


def fit(text: str, ours: re.Pattern[str] = COLOUR) -> str:
    """A text of several lines with colours of ours: all else that a terminal would obey is written out."""
    if text.isprintable():
        return defused(text)
    parts = ours.split(text)  # every second one is ours
    return "".join(part if place % 2 else defused(part, KEPT) for place, part in enumerate(parts))


def through(command: Callable[[], object], *, is_answer: bool = True) -> None:
    """Run a command behind the door. What it writes is its answer, or but a remark: that may be lost."""
    _occupy()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        cast("TextIO", OutputStream(stream, title))
        for stream, title in zip(streams, ("standard output", "standard error"), strict=True)
    )
    try:
        try:
            command()
        finally:
            sys.stdout.flush() if is_answer else _give_up()
    except Unwritable as trouble:
        _end(trouble)
    finally:
        sys.stdout, sys.stderr = streams
        _give_up_on(2, sys.stderr)  # what is wrong cannot be told there, but the exit status can


def _give_up() -> None:
    """Whatever is still to be written goes nowhere."""
    _give_up_on(1, sys.stdout)
    _give_up_on(2, sys.stderr)


def _give_up_on(number: int, stream: TextIO) -> None:
    """If it cannot be written: the interpreter would try it again at its end, and complain by a status of its own."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _end(trouble: Unwritable) -> NoReturn:
    """As coreutils and git end: without a word where the reader is gone, else with what is wrong."""
    if trouble.is_unread:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python passes it over, so that sockets are no trouble
        os.kill(os.getpid(), signal.SIGPIPE)
    with suppress(OSError):
        sys.stderr.write(f"postroad: {trouble}\n")
    _give_up()
    sys.exit(EX_IOERR)


def _occupy() -> None:
    """A standard stream that was closed becomes one that cannot be used; a file opened later would get its number.

    Each waits for its other end, whatever whoever gave it to us has set.
    """
    for number, wrong_way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, wrong_way)  # takes the lowest number that is free: this one
        os.set_blocking(number, True)  # else a message, or an answer, is cut off where the other end is slow
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115  # a number, and open as long as we are
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  # the same
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115  # the same
