"""The health of addresses, shared by all their domains: which are unhealthy, until when, and which may be probed.

An address that fails is penalised. When the penalty has run out it is not healthy yet: it waits for one probe, whose
end is the next `failed` or `succeeded`. Times are of any clock that only goes forward, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from postroad.words.names import Address
from postroad.words.trail import Target


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """The policy of health: the penalty of an address that failed, in seconds, and how many are remembered.

    Raises:
        ValueError: the figures contradict each other.
    """

    first_penalty_s: float = 30.0
    factor: float = 2.0
    longest_penalty_s: float = 900.0
    forget_after_s: float = 3600.0  # after the last failure; a forgotten address is as good as a new one
    most: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.first_penalty_s <= self.longest_penalty_s <= self.forget_after_s:
            raise ValueError("0 s, first penalty, longest penalty and time to forget stand in this order")
        if self.factor < 1 or self.most < 1:
            raise ValueError("the factor and the number of addresses remembered are 1 or more")


@dataclass(slots=True)
class _Penalty:
    penalty_s: float
    until: float
    failed_at: float
    probed: bool = False


class Health:
    """The health of addresses. One that is not known here is healthy."""

    def __init__(self, policy: HealthPolicy | None = None) -> None:
        self.policy = policy or HealthPolicy()
        self._unhealthy: OrderedDict[Address, _Penalty] = OrderedDict()  # the longest without failure first
        self.is_any_unhealthy = False  # whether there is any need to ask

    def failed(self, address: Address, now: float) -> None:
        """The host did not take a connection, did not greet, or lost the race by its silence.

        Deliveries under way together fail together: what fails within a penalty does not add to it.
        """
        self._forget(now)
        penalty = self._unhealthy.pop(address, None)
        if penalty is None:
            penalty = _Penalty(self.policy.first_penalty_s, now + self.policy.first_penalty_s, now)
        elif now >= penalty.until:
            penalty_s = min(penalty.penalty_s * self.policy.factor, self.policy.longest_penalty_s)
            penalty = _Penalty(penalty_s, now + penalty_s, now)
        penalty.failed_at = now
        self._unhealthy[address] = penalty
        self.is_any_unhealthy = True
        if len(self._unhealthy) > self.policy.most:
            self._unhealthy.popitem(last=False)

    def succeeded(self, address: Address, now: float) -> bool:
        """The host greeted: it is healthy. True if it was not before, so that mail waiting for it can be woken."""
        if not self._unhealthy:
            return False
        self._forget(now)
        was_unhealthy = self._unhealthy.pop(address, None) is not None
        self.is_any_unhealthy = bool(self._unhealthy)
        return was_unhealthy

    def is_healthy(self, address: Address, now: float) -> bool:
        """Whether deliveries may use it freely: neither penalised nor waiting for a probe."""
        penalty = self._unhealthy.get(address)
        return penalty is None or self._is_forgotten(penalty, now)

    def due_probes(self, now: float) -> tuple[Address, ...]:
        """The addresses whose penalty has run out and which nobody probes: any delivery may, one for each."""
        self._forget(now)
        known = self._unhealthy.items()
        return tuple(address for address, penalty in known if penalty.until <= now and not penalty.probed)

    def next_probe_at(self, now: float) -> float | None:
        """When the next penalty after `now` runs out; those already out are in `due_probes`. None: there is none."""
        return min((penalty.until for penalty in self._unhealthy.values() if penalty.until > now), default=None)

    def probing(self, address: Address) -> None:
        """A delivery is about to try it: the one probe. Whatever is heard of the address next ends it."""
        if address in self._unhealthy:
            self._unhealthy[address].probed = True

    def abandoned(self, address: Address) -> None:
        """The probe ended without having asked: the next one may."""
        if address in self._unhealthy:
            self._unhealthy[address].probed = False

    def arrange(self, targets: tuple[Target, ...], now: float) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
        """The targets whose addresses are healthy, and those whose are not, each in the order given."""
        if not self._unhealthy:
            return targets, ()
        healthy = tuple(target for target in targets if self.is_healthy(target.address, now))
        unhealthy = tuple(target for target in targets if not self.is_healthy(target.address, now))
        return healthy, unhealthy

    def __len__(self) -> int:
        return len(self._unhealthy)

    def _is_forgotten(self, penalty: _Penalty, now: float) -> bool:
        return now >= penalty.failed_at + self.policy.forget_after_s

    def _forget(self, now: float) -> None:
        while self._unhealthy and self._is_forgotten(next(iter(self._unhealthy.values())), now):
            self._unhealthy.popitem(last=False)
        self.is_any_unhealthy = bool(self._unhealthy)
