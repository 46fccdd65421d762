"""The MTA-STS policies that a sender keeps: which hold, which are due for a refresh, which fetch failed lately.

Times are wall time, given by the caller. Nothing here waits or asks.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from random import Random
from typing import Any

from postroad.tls.sts import MAX_AGE_S, MODES
from postroad.words.policies import StsPolicy
from postroad.words.tls import TlsFailure

DAY_S = 86400.0
LEAST_S = 300.0
"""A policy holds for so long, whatever its max_age: it is not asked for more often."""

BACKOFF_S = 300.0
"""After a failed fetch of an id; "five minutes or longer per version ID", RFC 8461 section 3.3."""

UNUSED_S = 30 * DAY_S
"""A policy that no mail has needed for so long is not refreshed, and ends by itself."""

MOST_OCTETS = 64 * 1024 * 1024
"""What all policies may take in memory; those unused for longest go first."""

MOST_FAILURES = 10_000


@dataclass(frozen=True, slots=True)
class StsSettings:
    """Whether MTA-STS is used, and how long mail waits for the policy of a domain."""

    is_on: bool = True
    budget_s: float = 5.0


@dataclass(frozen=True, slots=True)
class StsKept:
    """A policy as fetched for an id of the record, when that was, and when mail last needed it."""

    id: str
    policy: StsPolicy
    fetched_at: float
    used_at: float

    @property
    def ends_at(self) -> float:
        """The first moment at which it holds no more."""
        return self.fetched_at + max(self.policy.max_age_s, LEAST_S)

    def holds(self, now: float) -> bool:
        """Whether it must be applied, whatever DNS and HTTPS say (RFC 8461 section 3.3)."""
        return now < self.ends_at

    @property
    def octets(self) -> int:
        """About what it takes in memory."""
        return 500 + sum([60 + len(name) for name in self.policy.mx])

    @property
    def text(self) -> str:
        """As JSON, for a store."""
        it = self.policy
        facts = {"id": self.id, "mode": it.mode, "mx": it.mx, "max_age": it.max_age_s}
        return json.dumps(facts | {"fetched_at": self.fetched_at, "used_at": self.used_at}, separators=(",", ":"))


def read_kept(text: str) -> StsKept | None:
    """The policy in what a store has; None if nobody wrote that."""
    try:
        facts = json.loads(text)
        times = float(facts["fetched_at"]), float(facts["used_at"])
        policy = StsPolicy(facts["mode"], tuple(facts["mx"]), facts["max_age"])
        is_sound = type(facts["id"]) is str and type(facts["mx"]) is list and _is_sound(policy)
        return StsKept(facts["id"], policy, *times) if is_sound and all(map(isfinite, times)) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_sound(policy: StsPolicy) -> bool:
    age: Any = policy.max_age_s  # of whatever type the store had
    are_names = all(type(name) is str for name in policy.mx)
    return policy.mode in MODES and are_names and type(age) is int and 0 <= age <= MAX_AGE_S


@dataclass(frozen=True, slots=True)
class StsFailed:
    """A fetch that failed: of which id, when, why in words, and the kind that reports name."""

    id: str
    at: float
    why: str
    failure: TlsFailure | None
    told_at: float  # when it was last told to people


class StsCache:
    """The policies kept, by domain, and what failed; `rng` makes the times of refreshes unpredictable."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._kept: OrderedDict[str, StsKept] = OrderedDict()  # the one unused for longest first
        self._due: dict[str, float] = {}
        self._over_since: dict[str, float] = {}
        self._failed: OrderedDict[str, StsFailed] = OrderedDict()
        self._octets = 0

    def __len__(self) -> int:
        return len(self._kept)

    def load(self, kept: Iterable[tuple[str, StsKept]], now: float) -> None:
        """Take what a store had. What was fetched in the future has the age 0: the clock was ahead, or is behind."""
        for domain, one in sorted(kept, key=lambda each: each[1].used_at):
            if domain not in self._kept:
                self._put(domain, _not_ahead(one, now))
                self._due[domain] = now + self._rng.uniform(0, _period_s(one))

    def find(self, domain: str, now: float) -> StsKept | None:
        """The policy that holds for a domain."""
        kept = self._kept.get(domain)
        return kept if kept and kept.holds(now) else None

    def use(self, domain: str, now: float) -> StsKept | None:
        """Mail needs the policy that holds; it is returned if a store has to hear of that, once a day."""
        kept = self.find(domain, now)
        if kept is None:
            return None
        self._kept.move_to_end(domain)
        if kept.used_at > now - DAY_S:
            return None
        kept = self._kept[domain] = replace(kept, used_at=now)
        return kept

    def is_sure(self, domain: str, id_: str | None, now: float) -> bool:
        """Whether the policy here is that of an id, and nobody has to hear that it is used."""
        kept = self.find(domain, now)
        return kept is not None and kept.id == id_ and kept.used_at > now - DAY_S

    def is_news(self, domain: str, theirs: StsKept, now: float) -> bool:
        """Whether a policy that another relay has fetched holds, and is newer than ours."""
        ours = self.find(domain, now)
        return theirs.holds(now) and (ours is None or ours.fetched_at < theirs.fetched_at)

    def keep(self, domain: str, kept: StsKept, now: float) -> list[str]:
        """Keep what was just fetched; the domains that had to make room for it."""
        self._put(domain, kept)
        self._failed.pop(domain, None)
        self._over_since.pop(domain, None)
        self._due[domain] = now + _period_s(kept) * self._rng.uniform(0.5, 1)
        gone = []
        while self._octets > MOST_OCTETS and len(self._kept) > 1:
            gone.append(next(iter(self._kept)))
            self._drop(gone[-1])
        return gone

    def fail(self, domain: str, failed: StsFailed) -> bool:
        """Remember that a fetch failed; whether people have to hear of it, once a day for each id."""
        before = self._failed.pop(domain, None)
        is_old = before is not None and before.id == failed.id and failed.at - DAY_S < before.told_at <= failed.at
        self._failed[domain] = replace(failed, told_at=before.told_at) if before and is_old else failed
        if len(self._failed) > MOST_FAILURES:
            self._failed.popitem(last=False)
        kept = self._kept.get(domain)
        if kept:
            self._due[domain] = failed.at + _period_s(kept) * self._rng.uniform(0.5, 1)
        return not is_old

    def failed(self, domain: str, id_: str, now: float) -> StsFailed | None:
        """The fetch of this id that failed so lately that it is not tried again yet."""
        failed = self._failed.get(domain)
        is_late = failed is not None and failed.id == id_ and failed.at <= now < failed.at + BACKOFF_S
        return failed if is_late else None

    def due(self, now: float) -> list[tuple[str, StsKept]]:
        """Those to be refreshed now: in use, and not withdrawn."""
        return [
            (domain, kept)
            for domain, kept in self._kept.items()
            if self._due[domain] <= now
            and kept.holds(now)
            and kept.policy.mode != "none"
            and kept.used_at > now - UNUSED_S
        ]

    def forget_over(self, now: float) -> list[str]:
        """Forget those that have not held for a day of our own: should the clock have been ahead, they hold again."""
        over = [domain for domain, kept in self._kept.items() if not kept.holds(now)]
        self._over_since = {domain: self._over_since.get(domain, now) for domain in over}
        gone = [domain for domain, since in self._over_since.items() if since <= now - DAY_S]
        for domain in gone:
            self._drop(domain)
        return gone

    def clock_set(self, by_s: float, now: float) -> list[tuple[str, StsKept]]:
        """The clock was set to `now`, by so much: what held a moment ago is as old as before; those with new times.

        What did not hold keeps its time, for it may be the clock that was wrong.
        """
        changed = []
        self._failed.clear()
        self._over_since.clear()
        for domain, kept in self._kept.items():
            moved = replace(kept, fetched_at=kept.fetched_at + by_s, used_at=kept.used_at + by_s)
            new = _not_ahead(moved if kept.holds(now - by_s) else kept, now)
            self._due[domain] += by_s
            if new != kept:
                changed.append((domain, new))
        self._kept.update(changed)
        return changed

    def _put(self, domain: str, kept: StsKept) -> None:
        before = self._kept.pop(domain, None)
        self._octets += kept.octets - (before.octets if before else 0)
        self._kept[domain] = kept

    def _drop(self, domain: str) -> None:
        self._octets -= self._kept.pop(domain).octets
        self._due.pop(domain, None)
        self._over_since.pop(domain, None)


def _period_s(kept: StsKept) -> float:
    """The longest time between two refreshes: a day (RFC 8461 section 3.3), or half of its life if that is less."""
    return min(DAY_S, max(kept.policy.max_age_s / 2, LEAST_S))


def _not_ahead(kept: StsKept, now: float) -> StsKept:
    return replace(kept, fetched_at=min(kept.fetched_at, now), used_at=min(kept.used_at, now))
