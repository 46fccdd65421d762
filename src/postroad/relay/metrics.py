"""Metrics for Prometheus, and a health check: counted from events, or read from the relay when requested."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from postroad.net import host_name
from postroad.relay.counts import COUNTED, TIMED, EventCounter, Timed
from postroad.relay.event_bus import EventBus
from postroad.relay.pages import Page, PageServer
from postroad.relay.tally import LOST_LINES, SUM, Key, Tally
from postroad.spool import SpoolError, Stats
from postroad.words.names import Address
from postroad.words.phrasebook import seconds

if TYPE_CHECKING:
    from postroad.relay.process import Relay

STATS_S = 10.0  # the spool is not asked more often
ANSWER_S = 2.0  # an event loop that needs longer is in trouble
TROUBLE_S = 30.0  # how long trouble with the spool is told of after its last sign: the lease is renewed this often

Reading = Mapping[str, float] | float


@dataclass(frozen=True, slots=True)
class MetricSources:
    """The sources that metrics are read from."""

    relay: Relay
    lost_lines: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Read:
    """A number as it is now; with a label, one for each of its values."""

    name: str
    meaning: str
    read: Callable[[MetricSources], Reading]
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


READ = (
    Read("postroad_deliveries_in_flight", "Deliveries in progress.", lambda it: it.relay.delivery.numbers.in_flight),
    Read(
        "postroad_parcels_in_memory",
        "Parcels claimed and not yet settled.",
        lambda it: it.relay.delivery.numbers.parcels,
    ),
    Read("postroad_connections_open", "Open client connections.", lambda it: it.relay.receiver.connections),
    Read(
        "postroad_connections_resting",
        "Idle connections kept for another message.",
        lambda it: it.relay.delivery.numbers.resting,
    ),
    Read(
        "postroad_addresses_unhealthy",
        "Addresses that failed and are not tried for now.",
        lambda it: it.relay.delivery.numbers.unhealthy,
    ),
    Read("postroad_nodes", "Relays that work from this spool, this one included.", lambda it: it.relay.nodes),
    Read(
        "postroad_spool_commits_total",
        "Transactions committed.",
        lambda it: getattr(it.relay.spool, "commits", 0),  # a spool in memory has none
        kind="counter",
    ),
    Read(
        LOST_LINES,
        "Log lines lost because they could not be written, or not in time.",
        lambda it: it.lost_lines() + it.relay.delivery.tally.sums().get((LOST_LINES,), 0),
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
    Stored("postroad_spool_due_parcels", "Waiting parcels that are due.", lambda stats: stats.due),
    Stored("postroad_spool_messages", "Messages still in the queue.", lambda stats: stats.messages),
    Stored("postroad_spool_octets", "Octets in the bodies of queued messages.", lambda stats: stats.octets),
    Stored(
        "postroad_spool_oldest_timestamp_seconds",
        "When the oldest queued message was received; 0 if there is none. Its age is `time()` minus this.",
        lambda stats: stats.oldest_at or 0.0,
    ),
)


class Metrics:
    """The subscriber that counts, with the pages `/metrics` and `/health`.

    The pages come from a thread, which asks the event loop for news of the spool and of who delivers: a loop that does
    not answer is reported.
    """

    def __init__(self, relay: Relay, bus: EventBus, lost_lines: Callable[[], int] = lambda: 0) -> None:
        self._scene = MetricSources(relay, lost_lines)
        self._loop = asyncio.get_running_loop()
        self._tally = Tally()
        self._registry = CollectorRegistry()
        self._registry.register(_Now(self._readings, self._sums))
        self._subscription = bus.subscribe("metrics", self._tally)
        self._server = PageServer({"/metrics": self._metrics, "/health": self._health}, self._names)
        self._stats: Stats | None = None
        self._stats_at = float("-inf")
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

    def _names(self) -> set[str]:
        return {self._scene.relay.settings.hostname.lower(), host_name()}

    def _metrics(self) -> Page:
        self._ask_loop()
        self._subscription.flush(ANSWER_S)
        return Page(generate_latest(self._registry), kind=CONTENT_TYPE_LATEST)

    def _health(self) -> Page:
        if not self._ask_loop():
            return _unhealthy(f"the event loop did not answer within {seconds(ANSWER_S)}")
        self._subscription.flush(ANSWER_S)
        delivery = self._scene.relay.delivery
        worst = max(self._tally, delivery.tally, key=lambda each: each.trouble_at)
        if time.monotonic() - worst.trouble_at < TROUBLE_S:
            return _unhealthy(f"the spool is in trouble: {worst.trouble}")
        if delivery.trouble:
            return _unhealthy(f"nothing is delivered: {delivery.trouble}")
        return Page(b"ok\n")

    def _ask_loop(self) -> bool:
        """Have the loop look after what it does not know; whether it answered. A slow disk is no trouble of its."""
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
        try:
            async with asyncio.timeout(ANSWER_S / 2):
                await self._scene.relay.delivery.refresh()
                if self._loop.time() - self._stats_at >= STATS_S:
                    self._stats_at = self._loop.time()
                    self._stats = await self._scene.relay.spool.stats(time.time())
        except SpoolError as trouble:
            self._tally.note(trouble.why)
        except TimeoutError:  # a long queue on a slow disk: what was known before will do
            pass

    def _sums(self) -> dict[Key, float]:
        sums = self._tally.sums()
        for key, by in self._scene.relay.delivery.tally.sums().items():
            sums[key] = sums.get(key, 0) + by
        return sums

    def _readings(self) -> Iterator[tuple[Read | Stored, Reading]]:
        yield from ((each, each.read(self._scene)) for each in READ)
        if stats := self._stats:
            yield from ((each, each.read(stats)) for each in STORED)


class _Now(Collector):
    """Asks for readings and sums when Prometheus does."""

    def __init__(
        self,
        readings: Callable[[], Iterable[tuple[Read | Stored, Reading]]],
        sums: Callable[[], Mapping[Key, float]],
    ) -> None:
        self._readings = readings
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        sums = self._sums()
        yield from (_counter(row, sums) for row in COUNTED)
        yield from (_histogram(row, sums) for row in TIMED)
        for each, reading in self._readings():
            family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
            metric = family(each.name, each.meaning, labels=each.labels)
            for value, number in reading.items() if isinstance(reading, Mapping) else [("", reading)]:
                metric.add_metric([value] if each.labels else [], number)
            yield metric


def _counter(row: EventCounter, sums: Mapping[Key, float]) -> Metric:
    metric = CounterMetricFamily(row.name, row.meaning, labels=row.labels)
    shown: dict[tuple[str, ...], float] = {(value,): 0.0 for value in row.starts} if row.labels else {(): 0.0}
    shown |= {tuple(map(str, labels)): value for (name, *labels), value in sums.items() if name == row.name}
    for labels, value in shown.items():
        metric.add_metric(labels, value)
    return metric


def _histogram(row: Timed, sums: Mapping[Key, float]) -> Metric:
    ends = [*row.buckets, inf]
    counts = accumulate(sums.get((row.name, place), 0) for place in range(len(ends)))
    buckets = [("+Inf" if end == inf else repr(float(end)), count) for end, count in zip(ends, counts, strict=True)]
    metric = HistogramMetricFamily(row.name, row.meaning)
    metric.add_metric([], buckets=buckets, sum_value=sums.get((row.name, SUM), 0))
    return metric


def reference() -> str:
    """The page on metrics, for people."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for each in (*COUNTED, *TIMED, *READ, *STORED)
    ]
    return "\n".join([_HEAD, "| name | kind | labels | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _unhealthy(why: str) -> Page:
    return Page(f"{why}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)


_HEAD = f"""# Metrics

With `listen` of [`[metrics]`](settings.md) set, say to `"127.0.0.1:9925"`, a relay answers over HTTP:

- `GET /metrics`: the metrics below, as Prometheus reads them. Those of the spool are {seconds(STATS_S)} old at most.
- `GET /health`: 200 and `ok`; or 503 and why, if the event loop did not answer within {seconds(ANSWER_S)}, the spool
  was in trouble within the last {seconds(TROUBLE_S)}, or the delivery process is missing or does not answer.

There is no password: open the port to this machine only, or to a network that may see these numbers. To keep web
pages from reading them through a browser (DNS rebinding), the Host of a request must be an IP address, `localhost`,
or the name of the relay; any other is answered with 421.

This page is written by `python -m tests.docs.generate` from `counts.py` and `metrics.py` in `src/postroad/relay`; a
test compares them.
"""
