"""The places of a domain as numbers: a place is an address of an exchanger, as one MX record names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postroad.models import Families, Sender, Unit
from postroad.simulation.contacts import ModelExchanger, asked_names
from postroad.simulation.enforcing import as_met
from postroad.simulation.trials.dice import Real, Whole
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.trail import Target

Ranks = NDArray[np.int64]
Choices = NDArray[np.bool_]

MODES = tuple(Mode)  # a mode is its place here; the first is ACCEPT
NOWHERE = -1
TRIES_BITS = 10  # of a number of a try: the rest is its message
_RUN = np.uint64(2**63)  # a number of a run is none of a try


@dataclass(frozen=True, slots=True)
class Moment:
    """Who asks, and when: of each attempt its message and the try it is, its source, and the resolver's TTL span.

    `age_s`: how long ago the message arrived. `run`: the run over its source's queue, or the span of its clock, from 1,
    of which one draw serves all mail; 0: the attempt draws for itself.
    """

    message: Whole
    tried: Ranks
    source: Whole
    span: Whole
    age_s: Real
    run: Ranks | None = None

    @property
    def each_draw(self) -> Whole:
        """A number for each try of each message, or for each run over the queue of each source."""
        each_try = (self.message << np.uint64(TRIES_BITS)) + self.tried.astype(np.uint64)
        if self.run is None:
            return each_try
        each_run = _RUN + (self.source << np.uint64(32)) + self.run.astype(np.uint64)
        return np.where(self.run > 0, each_run, each_try)

    @property
    def each_span(self) -> Whole:
        """A number for each TTL of each source."""
        return (self.source << np.uint64(32)) + self.span


@dataclass(frozen=True, slots=True)
class TrialPlaces:
    """All places, in the order of the MX records.

    `asked`: DNS is asked for so many of the names, the first ones. `group_of`: places of one group are contacted
    together, once one of them is (a host with its addresses). `met`: what the sender meets at a place whose server
    misbehaves in a mode.
    """

    targets: tuple[Target, ...]
    names: tuple[str, ...]
    asked: int
    addresses: tuple[Address, ...]
    name_of: Ranks
    address_of: Ranks
    group_of: Ranks
    met: Ranks

    @property
    def size(self) -> int:
        """The number of places."""
        return len(self.targets)


def number_places(found: Sequence[ModelExchanger], sender: Sender) -> TrialPlaces:
    """The places of the exchangers a sender found."""
    targets = tuple(
        dict.fromkeys(Target(each.name, address, each.preference) for each in found for address in each.addresses)
    )
    addresses: dict[Address, int] = {}
    address_of = [addresses.setdefault(target.address, len(addresses)) for target in targets]
    failing = {target: each.unmet for each in reversed(found) for target in each.targets}
    asked = asked_names(found)
    names = {name: number for number, name in enumerate(dict.fromkeys((*asked, *(each.name for each in found))))}
    met = {unmet: [MODES.index(as_met(unmet, mode)) for mode in MODES] for unmet in {*failing.values()}}
    groups: dict[object, int] = {}
    group_of = [groups.setdefault(_group(target, sender), len(groups)) for target in targets]
    return TrialPlaces(
        targets,
        tuple(names),
        len(asked),
        tuple(addresses),
        np.array([names[target.exchange] for target in targets]),
        np.array(address_of),
        np.array(group_of),
        np.array([met[failing[target]] for target in targets]),
    )


def _group(target: Target, sender: Sender) -> object:
    if sender.unit is Unit.ADDRESS:
        return target
    host = (target.exchange, target.preference)
    return (*host, target.address.version) if sender.families is Families.V6_LEVEL else host
