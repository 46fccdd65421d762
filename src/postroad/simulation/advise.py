"""The smallest change of records that reaches the goals (survival, balance, no needless DNS), proven by forecasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from postroad.simulation.compare import Difference, Goal, difference, numbers
from postroad.simulation.crowd import View
from postroad.simulation.phrases import listing, percent
from postroad.simulation.records import Line
from postroad.simulation.repair import Edit, candidates, edited
from postroad.simulation.standing import Standing, measure
from postroad.words.facts import Snapshot

# What a change must gain to be worth the work, and may cost at most in another goal. Kept: a part of all mail in the
# first attempt with one server lost; tilt: of an even share; octets: of DNS for one message.
WORTH_KEPT = Fraction(1, 100)
WORTH_TILT = Fraction(1, 50)
WORTH_OCTETS = Fraction(8)  # half of the 16 octets that one needless address costs in an answer


@dataclass(frozen=True, slots=True)
class Advice:
    """What to change, or why nothing.

    `after` and `proof` are None where nothing is to change; `because` says why, or what the change reaches. `remarks`
    are what no change of records mends, and what was left alone on purpose.
    """

    before: Standing
    edits: tuple[Edit, ...]
    after: Standing | None
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


def advise(snapshot: Snapshot, view: View, *, use_backups: bool = False) -> Advice:
    """The smallest change that reaches what records can reach: of the candidates only those that a goal needs."""
    before = measure("before", snapshot, view)
    every = candidates(snapshot, use_backups=use_backups)
    remarks = _remarks(before, use_backups=use_backups)

    def after(edits: Sequence[Edit]) -> Standing:
        return measure("after", edited(snapshot, edits), view)

    if every and before.servers:
        edits = _needed(before, every, after)
        if edits:
            reached = after(edits)
            proof = difference(before, reached, view)
            return Advice(before, tuple(edits), reached, proof, _gains(before, reached), remarks)
    return Advice(before, (), None, None, _sane(before), remarks)


def _needed(before: Standing, every: Sequence[Edit], after: Callable[[Sequence[Edit]], Standing]) -> list[Edit]:
    """The edits that a goal needs: all of them if together they gain, less those without which nothing is lost."""
    best = after(every)
    if not _better(before, best):
        return []
    edits = list(every)
    for edit in every:
        fewer = [other for other in edits if other is not edit]
        if fewer and not _better(after(fewer), best):
            edits = fewer
    return edits


def _better(old: Standing, new: Standing) -> bool:
    """Whether the new records reach more: survival counts before balance, and balance before DNS."""
    gains = (
        (new.kept - old.kept) / WORTH_KEPT,
        (old.tilt - new.tilt) / WORTH_TILT,
        (old.octets - new.octets) / WORTH_OCTETS,
    )
    first = next((gain for gain in gains if abs(gain) >= 1), Fraction(0))
    return first > 0


def _gains(before: Standing, after: Standing) -> tuple[str, ...]:
    """What the change reaches, goal by goal where the numbers differ."""
    goals = [goal for goal in Goal if numbers(goal, before) != numbers(goal, after)]
    return tuple(f"{goal}: {numbers(goal, after)}; before: {numbers(goal, before)}." for goal in goals)


def _sane(standing: Standing) -> tuple[str, ...]:
    """Why nothing is to change."""
    if not standing.servers:
        return ("no server takes mail for it, and records alone make none",)
    if len(standing.servers) == 1:
        return (f"there is one server, {standing.servers[0]}, and no change of records makes two of it",)
    return tuple(f"{goal}: {numbers(goal, standing)}" for goal in (Goal.BALANCE, Goal.FAILOVER, Goal.DNS_COST))


def _remarks(standing: Standing, *, use_backups: bool) -> tuple[str, ...]:
    """What no change of records mends, and what is left alone on purpose."""
    best = min((server.preference for server in standing.servers), default=0)
    backups = [str(server) for server in standing.servers if server.preference > best]
    found = [fate.text for fate in standing.fates if fate.kind not in ("one-address", "no-backup")]
    if backups and not use_backups:
        rest = "rests as a backup" if len(backups) == 1 else "rest as backups"
        found.append(f"{listing(backups)} {rest}, as the preference says; --use-backups balances over all servers.")
    waiting = [name for name, each in standing.whole.by.items() if _waits(standing, name) and not each.unable]
    if waiting and len(standing.servers) > 1:
        part = percent(sum((standing.weights.get(name, Fraction(0)) for name in waiting), Fraction(0)))
        found.append(f"Of {listing(waiting)} ({part} of mail) some waits when one server is lost: no fail-over there.")
    return tuple(found)


def _waits(standing: Standing, name: str) -> bool:
    """Whether some mail of a sender waits when a single server is lost."""
    survival = next(each for each in standing.survivals if each.sender == name)
    return len(survival.waits) == 1
