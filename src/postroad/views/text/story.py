"""The story of one message, in sentences: who sent it, how each choice was drawn, what each host said."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.relay import chapter
from postroad.routing import PROCEDURES, Route, explain_attempt, explain_plan, explain_route
from postroad.spool import NODE, Listed, State, Story
from postroad.words.mail import Envelope, TlsWish
from postroad.words.phrasebook import listing, moment, octets

NAMED = 3  # recipients of many
WISHES = {
    TlsWish.REQUIRED: "Its sender requires TLS (REQUIRETLS, RFC 8689): only an exchanger that DNSSEC, MTA-STS or the"
    " settings vouch for, that proves its name and that offers REQUIRETLS gets it.",
    TlsWish.OPTIONAL: 'Its sender wrote "TLS-Required: No" (RFC 8689): it goes even where DANE or MTA-STS forbid that.',
}
RETURNED = (
    "It requires TLS (REQUIRETLS), but its reverse-path is null, as a report's is: it is sent like other mail, because"
    " delivery matters more than protection here (RFC 8689 section 5)."
)


def tell(story: Story) -> Iterator[str]:
    """The whole story, a sentence at a time."""
    yield from _beginning(story)
    before: Route | None = None
    number = 0  # of attempts: what was done by hand is none
    for record in story.records:
        try:
            told = chapter(record)
        except ValueError as problem:
            number += 1
            yield f"Attempt {number}, {moment(record.at)}: its record is damaged ({problem})."
            continue
        number += not told.is_by_hand
        what = "By hand" if told.is_by_hand else f"Attempt {number}"
        yield f"{what}, {moment(told.at)}{_by(told.node)}, for {listing(told.recipients, NAMED)}:"
        if told.route and told.route != before:
            yield from explain_route(told.route, PROCEDURES[told.procedure])
            before = told.route
        yield from explain_plan(told.plan, told.attempt.seed)
        if told.unhealthy:
            yield f"Put last, because they had just failed: {', '.join(told.unhealthy)}."
        yield from explain_attempt(told.attempt, told.recipients)
        if told.attempt.contacts and not told.holds:
            yield "The contacts are not in the order that this seed gives now: the record is older than this version."
    yield from (_waiting(parcel) for parcel in story.parcels)
    if story.finished_at is not None:
        yield f"Finished {moment(story.finished_at)}."


def _beginning(story: Story) -> Iterator[str]:
    mail = story.mail
    sender = mail.envelope.reverse_path
    yield f"Message {mail.id} from {sender or '<>'} to {_recipients(mail.envelope)}, {octets(mail.size)}."
    if mail.envelope.tls:
        is_returned = mail.envelope.tls is TlsWish.REQUIRED and not mail.envelope.must_be_protected
        yield RETURNED if is_returned else WISHES[mail.envelope.tls]
    yield f"Accepted {moment(mail.received_at)}{mail.origin and f' from {mail.origin}'}; its seed is {mail.seed}."
    if mail.release_at:
        yield f"Its sender asked to hold it until {moment(mail.release_at)}; its expiry counts from then."


def _waiting(listed: Listed) -> str:
    to = _recipients(listed.parcel.mail.envelope)
    if listed.state is State.HELD:
        return f"Mail to {to} is held: `postroad queue release {listed.parcel.mail.id}` releases it."
    if listed.state is State.CLAIMED:
        return f"Mail to {to} is being delivered now{_by(listed.node)}."
    last = f"; the last answer was: {listed.said}" if listed.said else ""
    if listed.parcel.mail.release_at and not listed.parcel.attempts:
        return f"Mail to {to} is waiting, and not tried before {moment(listed.parcel.due_at)}{last}."
    return f"Mail to {to} is waiting; the next attempt is {moment(listed.parcel.due_at)}{last}."


def _by(node: str) -> str:
    """Which relay, where there may be several."""
    return "" if node in ("", NODE) else f" by the node {node}"


def _recipients(envelope: Envelope) -> str:
    return listing((str(each.mailbox) for each in envelope.recipients), NAMED)
