"""The sets of exchangers of which none answers: each is logged in one line, and its hosts are probed. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from postroad.words.names import Address

MOST = 10_000  # sets remembered; mail for another one waits all the same, by its schedule


class Outages:
    """The current outages: sets of exchangers by key, and the addresses of each."""

    def __init__(self) -> None:
        self._addresses: dict[Hashable, frozenset[Address]] = {}
        self._sets: dict[Address, set[Hashable]] = {}

    def begin(self, key: Hashable, addresses: Iterable[Address]) -> bool:
        """None of these answers. Whether that is new."""
        if key in self._addresses or len(self._addresses) >= MOST:
            return False
        self._addresses[key] = frozenset(addresses)
        for address in self._addresses[key]:
            self._sets.setdefault(address, set()).add(key)
        return True

    def end(self, address: Address) -> None:
        """It answers: with it all its sets are back."""
        for key in self._sets.pop(address, set()):
            for other in self._addresses.pop(key) - {address}:
                self._sets[other].discard(key)
                if not self._sets[other]:
                    del self._sets[other]

    def concerns(self, address: Address) -> bool:
        """Whether mail waits for it."""
        return address in self._sets

    def __len__(self) -> int:
        return len(self._addresses)
