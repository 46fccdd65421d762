"""A room's door that imports a module only when one of its names is used (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def door(room: str, **modules: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package, from the names that each of its modules gives, with blanks between.

    So a prompt completes the names that nobody has used yet, and `help` shows them.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}

    def give(name: str) -> Any:  # noqa: ANN401  # whatever has that name
        module = homes.get(name)
        if module is None:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{module}"), name)

    return give, lambda: sorted(homes)
