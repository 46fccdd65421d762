"""What survives the loss of machines: which losses stop mail, and which make some of it wait.

All lost machines misbehave alike. For one order of trial a sender then makes the same list of contacts as long as
everything on it is lost, and its mail gets through unless the whole list is. So exactly one minimal set of machines
stops all of a sender's mail: whatever stands on any of its lists. Some mail waits as soon as one list is lost whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from postroad.planning.mix import Foresee, part_delivered, share
from postroad.planning.records import Machine, Records
from postroad.simulation import Forecast
from postroad.words.names import Address

MOST_QUESTIONS = 300  # forecasts the search for the smallest harmful loss may ask for: seconds, not minutes
MOST_ALONE = 30  # machines that are each tried as the only one left, to see that nothing less than all is the smallest
MOST_EXACT = 6  # machines of which every set is tried, alike or not
MOST_APART = 12  # machines that are all tried in each step of that search, though some look alike


@dataclass(frozen=True, slots=True)
class Survival:
    """What one sender survives.

    `stops`: the one minimal set of machines whose loss leaves its mail no chance in an attempt (empty: there was none
    before, or it is `unstoppable`, for it counts mail as delivered that no machine took). `waits`: a smallest set whose
    loss makes some mail wait or fail; `surely` false: the search was cut short, a smaller one may exist.
    """

    sender: str
    stops: frozenset[Machine]
    waits: frozenset[Machine]
    surely: bool = True
    unstoppable: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """Machines whose loss stops all mail of these senders, `weight` of the mix together."""

    machines: frozenset[Machine]
    senders: tuple[str, ...]
    weight: Fraction


def survive(sender: str, records: Records, foresee: Foresee, down: frozenset[Address] | None = None) -> Survival:
    """What a sender survives, exact but for `surely`; `down`: where it delivers nothing, if not where a fault is."""
    whole = foresee(frozenset())
    down = frozenset(whole.case.down) if down is None else down
    up = frozenset(records.up(down))
    nothing_left = foresee(up)
    met = (step.address for example in nothing_left.examples for step in example.steps)
    listed = records.machines_of(met) & up
    stops = _peeled(records, foresee, listed)
    if part_delivered(nothing_left):  # a reaction to a dead machine may be to count the mail as delivered
        waits, surely = _smallest_wait(records, foresee, stops) if part_delivered(whole) == 1 else (frozenset(), True)
        return Survival(sender, frozenset(), waits, surely, unstoppable=True)
    if not stops or part_delivered(whole) < 1:
        return Survival(sender, stops, frozenset())
    fewest = _fewest(records, down, nothing_left)
    if len(listed) == fewest:
        return Survival(sender, stops, listed)
    waits, surely = _smallest_wait(records, foresee, stops)
    return Survival(sender, stops, waits, surely or len(waits) == fewest)


def losses(survivals: Sequence[Survival], weights: Mapping[str, Fraction]) -> tuple[Loss, ...]:
    """Each set of machines that stops some sender's mail, the smallest first, with everyone it stops."""
    found = []
    for stops in dict.fromkeys(each.stops for each in survivals if each.stops):
        stopped = tuple(each.sender for each in survivals if each.stops and each.stops <= stops)
        found.append(Loss(stops, stopped, sum((weights.get(name, Fraction(0)) for name in stopped), Fraction(0))))
    return tuple(sorted(found, key=lambda loss: (len(loss.machines), -loss.weight)))


def _peeled(records: Records, foresee: Foresee, lost: frozenset[Machine]) -> frozenset[Machine]:
    """These, and who accepts with these lost, then with those lost too, and so on until nobody else does."""
    while accepting := _accepting(records, foresee(lost)) - lost:
        lost |= accepting
    return lost


def _fewest(records: Records, down: frozenset[Address], nothing_left: Forecast) -> Fraction | None:
    """A number of machines that no list falls short of, those down already left out; None where it is not known."""
    is_known = records.is_plain and nothing_left.attempts_mean == nothing_left.attempts_max
    gone = sum(place.address in down for place in records.places)
    return nothing_left.attempts_mean - gone if is_known else None


def _smallest_wait(records: Records, foresee: Foresee, stops: frozenset[Machine]) -> tuple[frozenset[Machine], bool]:
    """A smallest loss by which some mail does not get through, and whether it is surely a smallest one.

    Grown one machine at a time along what accepts, as any list of contacts is. Of many sets those that leave the same
    shares to the same kinds of machine are followed as one, though what comes after may differ, and of many machines
    that look alike one is tried: what is found then may not be the smallest. Empty where even the loss of all harms
    nothing.
    """
    if part_delivered(foresee(stops)) == 1:
        return frozenset(), True
    if len(stops) <= MOST_ALONE and all(part_delivered(foresee(stops - {machine})) == 1 for machine in stops):
        return stops, True
    is_exact = len(stops) <= MOST_EXACT
    edge, asked = [frozenset[Machine]()], set[frozenset[Machine]]()
    while edge:
        grown: dict[object, frozenset[Machine]] = {}
        for lost in edge:
            before = foresee(lost)
            accepting = sorted(_accepting(records, before) - lost, key=_number)  # a set has an order for each process
            for machine in accepting if len(accepting) <= MOST_APART else _one_of_each(accepting, before):
                wider = lost | {machine}
                if wider in asked:
                    continue
                asked.add(wider)
                after = foresee(wider)
                if part_delivered(after) < 1:
                    return wider, is_exact
                grown.setdefault(wider if is_exact else _signature(wider, after, stops), wider)
                if len(asked) > MOST_QUESTIONS:
                    return _shrunk(foresee, stops), False
        edge = list(grown.values())
    return stops, False


def _shrunk(foresee: Foresee, lost: frozenset[Machine]) -> frozenset[Machine]:
    """A loss of which every part is needed to make mail wait."""
    for machine in sorted(lost, key=_number):
        if part_delivered(foresee(lost - {machine})) < 1:
            lost -= {machine}
    return lost


def _accepting(records: Records, forecast: Forecast) -> frozenset[Machine]:
    return records.machines_of(address for address, chance in forecast.accepted.items() if chance)


def _one_of_each(machines: Sequence[Machine], forecast: Forecast) -> list[Machine]:
    """One of those that are alike: with the same place and families, and the same part of what is sent and taken."""
    kinds: dict[object, Machine] = {}
    for each in machines:
        place = each.preference, len(each.exchangers), _families(each)
        kinds.setdefault((place, share(forecast.first, each), share(forecast.accepted, each)), each)
    return list(kinds.values())


def _signature(lost: frozenset[Machine], after: Forecast, stops: frozenset[Machine]) -> object:
    """What makes two losses alike: the shares left, by families, and how many of each are lost."""
    left = sorted((_families(machine), share(after.accepted, machine)) for machine in stops - lost)
    return tuple(left), after.attempts_mean


def _families(machine: Machine) -> tuple[int, ...]:
    return tuple(sorted(address.version for address in machine.addresses))


def _number(machine: Machine) -> tuple[tuple[int, int], ...]:
    return tuple((address.version, int(address)) for address in machine.addresses)
