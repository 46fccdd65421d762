"""Numbers for Prometheus, and whether all is well: counted from what the rooms tell, read from the relay when asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from postroad.relay.pages import Page, PageServer
from postroad.spool import SpoolError, Stats
from postroad.words.names import Address
from postroad.words.trace import Event

if TYPE_CHECKING:
    from postroad.relay.process import Relay

STATS_S = 10.0  # the spool is not asked more often
ANSWER_S = 2.0  # an event loop that needs longer is in trouble
TROUBLE_S = 30.0  # how long trouble with the spool is told of after its last sign: the lease is renewed this often

Reading = Mapping[str, float] | float


@dataclass(frozen=True, slots=True)
class Counted:
    """A number that grows with events; with a label, one for each of its values."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind: str = "counter"


@dataclass(frozen=True, slots=True)
class Timed:
    """How long something took, in buckets of seconds."""

    name: str
    meaning: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()
    kind: str = "histogram"


@dataclass(frozen=True, slots=True)
class Read:
    """A number as it is now; with a label, one for each of its values."""

    name: str
    meaning: str
    read: Callable[[Relay], Reading]
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


@dataclass(frozen=True, slots=True)
class Stored:
    """The same of the spool, `STATS_S` old at most."""

    name: str
    meaning: str
    read: Callable[[Stats], Reading]
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


RECEIVED = Counted("postroad_messages_received_total", "Messages accepted: on disk, and answered with 250.")
OCTETS = Counted("postroad_octets_received_total", "Octets of them.")
REFUSED = Counted(
    "postroad_messages_refused_total",
    "Messages whose data came and were not accepted, by reply code; `none`: the client went away.",
    ("code",),
)
TURNED_AWAY = Counted("postroad_connections_refused_total", "Connections turned away, by reply code.", ("code",))
WRONG = Counted("postroad_auth_failures_total", "Wrong passwords.")
NO_TLS = Counted("postroad_tls_handshakes_failed_total", "TLS handshakes of clients that failed or took too long.")
NOT_SMTP = Counted(
    "postroad_protocol_violations_total",
    "Clients sent away because they spoke another protocol (221) or did not wait for a reply (554).",
    ("code",),
)
ATTEMPTS = Counted(
    "postroad_attempts_total",
    "Attempts at a destination: `failed` if any recipient failed, else `deferred` if any was, else `delivered`.",
    ("result",),
)
CONTACTS = Counted(
    "postroad_contacts_total",
    "Addresses contacted in them: the result, or `unused` after a lost race, and the phase where it ended.",
    ("result", "phase"),
)
DOUBLE_BOUNCES = Counted(
    "postroad_double_bounces_total", "Reports, and other mail without a sender, that could not be delivered."
)
SPOOL_FAILURES = Counted("postroad_spool_failures_total", "Times the spool could not do what deliveries asked of it.")
BUGS = Counted("postroad_bugs_total", "Deliveries put off by a bug of ours; the log has each.")
COUNTED = (
    RECEIVED,
    OCTETS,
    REFUSED,
    TURNED_AWAY,
    WRONG,
    NO_TLS,
    NOT_SMTP,
    ATTEMPTS,
    CONTACTS,
    DOUBLE_BOUNCES,
    SPOOL_FAILURES,
    BUGS,
)

