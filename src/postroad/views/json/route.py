"""A route as JSON: its levels with the odds of each address, and one drawn order."""

from __future__ import annotations

from fractions import Fraction
from typing import NotRequired, TypedDict

from postroad.build import Routed
from postroad.routing import Refusal, Route, StaticRoute
from postroad.views.json.attempt import TargetJson, target_shape
from postroad.views.json.dropped import DroppedJson, dropped_shape
from postroad.views.json.shape import VERSION
from postroad.views.json.tls import DemandJson, demand_shape


class ShareJson(TypedDict):
    """A chance, also as a fraction."""

    share: float
    odds: str


class AddressJson(ShareJson):
    """An address of an exchanger, and its chance to be contacted first."""

    address: str


class ExchangerJson(ShareJson):
    """An exchanger, and its chance to be contacted first."""

    name: str
    tls: DemandJson
    addresses: list[AddressJson]


class LevelJson(TypedDict):
    """The exchangers of one preference."""

    preference: int
    exchangers: list[ExchangerJson]


class NoteJson(TypedDict):
    """What is used all the same, but its owner should know of."""

    kind: str
    text: str


class OnRejectJson(TypedDict):
    """Which refusals send mail to which other route."""

    match: list[str]
    route: str


class ByJson(TypedDict):
    """The route of the settings that mail takes."""

    name: str | None
    on_reject: OnRejectJson | None


class RouteJson(TypedDict):
    """`postroad route --json`; the last three only where there is no route."""

    version: int
    domain: str
    procedure: str
    seed: int | None
    status: str
    source: str | None
    levels: list[LevelJson]
    order: list[TargetJson]
    dropped: list[DroppedJson]
    notes: list[NoteJson]
    by: ByJson | None
    result: NotRequired[str]
    enhanced: NotRequired[str]
    text: NotRequired[str]


def route_shape(routed: Routed) -> RouteJson:
    """`postroad route --json`."""
    answer = routed.answer
    shape: RouteJson = {
        "version": VERSION,
        "domain": str(routed.destination),
        "procedure": routed.policy.name,
        "seed": routed.seed,
        "status": answer.status.value,
        "source": answer.source.value if answer.source else None,
        "levels": [],
        "order": [target_shape(target) for target in routed.plan.targets],
        "dropped": [dropped_shape(drop) for drop in (*answer.dropped, *routed.plan.dropped)],
        "notes": [{"kind": note.kind, "text": note.text} for note in answer.notes],
        "by": _by(routed.by) if routed.by else None,
    }
    if isinstance(answer, Refusal):
        return {**shape, "result": answer.result.value, "enhanced": answer.enhanced, "text": answer.text}
    return {**shape, "levels": _levels(answer, routed)}


def _by(route: StaticRoute) -> ByJson:
    rule = route.on_reject
    on_reject: OnRejectJson | None = {"match": list(rule.match), "route": rule.route} if rule else None
    return {"name": route.name or None, "on_reject": on_reject}


def _levels(route: Route, routed: Routed) -> list[LevelJson]:
    chances = routed.odds
    assert chances  # noqa: S101  # a Route always comes with its odds
    return [
        {
            "preference": level.preference,
            "exchangers": [
                {
                    "name": each.name,
                    "tls": demand_shape(each.demand),
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


def _share(share: Fraction) -> ShareJson:
    return {"share": float(share), "odds": str(share)}
