"""The contents of a spool, as text for people."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import AsyncIterator, Iterator, Sequence

from postroad.spool import NODE, Listed, State, Stats, Story
from postroad.views.text.attempt import contact_line
from postroad.views.text.blocks import Styled, Table
from postroad.words.mail import Envelope, Recipient, TlsWish
from postroad.words.phrasebook import counted, moment, octets, seconds
from postroad.words.record import read_record
from postroad.words.trail import Attempt
from postroad.words.visible import defused, visible

WHEN = 39  # columns between the id and what is behind the next try

TLS_WISHES = {
    TlsWish.REQUIRED: "required by its sender (REQUIRETLS, RFC 8689)",
    TlsWish.OPTIONAL: "optional for its sender (TLS-Required: No, RFC 8689)",
}


def listed(parcels: Sequence[Listed], now: float, width: int | None) -> Iterator[Styled]:
    """The queue: two lines for each parcel, as wide as a terminal; without a width one line each, and nothing cut."""
    ids = max(len("id"), *(len(each.parcel.mail.id) for each in parcels))
    rows = [_row(each, now, ids) for each in parcels]
    head = f"{'id':<{ids}}  {'state':<7}  {'age':>8}  {'tries':>5}  next"
    if width is None:
        yield f"{head:<{ids + WHEN}}  size        from -> to: last answer", "bold"
        for each, row in zip(parcels, rows, strict=True):
            yield f"{row:<{ids + WHEN}}  {octets(each.parcel.mail.size):<10}  {_mail(each)}"
        return
    yield head, "bold"
    for each, row in zip(parcels, rows, strict=True):
        yield row
        yield cut(f"  {octets(each.parcel.mail.size)}, {_mail(each)}", width), "dim"


def _row(each: Listed, now: float, ids: int) -> str:
    parcel, age = each.parcel, seconds(now - each.parcel.mail.received_at)
    return f"{parcel.mail.id:<{ids}}  {each.state.value:<7}  {age:>8}  {parcel.attempts:>5}  {_when(each, now)}"


def _mail(each: Listed) -> str:
    envelope = each.parcel.mail.envelope
    said = f": {each.said}" if each.said else ""
    release_at = each.parcel.mail.release_at
    later = f", not before {moment(release_at)}" if release_at and not each.parcel.attempts else ""
    return f"{_sender(envelope)} -> {_recipients(envelope)}{_on(each.node, ', on ')}{later}{said}"


def _when(each: Listed, now: float) -> str:
    """The next try, beside a state that tells the rest."""
    if each.state is not State.WAITING:
        return "-" if each.state is State.HELD else "now"
    return f"in {seconds(each.parcel.due_at - now)}" if each.parcel.due_at > now else "now"


def cut(text: str, width: int) -> str:
    """A line for people, its end left out where it is too long; `show` has the whole."""
    text = visible(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def told(story: Story, now: float) -> Table:
    """One message: its envelope, then each recipient with what became of it."""
    return Table((), list(_told(story, now)))


def _told(story: Story, now: float) -> Iterator[tuple[str, str]]:
    mail = story.mail
    yield "message", mail.id
    yield "from", _sender(mail.envelope)
    origin = f", from {mail.origin}" if mail.origin else ""
    yield "received", f"{moment(mail.received_at)}, {seconds(now - mail.received_at)} ago{origin}"
    yield "size", octets(mail.size)
    if mail.release_at:
        yield "earliest", f"{moment(mail.release_at)}, as its sender asked"
    if mail.envelope.envid:
        yield "envid", mail.envelope.envid
    if mail.envelope.tls:
        yield "tls", TLS_WISHES[mail.envelope.tls]
    yield "seed", str(mail.seed)
    answers = _last_answers(story)
    for recipient in mail.envelope.recipients:
        yield "to", f"{recipient.mailbox}: {_fate(recipient, story, answers, now)}"
    if story.finished_at is not None:
        yield "finished", moment(story.finished_at)


async def content(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of a message as it is queued; what a terminal would obey, and octets that are no UTF-8, written out."""
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    rest = ""
    async for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\r\n")
        for line in lines:
            yield defused(line, "\t")
    rest += decoder.decode(b"", final=True)
    if rest:
        yield defused(rest, "\t")


def traced(story: Story) -> Iterator[str]:
    """Every attempt with its contacts."""
    for number, record in enumerate(story.records, 1):
        try:
            attempt, recipients = read_record(record.text)
        except ValueError as problem:
            yield f"{number}. {moment(record.at)}  {record.destination}: {problem}"
            continue
        seed = f"seed {attempt.seed}, " if attempt.seed is not None else ""
        took = seconds(attempt.elapsed_ms / 1000)
        how = f"{seed}{took}{_on(record.node, ', on ')}"
        yield f"{number}. {moment(record.at)}  {attempt.destination}: {attempt.result} ({how})"
        yield from (contact_line(contact) for contact in attempt.contacts)
        for index, mailbox in enumerate(recipients[: len(attempt.outcomes)]):
            yield f"  {mailbox}: {_said(attempt, index)}"
    if not story.records:
        yield "no attempt yet"


def totals(numbers: Stats, now: float) -> Iterator[str]:
    """The numbers of a spool."""
    yield f"{counted(numbers.messages, 'message')}, {octets(numbers.octets)}; finished: {numbers.finished}"
    yield f"waiting  {numbers.waiting}, {numbers.due} of them due"
    yield f"claimed  {numbers.claimed}"
    yield f"held     {numbers.held}"
    if numbers.oldest_at is not None:
        yield f"oldest   {moment(numbers.oldest_at)}, {seconds(now - numbers.oldest_at)} ago"
    for destination, count in numbers.destinations:
        yield f"{count:>8}  {destination}"


def _fate(recipient: Recipient, story: Story, answers: dict[str, str], now: float) -> str:
    said = answers.get(str(recipient.mailbox))
    listed = next((each for each in story.parcels if recipient in each.parcel.mail.envelope.recipients), None)
    if listed is None:
        return said or "deleted"
    count = listed.parcel.attempts
    tries = f" after {counted(count, 'attempt')}" if count else ""
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
        return f"under way now{_on(listed.node, ' on ')}"
    due_at = listed.parcel.due_at
    return f"next try in {seconds(due_at - now)}" if due_at > now else "due now"


def _sender(envelope: Envelope) -> str:
    return str(envelope.reverse_path or "<>")


def _recipients(envelope: Envelope) -> str:
    if not envelope.recipients:  # of a damaged message
        return "?"
    first, *others = envelope.recipients
    return f"{first.mailbox}{f' +{len(others)}' if others else ''}"


def _on(node: str, joint: str) -> str:
    """The node that has a parcel or made an attempt, where there may be several."""
    return "" if node in ("", NODE) else f"{joint}{node}"
