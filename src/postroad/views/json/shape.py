"""What all our JSON has in common: its version, objects with keys in snake_case, and equally exact numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 1

DIGITS = 6  # behind the point: of a second a microsecond, of a share less than one message in a million

Shape = dict[str, Any]


def rounded(value: Any) -> Any:  # noqa: ANN401  # any value of JSON
    """The same with every number as exact as all others; what is there at all is not rounded to nothing."""
    match value:
        case float():
            return round(value, DIGITS) or float(f"{value:.1g}")
        case Mapping():
            return {key: rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [rounded(each) for each in value]
    return value
