"""Numbers: what a scrape of a working relay shows, and when it says that it is not well."""

import asyncio
import socket
import urllib.request
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.patience import PATIENCE_S
from tests.support.relaying import house

from postroad.net import NetError
from postroad.relay import metrics as module
from postroad.relay.counts import COUNTED, TIMED
from postroad.relay.event_bus import EventBus
from postroad.relay.metrics import READ, STORED, Metrics
from postroad.spool import SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.words.outcome import Phase
from postroad.words.tls import OPPORTUNISTIC, Authority, Demand, Miss, Proof, TlsFailure, TlsLevel
from postroad.words.trace import Event
from postroad.words.trail import Attempt, Contact, Target

LOOPBACK = ip_address("127.0.0.1")


@asynccontextmanager
async def measured(**how):
    """A house with its numbers."""
    async with house(**how) as it:
        bus = EventBus()
        numbers = await Metrics(it.relay, bus).open(LOOPBACK, 0)
        it.told.others.append(bus)
        try:
            yield it, numbers
        finally:
            await numbers.close()
            bus.close()


def fetch(numbers, path, method="GET"):
    """Status and text of a page."""
    request = urllib.request.Request(f"http://127.0.0.1:{numbers.port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


async def ask(*asked):
    """As `fetch`, while the loop goes on."""
    return await asyncio.to_thread(fetch, *asked)


async def scrape(numbers):
    """Every sample, by its name and the values of its labels in the order of their names."""
    _, text = await ask(numbers, "/metrics")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name.removeprefix("postroad_"), *sample.labels.values()): sample.value for sample in samples}


def test_scrape_counts_what_happened():
    """A message delivered, one failed, one deferred: in numbers by result, phase and time."""

    async def story():
        async with measured(faults={"127.0.0.13": "r550"}) as (it, numbers):
            await it.submit("ann@example.com")
            await it.submit("ben@example.net", sender="")
            await it.submit("cat@nowhere.invalid", sender="")
            await it.told.until("deliver.parcel.complete", 3)
            return await scrape(numbers)

    samples = asyncio.run(story())
    expected = {
        ("messages_received_total", "smtp"): 3,
        ("messages_received_total", "sendmail"): 0,
        ("attempts_total", "delivered"): 1,
        ("attempts_total", "failed"): 1,
        ("attempts_total", "deferred"): 1,
        ("contacts_total", "dot", "delivered"): 1,
        ("contacts_total", "rcpt", "failed"): 1,
        ("attempt_seconds_count",): 2,
        ("delivery_seconds_count",): 1,
        ("spool_parcels", "waiting"): 1,
        ("spool_parcels", "claimed"): 0,
        ("spool_messages",): 1,
        ("addresses_unhealthy",): 0,
        ("auth_failures_total",): 0,
    }
    assert expected == {key: samples[key] for key in expected}


ROUTES = """
[[route]]
domains = ["example.com"]
direct = true
tls = "verify"

[[route]]
domains = ["example.net"]
direct = true
on_reject = {match = "*", route = "second"}

[[route]]
name = "second"
mx_of = "example.com"
"""


def test_missed_demands_and_second_routes_are_counted():
    """By whose demand it was and how it was missed; by the route that was taken instead."""

    async def story():
        async with measured(text=ROUTES, tls=True, faults={"127.0.0.13": "r550"}) as (it, numbers):
            await it.submit("ann@example.com")
            await it.submit("ben@example.net", "cat@example.net")
            await it.told.until("deliver.parcel.complete", 3)
            return await scrape(numbers)

    samples = asyncio.run(story())
    assert {
        ("tls_missed_total", "route", "certificate-not-trusted", "enforced"): 2,
        ("reroutes_total", "second"): 2,
    } == {key: value for key, value in samples.items() if key[0] in ("tls_missed_total", "reroutes_total")}


def contact(demand, proof, **more):
    """A contact with one host under a demand."""
    target = Target("mx.example.com", LOOPBACK, 10, demand=demand)
    return Contact(target, 0.0, 1.0, Phase.STARTTLS, None, {}, proof=proof, **more)


MISS = Miss(TlsFailure.EXPIRED, "too late")
FIRM = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "policy", ("mx.example.com",))
WATCHED = Demand(by=Authority.MTA_STS, why="testing", watched=FIRM)


@pytest.mark.parametrize(
    ("demand", "proof", "more", "expected"),
    [
        (FIRM, Proof(miss=MISS), {}, [(("certificate-expired", "mta-sts", "enforced"), 1)]),
        (WATCHED, Proof(miss=MISS), {}, [(("certificate-expired", "mta-sts", "testing"), 1)]),
        (WATCHED, Proof(miss=MISS), {"reused": True}, []),
        (FIRM, Proof(TlsLevel.PROVEN), {}, []),
        (FIRM, None, {}, []),
        (OPPORTUNISTIC, Proof(miss=MISS), {}, []),
    ],
)
def test_contact_counts_once_and_only_where_somebody_demands(demand, proof, more, expected):
    """A connection that could not be opened proves nothing, and misses nothing."""
    (row,) = (each for each in COUNTED if each.name == "postroad_tls_missed_total")
    done = Attempt("example.com", (), (contact(demand, proof, **more),), 1, 1.0)
    assert expected == list(row.of({"attempt": done}))


