"""Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.

`postroad.route`, `postroad.lookup`, `postroad.check` and `await postroad.send` are the door for programs; see each
one's docstring. They are imported when first used, so that `import postroad` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroad.api import SendOptions, check, lookup, route, send
    from postroad.app import InputError, Routed, Sent

__all__ = ["InputError", "Routed", "SendOptions", "Sent", "check", "lookup", "route", "send"]

_HOMES = {"InputError": "postroad.app", "Routed": "postroad.app", "Sent": "postroad.app"}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562: any of the public names
    if name not in __all__:
        raise AttributeError(f"module 'postroad' has no attribute {name!r}")
    import importlib  # noqa: PLC0415  # as the docstring says

    return getattr(importlib.import_module(_HOMES.get(name, "postroad.api")), name)
