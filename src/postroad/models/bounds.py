"""The bounds of every number in a sender's file, in one table: what a model can be asked to do, and what it cannot.

A test holds that no number of the model is missing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postroad.words.bounds import DAY_S, Bounds, check, count

MOST_TRIES = 10_000  # of one message: every minute for five days is 7,200

_FEW = count(10_000)
_TIME = Bounds()
_WAIT = Bounds(most=DAY_S)
_PAUSE = Bounds(1.0)  # between things that go on until something else ends: never without a pause

BOUNDS: Mapping[str, Mapping[str, Bounds]] = MappingProxyType(
    {
        "AttemptLimits": {"addresses": _FEW, "hosts": _FEW, "sessions": _FEW},
        "Waits": {
            "connect_s": _WAIT,
            "greeting_s": _WAIT,
            "fallback_s": _WAIT,
            "hurry_s": _WAIT,
            "overlap_s": _WAIT,
            "most_silent": _FEW,
            "spacing_s": _WAIT,
        },
        "Memory": {"for_s": _TIME},
        "Reuse": {"messages": count(1_000_000), "for_s": _TIME, "idle_s": _TIME},
        "Rounds": {"first_s": _PAUSE, "then_s": _PAUSE, "whole_s": _PAUSE},
        "Picks": {"for_s": _TIME, "connected_rest_s": _TIME, "closed_rest_s": _TIME},
        "ClearLater": {"after_s": _TIME},
        "Asks": {name: count(1000, 0) for name in ("mx", "domain_a", "domain_aaaa", "a", "aaaa")},
        "Schedule": {
            "intervals_s": Bounds(1.0, many=True),
            "then_s": _PAUSE,
            "expiry_s": _PAUSE,
            "spread_s": _TIME,
            "jitter": Bounds(0.0, 0.99, unit=""),
            "machines": count(1000),
        },
    }
)
"""By class and field."""


class Bounded:
    """A part of a sender whose numbers are checked against their bounds, in a file or in Python."""

    __slots__ = ()

    def __post_init__(self) -> None:
        check(self, BOUNDS[type(self).__name__])
