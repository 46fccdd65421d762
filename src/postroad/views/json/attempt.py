"""An attempt as JSON: every contact, and what became of every recipient."""

from __future__ import annotations

from postroad.app import Sent
from postroad.views.json.shape import VERSION, Shape
from postroad.words.outcome import Outcome
from postroad.words.trail import Attempt, Contact, Target


def send_shape(sent: Sent) -> Shape:
    """`postroad send --json`."""
    return {
        "version": VERSION,
        "result": sent.result.value,
        "recipients": {mailbox: outcome_shape(outcome) for mailbox, outcome in sent.outcomes.items()},
        "attempts": [attempt_shape(delivery.attempt) for delivery in sent.deliveries],
    }


def attempt_shape(attempt: Attempt) -> Shape:
    """One attempt: its seed, and every contact in order of start."""
    return {
        "destination": str(attempt.destination),
        "seed": attempt.seed,
        "result": attempt.result.value,
        "elapsed_ms": round(attempt.elapsed_ms, 1),
        "contacts": [contact_shape(contact) for contact in attempt.contacts],
    }


def contact_shape(contact: Contact) -> Shape:
    """One address contacted: where, how long, how far it got, and what it said."""
    codes = {outcome.reply.code if outcome.reply else None for outcome in contact.answers}
    return {
        **target_shape(contact.target),
        "started_ms": round(contact.started_ms, 1),
        "ended_ms": round(contact.ended_ms, 1),
        "phase": contact.phase.value,
        "result": contact.word,
        "code": codes.pop() if len(codes) == 1 else None,
        "text": "closed unused: another exchanger greeted first" if contact.is_unused else contact.said,
        "tls": contact.tls,
        "clear_again": contact.clear_again,
        "recipients": {str(index): outcome_shape(outcome) for index, outcome in contact.recipients.items()},
    }


def target_shape(target: Target) -> Shape:
    """An address of an exchanger."""
    return {"exchange": target.exchange, "address": str(target.address), "preference": target.preference}


def outcome_shape(outcome: Outcome) -> Shape:
    """What became of a recipient."""
    return {
        "result": outcome.result.value,
        "scope": outcome.scope.value,
        "status": outcome.status,
        "code": outcome.reply.code if outcome.reply else None,
        "text": outcome.text,
    }
