"""One attempt's way along a Plan, pull-style: `next(now)` says Try, Wait or Verdict; `tell` takes what happened.

The walk decides; whoever drives it opens connections, talks SMTP and reports. Nothing here waits.
The plan is frozen: what becomes usable in the middle of an attempt is for the next one (OpenSMTPD issue 775).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from postroad.routing.policy import Onward, WalkPolicy
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trail import Contact, Target


@dataclass(frozen=True, slots=True)
class Try:
    """Open a connection to this address now. `clear`: do not use TLS, it failed here a moment ago."""

    number: int
    target: Target
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to start now: wait for news of an open contact, or until a time if there is one."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The attempt is over: an outcome for each recipient, in their order."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """The contact has a connection; the greeting is still to come."""

    number: int


@dataclass(frozen=True, slots=True)
class Greeted:
    """The contact has its 220. The first to have it holds the attempt; all other contacts are to be closed."""

    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The contact is over, in this phase: with an outcome for recipients, for the whole host, or both."""

    number: int
    phase: Phase
    recipients: Mapping[int, Outcome] = field(default_factory=dict)
    host: Outcome | None = None
    tls: str | None = None
    reused: bool = False
    dsn_over: bool = False


News = Connected | Greeted | Ended


class _State(Enum):
    """A place on the plan: untried or freed again, being contacted, or done with."""

    FRESH = auto()
    OPEN = auto()
    DONE = auto()


@dataclass
class _Place:
    target: Target
    state: _State = _State.FRESH
    clear: bool = False


@dataclass
class _Open:
    place: _Place
    started: float
    greeting_due: bool = False  # connected, the greeting not yet read


@dataclass
class _Fate:
    """What one recipient has heard so far, and who may still be asked."""

    answers: list[Outcome] = field(default_factory=list)
    settled: Outcome | None = None
    refused_by: set[str] = field(default_factory=set)
    ceiling: int | None = None  # the highest preference that may still be asked

    def allows(self, target: Target) -> bool:
        if self.settled or target.exchange in self.refused_by:
            return False
        return self.ceiling is None or target.preference <= self.ceiling

    @property
    def standing(self) -> Hashable:
        """What it comes to if nobody says more (`_combined`), and the highest preference that may."""
        result = (self.settled or _combined(self.answers)).result if self.settled or self.answers else None
        return self.settled is not None, result, self.ceiling


