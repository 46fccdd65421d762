"""What contradicts itself in settings: twice the same, routes for the same mail, routes that lead nowhere or round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Protocol


class LeadsOn(Protocol):
    """The `on_reject` of a route, as far as it is looked at here."""

    @property
    def route(self) -> str: ...  # noqa: D102  # see config.OnRejectTable


class RouteOf(Protocol):
    """A route, as far as it is looked at here."""

    @property
    def name(self) -> str | None: ...  # noqa: D102  # see config.RouteTable

    @property
    def domains(self) -> tuple[str, ...]: ...  # noqa: D102  # see config.RouteTable

    @property
    def exchangers(self) -> tuple[str, ...]: ...  # noqa: D102  # see config.RouteTable

    @property
    def provider(self) -> str | None: ...  # noqa: D102  # see config.RouteTable

    @property
    def on_reject(self) -> LeadsOn | None: ...  # noqa: D102  # see config.RouteTable


def once_each(what: str, items: Iterable[str]) -> Iterator[str]:
    """A sentence for each item that stands twice."""
    yield from (f"{what} {item} twice; leave one out" for item, count in Counter(items).items() if count > 1)


def check_routes(routes: Sequence[RouteOf]) -> Iterator[str]:
    """What routes contradict each other in: two for the same mail, one that leads nowhere, or back to itself."""
    yield from once_each("[[route]] has the domain", (domain for route in routes for domain in route.domains))
    yield from once_each("[[route]] has the exchanger", (pattern for route in routes for pattern in route.exchangers))
    yield from once_each("[[route]] has the name", (route.name for route in routes if route.name))
    if any(route.provider for route in routes):
        yield from _check_providers([route.provider for route in routes if route.provider])
    named = {route.name: route for route in routes if route.name}
    circles: set[frozenset[str]] = set()
    for number, route in enumerate(routes, 1):
        target = route.on_reject.route if route.on_reject else ""
        if target and target not in named:
            yield f"route[{number}].on_reject.route: {_unknown(target, named)}"
        way = _circle(route, named)
        if way and frozenset(way) not in circles:
            circles.add(frozenset(way))
            circle = " > ".join((*way, way[0]))
            yield (
                f"route[{number}].on_reject.route: refused mail would go round in a circle ({circle}); leave one"
                " on_reject out"
            )


def _check_providers(keys: Sequence[str]) -> Iterator[str]:
    from postroad.words.providers import provider_keys  # noqa: PLC0415  # a list that most files do not need

    taken: dict[str, str] = {}
    for key in keys:
        for name in sorted(provider_keys()[key]):
            other = taken.setdefault(name, key)
            if other != key:
                yield f"the routes for the providers {other} and {key} are both for {name}; leave one out"
    yield from once_each("[[route]] has the provider", keys)


def _unknown(target: str, named: Mapping[str, RouteOf]) -> str:
    near = get_close_matches(target, named, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f'write name = "{target}" in the route that is meant'
    return f'no route has the name "{target}"; {hint}'


def _circle(route: RouteOf, named: Mapping[str, RouteOf]) -> list[str]:
    """The names on the way from a route back to itself; none if refused mail never comes back to it."""
    been: list[str] = []
    at: RouteOf | None = route
    while at and at.name and at.name not in been:
        been.append(at.name)
        at = named.get(at.on_reject.route) if at.on_reject else None
    return been if at and at.name == route.name else []
