"""TLS reports: when they go out, to whom, how often they are tried; and one whole day of a relay, read by another."""

import asyncio
import contextlib
import time
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples, some, stride
from tests.support.letters import EVERYTHING, octets
from tests.support.relaying import ZONE, Told, house

from postroad.build import documents, opportunistic_tls
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import Fetched, HttpsSettings
from postroad.lab.certificate import server_context
from postroad.net import NetError, listen
from postroad.relay.tls_reports import ReportStore, ReportWorld, TlsReporter, sending, watching
from postroad.relay.tls_reports.keeping import DueReport
from postroad.spool import NODE, MessageIds, Node, SpoolError, Trouble
from postroad.spool.memory import MemorySpool
from postroad.tls import PolicyType, ReportedPolicy, SessionRow, Submitter, day_begins
from postroad.words.facts import Temporary
from postroad.words.mail import parse_mailbox
from postroad.words.tls import TlsFailure

DAY = "2026-11-21"
MIDNIGHT = day_begins("2026-11-22")
HOUR = 3600.0
SENDER = parse_mailbox("tls@relay.example")
SUBMITTER = Submitter("Relay Inc.", SENDER, SENDER)
POLICY = ReportedPolicy(PolicyType.STS, "a.test", ("version: STSv1", "mode: testing", "mx: *.a.test"), ("*.a.test",))
MET = SessionRow(POLICY)
FAILED = SessionRow(POLICY, TlsFailure.EXPIRED, "mx.a.test", "192.0.2.250", "192.0.2.1", "it expired yesterday")
RECORD = '$TTL 60\n$ORIGIN a.test.\n_smtp._tls TXT "v=TLSRPTv1; rua={rua}"\nweb A 127.0.0.22\n'


class Names:
    """A resolver that can be in trouble."""

    def __init__(self, zone):
        self._zone = ZoneResolver(parse_zones({"zone": zone}))
        self.is_down = False

    async def resolve(self, *question):
        """As the zone has it."""
        return Temporary("timed out") if self.is_down else await self._zone.resolve(*question)


class Stage:
    """A reporter, its spool, its clock, and what it told."""

    def __init__(self, zone="", rua="mailto:reports@a.test", port=0, spool=None, node=NODE):
        self.spool = spool or MemorySpool()
        self.node = node
        self.store = ReportStore(self.spool)
        self.names = Names(zone or RECORD.replace("{rua}", rua))
        self.now = MIDNIGHT
        self.told = Told()
        self.reporter = None
        self.port = port
        self.restart()

    def restart(self):
        """All that is in memory is gone."""
        world = ReportWorld(
            lambda: self.now,
            MessageIds(lambda: self.now),
            Random(1),
            lambda port: HttpsSettings(opportunistic_tls(), port=self.port or port, allow_loopback=True),
            lambda octets, _now: b"DKIM-Signature: here\r\n" + octets,
            lambda: None,
            self.told,
            self.node,
        )
        self.reporter = TlsReporter(self.spool, self.names, SUBMITTER, world)

    async def counted(self, *readers, day=DAY, rows=((MET, 2), (FAILED, 1))):
        """Sessions of a day."""
        await self.store.add({(day, reader, row): count for reader in readers or ("a.test",) for row, count in rows}, 0)

    async def at(self, now):
        """Look at a time."""
        self.now = now
        await self.reporter.look()
        return len(await self.mails())

    async def mails(self):
        """The reports in the spool."""
        return [one.parcel.mail for one in await self.spool.listed(EVERYTHING, 100_000)]


def play(story, **stage):
    """Run a story on a stage."""

    async def whole():
        return await story(Stage(**stage))

    return asyncio.run(whole())


def test_a_report_is_sent_once_within_four_hours_after_its_day():
    """RFC 8460 section 4.1: not before the day is over, and then nothing of it is left."""

    async def story(it):
        await it.counted()
        begins_at = it.reporter.begins_at(DueReport(DAY, "a.test"))
        assert MIDNIGHT < begins_at <= MIDNIGHT + 4 * HOUR
        assert [0, 0, 1, 1] == [
            await it.at(MIDNIGHT - 1),
            await it.at(begins_at - 1),
            await it.at(begins_at),
            await it.at(begins_at + HOUR),
        ]
        assert ((), ()) == (await it.store.due(), await it.store.rows(DueReport(DAY, "a.test")))
        (mail,) = await it.mails()
        assert (SENDER, "TLS report to a.test") == (mail.envelope.reverse_path, mail.origin)
        assert [frozenset({"NEVER"})] == [each.notify for each in mail.envelope.recipients]
        assert (await octets(it.spool, mail)).startswith(b"DKIM-Signature: here\r\n")

    play(story)


