"""The contents of a spool as JSON: the queue, one message, its attempts and their story."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NotRequired, TypedDict

from postroad.spool import Listed, Stats, Story
from postroad.views.json.attempt import (
    AttemptJson,
    ContactJson,
    OutcomeJson,
    TargetJson,
    attempt_shape,
    outcome_shape,
    target_shape,
)
from postroad.views.json.shape import VERSION
from postroad.words.mail import Envelope
from postroad.words.outcome import Outcome
from postroad.words.record import read_record
from postroad.words.trail import Attempt

ParcelJson = TypedDict(
    "ParcelJson",
    {
        "id": str,
        "state": Literal["waiting", "claimed", "held"],
        "node": str | None,
        "destination": str,
        "from": str | None,
        "to": list[str],
        "size": int,
        "received_at": float,
        "release_at": float | None,
        "due_at": float,
        "attempts": int,
        "route": str | None,
        "warned": bool,
        "said": str | None,
    },
)


class QueueJson(TypedDict):
    """`postroad queue list --json`."""

    version: int
    parcels: list[ParcelJson]
    more: bool


class AnsweredJson(OutcomeJson):
    """What became of a recipient, and whose answer that is."""

    exchange: str | None
    address: str | None


MessageJson = TypedDict(
    "MessageJson",
    {
        "version": int,
        "id": str,
        "from": str | None,
        "to": list[str],
        "received_at": float,
        "release_at": float | None,
        "size": int,
        "seed": int,
        "origin": str,
        "envid": str | None,
        "tls": str | None,
        "parcels": list[ParcelJson],
        "recipients": dict[str, AnsweredJson | None],
        "attempts": int,
        "finished_at": float | None,
        "content": NotRequired[str],
    },
)


class DamagedJson(TypedDict):
    """An attempt whose record cannot be read."""

    at: float
    node: str | None
    damaged: str


class TracedJson(TypedDict):
    """An attempt as `trace` has it."""

    at: float
    node: str | None
    recipients: dict[str, AnsweredJson]
    destination: str
    seed: int | None
    result: str
    elapsed_ms: float
    contacts: list[ContactJson]


class TraceJson(TypedDict):
    """`postroad queue trace --json`."""

    version: int
    id: str
    attempts: list[TracedJson | DamagedJson]


class ChapterJson(TypedDict):
    """An attempt with its order drawn again."""

    at: float
    node: str | None
    recipients: list[str]
    procedure: str
    route: str | None
    by_hand: bool
    drawn: list[TargetJson]
    put_last: list[str]
    holds: bool
    attempt: AttemptJson


class ExplainJson(TypedDict):
    """`postroad explain --json`."""

    version: int
    id: str
    seed: int
    sentences: list[str]
    attempts: list[ChapterJson]


class StatsJson(TypedDict):
    """`postroad queue stats --json`."""

    version: int
    messages: int
    octets: int
    waiting: int
    due: int
    claimed: int
    held: int
    finished: int
    oldest_at: float | None
    destinations: dict[str, int]


class ChangeJson(TypedDict):
    """`postroad queue retry`, `hold`, `release`, `move` and `delete` with --json."""

    version: int
    change: str
    parcels: int
    under_way: int


class BounceJson(ChangeJson):
    """`postroad queue bounce --json`."""

    reports: int


def queue_shape(parcels: Sequence[Listed], *, more: bool) -> QueueJson:
    """`postroad queue list --json`."""
    return {"version": VERSION, "parcels": [_parcel(each) for each in parcels], "more": more}


def story_shape(story: Story) -> MessageJson:
    """`postroad queue show --json`."""
    mail = story.mail
    return {
        "version": VERSION,
        "id": mail.id,
        "from": _mailbox(mail.envelope),
        "to": [str(each.mailbox) for each in mail.envelope.recipients],
        "received_at": mail.received_at,
        "release_at": mail.release_at,
        "size": mail.size,
        "seed": mail.seed,
        "origin": mail.origin,
        "envid": mail.envelope.envid,
        "tls": mail.envelope.tls.value if mail.envelope.tls else None,
        "parcels": [_parcel(each) for each in story.parcels],
        "recipients": _last_answers(story),
        "attempts": len(story.records),
        "finished_at": story.finished_at,
    }


def content_shape(story: Story, content: bytes) -> MessageJson:
    """`postroad queue show --content --json`: the message itself, too, in base64."""
    return {**story_shape(story), "content": b64encode(content).decode()}


def trace_shape(story: Story) -> TraceJson:
    """`postroad queue trace --json`."""
    attempts: list[TracedJson | DamagedJson] = []
    for record in story.records:
        try:
            attempt, recipients = read_record(record.text)
        except ValueError as problem:
            attempts.append({"at": record.at, "node": record.node or None, "damaged": str(problem)})
            continue
        who = record.node or None
        answers = _answers(attempt, recipients)
        attempts.append({"at": record.at, "node": who, "recipients": answers, **attempt_shape(attempt)})
    return {"version": VERSION, "id": story.mail.id, "attempts": attempts}


def explain_shape(story: Story) -> ExplainJson:
    """`postroad explain --json`: every attempt with the order drawn again, and whether the contacts kept to it."""
    from postroad.relay import chapter  # noqa: PLC0415  # no other shape needs the relay
    from postroad.views.text.story import tell  # noqa: PLC0415  # the same

    chapters = []
    for record in story.records:
        with suppress(ValueError):  # damaged: the sentences say so
            chapters.append(chapter(record))
    return {
        "version": VERSION,
        "id": story.mail.id,
        "seed": story.mail.seed,
        "sentences": list(tell(story)),
        "attempts": [
            {
                "at": told.at,
                "node": told.node or None,
                "recipients": list(told.recipients),
                "procedure": told.procedure,
                "route": told.by or None,
                "by_hand": told.is_by_hand,
                "drawn": [target_shape(target) for target in told.plan.targets],
                "put_last": list(told.unhealthy),
                "holds": told.holds,
                "attempt": attempt_shape(told.attempt),
            }
            for told in chapters
        ],
    }


def stats_shape(stats: Stats) -> StatsJson:
    """`postroad queue stats --json`."""
    return {
        "version": VERSION,
        "messages": stats.messages,
        "octets": stats.octets,
        "waiting": stats.waiting,
        "due": stats.due,
        "claimed": stats.claimed,
        "held": stats.held,
        "finished": stats.finished,
        "oldest_at": stats.oldest_at,
        "destinations": dict(stats.destinations),
    }


def change_shape(change: str, parcels: int, under_way: int) -> ChangeJson:
    """`postroad queue retry`, `hold`, `release`, `move` and `delete` with --json."""
    return {"version": VERSION, "change": change, "parcels": parcels, "under_way": under_way}


def bounce_shape(parcels: int, reports: int, under_way: int) -> BounceJson:
    """`postroad queue bounce --json`."""
    return {**change_shape("given up", parcels, under_way), "reports": reports}


def _parcel(listed: Listed) -> ParcelJson:
    parcel = listed.parcel
    return {
        "id": parcel.mail.id,
        "state": listed.state.value,
        "node": listed.node or None,
        "destination": parcel.destination,
        "from": _mailbox(parcel.mail.envelope),
        "to": [str(each.mailbox) for each in parcel.mail.envelope.recipients],
        "size": parcel.mail.size,
        "received_at": parcel.mail.received_at,
        "release_at": parcel.mail.release_at,
        "due_at": parcel.due_at,
        "attempts": parcel.attempts,
        "route": parcel.route or None,
        "warned": parcel.warned,
        "said": listed.said or None,
    }


def _mailbox(envelope: Envelope) -> str | None:
    return str(envelope.reverse_path) if envelope.reverse_path else None


def _last_answers(story: Story) -> dict[str, AnsweredJson | None]:
    """The last outcome of each recipient, with whose answer it is; null before the first attempt."""
    answers: dict[str, AnsweredJson | None] = {str(each.mailbox): None for each in story.mail.envelope.recipients}
    for record in story.records:
        with suppress(ValueError):  # a record that this version cannot read
            attempt, recipients = read_record(record.text)
            answers |= _answers(attempt, recipients)
    return answers


def _answers(attempt: Attempt, recipients: Sequence[str]) -> dict[str, AnsweredJson]:
    said = enumerate(zip(recipients, attempt.outcomes, strict=False))
    return {mailbox: _answered(attempt, index, outcome) for index, (mailbox, outcome) in said}


def _answered(attempt: Attempt, index: int, outcome: Outcome) -> AnsweredJson:
    """The outcome of a recipient, and whose answer it is."""
    contact = attempt.source_of(index)
    return {
        **outcome_shape(outcome),
        "exchange": contact.target.exchange if contact else None,
        "address": str(contact.target.address) if contact else None,
    }
