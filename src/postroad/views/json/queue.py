"""What a spool knows as JSON: the queue, one message, its attempts and their story."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from postroad.spool import Listed, Stats, Story
from postroad.views.json.attempt import attempt_shape, outcome_shape, target_shape
from postroad.views.json.shape import VERSION, Shape
from postroad.words.mail import Envelope
from postroad.words.record import read_record
from postroad.words.trail import Attempt


def queue_shape(parcels: Sequence[Listed], *, more: bool) -> Shape:
    """`postroad queue list --json`."""
    return {"version": VERSION, "parcels": [_parcel(each) for each in parcels], "more": more}


def story_shape(story: Story) -> Shape:
    """`postroad queue show --json`."""
    mail = story.mail
    return {
        "version": VERSION,
        "id": mail.id,
        "from": _mailbox(mail.envelope),
        "to": [str(each.mailbox) for each in mail.envelope.recipients],
        "received_at": mail.received_at,
        "size": mail.size,
        "seed": mail.seed,
        "origin": mail.origin,
        "envid": mail.envelope.envid,
        "parcels": [_parcel(each) for each in story.parcels],
        "recipients": _last_answers(story),
        "attempts": len(story.records),
        "finished_at": story.finished_at,
    }


def trace_shape(story: Story) -> Shape:
    """`postroad queue trace --json`."""
    attempts: list[Shape] = []
    for record in story.records:
        try:
            attempt, recipients = read_record(record.text)
        except ValueError as problem:
            attempts.append({"at": record.at, "damaged": str(problem)})
            continue
        attempts.append({"at": record.at, "recipients": _answers(attempt, recipients), **attempt_shape(attempt)})
    return {"version": VERSION, "id": story.mail.id, "attempts": attempts}


def explain_shape(story: Story) -> Shape:
    """`postroad explain --json`: every attempt with the order drawn again, and whether the contacts kept to it."""
    from postroad.relay.story import chapter  # noqa: PLC0415  # no other shape needs the relay
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
                "recipients": list(told.recipients),
                "procedure": told.procedure,
                "drawn": [target_shape(target) for target in told.plan.targets],
                "put_last": list(told.ill),
                "holds": told.holds,
                "attempt": attempt_shape(told.attempt),
            }
            for told in chapters
        ],
    }


def stats_shape(stats: Stats) -> Shape:
    """`postroad queue stats --json`."""
    return {"version": VERSION, **asdict(stats), "destinations": dict(stats.destinations)}


def change_shape(change: str, parcels: int, under_way: int) -> Shape:
    """`postroad queue retry`, `hold`, `release` and `delete` with --json."""
    return {"version": VERSION, "change": change, "parcels": parcels, "under_way": under_way}


def _parcel(listed: Listed) -> Shape:
    parcel = listed.parcel
    return {
        "id": parcel.mail.id,
        "state": listed.state.value,
        "destination": parcel.destination,
        "from": _mailbox(parcel.mail.envelope),
        "to": [str(each.mailbox) for each in parcel.mail.envelope.recipients],
        "size": parcel.mail.size,
        "received_at": parcel.mail.received_at,
        "due_at": parcel.due_at,
        "attempts": parcel.attempts,
        "warned": parcel.warned,
        "said": listed.said or None,
    }


def _mailbox(envelope: Envelope) -> str | None:
    return str(envelope.reverse_path) if envelope.reverse_path else None


def _last_answers(story: Story) -> Shape:
    """The last outcome of each recipient, with whose answer it is; null before the first attempt."""
    answers: Shape = {str(each.mailbox): None for each in story.mail.envelope.recipients}
    for record in story.records:
        with suppress(ValueError):  # a record that this version cannot read
            attempt, recipients = read_record(record.text)
            answers |= _answers(attempt, recipients)
    return answers


def _answers(attempt: Attempt, recipients: Sequence[str]) -> Shape:
    said = enumerate(zip(recipients, attempt.outcomes, strict=False))
    return {mailbox: outcome_shape(outcome) | _source(attempt, index) for index, (mailbox, outcome) in said}


def _source(attempt: Attempt, index: int) -> Shape:
    """Whose answer the outcome of a recipient is."""
    contact = attempt.source_of(index)
    return {
        "exchange": contact.target.exchange if contact else None,
        "address": str(contact.target.address) if contact else None,
    }