def test_a_restart_changes_neither_the_time_nor_the_counts():
    """The time of each report is drawn from what it is, and the counts are in the spool."""

    async def story(it):
        await it.counted()
        before = it.reporter.begins_at(DueReport(DAY, "a.test"))
        await it.counted(rows=[(MET, 3)])
        it.restart()
        assert before == it.reporter.begins_at(DueReport(DAY, "a.test"))
        await it.at(before)
        assert [6] == [told["sessions"] for told in it.told.named("relay.report.complete")]

    play(story)


def test_the_day_that_is_not_over_is_left_alone():
    """Yesterday's report goes out, today's counts go on."""

    async def story(it):
        await it.counted()
        await it.counted(day="2026-11-22")
        assert 1 == await it.at(MIDNIGHT + 5 * HOUR)
        assert (DueReport("2026-11-22", "a.test"),) == await it.store.due()

    play(story)


def test_ten_thousand_reports_of_a_night_are_spread_and_never_many_at_once():
    """T11: about as many in each quarter of the four hours; after a night that the relay was off, 200 a minute.

    Of the night every fifth report; all in a whole run.
    """
    zone = '$ORIGIN test.\n$TTL 60\n*._smtp._tls TXT "x"\n'

    async def story(it):
        times = [it.reporter.begins_at(DueReport(DAY, f"{n}.test")) - MIDNIGHT for n in some(range(10_000), 5)]
        quarters = [sum(1 for at in times if HOUR * n <= at < HOUR * (n + 1)) for n in range(4)]
        assert len(times) == sum(quarters)
        assert all(0.21 < count / len(times) < 0.28 for count in quarters)
        await it.counted(*(f"{n}.test" for n in range(500)), rows=[(MET, 1)])
        left = []
        for minute in range(4):
            await it.at(MIDNIGHT + 6 * HOUR + 60 * minute)
            left.append(len(await it.store.due()))
        assert [300, 100, 0, 0] == left

    play(story, zone=zone)


def test_what_cannot_be_sent_is_tried_again_for_a_day_and_then_dropped():
    """RFC 8460 section 5.5, each time after a longer while; it is told once, and once that it is given up."""

    async def story(it):
        await it.counted()
        it.names.is_down = True
        start, asked = it.reporter.begins_at(DueReport(DAY, "a.test")), []
        for minute in range(24 * 60 + 2):
            before = dict(it.reporter._failed)
            await it.at(start + 60 * minute)
            if before != it.reporter._failed and it.reporter._failed:
                asked.append(minute)
        assert 8 <= len(asked) <= 14
        assert all(later - earlier >= 4 for earlier, later in pairwise(asked))
        whys = [told["why"] for told in it.told.named("relay.report.failed")]
        assert ["its TLS reporting record cannot be looked up: timed out", "it could not be sent within a day"] == whys
        assert ((), []) == (await it.store.due(), await it.mails())

    play(story)


def test_it_is_sent_as_soon_as_it_can_be():
    """The resolver is back: the next try takes it."""

    async def story(it):
        await it.counted()
        it.names.is_down = True
        await it.at(MIDNIGHT + 4 * HOUR)
        it.names.is_down = False
        assert 0 == await it.at(MIDNIGHT + 4 * HOUR + 60)
        assert 1 == await it.at(MIDNIGHT + 4 * HOUR + 300)

    play(story)


@pytest.mark.parametrize("rua", ["mailto:", "ftp://a.test/", ""])
def test_whoever_wants_no_reports_gets_none(rua):
    """No record, or one that leads nowhere: what was counted is deleted."""

    async def story(it):
        await it.counted("a.test", "b.a.test")
        assert 0 == await it.at(MIDNIGHT + 5 * HOUR)
        assert () == await it.store.due()

    play(story, rua=rua)


