"""What is left out of a domain's records as JSON, and why: of `route`, and of all that simulates."""

from __future__ import annotations

from typing import TypedDict

from postroad.routing import Dropped


class DroppedJson(TypedDict):
    """What is left out, and why."""

    exchange: str
    address: str | None
    preference: int
    reason: str
    text: str


def dropped_shape(drop: Dropped) -> DroppedJson:
    """A record, or an address of one."""
    return {
        "exchange": drop.exchange,
        "address": str(drop.address) if drop.address else None,
        "preference": drop.preference,
        "reason": drop.reason.value,
        "text": drop.text,
    }
