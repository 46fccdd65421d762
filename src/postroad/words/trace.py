"""The events of the program, sent as they happen to the listeners: log, metrics, tests, a live screen.

Names are `room.thing.started`, `.complete` or `.failed`; the data stands in the fields, never in the name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from postroad.words.light import light


@light(frozen=True, slots=True)
class Event:
    """One step that is told: its name and its data, which never change."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


def nobody(_event: Event) -> None:
    """The listener that does not listen."""
