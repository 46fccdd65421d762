"""What counts for the TLS reports of a day: sessions, each under the policy that was applied (RFC 8460).

A session is a connection on which TLS was negotiated, or should have been: further mail on it does not count again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any

from postroad.words.facts import Found
from postroad.words.light import light
from postroad.words.names import Address
from postroad.words.outcome import Phase
from postroad.words.policies import DaneFacts, StsKnown
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel
from postroad.words.trail import Contact

MOST_ROWS = 10_000
"""Rows in memory that are not in a store yet; what finds no room is not counted."""

MOST_KINDS = 200
"""Kinds of failure of a day that a reader is told apart: strangers choose the names and addresses in them."""

MOST_READERS = 20_000

REASON = 300
"""Characters of a reason: "a short text field" (RFC 8460 section 4.3.3)."""


MOST_HELO = 255  # characters: whatever is longer is no name


class PolicyType(StrEnum):
    """The type of the policy that was applied (RFC 8460 section 4.4)."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


@light(frozen=True, slots=True)
class ReportedPolicy:
    """A policy as reports name it: its type, its domain, its text, and for MTA-STS its patterns of exchangers."""

    type: PolicyType
    domain: str
    strings: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()


@light(frozen=True, slots=True)
class Watch:
    """The way sessions with an exchanger count: under which policy, and in whose reports.

    `trouble` is a policy that could not be had, and why: it fails with each session, besides.
    """

    readers: tuple[str, ...]
    policy: ReportedPolicy | None
    trouble: tuple[ReportedPolicy, Miss] | None = None


@light(frozen=True, slots=True)
class SessionRow:
    """Sessions that a report does not tell apart: their policy, and how, where and between whom they failed.

    Without a failure they met the policy. `reason` is one of those given, `helo` one of the names by which the host
    answered EHLO: neither tells rows apart, for strangers choose them.
    """

    policy: ReportedPolicy
    failure: TlsFailure | None = None
    exchange: str = ""
    sender: str = ""
    receiver: str = ""
    reason: str = field(default="", compare=False)
    helo: str = field(default="", compare=False)

    def told_with(self, other: SessionRow) -> SessionRow:
        """One of two rows that are the same, whichever comes first, with a reason and a name of the two."""
        return replace(self, reason=max(self.reason, other.reason), helo=max(self.helo, other.helo))

    @property
    def text(self) -> str:
        """As JSON, for a store."""
        it = self.policy
        facts = [it.type, it.domain, it.strings, it.mx, self.failure, self.exchange, self.sender, self.receiver]
        return json.dumps([*facts, self.reason, self.helo], separators=(",", ":"))

    @property
    def name(self) -> str:
        """What tells it from other rows, in a few characters."""
        return sha256(replace(self, reason="", helo="").text.encode()).hexdigest()[:24]


def read_row(text: str) -> SessionRow | None:
    """The row in what a store has; None if nobody wrote that."""
    try:
        type_, domain, strings, mx, failure, *rest = json.loads(text)
        policy = ReportedPolicy(PolicyType(type_), domain, tuple(strings), tuple(mx))
        row = SessionRow(policy, TlsFailure(failure) if failure else None, *rest)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (row.exchange, row.sender, row.receiver, row.reason, row.helo)
    told: tuple[Any, ...] = (domain, *texts, *policy.strings, *policy.mx)
    return row if all(type(each) is str for each in told) else None


def watch_of(domain: str, exchange: str, demand: Demand, dane: DaneFacts, sts: StsKnown) -> Watch | None:
    """How sessions with an exchanger of a policy domain count; None: our own settings ask, which is nobody's business.

    The domain that mail is for reads of all of them; that of the TLSA records (RFC 8460 section 1.1) of those under
    them.
    """
    lost = sts.failure and (_sts(domain, sts), Miss(sts.failure, sts.why))
    trouble = lost or None
    match demand.by:
        case Authority.DANE:
            base = dane.base or exchange
            records = map(str, dane.tlsa.records) if isinstance(dane.tlsa, Found) else ()
            tlsa = ReportedPolicy(PolicyType.TLSA, base, tuple(sorted(records)))
            return Watch((domain,) if base == domain else (domain, base), tlsa, trouble)
        case Authority.MTA_STS:
            return Watch((domain,), _sts(domain, sts), trouble)
        case Authority.NONE:
            policy = None if trouble else ReportedPolicy(PolicyType.NONE, domain)
            return Watch((domain,), policy, trouble)
        case Authority.ROUTE if demand.missed and demand.missed.failure is TlsFailure.DANE_REQUIRED:
            return Watch((domain,), ReportedPolicy(PolicyType.NONE, domain))
        case _:
            return None


