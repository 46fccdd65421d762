"""Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.

What programs use: `route` (where mail goes), `lookup` (what DNS says), `check` (what is wrong), `simulate`, `compare`
and `advise` (what senders make of records, and which are better), `senders` (who can be simulated), and `await send`.
Each says in its docstring how it is used. They are imported when first used, so that `import postroad` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
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
        senders,
        simulate,
    )
    from postroad.build import Routed, Sent
    from postroad.models import Sender
    from postroad.simulation.trials import Downtime, Pulse, TrialOptions
    from postroad.words.inputs import InputError

__all__ = [
    "Downtime",
    "InputError",
    "Pulse",
    "Routed",
    "SendOptions",
    "Sender",
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

__getattr__, __dir__ = door(
    __name__,
    api="SendOptions SimulateOptions Simulation advise check compare lookup route send senders simulate",
    build="Routed Sent",
    models="Sender",
    **{"simulation.trials": "Downtime Pulse TrialOptions", "words.inputs": "InputError"},
)
