"""The bounds of numbers that people write: a room needs only a table of these for its fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from postroad.words.inputs import InputError, shown

YEAR_S = 366 * 86400.0  # the longest time anyone may ask for, in seconds
DAY_S = 86400.0


class OutOfBoundsError(InputError):
    """The error that a number is out of its bounds: which field, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a number, both included; `above`: the least itself is not. `whole`: no fractions.

    `needed`: there is a number, while else None says that there is none. `many`: a tuple of such numbers.
    """

    least: float = 0.0
    most: float = YEAR_S
    whole: bool = False
    above: bool = False
    unit: str = "s"
    needed: bool = False
    many: bool = False

    def why_not(self, value: object) -> str:
        """Why a value cannot be taken, with the limit; empty if it can."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return f"{shown(value)} is not a {'whole ' if self.whole else ''}number"
        if isinstance(value, float) and math.isnan(value):
            return "nan is not a number"
        if value < self.least or (self.above and value == self.least):
            return f"{shown(value)} is {'not above' if self.above else 'below'} {self._told(self.least)}"
        return f"{shown(value)} is more than {self._told(self.most)}, the most allowed" if value > self.most else ""

    def _told(self, limit: float) -> str:
        return f"{limit:,.12g}{f' {self.unit}' if self.unit else ''}"


def count(most: int, least: int = 1, *, needed: bool = False) -> Bounds:
    """A number of things."""
    return Bounds(least, most, whole=True, unit="", needed=needed)


def check(thing: object, bounds: Mapping[str, Bounds]) -> None:
    """Every field of a dataclass that has bounds.

    Raises:
        OutOfBoundsError: the first that cannot be.

    """
    for field, bound in bounds.items():
        value = getattr(thing, field)
        for each in value if bound.many else (value,):
            if (each is not None or bound.needed) and (why := bound.why_not(each)):
                raise OutOfBoundsError(field, why)


def require(field: str, value: object, *kinds: type) -> None:
    """A value of one of these types, or None.

    Raises:
        OutOfBoundsError: it is of another.

    """
    if value is not None and not isinstance(value, kinds):
        raise OutOfBoundsError(field, _is_none_of(kinds, value))


def _is_none_of(kinds: tuple[type, ...], value: object) -> str:
    *some, last = (kind.__name__ for kind in kinds)
    named = f"{', '.join(some)} or {last}" if some else last
    return f"{shown(value)} is not of type {named}"


def require_all(field: str, values: object, *kinds: type) -> None:
    """A list of values of one of these types; one by itself is none.

    Raises:
        OutOfBoundsError: it is no list, or one of them is of another type.

    """
    if not isinstance(values, list | tuple):
        raise OutOfBoundsError(field, f"{shown(values)} is not a list; write one, as [...]")
    for value in values:
        if not isinstance(value, kinds):
            raise OutOfBoundsError(field, _is_none_of(kinds, value))


def require_lists(options: object, **fields: tuple[type, ...]) -> None:
    """Fields of options that are lists, each with the types that its values may have.

    Raises:
        OutOfBoundsError: the first that is no list, or has a value of another type.

    """
    for name, kinds in fields.items():
        require_all(name, getattr(options, name), *kinds)


def require_kinds(options: object, **fields: tuple[type, ...]) -> None:
    """Fields of options that are None, or of these types.

    Raises:
        OutOfBoundsError: the first that is of another type.

    """
    for name, kinds in fields.items():
        require(name, getattr(options, name), *kinds)


def require_given(options: object, **fields: tuple[type, ...]) -> None:
    """Fields of options that are of these types, and never None.

    Raises:
        OutOfBoundsError: the first that is of another type.

    """
    for name, kinds in fields.items():
        require_all(name, [getattr(options, name)], *kinds)
