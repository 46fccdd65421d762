"""The log of a relay: one line for each event, for people or for programs, in as few writes as possible."""

from __future__ import annotations

import json
import os
import select
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from postroad.deliver import Disposition
from postroad.relay.event_bus import Told
from postroad.relay.log_lines import LINES
from postroad.spool import Parcel
from postroad.words.jsontext import encoder
from postroad.words.trace import Event
from postroad.words.trail import Attempt

if TYPE_CHECKING:
    from postroad.config import LogTable

STDERR = 2

FILE_PIECE = 1 << 20  # a file takes all at once; so much is in memory as one piece

_encode = encoder(ascii_only=True, separators=(", ", ": "))  # ASCII, for logs are read on terminals

Facts = dict[str, Any]

LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3}
"""How much an event matters, each with its number in syslog(3)."""

LEVEL_OF = {line.name: line.level for line in LINES if line.level}

_USUAL = frozenset({"receive.message.complete", "deliver.parcel.complete"})  # never less than info


@dataclass(frozen=True, slots=True)
class Style:
    """The format of the log.

    `level` is the least that is written: debug has every session, info every message and attempt, warning what did
    not go well, error what is wrong with the relay itself. With `is_prefixed` lines of the console form begin with
    their level, as `<4>`, which journald takes off and remembers (sd-daemon(3)).
    """

    form: str = "console"
    level: str = "info"
    is_prefixed: bool = False


class Journal:
    """A subscriber that writes lines. `console`: `12:00:01 deliver.attempt.complete id=... result=delivered`.

    What cannot be written is lost, and counted; the first line that can be written again says how many were lost.
    `style` may be replaced. No write is longer than `piece`, but for a line that is.
    """

    def __init__(self, write: Callable[[bytes], int], style: Style | None = None, piece: int = select.PIPE_BUF) -> None:
        self.style = style or Style()
        self.lost = 0
        self._piece = piece
        self._out = write
        self._missing = 0  # lines lost since one could be written
        self._why = ""
        self._is_torn = False  # the last line was written in part

    def wants(self, event: Event) -> bool:
        """Whether it is written at all."""
        if event.name in _USUAL and self.style.level == "info":
            return True
        least = LEVELS[self.style.level]
        level = LEVEL_OF.get(event.name) or level_of(event)
        return LEVELS[level] <= least

    def take(self, batch: Sequence[Told]) -> None:
        """Write events down."""
        style = self.style
        for lines in _gathered([_line(style, at, event) for at, event in batch], self._piece):
            if self._missing and self._write(self._loss(style, batch[-1][0])) == 0:
                self._missing = 0
            self._miss(lines.count(b"\n") if self._missing else self._write(lines))

    def _loss(self, style: Style, at: float) -> bytes:
        return _line(style, at, Event("relay.log.lost", {"lines": self._missing, "why": self._why}))

    def _miss(self, lines: int) -> None:
        self.lost += lines
        self._missing += lines

    def _write(self, lines: bytes) -> int:
        """How many of these lines could not be written."""
        octets, done = b"\n" + lines if self._is_torn else lines, 0
        try:
            while done < len(octets):
                done += self._out(octets[done:])
        except OSError as problem:
            self._why = problem.strerror or str(problem)
        if done:
            self._is_torn = octets[done - 1 : done] != b"\n"
        start = max(done, len(octets) - len(lines))
        if self._is_torn and octets[done : done + 1] == b"\n":  # all of it but its end, which comes with the next line
            start = done + 1
        return octets.count(b"\n", start)


def write_stderr(octets: bytes) -> int:
    """Write to stderr, and wait if it takes nothing now; how much it took.

    Not by way of `sys.stderr`, which keeps what it could not write, and is None where there is no stderr.
    """
    while True:
        try:
            return os.write(STDERR, octets)
        except BlockingIOError:  # another process that shares it has made it so
            poll = select.poll()
            poll.register(STDERR, select.POLLOUT)
            poll.poll()


def stderr_piece() -> int:
    """How many octets stderr takes in one piece, whoever else writes to it.

    That is what a pipe takes (pipe(7), PIPE_BUF), or all of them if it is a file: each write is a time at which
    this thread lets go of the interpreter, and waits until the mail lets it go on.
    """
    try:
        return FILE_PIECE if stat.S_ISREG(os.fstat(STDERR).st_mode) else select.PIPE_BUF
    except OSError:
        return select.PIPE_BUF


def style_of(log: LogTable) -> Style:
    """How the log looks, as the settings have it."""
    is_prefixed = is_journald() if log.level_prefix == "auto" else log.level_prefix == "always"
    return Style(log.format, log.level, is_prefixed)


