"""The reference set-ups by name. Their zones are in the folder `zones`, with documentation addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Setup:
    """One set-up: what it is. Its zone has its name."""

    name: str
    title: str
    domain: str = "example.com"


SETUPS: Mapping[str, Setup] = MappingProxyType(
    {
        setup.name: setup
        for setup in (
            Setup("t1", "two equal MX, one address each"),
            Setup("t2", "one MX, two addresses"),
            Setup("t3", "two equal MX, both with both addresses"),
            Setup("t4", "10 a, 10 b, 20 c, 30 d; c and d repeat a and b"),
            Setup("t5", "10 a, 20 b: a primary and its backup"),
            Setup("t6", "three equal MX with 3, 5 and 1 addresses"),
            Setup("one", "one MX, one address"),
            Setup("filter", "10 a filter service, 20 and 20 the domain's own two servers"),
        )
    }
)