def _sts(domain: str, known: StsKnown) -> ReportedPolicy:
    """A policy of MTA-STS as its text (RFC 8460 section 4.5); without one, that there should be one."""
    it = known.policy
    if it is None:
        return ReportedPolicy(PolicyType.STS, domain)
    lines = ("version: STSv1", f"mode: {it.mode}", *(f"mx: {name}" for name in it.mx), f"max_age: {it.max_age_s}")
    return ReportedPolicy(PolicyType.STS, domain, lines, it.mx)


_BEYOND_TLS = frozenset({Phase.AUTH, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT})


def rows_of(contact: Contact, watch: Watch, source: Callable[[Address], str]) -> Iterator[SessionRow]:
    """What a contact counts for: nothing, unless it is a session of its own. `source` knows our end of a connection."""
    proof = contact.proof
    if proof is None or contact.reused or contact.clear_again or contact.is_unused:
        return
    if contact.target.demand.by is Authority.MESSAGE:  # its sender has set the policy aside (RFC 8689)
        return
    miss = proof.miss
    if miss is None and proof.level is TlsLevel.CLEAR:
        if contact.phase not in _BEYOND_TLS:  # it ended before: "not required to be reported" (section 4.3.4)
            return
        miss = Miss(TlsFailure.STARTTLS_NOT_SUPPORTED, "the host does not offer STARTTLS")
    if watch.trouble:
        lost, why = watch.trouble
        yield SessionRow(lost, why.failure, reason=why.why[:REASON])
    if watch.policy and miss:
        target = contact.target
        yield SessionRow(
            watch.policy,
            miss.failure,
            target.exchange,
            "" if target.demand.missed else source(target.address),
            "" if target.demand.missed else target.where,
            miss.why[:REASON],
            _helo(contact.helo),
        )
    elif watch.policy:
        yield SessionRow(watch.policy)


def _helo(name: str) -> str:
    """A name that a host gave itself, if it can be one."""
    return name if len(name) <= MOST_HELO and name.isascii() and name.isprintable() else ""


Counted = tuple[str, str, SessionRow]
"""Where a session counts: the day, the domain that reads of it, and the row."""


@dataclass(slots=True)
class _Seen:
    """The failures that a reader is told apart, of a day."""

    day: str
    rows: set[SessionRow] = field(default_factory=set)


class SessionTally:
    """The counts since they were last cut; what strangers can make of it has bounds. `lost` found no room."""

    def __init__(self, most_rows: int = MOST_ROWS, most_kinds: int = MOST_KINDS) -> None:
        self._most_rows = most_rows
        self._most_kinds = most_kinds
        self._counts: dict[Counted, tuple[SessionRow, int]] = {}
        self._seen: dict[str, _Seen] = {}
        self.lost = 0

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, day: str, reader: str, row: SessionRow) -> None:
        """Count a session."""
        if row.failure:
            row = self._told_apart(day, reader, row)
        self._add((day, reader, row), 1)

    def cut(self) -> dict[Counted, int]:
        """What was counted, which is counted here no more."""
        counts, self._counts = self._counts, {}
        return {(day, reader, row): count for (day, reader, _), (row, count) in counts.items()}

    def put_back(self, counts: Mapping[Counted, int]) -> None:
        """Count again what was cut: it could not be kept."""
        for place, count in counts.items():
            self._add(place, count)

    def _add(self, place: Counted, count: int) -> None:
        before = self._counts.get(place)
        if before is None and len(self._counts) >= self._most_rows:
            self.lost += count
            return
        row, so_far = before or (place[2], 0)
        self._counts[place] = row.told_with(place[2]), so_far + count

    def _told_apart(self, day: str, reader: str, row: SessionRow) -> SessionRow:
        seen = self._seen.get(reader)
        if seen is None or seen.day != day:
            if len(self._seen) >= MOST_READERS:
                self._seen.clear()
            seen = self._seen[reader] = _Seen(day)
        if row not in seen.rows:
            if len(seen.rows) >= self._most_kinds:
                return SessionRow(row.policy, row.failure, reason="one of many kinds")
            seen.rows.add(row)
        return row
