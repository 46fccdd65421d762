"""How mail spreads among the exchangers: what equals really get, and preferences that do not mean what they seem to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

from postroad.rules import limits, places, table
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity
from postroad.rules.rule import Topic, rule
from postroad.rules.table import MxRow
from postroad.words.names import Address
from postroad.words.phrasebook import listing, percent


@rule(
    "mx-unequal-addresses",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "Equal exchangers with different numbers of addresses",
    why="A sender that chooses among names treats them equally; one that chooses among addresses favours the name "
    "with more of them.",
    source="RFC 5321 5.1",
    no_fix="it would need one more machine, or one fewer",
)
def mx_unequal_addresses(evidence: Evidence) -> Iterator[Seen]:
    for preference, group in table.levels(evidence):
        counts = {row.name: len(row.addresses) for row in group}
        if len(set(counts.values())) > 1 and table.is_whole(evidence):
            total = sum(counts.values())
            by_name = percent(Fraction(1, len(group)))
            shares = [f"{name} {by_name} or {percent(Fraction(count, total))}" for name, count in counts.items()]
            what = f"the equal exchangers at {preference} have {_list(counts)} addresses"
            place = Place(table.domain(evidence), preference)
            yield Seen(place, f"{what}: by name or by address, {'; '.join(shares)}")


@rule(
    "mx-preference-as-weight",
    Severity.NOTE,
    Topic.REDUNDANCY,
    "Preferences used as if they were weights",
    why="Preference sets an order, not a share: to spread mail over similar servers, give them the same preference.",
    source="RFC 5321 5.1",
)
def mx_preference_as_weight(evidence: Evidence) -> Iterator[Seen]:
    levels = table.levels(evidence)
    alone = [group[0] for _preference, group in levels if len(group) == 1]
    stems = {_stem(row.name) for row in alone}
    if any(not places.is_own(evidence, row.name) for row in alone):
        return  # a provider's numbers are the provider's choice: 1, 5 and 10 are what it tells its customers to write
    if len(alone) == len(levels) >= limits.POOL and len(stems) == 1:
        shown = listing([f"{row.name} {row.record.preference}" for row in alone], table.NAMED)
        seen = f"{shown}: while the first is up, it gets all mail and the others none"
        first = levels[0][0]
        fix = "\n".join(f"{table.domain(evidence)}. IN MX {first} {row.name}." for row in alone)
        yield Seen(places.whole(evidence), seen, fix)


@rule(
    "mx-share-skew",
    Severity.INFO,
    Topic.REDUNDANCY,
    "Different senders use the exchangers differently",
    why="Size each server for the sender that favours it most, not for the average.",
    source="RFC 5321 5.1",
    no_fix="each sender chooses for itself",
)
def mx_share_skew(evidence: Evidence) -> Iterator[Seen]:
    """By exchanger: which family a sender uses does not count."""
    hosts = table.hosts(evidence)
    shares = {sender: _by_exchanger(hosts, told) for sender, told in (evidence.shares or {}).items()}
    spans = [_span(row, shares) for row in hosts if len(shares) > 1]
    row, low, high = max(spans, key=_spread, default=(None, (0.0, ""), (0.0, "")))
    if row and 100 * _spread((row, low, high)) > limits.SKEW_PERCENT:
        least, most = (f"{percent(share)} of the mail of {sender}" for share, sender in (low, high))
        yield row.seen(f"{row.name} is the first choice for {least} and for {most}")


_Share = tuple[float, str]  # and whose it is


def _by_exchanger(hosts: tuple[MxRow, ...], told: Mapping[Address, float]) -> dict[str, float]:
    """Shares of addresses added up by name; an address of several names counts for the first."""
    owners = {address: row.name for row in reversed(hosts) for address in row.addresses}
    totals = dict.fromkeys((row.name for row in hosts), 0.0)
    for address, share in told.items():
        if address in owners:
            totals[owners[address]] += share
    return totals


def _span(row: MxRow, shares: Mapping[str, Mapping[str, float]]) -> tuple[MxRow, _Share, _Share]:
    """The lowest and the highest share of an exchanger."""
    ranked = sorted((told[row.name], sender) for sender, told in shares.items())
    return row, ranked[0], ranked[-1]


def _spread(span: tuple[MxRow | None, _Share, _Share]) -> float:
    """The difference of the two shares, less what floating point adds."""
    return round(span[2][0] - span[1][0], 9)


def _stem(name: str) -> str:
    """A name without what numbers it: `mx1` and `mx2` are alike, and so are `mail-a` and `mail-b`."""
    first, _dot, rest = name.partition(".")
    return f"{re.sub(r'([-_]?[0-9]+|[-_][a-z])$', '#', first)}.{rest}"


def _list(counts: dict[str, int]) -> str:
    return listing([str(count) for count in counts.values()], table.NAMED)
