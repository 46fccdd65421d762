"""One attempt's way along a Plan, pull-style: `next(now)` says Try, Wait or Verdict; `tell` takes what happened.

The walk decides; whoever drives it opens connections, talks SMTP and reports. Nothing here waits.
The plan is frozen: what becomes usable in the middle of an attempt is for the next one (OpenSMTPD issue 775).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from postroad.routing.policy import Onward, WalkPolicy
from postroad.words.light import light
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.tls import Proof
from postroad.words.trail import Contact, Target


@dataclass(frozen=True, slots=True)
class Try:
    """A step of a walk: open a connection to this address now. `clear`: do not use TLS, it failed here a moment ago."""

    number: int
    target: Target
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """A step of a walk: start nothing now, wait for news of an open contact, or until a time if there is one."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last step of a walk: an outcome for each recipient, in their order."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """The news that a contact has a connection; the greeting is still to come."""

    number: int


@dataclass(frozen=True, slots=True)
class Greeted:
    """The news of a contact's 220. The first to have it holds the attempt; all other contacts are to be closed."""

    number: int


@light(frozen=True, slots=True)
class Ended:
    """The news that a contact is over, in this phase: with an outcome for recipients, for the whole host, or both."""

    number: int
    phase: Phase
    recipients: Mapping[int, Outcome] = field(default_factory=dict)
    host: Outcome | None = None
    tls: str | None = None
    reused: bool = False
    dsn_over: bool = False
    proof: Proof | None = None
    helo: str = ""


News = Connected | Greeted | Ended


class CandidateState(Enum):
    """A place on the plan: untried or freed again, being contacted, or done with."""

    FRESH = auto()
    OPEN = auto()
    DONE = auto()


