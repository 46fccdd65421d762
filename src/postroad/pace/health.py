"""The health of addresses, shared by all their domains: which are unhealthy, until when, and which may be probed.

An address that fails is penalised. When the penalty has run out it is not healthy yet: it waits for one probe, whose
end is the next `failed` or `succeeded`. Times are of any clock that only goes forward, in seconds.

Relays that share a spool tell each other what failed. Hearsay is worth less than what a relay has found out itself: it
gives one penalty to an address of which nothing is known here, and whoever finds it wrong does not believe it again,
until that address fails here. So relays on different networks agree to differ, and none makes another flap.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

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
    most_told: int = 500  # to other relays: those that failed last

    def __post_init__(self) -> None:
        if not 0 < self.first_penalty_s <= self.longest_penalty_s <= self.forget_after_s:
            raise ValueError("0 s, first penalty, longest penalty and time to forget stand in this order")
        if self.factor < 1 or self.most < 1:
            raise ValueError("the factor and the number of addresses remembered are 1 or more")

    @property
    def told_s(self) -> float:
        """How long word of a failure is good: until the probe after the longest penalty has had its time to fail."""
        return self.longest_penalty_s * 1.25


@dataclass(slots=True)
class _Penalty:
    penalty_s: float
    until: float
    failed_at: float
    probed: bool = False
    is_hearsay: bool = False  # it failed elsewhere, not here


class Health:
    """The health of addresses. One that is not known here is healthy."""

    def __init__(self, policy: HealthPolicy | None = None) -> None:
        self.policy = policy or HealthPolicy()
        self._unhealthy: OrderedDict[Address, _Penalty] = OrderedDict()  # the longest without failure first
        self._disbelieved: OrderedDict[Address, None] = OrderedDict()  # what others said failed, and answered here
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
        penalty.failed_at, penalty.is_hearsay = now, False
        self._disbelieved.pop(address, None)
        self._punish(address, penalty)

    def succeeded(self, address: Address, now: float) -> bool:
        """The host greeted: it is healthy. True if it was not before, so that mail waiting for it can be woken."""
        if not self._unhealthy:
            return False
        self._forget(now)
        penalty = self._unhealthy.pop(address, None)
        self.is_any_unhealthy = bool(self._unhealthy)
        if penalty and penalty.is_hearsay:
            self._disbelieved[address] = None
            if len(self._disbelieved) > self.policy.most:
                self._disbelieved.popitem(last=False)
        return penalty is not None

    def heard_failed(self, address: Address, now: float) -> bool:
        """It failed elsewhere, and nothing is known of it here. Whether it is unhealthy because of that."""
        self._forget(now)
        if address in self._unhealthy or address in self._disbelieved:
            return False
        penalty_s = self.policy.first_penalty_s
        self._punish(address, _Penalty(penalty_s, now + penalty_s, now, is_hearsay=True))
        return True

    def heard_recovered(self, address: Address, now: float) -> bool:
        """It answers elsewhere again. Whether it is healthy here because of that.

        So it is where hearsay is all there was against it. One that failed here has to answer here, and is probed now.
        """
        penalty = self._unhealthy.get(address)
        if penalty is None:
            return False
        if not penalty.is_hearsay:
            penalty.until = min(penalty.until, now)
            return False
        del self._unhealthy[address]
        self.is_any_unhealthy = bool(self._unhealthy)
        return True

    def worth_telling(self, now: float) -> dict[Address, float]:
        """What failed here lately, with the time of that: what other relays may want to hear."""
        found = ((address, it.failed_at) for address, it in reversed(self._unhealthy.items()) if not it.is_hearsay)
        return dict(islice(((one, at) for one, at in found if now - at < self.policy.told_s), self.policy.most_told))

    def hasten(self, now: float) -> None:
        """Somebody knows better: all are probed now, and whoever fails again begins with the first penalty."""
        for penalty in self._unhealthy.values():
            penalty.until = min(penalty.until, now)
            penalty.penalty_s = self.policy.first_penalty_s / self.policy.factor

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
        healthy = tuple(target for target in targets if self.is_healthy(target.address, now))
        unhealthy = tuple(target for target in targets if not self.is_healthy(target.address, now))
        return healthy, unhealthy

    def __len__(self) -> int:
        return len(self._unhealthy)

    def _punish(self, address: Address, penalty: _Penalty) -> None:
        self._unhealthy[address] = penalty
        self.is_any_unhealthy = True
        if len(self._unhealthy) > self.policy.most:
            self._unhealthy.popitem(last=False)

    def _is_forgotten(self, penalty: _Penalty, now: float) -> bool:
        return now >= penalty.failed_at + self.policy.forget_after_s

    def _forget(self, now: float) -> None:
        while self._unhealthy and self._is_forgotten(next(iter(self._unhealthy.values())), now):
            self._unhealthy.popitem(last=False)
        self.is_any_unhealthy = bool(self._unhealthy)


@dataclass(frozen=True, slots=True)
class HealthNews:
    """What is new of what other relays say: which addresses failed there, and which answer again; and by whom."""

    failed: Mapping[Address, str]
    recovered: Mapping[Address, str]


class Hearsay:
    """What other relays say of addresses, compared with what they said before. Times are wall time.

    Word of a failure is good for `told_s`. One that ends by its age says nothing: its relay may be gone.
    """

    def __init__(self, told_s: float) -> None:
        self._told_s = told_s
        self._said: dict[tuple[str, Address], float] = {}

    def compare(self, said: Mapping[tuple[str, Address], float], now: float) -> HealthNews:
        """What is new: `said` has each (relay, address) that failed, and when that was last."""
        before, self._said = self._said, {who: at for who, at in said.items() if self._is_good(at, now)}
        gone = (who for who, at in before.items() if who not in self._said and self._is_good(at, now))
        return HealthNews(_by_address(who for who in self._said if who not in before), _by_address(gone))

    def _is_good(self, at: float, now: float) -> bool:
        return abs(now - at) < self._told_s


def _by_address(said: Iterable[tuple[str, Address]]) -> dict[Address, str]:
    return {address: node for node, address in said}
