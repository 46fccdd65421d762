"""The parts of a text: lines, with or without a style, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Styled = str | tuple[str, str]  # a text, or a text and its style


class Verbatim(str):
    """A line that people copy, such as a record: whoever shows it puts no line break into it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their heads, or without any. Columns named in `right` hold numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Styled]]
    right: frozenset[str] = frozenset()


Block = Styled | Table
