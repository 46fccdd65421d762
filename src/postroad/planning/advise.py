"""The smallest change of records that reaches the goals (survival, balance, no needless DNS), proven by forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from postroad.planning.compare import Difference, difference
from postroad.planning.crowd import View
from postroad.planning.phrases import listing, percent
from postroad.planning.records import Line
from postroad.planning.repair import Edit, candidates, edited
from postroad.planning.standing import Standing, measure
from postroad.planning.traffic import traffic
from postroad.words.facts import Snapshot

# What a change must gain to be worth the work, or lose to be refused.
WORTH_KEPT = Fraction(1, 100)  # of all mail, in the first attempt with one server lost
WORTH_TILT = Fraction(1, 50)  # of an even share
WORTH_OCTETS = Fraction(8)  # of DNS for one message: half of what one needless address costs in an answer
MOST_EDITS = 20  # that are each tried without: hundreds would take minutes


@dataclass(frozen=True, slots=True)
class Marks:
    """How records do at the goals: `kept` of all mail with any one server refusing; `tilt` of the busiest server.

    The tilt is each sender's own, by weight: two senders that lean to different servers do not make a balance, for
    nobody knows how much mail each sends.
    """

    kept: Fraction
    tilt: Fraction
    octets: Fraction

    def beats(self, other: Marks) -> bool:
        """Whether these are better by what is worth the work: survival before balance, balance before DNS."""
        gains = (
            (self.kept - other.kept) / WORTH_KEPT,
            (other.tilt - self.tilt) / WORTH_TILT,
            (other.octets - self.octets) / WORTH_OCTETS,
        )
        return next((gain for gain in gains if abs(gain) >= 1), Fraction(0)) > 0


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
    remarks = _remarks(before, use_backups=use_backups)
    edits = _needed(snapshot, candidates(snapshot, use_backups=use_backups), view) if before.servers else []
    if not edits:
        return Advice(before, (), None, None, _sane(before), remarks)
    after = measure("after", edited(snapshot, edits), view)
    proof = difference(before, after, view)
    return Advice(before, tuple(edits), after, proof, _gains(before, after), remarks)


def _needed(snapshot: Snapshot, every: Sequence[Edit], view: View) -> list[Edit]:
    """The edits that a goal needs: all of them if together they gain, less those without which nothing is lost."""
    edits, best = list(every), marks(edited(snapshot, every), view)
    if not every or not best.beats(marks(snapshot, view)):
        return []
    for edit in every if len(every) <= MOST_EDITS else ():
        fewer = [other for other in edits if other is not edit]
        if fewer and not best.beats(marks(edited(snapshot, fewer), view)):
            edits = fewer
    return edits


def marks(snapshot: Snapshot, view: View) -> Marks:
    """How records do at the goals, with as few forecasts as that takes."""
    whole = view.look(snapshot)
    lost = view.each_lost(snapshot, whole)
    weighed = [(view.crowd.weights.get(name, Fraction(0)), name, each) for name, each in whole.by.items()]
    tilt = sum((part * max(each.first.values(), default=Fraction(0)) for part, _, each in weighed), Fraction(0))
    octets = sum(
        (part * traffic(each, view.crowd.senders[name].asks).octets for part, name, each in weighed), Fraction(0)
    )
    kept = min((outlook.delivered for outlook in lost.values()), default=Fraction(0))
    return Marks(kept, tilt * len(lost), octets)


def _gains(before: Standing, after: Standing) -> tuple[str, ...]:
    """What the change reaches for each goal."""
    even = percent(Fraction(1, len(after.servers)))
    kept, kept_before = percent(after.kept), percent(before.kept)
    load, load_before = percent(after.load), percent(before.load)
    cost, cost_before = (
        f"{float(each.questions):.1f} questions and {float(each.octets):.0f} octets" for each in (after, before)
    )
    return (
        f"survival: with any one server refusing {kept} of mail gets through at once, before {kept_before}",
        f"balance: {load} of first contacts on the busiest server, before {load_before} (even: {even})",
        f"DNS: {cost} a message, before {cost_before}",
    )


def _sane(standing: Standing) -> tuple[str, ...]:
    """Why nothing is to change."""
    if not standing.servers:
        return ("no server takes mail for it, and records alone make none",)
    if len(standing.servers) == 1:
        return (f"there is one server, {standing.servers[0]}, and no change of records makes two of it",)
    best = min(server.preference for server in standing.servers)
    front = [server for server in standing.servers if server.preference == best]
    even = percent(Fraction(1, len(front)))
    load = f"the busiest of {len(front)} servers gets {percent(standing.load)} of first contacts (even: {even})"
    return (
        f"with any one server refusing {percent(standing.kept)} of mail gets through at once",
        load if len(front) > 1 else f"{front[0]} gets all mail first, as its preference says",
        "no record is needless",
    )


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
