"""Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.

`postroad.route`, `postroad.lookup`, `postroad.check`, `postroad.simulate`, `postroad.compare`, `postroad.advise` and
`await postroad.send` are the door for programs; see each one's docstring. `postroad.senders.SENDERS` has the senders
that are simulated. They are imported when first used, so that `import postroad` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroad import senders
    from postroad.api import (
        SendOptions,
        SimulateOptions,
        Simulation,
        advise,
        check,
        compare,
        lookup,
        route,
        send,
        simulate,
    )
    from postroad.build import Routed, Sent
    from postroad.simulation.trials import Downtime, Pulse, TrialOptions
    from postroad.words.inputs import InputError

__all__ = [
    "Downtime",
    "InputError",
    "Pulse",
    "Routed",
    "SendOptions",
    "Sent",
    "SimulateOptions",
    "Simulation",
    "TrialOptions",
    "advise",
    "check",
    "compare",
    "lookup",
    "route",
    "send",
    "senders",
    "simulate",
]

_HOMES = {
    "InputError": "postroad.words.inputs",
    **dict.fromkeys(("Routed", "Sent"), "postroad.build"),
    **dict.fromkeys(("Downtime", "Pulse", "TrialOptions"), "postroad.simulation.trials"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562: any of the public names
    if name not in __all__:
        raise AttributeError(f"module 'postroad' has no attribute {name!r}")
    import importlib  # noqa: PLC0415  # as the docstring says

    if name == "senders":
        return importlib.import_module("postroad.senders")
    return getattr(importlib.import_module(_HOMES.get(name, "postroad.api")), name)
