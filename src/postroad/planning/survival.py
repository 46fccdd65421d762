"""What survives the loss of servers: which losses stop mail, and which make some of it wait.

All lost servers misbehave alike. For one order of trial a sender then makes the same list of contacts as long as
everything on it is lost, and its mail gets through unless the whole list is. So exactly one minimal set of servers
stops all of a sender's mail: whatever stands on any of its lists. Some mail waits as soon as one list is lost whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from postroad.planning.records import servers
from postroad.simulation.nouns import Forecast
from postroad.words.facts import Snapshot
from postroad.words.names import Address
from postroad.words.outcome import Result

MOST_SETS = (
    100  # sets of exchangers told one by one: sixty names behind thirty addresses have more than a thousand million
)
MOST_QUESTIONS = 300  # forecasts the search for the smallest harmful loss may ask for: seconds, not minutes
MOST_ALONE = 30  # servers that are each tried as the only one left, to see that nothing less than all is the smallest

Foresee = Callable[[frozenset[Address]], Forecast]
"""The forecast of one sender with these addresses lost, and with an example where that is all there are."""


@dataclass(frozen=True, slots=True)
class Survival:
    """What one sender survives.

    `stops`: the one minimal set of servers whose loss leaves its mail no chance in an attempt (empty: there was none
    before). `names`: each minimal set of exchangers whose loss does that; `more` than are listed. `waits`: a smallest
    set whose loss makes some mail wait or fail; `surely` false: the search was cut short, a smaller one may exist.
    """

    sender: str
    stops: frozenset[Address]
    names: tuple[frozenset[str], ...]
    more: bool
    waits: frozenset[Address]
    surely: bool = True


@dataclass(frozen=True, slots=True)
class Loss:
    """Servers whose loss stops all mail of these senders, `weight` of the mix together."""

    servers: frozenset[Address]
    senders: tuple[str, ...]
    weight: Fraction


def survive(sender: str, snapshot: Snapshot, foresee: Foresee) -> Survival:
    """What a sender survives, exact but for `more` and `surely`."""
    known = servers(snapshot)
    whole = foresee(frozenset())
    up = frozenset(server.address for server in known).difference(whole.case.down)
    nothing_left = foresee(up)
    listed = frozenset(step.address for example in nothing_left.examples for step in example.steps) & up
    layers = _peel(foresee, listed)
    stops = listed.union(*layers)
    behind = [frozenset(server.exchangers) for server in known if server.address in stops]
    names = list(islice(minimal_covers(behind), MOST_SETS + 1))
    ordered = sorted(names[:MOST_SETS], key=lambda each: (len(each), sorted(each)))
    if not stops or _delivered(whole) < 1:
        waits, surely = frozenset[Address](), True
    elif _lists_are_alike(nothing_left, listed, behind):
        waits, surely = listed, True
    else:
        waits, surely = _smallest_wait(foresee, stops)
    return Survival(sender, stops, tuple(ordered), len(names) > MOST_SETS, waits, surely)


def losses(survivals: Sequence[Survival], weights: Mapping[str, Fraction]) -> tuple[Loss, ...]:
    """Each set of servers that stops some sender's mail, the smallest first, with everyone it stops."""
    found = []
    for stops in dict.fromkeys(each.stops for each in survivals if each.stops):
        stopped = tuple(each.sender for each in survivals if each.stops and each.stops <= stops)
        found.append(Loss(stops, stopped, sum((weights.get(name, Fraction(0)) for name in stopped), Fraction(0))))
    return tuple(sorted(found, key=lambda loss: (len(loss.servers), -loss.weight)))


def minimal_covers(edges: Sequence[frozenset[str]]) -> Iterator[frozenset[str]]:
    """Every minimal set of names that has one of each edge, each once, found without trying the others."""
    yield from _covers(list(dict.fromkeys(edges)), frozenset(), frozenset())


def _peel(foresee: Foresee, lost: frozenset[Address]) -> list[Mapping[Address, Fraction]]:
    """Who accepts with these lost, then with those lost too, and so on until nobody does, with the chance of each."""
    layers: list[Mapping[Address, Fraction]] = []
    while accepting := _accepting(foresee(lost)):
        layers.append(accepting)
        lost = lost.union(accepting)
    return layers


def _lists_are_alike(nothing_left: Forecast, listed: frozenset[Address], behind: Sequence[frozenset[str]]) -> bool:
    """Whether every list a sender may make has as many servers as the one seen: then none is smaller."""
    count = nothing_left.attempts_max
    once = len(listed) == count and all(len(names) == 1 for names in behind)
    return once and nothing_left.attempts_mean == count


def _smallest_wait(foresee: Foresee, stops: frozenset[Address]) -> tuple[frozenset[Address], bool]:
    """A smallest loss by which some mail does not get through, and whether it is surely a smallest one.

    Grown one server at a time along what accepts, as any list of contacts is; of sets that leave the same shares to the
    same kinds of server one is followed, for they are alike.
    """
    if len(stops) <= MOST_ALONE and all(_delivered(foresee(stops - {address})) == 1 for address in stops):
        return stops, True
    edge, asked = [frozenset[Address]()], 0
    while edge:
        grown: dict[object, frozenset[Address]] = {}
        for lost in edge:
            for address in _accepting(foresee(lost)):
                wider = lost | {address}
                after = foresee(wider)
                asked += 1
                if _delivered(after) < 1:
                    return wider, True
                grown.setdefault(_signature(wider, after, stops), wider)
                if asked > MOST_QUESTIONS:
                    return _shrunk(foresee, stops), False
        edge = list(grown.values())
    return stops, False


def _shrunk(foresee: Foresee, lost: frozenset[Address]) -> frozenset[Address]:
    """A loss of which every part is needed to make mail wait."""
    for address in sorted(lost, key=lambda each: (each.version, int(each))):
        if _delivered(foresee(lost - {address})) < 1:
            lost -= {address}
    return lost


def _accepting(forecast: Forecast) -> Mapping[Address, Fraction]:
    return {address: chance for address, chance in forecast.accepted.items() if chance}


def _delivered(forecast: Forecast) -> Fraction:
    return forecast.outcome.get(Result.DELIVERED, Fraction(0))


def _signature(lost: frozenset[Address], after: Forecast, stops: frozenset[Address]) -> object:
    """What makes two losses alike: the shares left, by family, and how many of each family are lost."""
    left = sorted((address.version, after.accepted.get(address, Fraction(0))) for address in stops - lost)
    return tuple(left), after.attempts_mean


def _covers(edges: list[frozenset[str]], chosen: frozenset[str], barred: frozenset[str]) -> Iterator[frozenset[str]]:
    """MMCS (Murakami and Uno, 2014): a name that has no edge to itself is needless, and stays so as the set grows."""
    edge = next((each for each in edges if not each & chosen), None)
    if edge is None:
        if chosen:
            yield chosen
        return
    for name in sorted(edge - barred):
        wider = chosen | {name}
        if all(any(each & wider == {member} for each in edges) for member in wider):
            yield from _covers(edges, wider, barred)
        barred |= {name}
