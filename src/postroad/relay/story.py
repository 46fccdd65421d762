"""The story of one message, in sentences: who sent it, how each choice was drawn, what each host said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from postroad.routing import (
    DICE,
    PROCEDURES,
    Dice,
    Plan,
    Route,
    draw,
    explain_attempt,
    explain_plan,
    explain_route,
    read_route,
    turned,
)
from postroad.spool import Listed, Record, State, Story
from postroad.words.mail import Envelope
from postroad.words.record import read_attempt
from postroad.words.trail import Attempt


@dataclass(frozen=True, slots=True)
class Chapter:
    """One attempt: its recipients, what it did, and the choice drawn again from the seed and the route of that day.

    `plan` is the order as drawn; `ill` are the addresses that were put last because they had just failed.
    """

    at: float
    recipients: tuple[str, ...]
    attempt: Attempt
    route: Route | None
    procedure: str
    plan: Plan
    ill: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the contacts came in the order drawn now: the proof that the choice was the seed's."""
        drawn = [target for target in self.plan.targets if str(target.address) not in self.ill]
        drawn += [target for target in self.plan.targets if str(target.address) in self.ill]
        seen = [contact.target for contact in self.attempt.contacts if not contact.clear_again]
        return seen == drawn[: len(seen)]


def chapter(record: Record) -> Chapter:
    """A record, with its choice drawn again.

    Raises:
        ValueError: it is no record that this version can read.

    """
    shape = json.loads(record.text)
    attempt = read_attempt(shape)
    route = read_route(shape.get("route", {}))
    procedure = shape.get("procedure", "rfc5321")
    plan = Plan(())
    if route and attempt.seed is not None:
        dice = Dice(attempt.seed) if shape.get("dice") == DICE else Random(attempt.seed)
        plan = draw(turned(route, shape.get("turn", 0)), PROCEDURES[procedure], dice)
    recipients = tuple(shape.get("recipients", ()))
    return Chapter(record.at, recipients, attempt, route, procedure, plan, tuple(shape.get("ill", ())))


def tell(story: Story) -> Iterator[str]:
    """The whole story, a sentence at a time."""
    yield from _beginning(story)
    before: Route | None = None
    for number, record in enumerate(story.records, 1):
        try:
            told = chapter(record)
        except ValueError as problem:
            yield f"Attempt {number}, {_time(record.at)}: its record is damaged ({problem})."
            continue
        yield f"Attempt {number}, {_time(told.at)}, for {_people(told.recipients)}:"
        if told.route and told.route != before:
            yield from explain_route(told.route, PROCEDURES[told.procedure])
            before = told.route
        yield from explain_plan(told.plan, told.attempt.seed)
        if told.ill:
            yield f"Put last, because they had just failed: {', '.join(told.ill)}."
        yield from explain_attempt(told.attempt, told.recipients)
        if told.attempt.contacts and not told.holds:
            yield "The contacts are not in the order that this seed gives now: the record is older than this version."
    yield from (_waiting(parcel) for parcel in story.parcels)
    if story.finished_at is not None:
        yield f"Nothing is left to do since {_time(story.finished_at)}."


def _beginning(story: Story) -> Iterator[str]:
    mail = story.mail
    sender = mail.envelope.reverse_path
    yield f"Message {mail.id} from {sender or '<>'} to {_people(_addresses(mail.envelope))}, {mail.size} octets."
    yield f"Accepted {_time(mail.received_at)}{f', {mail.origin}' if mail.origin else ''}; its seed is {mail.seed}."


def _waiting(listed: Listed) -> str:
    to = _people(_addresses(listed.parcel.mail.envelope))
    if listed.state is State.HELD:
        return f"Held for {to}: `postroad queue release {listed.parcel.mail.id}` lets it go on."
    if listed.state is State.CLAIMED:
        return f"Being delivered now to {to}."
    last = f"; the last answer was: {listed.said}" if listed.said else ""
    return f"Waiting for {to}, tried again {_time(listed.parcel.due_at)}{last}."


def _addresses(envelope: Envelope) -> tuple[str, ...]:
    return tuple(str(each.mailbox) for each in envelope.recipients)


def _people(addresses: tuple[str, ...]) -> str:
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return ", ".join(addresses[:3]) + more


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
