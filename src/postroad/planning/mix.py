"""Several senders simulated together: the forecast of each, of their mix, and with machines lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from postroad.models import Basis, EqualsOrder, Sender, Unit
from postroad.planning.records import Machine, Records
from postroad.simulation import RANGES, Case, DnsOrder, Example, Forecast, Range, blend, range_of
from postroad.words.faults import Mode
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.phrasebook import about, listing, percent

EXAMPLES = 3  # ways of one sender
MANY = 16  # machines that are asked about one by one; of more, one of each kind speaks for its like
MOST_MACHINES = 200  # that are lost at all: of more each forecast takes a tenth of a second for each sender
ZERO = Fraction(0)

Foresee = Callable[[frozenset[Machine]], Forecast]
"""The forecast of one sender with these machines lost, with an example where none of them is left."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Several senders, each with its part of the mail; `weights` sum to one.

    Without a name it was made up on request, of senders that were named: then nothing in it is assumed.
    """

    name: str
    senders: Mapping[str, Sender]
    weights: Mapping[str, Fraction]

    @property
    def assumed(self) -> Mapping[str, Fraction]:
        """The senders of a named mix that nobody measured, with their part of the mail."""
        senders = self.senders if self.name else {}
        return {name: part for name, part in self.weights.items() if name in senders and not is_measured(senders[name])}

    @property
    def is_rough(self) -> bool:
        """Whether its figures rest on assumptions, and are rounded."""
        return bool(self.assumed)

    @property
    def basis(self) -> str:
        """What its figures rest on, as a sentence; nothing where they are exact."""
        if not self.is_rough:
            return ""
        assumed = sum(self.assumed.values(), ZERO)
        told = ", ".join(f"{name} {percent(part)}" for name, part in self.assumed.items())
        return (
            f"Ranges cover all plausible mixes of senders; other figures are rounded. In the mix {self.name} "
            f"{percent(1 - assumed)} of mail comes from senders that were measured, {percent(assumed)} from assumed "
            f"ones ({told})"
        )

    def percent(self, share: Fraction) -> str:
        """A share of the mix, as exact as what it rests on."""
        return about(share) if self.is_rough else percent(share)

    def range(self, values: Mapping[str, Fraction]) -> Range:
        """How far a figure may lie, from what each sender gives; nothing but its sum where the weights are given."""
        bounds = RANGES.get(self.name, {})
        if bounds.keys() != self.weights.keys():
            bounds = {name: (weight, weight) for name, weight in self.weights.items()}
        return range_of({name: values.get(name, ZERO) for name in bounds}, bounds)

    def told(self, values: Mapping[str, Fraction]) -> str:
        """A figure in words, from what each sender gives: its range, or one number where all plausible mixes agree."""
        found = self.range(values)
        return percent(found.low) if found.is_sure else str(found)

    def whom(self, names: Iterable[str]) -> str:
        """Some senders: by what they have in common where it is all who have it, and their part of the mail."""
        known = list(names)
        if len(known) == len(self.senders):
            return "every sender"
        weight = self.weight(known)
        part = f"{percent(weight)} of mail" if weight else ""
        traits = {_trait(self.senders[name]) for name in known}
        if len(traits) == 1 and {name for name, each in self.senders.items() if _trait(each) in traits} == set(known):
            return f"senders {min(traits)} ({'; '.join(filter(None, (listing(known), part)))})"
        return f"{listing(known)}{f' ({part})' if part else ''}"

    def weight(self, names: Iterable[str]) -> Fraction:
        """The part of the mail that some senders send."""
        return sum((self.weights.get(name, ZERO) for name in names), ZERO)


def is_measured(sender: Sender) -> bool:
    """Whether a model was held against the real program, or is the program."""
    return sender.kind in (Basis.MEASURED, Basis.OURS)


@dataclass(frozen=True, slots=True)
class Forecasts:
    """One set of records under one set of faults: the forecast of each sender, and of all by their weights."""

    by: Mapping[str, Forecast]
    mix: Forecast

    def rows(self, mix: str) -> Mapping[str, Forecast]:
        """The forecasts by sender, and last that of the mix under its name, if it has one."""
        return {**self.by, mix: replace(self.mix, case=replace(self.mix.case, sender=mix))} if mix else self.by

    @property
    def delivered(self) -> Fraction:
        """The part of all mail that gets through in the first attempt."""
        return part_delivered(self.mix)

    @property
    def delivered_by(self) -> Mapping[str, Fraction]:
        """The part of each sender's mail that gets through in the first attempt."""
        return {name: part_delivered(each) for name, each in self.by.items()}

    def first_by(self, address: Address) -> Mapping[str, Fraction]:
        """The part of each sender's first contacts that go to an address."""
        return {name: each.first.get(address, ZERO) for name, each in self.by.items()}

    def first(self, machine: Machine) -> Fraction:
        """The part of all first contacts that go to a machine."""
        return share(self.mix.first, machine)

    def accepted(self, machine: Machine) -> Fraction:
        """The part of all mail that a machine takes in the first attempt."""
        return share(self.mix.accepted, machine)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a forecast: the order of DNS answers, and what is down from the start."""

    mix: Mix
    dns_order: DnsOrder = DnsOrder.FIXED
    down: Mapping[Address, Mode] = field(default_factory=dict)
    heard: Callable[[], object] = field(default=bool, compare=False)  # after each forecast, for a bar

    def look(self, records: Records, *, examples: int = 0) -> Forecasts:
        """The forecasts as things are."""
        return self._blended(
            {name: self._forecast(records, name, (), Mode.REFUSE, examples) for name in self.mix.senders}
        )

    def gone(self, records: Records, name: str = "") -> frozenset[Address]:
        """The addresses where a sender delivers nothing; without a name those where nobody does.

        A certificate for another host is a fault only to those who demand more.
        """
        if not self.down:
            return frozenset()
        found = records.found(self.mix.senders[name]) if name else ()
        every = found if isinstance(found, tuple) else ()
        takes = {each for host in every if Mode.TLS_MISMATCH not in host.unmet for each in host.addresses}
        refuses = {each for host in every for each in host.addresses} - takes
        return frozenset(
            address for address, mode in self.down.items() if mode is not Mode.TLS_MISMATCH or address in refuses
        )

    def load(self, records: Records, order: DnsOrder) -> Fraction:
        """The busiest machine's part of first contacts where DNS answers in another order."""
        looked = replace(self, dns_order=order).look(records)
        return max(map(looked.first, records.machines))

    def look_without(
        self, records: Records, lost: Collection[Machine], whole: Forecasts, mode: Mode = Mode.REFUSE
    ) -> Forecasts:
        """The forecasts with some more machines down. Who brings no mail there in the whole does not notice."""
        by = {}
        for name, each in whole.by.items():
            if self.down or each.unable or any(share(each.accepted, machine) for machine in lost):
                by[name] = self._forecast(records, name, lost, mode)
            else:
                by[name] = replace(each, case=self._case(records, name, lost, mode))
        return self._blended(by)

    def examples(
        self, records: Records, name: str, lost: Collection[Machine] = (), mode: Mode = Mode.REFUSE
    ) -> tuple[Example, ...]:
        """A few ways of one sender, with some more machines down."""
        return self._forecast(records, name, lost, mode, EXAMPLES).examples

    def foresee(self, records: Records, name: str, mode: Mode = Mode.REFUSE) -> Foresee:
        """One sender's forecast with any machines lost; what was worked out once is kept."""
        known: dict[frozenset[Machine], Forecast] = {}
        up = frozenset(records.up(self.gone(records, name)))
        # Where addresses and names are tangled, one example may take minutes, and does not help survival
        is_plain = records.is_plain

        def ask(lost: frozenset[Machine]) -> Forecast:
            if lost not in known:
                known[lost] = self._forecast(records, name, lost, mode, int(is_plain and lost >= up))
            return known[lost]

        return ask

    def each_lost(self, records: Records, whole: Forecasts) -> Mapping[Machine, Forecasts]:
        """The forecasts with each machine lost besides what is down.

        Of many, those alike in the whole share theirs; of very many only the busiest is lost.
        """
        up = records.up(self.gone(records))
        if len(up) > MOST_MACHINES:
            up = (max(up, key=whole.first),)
        kinds = {machine: _kind(machine, whole) if len(up) > MANY else machine for machine in up}
        speakers = {kind: machine for machine, kind in reversed(kinds.items())}
        asked = {kind: self.look_without(records, [machine], whole) for kind, machine in speakers.items()}
        return {machine: asked[kind] for machine, kind in kinds.items()}

    def _blended(self, by: Mapping[str, Forecast]) -> Forecasts:
        return Forecasts(by, blend({name: by[name] for name in self.mix.weights}, self.mix.weights))

    def _forecast(
        self, records: Records, name: str, lost: Iterable[Machine], mode: Mode, examples: int = 0
    ) -> Forecast:
        found = records.forecast(self._case(records, name, lost, mode), self.mix.senders[name], examples)
        self.heard()
        return found

    def _case(self, records: Records, name: str, lost: Iterable[Machine], mode: Mode) -> Case:
        more = {address: mode for machine in lost for address in machine.addresses}
        return Case(records.snapshot, name, self.dns_order, {**self.down, **more})


def share(shares: Mapping[Address, Fraction], machine: Machine) -> Fraction:
    """What the addresses of a machine have together."""
    parts = [shares.get(address, ZERO) for address in machine.addresses]
    return parts[0] if len(parts) == 1 else sum(parts, ZERO)  # to add a fraction to nothing takes long, too


def part_delivered(forecast: Forecast) -> Fraction:
    """The part of mail that gets through in the first attempt."""
    return forecast.outcome.get(Result.DELIVERED, ZERO)


def _trait(sender: Sender) -> str:
    match sender.equals:
        case EqualsOrder.GIVEN:
            return "in DNS order"
        case EqualsOrder.RANDOM:
            return "that draw an address" if sender.unit is Unit.ADDRESS else "that draw a host"
        case _:
            return "with an order of their own"


def _kind(machine: Machine, whole: Forecasts) -> object:
    versions = tuple(address.version for address in machine.addresses)
    shares = tuple(
        tuple(chances.get(address, ZERO) for address in machine.addresses)
        for each in whole.by.values()
        for chances in (each.first, each.accepted)
    )
    return machine.preference, versions, shares
