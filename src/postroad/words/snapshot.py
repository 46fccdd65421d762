"""All that DNS said of a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroad.words.facts import Answer, HostFacts, Mx
from postroad.words.names import Address, Destination

if TYPE_CHECKING:
    from postroad.words.policies import Published


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that DNS said of a domain, asked once.

    `hosts` has the MX targets by canonical name, and the domain itself where its own addresses were asked for
    because no MX was found. A target missing from `hosts` was not asked for: the limit on names was reached.
    `servers` and `reverse` are filled for people (`postroad lookup`), not needed to route. `in_lab`: whoever
    asked said that a loopback address is one like any other here; nothing else makes it one. `published`: what the
    domain asks of TLS, for simulations of senders that look at it; None: nobody asked.
    """

    domain: Destination
    mx: Answer[Mx]
    hosts: Mapping[str, HostFacts] = field(default_factory=dict)
    servers: Answer[str] | None = None
    reverse: Mapping[Address, Answer[str]] = field(default_factory=dict)
    in_lab: bool = False
    published: Published | None = None
