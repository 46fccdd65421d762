"""Plain lines on stdout and stderr, for commands that draw nothing."""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import ContextVar

from postroad.cli import door
from postroad.words.visible import defused, visible

_in_json: ContextVar[bool] = ContextVar("in_json", default=False)


def document(text: str) -> None:
    """A text of many lines, put together by a room that made what it quotes fit to be shown."""
    sys.stdout.write(door.fit(text))
    sys.stdout.flush()


def say(text: str) -> None:
    """One line."""
    document(visible(text) + "\n")


def tell_errors_in_json(*, wanted: bool) -> None:
    """From here on errors are JSON, or sentences."""
    _in_json.set(wanted)


def is_told_in_json() -> bool:
    """Whether errors are JSON."""
    return _in_json.get()


def error(text: str, code: int) -> None:
    """What ends a command, on stderr: with --json as one object on one line."""
    if not _in_json.get():
        remark(text)
        return
    from postroad.views.json import error_shape
    from postroad.words.visible import json_text

    with suppress(OSError):
        sys.stderr.write(json_text(error_shape(text, code)) + "\n")
        sys.stderr.flush()


def remark(text: str, name: str = "postroad") -> None:
    """A line for people on stderr; each line of the text is one. Where stderr is full, the exit code has to do.

    It is a sentence of ours, what it quotes stands in it as Python writes it: only what is left is written out.
    """
    with suppress(OSError):
        sys.stderr.write("".join(f"{name}: {defused(line)}\n" for line in text.split("\n")))
        sys.stderr.flush()
