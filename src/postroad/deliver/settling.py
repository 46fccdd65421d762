"""What an attempt means for its parcel: who is done with, who waits and until when, who is told. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from postroad.pace import RetrySchedule, is_expired, is_warning_due, next_at
from postroad.spool import Parcel
from postroad.words.mail import Recipient
from postroad.words.outcome import Outcome, Result, Scope
from postroad.words.trail import Attempt

EXPIRED = "4.4.7"  # "delivery time expired", RFC 3463 section 3.5


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient, and whether the host took over what the sender wants to be told."""

    recipient: Recipient
    outcome: Outcome
    dsn_over: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about a parcel after an attempt. `due_at` is set exactly if somebody is left."""

    delivered: tuple[Fate, ...]
    failed: tuple[Fate, ...]
    left: tuple[Fate, ...]
    due_at: float | None
    is_late: bool  # those left wait so long that the sender is to be told now
    waits_for_host: bool

    @property
    def result(self) -> Result:
        """In one word, the worst for the sender."""
        return Result.FAILED if self.failed else Result.DEFERRED if self.left else Result.DELIVERED


def judge(parcel: Parcel, attempt: Attempt, schedule: RetrySchedule, now: float, rng: Random) -> Verdict:
    """Sort the recipients. What is deferred past its time has failed (RFC 5321 section 4.5.4.1)."""
    fates = _fates(parcel, attempt)
    received_at = parcel.mail.received_at
    if is_expired(schedule, received_at, now):
        fates = [_expired(fate, schedule) for fate in fates]
    left = _with(fates, Result.DEFERRED)
    return Verdict(
        _with(fates, Result.DELIVERED),
        _with(fates, Result.FAILED),
        left,
        next_at(schedule, received_at=received_at, attempts=parcel.attempts + 1, now=now, rng=rng) if left else None,
        bool(left) and is_warning_due(schedule, received_at, now, warned=parcel.warned),
        bool(left) and all(fate.outcome.scope is Scope.HOST for fate in left),
    )


def summary(attempt: Attempt) -> str:
    """The attempt in a line, for the queue list: the outcome that is worst for the sender, and who said so."""
    order = (Result.FAILED, Result.DEFERRED, Result.DELIVERED)
    worst = min(attempt.outcomes, key=lambda outcome: order.index(outcome.result))
    at = [contact.target for contact in attempt.contacts if contact.ending and contact.ending.text == worst.text]
    return f"{worst.result}: {f'{at[-1]}: ' if at else ''}{worst.text}"


def _fates(parcel: Parcel, attempt: Attempt) -> list[Fate]:
    recipients = parcel.mail.envelope.recipients
    return [
        Fate(recipient, outcome, _is_taken_over(attempt, index))
        for index, (recipient, outcome) in enumerate(zip(recipients, attempt.outcomes, strict=True))
    ]


def _is_taken_over(attempt: Attempt, index: int) -> bool:
    for contact in attempt.contacts:
        said = contact.recipients.get(index)
        if said and said.result is Result.DELIVERED:
            return contact.dsn_over
    return False


def _expired(fate: Fate, schedule: RetrySchedule) -> Fate:
    if fate.outcome.result is not Result.DEFERRED:
        return fate
    days = f"{schedule.expiry_s / 86400:g} days" if schedule.expiry_s >= 86400 else f"{schedule.expiry_s:g} s"
    text = f"given up after {days}; the last answer was: {fate.outcome.text}"
    return replace(fate, outcome=replace(fate.outcome, result=Result.FAILED, text=text, status=EXPIRED))


def _with(fates: list[Fate], result: Result) -> tuple[Fate, ...]:
    return tuple(fate for fate in fates if fate.outcome.result is result)
