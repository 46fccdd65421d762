"""What the log of a relay can say: every event with its level, its meaning and its facts."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.relay.event_bus import LOST

_MAIL = "peer, sender, recipients"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of the log: the level it has, what it means, and what it says.

    `facts` are keys, as the words before `=` in the console form and the keys of the JSON form. An empty level
    stands for two: a warning if anything went wrong, else info.
    """

    name: str
    level: str
    meaning: str
    facts: str


LINES = (
    LogLine("receive.session.started", "debug", "A client connected.", "peer"),
    LogLine(
        "receive.session.complete",
        "debug",
        "A client disconnected; `why` unless it said QUIT.",
        "peer, messages, why",
    ),
    LogLine(
        "receive.message.complete",
        "info",
        "A message is on disk, and its client has been answered with 250.",
        f"id, {_MAIL}, size, tls, user, elapsed_s, tls_wish, sent_as, release_at, signed",
    ),
    LogLine("receive.message.failed", "warning", "A message was refused, or its client went away.", f"{_MAIL}, why"),
    LogLine("receive.signature.failed", "warning", "A message was accepted without a DKIM signature.", "id, why"),
    LogLine("receive.auth.failed", "warning", "A wrong password.", "peer, user"),
    LogLine("receive.tls.failed", "warning", "A TLS handshake with a client failed.", "peer, why"),
    LogLine(
        "receive.protocol.failed",
        "warning",
        "A client was disconnected because it did not speak SMTP, or did not wait for a reply.",
        "peer, said, why",
    ),
    LogLine("receive.session.failed", "warning", "A connection was refused.", "peer, why"),
    LogLine(
        "relay.pickup.complete",
        "info",
        "A message that `postroad sendmail` wrote into the spool was found there.",
        "id, sender, size, origin, protocol",
    ),
    LogLine(
        "deliver.attempt.complete",
        "",
        "An attempt to deliver a message to one destination: its result, and the last host's reply.",
        "id, from, to, destination, attempt, route, ms, result, exchange, address, contacts, tls, status, text,"
        " next_route, due",
    ),
    LogLine("deliver.host.failed", "warning", "An address does not answer and is not tried for now.", "address"),
    LogLine("deliver.host.recovered", "info", "It answers again.", "address"),
    LogLine(
        "deliver.hearsay.failed",
        "warning",
        "Another relay on the same spool found that an address does not answer.",
        "address, node",
    ),
    LogLine("deliver.hearsay.recovered", "info", "That address answers the other relay again.", "address, node"),
    LogLine(
        "deliver.set.blocked",
        "warning",
        "No host of a destination answers: its mail waits without attempts until one does.",
        "destination, hosts",
    ),
    LogLine("deliver.queue.aside", "debug", "Mail was set aside for hosts that do not answer.", "parcels"),
    LogLine("deliver.queue.woken", "info", "A host answers again, and the mail that waited for it is due.", "parcels"),
    LogLine(
        "deliver.report.failed",
        "warning",
        "A bounce could not be delivered: nobody has been notified (a double bounce).",
        "id, recipients, why, origin",
    ),
    LogLine("deliver.parcel.broken", "error", "A bug in Postroad put off one message: please report it.", "id, error"),
    LogLine("deliver.spool.failed", "error", "Deliveries could not read or write the spool; they go on trying.", "why"),
    LogLine("gather.sts.complete", "info", "A new or changed MTA-STS policy.", "domain, id, mode, mx, max_age_s"),
    LogLine(
        "gather.sts.failed",
        "warning",
        "An MTA-STS policy could not be fetched; `until`: the one from before holds until then.",
        "domain, id, failure, why, mode, until",
    ),
    LogLine(
        "gather.sts.broken",
        "error",
        "A bug in Postroad stopped a fetch of a policy: please report it.",
        "domain, error, trace",
    ),
    LogLine("gather.store.failed", "warning", "Policies cannot be kept in the spool.", "why"),
    LogLine("relay.port.open", "info", "The relay listens.", "where, tls"),
    LogLine("relay.port.closed", "info", "The relay no longer listens there.", "where"),
    LogLine("relay.metrics.open", "info", "Metrics are served.", "where"),
    LogLine("relay.drained", "info", "The relay stops; `given_up` deliveries were cut off.", "given_up"),
    LogLine("relay.reload.complete", "info", "New settings are in effect.", "changed, needs_restart"),
    LogLine("relay.reload.failed", "error", "New settings are wrong; the old ones stay in effect.", "why"),
    LogLine("relay.alias.missing", "warning", "Mail for a local name is refused.", "name, why"),
    LogLine("relay.dane.on", "info", "DANE is used.", ""),
    LogLine("relay.dane.off", "warning", "DANE is not used.", "why"),
    LogLine("relay.dane.missing", "error", "A route demands DANE, which is off.", "key, why"),
    LogLine("relay.exception.over", "warning", "An exception among the routes is past its last day.", "why"),
    LogLine("relay.nodes.changed", "info", "The relays that share the spool.", "nodes"),
    LogLine("relay.spool.repaired", "warning", "The spool was damaged, and has been repaired at the start.", "what"),
    LogLine("relay.spool.failed", "error", "The spool cannot be written, or its database does not answer.", "why"),
    LogLine("relay.spool.burdened", "warning", "Another session slows the database down.", "why"),
    LogLine(
        "relay.worker.failed",
        "warning",
        "The delivery process ended; another one is started, and makes the attempts under way once more.",
        "pid, why, again_s",
    ),
    LogLine("relay.parent.gone", "error", "The delivery process ends because the receiving one has.", "why"),
    LogLine(
        "relay.report.complete",
        "info",
        "A TLS report was sent.",
        "domain, day, report, to, sessions, failures, not_taken",
    ),
    LogLine("relay.report.failed", "warning", "A TLS report was not sent.", "domain, day, submitter, why, again_s"),
    LogLine("relay.sessions.lost", "warning", "Sessions are missing from TLS reports.", "count, why"),
    LogLine("relay.sessions.failed", "warning", "Counts for TLS reports cannot be kept in the spool.", "why"),
    LogLine("relay.subscriber.failed", "warning", "A bug in the log or in the metrics: please report it.", "name, why"),
    LogLine(LOST, "warning", "Events are missing from the log or from the metrics, which fell behind.", "by, count"),
    LogLine("relay.log.lost", "warning", "Lines could not be written, as on a full disk.", "lines, why"),
    LogLine("relay.bug.caught", "error", "A bug in Postroad: please report it.", "what, event, error, trace"),
)

