"""How one set of records does for a mix of senders: the numbers behind every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from postroad.planning.fates import Fate, fates
from postroad.planning.mix import MANY, MOST_MACHINES, ZERO, Forecasts, Mix, View, part_delivered, share
from postroad.planning.phrases import named
from postroad.planning.records import Machine, Records
from postroad.planning.survival import Loss, Survival, losses, survive
from postroad.planning.traffic import Tariff, Traffic
from postroad.words.faults import Mode


@dataclass(frozen=True, slots=True)
class Row:
    """One sender: first contacts on its busiest machine, and mail that gets through whichever one machine refuses."""

    busiest: Fraction
    kept: Fraction
    questions: Fraction


@dataclass(frozen=True, slots=True)
class Marks:
    """How records do at what can be counted, with as few forecasts as that takes.

    `kept`: of all mail, with any one machine refusing; `caught`: of the mail of that machine; `kept_network`: of all
    mail, with any one network gone. `load`: first contacts on the busiest machine, each sender's own by weight: two
    senders that lean to different machines do not make a balance, for nobody knows how much mail each sends.
    """

    kept: Fraction
    caught: Fraction
    kept_network: Fraction
    load: Fraction
    questions: Fraction
    octets: Fraction


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A set of records and what is known of it. `lost`: the forecasts with each machine lost alone, refusing.

    `silent`: the forecasts with the busiest machine swallowing packets, the worst a dead one does to senders that wait.
    """

    name: str
    records: Records
    mix: Mix
    whole: Forecasts
    lost: Mapping[Machine, Forecasts]
    marks: Marks
    traffics: Mapping[str, Traffic]
    silent: Forecasts | None = None
    survivals: tuple[Survival, ...] = ()
    losses: tuple[Loss, ...] = ()
    fates: tuple[Fate, ...] = field(default_factory=tuple)

    @property
    def busiest(self) -> Machine | None:
        """The machine that most of the mail contacts first."""
        return _busiest(self.records, self.whole)

    @property
    def load(self) -> Fraction:
        """The busiest machine's part of first contacts."""
        return self.whole.first(self.busiest) if self.busiest else ZERO

    @property
    def even(self) -> Fraction:
        """What each machine of the best preference would get if all had the same."""
        return Fraction(1, len(self.records.front) or 1)

    @property
    def silence_s(self) -> float:
        """How long the attempt of a message takes that meets the busiest machine silent: the mean, in seconds."""
        return self.silent.mix.delay_mean_s / float(self.load) if self.silent and self.load else 0.0

    @property
    def most_questions(self) -> int:
        """Questions that reach the zone in one TTL through one cache, however much mail there is."""
        return len(frozenset[tuple[str, str]]().union(*(each.kinds for each in self.traffics.values())))

    @property
    def caveats(self) -> tuple[str, ...]:
        """What its figures do not cover, or rest on, in sentences."""
        count = len(self.records.machines)
        left_out = f"{named(self.records.left_out, 'exchanger')} of {self.name} not looked at: there are too many"
        sampled = f"Sampled: of the {count} machines of {self.name} only the busiest was lost, and the busiest network"
        told = ((self.records.left_out > 0, left_out), (self.is_sampled, sampled))
        return tuple(f"{text}." for is_so, text in told if is_so)

    @property
    def is_sampled(self) -> bool:
        """Whether there are too many machines to lose each of them."""
        return len(self.records.machines) > MOST_MACHINES

    @property
    def load_in_short(self) -> str:
        """The busiest machine's part in words: the range over all plausible weights of the senders."""
        return self.mix.told(self._load_by)

    @property
    def _load_by(self) -> Mapping[str, Fraction]:
        busiest = self.busiest
        return {name: share(self.whole.by[name].first, busiest) if busiest else ZERO for name in self.mix.weights}

    def load_told(self) -> str:
        """The busiest machine's part in words; where it rests on assumed senders too, with what measured ones give."""
        assert self.busiest  # noqa: S101  # asked only where there is one
        by = self._load_by
        if not self.mix.is_rough:
            return f"{self.load_in_short} of first contacts"
        measured = {name: each for name, each in by.items() if name not in self.mix.assumed}
        assumed = {name: each for name, each in by.items() if name in self.mix.assumed}
        parts = [
            (f"{float(self._weighed(each)) * 100:.0f} %", word)
            for each, word in ((measured, "measured senders"), (assumed, "assumed ones"))
            if each
        ]
        split = ", ".join(f"{word} {part}" for part, word in parts)
        return f"{self.load_in_short} of first contacts{f' ({split})' if len(set(dict(parts))) > 1 else ''}"

    def _weighed(self, by: Mapping[str, Fraction]) -> Fraction:
        weight = self.mix.weight(by)
        return sum((self.mix.weights[name] * each for name, each in by.items()), ZERO) / weight if weight else ZERO

    def by_sender(self) -> dict[str, Row]:
        """The same numbers for each sender alone."""
        return {
            name: Row(
                max((share(each.first, machine) for machine in self.records.machines), default=ZERO),
                min((part_delivered(lost.by[name]) for lost in self.lost.values()), default=ZERO),
                self.traffics[name].questions,
            )
            for name, each in self.whole.by.items()
        }