ATTEMPT = Timed(
    "postroad_attempt_seconds",
    "How long an attempt took that contacted anyone.",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
DELIVERY = Timed(
    "postroad_delivery_seconds",
    "From acceptance to delivery at a destination.",
    (0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60, 300, 1800, 3600, 14400, 86400, 432000),
)
READ = (
    Read("postroad_deliveries_in_flight", "Deliveries under way.", lambda relay: relay.loop.in_flight),
    Read("postroad_parcels_in_memory", "Parcels claimed and not yet settled.", lambda relay: relay.loop.queue.size),
    Read("postroad_connections_open", "Connections of clients.", lambda relay: relay.receiver.connections),
    Read("postroad_connections_resting", "Connections kept for a next message.", lambda relay: relay.loop.resting),
    Read("postroad_addresses_ill", "Addresses that failed and are left alone.", lambda relay: len(relay.loop.health)),
    Read(
        "postroad_spool_commits_total",
        "Transactions committed.",
        lambda relay: getattr(relay.spool, "commits", 0),  # a spool in memory has none
        kind="counter",
    ),
)
STORED = (
    Stored(
        "postroad_spool_parcels",
        "Parcels not delivered yet.",
        lambda stats: {"waiting": stats.waiting, "claimed": stats.claimed, "held": stats.held},
        ("state",),
    ),
    Stored("postroad_spool_due_parcels", "Waiting parcels whose time has come.", lambda stats: stats.due),
    Stored("postroad_spool_messages", "Messages not finished.", lambda stats: stats.messages),
    Stored("postroad_spool_octets", "Octets of their bodies.", lambda stats: stats.octets),
    Stored(
        "postroad_spool_oldest_timestamp_seconds",
        "When the oldest of them was received; 0: there is none. Its age is `time()` less this.",
        lambda stats: stats.oldest_at or 0.0,
    ),
)


class Metrics:
    """A trace listener that counts, and the pages `/metrics` and `/health`.

    The pages come from a thread, which asks the event loop for news of the spool: a loop that does not answer is
    told of.
    """

    def __init__(self, relay: Relay, wall: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody reads
        self._relay = relay
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._registry = CollectorRegistry()
        self._counters = {
            each: Counter(each.name, each.meaning, each.labels, registry=self._registry) for each in COUNTED
        }
        self._times = {
            each: Histogram(each.name, each.meaning, buckets=each.buckets, registry=self._registry)
            for each in (ATTEMPT, DELIVERY)
        }
        self._registry.register(_Now(self._readings))
        self._server = PageServer({"/metrics": self._metrics, "/health": self._health})
        self._stats: Stats | None = None
        self._stats_at = self._trouble_at = float("-inf")
        self._trouble = ""
        self.port = 0

    async def open(self, address: Address, port: int) -> Self:
        """Answer on a port, 0 for any free one; `port` says which.

        Raises:
            NetError: local: the port is taken, or not ours to take.

        """
        self.port = self._server.open(address, port)
        return self

    async def close(self) -> None:
        """Answer no more."""
        await self._server.close()

    def __call__(self, event: Event) -> None:
        """Count what an event says."""
        fields = event.fields
        match event.name:
            case "receive.message.complete":
                self._count(RECEIVED)
                self._count(OCTETS, by=fields["size"])
            case "receive.message.failed":
                self._count(REFUSED, _code(fields["why"]))
            case "receive.session.failed":
                self._count(TURNED_AWAY, _code(fields["why"]))
            case "receive.auth.failed":
                self._count(WRONG)
            case "receive.tls.failed":
                self._count(NO_TLS)
            case "receive.protocol.failed":
                self._count(NOT_SMTP, _code(fields["why"]))
            case "deliver.parcel.complete":
                self._count_attempt(event)
            case "deliver.report.failed":
                self._count(DOUBLE_BOUNCES)
            case "deliver.parcel.broken":
                self._count(BUGS)
            case "deliver.spool.failed" | "relay.spool.failed":
                self._count(SPOOL_FAILURES)
                self._note_trouble(fields["why"])

    def _count(self, what: Counted, *labels: str, by: float = 1) -> None:
        counter = self._counters[what]
        (counter.labels(*labels) if labels else counter).inc(by)

    def _count_attempt(self, event: Event) -> None:
        done, verdict = event.fields["attempt"], event.fields["verdict"]
        self._count(ATTEMPTS, verdict.result.value)
        for contact in done.contacts:
            self._count(CONTACTS, contact.word, contact.phase.value)
        if done.contacts:
            self._times[ATTEMPT].observe(done.elapsed_ms / 1000)
        if verdict.delivered:
            self._times[DELIVERY].observe(max(self._wall() - event.fields["parcel"].mail.received_at, 0.0))

    def _note_trouble(self, why: str) -> None:
        self._trouble, self._trouble_at = why, self._loop.time()

    def _metrics(self) -> Page:
        self._ask_loop()
        return Page(generate_latest(self._registry), kind=CONTENT_TYPE_LATEST)

    def _health(self) -> Page:
        if not self._ask_loop():
            return _ill(f"the event loop did not answer within {ANSWER_S:g} s")
        if self._loop.time() - self._trouble_at < TROUBLE_S:
            return _ill(f"the spool is in trouble: {self._trouble}")
        return Page(b"ok\n")

    def _ask_loop(self) -> bool:
        """Have the loop look after the spool; whether it answered. A slow disk is no trouble of the loop's."""
        if self._loop.is_closed():
            return False
        asked = asyncio.run_coroutine_threadsafe(self._look(), self._loop)
        try:
            asked.result(ANSWER_S)
        except TimeoutError:
            asked.cancel()
            return False
        return True

    async def _look(self) -> None:
        if self._loop.time() - self._stats_at < STATS_S:
            return
        self._stats_at = self._loop.time()
        try:
            async with asyncio.timeout(ANSWER_S / 2):
                self._stats = await self._relay.spool.stats(self._wall())
        except SpoolError as trouble:
            self._note_trouble(trouble.why)
        except TimeoutError:  # a long queue on a slow disk: what was known before will do
            pass

    def _readings(self) -> Iterator[tuple[Read | Stored, Reading]]:
        yield from ((each, each.read(self._relay)) for each in READ)
        if stats := self._stats:
            yield from ((each, each.read(stats)) for each in STORED)


class _Now(Collector):
    """Asks for readings when Prometheus does."""

    def __init__(self, readings: Callable[[], Iterable[tuple[Read | Stored, Reading]]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for each, reading in self._readings():
            family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
            metric = family(each.name, each.meaning, labels=each.labels)
            for value, number in reading.items() if isinstance(reading, Mapping) else [("", reading)]:
                metric.add_metric([value] if each.labels else [], number)
            yield metric


def reference() -> str:
    """The page on metrics, for people."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in (*COUNTED, ATTEMPT, DELIVERY, *READ, *STORED)
    ]
    return "\n".join([_HEAD, "| name | kind | labels | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _code(why: str) -> str:
    """The code of a reply, "none" for another reason."""
    code = why.partition(" ")[0]
    return code if len(code) == 3 and code.isdigit() else "none"


def _ill(why: str) -> Page:
    return Page(f"{why}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)


_HEAD = f"""# Metrics

With `listen` of [`[metrics]`](settings.md) set, say to `"127.0.0.1:9925"`, a relay answers over HTTP:

- `GET /metrics`: the numbers below, as Prometheus reads them. Those of the spool are {STATS_S:g} s old at most.
- `GET /health`: 200 and `ok`; or 503 and why, if the event loop did not answer within {ANSWER_S:g} s or the spool was
  in trouble within the last {TROUBLE_S:g} s.

There is no password: the port is for this machine, or for a network that may know these numbers.

This page is written by `python -m tests.docs.generate` from `src/postroad/relay/metrics.py`; a test compares them.
"""
