"""What a rule finds: where, what was seen, and the zone lines that fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postroad.words.names import Address


class Severity(StrEnum):
    """The severity of a finding: only what loses or delays mail is an error.

    Only what loses or delays mail is an error.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Place:
    """The subject of a finding: the domain as a whole, an exchanger, or one address of it."""

    domain: str
    preference: int | None = None
    exchange: str | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem found: where, what was seen, and the zone lines that fix it ("" if no zone line can)."""

    rule: str
    severity: Severity
    place: Place
    seen: str
    fix: str = ""
    line: str = ""  # file:line of the record, for zone files
    inconclusive: bool = False  # it could not be looked at, for a reason that may be ours


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding as the function of a rule yields it, before the rule adds its id and severity."""

    place: Place
    seen: str
    fix: str = ""
    line: str = ""
    severity: Severity | None = None  # None: the rule's own
    inconclusive: bool = False

    def by(self, rule: str, severity: Severity) -> Finding:
        """The finding of a rule."""
        return Finding(
            rule, self.severity or severity, self.place, self.seen, self.fix, self.line, inconclusive=self.inconclusive
        )


def unknown(place: Place, seen: str) -> Seen:
    """What could not be looked at, for a reason that may be ours: told, and never red."""
    return Seen(place, seen, severity=Severity.INFO, inconclusive=True)
