"""The columns of a picture: one for each address, with its names; of very many those alike are one together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from postroad.simulation import Forecast, places
from postroad.views.pictures import labels
from postroad.views.pictures.labels import short
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.phrasebook import counted, listing, per_cent
from postroad.words.visible import defused

NAME_ROOM = 28  # characters of a name in a heading; the address beneath tells the rest apart
MOST_APART = 16  # columns; of more, those that show the same are one
NONE = Fraction(0)
LEAST = Fraction(1, 10_000)  # of a share that is told with two decimals
MOST_NAMED = 3  # addresses of such a column that a legend names


@dataclass(frozen=True, slots=True)
class Column:
    """Addresses that share a heading, nearly always one: their names (less the domain they share), and preferences.

    `down` is how they are down, if they are.
    """

    key: str
    names: tuple[str, ...] = ()
    preferences: tuple[int, ...] = ()
    down: Mode | None = None
    addresses: tuple[Address, ...] = ()

    @property
    def head(self) -> tuple[str, str, str]:
        """The heading in three lines: names (of many the first two), address, preferences."""
        more = f" +{len(self.names) - 2}" if len(self.names) > 2 else ""
        names = ", ".join(short(name, NAME_ROOM) for name in self.names[:2]) + more
        return names or self.key, self.key if names else "", ", ".join(str(each) for each in self.preferences)

    @property
    def full(self) -> str:
        """The server in words, for a tooltip."""
        if len(self.addresses) > 1:
            return f"each of {self.key} of {self.head[0]}"
        known = f"{', '.join(defused(name) for name in self.names)} [{self.key}]" if self.names else self.key
        return f"{known}, preference {self.head[2]}" if self.preferences else known

    def share(self, forecast: Forecast) -> Fraction:
        """The share of messages whose first contact is this server: of several, what each has in the mean."""
        shares = [forecast.first.get(address, NONE) for address in self.addresses]
        return shares[0] if len(shares) == 1 else sum(shares, NONE) / (len(shares) or 1)

    def number(self, forecast: Forecast) -> str:
        """The same in per cent, for its cell: of very many even a small part counts."""
        if forecast.unable:
            return labels.NONE
        share = self.share(forecast)
        if len(self.addresses) > 1 and 0 < share < Fraction(1, 100):
            return f"{float(share) * 100:.2f}" if share >= LEAST else "<0.01"
        return per_cent(share)


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
    columns = [
        Column(
            str(address),
            tuple(dict.fromkeys(name for name, _ in known if name != str(address))),
            tuple(dict.fromkeys(preference for _, preference in known)),
            down.get(address),
            (address,),
        )
        for address, known in found.items()
    ]
    return tuple(columns if len(columns) <= MOST_APART else _folded(columns, every))


def _folded(columns: Sequence[Column], forecasts: Iterable[Forecast]) -> Iterator[Column]:
    """One column for all that show the same under the same heading but for their names."""
    shown = zip(*(_numbers(forecast, columns) for forecast in forecasts), strict=True)
    alike: dict[object, list[Column]] = {}
    for column, numbers in zip(columns, shown, strict=True):
        alike.setdefault((column.preferences, column.down, numbers), []).append(column)
    for first, *others in alike.values():
        if not others:
            yield first
            continue
        names = tuple(dict.fromkeys(name for each in (first, *others) for name in each.names))
        addresses = tuple(address for each in (first, *others) for address in each.addresses)
        yield Column(counted(len(addresses), "address", "es"), names, first.preferences, first.down, addresses)


def _numbers(forecast: Forecast, columns: Iterable[Column]) -> Iterator[str]:
    """What stands in each column: of very many servers most have the same."""
    known: dict[int, tuple[Fraction, str]] = {}
    for column in columns:
        share = column.share(forecast)
        if id(share) not in known:
            known[id(share)] = share, column.number(forecast)
        yield known[id(share)][1]


def legend(columns: Iterable[Column]) -> Iterator[str]:
    """What is in a column of several, and what its figures are."""
    folded = [column for column in columns if len(column.addresses) > 1]
    for column in folded:
        yield f"{column.head[0]}, {column.key}: {listing(map(str, column.addresses), MOST_NAMED)}."
    if folded:
        yield "Figures of several addresses are what each of them gets; --json lists all of them."