def is_journald() -> bool:
    """Whether stderr goes to journald, which says so by device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(STDERR)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def level_of(event: Event) -> str:
    """The level of an event."""
    if event.name == "deliver.parcel.complete":
        verdict = event.fields["verdict"]
        return "warning" if verdict.failed or verdict.left or verdict.sent_on else "info"
    return LEVEL_OF.get(event.name, "info")


def _gathered(lines: Sequence[bytes], piece: int) -> Iterator[bytes]:
    """As many lines at once as go into a piece."""
    some: list[bytes] = []
    size = 0
    for line in lines:
        if some and size + len(line) > piece:
            yield b"".join(some)
            some, size = [], 0
        some.append(line)
        size += len(line)
    if some:
        yield b"".join(some)


def _line(style: Style, at: float, event: Event) -> bytes:
    """An event as a line; a bug in telling of it is told in its place."""
    try:
        level, (name, facts) = LEVEL_OF.get(event.name) or level_of(event), _told(event)
    except Exception as bug:  # noqa: BLE001  # one odd event must not take the others of its batch with it
        level, name, facts = "error", "relay.bug.caught", {"event": event.name, "error": repr(bug)}
    text = _as_json(at, name, level, facts) if style.form == "json" else _as_text(at, name, facts)
    prefix = f"<{LEVELS[level]}>" if style.is_prefixed and style.form != "json" else ""
    return f"{prefix}{text}\n".encode(errors="backslashreplace")


_PLAIN = frozenset({str, int, bool, list})


def _told(event: Event) -> tuple[str, Facts]:
    fields = event.fields
    if event.name == "deliver.parcel.complete":
        about = fields["parcel"], fields["attempt"], fields["verdict"], fields.get("route", "")
        return "deliver.attempt.complete", attempt_facts(*about)
    if event.name == "deliver.parcel.broken":
        return event.name, {"id": fields["parcel"].mail.id, "error": repr(fields["error"])}
    return event.name, {
        key: value if type(value) in _PLAIN else round(value, 3) if type(value) is float else _plain(value)
        for key, value in fields.items()
        if value is not None
    }


def attempt_facts(parcel: Parcel, attempt: Attempt, verdict: Disposition, route: str = "") -> Facts:
    """One attempt in a flat shape: what was tried for whom, where it ended, and when it is tried again."""
    mail = parcel.mail
    facts: Facts = {
        "id": mail.id,
        "from": mail.envelope.reverse_path.text if mail.envelope.reverse_path else "<>",
        "to": [each.mailbox.text for each in mail.envelope.recipients],
        "destination": parcel.destination,
        "attempt": parcel.attempts + 1,
        **({"route": route} if route else {}),
        "ms": round(attempt.elapsed_ms, 1),
    }
    worst = (*verdict.failed, *verdict.left, *verdict.sent_on, *verdict.delivered)[0]
    facts["result"] = worst.outcome.result
    if attempt.contacts:
        is_one = len(attempt.contacts) == 1
        last = None if is_one else verdict.attempt.source_of(worst.index)
        last = last or attempt.contacts[-1]
        facts |= {
            "exchange": last.target.exchange,
            "address": last.target.where,
            "contacts": len(attempt.contacts),
        }
        facts |= {"tls": last.tls} if last.tls else {}
    facts |= {"status": worst.outcome.status, "text": worst.outcome.text}
    if verdict.sent_on:
        facts["next_route"] = verdict.routes[-1]
    if verdict.due_at:
        facts["due"] = _time(verdict.due_at)
    return facts


def _as_json(at: float, name: str, level: str, facts: Mapping[str, Any]) -> str:
    return _encode({"at": _time(at), "level": level, "event": name, **facts}).replace("\x7f", "\\u007f")


def _as_text(at: float, name: str, facts: Mapping[str, Any]) -> str:
    words = " ".join([f"{key}={_word(value)}" for key, value in facts.items()])
    return f"{_time(at)} {name} {words}".rstrip()


def _word(value: Any) -> str:  # noqa: ANN401  # any value of JSON
    text = value if type(value) is str else ",".join(map(str, value)) if type(value) is list else str(value)
    is_plain = text.isprintable() and " " not in text and '"' not in text and "=" not in text
    return text if is_plain else json.dumps(text)


def _plain(value: Any) -> Any:  # noqa: ANN401  # any field of an event
    return value if isinstance(value, str | int | list) else str(value)


def _time(at: float) -> str:
    second = int(at)
    return f"{_second(second)}.{int((at - second) * 1000):03d}Z"


@lru_cache(maxsize=16)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
