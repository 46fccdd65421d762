"""The JSON every command prints with --json: documented in docs/reference/json.md, versioned, keys in snake_case.

A new key may appear in a version; a key that goes or changes its meaning makes a new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroad.app import Routed, Sent
from postroad.routing import Dropped, Refusal, Route
from postroad.shapes.facts import facts_shape
from postroad.spool import Listed, Stats, Story
from postroad.words.facts import Answer, Bogus, Found, HostFacts, NoData, NoName, Snapshot, Temporary
from postroad.words.mail import Envelope
from postroad.words.names import Address
from postroad.words.outcome import Outcome
from postroad.words.record import read_record
from postroad.words.trail import Attempt, Contact, Target

if TYPE_CHECKING:
    from postroad.config import Config

VERSION = 1

Shape = dict[str, Any]

_STATUS = {Found: "found", NoData: "no-data", NoName: "no-name", Temporary: "temporary", Bogus: "bogus"}


def route_shape(routed: Routed) -> Shape:
    """`postroad route --json`."""
    answer = routed.answer
    shape: Shape = {
        "version": VERSION,
        "domain": str(routed.destination),
        "procedure": routed.policy.name,
        "seed": routed.seed,
        "status": answer.status.value,
        "source": answer.source.value if answer.source else None,
        "levels": [],
        "order": [_target(target) for target in routed.plan.targets],
        "dropped": [_dropped(drop) for drop in (*answer.dropped, *routed.plan.dropped)],
        "notes": [{"kind": note.kind, "text": note.text} for note in answer.notes],
    }
    if isinstance(answer, Refusal):
        return shape | {"result": answer.result.value, "enhanced": answer.enhanced, "text": answer.text}
    return shape | {"levels": _levels(answer, routed)}


def lookup_shape(snapshot: Snapshot) -> Shape:
    """`postroad lookup --json`."""
    mx = snapshot.mx
    records = sorted(mx.records, key=lambda record: record.preference) if isinstance(mx, Found) else []
    return {
        "version": VERSION,
        "domain": str(snapshot.domain),
        "status": _STATUS[type(mx)],
        "why": _why(mx),
        "aliases": list(getattr(mx, "aliases", ())),
        "ttl_s": getattr(mx, "ttl_s", None),
        "mx": [
            {
                "preference": record.preference,
                "exchange": record.exchange,
                **_host(snapshot.hosts.get(record.exchange), snapshot.reverse, snapshot.hosts),
            }
            for record in records
        ],
        "implicit": None
        if records
        else _host(snapshot.hosts.get(str(snapshot.domain)), snapshot.reverse, snapshot.hosts),
        "name_servers": list(snapshot.servers.records) if isinstance(snapshot.servers, Found) else [],
        "facts": facts_shape(snapshot),
    }


def send_shape(sent: Sent) -> Shape:
    """`postroad send --json`."""
    return {
        "version": VERSION,
        "result": sent.result.value,
        "recipients": {mailbox: _outcome(outcome) for mailbox, outcome in sent.outcomes.items()},
        "attempts": [attempt_shape(delivery.attempt) for delivery in sent.deliveries],
    }


def explain_shape(story: Story) -> Shape:
    """`postroad explain --json`: every attempt with the order drawn again, and whether the contacts kept to it."""
    from postroad.relay.story import chapter, tell  # noqa: PLC0415  # no other shape needs the relay

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
                "drawn": [_target(target) for target in told.plan.targets],
                "put_last": list(told.ill),
                "holds": told.holds,
                "attempt": attempt_shape(told.attempt),
            }
            for told in chapters
        ],
    }


def config_shape(config: Config, file: Path | None) -> Shape:
    """`postroad config show --json`: times and sizes as the file has them."""
    from postroad.config.show import defaults  # noqa: PLC0415  # only this shape costs pydantic

    return {
        "version": VERSION,
        "file": str(file) if file else None,
        "settings": config.model_dump(mode="json"),
        "defaults": list(defaults(config)),
    }


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


def stats_shape(stats: Stats) -> Shape:
    """`postroad queue stats --json`."""
    return {"version": VERSION, **asdict(stats), "destinations": dict(stats.destinations)}


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
        **_target(contact.target),
        "started_ms": round(contact.started_ms, 1),
        "ended_ms": round(contact.ended_ms, 1),
        "phase": contact.phase.value,
        "result": contact.word,
        "code": codes.pop() if len(codes) == 1 else None,
        "text": "closed unused: another exchanger greeted first" if contact.is_unused else contact.said,
        "tls": contact.tls,
        "clear_again": contact.clear_again,
        "recipients": {str(index): _outcome(outcome) for index, outcome in contact.recipients.items()},
    }


def facts_of(answer: Answer[Any] | None) -> Shape:
    """A DNS answer: its status, records as text, TTL, and why where there are none."""
    if answer is None:
        return {"status": "not-asked", "records": [], "ttl_s": None, "why": None}
    records = [str(record) for record in answer.records] if isinstance(answer, Found) else []
    return {
        "status": _STATUS[type(answer)],
        "records": records,
        "ttl_s": getattr(answer, "ttl_s", None),
        "why": _why(answer),
    }


def is_confirmed(
    address: Address, reverse: Mapping[Address, Answer[str]], hosts: Mapping[str, HostFacts]
) -> bool | None:
    """Whether address -> PTR -> name -> address agrees, as Postfix's reject_unknown_client_hostname asks.

    None if the reverse name was not asked for, or could not be had.
    """
    answer = reverse.get(address)
    if isinstance(answer, Temporary | Bogus) or answer is None:
        return None
    names = answer.records if isinstance(answer, Found) else ()
    return any(address in _addresses(hosts.get(name)) for name in names)


def _levels(route: Route, routed: Routed) -> list[Shape]:
    chances = routed.odds
    assert chances  # noqa: S101  # a Route always comes with its odds
    return [
        {
            "preference": level.preference,
            "exchangers": [
                {
                    "name": each.name,
                    **_share(chances.hosts[each.name]),
                    "addresses": [
                        {"address": str(address), **_share(chances.addresses[each.name, address])}
                        for address in each.addresses
                    ],
                }
                for each in level.exchangers
            ],
        }
        for level in route.levels
    ]


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


def _share(share: Fraction) -> Shape:
    return {"share": float(share), "odds": str(share)}


def _target(target: Target) -> Shape:
    return {"exchange": target.exchange, "address": str(target.address), "preference": target.preference}


def _dropped(drop: Dropped) -> Shape:
    return {
        "exchange": drop.exchange,
        "address": str(drop.address) if drop.address else None,
        "preference": drop.preference,
        "reason": drop.reason.value,
        "text": drop.text,
    }


def _outcome(outcome: Outcome) -> Shape:
    return {
        "result": outcome.result.value,
        "scope": outcome.scope.value,
        "status": outcome.status,
        "code": outcome.reply.code if outcome.reply else None,
        "text": outcome.text,
    }


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
    return {mailbox: _outcome(outcome) | _source(attempt, index) for index, (mailbox, outcome) in said}


def _source(attempt: Attempt, index: int) -> Shape:
    """Whose answer the outcome of a recipient is."""
    contact = attempt.source_of(index)
    return {
        "exchange": contact.target.exchange if contact else None,
        "address": str(contact.target.address) if contact else None,
    }


def _host(facts: HostFacts | None, reverse: Mapping[Address, Answer[str]], hosts: Mapping[str, HostFacts]) -> Shape:
    if facts is None:
        return {"addresses": [], "a": facts_of(None), "aaaa": facts_of(None)}
    return {
        "addresses": [
            {
                "address": str(address),
                "ttl_s": answer.ttl_s,
                "ptr": facts_of(reverse.get(address))["records"],
                "forward_confirmed": is_confirmed(address, reverse, hosts),
            }
            for answer in (facts.a, facts.aaaa)
            if isinstance(answer, Found)
            for address in answer.records
        ],
        "a": facts_of(facts.a),
        "aaaa": facts_of(facts.aaaa),
    }


def _addresses(facts: HostFacts | None) -> tuple[Address, ...]:
    if facts is None:
        return ()
    return tuple(address for answer in (facts.a, facts.aaaa) if isinstance(answer, Found) for address in answer.records)


def _why(answer: Answer[Any]) -> str | None:
    return answer.why if isinstance(answer, Temporary | Bogus) else None
