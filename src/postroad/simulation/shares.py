"""Exact forecasts: shares, outcomes, attempts, delays and questions of one sender, and of a mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from operator import attrgetter
from typing import TypeVar

from postroad.models import Sender, Then
from postroad.routing import Refusal
from postroad.simulation.arrange import ArrangedLevel
from postroad.simulation.case import Case, DeliveryWaits, Forecast, Questions, Shares
from postroad.simulation.contacts import ModelContact, ModelExchanger, asked_names
from postroad.simulation.limits import CountedLimits, counted
from postroad.simulation.orders import WHOLE
from postroad.simulation.own import foresee, names_of
from postroad.simulation.paths import some_examples
from postroad.simulation.plans import FoundExchangers, NoWay, exchanges, is_sampled, plans
from postroad.simulation.products import sum_of_products
from postroad.simulation.steps import Position, Steps
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.trail import Target

K = TypeVar("K")
ZERO = Fraction(0)
_RESULTS = tuple(Result)
_ADDRESS, _EXCHANGE = attrgetter("address"), attrgetter("exchange")
MOST_CONTACTS = 25_000  # of all plans of a forecast: beyond, a part of the plans stands for all


@dataclass(slots=True)
class _Arrived:
    """How likely a place is, with the seconds until there: their mean times the chance, and the most."""

    chance: Fraction
    time: float = 0.0
    worst_s: float = 0.0

    def add(self, chance: Fraction, time: float, worst_s: float) -> None:
        self.chance += chance
        self.time += time
        self.worst_s = max(self.worst_s, worst_s)


@dataclass(slots=True)
class _Sums:
    """What is added up over all ways an attempt can go."""

    accepted: dict[ModelContact, Fraction] = field(default_factory=dict)
    ended: dict[tuple[Result, int], Fraction] = field(default_factory=dict)  # by contacts too
    delay_s: float = 0.0
    worst_s: float = 0.0
    taken_s: float = 0.0  # of what is delivered
    taken_worst_s: float = 0.0
    hosts: Fraction = ZERO  # entered, for those who ask DNS only then

    def end(self, result: Result, chance: Fraction, contacts: int, time: float, worst_s: float) -> None:
        _put(self.ended, (result, contacts), chance)
        self.delay_s += time
        self.worst_s = max(self.worst_s, worst_s)
        if result is Result.DELIVERED:
            self.taken_s += time
            self.taken_worst_s = max(self.taken_worst_s, worst_s)

    def taken(self, part: Fraction) -> DeliveryWaits | None:
        """The same of mail that gets through, of which this is the part."""
        return DeliveryWaits(self.taken_s / float(part), self.taken_worst_s) if part else None

    @property
    def outcome(self) -> dict[Result, Fraction]:
        ended = _summed((result, chance) for (result, _made), chance in self.ended.items())
        return dict.fromkeys(_RESULTS, ZERO) | ended

    @property
    def attempts(self) -> Fraction:
        return sum_of_products((chance, made) for (_result, made), chance in self.ended.items())

    @property
    def attempts_max(self) -> int:
        return max((made for _result, made in self.ended), default=0)


def forecast(case: Case, sender: Sender, *, examples: int = 3, found: FoundExchangers | None = None) -> Forecast:
    """What becomes of the first attempt of one message, exactly.

    Rotated, random and cached answers are taken as one sender sees them over a long time. Within one TTL a cache gives
    one order: what that is like, `DnsOrder.FIXED` tells. `found`: what this sender finds there, if that is known.
    """
    found = exchanges(case.snapshot, sender) if found is None else found
    if isinstance(found, NoWay):
        return _without_contact(case, sender, found)
    if sender.ours:
        return _ours(case, sender, examples)
    sums, names = _Sums(), asked_names(found)
    limits = counted(case, sender, found)
    every = plans(case, sender, found, limits, alike=True, nameless=bool(case.down))
    counts = Counter(every)
    part = _part(counts, case, found)
    for levels, count in part.items():
        _add_up(Steps(sender, levels, limits), Fraction(count, part.total()), sums)
    outcome = sums.outcome
    first = Shares(partial(_first, case, sender, found, limits, () if case.down else every))
    return Forecast(
        case,
        first=Shares(partial(_by, _ADDRESS, first)),
        accepted=Shares(partial(_by, _ADDRESS, sums.accepted)),
        hosts=Shares(partial(_by, _EXCHANGE, first)),
        outcome=outcome,
        attempts_mean=sums.attempts,
        attempts_max=sums.attempts_max,
        delay_mean_s=sums.delay_s,
        delay_worst_s=sums.worst_s,
        questions=_questions(sender, len(names), sums.hosts),
        asked=names,
        examples=some_examples(case, sender, found, limits, examples),
        sampled=part is not counts or is_sampled(case, sender, found),
        taken=sums.taken(outcome[Result.DELIVERED]),
    )


def _part(
    counts: Counter[tuple[ArrangedLevel, ...]], case: Case, found: tuple[ModelExchanger, ...]
) -> Counter[tuple[ArrangedLevel, ...]]:
    """All plans; where they are too many and too long to be walked, so many of them as stand for all."""
    if len(counts) == 1:
        return counts
    down = {address for address, mode in case.down.items() if mode is not Mode.ACCEPT}
    longest = 1 + sum(address in down for each in found for address in each.addresses)
    most = max(MOST_CONTACTS // longest, 1)
    if len(counts) <= most:
        return counts
    plans_ = list(counts)
    return Counter({plans_[place * len(plans_) // most]: 1 for place in range(most)})


def _first(
    case: Case,
    sender: Sender,
    found: tuple[ModelExchanger, ...],
    limits: CountedLimits,
    named: Sequence[tuple[ArrangedLevel, ...]],
) -> dict[ModelContact, Fraction]:
    """The first contacts: of all places of an attempt only its start must tell servers by their names.

    `named`: the plans, if they do.
    """
    every = named or plans(case, sender, found, limits, alike=True)
    first: dict[ModelContact, Fraction] = {}
    each_plan = Fraction(1, len(every))
    for levels in every:
        steps = Steps(sender, levels, limits)
        for each in steps.nexts(steps.start()):
            if each.contact:
                _put(first, each.contact, each.chance * each_plan)
    return first


def blend(forecasts: Mapping[str, Forecast], weights: Mapping[str, Fraction]) -> Forecast:
    """Several senders as one, each by its weight, that sum to one."""
    parts = [(weights[name], each) for name, each in forecasts.items()]
    able = [(weight, each) for weight, each in parts if not each.unable]
    results = dict.fromkeys(result for _weight, each in able for result in each.outcome)
    outcome = {
        result: sum_of_products((weight, each.outcome.get(result, ZERO)) for weight, each in able) for result in results
    }
    unable = sum((weight for weight, each in parts if each.unable), ZERO)
    outcome[Result.FAILED] = outcome.get(Result.FAILED, ZERO) + unable
    return Forecast(
        replace(parts[0][1].case, sender=""),
        first=Shares(lambda: _weighted((weight, each.first) for weight, each in able)),
        accepted=Shares(lambda: _weighted((weight, each.accepted) for weight, each in able)),
        hosts=Shares(lambda: _weighted((weight, each.hosts) for weight, each in able)),
        outcome=outcome,
        attempts_mean=sum_of_products((weight, each.attempts_mean) for weight, each in able),
        attempts_max=max((each.attempts_max for _weight, each in able), default=0),
        delay_mean_s=sum(float(weight) * each.delay_mean_s for weight, each in able),
        delay_worst_s=max((each.delay_worst_s for _weight, each in able), default=0.0),
        questions=Questions(
            *(
                sum_of_products((weight, getattr(each.questions, kind)) for weight, each in able)
                for kind in ("mx", "a", "aaaa")
            )
        ),
        taken=_taken(able),
    )


def _taken(able: Iterable[tuple[Fraction, Forecast]]) -> DeliveryWaits | None:
    """How long mail takes that gets through, by how much each sends and gets through."""
    parts = [(weight * each.outcome.get(Result.DELIVERED, ZERO), each.taken) for weight, each in able]
    known = [(float(part), taken) for part, taken in parts if part and taken]
    total = sum(part for part, _taken in known)
    if not known:
        return None
    return DeliveryWaits(
        sum(part * taken.mean_s for part, taken in known) / total, max(taken.worst_s for _, taken in known)
    )


def _add_up(steps: Steps, chance: Fraction, sums: _Sums) -> None:
    """Go through all places an attempt can be in, those after the same number of contacts together."""
    here = {steps.start(): _Arrived(chance)}
    contacts = 0
    while here:
        ahead: dict[Position, _Arrived] = {}
        for place, arrived in here.items():
            _add_place(steps, place, arrived, contacts, sums, ahead)
        here = ahead
        contacts += 1


def _add_place(
    steps: Steps, place: Position, arrived: _Arrived, contacts: int, sums: _Sums, ahead: dict[Position, _Arrived]
) -> None:
    for share, contact, then, pause_s, entered in steps.nexts(place):
        chance, time, worst_s = arrived.chance, arrived.time, arrived.worst_s + pause_s
        if share is not WHOLE:
            chance, time = chance * share, time * float(share)
        if entered and not steps.asks_eagerly:
            sums.hosts += chance * (entered - bool(contact and contact.target.is_nameless))
        if pause_s:
            time += float(chance) * pause_s
        if contact is None:
            sums.end(steps.verdict(then), chance, contacts, time, worst_s)
            continue
        result, took_s, reached = steps.after(then, contact)
        if result is None:
            known = ahead.get(reached)
            if known is None:
                ahead[reached] = _Arrived(chance, time, worst_s)
            else:
                known.add(chance, time, worst_s)
            continue
        if result is Result.DELIVERED:
            _put(sums.accepted, contact, chance)
        made = contacts + 1 + (contact.then is Then.RECONNECT_IN_CLEAR)
        sums.end(result, chance, made, time + float(chance) * took_s, worst_s + took_s)


def _without_contact(case: Case, sender: Sender, no_way: NoWay) -> Forecast:
    outcome = {} if no_way.unable else dict.fromkeys(_RESULTS, ZERO) | {no_way.result: Fraction(1)}
    count = len(no_way.asked)
    questions = _questions(sender, count, Fraction(count))
    return Forecast(case, {}, {}, {}, outcome, ZERO, 0, 0.0, 0.0, questions, (), no_way.unable, asked=no_way.asked)


def _ours(case: Case, sender: Sender, examples: int) -> Forecast:
    """Our own sender does not stand in data: it is asked what it does."""
    found, names = foresee(case, examples), names_of(case.snapshot)
    assert not isinstance(found, Refusal)  # noqa: S101  # else there was no way for it, and nothing to foresee
    return Forecast(
        case,
        first=Shares(partial(_joined, _ADDRESS, found.first)),
        accepted=Shares(partial(_joined, _ADDRESS, found.accepted)),
        hosts=Shares(partial(_joined, _EXCHANGE, found.first)),
        outcome=found.outcome,
        attempts_mean=found.attempts_mean,
        attempts_max=found.attempts_max,
        delay_mean_s=found.delay_mean_s,
        delay_worst_s=found.delay_worst_s,
        questions=_questions(sender, len(names), ZERO),
        asked=tuple(names),
        examples=found.examples,
        sampled=found.sampled,
        taken=found.taken,
    )


def _by(key: Callable[[Target], K], chances: Mapping[ModelContact, Fraction]) -> dict[K, Fraction]:
    """The chances of contacts as those of what stands behind them: each member of a contact is as likely."""
    parts = ((chance / len(contact.members), contact.members) for contact, chance in chances.items())
    return _summed((key(target), each) for each, members in parts for target in members)


def _joined(key: Callable[[Target], K], chances: Mapping[Target, Fraction]) -> dict[K, Fraction]:
    """The chances of targets as those of what they have in common."""
    return _summed((key(target), chance) for target, chance in chances.items())


def _summed(chances: Iterable[tuple[K, Fraction]]) -> dict[K, Fraction]:
    shares: dict[K, Fraction] = {}
    for what, chance in chances:
        _put(shares, what, chance)
    return shares


def _put(shares: dict[K, Fraction], what: K, chance: Fraction) -> None:
    """Add a chance to what has one already, or none: most are new, and hashed once."""
    count = len(shares)
    known = shares.setdefault(what, chance)
    if len(shares) == count:
        shares[what] = known + chance


def _questions(sender: Sender, names: int, entered: Fraction) -> Questions:
    asks = sender.asks
    hosts = names if asks.eager else entered
    counts = asks.mx, asks.domain_a + asks.a * hosts, asks.domain_aaaa + asks.aaaa * hosts
    return Questions(*map(Fraction, counts))


def _weighted(parts: Iterable[tuple[Fraction, Mapping[K, Fraction]]]) -> dict[K, Fraction]:
    """The weighted sums. Servers that are alike share their fractions: each sum of the same ones is made once."""
    total: dict[K, Fraction] = {}
    for weight, shares in parts:
        sums: dict[tuple[int, int], tuple[Fraction, Fraction]] = {}
        for key, share in shares.items():
            before = total.get(key, ZERO)
            if (both := (id(before), id(share))) not in sums:
                sums[both] = before, before + weight * share  # the first is kept, so that no other has its id
            total[key] = sums[both][1]
    return total
