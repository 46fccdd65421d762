"""Which route of our own settings a domain takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from postroad.words.names import Destination

EVERYTHING = "*"


class ForDomains(Protocol):
    """A choice by domain: `example.com` (itself), `.example.com` (all below it) or `*` (all mail)."""

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in canonical form."""
        ...


R = TypeVar("R", bound=ForDomains)


def by_domain(routes: Iterable[R]) -> dict[str, R]:
    """The routes by what they are for, to `pick` from; what two of them name goes to the first."""
    table: dict[str, R] = {}
    for route in routes:
        for domain in route.domains:
            table.setdefault(domain, route)
    return table


def pick(table: Mapping[str, R], destination: Destination) -> R | None:
    """The route a destination takes: that of the domain itself, else the nearest domain above it, else that of `*`."""
    return next((table[pattern] for pattern in patterns_of(str(destination)) if pattern in table), None)


def patterns_of(domain: str) -> Iterator[str]:
    """What a name may be meant by, the nearest first."""
    yield domain
    above = domain
    while "." in above and not domain.startswith("["):
        above = above.partition(".")[2]
        yield f".{above}"
    yield EVERYTHING
