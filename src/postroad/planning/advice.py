"""The smallest change of records that its own comparison calls a gain, within what it may cost.

A change is worth proposing if `goals.is_gain` says so of the marks that `comparison` shows, if it keeps to the budget,
and if in the records it makes `check` finds no error and nothing new, but for a note where mail is safer. No other
judgement is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from functools import partial

from postroad.models import Families
from postroad.planning.comparison import Difference, difference
from postroad.planning.covering import unlisted, unproven, with_all_listed
from postroad.planning.edits import Allowed, Edit, candidates, edited, is_broken
from postroad.planning.goals import SAFETY, Goal, dns_cost, is_gain, judged, numbers
from postroad.planning.mix import Conditions
from postroad.planning.records import Line, Machine, Records
from postroad.planning.scorecard import Scorecard, Scores, mark, measure
from postroad.simulation import DnsOrder
from postroad.words.facts import Found
from postroad.words.names import AddressLiteral
from postroad.words.phrasebook import counted, listing
from postroad.words.snapshot import Snapshot

WORTH_LOAD = Fraction(1, 100)  # of all mail, on the busiest machine: a remark on less helps nobody
# What a change may cost.
MOST_MX = 10  # records: more than any sender tries, and a large answer
MOST_QUESTIONS = 2  # times the DNS questions of before
MOST_EDITS = 20  # that are each tried without: hundreds would take minutes
MOST_TRIED = 8  # of which a part is tried where all together are no gain
MOST_NAMED = 3  # machines in one sentence

NOTHING: frozenset[Allowed] = frozenset()


class Weight(StrEnum):
    """The importance of a finding of `check` for advice."""

    ERROR = "error"  # it must be fixed first; so must what nobody could look up, for who knows what that changes
    WARNING = "warning"
    NOTE = "note"  # worth knowing beside any advice


@dataclass(frozen=True, slots=True)
class CheckTrouble:
    """A finding of `check` as advice has it: the rule, the name it is about, what was seen, and why that matters.

    `fixable`: zone lines do away with it.
    """

    rule: str
    about: str
    weight: Weight
    seen: str = field(compare=False)
    why: str = field(default="", compare=False)
    fixable: bool = field(default=True, compare=False)


Check = Callable[[Snapshot], Sequence[CheckTrouble]]
"""What `check` finds in a domain's records: errors, warnings and notes."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The changes proposed for a domain's records, or why there are none.

    `after` and `proof` are None where no change is proposed: then `because` says why. `troubles` are what `check`
    finds or notes, and still would after the change. `remarks` are what no change of records helps, and what was left
    alone on purpose. `listed` are the exchangers, old and new, that the domain's MTA-STS policy has to list first.
    """

    before: Scorecard
    edits: tuple[Edit, ...]
    after: Scorecard | None
    proof: Difference | None
    troubles: tuple[CheckTrouble, ...]
    because: tuple[str, ...]
    remarks: tuple[str, ...]
    listed: tuple[str, ...] = ()

    @property
    def is_sane(self) -> bool:
        """Whether the records can stay as they are: mail has a way or is declined, and `check` warns of nothing."""
        records = self.before.records
        if self.edits or self.listed or self._is_troubled or records.unknown:
            return False
        return bool(records.machines) or _takes_none(records)

    @property
    def headline(self) -> str:
        """The advice in one sentence."""
        domain = self.before.records.snapshot.domain
        if isinstance(domain, AddressLiteral):
            way = "" if self.before.records.machines else "no machine takes its mail, and "
            return f"{domain}: {way}an address literal has no records to change."
        policy = f"add {counted(len(self.listed), 'line')} to the MTA-STS policy"
        if self.edits:
            change = f"change {counted(len(self.gone) + len(self.new), 'line')}"
            return f"{domain}: first {policy}, then {change}." if self.listed else f"{domain}: {change}."
        if self.listed:
            return f"{domain}: {policy}."
        unknown = self.before.records.unknown
        if unknown and not self.is_to_fix:
            return f"{domain}: no advice before the addresses of {listing(unknown)} can be looked up."
        if _takes_none(self.before.records):
            rest = "nothing to change" if self.is_sane else "but check finds something"
            return f"{domain} takes no mail, and its null MX says so: {rest}."
        if not self.before.records.machines:
            way = (
                "first fix what check finds" if self._is_troubled else "give it an MX record whose name has an address"
            )
            return f"{domain}: no machine takes its mail; {way}."
        if _has_error(self.troubles) or is_broken(self.before.records):
            return f"{domain}: no change to propose before what check finds is fixed."
        if self._is_troubled:
            return f"{domain}: no better records to propose, but fix what check finds."
        if any(each.fixable for each in self.troubles):
            return f"{domain}: no better records to propose, but see what check notes."
        return f"{domain}: nothing to change."

    @property
    def is_to_fix(self) -> bool:
        """Whether zone lines must change before any advice, and `check` says which."""
        return any(each.weight is Weight.ERROR and each.fixable for each in self.troubles)

    @property
    def _is_troubled(self) -> bool:
        return any(each.weight is not Weight.NOTE for each in self.troubles)

    @property
    def gone(self) -> tuple[Line, ...]:
        """The lines to take out."""
        return tuple(line for edit in self.edits for line in edit.gone)

    @property
    def new(self) -> tuple[Line, ...]:
        """The lines to put in."""
        return tuple(line for edit in self.edits for line in edit.new)


def advise(
    records: Records,
    view: Conditions,
    check: Check,
    allowed: frozenset[Allowed] = NOTHING,
    taken: frozenset[str] = frozenset(),
) -> Advice:
    """The smallest change that is a gain: of the candidates only those without which something would be lost.

    `taken` are the names that it must not make because they are there for something else.
    """
    name = str(records.snapshot.domain)
    before = measure(name, records, view)
    if isinstance(records.snapshot.domain, AddressLiteral):
        return Advice(before, (), None, None, (), (), ())
    base = with_all_listed(records)
    marks = before.marks if base is records else mark(base, view)
    found = tuple(check(records.snapshot))
    trial = _Trial(base, view, check, marks, frozenset(found))
    every, apart = (candidates(base, each, _needed(view), taken) for each in (allowed, allowed | {Allowed.SPLIT}))
    choices = () if is_broken(records) else _choices(every)
    edits = next((trial.least(some) for some in choices if trial.is_worth(some)), ())
    if not edits:
        listed = unlisted(records)
        if _has_error(found) or records.unknown or is_broken(records):
            return Advice(before, (), None, None, found, (), (), listed)
        remarks = tuple(_remarks(before, view, allowed, partial(trial.told_apart, before, apart)))
        reasons = tuple(_reasons(before, allowed))
        if not listed:
            return Advice(before, (), None, None, found, reasons, remarks)
        after = measure(f"{name} after the change", base, view)
        return Advice(before, (), after, difference(before, after), found, reasons, remarks, listed)
    after = measure(f"{name} after the change", trial.records(edits), view)
    remarks = tuple(_remarks(after, view, allowed, partial(trial.told_apart, after, apart)))
    proof, first = difference(before, after), tuple(unproven(records, after.records))
    return Advice(
        before,
        edits,
        after,
        proof,
        tuple(check(after.records.snapshot)),
        (),
        (*first, *remarks),
        unlisted(after.records, records),
    )


def _needed(view: Conditions) -> list[int]:
    """The families that some sender has nothing else than."""
    only = {Families.V4_ONLY: 4, Families.V6_ONLY: 6}
    return sorted({only[each.families] for each in view.mix.senders.values() if each.families in only})


def _choices(every: tuple[Edit, ...]) -> Iterator[tuple[Edit, ...]]:
    """All edits together; where that is no gain those that need no new name: all, all but one, each alone.

    A name of its own is for all machines or for none: one of many is nothing that a postmaster would do.
    """
    yield every
    plain = tuple(edit for edit in every if not edit.splits)
    yield plain
    if len(plain) <= MOST_TRIED:
        yield from (tuple(other for other in plain if other is not edit) for edit in plain)
        yield from ((edit,) for edit in plain)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Changes of one set of records, each judged as the comparison judges it that is shown as its proof."""

    before: Records
    view: Conditions
    check: Check
    marks: Scores
    troubles: frozenset[CheckTrouble]
    made: dict[tuple[Edit, ...], Records] = field(default_factory=dict)
    known: dict[tuple[Edit, ...], Scores] = field(default_factory=dict)

    def records(self, edits: tuple[Edit, ...]) -> Records:
        """The records after some edits; what was worked out of them is kept there."""
        if edits not in self.made:
            self.made[edits] = with_all_listed(Records.of(edited(self.before.snapshot, edits)))
        return self.made[edits]

    def after(self, edits: tuple[Edit, ...]) -> Scores:
        """How they do; what was worked out once is kept."""
        if edits not in self.known:
            self.known[edits] = mark(self.records(edits), self.view)
        return self.known[edits]

    def is_worth(self, edits: tuple[Edit, ...]) -> bool:
        """Whether the edits are a gain within the budget, and make no trouble."""
        if not edits or self._has_too_many_names(edits) or not is_gain(self.marks, self.after(edits)):
            return False
        left = self.check(self.records(edits).snapshot)
        new = [each for each in left if each not in self.troubles]
        return not self._is_costly(edits) and not _has_error(left) and self._may_come(new, edits)

    def _may_come(self, new: Sequence[CheckTrouble], edits: tuple[Edit, ...]) -> bool:
        """Whether new findings are no reason against edits: a note is none against mail that gets through."""
        is_minor = all(each.weight is Weight.NOTE for each in new)
        return not new or (is_minor and any(judged(goal, self.marks, self.after(edits)) > 0 for goal in SAFETY))

    def least(self, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
        """The edits, less those without which the rest is as good."""
        for edit in edits if len(edits) <= MOST_EDITS else ():
            fewer = tuple(other for other in edits if other is not edit)
            if self.is_worth(fewer) and not is_gain(self.after(fewer), self.after(edits)):
                edits = fewer
        return edits

    def told_apart(self, card: Scorecard, apart: tuple[Edit, ...]) -> str:
        """What a name of its own for each machine would cost or bring, beyond the records of a card."""
        if self._has_too_many_names(apart):
            return f"and are left there: a name for each takes more than {MOST_MX} MX records"
        if self._is_costly(apart):
            return "and are left there: a name for each takes more than twice the DNS questions"
        if not self.is_worth(apart) or not is_gain(card.marks, self.after(apart)):
            return "and are left there: a name for each would be no gain"
        wide = measure("", self.records(apart), self.view)
        gains = [goal for goal in Goal if judged(goal, card.marks, wide.marks) > 0]
        told = "; ".join(f"{goal}: {numbers(goal, wide)}" for goal in gains)
        price = "" if Goal.DNS_COST in gains else f", for {dns_cost(wide)} instead of {dns_cost(card)}"
        return f"and are left there; with --allow split each gets a name of its own. Then {told}{price}"

    def _has_too_many_names(self, edits: tuple[Edit, ...]) -> bool:
        return _names(self.records(edits)) > max(MOST_MX, _names(self.before))

    def _is_costly(self, edits: tuple[Edit, ...]) -> bool:
        return self.after(edits).questions > MOST_QUESTIONS * self.marks.questions


def _names(records: Records) -> int:
    return len(records.snapshot.mx.records) if isinstance(records.snapshot.mx, Found) else 1


def _takes_none(records: Records) -> bool:
    mx = records.snapshot.mx
    return isinstance(mx, Found) and not any(record.exchange for record in mx.records)


def _has_error(troubles: Sequence[CheckTrouble]) -> bool:
    """Whether mail is lost or delayed as things are: then no figure of the records means much."""
    return any(each.weight is Weight.ERROR for each in troubles)


def _reasons(card: Scorecard, allowed: frozenset[Allowed]) -> Iterator[str]:
    """Why no change is proposed."""
    machines = card.records.machines
    if len(machines) == 1 and not card.records.is_ours(machines[0].exchangers[0]):
        yield f"There is one machine, {machines[0]}, and its name is in another zone: ask its operator for a second."
    elif machines:
        yield from (f"{goal}: {numbers(goal, card)}." for goal in (Goal.DELIVERY, Goal.FAILOVER, Goal.BALANCE))
        if Allowed.BACKUPS in allowed and card.records.backups:
            yield "Using the backups as equals would not spread the mail more evenly."


def _remarks(card: Scorecard, view: Conditions, allowed: frozenset[Allowed], apart: Callable[[], str]) -> Iterator[str]:
    """What no change of records helps, and what is left alone on purpose."""
    if card.records.backups and Allowed.BACKUPS not in allowed:
        rest = "stays a backup" if len(card.records.backups) == 1 else "stay backups"
        told = _listed(card.records.backups)
        yield f"{told} {rest}, as the preference says; --use-backups balances over all machines."
    yield from _crowded(card, view, apart)
    yield from replace(card, name=str(card.records.snapshot.domain)).caveats
    waiting = [each.sender for each in card.survivals if len(each.waits) == 1 and not card.whole.by[each.sender].unable]
    lone = [each.sender for each in card.survivals if each.sender in waiting and len(each.stops) == 1]
    some = [name for name in waiting if name not in lone]
    for much, names in (("All", lone), ("Some", some)) if len(card.records.machines) > 1 else ():
        if names:
            yield f"{much} mail of {card.mix.whom(names)} waits when one machine is lost: there is no fail-over for it."


def _listed(machines: Sequence[Machine]) -> str:
    return listing(map(str, machines)) if len(machines) <= MOST_NAMED else counted(len(machines), "machine")


def _crowded(card: Scorecard, view: Conditions, apart: Callable[[], str]) -> Iterator[str]:
    """Names with several machines: why they stay as they are, and what DNS does for them."""
    records = card.records
    names = list(dict.fromkeys(name for machine in records.machines for name in machine.exchangers))
    if len(names) >= len(records.machines) or len(records.machines) == 1:
        return
    is_ours = any(map(records.is_ours, names))
    told = f"{counted(len(records.machines), 'machine')} stand behind {counted(len(names), 'name')}"
    why = apart() if is_ours else "whose addresses are their operator's to change"
    yield f"{told}, {why}."
    if view.dns_order is DnsOrder.FIXED:
        load = view.load(records, DnsOrder.ROTATE)
        then, now = card.mix.percent(load), card.mix.percent(card.load)
        if card.load - load >= WORTH_LOAD and then != now:
            who = "Make sure" if is_ours else "Ask their operator to make sure"
            yield (
                f"{who} that the name servers rotate the addresses of a name: {then} of first contacts then go to the "
                f"busiest machine, in a fixed order {now}."
            )
