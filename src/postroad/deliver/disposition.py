"""What an attempt means for its parcel: who is finished, who waits and until when, who is notified. Plain functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from postroad.deliver.route_cache import DeliveryRoute
from postroad.pace import RetrySchedule, is_expired, is_warning_due, next_at
from postroad.spool import Parcel, Reroute
from postroad.words.light import light
from postroad.words.mail import Recipient
from postroad.words.outcome import Outcome, Result, Scope
from postroad.words.phrasebook import duration
from postroad.words.trail import Attempt, Target

EXPIRED = "4.4.7"  # "delivery time expired", RFC 3463 section 3.5


@light(frozen=True, slots=True)
class RecipientResult:
    """The result for one recipient, whose answer it is, and whether that host took over its notifications.

    `index` is the recipient's place in the attempt, `target` None if no host was asked for this recipient.
    """

    recipient: Recipient
    outcome: Outcome
    dsn_over: bool = False
    index: int = 0
    target: Target | None = None

    @property
    def said(self) -> str:
        """The answer, with the host that gave it."""
        return f"{self.target}: {self.outcome.text}" if self.target else self.outcome.text


@light(frozen=True, slots=True)
class Disposition:
    """The decision about a parcel after an attempt. `due_at` is set exactly if somebody is left.

    `attempt` is the attempt as judged: what it deferred past its time has failed there too, and what takes another
    route is deferred. `sent_on` are those who do: they are neither left nor done with.
    """

    attempt: Attempt
    delivered: tuple[RecipientResult, ...]
    failed: tuple[RecipientResult, ...]
    left: tuple[RecipientResult, ...]
    due_at: float | None
    is_late: bool  # those left wait so long that the sender is to be told now
    waits_for_host: bool
    sent_on: tuple[RecipientResult, ...] = ()
    routes: tuple[str, ...] = ()  # theirs, as in Parcel

    @property
    def result(self) -> Result:
        """In one word, the worst for the sender."""
        return Result.FAILED if self.failed else Result.DEFERRED if self.left or self.sent_on else Result.DELIVERED

    @property
    def said(self) -> str:
        """For the queue list: what those who are left heard, "" if nobody is."""
        return _line(self.left) if self.left else ""

    @property
    def reroute(self) -> Reroute | None:
        """Those who take another route, as the spool keeps them; None if nobody does."""
        if not self.sent_on:
            return None
        return Reroute(tuple([fate.recipient for fate in self.sent_on]), self.routes, _line(self.sent_on))


def judge(parcel: Parcel, attempt: Attempt, schedule: RetrySchedule, now: float, rng: Random) -> Disposition:
    """Sort the recipients. What is deferred past its time has failed (RFC 5321 section 4.5.4.1)."""
    return _judge(parcel, attempt, schedule, now, rng, frozenset())


def judge_on_route(
    way: DeliveryRoute, parcel: Parcel, attempt: Attempt, schedule: RetrySchedule, now: float, rng: Random
) -> Disposition:
    """The same for a way with `on_reject`: whom its hosts refused for good takes the other route.

    Also in the last attempt: the other route has not had one. No route is taken twice, whatever the settings say by
    now: those that a parcel was refused on are remembered with it.
    """
    rule = way.on_reject
    been = (*parcel.routes, way.name) if way.name and way.name not in parcel.routes else parcel.routes
    if rule is None or rule.route in been:
        return judge(parcel, attempt, schedule, now, rng)
    others = rule.refused(attempt)
    if not others:
        return judge(parcel, attempt, schedule, now, rng)
    outcomes = [
        _sent_on(outcome, rule.route) if index in others else outcome for index, outcome in enumerate(attempt.outcomes)
    ]
    verdict = _judge(parcel, replace(attempt, outcomes=tuple(outcomes)), schedule, now, rng, others)
    return replace(verdict, routes=(*been, rule.route))


def _judge(
    parcel: Parcel, attempt: Attempt, schedule: RetrySchedule, now: float, rng: Random, others: frozenset[int]
) -> Disposition:
    received_at = parcel.mail.release_at or parcel.mail.received_at  # what its sender held back has not waited yet
    if is_expired(schedule, received_at, now):
        outcomes = [
            outcome if index in others else _expired(outcome, schedule)
            for index, outcome in enumerate(attempt.outcomes)
        ]
        attempt = replace(attempt, outcomes=tuple(outcomes))
    sent_on: list[RecipientResult] = []
    sorted_: dict[Result, list[RecipientResult]] = {Result.DELIVERED: [], Result.FAILED: [], Result.DEFERRED: []}
    for index, (recipient, outcome) in enumerate(zip(parcel.mail.envelope.recipients, attempt.outcomes, strict=True)):
        home = sent_on if index in others else sorted_[outcome.result]
        home.append(_fate(attempt, index, recipient, outcome))
    delivered, failed, left = map(tuple, sorted_.values())
    return Disposition(
        attempt,
        delivered,
        failed,
        left,
        next_at(schedule, received_at=received_at, attempts=parcel.attempts + 1, now=now, rng=rng) if left else None,
        bool(left) and is_warning_due(schedule, received_at, now, warned=parcel.warned),
        bool(left) and all(fate.outcome.scope is Scope.HOST for fate in left),
        tuple(sent_on),
    )


def _sent_on(outcome: Outcome, route: str) -> Outcome:
    """An outcome that is not the last word: what was said stays at the beginning of its text."""
    text = f'{outcome.text}; it takes the route "{route}" now'
    return replace(outcome, result=Result.DEFERRED, text=text, next_route=route)


def lost_report(parcel: Parcel, verdict: Disposition) -> dict[str, object] | None:
    """The facts of a report that cannot be delivered: mail with the null reverse-path, which has nobody to tell."""
    if parcel.mail.envelope.reverse_path or not verdict.failed:
        return None
    return {
        "id": parcel.mail.id,
        "recipients": [str(fate.recipient.mailbox) for fate in verdict.failed],
        "why": _line(verdict.failed),
        "origin": parcel.mail.origin or None,
    }


def _fate(attempt: Attempt, index: int, recipient: Recipient, outcome: Outcome) -> RecipientResult:
    source = attempt.source_of(index)
    if source is None:
        return RecipientResult(recipient, outcome, index=index)
    is_taken_over = outcome.result is Result.DELIVERED and source.dsn_over
    return RecipientResult(recipient, outcome, is_taken_over, index, source.target)


def _expired(outcome: Outcome, schedule: RetrySchedule) -> Outcome:
    """An outcome that is the last: what was said stays at the beginning of its text."""
    if outcome.result is not Result.DEFERRED:
        return outcome
    text = f"{outcome.text}; given up after {duration(schedule.expiry_s)}"
    return replace(outcome, result=Result.FAILED, text=text, status=EXPIRED)


def _line(fates: tuple[RecipientResult, ...]) -> str:
    """What these recipients heard, and from which host: the answer that most of them have, and how many those are."""
    answers = Counter((fate.outcome.result, fate.said) for fate in fates)
    (result, said), count = answers.most_common(1)[0]
    return f"{result}{'' if len(answers) == 1 else f' ({count} of {len(fates)})'}: {said}"
