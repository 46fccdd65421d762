"""What contradicts itself in settings: twice the same, routes for the same mail, routes that lead nowhere or round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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


def once_each(what: str, items: Iterable[str]) -> None:
    """Nothing, or that an item stands twice.

    Raises:
        ValueError: it does.

    """
    twice = [item for item, count in Counter(items).items() if count > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]} twice; leave one out")


def check_routes(routes: Sequence[RouteOf]) -> None:
    """Nothing, or what two routes contradict each other in.

    Raises:
        ValueError: they are for the same mail, or one leads to a route that is not there, or back to itself.

    """
    once_each("the routes name", (domain for route in routes for domain in route.domains))
    once_each("the routes have the exchangers", (pattern for route in routes for pattern in route.exchangers))
    once_each("the routes have the name", (route.name for route in routes if route.name))
    if any(route.provider for route in routes):
        _check_providers([route.provider for route in routes if route.provider])
    named = {route.name: route for route in routes if route.name}
    for number, route in enumerate(routes, 1):
        _check_target(f"route[{number}].on_reject.route", route, named)


def _check_providers(keys: Sequence[str]) -> None:
    from postroad.words.providers import provider_keys  # noqa: PLC0415  # a list that most files do not need

    taken: dict[str, str] = {}
    for key in keys:
        for name in sorted(provider_keys()[key]):
            other = taken.setdefault(name, key)
            if other != key:
                raise ValueError(f"the routes for the providers {other} and {key} are both for {name}; leave one out")
    once_each("the routes have the provider", keys)


def _check_target(key: str, route: RouteOf, named: Mapping[str, RouteOf]) -> None:
    """A refused message goes on to a route that is there, and never comes back to one it has been on."""
    been, at = [route.name], route
    while at.on_reject:
        target = at.on_reject.route
        if target not in named:
            near = get_close_matches(target, named, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f'write name = "{target}" in the route that is meant'
            raise ValueError(f'{key}: no route has the name "{target}"; {hint}')
        if target in been:
            circle = " > ".join(str(name or "this route") for name in (*been, target))
            raise ValueError(f"{key}: refused mail would go round in a circle ({circle}); leave one on_reject out")
        been.append(target)
        at = named[target]