class Candidate:
    """A target on the plan, and how it stands with it."""

    __slots__ = ("clear", "state", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.state = CandidateState.FRESH
        self.clear = False


@dataclass(slots=True)
class OpenContact:
    """A contact that is going on."""

    candidate: Candidate
    started: float
    greeting_due: bool = False  # connected, the greeting not yet read


@dataclass(slots=True)
class Heard:
    """What one recipient has heard so far that settles nothing yet, and who may still be asked."""

    answers: list[Outcome] = field(default_factory=list)
    refused_by: set[str] = field(default_factory=set)
    ceiling: int | None = None  # the highest preference that may still be asked

    def allows(self, target: Target) -> bool:
        """Whether this one may be asked for the recipient."""
        if target.exchange in self.refused_by:
            return False
        return self.ceiling is None or target.preference <= self.ceiling


class Walk:
    """The decisions of one attempt along a plan: try, wait, or verdict.

    `now` is any clock that only goes forward, in seconds.

    `contacts` has every contact so far in order of start, the ended ones with what they meant for each recipient.
    `holder` is the number of the contact whose session is going on, or None.
    """

    def __init__(
        self, targets: tuple[Target, ...], recipients: int, policy: WalkPolicy | None = None, *, now: float
    ) -> None:
        self.policy = policy or WalkPolicy()
        self.holder: int | None = None
        self._begun = now
        self._targets = targets
        self._candidates: list[Candidate] = []  # made when a target's turn comes: mostly one is all
        self._settled: list[Outcome | None] = [None] * recipients
        self._heard: dict[int, Heard] = {}  # of recipients that are not settled
        self._open: dict[int, OpenContact] = {}
        self._contacts: list[Contact] = []

    @classmethod
    def resumed(
        cls,
        targets: tuple[Target, ...],
        recipients: int,
        policy: WalkPolicy,
        news: Ended,
        *,
        began: float,
        ended: float,
    ) -> Walk:
        """A walk whose first contact is over: on a connection that was there already it needed no race.

        News without any outcome: the host was gone, so the others are asked first.
        """
        walk = cls(targets, recipients, policy, now=began)
        walk._candidates = [first := Candidate(targets[0])]
        if news.host or news.recipients:
            walk._end(first, began, news, ended)  # its own constructor
        else:
            walk._put_last(walk._start(first, began).number, ended)
        return walk

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every contact made, in order of start."""
        return tuple(self._contacts)

    @property
    def outcomes(self) -> tuple[Outcome, ...] | None:
        """What became of each recipient, once nobody is left to be asked for any of them."""
        return tuple(filter(None, self._settled)) if all(self._settled) else None

    def next(self, now: float) -> Try | Wait | Verdict:
        """What to do now. Ask again after each `tell`, and when the time of a Wait has come."""
        if all(self._settled):
            return self._verdict()
        if self.holder is not None:
            return Wait(None)
        candidate = self._next_candidate()
        if candidate is None:
            return Wait(None) if self._open else self._verdict()
        due = self._due(candidate.target)
        return Wait(due) if now < due else self._start(candidate, now)

    def tell(self, news: News, now: float) -> None:
        """Take what happened to an open contact. News of a contact that is no longer open is old, and ignored."""
        if news.number not in self._open:
            return
        match news:
            case Connected(number):
                self._open[number].greeting_due = True
            case Greeted(number):
                self._hold(number, now)
            case Ended(number):
                opened = self._open.pop(number)
                if self.holder == number:
                    self.holder = None
                self._end(opened.candidate, opened.started, news, now)

    def recipients(self, number: int) -> tuple[int, ...]:
        """The recipients that the session on this contact may ask for: still open, and not refused by its host."""
        return self._allowed(self._contacts[number].target)

    def _allowed(self, target: Target) -> tuple[int, ...]:
        """The recipients that are still open, and for whom this one may be asked."""
        heard = self._heard
        return tuple(
            index
            for index, settled in enumerate(self._settled)
            if not settled and (index not in heard or heard[index].allows(target))
        )

    def _next_candidate(self) -> Candidate | None:
        for candidate in self._all_candidates():
            if candidate.state is CandidateState.FRESH and self._allowed(candidate.target):
                return candidate
        return None

    def _all_candidates(self) -> list[Candidate]:
        self._candidates += map(Candidate, self._targets[len(self._candidates) :])
        return self._candidates

    def _due(self, target: Target) -> float:
        """When the next contact may start: at once if none is open, else when the open ones have had their time."""
        if not self._open:
            return self._begun
        if any(contact.greeting_due for contact in self._open.values()):
            patience = self.policy.greeting_patience_s
        elif all(contact.candidate.target.preference == target.preference for contact in self._open.values()):
            patience = self.policy.stagger_s
        else:
            patience = self.policy.level_stagger_s
        return max(contact.started for contact in self._open.values()) + patience

    def _start(self, candidate: Candidate, now: float) -> Try:
        number = len(self._contacts)
        candidate.state = CandidateState.OPEN
        self._open[number] = OpenContact(candidate, now)
        at = self._ms(now)
        self._contacts.append(Contact(candidate.target, at, at, Phase.CONNECT, None, {}, clear_again=candidate.clear))
        return Try(number, candidate.target, candidate.clear)

    def _hold(self, number: int, now: float) -> None:
        self.holder = number
        for other in [other for other in self._open if other != number]:
            contact = self._open.pop(other)
            contact.candidate.state = CandidateState.FRESH  # unused, so as good as untried
            phase = Phase.GREETING if contact.greeting_due else Phase.CONNECT
            self._contacts[other] = replace(self._contacts[other], ended_ms=self._ms(now), phase=phase)

    def _put_last(self, number: int, now: float) -> None:
        """A contact that led to nothing, and says nothing: its target may be asked again, behind all others."""
        candidate = self._open.pop(number).candidate
        candidate.state = CandidateState.FRESH
        self._all_candidates().remove(candidate)
        self._candidates.append(candidate)
        self._contacts[number] = replace(self._contacts[number], ended_ms=self._ms(now), reused=True)

    def _end(self, candidate: Candidate, started: float, news: Ended, now: float) -> None:
        target, clear = candidate.target, candidate.clear
        candidate.state = CandidateState.DONE
        meant = self._fail(candidate, news, news.host) if news.host else news.recipients
        for index, outcome in news.recipients.items():
            if outcome.result is Result.DELIVERED or outcome.unsettled:
                # Without a reply to the final dot it may be there: another exchanger would make it two (RFC 1047)
                self._settled[index] = outcome
            else:
                self._hear(index, target, outcome)
        at, until = (started - self._begun) * 1000.0, (now - self._begun) * 1000.0
        contact = Contact(
            target, at, until, news.phase, news.host, meant,
            news.tls, clear, news.reused, news.dsn_over, news.proof, news.helo,
        )  # fmt: skip
        self._contacts[news.number : news.number + 1] = (contact,)

    def _fail(self, candidate: Candidate, news: Ended, host: Outcome) -> Mapping[int, Outcome]:
        """A host failed as a whole: what that meant for each who would have been asked for there."""
        meant = dict.fromkeys(self._allowed(candidate.target), host) | dict(news.recipients)
        if self._may_go_in_clear(candidate, news.phase):
            candidate.state, candidate.clear = CandidateState.FRESH, True
        else:
            for index in meant.keys() - news.recipients.keys():
                self._heard.setdefault(index, Heard()).answers.append(host)
        return meant

    def _may_go_in_clear(self, candidate: Candidate, phase: Phase) -> bool:
        """Whether TLS failed where nobody demands it, so that the same host is asked once more without."""
        is_free = self.policy.clear_after_tls_failure and candidate.target.demand.allows_clear
        return phase is Phase.STARTTLS and is_free and not candidate.clear

    def _hear(self, index: int, target: Target, outcome: Outcome) -> None:
        """What a recipient heard from an exchanger that does not have the mail: the last word, or who may add to it."""
        heard = self._heard.setdefault(index, Heard())
        heard.answers.append(outcome)
        if outcome.scope is Scope.HOST:
            return
        onward = self.policy.on_5xx if outcome.result is Result.FAILED else self.policy.on_4xx
        heard.refused_by.add(target.exchange)
        if onward is Onward.NEVER:
            self._settled[index] = combined(heard.answers)
        elif onward is Onward.SAME_PREFERENCE:
            heard.ceiling = target.preference if heard.ceiling is None else min(heard.ceiling, target.preference)

    def _verdict(self) -> Verdict:
        said = (self._heard[index].answers if index in self._heard else [] for index in range(len(self._settled)))
        return Verdict(tuple(settled or combined(each) for settled, each in zip(self._settled, said, strict=True)))

    def _ms(self, now: float) -> float:
        return (now - self._begun) * 1000.0


def combined(answers: list[Outcome]) -> Outcome:
    """The answers of several exchangers as one: failed only if all who were asked said so, for good.

    One "not now" keeps it deferred: an exchanger that could not be asked might have said yes. Neither the last
    host nor the first 5xx decides alone.
    """
    if not answers:
        return Outcome(Result.DEFERRED, Scope.DOMAIN, "no exchanger was left to try", "4.4.1")
    not_now = [answer for answer in answers if answer.result is Result.DEFERRED]
    if not not_now:
        return answers[0]
    told = [answer for answer in not_now if answer.scope is not Scope.HOST] or not_now
    refusals = [answer for answer in answers if answer.result is Result.FAILED]
    if not refusals:
        return told[-1]
    return replace(told[-1], text=f"{told[-1].text}; another exchanger refused for good ({refusals[0].text})")
