"""How one set of records does for a mix of senders: the numbers behind every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from postroad.planning.fates import Fate, fates
from postroad.planning.mix import MANY, MOST_MACHINES, ZERO, Conditions, Forecasts, Mix, part_delivered, share
from postroad.planning.records import Machine, Records
from postroad.planning.refusals import ExchangerRefusal, refusals
from postroad.planning.survival import Loss, Survival, losses, survive
from postroad.planning.traffic import Tariff, Traffic
from postroad.words.faults import Mode
from postroad.words.phrasebook import counted, listing

MOST_NAMED = 3  # addresses in one caveat
FAULTS = (Mode.REFUSE, Mode.BLACKHOLE, Mode.MUTE, Mode.G421, Mode.G554, Mode.R450, Mode.R550)
"""What separates senders is not a machine that refuses, but how they wait."""


@dataclass(frozen=True, slots=True)
class SenderScore:
    """The scores of one sender: first contacts on its busiest machine, and mail delivered with any machine refusing."""

    busiest: Fraction
    kept: Fraction
    questions: Fraction


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a set of records, worked out with as few forecasts as possible.

    `delivered`: of all mail, with every machine up; `kept`: with any one machine refusing; `caught`: of the mail of
    that machine; `kept_network`: of all mail, with any one network gone. `load`: first contacts on the busiest machine,
    the most that it gets in any plausible mix of the senders: the upper end of what is printed. `unevenness`: what of
    the load is beyond an even share, from 0 (even) to 1 (all on one), so that two machines and nine compare.
    `silence_s`: the mean attempt of a message that finds the busiest one silent. `shared`: machines with several names,
    each of which needs a reverse name of its own; `records`: lines of the zone. `private`: addresses that no sender on
    the Internet reaches.
    """

    delivered: Fraction
    kept: Fraction
    caught: Fraction
    kept_network: Fraction
    load: Fraction
    unevenness: Fraction
    silence_s: float
    questions: Fraction
    octets: Fraction
    shared: int
    records: int
    private: int = 0


@dataclass(frozen=True)  # without slots: what follows from the forecasts is worked out once
class Scorecard:
    """A set of records with its forecasts: `lost` are those with each machine lost alone, refusing.

    `lost`: the forecasts with each machine lost alone, refusing.

    `gone`: the same of whole networks; `silent`: with the busiest machine swallowing packets, the worst a dead one does
    to senders that wait.
    """

    name: str
    records: Records
    mix: Mix
    whole: Forecasts
    lost: Mapping[Machine, Forecasts]
    gone: tuple[Forecasts, ...]
    traffics: Mapping[str, Traffic]
    silent: Forecasts | None = None
    survivals: tuple[Survival, ...] = ()

    @cached_property
    def busiest(self) -> Machine | None:
        """The machine that most of the mail contacts first."""
        return _busiest(self.records, self.whole)

    @cached_property
    def marks(self) -> Scores:
        """How the records do."""
        whole, weights, busiest = self.whole, self.mix.weights, self.busiest
        load = self.mix.range(_first_by(busiest, whole, self.mix)).high if busiest else ZERO
        return Scores(
            delivered=whole.delivered,
            kept=min((each.delivered for each in self.lost.values()), default=ZERO),
            caught=min(self.caught, default=ZERO) if whole.delivered else ZERO,
            kept_network=min((each.delivered for each in self.gone), default=ZERO),
            load=load,
            unevenness=_unevenness(load, len(self.records.front)),
            silence_s=self.silent.mix.delay_mean_s / float(self.load) if self.silent and self.load else 0.0,
            questions=sum((part * self.traffics[name].questions for name, part in weights.items()), ZERO),
            octets=sum((part * self.traffics[name].octets for name, part in weights.items()), ZERO),
            shared=sum(len(machine.exchangers) > 1 for machine in self.records.machines),
            records=len(self.records.lines),
            private=len(self.records.private),
        )

    @cached_property
    def caught(self) -> tuple[Fraction, ...]:
        """Of the mail of each machine, what the others take at once when it refuses."""
        return tuple(_caught(machine, self.whole, each) for machine, each in self.lost.items())

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Each set of machines that stops some sender's mail."""
        return losses(self.survivals, self.mix.weights)

    @cached_property
    def refusals(self) -> tuple[ExchangerRefusal, ...]:
        """Each exchanger that some senders do not use, for what the domain publishes of TLS."""
        return refusals(self.records, self.mix, self.whole, self.survivals)

    @cached_property
    def fates(self) -> tuple[Fate, ...]:
        """What falls together, though it looks apart."""
        return fates(self.records)

    @property
    def load(self) -> Fraction:
        """The busiest machine's part of first contacts."""
        return self.whole.first(self.busiest) if self.busiest else ZERO

    @property
    def even(self) -> Fraction:
        """What each machine of the best preference would get if all had the same."""
        return Fraction(1, len(self.records.front) or 1)

    @property
    def most_questions(self) -> int:
        """Questions that reach the zone in one TTL through one cache, however much mail there is."""
        return len(frozenset[tuple[str, str]]().union(*(each.kinds for each in self.traffics.values())))

    @property
    def caveats(self) -> tuple[str, ...]:
        """What its figures do not cover, or rest on, in sentences."""
        count = len(self.records.machines)
        left_out = (
            f"{counted(self.records.left_out, 'exchanger')} of {self.name} "
            f"{'was' if self.records.left_out == 1 else 'were'} not looked at: there are too many"
        )
        sampled = (
            f"Sampled: of the {count:,} machines of {self.name} only the busiest was lost, and the busiest network"
        )
        unknown = ", ".join(self.records.unknown)
        private = self.records.private
        which = (
            listing(map(str, private))
            if 0 < len(private) <= MOST_NAMED
            else counted(len(private), "private address", "es")
        )
        them = "it" if len(private) == 1 else "them"
        far = (
            f"No sender on the Internet reaches {which}: figures with {them} are of senders in the same private network"
        )
        told = (
            (self.records.left_out > 0, left_out),
            (self.is_sampled, sampled),
            (bool(private), far),
            (bool(unknown), f"Left out because the addresses cannot be looked up: {unknown}"),
        )
        return tuple(f"{text}." for is_so, text in told if is_so)

    @property
    def is_sampled(self) -> bool:
        """Whether there are too many machines to lose each of them."""
        return len(self.records.machines) > MOST_MACHINES

    @property
    def load_in_short(self) -> str:
        """The busiest machine's part in words: the range over all plausible weights of the senders."""
        return self.told_first(self.busiest) if self.busiest else "-"

    def load_told(self) -> str:
        """The same, and what it is a part of."""
        return f"{self.load_in_short} of first contacts"

    def told_first(self, machine: Machine) -> str:
        """A machine's part of first contacts in words."""
        return self.mix.told(_first_by(machine, self.whole, self.mix))

    def by_sender(self) -> dict[str, SenderScore]:
        """The same numbers for each sender alone."""
        return {
            name: SenderScore(
                max((share(each.first, machine) for machine in self.records.machines), default=ZERO),
                min((part_delivered(lost.by[name]) for lost in self.lost.values()), default=ZERO),
                self.traffics[name].questions,
            )
            for name, each in self.whole.by.items()
        }


