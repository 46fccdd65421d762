"""The consequences of an attempt: the settlement of its parcel, and what it says about the health of hosts. Pure."""

from __future__ import annotations

from enum import Enum, auto

from postroad.deliver.bounce import Reports
from postroad.deliver.course import AttemptOrder, draw_seed
from postroad.deliver.disposition import Disposition
from postroad.routing import DICE, OnReject
from postroad.spool import Parcel, Settlement
from postroad.words.jsontext import encoder
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.record import attempt_record
from postroad.words.trail import Attempt, Target

_encode = encoder(ascii_only=False, separators=(",", ":"))

INTERNAL = "deferred by an internal error"


class Sign(Enum):
    """A sign of the health of a host that a contact gives."""

    ANSWERS = auto()  # it had a session with us
    FAILS = auto()  # no connection, or no greeting
    SUSPECT = auto()  # silent while another one, asked later, greeted: slow or dead


News = tuple[Sign, Target]
"""A sign of one host."""


def news_of(done: Attempt, rule: OnReject | None = None) -> list[News]:
    """What the contacts of an attempt say about their hosts.

    A refusal in place of the greeting that sends mail another way, by a `rule`, is an answer: nobody has to wait for
    this host until it greets.
    """
    news = []
    for place, contact in enumerate(done.contacts):
        host = contact.host
        if contact.phase is Phase.POLICY:  # nobody was asked: it says nothing about the host
            continue
        if host is None and contact.recipients:
            news.append((Sign.ANSWERS, contact.target))
        elif contact.is_unused:
            is_beaten = any(not later.is_unused for later in done.contacts[place + 1 :])
            if is_beaten and contact.phase is Phase.CONNECT:
                news.append((Sign.SUSPECT, contact.target))
        elif host and host.scope is Scope.HOST and contact.phase in (Phase.CONNECT, Phase.GREETING):
            is_answer = rule and host.reply and rule.matches(host.reply)
            news.append((Sign.ANSWERS if is_answer else Sign.FAILS, contact.target))
        elif not (host and host.scope is Scope.US):  # our own lack of a socket says nothing about a host
            news.append((Sign.ANSWERS, contact.target))
    return news


def blocked(parcel: Parcel, course: AttemptOrder) -> Attempt:
    """No attempt: all hosts of the course are unhealthy."""
    names = ", ".join(str(target) for target in course.unhealthy[:3])
    text = f"every exchanger failed a moment ago and has not answered since ({names})"
    outcome = Outcome(Result.DEFERRED, Scope.HOST, text, "4.4.1", Phase.CONNECT)
    recipients = len(parcel.mail.envelope.recipients)
    return Attempt(parcel.destination, (outcome,) * recipients, (), draw_seed(parcel), 0.0)


def broken(parcel: Parcel, bug: BaseException, done: Attempt | None = None) -> Attempt:
    """An attempt that a bug of ours broke. Of one that was `done`, who has the mail does not get it again."""
    for_sender = f"the message was {INTERNAL}"
    outcome = Outcome(Result.DEFERRED, Scope.US, f"{INTERNAL}: {bug!r}", "4.3.0", for_sender=for_sender)
    count = len(parcel.mail.envelope.recipients)
    outcomes = done.outcomes if done else (outcome,) * count
    mixed = tuple([each if each.result is Result.DELIVERED else outcome for each in outcomes])
    return Attempt(parcel.destination, mixed, (), None, 0.0)


def kept(parcel: Parcel, done: Attempt, due_at: float, bug: BaseException) -> Settlement:
    """What is certain where nothing else works: who has the mail is done with, everybody else is left."""
    recipients = zip(parcel.mail.envelope.recipients, done.outcomes, strict=True)
    left = tuple([recipient for recipient, outcome in recipients if outcome.result is not Result.DELIVERED])
    return Settlement(parcel, left, due_at, warned=parcel.warned, said=f"{Result.DEFERRED}: {INTERNAL}: {bug!r}")


def settlement(parcel: Parcel, course: AttemptOrder | None, verdict: Disposition, reports: Reports) -> Settlement:
    """What the spool is to commit. That all hosts are still unhealthy is worth no record: it comes again and again."""
    done = verdict.attempt
    is_new = bool(done.contacts) or not verdict.waits_for_host
    return Settlement(
        parcel,
        left=tuple([fate.recipient for fate in verdict.left]) if verdict.left else (),
        due_at=verdict.due_at,
        record=_record(parcel, course, done) if is_new or not verdict.left else "",
        counts=is_new,
        warned=parcel.warned or verdict.is_late,
        waits_for_host=verdict.waits_for_host,
        said=verdict.said if verdict.left else "",
        reports=reports,
        reroute=verdict.reroute if verdict.sent_on else None,  # a call less for nearly all
    )


def _record(parcel: Parcel, course: AttemptOrder | None, done: Attempt) -> str:
    """The attempt as the spool keeps it; the route, which is the same for thousands of them, is text already."""
    shape = attempt_record(done)
    shape["recipients"] = [each.mailbox.text for each in parcel.mail.envelope.recipients]
    if course is None:  # not even its way could be found
        return _encode(shape)
    way = course.way
    shape["procedure"], shape["turn"], shape["dice"] = way.policy.name, course.turn, DICE
    if way.name:
        shape["by"] = way.name
    if course.unhealthy:
        shape["unhealthy"] = [target.where for target in course.unhealthy]
    return f'{_encode(shape)[:-1]},"route":{way.record}}}'
