"""The event loop of a program of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def loop_factory() -> Callable[[], Any] | None:
    """What makes the fastest loop there is; None: asyncio's own does."""
    try:
        import uvloop  # noqa: PLC0415  # see below
    except ImportError:  # no uvloop for Windows: asyncio's own loop does the same, slower
        return None
    return uvloop.new_event_loop
