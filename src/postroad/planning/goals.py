"""What a set of records may be good at: how each goal is judged, and how a set scores, in words with numbers.

One judgement for all: verdicts, differences and advice ask `best` and `judged`, so none can call worse what another
calls better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from postroad.planning.mix import part_delivered
from postroad.planning.scorecard import Scorecard, Scores
from postroad.words.phrasebook import counted, listing, percent, rough_seconds, seconds


class Goal(StrEnum):
    """A quality that sets of records are compared by."""

    DELIVERY = "delivery"
    BALANCE = "balance"
    FAILOVER = "fail-over"
    NETWORK = "network loss"
    DELAY = "delay"
    DNS_COST = "DNS cost"
    SIMPLICITY = "simplicity"


SAFETY = frozenset({Goal.DELIVERY, Goal.FAILOVER, Goal.NETWORK})
"""What comes before balance: mail that gets through, whatever is lost."""
COSTS = frozenset({Goal.DELAY, Goal.DNS_COST, Goal.SIMPLICITY})
"""What may get worse where mail is safer or better balanced for it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranking of sets of records at one goal: the best, and the figures of each, in words."""

    goal: Goal
    best: tuple[str, ...]
    numbers: Mapping[str, str]

    @property
    def is_even(self) -> bool:
        """Whether all do as well."""
        return set(self.best) == self.numbers.keys()

    @property
    def sentence(self) -> str:
        """Who does best, and how."""
        alike: dict[str, list[str]] = {}
        for name in self.best:
            alike.setdefault(self.numbers[name], []).append(name)
        told = "; ".join(words if len(alike) == 1 else f"{listing(names)}: {words}" for words, names in alike.items())
        return f"{self.goal}: {'no difference' if self.is_even else f'best with {self.winners}'}: {told}."

    @property
    def winners(self) -> str:
        """Who does best, in a few words."""
        others = [name for name in self.numbers if name not in self.best]
        return f"all but {listing(others)}" if 2 < len(self.best) > len(others) else listing(self.best)


def verdict(goal: Goal, cards: Sequence[Scorecard]) -> Ranking:
    """Who does best at a goal."""
    found = best(goal, [card.marks for card in cards])
    return Ranking(
        goal, tuple(cards[place].name for place in found), {each.name: numbers(goal, each) for each in cards}
    )


def best(goal: Goal, every: Sequence[Scores]) -> list[int]:
    """Who does best, by place: mark by mark; what differs by less than people would notice is equally good."""
    # What takes no mail is best at nothing, nor is what takes none from the Internet: its cost is beside the point
    if not any(marks.delivered for marks in every):
        return list(range(len(every)))
    for may_win in (_takes_mail, _is_public):
        able = [place for place, marks in enumerate(every) if may_win(marks)]
        if 0 < len(able) < len(every):
            return [able[place] for place in best(goal, [every[place] for place in able])]
    known = [_marks(goal, marks) for marks in every]
    left = list(range(len(every)))
    for depth in range(len(known[0]) if known else 0):
        least = min(known[place][depth][0] for place in left)
        left = [place for place in left if known[place][depth][0] <= least + known[place][depth][1]]
    return left


def _takes_mail(marks: Scores) -> bool:
    return bool(marks.delivered)


def _is_public(marks: Scores) -> bool:
    return not marks.private


def judged(goal: Goal, old: Scores, new: Scores) -> int:
    """Whether a change is better (1), worse (-1) or neither (0).

    Between mail and none there is one difference, delivery: the rest of what takes no mail compares with nothing.
    """
    if _takes_mail(old) != _takes_mail(new) and goal is not Goal.DELIVERY:
        return 0
    found = best(goal, [old, new])
    return 0 if len(found) != 1 else 1 if found == [1] else -1


def is_gain(old: Scores, new: Scores) -> bool:
    """Whether a change is worth its work: mail is safer, else better balanced, else all of it costs less."""
    safety = [judged(goal, old, new) for goal in SAFETY]
    if any(safety):
        return min(safety) > -1
    even = judged(Goal.BALANCE, old, new)
    costs = [judged(goal, old, new) for goal in COSTS]
    return even > 0 or (even == 0 and max(costs) > 0 and min(costs) >= 0)


def numbers(goal: Goal, card: Scorecard) -> str:
    """What a set of records does for a goal, with the numbers."""
    return _none(goal, card) or _NUMBERS[goal](card)


def _none(goal: Goal, card: Scorecard) -> str:
    """What is said in place of figures that nothing has to do with: of no machine, or of no mail."""
    if goal not in _OF_MAIL or (card.lost and card.whole.delivered):
        return ""
    return "no mail gets through" if card.records.machines else "no machine"


def before(goal: Goal, card: Scorecard) -> str:
    """The same in fewer words, to stand behind what another set does."""
    return _none(goal, card) or _IN_SHORT.get(goal, _NUMBERS[goal])(card)


def balance(card: Scorecard) -> str:
    """How first contacts are spread."""
    front, busiest = card.records.front, card.busiest
    if busiest is None:
        return "no machine"
    if len(front) == 1 and card.load == sum(card.whole.mix.first.values()):
        rest = len(card.records.backups)
        resting = f" while it is up; {counted(rest, 'backup')} {'stands' if rest == 1 else 'stand'} by" if rest else ""
        return f"one machine, {busiest}, takes all{resting}"
    return f"{busiest} gets {card.load_told()}, where {percent(card.even)} would be even"


def silence(card: Scorecard) -> str:
    """How long a message takes that finds the busiest machine silent."""
    if not card.busiest or not card.whole.delivered:
        return "-"
    return (rough_seconds if card.mix.is_rough else seconds)(card.marks.silence_s)


def dns_cost(card: Scorecard) -> str:
    """Questions and octets of one message, as exact as the mix."""
    questions, octets = dns_figures(card)
    word = "question" if questions == "1" else "questions"
    return f"{'about ' if card.mix.is_rough else ''}{questions} {word} and {octets} octets a message"


def dns_figures(card: Scorecard) -> tuple[str, str]:
    """The same as two numbers."""
    questions, octets = float(card.marks.questions), float(card.marks.octets)
    return (
        (f"{questions:.0f}", f"{round(octets, -1):.0f}") if card.mix.is_rough else (f"{questions:.1f}", f"{octets:.0f}")
    )


def _delivery(card: Scorecard) -> str:
    short = [name for name, each in card.whole.by.items() if part_delivered(each) < 1]
    if not short:
        return f"{'within its private network ' if card.records.private else ''}all mail gets through at once"
    if len(short) == len(card.whole.by) and not card.whole.delivered:
        return "no mail gets through"
    return f"{card.mix.told(card.whole.delivered_by)} of mail gets through at once, not that of {card.mix.whom(short)}"


def _failover(card: Scorecard) -> str:
    if len(card.records.machines) == 1:
        return "with its one machine lost, all mail waits"
    caught = _spread(card, card.caught)
    is_pair = len(card.records.machines) == 2
    which = "its busiest machine" if card.is_sampled else "either machine" if is_pair else "any one machine"
    return f"with {which} refusing, {'the other takes' if is_pair else 'the others take'} {caught} its mail at once"


def _network(card: Scorecard) -> str:
    count = len(card.records.networks)
    if count == 1:
        several = len(card.records.machines) > 1
        return (
            "all machines are in one network" if several else "with the network of its one machine gone, all mail waits"
        )
    kept = _spread(card, [each.delivered for each in card.gone])
    which = "the busiest" if card.is_sampled else "either" if count == 2 else "any one"
    return f"with {which} of {count} networks gone, {kept} mail gets through at once"


def _spread(card: Scorecard, parts: Sequence[Fraction]) -> str:
    """How much, by what is lost: a figure, or from the least to the most, of what follows."""
    least, most = (card.mix.percent(each) if each < 1 else "all" for each in (min(parts), max(parts)))
    if least == most:
        return "all" if least == "all" else f"{least} of"
    return f"{least} to all of" if most == "all" else f"{least} to {most.removeprefix('about ')} of"


def _delay(card: Scorecard) -> str:
    return f"a message that finds the busiest machine silent takes {silence(card)} on average"


def _dns(card: Scorecard) -> str:
    return f"{dns_cost(card)}, or at most {card.most_questions} questions a TTL through one cache"


def _size(card: Scorecard) -> str:
    count = counted(card.marks.records, "record")
    if not card.records.machines:
        return count
    shared = (
        f"{counted(card.marks.shared, 'machine')} with several names" if card.marks.shared else "one name a machine"
    )
    return f"{shared}, {count}"


_NUMBERS: Mapping[Goal, Callable[[Scorecard], str]] = {
    Goal.DELIVERY: _delivery,
    Goal.BALANCE: balance,
    Goal.FAILOVER: _failover,
    Goal.NETWORK: _network,
    Goal.DELAY: _delay,
    Goal.DNS_COST: _dns,
    Goal.SIMPLICITY: _size,
}
_OF_MAIL = frozenset({Goal.BALANCE, Goal.FAILOVER, Goal.NETWORK, Goal.DELAY})
_IN_SHORT = {Goal.DELAY: silence, Goal.DNS_COST: dns_cost}


def _marks(goal: Goal, marks: Scores) -> tuple[tuple[float, float], ...]:
    """The lower the better, the most telling first, each with the difference that nobody would notice."""
    match goal:
        case Goal.DELIVERY:
            return ((-float(marks.delivered), 0.001),)
        case Goal.BALANCE:
            return (float(marks.unevenness), 0.02), (float(marks.load), 0.01)
        case Goal.FAILOVER:
            return ((-float(marks.caught), 0.01),)
        case Goal.NETWORK:
            return ((-float(marks.kept_network), 0.01),)
        case Goal.DELAY:
            return ((marks.silence_s, max(1.0, 0.1 * marks.silence_s)),)
        case Goal.DNS_COST:
            return (float(marks.questions), 0.1), (float(marks.octets), 8)  # half of what a needless address costs
        case Goal.SIMPLICITY:
            return (marks.shared, 0), (marks.records, 0)
