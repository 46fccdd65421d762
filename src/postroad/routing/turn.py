"""Balance over repeated answers: the addresses of a host rotate, as a cache rotates a record set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import lcm

from postroad.routing.rules import Exchanger, Level, Route
from postroad.words.names import Address


def turned(route: Route, turn: int) -> Route:
    """The route as its `turn`-th use sees it: each exchanger's addresses begin one further, each family by itself.

    So a host with two addresses has both used alike, though "the order the resolver gives" is kept (RFC 5321
    section 5.1) and its answer is remembered.
    """
    if turn == 0 or all(len(each.addresses) == 1 for level in route.levels for each in level.exchangers):
        return route
    levels = (
        Level(level.preference, tuple(_turned(each, turn) for each in level.exchangers)) for level in route.levels
    )
    return replace(route, levels=tuple(levels))


def turns_of(route: Route) -> int:
    """After so many turns a route is seen again as it was."""
    sizes = [
        sum(address.version == version for address in each.addresses)
        for level in route.levels
        for each in level.exchangers
        for version in (4, 6)
    ]
    return lcm(*(size for size in sizes if size))


def turned_addresses(addresses: tuple[Address, ...], turn: int) -> tuple[Address, ...]:
    """The addresses of one host at a turn. The families keep their places: which goes first is not for it to change."""
    if len({address.version for address in addresses}) == 1:
        start = turn % len(addresses)
        return addresses[start:] + addresses[:start]
    families = {version: _from(turn, [each for each in addresses if each.version == version]) for version in (4, 6)}
    return tuple(next(families[address.version]) for address in addresses)


def _turned(each: Exchanger, turn: int) -> Exchanger:
    return replace(each, addresses=turned_addresses(each.addresses, turn))


def _from(turn: int, addresses: list[Address]) -> Iterator[Address]:
    start = turn % len(addresses) if addresses else 0
    return iter(addresses[start:] + addresses[:start])
