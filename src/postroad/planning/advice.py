"""The smallest change of records that reaches the goals, within what it may cost, and proven by forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from postroad.planning.comparison import Difference, Goal, balance, difference, numbers
from postroad.planning.edits import Allowed, Edit, candidates, edited
from postroad.planning.mix import View
from postroad.planning.phrases import listing, named
from postroad.planning.records import Line, Records
from postroad.planning.scorecard import Marks, Scorecard, mark, measure
from postroad.simulation.nouns import DnsOrder
from postroad.words.facts import Found
from postroad.words.names import is_within, registered

# What a change must gain to be worth the work, or lose to be refused.
WORTH_KEPT = Fraction(1, 100)  # of all mail, in the first attempt with one machine lost
WORTH_LOAD = Fraction(1, 100)  # of all mail, on the busiest machine
WORTH_OCTETS = Fraction(8)  # of DNS for one message: half of what one needless address costs in an answer
# What a change may cost.
MOST_MX = 10  # records: more than any sender tries, and a large answer
MOST_QUESTIONS = 2  # times the DNS questions of before
MOST_EDITS = 20  # that are each tried without: hundreds would take minutes
ELSEWHERE = " A machine in another network would survive its loss."

NOTHING: frozenset[Allowed] = frozenset()


@dataclass(frozen=True, slots=True)
class Advice:
    """What to change, or why nothing.

    `after` and `proof` are None where nothing is to change: then `because` says why. `remarks` are what no change of
    records helps, and what was left alone on purpose.
    """

    before: Scorecard
    edits: tuple[Edit, ...]
    after: Scorecard | None
    proof: Difference | None
    because: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def gone(self) -> tuple[Line, ...]:
        """The lines to take out."""
        return tuple(line for edit in self.edits for line in edit.gone)

    @property
    def new(self) -> tuple[Line, ...]:
        """The lines to put in."""
        return tuple(line for edit in self.edits for line in edit.new)


def advise(records: Records, view: View, allowed: frozenset[Allowed] = NOTHING) -> Advice:
    """The smallest change that reaches what records can reach: of the candidates only those that a goal needs."""
    before = measure("before", records, view)
    every = candidates(records, allowed) if records.machines else ()
    affordable = _affordable(records, every, view, before.marks)
    edits = _needed(records, affordable, view, before.marks)
    after = measure("after", Records.of(edited(records.snapshot, edits)), view) if edits else None
    remarks = tuple(_remarks(after or before, view, allowed, is_dear=len(affordable) < len(every)))
    if after is None:
        return Advice(before, (), None, None, tuple(_sane(before)), remarks)
    return Advice(before, tuple(edits), after, difference(before, after), (), remarks)


def _affordable(records: Records, every: Sequence[Edit], view: View, before: Marks) -> tuple[Edit, ...]:
    """The edits, less those that give machines names of their own if that costs too much."""
    if any(edit.splits for edit in every):
        after = Records.of(edited(records.snapshot, every))
        if _names(after) > MOST_MX or mark(after, view).questions > MOST_QUESTIONS * before.questions:
            return tuple(edit for edit in every if not edit.splits)
    return tuple(every)


def _needed(records: Records, every: Sequence[Edit], view: View, before: Marks) -> list[Edit]:
    """The edits that a goal needs: all of them if together they gain, less those without which nothing is lost."""
    if not every:
        return []
    edits, best = list(every), _mark(records, every, view)
    if not _beats(best, before):
        return []
    for edit in every if len(every) <= MOST_EDITS else ():
        fewer = [other for other in edits if other is not edit]
        if fewer and not _beats(best, _mark(records, fewer, view)):
            edits = fewer
    return edits


def _mark(records: Records, edits: Sequence[Edit], view: View) -> Marks:
    return mark(Records.of(edited(records.snapshot, edits)), view)


def _beats(these: Marks, others: Marks) -> bool:
    """Whether marks are better by what is worth the work: survival before balance, balance before DNS."""
    gains = (
        (these.kept - others.kept) / WORTH_KEPT,
        (others.load - these.load) / WORTH_LOAD,
        (others.octets - these.octets) / WORTH_OCTETS,
    )
    return next((gain for gain in gains if abs(gain) >= 1), Fraction(0)) > 0


def _names(records: Records) -> int:
    return len(records.snapshot.mx.records) if isinstance(records.snapshot.mx, Found) else 1


def _sane(card: Scorecard) -> Iterator[str]:
    """Why nothing is to change."""
    machines = card.records.machines
    if not machines:
        yield "no machine takes mail for it, and records alone make none"
    elif len(machines) == 1:
        yield f"there is one machine, {machines[0]}, whose name is another's: ask its operator for a second"
    else:
        yield numbers(Goal.FAILOVER, card)
        yield balance(card)
        yield "no change to the records is worth the work"


def _remarks(card: Scorecard, view: View, allowed: frozenset[Allowed], *, is_dear: bool) -> Iterator[str]:
    """What no change of records helps, and what is left alone on purpose."""
    for fate in card.fates:
        if fate.kind not in ("one-address", "no-backup", "one-machine"):
            yield f"{fate.text}{ELSEWHERE if fate.kind == 'same-network' else ''}"
    if card.records.backups and Allowed.BACKUPS not in allowed:
        rest = "stands by as a backup" if len(card.records.backups) == 1 else "stand by as backups"
        told = listing(map(str, card.records.backups))
        yield f"{told} {rest}, as the preference says; --use-backups would balance over all machines."
    yield from _crowded(card, view, allowed, is_dear=is_dear)
    yield from card.caveats
    waiting = [each.sender for each in card.survivals if len(each.waits) == 1 and not card.whole.by[each.sender].unable]
    if waiting and len(card.records.machines) > 1:
        yield f"Some mail of {card.mix.whom(waiting)} waits when one machine is lost: no fail-over there."


def _crowded(card: Scorecard, view: View, allowed: frozenset[Allowed], *, is_dear: bool) -> Iterator[str]:
    """Names with several machines: why they stay as they are, and what DNS does for them."""
    records = card.records
    names = list(dict.fromkeys(name for machine in records.machines for name in machine.exchangers))
    if len(names) >= len(records.machines) or len(records.machines) == 1:
        return
    told = f"{named(len(records.machines), 'machine')} stand behind {named(len(names), 'name')}"
    if is_dear:
        yield f"{told}: a name for each takes more than {MOST_MX} MX records, or more than twice the DNS questions."
    elif not any(is_within(name, registered(str(records.snapshot.domain))) for name in names):
        yield f"{told}, whose addresses are their operator's to change."
    elif Allowed.SPLIT not in allowed:
        yield f"{told}, and are left there; --allow split asks for a name for each."
    if view.dns_order is DnsOrder.FIXED:
        turned = replace(view, dns_order=DnsOrder.ROTATE).look(records)
        load = max(map(turned.first, records.machines))
        then, now = card.mix.percent(load), card.mix.percent(card.load)
        if card.load - load >= WORTH_LOAD and then != now:
            yield (
                f"Make sure that your name servers rotate the addresses of a name: {then} of first contacts then go "
                f"to the busiest machine, in a fixed order {now}."
            )