_HEAD = """# The log

A relay writes one line for each event to standard error: to the journal under systemd. `format` of
[`[log]`](settings.md) chooses the form, `level` the lowest level that is written.

```text
2026-11-22T10:00:01.204Z receive.message.complete id=01M7YJM1KANSPWGV peer=127.0.0.1:50312 ...
{"at": "2026-11-22T10:00:01.204Z", "level": "info", "event": "receive.message.complete", "id": "01M7YJM1KANSPWGV", ...}
```

In the `console` form a value with a space or a quote in it stands in quotes, and control characters are escaped: a
line is always one event, whatever the peer sent. In the `json` form each line is an object of `at`, `level`, `event`
and the facts. Facts that do not apply are left out. Names of events and facts stay as they are between minor
versions; new ones may be added.

This page is written by `python -m tests.docs.generate` from `src/postroad/relay/log_lines.py`; a test compares it
with every event in the code.

| event | level | meaning | facts |
| --- | --- | --- | --- |
"""


def reference() -> str:
    """The whole text of docs/reference/log.md."""
    return _HEAD + "".join(f"| {' | '.join(_cells(line))} |\n" for line in LINES)


def _cells(line: LogLine) -> tuple[str, ...]:
    facts = ", ".join(f"`{fact}`" for fact in line.facts.split(", ") if fact)
    return f"`{line.name}`", line.level or "info or warning", line.meaning, facts
