"""Plain lines on stdout and stderr, for commands that draw nothing."""

from __future__ import annotations

import sys
from contextlib import suppress

from postroad.cli import door
from postroad.words.visible import defused, visible


def document(text: str) -> None:
    """A text of many lines, put together by a room that made what it quotes fit to be shown."""
    sys.stdout.write(door.fit(text))
    sys.stdout.flush()


def say(text: str) -> None:
    """One line."""
    document(visible(text) + "\n")


def remark(text: str, name: str = "postroad") -> None:
    """A line for people on stderr; each line of the text is one. Where stderr is full, the exit code has to do.

    It is a sentence of ours, what it quotes stands in it as Python writes it: only what is left is written out.
    """
    with suppress(OSError):
        sys.stderr.write("".join(f"{name}: {defused(line)}\n" for line in text.split("\n")))
        sys.stderr.flush()
