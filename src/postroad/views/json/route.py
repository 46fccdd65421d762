"""A route as JSON: its levels with the odds of each address, and one drawn order."""

from __future__ import annotations

from fractions import Fraction

from postroad.app import Routed
from postroad.routing import Dropped, Refusal, Route
from postroad.views.json.attempt import target_shape
from postroad.views.json.shape import VERSION, Shape


def route_shape(routed: Routed) -> Shape:
    """`postroad route --json`."""
    answer = routed.answer
    shape: Shape = {
        "version": VERSION,
        "domain": str(routed.destination),
        "procedure": routed.policy.name,
        "seed": routed.seed,
        "status": answer.status.value,
        "source": answer.source.value if answer.source else None,
        "levels": [],
        "order": [target_shape(target) for target in routed.plan.targets],
        "dropped": [_dropped(drop) for drop in (*answer.dropped, *routed.plan.dropped)],
        "notes": [{"kind": note.kind, "text": note.text} for note in answer.notes],
    }
    if isinstance(answer, Refusal):
        return shape | {"result": answer.result.value, "enhanced": answer.enhanced, "text": answer.text}
    return shape | {"levels": _levels(answer, routed)}


def _levels(route: Route, routed: Routed) -> list[Shape]:
    chances = routed.odds
    assert chances  # noqa: S101  # a Route always comes with its odds
    return [
        {
            "preference": level.preference,
            "exchangers": [
                {
                    "name": each.name,
                    **_share(chances.hosts[each.name]),
                    "addresses": [
                        {"address": str(address), **_share(chances.addresses[each.name, address])}
                        for address in each.addresses
                    ],
                }
                for each in level.exchangers
            ],
        }
        for level in route.levels
    ]


def _share(share: Fraction) -> Shape:
    return {"share": float(share), "odds": str(share)}


def _dropped(drop: Dropped) -> Shape:
    return {
        "exchange": drop.exchange,
        "address": str(drop.address) if drop.address else None,
        "preference": drop.preference,
        "reason": drop.reason.value,
        "text": drop.text,
    }
