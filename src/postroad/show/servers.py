"""The columns of a picture: one for each address, with its names. Names that share an address are one server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from postroad.show.labels import clean, short
from postroad.show.picture import By
from postroad.simulation.nouns import Forecast
from postroad.words.facts import Found, Snapshot
from postroad.words.faults import Mode
from postroad.words.names import Address, parse_address

NAME_ROOM = 28  # characters of a name in a heading; the address beneath tells the rest apart


@dataclass(frozen=True, slots=True)
class Server:
    """One address, as a heading: its names (less the domain they share), preferences, and how it is down, if it is."""

    key: str
    names: tuple[str, ...] = ()
    preferences: tuple[int, ...] = ()
    down: Mode | None = None

    @property
    def name(self) -> str:
        """The names in one line; of many the first two."""
        more = f" +{len(self.names) - 2}" if len(self.names) > 2 else ""
        return ", ".join(short(name, NAME_ROOM) for name in self.names[:2]) + more

    @property
    def preference(self) -> str:
        """The preferences in one line."""
        return ", ".join(str(each) for each in self.preferences)

    @property
    def full(self) -> str:
        """The server in words, for a legend or a tooltip."""
        known = f"{', '.join(clean(name) for name in self.names)} [{self.key}]" if self.names else self.key
        return f"{known}, preference {self.preference}" if self.preferences else known


def servers(forecasts: Iterable[Forecast]) -> tuple[Server, ...]:
    """Every server the forecasts know: by preference, then in the order of the zone, strays last."""
    found: dict[Address, list[tuple[int, str]]] = {}
    down: dict[Address, Mode] = {}
    for forecast in forecasts:
        for address, preference, name in _records(forecast.case.snapshot):
            if (preference, name) not in found.setdefault(address, []):
                found[address].append((preference, name))
        for address in (*forecast.first, *forecast.accepted):
            found.setdefault(address, [])
        down.update(forecast.case.down)
    return tuple(_server(address, known, down.get(address)) for address, known in found.items())


def first_share(forecast: Forecast, server: Server) -> Fraction:
    """The share of messages whose first contact is this server."""
    return next((share for address, share in forecast.first.items() if str(address) == server.key), Fraction(0))


def lost_servers(lost: Mapping[str, By]) -> dict[Server, By]:
    """The columns of the survival bars, in the order of `servers`; a key that is no known address stands for itself."""
    known = servers(forecast for by in lost.values() for forecast in by.values())
    order = {server.key: index for index, server in enumerate(known)}
    columns = {str(parse_address(key) or key): by for key, by in lost.items()}
    keys = sorted(columns, key=lambda key: order.get(key, len(order)))
    return {replace(known[order[key]], down=None) if key in order else Server(clean(key)): columns[key] for key in keys}


def _server(address: Address, known: list[tuple[int, str]], down: Mode | None) -> Server:
    names = tuple(dict.fromkeys(name for _, name in known))
    return Server(str(address), names, tuple(dict.fromkeys(preference for preference, _ in known)), down)


def _records(snapshot: Snapshot) -> Iterator[tuple[Address, int, str]]:
    """Each address with a preference and a name, best first; without MX the domain's own (RFC 5321 section 5.1)."""
    domain = str(snapshot.domain)
    if isinstance(snapshot.mx, Found):
        targets = [(mx.preference, mx.exchange) for mx in sorted(snapshot.mx.records, key=lambda mx: mx.preference)]
    else:
        targets = [(0, domain)]
    for preference, exchange in targets:
        facts = snapshot.hosts.get(exchange)
        for answer in (facts.a, facts.aaaa) if facts else ():
            for address in answer.records if isinstance(answer, Found) else ():
                yield address, preference, exchange.removesuffix(f".{domain}")