def test_every_number_of_the_reference_is_there():
    """The page for people and the page for Prometheus have the same names."""

    async def story():
        async with measured() as (_, numbers):
            return (await ask(numbers, "/metrics"))[1]

    text = asyncio.run(story())
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {each.name for each in (*COUNTED, *TIMED, *READ, *STORED)} == named


def test_refusals_are_counted_by_their_code():
    """What was not accepted, and who was turned away, by what they heard."""

    async def story():
        async with measured() as (it, numbers):
            it.told(Event("receive.message.failed", {"why": "452 4.3.1 no room"}))
            it.told(Event("receive.message.failed", {"why": "the client went away"}))
            it.told(Event("receive.session.failed", {"why": "421 4.3.2 too many connections"}))
            it.told(Event("receive.protocol.failed", {"why": "221 2.7.0 goodbye", "said": "GET / HTTP/1.1"}))
            it.told(Event("receive.tls.failed", {"why": "TLS handshake timed out"}))
            it.told(Event("deliver.parcel.broken", {"parcel": None, "error": ValueError()}))
            it.told(Event("deliver.report.failed", {"id": "B1", "recipients": ["me@example.net"], "why": "550 no"}))
            return await scrape(numbers)

    samples = asyncio.run(story())
    assert 1 == samples["double_bounces_total",]
    assert 1 == samples["protocol_violations_total", "221"] == samples["tls_handshakes_failed_total",]
    assert 1 == samples["messages_refused_total", "452"] == samples["messages_refused_total", "none"]
    assert 1 == samples["connections_refused_total", "421"] == samples["bugs_total",]


def test_lines_the_log_lost_are_a_number():
    """As the log counts them, also while it is stuck."""

    async def story():
        async with house() as it:
            numbers = await Metrics(it.relay, EventBus(), lambda: 7).open(LOOPBACK, 0)
            samples = await scrape(numbers)
            await numbers.close()
            return samples["log_lines_lost_total",]

    assert 7 == asyncio.run(story())


def test_only_two_pages_and_only_to_read():
    """Any other page is 404, any other method 405."""

    async def story():
        async with measured() as (_, numbers):
            asked = [("/health",), ("/",), ("/metrics", "POST"), ("/metrics/../etc",)]
            return [(await ask(numbers, *each))[0] for each in asked]

    assert [200, 404, 405, 404] == asyncio.run(story())


def test_a_relay_at_work_is_well():
    """200 and ok."""

    async def story():
        async with measured() as (_, numbers):
            return await ask(numbers, "/health")

    assert (200, "ok\n") == asyncio.run(story())


def test_trouble_with_the_spool_is_told():
    """A spool that fails makes the relay unhealthy, with what is wrong in words."""

    async def story():
        async with measured() as (it, numbers):
            it.told(Event("deliver.spool.failed", {"why": "the disk is full"}))
            return await ask(numbers, "/health")

    assert (503, "the spool is in trouble: the disk is full\n") == asyncio.run(story())


def test_spool_that_cannot_count_is_in_trouble():
    """Asking it for numbers is enough to see that it is broken; the other numbers are still shown."""

    class Broken(MemorySpool):
        async def stats(self, _now):
            raise SpoolError(Trouble.CORRUPT, "spool.db is damaged")

    async def story():
        async with measured(spool=Broken()) as (_, numbers):
            samples = await scrape(numbers)
            return await ask(numbers, "/health"), ("spool_messages",) in samples, ("addresses_unhealthy",) in samples

    assert ((503, "the spool is in trouble: spool.db is damaged\n"), False, True) == asyncio.run(story())


def test_event_loop_that_hangs_is_told(monkeypatch):
    """The pages are answered though the loop does nothing more: the relay is unhealthy, the numbers are there."""
    monkeypatch.setattr(module, "ANSWER_S", 0.05)

    async def story():
        async with measured() as (_, numbers):
            return fetch(numbers, "/health"), fetch(numbers, "/metrics")[0]  # here, so the loop waits for them

    assert ((503, "the event loop did not answer within 50 ms\n"), 200) == asyncio.run(story())


def test_spool_is_asked_no_more_than_every_ten_seconds():
    """Many scrapes in a row are one question."""

    class Asked(MemorySpool):
        times = 0

        async def stats(self, now):
            self.times += 1
            return await super().stats(now)

    async def story():
        async with measured(spool=Asked()) as (it, numbers):
            for _ in range(3):
                await scrape(numbers)
            return it.relay.spool.times

    assert 1 == asyncio.run(story())


def test_port_that_is_taken_is_an_error():
    """As for any other port: a NetError that says so."""

    async def story():
        async with measured() as (it, numbers):
            with pytest.raises(NetError, match="in use"):
                await Metrics(it.relay, EventBus()).open(LOOPBACK, numbers.port)

    asyncio.run(story())


def test_client_that_hangs_up_disturbs_nobody():
    """The next one is answered."""

    async def story():
        async with measured() as (_, numbers):
            with socket.create_connection(("127.0.0.1", numbers.port)) as client:
                client.sendall(b"GET /met")
            return (await ask(numbers, "/health"))[0]

    assert 200 == asyncio.run(story())
