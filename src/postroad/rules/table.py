"""The MX set as rules look at it: each record with what is known of its host, usable or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import count, groupby
from typing import TYPE_CHECKING, TypeVar, cast

from postroad import planning
from postroad.routing import Refusal
from postroad.rules import lines
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity
from postroad.words.facts import Answer, Bogus, HostFacts, Mx, NoName, Temporary
from postroad.words.names import Address, is_address_like, parse_address
from postroad.words.outcome import Result
from postroad.words.trail import Target

if TYPE_CHECKING:
    from postroad.planning import Machine

T = TypeVar("T")

NAMED = 6  # of the things that a finding lists; beyond it the rest is counted


@dataclass(frozen=True, slots=True)
class MxRow:
    """One MX record and the addresses of its target, IPv4 first. `facts` is None where the name was not asked for."""

    record: Mx
    place: Place
    line: str  # file:line
    facts: HostFacts | None
    addresses: tuple[Address, ...]

    @property
    def name(self) -> str:
        """The exchange."""
        return self.record.exchange

    def seen(self, text: str, fix: str = "", severity: Severity | None = None) -> Seen:
        """Something seen of this record."""
        return Seen(self.place, text, fix, self.line, severity)

    @property
    def is_unknown(self) -> bool:
        """Whether nobody could say what addresses it has."""
        trouble = self.facts is None or any(isinstance(each, Temporary | Bogus) for each in answers(self.facts))
        return trouble and not self.addresses

    @property
    def written_address(self) -> Address | None:
        """The IP address that stands in place of a name: as it is, or completed by the zone for want of a final dot."""
        if not (is_address_like(self.name) or self.is_missing):
            return None
        labels = self.name.split(".")
        read = (parse_address(".".join(labels[:end])) for end in range(1, len(labels) + 1))
        return next((address for address in read if address), None)

    @property
    def is_alias(self) -> bool:
        """Whether the name is an alias, whatever was found behind it."""
        return self.facts is not None and any(each.aliases for each in answers(self.facts))

    @property
    def circle(self) -> tuple[str, ...]:
        """The aliases that lead back to one of them, that one last; () where they end somewhere."""
        troubles = [each for each in answers(self.facts) if isinstance(each, Bogus)] if self.facts else []
        return next(((*each.aliases, each.name) for each in troubles if each.name in each.aliases), ())

    @property
    def is_missing(self) -> bool:
        """Whether the name does not exist."""
        return self.facts is not None and all(isinstance(each, NoName) for each in answers(self.facts))


def once(work: Callable[[Evidence], T]) -> Callable[[Evidence], T]:
    """Work the same out once for all rules that want it: dozens of them look at the same rows."""

    @wraps(work)
    def remembered(evidence: Evidence) -> T:
        known = evidence.worked_out
        if work not in known:
            known[work] = work(evidence)
        return cast("T", known[work])

    return remembered


def free_names(evidence: Evidence, first: int = 1) -> Iterator[str]:
    """Names for further exchangers, of which none is in use: mx1, mx2 and so on."""
    taken = {row.name for row in rows(evidence)} | {line.owner for line in evidence.lines}
    names = (f"mx{number}.{domain(evidence)}" for number in count(first))
    return (name for name in names if name not in taken)


def domain(evidence: Evidence) -> str:
    """The domain, as text."""
    return str(evidence.snapshot.domain)


def records(evidence: Evidence) -> tuple[Mx, ...]:
    """The MX records as answered, the null MX among them."""
    return evidence.snapshot.mx.records


@once
def rows(evidence: Evidence) -> tuple[MxRow, ...]:
    """Every MX record that names something, by preference, in the order of the answer within one."""
    named = [record for record in records(evidence) if record.exchange]
    return tuple(_row(evidence, record) for record in sorted(named, key=lambda record: record.preference))


@once
def hosts(evidence: Evidence) -> tuple[MxRow, ...]:
    """The rows that have an address, each name once, with its lowest preference."""
    seen: dict[str, MxRow] = {}
    for row in rows(evidence):
        if row.addresses:
            seen.setdefault(row.name, row)
    return tuple(seen.values())


def machines(group: Iterable[MxRow]) -> dict[Address, Machine]:
    """The machine of each address of some rows: the same that survival and advice count."""
    used = (Target(row.name, address, row.record.preference) for row in group for address in row.addresses)
    return {address: machine for machine in planning.machines(used) for address in machine.addresses}


@once
def levels(evidence: Evidence) -> Sequence[tuple[int, tuple[MxRow, ...]]]:
    """The hosts of each preference, the lowest first."""
    grouped = groupby(hosts(evidence), key=lambda row: row.record.preference)
    return tuple((preference, tuple(group)) for preference, group in grouped)


@once
def is_whole(evidence: Evidence) -> bool:
    """Whether the addresses of all exchangers are known: what is said of the set as a whole would else be a guess."""
    return bool(records(evidence)) and not any(row.is_unknown for row in rows(evidence))


def graded(evidence: Evidence) -> Severity:
    """An error where mail has no other way, a warning where other exchangers are left."""
    lost = isinstance(evidence.answer, Refusal) and evidence.answer.result is Result.FAILED
    return Severity.ERROR if lost else Severity.WARNING


def graded_waiting(evidence: Evidence) -> Severity:
    """An error where all mail waits, for no exchanger can be found; a warning where others are left."""
    waits = isinstance(evidence.answer, Refusal) and evidence.answer.result is Result.DEFERRED
    return Severity.ERROR if waits else Severity.WARNING


def answers(facts: HostFacts) -> tuple[Answer[Address], Answer[Address]]:
    """What DNS said for both families."""
    return facts.a, facts.aaaa


def shared_by(group: tuple[MxRow, ...]) -> Iterator[tuple[Address, tuple[MxRow, ...]]]:
    """Each address that several rows have, with them."""
    for address in dict.fromkeys(address for row in group for address in row.addresses):
        owners = tuple(row for row in group if address in row.addresses)
        if len(owners) > 1:
            yield address, owners


def _row(evidence: Evidence, record: Mx) -> MxRow:
    facts = None if is_address_like(record.exchange) else evidence.snapshot.hosts.get(record.exchange)
    found = (facts.a.records + facts.aaaa.records) if facts else ()
    place = Place(domain(evidence), record.preference, record.exchange)
    return MxRow(record, place, lines.where_mx(evidence, record), facts, tuple(dict.fromkeys(found)))
