"""The health of addresses, shared by all their domains: which are unhealthy, until when, and which may be probed.

An address that fails is penalised. When the penalty has run out it is not well yet: it waits for one probe, whose end
is the next `failed` or `succeeded`. Times are of any clock that only goes forward, in seconds.
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
class _Illness:
    penalty_s: float
    until: float
    failed_at: float
    probed: bool = False


class Health:
    """The health of addresses: every one not known here is healthy. Everything not known here is well."""

    def __init__(self, policy: HealthPolicy | None = None) -> None:
        self.policy = policy or HealthPolicy()
        self._ill: OrderedDict[Address, _Illness] = OrderedDict()  # the longest without failure first
        self.is_any_ill = False  # whether there is any need to ask

    def failed(self, address: Address, now: float) -> None:
        """The host did not take a connection, did not greet, or lost the race by its silence.

        Deliveries under way together fail together: what fails within a penalty does not add to it.
        """
        self._forget(now)
        illness = self._ill.pop(address, None)
        if illness is None:
            illness = _Illness(self.policy.first_penalty_s, now + self.policy.first_penalty_s, now)
        elif now >= illness.until:
            penalty_s = min(illness.penalty_s * self.policy.factor, self.policy.longest_penalty_s)
            illness = _Illness(penalty_s, now + penalty_s, now)
        illness.failed_at = now
        self._ill[address] = illness
        self.is_any_ill = True
        if len(self._ill) > self.policy.most:
            self._ill.popitem(last=False)

    def succeeded(self, address: Address, now: float) -> bool:
        """The host greeted: it is well. True if it was ill before, so that mail waiting for it can be woken."""
        if not self._ill:
            return False
        self._forget(now)
        was_ill = self._ill.pop(address, None) is not None
        self.is_any_ill = bool(self._ill)
        return was_ill

    def is_well(self, address: Address, now: float) -> bool:
        """Whether deliveries may use it freely: neither penalised nor waiting for a probe."""
        return self._illness(address, now) is None

    def penalised_until(self, address: Address, now: float) -> float | None:
        """When its penalty runs out, past if it waits for a probe; None if it is well."""
        illness = self._illness(address, now)
        return illness.until if illness else None

    def due_probes(self, now: float) -> tuple[Address, ...]:
        """The addresses whose penalty has run out and which nobody probes: any delivery may, one for each."""
        self._forget(now)
        return tuple(address for address, illness in self._ill.items() if illness.until <= now and not illness.probed)

    def next_probe_at(self, now: float) -> float | None:
        """When the next penalty after `now` runs out; those already out are in `due_probes`. None: there is none."""
        return min((illness.until for illness in self._ill.values() if illness.until > now), default=None)

    def probing(self, address: Address) -> None:
        """A delivery is about to try it: the one probe. Whatever is heard of the address next ends it."""
        if address in self._ill:
            self._ill[address].probed = True

    def abandoned(self, address: Address) -> None:
        """The probe ended without having asked: the next one may."""
        if address in self._ill:
            self._ill[address].probed = False

    def arrange(self, targets: tuple[Target, ...], now: float) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
        """The targets whose addresses are well, and those that are ill, each in the order given."""
        if not self._ill:
            return targets, ()
        well = tuple(target for target in targets if self.is_well(target.address, now))
        ill = tuple(target for target in targets if not self.is_well(target.address, now))
        return well, ill

    def __len__(self) -> int:
        return len(self._ill)

    def _illness(self, address: Address, now: float) -> _Illness | None:
        illness = self._ill.get(address)
        return illness if illness and not self._is_forgotten(illness, now) else None

    def _is_forgotten(self, illness: _Illness, now: float) -> bool:
        return now >= illness.failed_at + self.policy.forget_after_s

    def _forget(self, now: float) -> None:
        while self._ill and self._is_forgotten(next(iter(self._ill.values())), now):
            self._ill.popitem(last=False)
        self.is_any_ill = bool(self._ill)
