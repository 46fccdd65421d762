"""Who is where in a lab: exchangers found by address, as written in the zones or as moved, and by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property

from postroad.dns import Zones
from postroad.lab.moving import LoopbackZones, names_at
from postroad.words.names import Address, parse_address

ALL = "all"  # every exchanger, unless one is called so
MOST_TOLD = 20  # exchangers that an error lists


class NoExchangerError(KeyError):
    """The error that a lab's zones do not name an address."""

    def __str__(self) -> str:
        """The sentence as it is; a KeyError shows it in quotes."""
        return str(self.args[0])


class LabPlaces:
    """The addresses of a lab, each by all that it is called. Of a name as many labels are enough as tell it apart."""

    def __init__(self, home: LoopbackZones) -> None:
        self._zones: Zones = home.zones
        self._served = frozenset(home.served)
        self._order = home.served
        self._moved = home.moved

    @cached_property
    def names(self) -> Mapping[Address, tuple[str, ...]]:
        """The names that lead to each address, aliases too."""
        return names_at(self._zones)

    def find(self, where: Address | str) -> tuple[Address, ...]:
        """The addresses meant, as moved: one, or all that a name has.

        Raises:
            NoExchangerError: nothing here is called so, or several are.

        """
        place = parse_address(where) if isinstance(where, str) else where
        found = self._named(str(where)) if place is None else self._served & {self._moved.get(place, place)}
        if not found:
            raise NoExchangerError(f"no exchanger of this lab is at {where}; {self._there(str(where))}")
        return tuple(found)

    def called(self, address: Address) -> str:
        """An address as people call it: by its first name, if it has one."""
        return next(iter(self.names.get(address, ())), str(address))

    @cached_property
    def _addresses(self) -> Mapping[str, tuple[Address, ...]]:
        named: dict[str, list[Address]] = {}
        for address in self._order:
            for name in self.names.get(address, ()):
                named.setdefault(name, []).append(address)
        return {name: tuple(addresses) for name, addresses in named.items()}

    def _named(self, text: str) -> tuple[Address, ...]:
        asked = text.strip().rstrip(".").lower()
        if asked in self._addresses:
            return self._addresses[asked]
        if asked == ALL:
            return self._order
        begun = [name for name in self._addresses if asked and name.startswith(f"{asked}.")]
        found = {self._addresses[name] for name in begun}
        if len(found) > 1:
            raise NoExchangerError(f"{text} may be {_listed(begun, ' or ')}; write more of the name, or the address")
        return next(iter(found), ())

    def _there(self, text: str) -> str:
        written = {place: address for address, place in self._moved.items()}
        every = [f"{self.called(place)} ({written.get(place, place)})" for place in self._order]
        if not every:
            return "its zones have no address"
        words = [*self._addresses, *(name.partition(".")[0] for name in self._addresses)]
        near = get_close_matches(text.strip().rstrip(".").lower(), dict.fromkeys(words), 2)
        guess = f"did you mean {' or '.join(near)}? " if near else ""
        return f"{guess}there {'is' if len(every) == 1 else 'are'} {_listed(every, ', ')}"


def _listed(words: Iterable[str], comma: str) -> str:
    every = list(words)
    more = [f"{len(every) - MOST_TOLD} more"] if len(every) > MOST_TOLD else []
    return comma.join([*every[:MOST_TOLD], *more])
