"""The reference set-ups by name. Their zones are in the folder `zones`, with documentation addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Setup:
    """One set-up: its name, which its zone has, the name that says what it is, and its description."""

    name: str
    called: str
    title: str
    domain: str = "example.com"

    def __str__(self) -> str:
        """Its names, then what it is."""
        return f"{', '.join(dict.fromkeys((self.name, self.called)))}: {self.title}"


SETUPS: Mapping[str, Setup] = MappingProxyType(
    {
        setup.name: setup
        for setup in (
            Setup("t1", "two-equal", "two equal MX, one address each"),
            Setup("t2", "two-addresses", "one MX, two addresses"),
            Setup("t3", "crossed", "two equal MX, both with both addresses"),
            Setup("t4", "false-backup", "10 a, 10 b, 20 c, 30 d; c and d repeat a and b"),
            Setup("t5", "primary-backup", "10 a, 20 b: a primary and its backup"),
            Setup("t6", "uneven", "three equal MX with 3, 5 and 1 addresses"),
            Setup("one", "single", "one MX, one address"),
            Setup("filter", "filter", "10 a filter service, 20 and 20 the domain's own two servers"),
        )
    }
)
SETUPS_BY_NAME: Mapping[str, Setup] = MappingProxyType(
    {name: setup for setup in SETUPS.values() for name in (setup.name, setup.called)}
)


def setup_named(text: str) -> Setup | None:
    """The set-up of this name; like a domain, in capitals or not."""
    return SETUPS_BY_NAME.get(text.lower())
