"""Which route of our own settings mail takes: by the domain of its recipients, else by that domain's exchangers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from postroad.routing.picking import EVERYTHING, ForDomains, by_domain, patterns_of, pick
from postroad.words.facts import Mx
from postroad.words.names import Destination, is_address_like
from postroad.words.phrasebook import listing
from postroad.words.providers import provider_keys, provider_of


class ForReceivers(ForDomains, Protocol):
    """A choice by domain, by exchangers (written as domains are, without `*`), or by the provider that runs them."""

    @property
    def exchangers(self) -> tuple[str, ...]:
        """The exchangers, in canonical form."""
        ...

    @property
    def provider(self) -> str:
        """The key of a known provider; empty for none."""
        ...


S = TypeVar("S", bound=ForReceivers)


@dataclass(frozen=True, slots=True)
class Picked(Generic[S]):
    """A route that mail takes, and why, as the end of a sentence."""

    route: S
    why: str


class Routes(Generic[S]):
    """The routes of the settings: one that names the domain, else one for its exchangers, else the one for `*`."""

    def __init__(self, routes: Iterable[S]) -> None:
        routes = tuple(routes)
        self._domains = by_domain(routes)
        self._default = self._domains.pop(EVERYTHING, None)
        self._exchangers: dict[str, S] = {}
        self._providers: dict[str, S] = {}
        for route in routes:
            for pattern in route.exchangers:
                self._exchangers.setdefault(pattern, route)
            for name in provider_keys()[route.provider] if route.provider else ():
                self._providers.setdefault(name, route)

    @property
    def wants_exchangers(self) -> bool:
        """Whether the exchangers of a domain may decide."""
        return bool(self._exchangers or self._providers)

    def of_domain(self, destination: Destination) -> Picked[S] | None:
        """The route that names a domain, or one above it."""
        route = pick(self._domains, destination)
        return Picked(route, f"it is for {destination}") if route else None

    def of_exchangers(self, records: Iterable[Mx]) -> Picked[S] | None:
        """The route for all exchangers of the lowest preference value: those that mail goes to.

        A backup decides nothing: mail for a filter service with a mailbox provider behind it goes to the filter. Where
        equals disagree it depends on chance who gets the mail, so none of their routes is meant.
        """
        usable = [record for record in records if record.exchange and not is_address_like(record.exchange)]
        best = min((record.preference for record in usable), default=None)
        names = list(dict.fromkeys(record.exchange for record in usable if record.preference == best))
        picked = [self._of_exchanger(name) for name in names]
        first = picked[0] if picked else None
        if first is None or any(each is None or each.route is not first.route for each in picked):
            return None
        whys = dict.fromkeys(each.why for each in picked if each)
        return Picked(first.route, f"mail for it goes to {listing(names, 3)}, {listing(whys)}")

    def of_all(self) -> Picked[S] | None:
        """The route for all other mail."""
        return Picked(self._default, "it is for all other mail") if self._default else None

    def _of_exchanger(self, name: str) -> Picked[S] | None:
        """The nearest pattern, else the provider: what is written out is meant more than what a list knows."""
        for pattern in patterns_of(name):
            if route := self._exchangers.get(pattern):
                return Picked(route, f"which is in {pattern}" if pattern != name else "which is named there")
        provider = provider_of(name)
        route = self._providers.get(provider.name) if provider else None
        return Picked(route, f"run by {provider.name}") if route and provider else None
