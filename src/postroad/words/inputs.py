"""The error that a caller's input cannot be used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from postroad.words.names import Unreadable, cut
from postroad.words.visible import defused, visible

T = TypeVar("T")

MOST_TOLD = 20  # errors told at once: of a file that is none of ours, each line may be wrong
_MOST_SHOWN = 60  # characters of a value that is no text


class InputError(ValueError):
    """The error that something given by the caller cannot be used: a line for each fault, of very many the first.

    Each says what, where, and how to fix it; `where` stands in front of every one of them. Whatever names of files and
    other words it quotes, it is one line.
    """

    def __init__(self, *lines: str, where: str = "") -> None:
        self.lines = tuple(defused(f"{where}: {line}" if where else line) for line in limited(lines))
        super().__init__("\n".join(self.lines))


class NotInZoneError(InputError):
    """The error that the zone files given do not have a domain."""


class NotNowError(InputError):
    """The error that something cannot be looked up now; later it may."""


@contextmanager
def about(where: str) -> Iterator[None]:
    """What is wrong with what a setting names begins with the key of that setting."""
    try:
        yield
    except InputError as problem:
        raise InputError(*problem.lines, where=where) from None


def limited(lines: Iterable[str]) -> list[str]:
    """Errors, a line each; of very many the first, and how many more there are."""
    every = list(lines)
    if len(every) <= MOST_TOLD:
        return every
    return [*every[: MOST_TOLD - 1], f"and {len(every) - MOST_TOLD + 1:,} more errors"]


def quoted(value: object) -> str:
    """What somebody wrote, as an error quotes it: on one line, and of what is long only the beginning."""
    if not isinstance(value, str):
        return shown(value)
    mark = "'" if '"' in value else '"'  # as TOML and shells have it
    return f"{mark}{visible(cut(value))}{mark}"


def shown(value: object) -> str:
    """A value as an error quotes it, as files have it: of a number with thousands of digits, how many they are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {round(value.bit_length() * math.log10(2)):,} digits"
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def readable(answer: T | Unreadable) -> T:
    """What was read, or InputError with the reason it could not be."""
    if isinstance(answer, Unreadable):
        raise InputError(str(answer))
    return answer
