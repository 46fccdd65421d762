"""The counters: one row for each metric, with the events that it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from postroad.words.tls import Authority

Fields = Mapping[str, Any]
Growth = tuple[tuple[str, ...], float]
"""The values of the labels, and by how much."""


def _by_one(_fields: Fields) -> Iterable[Growth]:
    return [((), 1)]


@dataclass(frozen=True, slots=True)
class EventCounter:
    """A metric that grows with events; with labels, one for each of their values. `starts` are those shown from 0."""

    name: str
    meaning: str
    events: tuple[str, ...]
    labels: tuple[str, ...] = ()
    of: Callable[[Fields], Iterable[Growth]] = _by_one
    starts: tuple[str, ...] = ()
    kind: str = "counter"


@dataclass(frozen=True, slots=True)
class Timed:
    """A metric of how long something took, in buckets of seconds."""

    name: str
    meaning: str
    events: tuple[str, ...]
    buckets: tuple[float, ...]
    of: Callable[[float, Fields], Iterable[float]]
    labels: tuple[str, ...] = ()
    kind: str = "histogram"


def _code(fields: Fields) -> Iterable[Growth]:
    """The code of a reply, "none" for another reason."""
    code = str(fields["why"]).partition(" ")[0]
    return [((code if len(code) == 3 and code.isdigit() else "none",), 1)]


def _source(fields: Fields) -> str:
    return "sendmail" if fields.get("protocol") == "sendmail" else "smtp"


def _contacts(fields: Fields) -> Iterable[Growth]:
    return [((contact.word, contact.phase.value), 1) for contact in fields["attempt"].contacts]


def _missed(fields: Fields) -> Iterable[Growth]:
    """The contacts whose TLS was not what somebody asks for; further mail on a connection does not count again."""
    for contact in fields["attempt"].contacts:
        demand, miss = contact.target.demand, contact.proof and contact.proof.miss
        if miss and demand.by is not Authority.NONE and not contact.reused:
            yield (miss.failure.value, demand.by.value, "testing" if demand.watched else "enforced"), 1


def _rerouted(fields: Fields) -> Iterable[Growth]:
    verdict = fields["verdict"]
    return [((verdict.routes[-1],), len(verdict.sent_on))] if verdict.sent_on else []


def _attempt_s(_at: float, fields: Fields) -> Iterable[float]:
    done = fields["attempt"]
    return [done.elapsed_ms / 1000] if done.contacts else []


def _delivery_s(at: float, fields: Fields) -> Iterable[float]:
    return [max(at - fields["parcel"].mail.received_at, 0.0)] if fields["verdict"].delivered else []


ACCEPTED = ("receive.message.complete", "relay.pickup.complete")

COUNTED = (
    EventCounter(
        "postroad_messages_received_total",
        "Messages accepted, by `smtp` (on disk, and answered with 250) or from `sendmail`.",
        ACCEPTED,
        ("source",),
        lambda fields: [((_source(fields),), 1)],
        ("smtp", "sendmail"),
    ),
    EventCounter(
        "postroad_octets_received_total",
        "Octets in accepted messages.",
        ACCEPTED,
        ("source",),
        lambda fields: [((_source(fields),), fields["size"])],
        ("smtp", "sendmail"),
    ),
    EventCounter(
        "postroad_messages_refused_total",
        "Messages refused after their content arrived, by reply code; `none`: the client disconnected.",
        ("receive.message.failed",),
        ("code",),
        _code,
    ),
    EventCounter(
        "postroad_connections_refused_total",
        "Connections refused, by reply code.",
        ("receive.session.failed",),
        ("code",),
        _code,
    ),
    EventCounter("postroad_auth_failures_total", "Wrong passwords.", ("receive.auth.failed",)),
    EventCounter(
        "postroad_tls_handshakes_failed_total",
        "TLS handshakes with clients that failed or timed out.",
        ("receive.tls.failed",),
    ),
    EventCounter(
        "postroad_protocol_violations_total",
        "Clients disconnected because they spoke another protocol (221) or did not wait for a reply (554).",
        ("receive.protocol.failed",),
        ("code",),
        _code,
    ),
    EventCounter(
        "postroad_attempts_total",
        "Delivery attempts: `failed` if any recipient failed, else `deferred` if any was, else `delivered`.",
        ("deliver.parcel.complete",),
        ("result",),
        lambda fields: [((fields["verdict"].result.value,), 1)],
    ),
    EventCounter(
        "postroad_contacts_total",
        "Addresses contacted, by result (`unused`: another greeted first) and the phase in which the contact ended.",
        ("deliver.parcel.complete",),
        ("result", "phase"),
        _contacts,
    ),
    EventCounter(
        "postroad_hearsay_failures_total",
        "Addresses not tried for now because another relay on the same spool found that they fail.",
        ("deliver.hearsay.failed",),
    ),
    EventCounter(
        "postroad_hearsay_recoveries_total",
        "Those that are tried again because they answer that relay again.",
        ("deliver.hearsay.recovered",),
    ),
    EventCounter(
        "postroad_tls_missed_total",
        "Contacts whose TLS was not what is demanded, by failure (RFC 8460 section 4.3) and by whose demand it was: "
        "`dane`, `mta-sts`, `route` or `message`. `enforced`: no mail went there; `testing`: it did, and is reported.",
        ("deliver.parcel.complete",),
        ("failure", "by", "mode"),
        _missed,
    ),
    EventCounter(
        "postroad_reroutes_total",
        "Recipients sent on to another route after a refusal (`on_reject`), by the name of that route.",
        ("deliver.parcel.complete",),
        ("route",),
        _rerouted,
    ),
    EventCounter(
        "postroad_double_bounces_total",
        "Bounces, and other mail with a null sender, that could not be delivered.",
        ("deliver.report.failed",),
    ),
    EventCounter(
        "postroad_spool_failures_total",
        "Spool operations that failed.",
        ("deliver.spool.failed", "relay.spool.failed"),
    ),
    EventCounter(
        "postroad_bugs_total",
        "Deliveries deferred by a bug in Postroad, and other bugs caught; each is in the log.",
        ("deliver.parcel.broken", "gather.sts.broken", "relay.bug.caught"),
    ),
    EventCounter(
        "postroad_tls_reports_total",
        "TLS reports: `sent` if somebody took them, `failed` if one has to be sent again or was given up.",
        ("relay.report.complete", "relay.report.failed"),
        ("result",),
        lambda fields: [(("sent" if "to" in fields else "failed",), 1)],
        ("sent", "failed"),
    ),
    EventCounter(
        "postroad_events_uncounted_total",
        "Events missing from these metrics because counting fell behind.",
        ("relay.events.lost",),
        of=lambda fields: [((), fields["count"])],
    ),
)

TIMED = (
    Timed(
        "postroad_attempt_seconds",
        "Duration of the attempts that contacted at least one address.",
        ("deliver.parcel.complete",),
        (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
        _attempt_s,
    ),
    Timed(
        "postroad_delivery_seconds",
        "Time from acceptance to delivery at a destination.",
        ("deliver.parcel.complete",),
        (0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1800, 3600, 14400, 86400, 432000),
        _delivery_s,
    ),
)

TROUBLE = ("deliver.spool.failed", "relay.spool.failed")
"""After these the relay is not well for a while."""
