"""An attempt as JSON: every contact, and what became of every recipient."""

from __future__ import annotations

from typing import Literal, TypedDict

from postroad.build import Sent
from postroad.views.json.shape import VERSION
from postroad.views.json.tls import ProofJson, proof_shape
from postroad.words.outcome import Outcome
from postroad.words.trail import Attempt, Contact, Target


class TargetJson(TypedDict):
    """An address of an exchanger."""

    exchange: str
    address: str
    preference: int


class OutcomeJson(TypedDict):
    """What became of a recipient."""

    result: Literal["delivered", "deferred", "failed"]
    scope: str
    status: str
    code: int | None
    text: str
    next_route: str | None


class ContactJson(TargetJson):
    """An address that was contacted."""

    started_ms: float
    ended_ms: float
    phase: str
    result: str
    code: int | None
    text: str
    tls: str | None
    proof: ProofJson | None
    clear_again: bool
    recipients: dict[str, OutcomeJson]


class AttemptJson(TypedDict):
    """One attempt."""

    destination: str
    seed: int | None
    result: str
    elapsed_ms: float
    contacts: list[ContactJson]


class SendJson(TypedDict):
    """`postroad send --json`."""

    version: int
    result: str
    recipients: dict[str, OutcomeJson]
    attempts: list[AttemptJson]


def send_shape(sent: Sent) -> SendJson:
    """`postroad send --json`."""
    return {
        "version": VERSION,
        "result": sent.result.value,
        "recipients": {mailbox: outcome_shape(outcome) for mailbox, outcome in sent.outcomes.items()},
        "attempts": [attempt_shape(delivery.attempt) for delivery in sent.deliveries],
    }


def attempt_shape(attempt: Attempt) -> AttemptJson:
    """One attempt: its seed, and every contact in order of start."""
    return {
        "destination": str(attempt.destination),
        "seed": attempt.seed,
        "result": attempt.result.value,
        "elapsed_ms": round(attempt.elapsed_ms, 1),
        "contacts": [contact_shape(contact) for contact in attempt.contacts],
    }


def contact_shape(contact: Contact) -> ContactJson:
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
        "proof": proof_shape(contact.proof) if contact.proof else None,
        "clear_again": contact.clear_again,
        "recipients": {str(index): outcome_shape(outcome) for index, outcome in contact.recipients.items()},
    }


def target_shape(target: Target) -> TargetJson:
    """An address of an exchanger."""
    return {"exchange": target.exchange, "address": str(target.address), "preference": target.preference}


def outcome_shape(outcome: Outcome) -> OutcomeJson:
    """What became of a recipient."""
    return {
        "result": outcome.result.value,
        "scope": outcome.scope.value,
        "status": outcome.status,
        "code": outcome.reply.code if outcome.reply else None,
        "text": outcome.text,
        "next_route": outcome.next_route or None,
    }
