"""An attempt as a stored record: what the spool keeps for `queue trace`, `explain` and reports.

The shape is versioned and only grows: a record written by an older Postroad must stay readable while its mail waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from postroad.words.names import AddressLiteral, parse_destination
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.reply import Reply
from postroad.words.tls import TlsLevel
from postroad.words.tlsrecord import proof_record, read_proof
from postroad.words.trail import Attempt, Contact, Target

VERSION = 2
"""2: each answer of a contact names the recipients it was for. 1 had one ending a contact, the worst of them."""

Shape = dict[str, Any]


def attempt_record(attempt: Attempt) -> Shape:
    """An attempt as JSON's types (an enumerated word is a text). Defaults are left out: there are millions of these."""
    return {
        "v": VERSION,
        "to": str(attempt.destination),
        "seed": attempt.seed,
        "ms": round(attempt.elapsed_ms, 1),
        "outcomes": list(map(_outcome, attempt.outcomes)),
        "contacts": list(map(_contact, attempt.contacts)),
    }


def read_attempt(record: Mapping[str, Any]) -> Attempt:
    """The attempt of a record.

    Raises:
        ValueError: it is none, or of a later version.

    """
    try:
        destination = parse_destination(record["to"])
        if record["v"] not in (1, VERSION) or not isinstance(destination, str | AddressLiteral):
            raise ValueError(f"not an attempt of version {VERSION} or older")
        outcomes = tuple(_read_outcome(outcome) for outcome in record["outcomes"])
        if record["v"] == 1:
            contacts = _read_first_version(record["contacts"], len(outcomes))
        else:
            contacts = tuple(_read_contact(contact, *_read_answers(contact)) for contact in record["contacts"])
        return Attempt(destination, outcomes, contacts, record["seed"], record["ms"])
    except (KeyError, TypeError) as problem:
        raise ValueError(f"not a record of an attempt: {problem}") from problem


def read_record(text: str) -> tuple[Attempt, list[str]]:
    """The attempt of a record's text, and the recipients it was for.

    Raises:
        ValueError: it is none, or of a later version.

    """
    record = json.loads(text)
    return read_attempt(record), record.get("recipients", [])


def _outcome(outcome: Outcome) -> Shape:
    shape: Shape = {
        "result": outcome.result,
        "scope": outcome.scope,
        "text": outcome.text,
        "status": outcome.status,
    }
    if outcome.phase:
        shape["phase"] = outcome.phase
    if outcome.reply:
        shape["reply"] = [outcome.reply.code, *outcome.reply.lines]
    if outcome.unsettled:
        shape["unsettled"] = True
    if outcome.next_route:
        shape["next_route"] = outcome.next_route
    if outcome.for_sender:
        shape["for_sender"] = outcome.for_sender
    return shape


def _read_outcome(shape: Mapping[str, Any]) -> Outcome:
    reply = shape.get("reply")
    return Outcome(
        Result(shape["result"]),
        Scope(shape["scope"]),
        shape["text"],
        shape["status"],
        Phase(shape["phase"]) if "phase" in shape else None,
        Reply(reply[0], tuple(reply[1:])) if reply else None,
        shape.get("unsettled", False),
        shape.get("next_route", ""),
        shape.get("for_sender", ""),
    )


def _contact(contact: Contact) -> Shape:
    shape: Shape = {
        "exchange": contact.target.exchange,
        "address": contact.target.where,
        "preference": contact.target.preference,
        "from": round(contact.started_ms, 1),
        "until": round(contact.ended_ms, 1),
        "phase": contact.phase,
    }
    if contact.target.port:
        shape["port"] = contact.target.port
    if contact.host or len(contact.recipients) != 1:
        _add_answers(shape, contact)
    else:
        ((index, outcome),) = contact.recipients.items()
        shape["answers"] = [{**_outcome(outcome), "to": [index]}]
    if contact.tls:
        shape["tls"] = contact.tls
    for flag in ("clear_again", "reused", "dsn_over"):
        if getattr(contact, flag):
            shape[flag] = True
    if contact.proof and (contact.proof.miss or contact.proof.level is TlsLevel.PROVEN):  # the rest is in `tls`
        shape["proof"] = proof_record(contact.proof)
    return shape


def _add_answers(shape: Shape, contact: Contact) -> None:
    answers = contact.answers
    if contact.host:
        shape["host"] = _outcome(contact.host) | {"to": answers.pop(contact.host)}
    if answers:
        shape["answers"] = [_outcome(outcome) | {"to": indices} for outcome, indices in answers.items()]


def _read_answers(shape: Mapping[str, Any]) -> tuple[Outcome | None, dict[int, Outcome]]:
    """What a contact failed by as a whole, if it did, and what it meant for each recipient."""
    answers = [(_read_outcome(answer), answer["to"]) for answer in shape.get("answers", ())]
    host = _read_outcome(shape["host"]) if "host" in shape else None
    if host:
        answers.append((host, shape["host"]["to"]))
    return host, {index: outcome for outcome, indices in answers for index in indices}


def _read_first_version(shapes: Iterable[Mapping[str, Any]], count: int) -> tuple[Contact, ...]:
    """Contacts whose failure did not say whom it concerned: all whose mail no contact before had taken."""
    contacts, settled = [], set[int]()
    for shape in shapes:
        ending = _read_outcome(shape["ending"]) if "ending" in shape else None
        meant = {int(index): _read_outcome(said) for index, said in shape.get("told", {}).items()}
        if ending:
            meant.update(dict.fromkeys(shape.get("same", ()), ending))
        host = ending if ending and ending.scope in (Scope.HOST, Scope.US) else None
        if host:
            meant = dict.fromkeys(sorted(set(range(count)) - settled), host) | meant
        settled |= {index for index, said in meant.items() if said.result is Result.DELIVERED or said.unsettled}
        contacts.append(_read_contact(shape, host, meant))
    return tuple(contacts)


def _read_contact(shape: Mapping[str, Any], host: Outcome | None, recipients: Mapping[int, Outcome]) -> Contact:
    return Contact(
        Target(shape["exchange"], ip_address(shape["address"]), shape["preference"], shape.get("port")),
        shape["from"],
        shape["until"],
        Phase(shape["phase"]),
        host,
        recipients,
        shape.get("tls"),
        shape.get("clear_again", False),
        shape.get("reused", False),
        shape.get("dsn_over", False),
        read_proof(shape.get("proof")),
    )
