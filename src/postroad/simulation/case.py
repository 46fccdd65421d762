"""The input and the results of a simulation."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import TypeVar

from postroad.words.faults import Mode
from postroad.words.light import light
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.snapshot import Snapshot

K = TypeVar("K")


class DnsOrder(StrEnum):
    """In which order the records of a set reach a sender."""

    FIXED = "fixed"  # always as the zone has them
    ROTATE = "rotate"  # one name server begins each answer one record further: MX and address sets turn in step
    ROTATE_APART = "rotate-apart"  # each set turns by itself, as where many others ask for parts of them
    RANDOM = "random"  # each answer is shuffled
    CACHED = "cached"  # the sender's resolver keeps one order for the TTL, then has another


@light(frozen=True, slots=False)  # without slots: who is at fault is gathered once
class Case:
    """One question: mail for a domain (as DNS tells of it), from one kind of sender, with some servers down.

    `down` says how an address misbehaves; what is not in it accepts.
    """

    snapshot: Snapshot
    sender: str
    dns_order: DnsOrder = DnsOrder.FIXED
    down: Mapping[Address, Mode] = field(default_factory=dict)

    @cached_property
    def faulty(self) -> frozenset[Address]:
        """The addresses that are in `down`."""
        return frozenset(self.down)


@dataclass(frozen=True, slots=True)
class Step:
    """One contact of one possible delivery: where, what was met there, and the seconds since it began."""

    exchange: str
    address: Address
    preference: int
    met: Mode
    at_s: float
    waited_s: float

    def __hash__(self) -> int:
        """By the number of its address, which itself takes long to hash: ways are compared by the ten thousand."""
        return hash((self.exchange, int(self.address), self.at_s, self.met))


@light(frozen=True, slots=True)
class Example:
    """One order that can happen, with its chance: contact by contact, and how it ends."""

    chance: Fraction
    steps: tuple[Step, ...]
    result: Result


@light(frozen=True, slots=True)
class Questions:
    """DNS questions for one message with nothing cached, by type: the mean over all orders."""

    mx: Fraction
    a: Fraction
    aaaa: Fraction

    @property
    def mean(self) -> Fraction:
        """All of them."""
        return self.mx + self.a + self.aaaa


@light(frozen=True, slots=True)
class DeliveryWaits:
    """Seconds until mail gets through: on average, and the most."""

    mean_s: float
    worst_s: float


class Shares(Mapping[K, Fraction]):
    """Chances by address or by name, worked out when one is asked for: of most forecasts only the outcome is."""

    def __init__(self, work_out: Callable[[], Mapping[K, Fraction]]) -> None:
        self._work_out = work_out

    @cached_property
    def _known(self) -> Mapping[K, Fraction]:
        return self._work_out()

    def __getitem__(self, key: K) -> Fraction:
        """The chance of one."""
        return self._known[key]

    def items(self) -> ItemsView[K, Fraction]:
        """All that have a chance, with it."""
        return self._known.items()

    def __iter__(self) -> Iterator[K]:
        """All that have a chance."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many have a chance."""
        return len(self._known)

    def __repr__(self) -> str:
        return repr(self._known)


@light(frozen=True, slots=True)
class Forecast:
    """The result of the first attempt of one message, exactly. Chances are fractions, sum to one, and are exact.

    `first`: the address contacted first. `accepted`: the address that took the message in this attempt; what is
    missing to one was deferred or failed. `hosts`: first contact by exchanger. `attempts` are contacts, `delay_s` the
    time until the attempt ends, whatever comes of it; `taken` the same of mail that gets through, None where there is
    none. `unable`: the sender cannot use these records at all, and why (all else is empty then).
    `sampled`: not exact, for addresses come in too many orders: a part of these stands for all. `asked`: the names
    whose addresses DNS is asked for, at most.

    Of several senders as one (`blend`) chances are the weighted sums, `attempts_max` and `delay_worst_s` the worst of
    any, `taken` is by how much of each gets through; the weight of one that cannot use the records counts as failed.
    """

    case: Case
    first: Mapping[Address, Fraction]
    accepted: Mapping[Address, Fraction]
    hosts: Mapping[str, Fraction]
    outcome: Mapping[Result, Fraction]
    attempts_mean: Fraction
    attempts_max: int
    delay_mean_s: float
    delay_worst_s: float
    questions: Questions
    examples: tuple[Example, ...] = ()
    unable: str = ""
    sampled: bool = False
    taken: DeliveryWaits | None = None
    asked: tuple[str, ...] = ()
