"""What was tried out on loopback, as JSON: `demo` and `lab`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from postroad.demo import Act
from postroad.stage import Take
from postroad.views.json.attempt import attempt_shape
from postroad.views.json.shape import VERSION, Shape


def demo_shape(acts: Iterable[Act]) -> Shape:
    """`postroad demo --json`."""
    return {"version": VERSION, "setups": [_act(act) for act in acts]}


def lab_shape(played: Iterable[tuple[str, tuple[Take, ...]]]) -> Shape:
    """`postroad lab run --json`."""
    return {"version": VERSION, "scenarios": [_scenario(name, takes) for name, takes in played]}


def up_shape(resolver: str, port: int, exchangers: Mapping[str, str], moved: Mapping[str, str]) -> Shape:
    """`postroad lab up --json`: its first line; the events follow, one a line."""
    return {
        "version": VERSION,
        "resolver": resolver,
        "port": port,
        "exchangers": dict(exchangers),
        "moved": dict(moved),
    }


def _act(act: Act) -> Shape:
    healthy, after = sum(act.first.values()), sum(act.after.values())
    return {
        "setup": act.name,
        "title": act.title,
        "sent": act.sent,
        "delivered": act.delivered,
        "lost": act.lost,
        "killed": str(act.killed),
        "added_ms": round(act.added_ms, 1),
        "servers": [
            {
                "address": str(address),
                "fixed_order": float(act.strict[address]),
                "expected": float(expected),
                "seen": act.first[address] / healthy if healthy else None,
                "after": act.after[address] / after if after else None,
            }
            for address, expected in act.expected.items()
        ],
    }


def _scenario(name: str, takes: tuple[Take, ...]) -> Shape:
    return {
        "name": name,
        "agrees": all(take.agrees for take in takes),
        "takes": [
            {
                "seed": take.seed,
                "expected": take.expected,
                "rehearsed": take.rehearsed,
                "performed": take.performed,
                "forecast": take.forecast,
                "agrees": take.agrees,
                "attempt": attempt_shape(take.attempt),
            }
            for take in takes
        ],
    }
