"""The columns of a picture: one for each address, or each machine, with its names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from postroad.simulation import Forecast, places
from postroad.views.pictures.labels import short
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.visible import defused

NAME_ROOM = 28  # characters of a name in a heading; the address beneath tells the rest apart


@dataclass(frozen=True, slots=True)
class Column:
    """One address, as a heading: its names (less the domain they share), preferences, and how it is down, if it is."""

    key: str
    names: tuple[str, ...] = ()
    preferences: tuple[int, ...] = ()
    down: Mode | None = None
    address: Address | None = None

    @property
    def head(self) -> tuple[str, str, str]:
        """The heading in three lines: names (of many the first two), address, preferences."""
        more = f" +{len(self.names) - 2}" if len(self.names) > 2 else ""
        names = ", ".join(short(name, NAME_ROOM) for name in self.names[:2]) + more
        return names or self.key, self.key if names else "", ", ".join(str(each) for each in self.preferences)

    @property
    def full(self) -> str:
        """The server in words, for a legend or a tooltip."""
        known = f"{', '.join(defused(name) for name in self.names)} [{self.key}]" if self.names else self.key
        return f"{known}, preference {self.head[2]}" if self.preferences else known


def columns_of(forecasts: Iterable[Forecast]) -> tuple[Column, ...]:
    """Every server the forecasts know: by preference, then in the order of DNS; what is in no record last."""
    every = tuple(forecasts)
    found: dict[Address, list[tuple[str, int]]] = {}
    for snapshot in {id(each.case.snapshot): each.case.snapshot for each in every}.values():
        for place in places(snapshot):
            name = place.exchange.removesuffix(f".{snapshot.domain}")
            found.setdefault(place.address, []).append((name, place.preference))
    for forecast in every:
        for address in forecast.first:
            found.setdefault(address, [])
    down = {address: mode for each in every for address, mode in each.case.down.items()}
    return tuple(
        Column(
            str(address),
            tuple(dict.fromkeys(name for name, _ in known if name != str(address))),
            tuple(dict.fromkeys(preference for _, preference in known)),
            down.get(address),
            address,
        )
        for address, known in found.items()
    )


def first_share(forecast: Forecast, column: Column) -> Fraction:
    """The share of messages whose first contact is this server."""
    return forecast.first.get(column.address, Fraction(0)) if column.address else Fraction(0)