def measure(name: str, records: Records, view: Conditions, *, examples: int = 0) -> Scorecard:
    """Everything about a set of records; what no sender can use has forecasts that say so, and nothing else."""
    card = _seen(name, records, view, examples)
    few = len(records.machines) <= MOST_MACHINES
    survivals = (
        survive(sender, records, view.foresee(records, sender), view.gone(records, sender))
        for sender in card.whole.by
        if few
    )
    return replace(card, survivals=tuple(survivals))


def mark(records: Records, view: Conditions) -> Scores:
    """How records do, with as few forecasts as that takes."""
    return _seen("", records, view).marks


def faults_of(card: Scorecard, view: Conditions) -> Mapping[Mode, Forecasts]:
    """The forecasts with the busiest machine at fault, in each way that senders answer differently."""
    if card.busiest is None:
        return {}
    known = {Mode.REFUSE: card.lost.get(card.busiest), Mode.BLACKHOLE: card.silent}
    return {
        mode: known.get(mode) or view.look_without(card.records, [card.busiest], card.whole, mode) for mode in FAULTS
    }


def _seen(name: str, records: Records, view: Conditions, examples: int = 0) -> Scorecard:
    """The forecasts that marks are made of."""
    whole = view.look(records, examples=examples)
    lost, busiest, tariff = view.each_lost(records, whole), _busiest(records, whole), Tariff.of(records)
    gone = (
        lost[group[0]] if group[0] in lost and len(group) == 1 else view.look_without(records, group, whole)
        for group in _networks(records, view, whole)
    )
    traffics = {sender: tariff.traffic(each, view.mix.senders[sender].asks) for sender, each in whole.by.items()}
    silent = view.look_without(records, [busiest], whole, Mode.BLACKHOLE) if busiest else None
    return Scorecard(name, records, view.mix, whole, lost, tuple(gone), traffics, silent)


def _first_by(machine: Machine, whole: Forecasts, mix: Mix) -> Mapping[str, Fraction]:
    """A machine's part of each sender's first contacts; who contacts nobody is as the rest, and betters no balance."""
    made = {name: sum(whole.by[name].first.values(), ZERO) for name in mix.weights}
    parts = {name: share(whole.by[name].first, machine) / each for name, each in made.items() if each}
    able = mix.weight(parts)
    mean = sum((mix.weights[name] * part for name, part in parts.items()), ZERO) / able if able else ZERO
    return dict.fromkeys(made, mean) | parts


def _unevenness(load: Fraction, machines: int) -> Fraction:
    return max(ZERO, (load - Fraction(1, machines)) / (1 - Fraction(1, machines))) if machines > 1 else Fraction(1)


def _caught(machine: Machine, whole: Forecasts, lost: Forecasts) -> Fraction:
    """Of the mail that a machine takes, what others take at once when it is lost."""
    own = whole.accepted(machine)
    return 1 - (whole.delivered - lost.delivered) / own if own else Fraction(1)


def _networks(records: Records, view: Conditions, whole: Forecasts) -> list[tuple[Machine, ...]]:
    """The networks that can be lost, those that take most: whose loss costs more than another takes has costs most."""
    up = frozenset(records.up(view.gone(records)))
    groups = [found for group in records.networks if (found := tuple(machine for machine in group if machine in up))]
    groups.sort(key=lambda group: -sum(map(whole.accepted, group), ZERO))
    return groups[: 1 if len(up) > MOST_MACHINES else MANY]


def _busiest(records: Records, whole: Forecasts) -> Machine | None:
    return max(records.machines, key=whole.first, default=None)