class Walk:
    """The walk of one attempt. `now` is any clock that only goes forward, in seconds.

    `contacts` has every contact so far in order of start, the ended ones with what they meant for each recipient.
    `holder` is the number of the contact whose session is going on, or None.
    """

    def __init__(
        self, targets: tuple[Target, ...], recipients: int, policy: WalkPolicy | None = None, *, now: float
    ) -> None:
        self.policy = policy or WalkPolicy()
        self.holder: int | None = None
        self._begun = now
        self._places = [_Place(target) for target in targets]
        self._fates = [_Fate() for _ in range(recipients)]
        self._open: dict[int, _Open] = {}
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
        number = walk._start(walk._places[0], began).number  # its own constructor
        if news.host or news.recipients:
            walk.holder = number
            walk._end(news, ended)
        else:
            walk._put_last(number, ended)
        return walk

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every contact made, in order of start."""
        return tuple(self._contacts)

    @property
    def outcomes(self) -> tuple[Outcome, ...] | None:
        """What became of each recipient, once nobody is left to be asked for any of them."""
        settled = [fate.settled for fate in self._fates]
        return None if None in settled else tuple(each for each in settled if each)

    def next(self, now: float) -> Try | Wait | Verdict:
        """What to do now. Ask again after each `tell`, and when the time of a Wait has come."""
        if all(fate.settled for fate in self._fates):
            return self._verdict()
        if self.holder is not None:
            return Wait(None)
        place = self._next_place()
        if place is None:
            return Wait(None) if self._open else self._verdict()
        due = self._due(place.target)
        return Wait(due) if now < due else self._start(place, now)

    def tell(self, news: News, now: float) -> None:
        """Take what happened to an open contact. News of a contact that is no longer open is old, and ignored."""
        if news.number not in self._open:
            return
        match news:
            case Connected(number):
                self._open[number].greeting_due = True
            case Greeted(number):
                self._hold(number, now)
            case Ended():
                self._end(news, now)

    def recipients(self, number: int) -> tuple[int, ...]:
        """The recipients that the session on this contact may ask for: still open, and not refused by its host."""
        target = self._contacts[number].target
        return tuple(index for index, fate in enumerate(self._fates) if fate.allows(target))

    def fork(self, targets: tuple[Target, ...]) -> Walk:
        """Another walk that has come as far, with these targets in the place of the last one, just started.

        So a plan can be drawn while it is walked: what comes last in it stands for all that is not yet drawn.
        """
        other, last = Walk(targets, 0, self.policy, now=self._begun), len(self._contacts) - 1
        others = [place for place in self._places if place is not self._open[last].place and self._matters(place)]
        copies = {id(place): _Place(place.target, place.state, place.clear) for place in others}
        other._places[:0] = copies.values()
        other._open = {
            number: _Open(copies[id(contact.place)], contact.started, contact.greeting_due)
            for number, contact in self._open.items()
            if number != last
        }
        other._fates = [_Fate([*each.answers], each.settled, {*each.refused_by}, each.ceiling) for each in self._fates]
        other._contacts = self._contacts[:-1]
        return other

    def standing(self, now: float, kind: Callable[[Target], Hashable]) -> Hashable:
        """All that its future depends on, with times from now: walks of one standing go on alike.

        `kind` says which targets behave alike.
        """
        names: dict[str, int] = {}
        places = [place for place in self._places if self._matters(place)]
        started = {id(each.place): (round(now - each.started, 6), each.greeting_due) for each in self._open.values()}
        return (
            tuple(
                (
                    kind(place.target),
                    names.setdefault(place.target.exchange, len(names)),
                    place.target.preference,
                    place.clear,
                    started.get(id(place)),
                    tuple([fate.allows(place.target) for fate in self._fates]),
                )
                for place in places
            ),
            tuple([fate.standing for fate in self._fates]),
        )

    def _matters(self, place: _Place) -> bool:
        if place.state is _State.FRESH:
            return any(fate.allows(place.target) for fate in self._fates)
        return place.state is _State.OPEN

    def _next_place(self) -> _Place | None:
        for place in self._places:
            if place.state is _State.FRESH and any(fate.allows(place.target) for fate in self._fates):
                return place
        return None

    def _due(self, target: Target) -> float:
        """When the next contact may start: at once if none is open, else when the open ones have had their time."""
        if not self._open:
            return self._begun
        if any(contact.greeting_due for contact in self._open.values()):
            patience = self.policy.greeting_patience_s
        elif all(contact.place.target.preference == target.preference for contact in self._open.values()):
            patience = self.policy.stagger_s
        else:
            patience = self.policy.level_stagger_s
        return max(contact.started for contact in self._open.values()) + patience

    def _start(self, place: _Place, now: float) -> Try:
        number = len(self._contacts)
        place.state = _State.OPEN
        self._open[number] = _Open(place, now)
        at = self._ms(now)
        self._contacts.append(Contact(place.target, at, at, Phase.CONNECT, None, {}, clear_again=place.clear))
        return Try(number, place.target, place.clear)

    def _hold(self, number: int, now: float) -> None:
        self.holder = number
        for other in [other for other in self._open if other != number]:
            contact = self._open.pop(other)
            contact.place.state = _State.FRESH  # unused, so as good as untried
            phase = Phase.GREETING if contact.greeting_due else Phase.CONNECT
            self._contacts[other] = replace(self._contacts[other], ended_ms=self._ms(now), phase=phase)

    def _put_last(self, number: int, now: float) -> None:
        """A contact that led to nothing, and says nothing: its place is free again, behind all others."""
        place = self._open.pop(number).place
        place.state = _State.FRESH
        self._places.remove(place)
        self._places.append(place)
        self._contacts[number] = replace(self._contacts[number], ended_ms=self._ms(now), reused=True)

    def _end(self, news: Ended, now: float) -> None:
        place = self._open.pop(news.number).place
        asked = self.recipients(news.number)
        place.state = _State.DONE
        if self.holder == news.number:
            self.holder = None
        for index, outcome in news.recipients.items():
            self._hear(self._fates[index], place.target, outcome)
        if news.phase is Phase.STARTTLS and news.host and self.policy.clear_after_tls_failure and not place.clear:
            place.state, place.clear = _State.FRESH, True
        elif news.host:
            for index in set(asked).difference(news.recipients):
                self._fates[index].answers.append(news.host)
        meant = dict.fromkeys(asked, news.host) if news.host else {}
        self._contacts[news.number] = replace(
            self._contacts[news.number],
            ended_ms=self._ms(now),
            phase=news.phase,
            host=news.host,
            recipients={**meant, **news.recipients},
            tls=news.tls,
            reused=news.reused,
            dsn_over=news.dsn_over,
        )

    def _hear(self, fate: _Fate, target: Target, outcome: Outcome) -> None:
        """One recipient's answer from one exchanger: is it the last word, and if not, who may add to it."""
        fate.answers.append(outcome)
        if outcome.result is Result.DELIVERED or outcome.unsettled:
            # Without a reply to the final dot the message may be there: another exchanger would make it two (RFC 1047)
            fate.settled = outcome
            return
        if outcome.scope is Scope.HOST:
            return
        onward = self.policy.on_5xx if outcome.result is Result.FAILED else self.policy.on_4xx
        fate.refused_by.add(target.exchange)
        if onward is Onward.NEVER:
            fate.settled = _combined(fate.answers)
        elif onward is Onward.SAME_PREFERENCE:
            fate.ceiling = target.preference if fate.ceiling is None else min(fate.ceiling, target.preference)

    def _verdict(self) -> Verdict:
        return Verdict(tuple(fate.settled or _combined(fate.answers) for fate in self._fates))

    def _ms(self, now: float) -> float:
        return (now - self._begun) * 1000.0


def _combined(answers: list[Outcome]) -> Outcome:
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
