"""TOML as people write it: a few tables deep. Anything nested deeper is an attack on the parser, or a mistake."""

from __future__ import annotations

import tomllib
from typing import Any

from postroad.words.names import Unreadable

DEEPEST = 32  # tables and lists in each other; no file of ours needs more than five

_TOO_DEEP = f"tables or lists are nested more than {DEEPEST} deep; write fewer brackets and dots"


def parse_toml(text: str) -> dict[str, Any] | Unreadable:
    """The tables of a text, or why it is no TOML that can be used."""
    try:
        tables = tomllib.loads(text)
    except ValueError as problem:  # tomllib's own, and int()'s, which reads no more than 4,300 digits
        is_its_own = isinstance(problem, tomllib.TOMLDecodeError)
        return Unreadable(
            "TOML", str(problem) if is_its_own else "a value cannot be read: a number has thousands of digits"
        )
    except RecursionError:  # tomllib descends into brackets
        return Unreadable("TOML", _TOO_DEEP)
    level: list[Any] = [tables]
    for _depth in range(DEEPEST):  # by levels, for dots nest as deep and tomllib takes them all
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [each for each in level if isinstance(each, dict | list)]
    return Unreadable("TOML", _TOO_DEEP) if level else tables
