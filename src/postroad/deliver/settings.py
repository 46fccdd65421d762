"""How we deliver: how we talk to hosts, how far one attempt goes, how much is done at once, how patient we are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Self

from postroad.dialogue import ClientSettings
from postroad.pace import HealthPolicy, RetrySchedule, WindowPolicy
from postroad.routing import WalkPolicy
from postroad.words.names import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSettings(ClientSettings):
    """The settings that all attempts share.

    `source` are addresses of this machine to connect from, one of each family; none: the system's choice.
    `signs_once`: of our signatures only the first goes along. `serial` tells the settings of one route from those of
    any other that this process ever had, also where both say the same: their connections and routes are not shared.
    """

    port: int = 25
    source: tuple[Address, ...] = ()
    walk: WalkPolicy = field(default_factory=WalkPolicy)
    signs_once: bool = False
    serial: int = field(default_factory=count().__next__, init=False, repr=False, compare=False)

    def source_for(self, target: Address) -> Address | None:
        """The address to connect from, of the target's family."""
        return next((address for address in self.source if address.version == target.version), None)


@dataclass(frozen=True, slots=True)
class ReusePolicy:
    """The limits on the use of one connection for several messages.

    It is used only for a delivery whose draw chose its address anyway.

    Postfix keeps idle ones 2 s and uses one for 300 s; both bounds keep hosts from holding doors open for us.
    """

    idle_s: float = 2.0
    age_s: float = 300.0
    messages: int = 100
    most: int = 500  # resting at once, over all hosts


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The limits of the queue in memory: `held` parcels, `concurrency` contacts, `waiting` parcels for one address."""

    held: int = 10_000
    concurrency: int = 200
    waiting: int = 1000
    # The health of addresses says when a host is dead, so no window does
    window: WindowPolicy = field(default_factory=lambda: WindowPolicy(dead_after=float("inf")))

    def shared_by(self, nodes: int) -> Self:
        """Those of one of so many relays. What a host is given is divided; what this machine can do is its own."""
        return replace(self, window=self.window.shared_by(nodes))


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """The settings of the delivery loop."""

    queue: QueueLimits = field(default_factory=QueueLimits)
    poll_s: float = 1.0  # how soon mail is found that another process put into the spool
    reuse: ReusePolicy = field(default_factory=ReusePolicy)
    schedule: RetrySchedule = field(default_factory=RetrySchedule)
    health: HealthPolicy = field(default_factory=HealthPolicy)
