"""Dataclasses that cost little: `dataclass` where it is defined, `light` where objects of it are made.

The standard one compiles six methods for each class. A start defines a hundred classes, and hardly uses those methods:
but for `__init__`, and what keeps a frozen one as it is, they are written here once for all.

To mypy `light` is a frozen dataclass, so nothing is assigned to its fields. At run time nothing forbids it: the
`__init__` of a frozen one goes through `object.__setattr__` for each field, and takes three times as long. It is for
objects that are created many times per message, and they are compared and hashed by compiled methods, twice as fast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any


@recursive_repr()
def _repr(self: Any) -> str:  # noqa: ANN401  # an object of any dataclass
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _dataclass(cls: type | None = None, /, **how: Any) -> Any:  # noqa: ANN401  # as the standard one has it
    return _made(cls, **how) if cls else partial(_made, **how)


def _light(*, frozen: bool, slots: bool) -> Callable[[type], type]:
    standard = dataclasses.dataclass(repr=False, slots=slots, unsafe_hash=frozen)
    return lambda cls: _completed(standard(cls), {"__repr__": _repr})


def _made(cls: type, *, eq: bool = True, frozen: bool = False, order: bool = False, **how: Any) -> type:  # noqa: ANN401  # slots, kw_only
    if order:  # four methods more, and rare
        return dataclasses.dataclass(frozen=frozen, order=True, **how)(cls)
    made: type = dataclasses.dataclass(repr=False, eq=False, frozen=frozen, **how)(cls)
    return _completed(made, {"__repr__": _repr} | (_compared(made, is_hashed=frozen) if eq else {}))


def _completed(cls: type, methods: Mapping[str, object]) -> type:
    """The class with these methods, but for those that it has of its own."""
    for name, method in methods.items():
        if cls.__dict__.get(name) is None:
            setattr(cls, name, method)
    return cls


def _compared(cls: Any, *, is_hashed: bool) -> dict[str, object]:  # noqa: ANN401  # a dataclass
    fields = dataclasses.fields(cls)
    values = _values(field.name for field in fields if field.compare)
    hashed = _values(field.name for field in fields if (field.compare if field.hash is None else field.hash))

    def is_equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return {"__eq__": is_equal, "__hash__": (lambda self: hash(hashed(self))) if is_hashed else None}


def _values(names: Iterable[str]) -> Callable[[object], tuple[object, ...]]:
    """What takes the values of these fields."""
    some = tuple(names)
    if len(some) > 1:  # of one name it would be the bare value
        return attrgetter(*some)
    return lambda each: tuple(getattr(each, name) for name in some)


if TYPE_CHECKING:
    from dataclasses import dataclass
    from dataclasses import dataclass as light
else:
    dataclass, light = _dataclass, _light

__all__ = ["dataclass", "light"]