@settings(max_examples=examples(100 // stride(2)))
@given(st.lists(st.floats(-40 * 86400, 40 * 86400), max_size=6))
def test_a_clock_that_jumps_sends_nothing_twice(jumps):
    """Wherever the clock goes, a report is sent once at most; after a day it leaves the queue, and it never returns."""

    async def story(it):
        await it.counted()
        counts = [0, *[await it.at(MIDNIGHT + jump) for jump in (*jumps, 60 * 86400)]]
        assert sum(later > earlier for earlier, later in pairwise(counts)) <= 1
        assert () == await it.store.due()

    play(story)


def test_a_clock_that_was_set_back_holds_nothing_up():
    """The next try was to be in what is the future again."""

    async def story(it):
        await it.counted()
        it.names.is_down = True
        begins_at = it.reporter.begins_at(DueReport(DAY, "a.test"))
        await it.at(begins_at + 20 * HOUR)
        it.names.is_down = False
        assert 1 == await it.at(begins_at + HOUR)

    play(story)


def test_mail_of_reports_that_waits_for_a_day_is_deleted():
    """RFC 8460 section 5.5: the queue would try it for five; and nobody hears of it."""

    async def story(it):
        await it.counted()
        assert 1 == await it.at(MIDNIGHT + 4 * HOUR)
        assert 1 == await it.at(MIDNIGHT + 27 * HOUR)
        assert 0 == await it.at(MIDNIGHT + 28 * HOUR + 60)
        await it.at(MIDNIGHT + 40 * HOUR)
        assert () == await it.store.mailed_before(MIDNIGHT + 90 * HOUR)

    play(story)


def test_trouble_with_the_spool_is_told_and_costs_nothing_but_time(monkeypatch):
    """It is tried again at the next look, and so is what a bug has stopped."""
    looks = []

    async def look(_self):
        looks.append(len(looks))
        if len(looks) == 1:
            raise SpoolError(Trouble.LOCKED, "another program has locked it")
        if len(looks) == 2:
            raise RuntimeError("a bug")
        raise asyncio.CancelledError

    monkeypatch.setattr(TlsReporter, "look", look)
    monkeypatch.setattr(sending, "LOOK_S", 0)

    async def story(it):
        with contextlib.suppress(asyncio.CancelledError):
            await it.reporter.run()
        assert ["relay.spool.failed", "relay.bug.caught"] == [event.name for event in it.told.events]

    play(story)


@pytest.mark.parametrize(
    ("status", "is_taken"), [(b"200 OK", True), (b"201 Created", True), (b"301 Moved", False), (b"500 No", False)]
)
def test_a_report_is_posted_whatever_the_certificate_of_the_place_is(status, is_taken):
    """RFC 8460 sections 5.4 and 7: any 2xx takes it, and who has trouble with certificates should hear of it."""
    heard = []

    async def serve(stream):
        with contextlib.suppress(NetError):
            await stream.start_tls(server_context(), None)
            while b"\r\n\r\n\x1f\x8b" not in b"".join(heard):
                heard.append(await stream.read())
            stream.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            await stream.drain()
            await stream.read()  # it is the client who hangs up

    async def story():
        listener = await listen(ip_address("127.0.0.22"), 0, serve)
        try:
            it = Stage(rua="https://web.a.test/v1?to=us", port=listener.port)
            await it.counted()
            await it.at(MIDNIGHT + 5 * HOUR)
            assert (is_taken, 0) == (await it.store.due() == (), len(await it.mails()))
        finally:
            await listener.stop()

    asyncio.run(story())
    head, _, body = b"".join(heard).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert b"POST /v1?to=us HTTP/1.1" == lines[0]
    assert {b"Content-Type: application/tlsrpt+gzip", b"Content-Length: %d" % len(body)} <= set(lines)


def test_one_taker_is_enough():
    """RFC 8460 section 3: it counts as delivered once somebody has taken it; the log has who has not."""

    async def story(it):
        await it.counted()
        assert 1 == await it.at(MIDNIGHT + 5 * HOUR)
        (told,) = it.told.named("relay.report.complete")
        assert ["reports@a.test"] == told["to"]
        assert "nowhere.a.test has no address" in told["not_taken"]

    play(story, rua="https://nowhere.a.test/,mailto:reports@a.test")


def read_by_parsedmarc(message):
    """A report as parsedmarc reads it."""
    parsedmarc = pytest.importorskip("parsedmarc", reason="parsedmarc, a second reader of reports, is not installed")
    found = parsedmarc.parse_report_email(message, offline=True)
    assert "smtp_tls" == found["report_type"]
    return found["report"]


def test_another_program_reads_the_report():
    """Parsedmarc has the counts, the policy and the failure as they were counted."""

    async def story(it):
        await it.counted()
        await it.at(MIDNIGHT + 5 * HOUR)
        return await octets(it.spool, (await it.mails())[0])

    read = read_by_parsedmarc(play(story))
    assert ("Relay Inc.", str(SENDER)) == (read["organization_name"], read["contact_info"])
    assert (f"{DAY}T00:00:00Z", f"{DAY}T23:59:59Z") == (read["begin_date"], read["end_date"])
    (policy,) = read["policies"]
    (failure,) = policy.pop("failure_details")
    assert {
        "policy_domain": "a.test",
        "policy_type": "sts",
        "policy_strings": list(POLICY.strings),
        "successful_session_count": 2,
        "failed_session_count": 1,
    } == policy
    assert {
        "result_type": "certificate-expired",
        "failed_session_count": 1,
        "sending_mta_ip": "192.0.2.250",
        "receiving_ip": "192.0.2.1",
        "receiving_mx_hostname": "mx.a.test",
        "failure_reason_code": "it expired yesterday",
    } == failure


FAR_DAY = "2199-01-01"
SETTINGS = "[tls_report]\nenabled = true\nsender = 'tls@example.org'\n"
ASKING = """
$ORIGIN example.com.
_mta-sts TXT "v=STSv1; id=a1;"
mta-sts A 127.0.0.80
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:reports@example.com"
_smtp._tls.example.net. TXT "v=TLSRPTv1; rua=mailto:reports@example.net"
"""


@pytest.fixture(params=["testing", "enforce"])
def web(request, monkeypatch):
    """The policy of example.com, which lists none of its exchangers."""
    lines = ["version: STSv1", f"mode: {request.param}", "mx: nobody.example.com", "max_age: 604800"]
    document = Fetched("\n".join(lines).encode(), "text/plain")

    async def fetch(*_):
        return document

    monkeypatch.setattr(documents, "fetch", fetch)
    monkeypatch.setattr(watching, "day_of", lambda _: FAR_DAY)  # not the day on which this runs, which may end
    return request.param


def test_a_day_of_a_relay_is_a_report_and_the_report_is_none(web):
    """T11: sessions under a policy and under none, counted; of the reports nothing is counted.

    They are delivered, though mail waits where the policy is enforced: they are about that (RFC 8460 section 3).
    """

    async def story():
        spool = MemorySpool()
        spool.close = lambda: asyncio.sleep(0)  # it outlives the relay, as a disk does
        async with house(SETTINGS, spool=spool, zone=ZONE + ASKING, tls=True) as it:
            await it.submit("ann@example.com", times=3)  # the second and the third go over a connection that is kept
            await it.verdict(3)
            await it.submit("bob@example.net")
            await it.verdict(4)
        store = ReportStore(spool)
        days = await store.due()
        rows = {due.reader: await store.rows(due) for due in days}
        assert {"example.com", "example.net"} == set(rows)
        kinds = {reader: {(row.policy.type, row.failure) for row, _ in found} for reader, found in rows.items()}
        assert {(PolicyType.STS, TlsFailure.VALIDATION)} == kinds["example.com"]
        assert {(PolicyType.NONE, None)} == kinds["example.net"]
        # One that is passed over is not even greeted
        assert {{"testing": "mail.lab.invalid", "enforce": ""}[web]} == {row.helo for row, _ in rows["example.com"]}
        counts = {reader: sum(count for _, count in found) for reader, found in rows.items()}
        # In testing one session for each of two exchangers; enforced, each message is refused by both
        assert counts["example.com"] in {"testing": (1, 2), "enforce": (6,)}[web]
        assert 1 == counts["example.net"]
        await spool.delete(EVERYTHING, time.time())
        async with house(SETTINGS, spool=spool, zone=ZONE + ASKING, tls=True) as it:
            reporter, now = it.relay.reporter, day_begins(FAR_DAY) + 30 * HOUR
            reporter._world = replace(reporter._world, wall=lambda: now)
            await reporter.look()
            await spool.retry(EVERYTHING, time.time())  # their time is that of the reporter's clock
            it.relay.delivery.look()
            await it.verdict(2)
            delivered = [
                str(fate.recipient.mailbox)
                for told in it.told.named("deliver.parcel.complete")
                for fate in told["verdict"].delivered
            ]
        assert ["reports@example.com", "reports@example.net"] == sorted(delivered)
        assert () == await store.due()

    asyncio.run(story())


class Shared(MemorySpool):
    """A spool of several relays, each with a name in `alive`."""

    def __init__(self, *alive):
        super().__init__()
        self.alive = alive

    async def nodes(self, now):
        """Whoever is said to live."""
        return tuple(Node(name, now) for name in self.alive)


READERS = tuple(f"d{number}.test" for number in range(12))
MANY = "$TTL 60\n" + "".join(f'$ORIGIN {name}.\n_smtp._tls TXT "v=TLSRPTv1; rua=mailto:r@a.test"\n' for name in READERS)


def fleet(*names):
    """Relays on one spool."""
    spool = Shared(*names)
    return spool, [Stage(MANY, spool=spool, node=name) for name in names]


async def reported(stages, now, looks=2):
    """Let all look again and again at one time; to whom reports are in the spool."""
    for _ in range(looks):
        await asyncio.gather(*(stage.at(now) for stage in stages))
    return sorted(mail.origin.removeprefix("TLS report to ") for mail in await stages[0].mails())


LATE = MIDNIGHT + 5 * HOUR


def test_a_report_is_sent_once_however_many_relays_there_are():
    """They share the work, and agree without a word who sends which."""

    async def story():
        _, stages = fleet("one", "two", "three")
        await stages[0].counted(*READERS)
        sent = await reported(stages, LATE)
        return sent, [len(stage.told.named("relay.report.complete")) for stage in stages]

    sent, each = asyncio.run(story())
    assert (sorted(READERS), len(READERS)) == (sent, sum(each))
    assert min(each) > 0


@pytest.mark.parametrize("dies", ["one", "two", "three"])
def test_what_a_dead_relay_had_to_send_another_one_sends(dies):
    """As soon as its lease is over, and all have seen that; nothing that was counted is lost."""

    async def story():
        spool, stages = fleet("one", "two", "three")
        await stages[0].counted(*READERS)
        living = [stage for stage in stages if stage.node != dies]
        before = await reported(living, LATE)
        spool.alive = tuple(stage.node for stage in living)
        return before, await reported(living, LATE + 60, looks=1), await reported(living, LATE + 120)

    before, waiting, after = asyncio.run(story())
    assert len(before) < len(READERS)
    assert (before, sorted(READERS)) == (waiting, after)


def test_relays_that_do_not_agree_who_lives_do_not_send_twice():
    """One that was stopped for longer than its lease finds nothing left to send, and begins no more."""

    async def story():
        spool, (one, two) = fleet("one", "two")
        spool.alive = ("one",)
        await one.counted(*READERS)
        asked, gate = asyncio.Event(), asyncio.Event()

        class Slow(Names):
            async def resolve(self, *question):
                asked.set()
                await gate.wait()
                return await super().resolve(*question)

        one.names = Slow(MANY)
        one.restart()
        late = asyncio.create_task(one.at(LATE))
        await asked.wait()
        spool.alive = ("two",)
        sent = await reported([two], LATE)
        gate.set()
        await late
        return sent, await reported([two], LATE), len(one.told.named("relay.report.complete"))

    assert (sorted(READERS), sorted(READERS), 0) == asyncio.run(story())


def test_a_relay_killed_behind_the_commit_sends_no_second_report():
    """The message was kept, and what was counted for it not forgotten yet."""

    async def story(it):
        await it.counted()
        await it.at(LATE)
        await it.counted()
        it.restart()
        return await it.at(LATE + 60), await it.store.due()

    assert (1, ()) == play(story)
