"""`light`: a cheap immutable dataclass, for objects that are created many times per message.

To mypy it is a frozen dataclass, so nothing is assigned to its fields. At run time nothing forbids it: the `__init__`
of a frozen one goes through `object.__setattr__` for each field, and takes three times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as light
else:
    from dataclasses import dataclass

    def light(*, frozen: bool, slots: bool):  # noqa: ANN201  # what it returns is said above, to the type checker
        """Equal and hashed by its fields, as the frozen one is."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["light"]
