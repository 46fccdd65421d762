"""What a spool knows, as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from postroad.cli.screen import Table
from postroad.cli.send import contact_line
from postroad.spool import Listed, State, Stats, Story
from postroad.words.mail import Envelope, Recipient
from postroad.words.record import read_record
from postroad.words.trail import Attempt

ANSWER = 60  # characters of the last answer in the list; `show` has it whole

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """A length of time in its largest unit: `4 min`, `3 d`."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{int(seconds / size)} {unit}"


def size_of(octets: int) -> str:
    """A size in its largest unit: `4.1 KiB`."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if octets >= 1024**power:
            return f"{octets / 1024**power:.1f} {unit}"
    return f"{octets} octets"


def table(parcels: Sequence[Listed], now: float) -> Table:
    """The queue, a line for each parcel."""
    heads = ("id", "state", "age", "size", "from", "to", "tries", "next", "last answer")
    rows = [
        (
            each.parcel.mail.id,
            each.state.value,
            span(now - each.parcel.mail.received_at),
            size_of(each.parcel.mail.size),
            _sender(each.parcel.mail.envelope),
            _recipients(each.parcel.mail.envelope),
            str(each.parcel.attempts),
            _next(each, now),
            _shortened(each.said),
        )
        for each in parcels
    ]
    return Table(heads, rows, frozenset({"age", "size", "tries"}), wraps="last answer")


def told(story: Story, now: float) -> Iterator[str]:
    """One message: its envelope, then each recipient with what became of it."""
    mail = story.mail
    yield f"message   {mail.id}"
    yield f"from      {_sender(mail.envelope)}"
    origin = f", {mail.origin}" if mail.origin else ""
    yield f"received  {_at(mail.received_at)}, {span(now - mail.received_at)} ago{origin}"
    yield f"size      {size_of(mail.size)}"
    if mail.envelope.envid:
        yield f"envid     {mail.envelope.envid}"
    yield f"seed      {mail.seed}"
    answers = _last_answers(story)
    for recipient in mail.envelope.recipients:
        yield f"to        {recipient.mailbox}: {_fate(recipient, story, answers, now)}"
    if story.finished_at is not None:
        yield f"finished  {_at(story.finished_at)}"


def traced(story: Story) -> Iterator[str]:
    """Every attempt with its contacts."""
    for number, record in enumerate(story.records, 1):
        try:
            attempt, recipients = read_record(record.text)
        except ValueError as problem:
            yield f"{number}. {_at(record.at)}  {record.destination}: {problem}"
            continue
        seed = f"seed {attempt.seed}, " if attempt.seed is not None else ""
        yield f"{number}. {_at(record.at)}  {attempt.destination}: {attempt.result} ({seed}{attempt.elapsed_ms:.0f} ms)"
        yield from (contact_line(contact) for contact in attempt.contacts)
        for index, mailbox in enumerate(recipients[: len(attempt.outcomes)]):
            yield f"  {mailbox}: {_said(attempt, index)}"
    if not story.records:
        yield "no attempt yet"


def counted(numbers: Stats, now: float) -> Iterator[str]:
    """The numbers of a spool."""
    yield f"{numbers.messages} messages, {size_of(numbers.octets)}; {numbers.finished} finished are still known"
    yield f"waiting  {numbers.waiting}, {numbers.due} of them due"
    yield f"claimed  {numbers.claimed}"
    yield f"held     {numbers.held}"
    if numbers.oldest_at is not None:
        yield f"oldest   {_at(numbers.oldest_at)}, {span(now - numbers.oldest_at)} ago"
    for destination, count in numbers.destinations:
        yield f"{count:>8}  {destination}"


def _fate(recipient: Recipient, story: Story, answers: dict[str, str], now: float) -> str:
    said = answers.get(str(recipient.mailbox))
    listed = next((each for each in story.parcels if recipient in each.parcel.mail.envelope.recipients), None)
    if listed is None:
        return said or "deleted"
    count = listed.parcel.attempts
    tries = f" after {count} attempt{'' if count == 1 else 's'}" if count else ""
    last = f"; last answer: {said}" if said else ""
    return f"{listed.state}{tries}, {_next(listed, now)}{last}"


def _last_answers(story: Story) -> dict[str, str]:
    answers: dict[str, str] = {}
    for record in story.records:
        try:
            attempt, recipients = read_record(record.text)
        except ValueError:  # `trace` says what is wrong with it
            continue
        known = recipients[: len(attempt.outcomes)]
        answers.update((mailbox, _said(attempt, index)) for index, mailbox in enumerate(known))
    return answers


def _said(attempt: Attempt, index: int) -> str:
    """What became of one recipient in an attempt, and which host said so."""
    outcome, source = attempt.outcomes[index], attempt.source_of(index)
    return f"{outcome.result} ({outcome.status}): {f'{source.target}: ' if source else ''}{outcome.text}"


def _next(listed: Listed, now: float) -> str:
    if listed.state is State.HELD:
        return "held until it is released"
    if listed.state is State.CLAIMED:
        return "under way now"
    due_at = listed.parcel.due_at
    return f"next try in {span(due_at - now)}" if due_at > now else "due now"


def _shortened(said: str) -> str:
    return said if len(said) <= ANSWER else f"{said[: ANSWER - 1]}…"


def _sender(envelope: Envelope) -> str:
    return str(envelope.reverse_path or "<>")


def _recipients(envelope: Envelope) -> str:
    if not envelope.recipients:  # of a damaged message
        return "?"
    first, *others = envelope.recipients
    return f"{first.mailbox}{f' +{len(others)}' if others else ''}"


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
