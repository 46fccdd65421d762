"""Delivers mail straight to a domain's mail exchangers, and shows what any sender will do with its MX records.

Mail: `await send` delivers now, straight to the exchangers (`send_sync` without an event loop, `Client` for many
messages, `SendOptions` for how); `await enqueue` puts a message into a spool (`enqueue_sync`). Records: `route` (where
mail goes), `lookup` (what DNS says), `check` (what is wrong), `simulate`, `compare` and `advise` (what senders make of
records, and which are better), `senders` (who can be simulated).

Errors: `InputError`, for what the caller gave (what, where, and how to fix it); `SpoolError`, for a spool that cannot
take a message, whose `kind` is one of `Trouble`. What DNS, the network or a host does is never raised, but returned.

Each says in its docstring how it is used. They are imported when first used, so that `import postroad` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.api import (
        SimulateOptions,
        Simulation,
        advise,
        check,
        compare,
        lookup,
        route,
        senders,
        simulate,
    )
    from postroad.build import Routed, Sent
    from postroad.models import Sender
    from postroad.sending import Client, Queued, SendOptions, enqueue, enqueue_sync, send, send_sync
    from postroad.simulation.trials import Downtime, Pulse, TrialOptions
    from postroad.spool import SpoolError, Trouble
    from postroad.words.inputs import InputError

__all__ = [
    "Client",
    "Downtime",
    "InputError",
    "Pulse",
    "Queued",
    "Routed",
    "SendOptions",
    "Sender",
    "Sent",
    "SimulateOptions",
    "Simulation",
    "SpoolError",
    "TrialOptions",
    "Trouble",
    "advise",
    "check",
    "compare",
    "enqueue",
    "enqueue_sync",
    "lookup",
    "route",
    "send",
    "send_sync",
    "senders",
    "simulate",
]

__getattr__, __dir__ = door(
    __name__,
    api="SimulateOptions Simulation advise check compare lookup route senders simulate",
    build="Routed Sent",
    models="Sender",
    sending="Client Queued SendOptions enqueue enqueue_sync send send_sync",
    spool="SpoolError Trouble",
    **{"simulation.trials": "Downtime Pulse TrialOptions", "words.inputs": "InputError"},
)