def measure(name: str, records: Records, view: View, *, examples: int = 0) -> Scorecard:
    """Everything about a set of records; what no sender can use has forecasts that say so, and nothing else."""
    whole = view.look(records, examples=examples)
    lost = view.each_lost(records, whole)
    tariff = Tariff.of(records)
    traffics = {sender: tariff.traffic(each, view.mix.senders[sender].asks) for sender, each in whole.by.items()}
    few = len(records.machines) <= MOST_MACHINES
    survivals = tuple(survive(sender, records, view.foresee(records, sender)) for sender in whole.by if few)
    busiest = _busiest(records, whole)
    return Scorecard(
        name,
        records,
        view.mix,
        whole,
        lost,
        _marks(records, view, whole, lost, traffics),
        traffics,
        view.look_without(records, [busiest], whole, Mode.BLACKHOLE, examples) if busiest else None,
        survivals,
        losses(survivals, view.mix.weights),
        fates(records),
    )


def mark(records: Records, view: View) -> Marks:
    """How records do, with as few forecasts as that takes."""
    whole, tariff = view.look(records), Tariff.of(records)
    traffics = {sender: tariff.traffic(each, view.mix.senders[sender].asks) for sender, each in whole.by.items()}
    return _marks(records, view, whole, view.each_lost(records, whole), traffics)


def _marks(
    records: Records,
    view: View,
    whole: Forecasts,
    lost: Mapping[Machine, Forecasts],
    traffics: Mapping[str, Traffic],
) -> Marks:
    weights = view.mix.weights
    loads = {
        name: max((share(each.first, machine) for machine in records.machines), default=ZERO)
        for name, each in whole.by.items()
    }
    gone = [
        lost[group[0]] if group[0] in lost and len(group) == 1 else view.look_without(records, group, whole)
        for group in _networks(records, view, whole)
    ]
    return Marks(
        kept=min((each.delivered for each in lost.values()), default=ZERO),
        caught=min((_caught(machine, whole, each) for machine, each in lost.items()), default=ZERO),
        kept_network=min((each.delivered for each in gone), default=ZERO),
        load=sum((part * loads[name] for name, part in weights.items()), ZERO),
        questions=sum((part * traffics[name].questions for name, part in weights.items()), ZERO),
        octets=sum((part * traffics[name].octets for name, part in weights.items()), ZERO),
    )


def _caught(machine: Machine, whole: Forecasts, lost: Forecasts) -> Fraction:
    """Of the mail that a machine takes, what others take at once when it is lost."""
    own = whole.accepted(machine)
    return 1 - (whole.delivered - lost.delivered) / own if own else Fraction(1)


def _networks(records: Records, view: View, whole: Forecasts) -> list[tuple[Machine, ...]]:
    """The networks that can be lost, those that take most: whose loss costs more than another takes has costs most."""
    up = frozenset(records.up(view.down))
    groups = [found for group in records.networks if (found := tuple(machine for machine in group if machine in up))]
    groups.sort(key=lambda group: -sum(map(whole.accepted, group), ZERO))
    return groups[: 1 if len(up) > MOST_MACHINES else MANY]


def _busiest(records: Records, whole: Forecasts) -> Machine | None:
    return max(records.machines, key=whole.first, default=None)
