"""What a relay tells of itself: one line for each event, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from postroad.deliver import Verdict
from postroad.spool import Parcel
from postroad.words.trace import Event
from postroad.words.trail import Attempt

Facts = dict[str, Any]

LEVELS = ("debug", "info", "warning", "error")
_LEVELS = {
    "receive.session.started": "debug",
    "receive.session.complete": "debug",
    "deliver.parcel.broken": "error",
    "deliver.spool.failed": "error",
    "relay.alias.missing": "warning",
    "relay.reload.failed": "error",
    "relay.spool.failed": "error",
}


class Journal:
    """A trace listener that writes lines. `console`: `12:00:01 deliver.attempt.complete id=... result=delivered`.

    `level` is the least that is written: debug has every session, info every message and attempt, warning what did
    not go well, error what is wrong with the relay itself.
    """

    def __init__(self, out: TextIO, form: str, wall: Callable[[], float], level: str = "info") -> None:
        self._out = out
        self._format = _as_json if form == "json" else _as_text
        self._wall = wall
        self._least = LEVELS.index(level)

    def __call__(self, event: Event) -> None:
        """Write an event down."""
        if LEVELS.index(_level(event)) >= self._least:
            self._out.write(self._format(self._wall(), *_told(event)))
            self._out.flush()


def _level(event: Event) -> str:
    if event.name in _LEVELS:
        return _LEVELS[event.name]
    if event.name == "deliver.parcel.complete":
        verdict = event.fields["verdict"]
        return "warning" if verdict.failed or verdict.left else "info"
    return "warning" if event.name.endswith(".failed") else "info"


def _told(event: Event) -> tuple[str, Facts]:
    if event.name == "deliver.parcel.complete":
        fields = event.fields
        return "deliver.attempt.complete", attempt_facts(fields["parcel"], fields["attempt"], fields["verdict"])
    if event.name == "deliver.parcel.broken":
        return event.name, {"id": event.fields["parcel"].mail.id, "error": repr(event.fields["error"])}
    return event.name, {key: _plain(value) for key, value in event.fields.items() if value is not None}


def attempt_facts(parcel: Parcel, attempt: Attempt, verdict: Verdict) -> Facts:
    """One attempt in a flat shape: what was tried for whom, where it ended, and when it is tried again."""
    mail = parcel.mail
    facts: Facts = {
        "id": mail.id,
        "from": str(mail.envelope.reverse_path or "<>"),
        "to": [str(each.mailbox) for each in mail.envelope.recipients],
        "destination": parcel.destination,
        "attempt": parcel.attempts + 1,
        "ms": round(attempt.elapsed_ms, 1),
    }
    facts["result"] = verdict.result.value
    worst = (*verdict.failed, *verdict.left, *verdict.delivered)[0]
    if attempt.contacts:
        last = verdict.attempt.source_of(worst.index) or attempt.contacts[-1]
        facts |= {
            "exchange": last.target.exchange,
            "address": str(last.target.address),
            "contacts": len(attempt.contacts),
        }
        facts |= {"tls": last.tls} if last.tls else {}
    facts |= {"status": worst.outcome.status, "text": worst.outcome.text}
    if verdict.due_at:
        facts["due"] = _time(verdict.due_at)
    return facts


def _as_json(at: float, name: str, facts: Mapping[str, Any]) -> str:
    return json.dumps({"at": _time(at), "event": name, **facts}, ensure_ascii=False) + "\n"


def _as_text(at: float, name: str, facts: Mapping[str, Any]) -> str:
    words = " ".join(f"{key}={_word(value)}" for key, value in facts.items())
    return f"{_time(at)} {name} {words}\n"


def _word(value: Any) -> str:  # noqa: ANN401  # any value of JSON
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if text.isprintable() and not set(text) & set(' "=') else json.dumps(text)


def _plain(value: Any) -> Any:  # noqa: ANN401  # any field of an event
    if isinstance(value, float):
        return round(value, 3)
    return value if isinstance(value, str | int | list) else str(value)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
